/* SPDX-License-Identifier: MIT */
#include "consumer.h"
