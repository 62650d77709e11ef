/* SPDX-License-Identifier: MIT
 *
 * stream.c - what is at the other end of stderr.
 */
#include "os/posix/posix.h"

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
