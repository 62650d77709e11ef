/* SPDX-License-Identifier: MIT
 *
 * stream.c - what is at the other end of stderr.
 */
#include "os/win32/win32.h"

#include <io.h>

#define WIDTH 80 /* unless it is known */

int mp_os_stderr_width(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR_HANDLE), &info))
        return info.srWindow.Right - info.srWindow.Left + 1;
    return _isatty(2) ? WIDTH : 0;
}
