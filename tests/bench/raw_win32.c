/* SPDX-License-Identifier: MIT
 *
 * raw_win32.c - Windows: the clock. Peers by hand, and the parent of 2 GB, are measured on POSIX systems only.
 */
#include "raw.h"
#include <windows.h>

int64_t raw_now(void)
{
    LARGE_INTEGER ticks, each_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&each_second);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)each_second.QuadPart);
}

void *raw_touch(size_t size)
{
    (void)size;
    return NULL;
}

void raw_untouch(void *memory, size_t size)
{
    (void)memory;
    (void)size;
}

double (*const raw_fork)(const void *unused) = NULL;
double (*const raw_spawn)(const void *unused) = NULL;

const struct bench_lock_kind raw_locks[] = {{NULL, NULL, NULL, NULL}};
const size_t raw_lock_count = 0;
