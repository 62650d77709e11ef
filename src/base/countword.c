/* SPDX-License-Identifier: MIT
 *
 * countword.c - taking from a count that is 0, and adding to one.
 */
#include "base/countword.h"
#include "base/deadline.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/watch.h"

#include <mp/error.h>

_Thread_local _Atomic uint64_t mp__count_guess;

static bool same_generation(uint64_t state, uint64_t generation)
{
    return (state ^ generation) >> 32 == 0;
}

/* Until there is a unit, or no sense in looking; a little while. */
static void spin_for_unit(_Atomic uint64_t *state, uint64_t generation)
{
    struct mp__spin spin = mp__spin_begin();
    uint64_t seen = generation;
    bool paid = false;
    while (!paid && same_generation(seen, generation) && mp__spin_again(&spin)) {
        seen = atomic_load_explicit(state, memory_order_relaxed);
        paid = seen & MP__COUNT_MOST;
    }
    mp__spin_end(&spin, paid);
}

int mp__count_take(_Atomic uint64_t *state, uint64_t generation, int64_t deadline)
{
    uint64_t slept = 0; /* MP__WAITERS once this thread has */
    for (bool spin = !mp__deadline_passed(deadline);;) {
        uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
        if (!same_generation(seen, generation)) {
            /* The wake that ended the sleep may have been meant for a sleeper of the object that lives here now. */
            if (slept) (void)mp__park_wake(state, 1);
            return MP_EBADHANDLE;
        }
        if (seen & MP__COUNT_MOST) {
            if (atomic_compare_exchange_strong_explicit(state, &seen, (seen - 1) | slept, memory_order_acquire, /* N2 */
                                                        memory_order_relaxed))
                return 0;
            continue;
        }
        if (spin) {
            spin_for_unit(state, generation);
            spin = false;
            continue;
        }
        if (!slept && mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        if (!(seen & MP__WAITERS)) {
            if (!atomic_compare_exchange_strong_explicit(state, &seen, seen | MP__WAITERS, memory_order_relaxed,
                                                         memory_order_relaxed))
                continue;
            seen |= MP__WAITERS;
        }
        if (mp__deadline_passed(deadline)) return MP_ETIMEDOUT; /* N1 */
        mp__self.took = true; /* a wake, perhaps: should this thread end in a signal handler */
        mp__janitor_sleep(mp__word_of(state), (uint32_t)seen, deadline);
        slept = MP__WAITERS;
        spin = !mp__deadline_passed(deadline);
    }
}

int mp__count_add(_Atomic uint64_t *state, uint64_t generation, uint32_t most)
{
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    do {
        if (!same_generation(seen, generation)) return MP_EBADHANDLE;
        if ((seen & MP__COUNT_MOST) >= most) return MP_EOVERFLOW;
    } while (!atomic_compare_exchange_weak_explicit(state, &seen, seen + 1, memory_order_release, /* N2 */
                                                    memory_order_relaxed));
    if (!(seen & MP__WAITERS)) return 0;
    seen++;
    if (!mp__park_wake(state, 1) &&
        atomic_compare_exchange_strong_explicit(state, &seen, seen & ~(uint64_t)MP__WAITERS, /* N1 */
                                                memory_order_relaxed, memory_order_relaxed))
        (void)mp__park_wake(state, UINT32_MAX);
    mp__watch_tell(mp__word_of(state));
    return 0;
}

void mp__count_after_death(_Atomic uint64_t *state)
{
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    while (!(seen & (MP__COUNT_MOST | MP__WAITERS)))
        if (atomic_compare_exchange_weak_explicit(state, &seen, seen | MP__WAITERS, memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
    if (seen & MP__COUNT_MOST) (void)mp__park_wake(state, UINT32_MAX);
}
