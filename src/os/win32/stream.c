/* SPDX-License-Identifier: MIT
 *
 * stream.c - what the C library's streams can do here.
 */
#include "os/win32/win32.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH 80 /* unless it is known */

int mp_os_stderr_width(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR_HANDLE), &info))
        return info.srWindow.Right - info.srWindow.Left + 1;
    return _isatty(2) ? WIDTH : 0;
}

static _Thread_local struct {
    char *text;
    size_t room;
} last;

static int grow(void)
{
    size_t room = last.room ? 2 * last.room : 256;
    char *text = realloc(last.text, room);
    if (!text) return ERROR_NOT_ENOUGH_MEMORY;
    last.text = text;
    last.room = room;
    return 0;
}

int mp_os_read_line(void *file, const char **line, size_t *size)
{
    size_t length = 0;
    int c = 0, error = 0;
    *line = NULL;
    while (!error && (c = getc((FILE *)file)) != EOF && c != '\n') {
        if (length + 1 >= last.room) error = grow();
        if (!error) last.text[length++] = (char)c;
    }
    if (!error && ferror((FILE *)file)) error = ERROR_READ_FAULT;
    if (!error && !last.room) error = grow();
    if (error) return error;
    if (c == EOF && !length) return 0;
    if (c == '\n' && length && last.text[length - 1] == '\r') length--;
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
