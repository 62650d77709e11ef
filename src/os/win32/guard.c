/* SPDX-License-Identifier: MIT
 *
 * guard.c - guards in a word: a kernel object each would have to be opened by every process.
 */
#include "os/win32/win32.h"

#include "os/guard_word.h"
