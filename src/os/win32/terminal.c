/* SPDX-License-Identifier: MIT
 *
 * terminal.c - a console taken, and put back however the program ends.
 */
#include "os/look.h"
#include "os/win32/win32.h"
#include <stdlib.h>

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING /* Windows 10 1511 */
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 0x0004
#endif

static HANDLE keys, screen;
static DWORD keys_before, screen_before;
static UINT page_before;
static bool taken, registered;
static _Atomic bool ended;

void mp_os_terminal_write(const char *text, size_t size)
{
    DWORD written;
    while (size && WriteFile(screen, text, size > 4096 ? 4096 : (DWORD)size, &written, NULL) && written) {
        text += written;
        size -= written;
    }
    if (size) ended = true;
}

void mp_os_terminal_end(void)
{
    static const char leave[] = "\033[?25h\033[?1049l";
    if (!taken) return;
    taken = false;
    mp_os_terminal_write(leave, sizeof leave - 1);
    SetConsoleMode(keys, keys_before);
    SetConsoleMode(screen, screen_before);
    SetConsoleOutputCP(page_before);
}

/* Runs in a thread of its own; the program ends when this returns, if the console is closed. */
static BOOL WINAPI hear(DWORD event)
{
    ended = true;
    if (event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT) return TRUE;
    mp_os_terminal_end();
    return FALSE;
}

int mp_os_terminal_begin(void)
{
    static const char enter[] = "\033[?1049h\033[?25l\033[2J";
    keys = GetStdHandle(STD_INPUT_HANDLE);
    screen = GetStdHandle(STD_OUTPUT_HANDLE);
    if (!GetConsoleMode(keys, &keys_before) || !GetConsoleMode(screen, &screen_before)) return mp_os_enotsup;
    if (!SetConsoleMode(screen, screen_before | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
        return mp_os_enotsup;
    SetConsoleMode(keys, ENABLE_WINDOW_INPUT | ENABLE_PROCESSED_INPUT);
    page_before = GetConsoleOutputCP();
    SetConsoleOutputCP(CP_UTF8);
    SetConsoleCtrlHandler(hear, TRUE);
    if (!registered) atexit(mp_os_terminal_end);
    registered = taken = true;
    mp_os_terminal_write(enter, sizeof enter - 1);
    return 0;
}

void mp_os_terminal_size(int *columns, int *rows)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    bool known = GetConsoleScreenBufferInfo(screen, &info) != 0;
    *columns = known ? info.srWindow.Right - info.srWindow.Left + 1 : 80;
    *rows = known ? info.srWindow.Bottom - info.srWindow.Top + 1 : 25;
}

static int key_of(const KEY_EVENT_RECORD *event)
{
    if (!event->bKeyDown) return MP_OS_KEY_NONE;
    switch (event->wVirtualKeyCode) {
    case VK_UP:
        return MP_OS_KEY_UP;
    case VK_DOWN:
        return MP_OS_KEY_DOWN;
    case VK_PRIOR:
        return MP_OS_KEY_PAGE_UP;
    case VK_NEXT:
        return MP_OS_KEY_PAGE_DOWN;
    case VK_LEFT:
        return MP_OS_KEY_LEFT;
    case VK_RIGHT:
        return MP_OS_KEY_RIGHT;
    default:
        return event->uChar.AsciiChar > 0 ? event->uChar.AsciiChar : MP_OS_KEY_NONE;
    }
}

int mp_os_terminal_key(int64_t deadline)
{
    const int64_t slice = INT64_C(100000000); /* so late a Ctrl-C is heard at most */
    for (;;) {
        if (ended) return MP_OS_KEY_END;
        int64_t now = mp_os_now(), until = deadline == MP_OS_NEVER || deadline > now + slice ? now + slice : deadline;
        int error = mp_os__wait(keys, until);
        if (error == mp_os_etimedout) {
            if (deadline != MP_OS_NEVER && mp_os_now() >= deadline) return ended ? MP_OS_KEY_END : MP_OS_KEY_NONE;
            continue;
        }
        INPUT_RECORD record;
        DWORD count = 0;
        if (error || !ReadConsoleInputA(keys, &record, 1, &count)) return MP_OS_KEY_END;
        if (!count) continue;
        if (record.EventType == WINDOW_BUFFER_SIZE_EVENT) return MP_OS_KEY_RESIZED;
        int key = record.EventType == KEY_EVENT ? key_of(&record.Event.KeyEvent) : MP_OS_KEY_NONE;
        if (key != MP_OS_KEY_NONE) return key;
    }
}
