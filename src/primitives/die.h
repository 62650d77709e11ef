/* SPDX-License-Identifier: MIT
 *
 * die.h - the end of a process over a failure that nobody handles.
 */
#ifndef MP_PRIMITIVES_DIE_H
#define MP_PRIMITIVES_DIE_H

/* Message to stderr, end of this process's children, exit code 1. */
_Noreturn void mp__die(const char *file, int line, const char *call, int result, const char *detail);

#endif
