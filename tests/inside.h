/* SPDX-License-Identifier: MIT
 *
 * inside.h - for tests that wait until others are somewhere within libmp: looks at what they have written down.
 */
#ifndef MP_TESTS_INSIDE_H
#define MP_TESTS_INSIDE_H

#include "base/channel.h"
#include "base/control.h"
#include "base/lockword.h"
#include "base/park.h"
#include "base/thread.h"

#include <mp/sync.h>

/* Whether somebody sleeps on the word of a lock, a semaphore or an event, as that says. */
static inline bool inside_somebody_sleeps(uint64_t id)
{
    const struct mp__control *control = mp__control_any(id);
    return control && atomic_load(&control->state) & MP__WAITERS;
}

/* Whether somebody sleeps until there is something in a queue or for a connection to receive; or room in it. */
static inline bool inside_somebody_sleeps_at(uint64_t id, bool for_room)
{
    struct mp__control *control = mp__control_any(id);
    bool queue = control && atomic_load(&control->type) == MP__QUEUE;
    _Atomic uint64_t *get = queue ? &control->as.queue.get : &control->as.connection.put_other;
    _Atomic uint64_t *put = queue ? &control->as.queue.put : &control->as.connection.get_other;
    const struct mp__side *side = control ? mp__side_at(atomic_load(for_room ? get : put)) : NULL;
    return side && atomic_load(&side->bell) & MP__WAITERS;
}

/* How many threads wait to be told something by a condition, a barrier or an owned semaphore: those of that process, or of all
 * (0); dead ones, too, that nobody has recovered yet. */
static inline int inside_waiting_for(uint64_t id, uint64_t process)
{
    int count = 0;
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        count +=
            thread && atomic_load(&thread->waits_for) == id && (!process || atomic_load(&thread->process) == process);
    }
    return count;
}

/* How many threads wait for it, asleep or about to. */
static inline int inside_waiters(mp_lock lock)
{
    struct mp__control *control = mp__control_of(lock.id, MP__LOCK);
    uint64_t place = control ? (uint64_t)((char *)mp__word_of(&control->state) - (char *)mp__header()) : 0;
    int count = 0;
    for (uint32_t number = 1; place && number <= mp__thread_top(); number++) {
        struct mp__thread *thread = mp__thread_at(number);
        count +=
            thread && atomic_load(&thread->stamp) && (atomic_load(&thread->intents[0]) & ~MP__INTENT_FLAGS) == place;
    }
    return count;
}

#endif
