/* SPDX-License-Identifier: MIT
 *
 * pollable.h - descriptors for event loops (mp_wait_fd), as those see them who use what they belong to.
 *
 * Calls by which something may stop being ready look whether this process has a descriptor for it: one load, if it has none
 * for anything.
 */
#ifndef MP_PRIMITIVES_POLLABLE_H
#define MP_PRIMITIVES_POLLABLE_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic uint32_t mp__pollables; /* how many this process has */

void mp__pollable_settle_slowly(uint64_t id);
void mp__pollable_end_slowly(uint64_t id);

/* It may be ready no more: if so it is not readable any more when this returns, or in a moment. Async-signal-safe for an
 * event. The detail of the last error stays, unless the object is destroyed. */
static inline void mp__pollable_settle(uint64_t id)
{
    if (atomic_load_explicit(&mp__pollables, memory_order_relaxed)) mp__pollable_settle_slowly(id);
}

/* This process has destroyed it: its descriptor is closed. */
static inline void mp__pollable_end(uint64_t id)
{
    if (atomic_load_explicit(&mp__pollables, memory_order_relaxed)) mp__pollable_end_slowly(id);
}

#endif
