/* SPDX-License-Identifier: MIT
 *
 * shared_win32.c - what the tests of locks and shared memory ask of Windows.
 */
#include "shared_support.h"

#include <windows.h>

long descriptors_open(void)
{
    DWORD count = 0;
    return GetProcessHandleCount(GetCurrentProcess(), &count) ? (long)count : -1;
}

int64_t arena_memory(void)
{
    return -1;
}

bool ticks_start(_Atomic uint32_t *ticks)
{
    (void)ticks;
    return false;
}

void ticks_stop(void)
{
}

int raw_fork_run(int (*function)(void *), void *args)
{
    (void)function, (void)args;
    return -1;
}
