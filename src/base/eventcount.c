/* SPDX-License-Identifier: MIT
 *
 * eventcount.c - sleeping until something may have changed.
 */
#include "base/eventcount.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/watch.h"

uint32_t mp__eventcount_prepare(_Atomic uint32_t *word)
{
    uint32_t seen = atomic_fetch_or_explicit(word, MP__WAITERS, memory_order_relaxed) | MP__WAITERS;
    atomic_thread_fence(memory_order_seq_cst); /* T1 */
    return seen;
}

/* The next turn, if somebody sleeps; what the word is then. */
static uint32_t turn(_Atomic uint32_t *word)
{
    uint32_t seen = atomic_load_explicit(word, memory_order_relaxed), next;
    do {
        if (!(seen & MP__WAITERS)) return seen;
        next = (seen & MP__WAITERS) | ((seen + 1) & ~MP__WAITERS);
    } while (!atomic_compare_exchange_weak_explicit(word, &seen, next, memory_order_relaxed, memory_order_relaxed));
    return next;
}

static void wake(_Atomic uint32_t *word, uint32_t count)
{
    uint32_t seen = turn(word); /* T2 */
    if (!(seen & MP__WAITERS) || mp__park_wake_word(word, count)) return;
    mp__thread_intend(word); /* T3: from here on it may be quiet, and somebody sleep */
    if (atomic_compare_exchange_strong_explicit(word, &seen, seen & ~MP__WAITERS, memory_order_relaxed,
                                                memory_order_relaxed))
        (void)mp__park_wake_word(word, UINT32_MAX);
    mp__thread_done();
}

void mp__eventcount_ring(_Atomic uint32_t *word, uint32_t count)
{
    wake(word, count);
    mp__watch_tell(word);
}

void mp__eventcount_after_death(_Atomic uint32_t *word)
{
    if (mp__eventcount_is_quiet(word)) return;
    (void)turn(word);
    (void)mp__park_wake_word(word, UINT32_MAX);
}
