/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "mp.snippet"
