/* SPDX-License-Identifier: MIT
 *
 * countword.h - the count of a semaphore in a 64-bit state, and whether somebody sleeps for it.
 *
 *     63           32 31       30     0
 *     | generation   | waiters | count |
 *
 * Invariants:
 *   - Whoever changes the word does so by compare-and-swap on all 64 bits: on a destroyed object it fails.
 *   - N1: waiters is set before anybody sleeps. Who adds a unit leaves it set and wakes one; it is cleared by who finds that
 *     nobody was there to be woken, and that the word is what it made of it. It may have been something else in between, so who
 *     has cleared it wakes all who have come to sleep since. Who has slept takes with waiters set, and does not give up
 *     without: it can not know whether others sleep.
 *   - So where the count is 0 and somebody sleeps, waiters is set, or one who was woken is on its way to set it. Should that
 *     one die, or who adds between adding and waking, there are units and one sleeps all the same: after a death all who sleep
 *     where there are units are woken, and where there are none waiters is set (mp__count_after_death). No thread has to write
 *     down what it intends, so a unit can be added by one that has no record, and from a signal handler.
 *   - N2: adding is a release store to the word; taking is an acquire load of it. What happened before a unit was added is
 *     visible to who takes one.
 */
#ifndef MP_BASE_COUNTWORD_H
#define MP_BASE_COUNTWORD_H

#include "base/control.h"

#define MP__COUNT_MOST UINT32_C(0x7fffffff)

/* What this thread last made of one: most likely it still is, and then it need not be read before it is changed, which takes
 * as long as the change itself where another processor has it. A guess, of some semaphore, by whoever: also by signal
 * handlers. */
extern _Thread_local _Atomic uint64_t mp__count_guess;

static inline bool mp__count_change(_Atomic uint64_t *state, uint64_t *seen, uint64_t next, memory_order order)
{
    if (!atomic_compare_exchange_weak_explicit(state, seen, next, order, memory_order_relaxed)) return false;
    atomic_store_explicit(&mp__count_guess, next, memory_order_relaxed);
    return true;
}

/* Take a unit if there is one. `generation` is the state without the word. */
static inline bool mp__count_try(_Atomic uint64_t *state, uint64_t generation)
{
    uint64_t seen = atomic_load_explicit(&mp__count_guess, memory_order_relaxed);
    if (seen >> 32 != generation >> 32 || !(seen & MP__COUNT_MOST))
        seen = atomic_load_explicit(state, memory_order_relaxed);
    while (seen >> 32 == generation >> 32 && seen & MP__COUNT_MOST)
        if (mp__count_change(state, &seen, seen - 1, memory_order_acquire)) return true; /* N2 */
    return false;
}

/* One unit more, if there are less than `most` and nobody sleeps. Should the object be another one by now, the generation has
 * changed, and `most`, which may be that one's, means nothing. */
static inline bool mp__count_give(_Atomic uint64_t *state, uint64_t generation, uint32_t most)
{
    uint64_t seen = atomic_load_explicit(&mp__count_guess, memory_order_relaxed);
    if (seen >> 32 != generation >> 32 || (uint32_t)seen >= most)
        seen = atomic_load_explicit(state, memory_order_relaxed);
    while (seen >> 32 == generation >> 32 && (uint32_t)seen < most) /* with MP__WAITERS it is more */
        if (mp__count_change(state, &seen, seen + 1, memory_order_release)) return true; /* N2 */
    return false;
}

/* The same as mp__count_try, spinning and sleeping until there is one: 0, MP_ETIMEDOUT, or MP_EBADHANDLE: the generation is
 * over. By a thread with a record. */
int mp__count_take(_Atomic uint64_t *state, uint64_t generation, int64_t deadline);

/* One unit more, unless there are `most`: 0, MP_EOVERFLOW, MP_EBADHANDLE. Async-signal-safe. */
int mp__count_add(_Atomic uint64_t *state, uint64_t generation, uint32_t most);

/* Somebody has died: no wake is owed any more. */
void mp__count_after_death(_Atomic uint64_t *state);

#endif
