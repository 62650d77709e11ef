/* SPDX-License-Identifier: MIT
 *
 * recover.c - what a dead thread held is taken from it.
 */
#include "base/recover.h"
#include "base/control.h"
#include "base/error.h"
#include "base/lockword.h"
#include "base/park.h"
#include "base/thread.h"

static void (*look_at_children)(void);

void mp__recover_by_looking(void (*look)(void))
{
    if (!mp_os_end_is_visible()) look_at_children = look;
}

void mp__recover_look(void)
{
    if (look_at_children) look_at_children();
}

/* What it held of one object. */
static void recover_object(struct mp__control *control, uint32_t number)
{
    switch (atomic_load_explicit(&control->type, memory_order_relaxed)) {
    case MP__LOCK:
    case MP__RLOCK:
        if (mp__lockword_owner_died(&control->state, number)) mp__park_wake(&control->state, UINT32_MAX);
        break;
    default:
        break;
    }
}

/* The arena's lock is held. */
static void recover(uint32_t number)
{
    struct mp__thread *thread = mp__thread_at(number);
    if (!thread || !atomic_load_explicit(&thread->stamp, memory_order_relaxed)) return;
    for (uint32_t index = 1; index < mp__header()->controls_top; index++) {
        struct mp__control *control =
            mp__arena_at(MP__REGION_CONTROLS, index * sizeof(struct mp__control), sizeof(struct mp__control));
        if (control) recover_object(control, number);
    }
    mp__thread_give_back(thread, number);
}

void mp__recover(uint32_t number)
{
    mp__arena_lock();
    recover(number);
    mp__arena_unlock();
}

bool mp__recover_if_dead(uint32_t number, bool thorough)
{
    if (!mp__thread_is_dead(number, thorough)) return false;
    mp__arena_lock();
    /* Again: another one may have done it, and the number be a living thread's. */
    bool dead = mp__thread_is_dead(number, thorough);
    if (dead) recover(number);
    mp__arena_unlock();
    if (dead) mp__log(MP_LOG_WARNING, "a thread is dead: what it held is free");
    return dead;
}
