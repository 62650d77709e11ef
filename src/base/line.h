/* SPDX-License-Identifier: MIT
 *
 * line.h - lines of a file, of any length.
 */
#ifndef MP_BASE_LINE_H
#define MP_BASE_LINE_H

#include <stddef.h>

/* The next line of a FILE, without its end, with a 0 behind it, in memory of this thread's until the next call; NULL: there is
 * none. 0, MP_ENOMEM, or MP_ESYSTEM (no detail set). A signal does not end it. */
int mp__line_read(void *file, const char **line, size_t *size);
/* That memory goes: this thread ends. */
void mp__line_forget(void);

#endif
