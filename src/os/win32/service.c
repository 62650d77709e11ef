/* SPDX-License-Identifier: MIT
 *
 * service.c - becoming a process that serves others: out of reach of the console, with nothing of the user's in its hands.
 */
#include "os/win32/win32.h"

static void give_up(DWORD which)
{
    HANDLE stream = GetStdHandle(which);
    SetStdHandle(which, NULL);
    if (stream && stream != INVALID_HANDLE_VALUE) CloseHandle(stream);
}

void mp_os_become_service(const char *name, const mp_os_segment *segment, bool talks, bool copy)
{
    wchar_t directory[MAX_PATH];
    (void)name, (void)segment,
        (void)copy; /* a program's name is its file's; nothing is inherited; there are no copies */
    FreeConsole();
    give_up(STD_INPUT_HANDLE);
    give_up(STD_OUTPUT_HANDLE);
    if (!talks) give_up(STD_ERROR_HANDLE);
    UINT length = GetWindowsDirectoryW(directory, MAX_PATH);
    if (length > 0 && length < MAX_PATH) SetCurrentDirectoryW(directory);
}
