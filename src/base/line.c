/* SPDX-License-Identifier: MIT
 *
 * line.c - lines of a file.
 */
#include "base/line.h"

#include <errno.h>
#include <mp/error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOM 256

static _Thread_local struct {
    char *text;
    size_t room;
} last;

/* Room for one character more, and a 0. */
static bool has_room(size_t length)
{
    if (length + 2 <= last.room) return true;
    size_t room = last.room ? 2 * last.room : ROOM;
    char *text = realloc(last.text, room);
    if (!text) return false;
    last.text = text;
    last.room = room;
    return true;
}

int mp__line_read(void *file, const char **line, size_t *size)
{
    FILE *stream = file;
    size_t length = 0;
    int c = 0;
    *line = NULL;
    while (c != '\n') {
        if (!has_room(length)) return MP_ENOMEM;
        errno = 0;
        c = getc(stream);
        if (c == EOF && ferror(stream) && errno == EINTR) {
            clearerr(stream);
            continue;
        }
        if (c == EOF) break;
        last.text[length++] = (char)c;
    }
    if (c == EOF && ferror(stream)) return MP_ESYSTEM;
    if (c == EOF && !length) return 0;
    if (c == '\n') length--;
    if (c == '\n' && length && last.text[length - 1] == '\r') length--;
    last.text[length] = 0;
    *line = last.text;
    *size = length;
    return 0;
}

void mp__line_forget(void)
{
    free(last.text);
    last.text = NULL;
    last.room = 0;
}
