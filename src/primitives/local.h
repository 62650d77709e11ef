/* SPDX-License-Identifier: MIT
 *
 * local.h - a lock among the threads of this process, for a few instructions at a time. It costs nothing to create, and
 * a copy made by fork can reset it.
 */
#ifndef MP_PRIMITIVES_LOCAL_H
#define MP_PRIMITIVES_LOCAL_H

#include "os/os.h"

struct mp__local_lock {
    _Atomic uint32_t held;
};

static inline void mp__local_acquire(struct mp__local_lock *lock)
{
    while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire)) mp_os_yield();
}

static inline void mp__local_release(struct mp__local_lock *lock)
{
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

#endif
