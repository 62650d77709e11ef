/* SPDX-License-Identifier: MIT
 *
 * clock.c - time: reading it, and letting it pass.
 */
#include "posix.h"
#include <errno.h>
#include <sched.h>
#include <time.h>

int64_t mp_os_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void mp_os_sleep(int64_t nanoseconds)
{
    if (nanoseconds <= 0) return;
    struct timespec left = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

void mp_os_yield(void)
{
    sched_yield();
}

void mp_os_step_back(bool back)
{
#if MP_LINUX && defined(SCHED_BATCH)
    const struct sched_param none = {.sched_priority = 0};
    int from = back ? SCHED_OTHER : SCHED_BATCH;
    if (sched_getscheduler(0) == from) sched_setscheduler(0, back ? SCHED_BATCH : SCHED_OTHER, &none);
#else
    (void)back;
#endif
}
