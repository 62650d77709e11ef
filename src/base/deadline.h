/* SPDX-License-Identifier: MIT
 *
 * deadline.h - from a timeout in milliseconds to a moment, once, at the edge of the library.
 */
#ifndef MP_BASE_DEADLINE_H
#define MP_BASE_DEADLINE_H

#include "os/os.h"

/* 0 or less has passed already; MP_FOREVER, and whatever lies beyond the clock's end, is never. */
static inline int64_t mp__deadline(int64_t timeout_ms)
{
    if (timeout_ms <= 0) return 0;
    if (timeout_ms >= INT64_MAX / 1000000) return MP_OS_NEVER;
    int64_t now = mp_os_now(), more = timeout_ms * 1000000;
    return more >= MP_OS_NEVER - now ? MP_OS_NEVER : now + more;
}

static inline bool mp__deadline_passed(int64_t deadline)
{
    return deadline != MP_OS_NEVER && (deadline <= 0 || mp_os_now() >= deadline);
}

/* The earlier of a deadline and so many nanoseconds from now. */
static inline int64_t mp__deadline_slice(int64_t deadline, int64_t nanoseconds)
{
    int64_t slice = mp_os_now() + nanoseconds;
    return slice < deadline ? slice : deadline;
}

#endif
