/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "process.snippet"
