/* SPDX-License-Identifier: MIT
 *
 * monitor.h - an object that one thread at a time works on, for a few instructions: its word is a lock's.
 *
 * Who finds that the last one died in there (MP_OWNERDEAD) has to expect anything that a death between two stores leaves.
 * Others that wait, on words of their own (base/waiter.h), have been told to look by who recovered that one. Not for signal
 * handlers: the thread that one interrupts may be inside.
 */
#ifndef MP_PRIMITIVES_MONITOR_H
#define MP_PRIMITIVES_MONITOR_H

#include "base/control.h"
#include "base/lockword.h"
#include "base/thread.h"
#include "base/waiter.h"

/* 0 or MP_OWNERDEAD: inside; MP_EBADHANDLE: the object is over (no detail set). By a thread with a record. */
static inline int mp__monitor_enter(struct mp__control *control, uint64_t id)
{
    uint64_t free_state = mp__state_of(id);
    mp__self.took = true;
    if (mp__lockword_try(&control->state, free_state, mp__self.owner)) return 0;
    return mp__lockword_wait(&control->state, free_state, mp__self.owner, MP_OS_NEVER, NULL);
}

static inline void mp__monitor_leave(struct mp__control *control, uint64_t id)
{
    uint64_t free_state = mp__state_of(id);
    if (!mp__lockword_free(&control->state, free_state, mp__self.owner))
        (void)mp__lockword_release(&control->state, free_state, mp__self.owner);
    if (mp__self.calls) mp__waiters_call();
}

#endif
