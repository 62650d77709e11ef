/* SPDX-License-Identifier: MIT
 *
 * watch.c - threads that wait for any of many things.
 */
#include "base/watch.h"
#include "base/thread.h"

static uint64_t bit_of(const _Atomic uint32_t *word)
{
    uint64_t place = (uint64_t)((const char *)word - (const char *)mp__header());
    return UINT64_C(1) << (place * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

void mp__watch_begin(void)
{
    mp__waiter_begin(MP__WATCHES, 0);
}

void mp__watch(const _Atomic uint32_t *word)
{
    _Atomic uint64_t *ticket = &mp__self.record->ticket;
    uint64_t bit = bit_of(word), bits = atomic_load_explicit(ticket, memory_order_relaxed) | bit;
    atomic_store_explicit(ticket, bits, memory_order_release);
    (void)atomic_fetch_or_explicit(&mp__header()->watched, bit, memory_order_seq_cst); /* X1 */
    atomic_thread_fence(memory_order_seq_cst);
}

void mp__watch_wait(int64_t deadline)
{
    (void)mp__waiter_wait(deadline); /* X2 */
}

void mp__watch_end(void)
{
    (void)mp__waiter_end();
}

void mp__watch_tell(const _Atomic uint32_t *word)
{
    _Atomic uint64_t *watched = &mp__header()->watched;
    uint64_t bit = bit_of(word);
    atomic_thread_fence(memory_order_seq_cst); /* X1 */
    if (!(atomic_load_explicit(watched, memory_order_relaxed) & bit)) return;
    (void)atomic_fetch_and_explicit(watched, ~bit, memory_order_seq_cst);
    mp__waiters_tell_watchers(MP__WATCHES, bit);
}

/* Whatever the header says: who took a bit away may be the one who is dead. */
void mp__watch_tell_all(void)
{
    mp__waiters_tell_watchers(MP__WATCHES, UINT64_MAX);
}
