/* SPDX-License-Identifier: MIT
 *
 * pollable.h - descriptors for event loops (mp_wait_fd), as those see them who use what they belong to.
 *
 * Calls by which something may stop being ready, or by which it is seen not to be, look whether this process has a descriptor
 * for it: one load.
 */
#ifndef MP_PRIMITIVES_POLLABLE_H
#define MP_PRIMITIVES_POLLABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A set of bits, one for each id that has one; several ids may share a bit. */
extern _Atomic uint64_t mp__pollables;

static inline uint64_t mp__pollable_bit(uint64_t id)
{
    return UINT64_C(1) << (id * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}
static inline bool mp__pollable_may_be(uint64_t id)
{
    return atomic_load_explicit(&mp__pollables, memory_order_relaxed) & mp__pollable_bit(id);
}

void mp__pollable_settle_slowly(uint64_t id);
void mp__pollable_settle_event_slowly(uint64_t id);
void mp__pollable_end_slowly(uint64_t id);

/* What is no event may be ready no more: if so it is not readable any more when this returns, or in a moment. The detail of the
 * last error stays, unless the object is destroyed. */
static inline void mp__pollable_settle(uint64_t id)
{
    if (mp__pollable_may_be(id)) mp__pollable_settle_slowly(id);
}

/* The same of an event: async-signal-safe. */
static inline void mp__pollable_settle_event(uint64_t id)
{
    if (mp__pollable_may_be(id)) mp__pollable_settle_event_slowly(id);
}

/* This process has destroyed it: its descriptor is closed. */
static inline void mp__pollable_end(uint64_t id)
{
    if (mp__pollable_may_be(id)) mp__pollable_end_slowly(id);
}

#endif
