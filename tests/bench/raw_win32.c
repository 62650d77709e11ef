/* SPDX-License-Identifier: MIT
 *
 * raw_win32.c - Windows: the clock, one CPU. Peers by hand, and the parent of 2 GB, are measured on POSIX systems only.
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

static int one_cpu(void)
{
    DWORD_PTR mine, all;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) || mine == 0) return -1;
    return SetThreadAffinityMask(GetCurrentThread(), mine & (~mine + 1)) != 0 ? 0 : -1; /* the first of them */
}

int (*const raw_one_cpu)(void) = one_cpu;

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

const struct bench_pair_kind raw_pairs[BENCH_PAIRS] = {{NULL, NULL, NULL, NULL}};

const bool raw_inherits = false;
const struct bench_channel_kind raw_channels[] = {{.name = NULL}};
const size_t raw_channel_count = 0;
