/* SPDX-License-Identifier: MIT
 *
 * stream.c - what the C library's streams can do here.
 */
#include "os/posix/posix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool mp_os_stderr_is_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

static _Thread_local struct {
    char *text;
    size_t room;
} last;

int mp_os_read_line(void *file, const char **line, size_t *size)
{
    errno = 0;
    ssize_t got = getline(&last.text, &last.room, file);
    *line = NULL;
    if (got < 0) return feof((FILE *)file) ? 0 : errno ? errno : EIO;
    size_t length = (size_t)got;
    if (length && last.text[length - 1] == '\n') {
        length--;
        if (length && last.text[length - 1] == '\r') length--;
    }
    last.text[length] = 0;
    *line = last.text;
    *size = length;
    return 0;
}

void mp_os_forget_line(void)
{
    free(last.text);
    last.text = NULL;
    last.room = 0;
}
