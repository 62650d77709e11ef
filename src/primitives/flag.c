/* SPDX-License-Identifier: MIT
 *
 * flag.c - a flag that can be waited for: what an event is, and whether a result is there.
 *
 *     63           32 31       30    29   0
 *     | generation   | waiters | set | turn |      turn: how often it was set, so far
 *
 * Invariants:
 *   - E1: waiters is set before anybody sleeps. Who sets the flag leaves it there, wakes all, and takes it away if nothing has
 *     changed since; an equal word is the same then, as each set has another turn. So whoever finds it, at a later set, when
 *     what was set is cleared, or after a death, wakes all once more: no thread has to write down what it intends, and the
 *     flag can be set by a signal handler.
 *   - E2: setting is a release store to the word; seeing it set, or another turn than one has begun to wait in, an acquire
 *     load. So one who waits does not miss a flag that is cleared at once.
 */
#include "primitives/flag.h"
#include "base/deadline.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/watch.h"
#include "primitives/wait.h"

#define TURN UINT64_C(0x3fffffff)

struct mp__control *mp__flag_find(uint64_t id, enum mp__type type, uint64_t *state)
{
    struct mp__control *control = mp__control_of(id, type);
    *state = control ? atomic_load_explicit(&control->state, memory_order_acquire) : 0; /* E2 */
    return mp__generation_of(*state) == mp__generation_of(id) ? control : NULL;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/* Whether there is nothing more to wait for, for who began in that state. */
static bool over(uint64_t state, uint64_t first)
{
    return state & MP__FLAG_SET || (state ^ first) & ~((uint64_t)MP__WAITERS | MP__FLAG_SET);
}

static void spin(_Atomic uint64_t *state, uint64_t first, bool at_work)
{
    struct mp__spin spin = at_work ? mp__spin_begin_long() : mp__spin_begin();
    bool paid = false;
    while (!paid && (at_work ? mp__spin_again_soon(&spin) : mp__spin_again(&spin)))
        paid = over(atomic_load_explicit(state, memory_order_relaxed), first);
    if (!at_work) mp__spin_end(&spin, paid); /* that is no habit of this thread's */
}

bool mp__flag_spin(struct mp__control *control, uint64_t first)
{
    spin(&control->state, first, true);
    return over(atomic_load_explicit(&control->state, memory_order_acquire), first); /* E2 */
}

int mp__flag_await(struct mp__control *control, uint64_t first, int64_t deadline)
{
    _Atomic uint64_t *state = &control->state;
    if (!mp__deadline_passed(deadline)) spin(state, first, false);
    for (;;) {
        uint64_t seen = atomic_load_explicit(state, memory_order_acquire); /* E2 */
        if (mp__generation_of(seen) != mp__generation_of(first)) return MP_EBADHANDLE;
        if (over(seen, first)) return 0;
        if (mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        if (!(seen & MP__WAITERS) &&
            !atomic_compare_exchange_strong_explicit(state, &seen, seen | MP__WAITERS, memory_order_relaxed,
                                                     memory_order_relaxed)) /* E1 */
            continue;
        mp__self.took = true; /* a wake, perhaps: should this thread end in a signal handler */
        mp__janitor_sleep(mp__word_of(state), (uint32_t)(seen | MP__WAITERS), deadline);
    }
}

/* ---- setting and clearing -------------------------------------------------------------------------------------- */

/* Those who sleep have something to see in that state. */
static void wake_sleepers(_Atomic uint64_t *state, uint64_t now)
{
    if (!(now & MP__WAITERS)) return;
    (void)mp__park_wake(state, UINT32_MAX);
    (void)atomic_compare_exchange_strong_explicit(state, &now, now & ~(uint64_t)MP__WAITERS,
                                                  memory_order_relaxed, /* E1 */
                                                  memory_order_relaxed);
    mp__watch_tell(mp__word_of(state));
}

int mp__flag_set(uint64_t id, enum mp__type type)
{
    uint64_t seen, next;
    struct mp__control *control = mp__flag_find(id, type, &seen);
    do {
        if (!control || mp__generation_of(seen) != mp__generation_of(id)) return MP_EBADHANDLE;
        next = seen & MP__FLAG_SET ? seen : (seen & ~TURN) | MP__FLAG_SET | ((seen + 1) & TURN);
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &seen, next, memory_order_acq_rel, /* E2 */
                                                    memory_order_relaxed));
    wake_sleepers(&control->state, next);
    return 0;
}

int mp__flag_clear(uint64_t id, enum mp__type type)
{
    uint64_t seen, next;
    struct mp__control *control = mp__flag_find(id, type, &seen);
    do {
        if (!control || mp__generation_of(seen) != mp__generation_of(id)) return MP_EBADHANDLE;
        next = seen & ~MP__FLAG_SET;
        if (next == seen) return 0;
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &seen, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    /* Who set it may not have come to that; those who sleep go on by the turn. */
    if (seen & MP__WAITERS) (void)mp__park_wake(&control->state, UINT32_MAX);
    return 1;
}

int mp__flag_look(uint64_t id, enum mp__type type, bool watch)
{
    uint64_t state;
    struct mp__control *control = mp__flag_find(id, type, &state);
    if (!control) return MP_EBADHANDLE;
    if (state & MP__FLAG_SET) return MP__READY;
    if (!watch) return MP__NOT_READY;
    mp__watch(mp__word_of(&control->state)); /* X1 */
    do {
        if (mp__generation_of(state) != mp__generation_of(id)) return MP_EBADHANDLE;
        if (state & MP__FLAG_SET) return MP__READY;
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &state, state | MP__WAITERS, memory_order_acquire,
                                                    memory_order_acquire)); /* E1 */
    return MP__NOT_READY;
}
