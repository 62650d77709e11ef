/* SPDX-License-Identifier: MIT
 *
 * recover.c - what a dead thread held is taken from it.
 */
#include "base/recover.h"
#include "base/channel.h"
#include "base/control.h"
#include "base/countword.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/lockword.h"
#include "base/message.h"
#include "base/park.h"
#include "base/repair.h"
#include "base/thread.h"
#include "base/watch.h"

#define TRIES 100
#define NAP   INT64_C(100000) /* ns */

static void (*look_at_children)(void);

void mp__recover_by_looking(void (*look)(void))
{
    if (!mp_os_end_is_visible()) look_at_children = look;
}

void mp__recover_look(void)
{
    if (look_at_children) look_at_children();
}

static uint64_t id_of(const struct mp__control *control, uint32_t index)
{
    return atomic_load_explicit(&control->state, memory_order_acquire) >> 32 << 32 | mp__handle_tag() | index;
}

static void give_up_lock(struct mp__control *control, uint32_t number)
{
    if (mp__lockword_owner_died(&control->state, number)) mp__park_wake(&control->state, UINT32_MAX);
}

/* It was at work on what the lock word protects; or may have been, and who recovered it first died before this. */
static void give_up_work(struct mp__control *control, uint32_t number, uint64_t id)
{
    give_up_lock(control, number);
    if (atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_DIED)
        (void)mp__waiters_tell(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
}

/* Who set it may have died before it woke anybody (flag.c: E1). */
static void wake_for_flag(struct mp__control *control)
{
    if (atomic_load_explicit(&control->state, memory_order_relaxed) & MP__WAITERS)
        mp__park_wake(&control->state, UINT32_MAX);
}

/* It ran the action of a round. That is read first: an actor that is read later is that round's, or a later one's. */
static void give_up_round(struct mp__control *control, uint32_t number, uint64_t id)
{
    uint64_t round = atomic_load_explicit(&control->as.barrier.round, memory_order_acquire);
    if (atomic_load_explicit(&control->as.barrier.actor, memory_order_relaxed) == number)
        mp__waiters_lost(control, id, round);
}

/* What it held of one object. */
static void recover_object(struct mp__control *control, uint32_t index, uint32_t number)
{
    uint64_t id = id_of(control, index);
    switch (atomic_load_explicit(&control->type, memory_order_relaxed)) {
    case MP__LOCK:
    case MP__RLOCK:
    case MP__POOL:
        give_up_lock(control, number);
        break;
    case MP__BARRIER:
        give_up_round(control, number, id);
        give_up_work(control, number, id);
        break;
    case MP__OWNED_SEMAPHORE: /* it may also have been about to take a unit that it was told of */
        give_up_lock(control, number);
        (void)mp__waiters_tell(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
        break;
    case MP__SEMAPHORE:
        mp__count_after_death(&control->state);
        break;
    case MP__EVENT:
    case MP__RESULT:
        wake_for_flag(control);
        break;
    case MP__PUT_SIDE:
    case MP__GET_SIDE:
        give_up_lock(control, number);
        mp__side_after_death((struct mp__side *)(void *)control);
        break;
    default:
        break;
    }
}

/* Those whom it would have woken. */
static void wake_for(struct mp__thread *thread)
{
    for (int i = 0; i < MP__INTENTS; i++) {
        uint64_t offset = atomic_load_explicit(&thread->intents[i], memory_order_acquire); /* I1 */
        _Atomic uint32_t *word = offset ? mp__arena_word(offset & ~MP__INTENT_FLAGS) : NULL;
        if (word) mp__park_wake_word(word, UINT32_MAX);
    }
}

/* The arena's lock is held. */
static void recover(uint32_t number, struct mp__thread *thread)
{
    bool all = true;
    for (uint32_t index = 1; index < mp__header()->controls_top; index++) {
        struct mp__control *control = mp__control_indexed(index);
        if (control) recover_object(control, index, number);
        all &= control != NULL;
    }
    mp__waiters_after_death(thread);
    wake_for(thread);
    mp__watch_tell_all(); /* X3 */
    /* What this process has no memory to look at may have the number in it yet. */
    if (all) mp__thread_give_back(thread, number);
}

void mp__recover(uint32_t number, uint64_t stamp)
{
    mp__arena_lock();
    struct mp__thread *thread = mp__thread_at(number);
    if (thread && atomic_load_explicit(&thread->stamp, memory_order_relaxed) == stamp) recover(number, thread);
    mp__arena_unlock();
}

bool mp__recover_if_dead(uint32_t number, bool thorough)
{
    if (!mp__thread_is_dead(number, thorough)) return false;
    mp__arena_lock();
    /* Again: another one may have done it, and the number be a living thread's. */
    bool dead = mp__thread_is_dead(number, thorough);
    if (dead) recover(number, mp__thread_at(number));
    mp__arena_unlock();
    if (dead) mp__log(MP_LOG_WARNING, "a thread is dead: what it held is free");
    return dead;
}

static struct mp__control *control_alive(uint32_t index, uint64_t *id)
{
    struct mp__control *control = mp__control_indexed(index);
    if (!control) return NULL;
    *id = id_of(control, index);
    return mp__generation_of(*id) & 1 ? control : NULL;
}

/* ---- processes: what they had, and what they were about to create or destroy. The arena's lock is held -------------- */

/* An object is created, but the process has not come to give it what belongs to it: memory, a part. */
static void finish_memory(uint64_t offset, uint64_t id, uint64_t process)
{
    if (offset && mp__heap_ref_locked(offset) == process) mp__heap_set_ref_locked(offset, id);
}

static void finish_part(uint64_t lock)
{
    struct mp__control *part = mp__control_of(lock, MP__RLOCK);
    if (part) part->as.lock.maker = 0;
}

static void finish_data(const struct mp__control *control, uint64_t id, uint64_t process)
{
    if (control->as.data.own_lock) finish_part(control->as.data.lock);
    finish_memory(control->as.data.offset, id, process);
}

/* Its units come back. */
static void give_back_units(const struct mp__control *control, uint64_t id, uint64_t process)
{
    uint32_t count = control->as.owned.count;
    _Atomic uint64_t *units = mp__heap_at(control->as.owned.units, count * sizeof *units);
    bool some = false;
    for (uint32_t i = 0; units && i < count; i++) {
        uint64_t owner = process;
        some |=
            atomic_compare_exchange_strong_explicit(&units[i], &owner, 0, memory_order_acq_rel, memory_order_relaxed) ||
            owner == 0; /* perhaps by who did this before, and died */
    }
    if (some) (void)mp__waiters_tell(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
}

/* A member that is known will not come any more. */
static void leave_barrier(struct mp__control *control, uint64_t id, uint64_t process)
{
    uint32_t count = control->as.barrier.members;
    uint64_t *members = count ? mp__heap_at(control->as.barrier.extras, count * sizeof *members) : NULL;
    for (uint32_t i = 0; members && i < count; i++) {
        if (members[i] != process) continue;
        atomic_store_explicit(&control->as.barrier.ended, 1, memory_order_release);
        (void)mp__waiters_tell(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
        MP__THEN;
        members[i] = 0; /* and is none any more, should the barrier be reset */
    }
}

void mp__recover_places(uint64_t process)
{
    const struct mp__header *header = mp__header();
    uint64_t id;
    mp__arena_lock();
    uint32_t left = header->counts[MP__BARRIER];
    for (uint32_t index = 1; left && index < header->controls_top; index++) {
        struct mp__control *control = control_alive(index, &id);
        if (!control || atomic_load_explicit(&control->type, memory_order_relaxed) != MP__BARRIER) continue;
        leave_barrier(control, id, process);
        left--;
    }
    mp__arena_unlock();
}

void mp__recover_belongings(uint64_t process)
{
    const struct mp__header *header = mp__header();
    uint64_t id;
    mp__arena_lock();
    uint32_t left = header->counts[MP__OWNED_SEMAPHORE] + header->counts[MP__BARRIER] + header->counts[MP__SEMAPHORE] +
                    header->counts[MP__EVENT] + header->counts[MP__RESULT];
    for (uint32_t index = 1; left && index < header->controls_top; index++) {
        struct mp__control *control = control_alive(index, &id);
        uint32_t type = control ? atomic_load_explicit(&control->type, memory_order_relaxed) : MP__FREE;
        if (type == MP__OWNED_SEMAPHORE)
            give_back_units(control, id, process);
        else if (type == MP__BARRIER)
            leave_barrier(control, id, process);
        else if (type == MP__SEMAPHORE)
            mp__count_after_death(&control->state);
        else if (type == MP__EVENT || type == MP__RESULT)
            wake_for_flag(control);
        else
            continue;
        left--;
    }
    mp__arena_unlock();
}

/* The arena's lock is held. */
static bool has_channels(void)
{
    const uint32_t *counts = mp__header()->counts;
    return counts[MP__MESSAGE] || counts[MP__PUT_SIDE] || counts[MP__GET_SIDE];
}

bool mp__has_channels(void)
{
    mp__arena_lock();
    bool has = has_channels();
    mp__arena_unlock();
    return has;
}

static void finish_queue(const struct mp__control *control, uint64_t id, uint64_t process)
{
    mp__side_finish(atomic_load_explicit(&control->as.queue.put, memory_order_relaxed), MP__PUT_SIDE, id, process);
    mp__side_finish(atomic_load_explicit(&control->as.queue.get, memory_order_relaxed), MP__GET_SIDE, id, process);
}

/* Of a pipe both ends exist, or it was never made. */
static void finish_connection(const struct mp__control *control, uint64_t id, uint64_t process)
{
    uint64_t put = atomic_load_explicit(&control->as.connection.put, memory_order_relaxed);
    uint64_t get = atomic_load_explicit(&control->as.connection.get, memory_order_relaxed);
    uint64_t peer_id = atomic_load_explicit(&control->as.connection.peer, memory_order_relaxed);
    const struct mp__control *peer = mp__control_of(peer_id, MP__CONNECTION);
    bool unfinished =
        mp__side_is_unfinished(put, MP__PUT_SIDE, process) || mp__side_is_unfinished(get, MP__GET_SIDE, process);
    if (unfinished && (!peer || atomic_load_explicit(&peer->as.connection.peer, memory_order_relaxed) != id)) {
        mp__control_retire(id, MP__CONNECTION);
        return;
    }
    mp__side_finish(put, MP__PUT_SIDE, id, process);
    mp__side_finish(get, MP__GET_SIDE, id, process);
    mp__side_finish(atomic_load_explicit(&control->as.connection.put_other, memory_order_relaxed), MP__GET_SIDE,
                    peer_id, process);
    mp__side_finish(atomic_load_explicit(&control->as.connection.get_other, memory_order_relaxed), MP__PUT_SIDE,
                    peer_id, process);
}

/* Channels, and the messages that are in none. False: somebody is in one that is to go. */
static bool finish_channels(uint64_t process)
{
    uint32_t top = mp__header()->controls_top;
    uint64_t id;
    bool all = true;
    for (int pass = 0; pass < 3; pass++) {
        for (uint32_t index = 1; index < top; index++) {
            struct mp__control *control = control_alive(index, &id);
            uint32_t type = control ? atomic_load_explicit(&control->type, memory_order_relaxed) : MP__FREE;
            struct mp__side *side = type == MP__PUT_SIDE || type == MP__GET_SIDE ? (void *)control : NULL;
            if (pass == 0 && side) mp__side_settle(side, process);
            if (pass == 1 && side) all &= mp__side_sweep(side, id, process);
            if (pass == 2 && type == MP__MESSAGE) mp__message_sweep(control, id, process);
        }
    }
    return all;
}

static bool finish_objects(uint64_t process)
{
    uint32_t top = mp__header()->controls_top;
    uint64_t id;
    bool all = true;
    for (uint32_t index = 1; index < top; index++) {
        struct mp__control *control = control_alive(index, &id);
        uint32_t type = control ? atomic_load_explicit(&control->type, memory_order_relaxed) : MP__FREE;
        if (type == MP__VALUE || type == MP__ARRAY || type == MP__BLOCK) finish_data(control, id, process);
        if (type == MP__CONDITION && control->as.condition.own_lock) finish_part(control->as.condition.lock);
        if (type == MP__OWNED_SEMAPHORE) finish_memory(control->as.owned.units, id, process);
        if (type == MP__BARRIER) finish_memory(control->as.barrier.extras, id, process);
        if (type == MP__QUEUE) finish_queue(control, id, process);
        if (type == MP__CONNECTION) finish_connection(control, id, process);
    }
    if (has_channels()) all = finish_channels(process);
    /* The parts that are left belong to nothing. */
    for (uint32_t index = 1; index < top; index++) {
        const struct mp__control *control = control_alive(index, &id);
        if (control && atomic_load_explicit(&control->type, memory_order_relaxed) == MP__RLOCK &&
            control->as.lock.part && control->as.lock.maker == process)
            mp__control_retire(id, MP__RLOCK);
    }
    return all;
}

void mp__recover_messages(uint64_t process)
{
    uint64_t id;
    mp__arena_lock();
    uint32_t top = mp__header()->counts[MP__MESSAGE] ? mp__header()->controls_top : 0;
    mp__arena_unlock();
    for (uint32_t index = 1; index < top; index++) {
        struct mp__control *control = control_alive(index, &id);
        if (control && atomic_load_explicit(&control->type, memory_order_relaxed) == MP__MESSAGE &&
            mp__message_owner(id) == process)
            (void)mp__message_free(id);
    }
}

void mp__recover_strays(void)
{
    mp__arena_lock();
    mp__process_sweep(0);
    mp__arena_unlock();
}

/* The next pool that process was creating or destroying; 0: there is none. Results that it was creating go. The arena's lock is
 * held. */
static uint64_t unfinished_pool(uint64_t process)
{
    const uint32_t *counts = mp__header()->counts;
    uint32_t top = counts[MP__POOL] || counts[MP__RESULT] ? mp__header()->controls_top : 0;
    uint64_t id, pool = 0;
    for (uint32_t index = 1; index < top; index++) {
        const struct mp__control *control = control_alive(index, &id);
        uint32_t type = control ? atomic_load_explicit(&control->type, memory_order_relaxed) : MP__FREE;
        if (type == MP__RESULT && atomic_load_explicit(&control->as.result.maker, memory_order_relaxed) == process)
            mp__control_retire(id, MP__RESULT);
        if (type == MP__POOL && atomic_load_explicit(&control->as.pool.maker, memory_order_relaxed) == process)
            pool = id;
    }
    return pool;
}

void mp__recover_pool(uint64_t pool)
{
    struct mp__control *own = mp__control_of(pool, MP__POOL);
    uint64_t id;
    if (!own) return;
    atomic_store_explicit(&own->as.pool.offset, 0, memory_order_relaxed); /* nobody looks there any more */
    mp__arena_lock();
    for (uint32_t index = 1; index < mp__header()->controls_top; index++) {
        const struct mp__control *control = control_alive(index, &id);
        if (control && atomic_load_explicit(&control->type, memory_order_relaxed) == MP__RESULT &&
            atomic_load_explicit(&control->as.result.pool, memory_order_relaxed) == pool)
            mp__control_retire(id, MP__RESULT);
    }
    mp__arena_unlock();
    mp__heap_sweep(pool);
    (void)mp__control_destroy(pool, MP__POOL, NULL);
}

void mp__recover_process(uint64_t id)
{
    /* Who is in a channel that is to go leaves it before long; unless it is stopped. */
    for (int tries = TRIES;; tries--) {
        mp__arena_lock();
        bool all = finish_objects(id);
        if (all || !tries) mp__process_sweep(id);
        mp__arena_unlock();
        if (all || !tries) break;
        mp_os_sleep(NAP);
    }
    for (uint64_t pool;;) {
        mp__arena_lock();
        pool = unfinished_pool(id);
        mp__arena_unlock();
        if (!pool) break;
        mp__recover_pool(pool);
    }
    mp__heap_sweep(id);
}
