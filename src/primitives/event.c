/* SPDX-License-Identifier: MIT
 *
 * event.c - Event: a flag that can be waited for.
 *
 *     63           32 31       30    29   0
 *     | generation   | waiters | set | turn |      turn: how often it was set, so far
 *
 * Invariants:
 *   - E1: waiters is set before anybody sleeps. Who sets the event leaves it there, wakes all, and takes it away if nothing has
 *     changed since; an equal word is the same then, as each set has another turn. So whoever finds it, at a later set, when
 *     what was set is cleared, or after a death, wakes all once more: no thread has to write down what it intends, and the
 *     event can be set by a signal handler.
 *   - E2: setting is a release store to the word; seeing it set, or another turn than one has begun to wait in, an acquire
 *     load. So one who waits does not miss an event that is cleared at once.
 */
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/watch.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

#include <mp/sync.h>

#define SET  UINT64_C(0x40000000)
#define TURN UINT64_C(0x3fffffff)

static void fill(struct mp__control *control, const void *with)
{
    const bool *set = with;
    uint64_t state = atomic_load_explicit(&control->state, memory_order_relaxed);
    atomic_store_explicit(&control->state, *set ? state | SET : state, memory_order_relaxed);
}

int mp_event_create(mp_event *event, const mp_event_options *options)
{
    if (!event) return mp__fail(MP_EINVAL, "mp_event_create: event is NULL");
    const bool set = options && options->set;
    uint64_t id;
    int result = mp__control_create(MP__EVENT, options ? options->name : NULL, fill, &set, &id);
    if (result == 0) event->id = id;
    return result;
}

/* Its control block and state; NULL: there is none. Async-signal-safe where it is mapped already. */
static struct mp__control *find(mp_event event, uint64_t *state)
{
    struct mp__control *control = mp__control_of(event.id, MP__EVENT);
    *state = control ? atomic_load_explicit(&control->state, memory_order_acquire) : 0; /* E2 */
    return mp__generation_of(*state) == mp__generation_of(event.id) ? control : NULL;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/* Whether there is nothing more to wait for, for who began in that state. */
static bool over(uint64_t state, uint64_t first)
{
    return state & SET || (state ^ first) & ~((uint64_t)MP__WAITERS | SET);
}

static void spin(_Atomic uint64_t *state, uint64_t first)
{
    struct mp__spin spin = mp__spin_begin();
    bool paid = false;
    while (!paid && mp__spin_again(&spin)) paid = over(atomic_load_explicit(state, memory_order_relaxed), first);
    mp__spin_end(&spin, paid);
}

static int await(_Atomic uint64_t *state, uint64_t first, int64_t deadline)
{
    if (!mp__deadline_passed(deadline)) spin(state, first);
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

int mp_event_wait(mp_event event, int64_t timeout_ms)
{
    uint64_t first;
    struct mp__control *control = find(event, &first);
    if (!control) return mp__fail_handle("mp_event_wait", event.id, "event");
    if (first & SET) return 0;
    if (timeout_ms <= 0) {
        mp__pollable_settle_event(event.id);
        return mp__fail(MP_ETIMEDOUT, "mp_event_wait: event \"%s\" is not set", control->name);
    }
    int result = mp__thread_join();
    if (result < 0) return result;
    result = await(&control->state, first, mp__deadline(timeout_ms));
    if (result == MP_ETIMEDOUT) mp__pollable_settle_event(event.id);
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_event_wait", event.id, "event");
    if (result == MP_ETIMEDOUT) return mp__fail(result, "mp_event_wait: event \"%s\" is not set", control->name);
    return result;
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

int mp_event_set(mp_event event)
{
    uint64_t seen, next;
    struct mp__control *control = find(event, &seen);
    do {
        if (!control || mp__generation_of(seen) != mp__generation_of(event.id))
            return mp__fail_handle("mp_event_set", event.id, "event");
        next = seen & SET ? seen : (seen & ~TURN) | SET | ((seen + 1) & TURN);
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &seen, next, memory_order_acq_rel, /* E2 */
                                                    memory_order_relaxed));
    wake_sleepers(&control->state, next);
    return 0;
}

int mp_event_clear(mp_event event)
{
    uint64_t seen, next;
    struct mp__control *control = find(event, &seen);
    do {
        if (!control || mp__generation_of(seen) != mp__generation_of(event.id))
            return mp__fail_handle("mp_event_clear", event.id, "event");
        next = seen & ~SET;
        if (next == seen) return 0;
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &seen, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    /* Who set it may not have come to that; those who sleep go on by the turn. */
    if (seen & MP__WAITERS) (void)mp__park_wake(&control->state, UINT32_MAX);
    mp__pollable_settle_event(event.id);
    return 0;
}

int mp_event_is_set(mp_event event)
{
    uint64_t state;
    if (!find(event, &state)) return mp__fail_handle("mp_event_is_set", event.id, "event");
    if (!(state & SET)) mp__pollable_settle_event(event.id); /* another process may have cleared it */
    return (state & SET) != 0;
}

int mp__event_look(const char *call, uint64_t id, bool watch)
{
    uint64_t state;
    struct mp__control *control = find((mp_event){id}, &state);
    if (!control) return mp__fail_handle(call, id, "event");
    if (state & SET) return MP__READY;
    if (!watch) return MP__NOT_READY;
    mp__watch(mp__word_of(&control->state)); /* X1 */
    do {
        if (mp__generation_of(state) != mp__generation_of(id)) return mp__fail_handle(call, id, "event");
        if (state & SET) return MP__READY;
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &state, state | MP__WAITERS, memory_order_acquire,
                                                    memory_order_acquire)); /* E1 */
    return MP__NOT_READY;
}

int mp_event_destroy(mp_event event)
{
    /* Who has no record has nowhere to write down whom it is about to wake. */
    if (mp__control_of(event.id, MP__EVENT)) (void)mp__thread_join();
    if (mp__control_destroy(event.id, MP__EVENT, NULL) < 0)
        return mp__fail_handle("mp_event_destroy", event.id, "event");
    mp__pollable_end(event.id);
    return 0;
}
