/* SPDX-License-Identifier: MIT
 *
 * stream.c - what the C library's streams can do here.
 */
#include "os/posix/posix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH 80 /* unless it is known */

int mp_os_stderr_width(void)
{
#if defined(TIOCGWINSZ)
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
#endif
    return isatty(STDERR_FILENO) == 1 ? WIDTH : 0;
}

static _Thread_local struct {
    char *text;
    size_t room;
} last;

static int grow(void)
{
    size_t room = last.room ? 2 * last.room : 256;
    char *text = realloc(last.text, room);
    if (!text) return ENOMEM;
    last.text = text;
    last.room = room;
    return 0;
}

int mp_os_read_line(void *file, const char **line, size_t *size)
{
    size_t length = 0;
    int c = 0, error = 0;
    *line = NULL;
    flockfile(file);
    while (!error && c != '\n') {
        errno = 0;
        c = getc_unlocked((FILE *)file);
        if (c == EOF && ferror((FILE *)file) && errno == EINTR) { /* getline() would lose what it has of the line */
            clearerr((FILE *)file);
            continue;
        }
        if (c == EOF) break;
        if (length + 1 >= last.room) error = grow();
        if (!error) last.text[length++] = (char)c;
    }
    if (!error && c == EOF && ferror((FILE *)file)) error = errno ? errno : EIO;
    funlockfile(file);
    if (!error && !last.room) error = grow();
    if (error || (c == EOF && !length)) return error;
    if (c == '\n') length--;
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
