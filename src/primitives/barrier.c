/* SPDX-License-Identifier: MIT
 *
 * barrier.c - Barrier: rounds, each of which ends when all parties have arrived, or is broken.
 *
 * All of it is looked at and changed by one thread at a time (monitor.h). Who has arrived waits with the round as its ticket
 * and is told how that ended (base/waiter.h); its number was the round's count of arrivals. So who leaves late is told of its
 * own round, whatever has become of the next one.
 *
 * A round is broken by whoever comes inside and finds that it cannot be complete: the last one died in there; somebody who
 * waited in this round, or ran its action, has died (`lost`), or a member has ended (`ended`), both of which who recovers the
 * dead has said, and has told those who wait to look.
 */
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/waiter.h"
#include "primitives/funcref.h"
#include "primitives/monitor.h"

#include <mp/sync.h>
#include <stdlib.h>
#include <string.h>

enum status {
    OPEN,   /* parties arrive */
    ACTING, /* all have; who comes now waits outside, and is of no round yet */
    BROKEN,
    ABANDONED /* broken by a death */
};

/* What does not fit into the control block: members, if there are any, then this, if there is an action, its context and its
 * module. */
struct action {
    uint64_t context; /* an address, if size is 0 */
    uint64_t size, module_size;
};

struct plan {
    uint32_t parties, members;
    uint64_t extras;
};

static uint64_t align(uint64_t size)
{
    return (size + 15) / 16 * 16;
}

/* ---- creation -------------------------------------------------------------------------------------------------- */

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    control->as.barrier.parties = plan->parties;
    control->as.barrier.members = plan->members;
    control->as.barrier.extras = plan->extras;
    atomic_store_explicit(&control->as.barrier.round, 1, memory_order_relaxed);
}

static int check(const mp_barrier *barrier, uint32_t parties, const mp_barrier_options *options)
{
    if (!barrier) return mp__fail(MP_EINVAL, "mp_barrier_create: barrier is NULL");
    if (!parties || parties > MP_BARRIER_MAX)
        return mp__fail(MP_EINVAL, "mp_barrier_create: %u parties: at least 1, and at most %d", parties,
                        MP_BARRIER_MAX);
    if (options->member_count > parties || (options->member_count && !options->members))
        return mp__fail(MP_EINVAL, "mp_barrier_create: %llu members, %s", (unsigned long long)options->member_count,
                        options->members ? "more than parties" : "and members is NULL");
    if (options->context_size && !options->context)
        return mp__fail(MP_EINVAL, "mp_barrier_create: a context of some size, and context is NULL");
    for (size_t i = 0; i < options->member_count; i++)
        if (!mp__process_of(options->members[i].id))
            return mp__fail_handle("mp_barrier_create", options->members[i].id, "process");
    return 0;
}

/* Members and action, in memory of this process's; *offset 0: there is nothing. */
static int extras_create(const mp_barrier_options *options, uint64_t *offset)
{
    mp_os_module module;
    uint64_t members = align(options->member_count * sizeof(uint64_t)), total = members;
    struct action action = {.context = (uint64_t)(uintptr_t)options->context, .size = options->context_size};
    *offset = 0;
    if (options->action) {
        void *function;
        memcpy(&function, &options->action, sizeof function);
        int result = mp__funcref_make("mp_barrier_create", "the action", function, &module);
        if (result < 0) return result;
        action.module_size = offsetof(mp_os_module, path) + strlen(module.path) + 1;
        if (action.size > mp__heap_limit())
            return mp__fail(MP_ENOMEM, "mp_barrier_create: no memory for a context of %llu bytes",
                            (unsigned long long)action.size);
        total += align(sizeof action) + align(action.module_size) + align(action.size);
    }
    if (!total) return 0;
    char *extras = mp__heap_alloc(total, MP__HEAP_MINE, offset) < 0 ? NULL : mp__heap_at(*offset, total);
    if (!extras && *offset) mp__heap_free(*offset);
    if (!extras)
        return mp__fail(MP_ENOMEM, "mp_barrier_create: no memory for %llu members and the action",
                        (unsigned long long)options->member_count);
    for (size_t i = 0; i < options->member_count; i++) ((uint64_t *)(void *)extras)[i] = options->members[i].id;
    if (!options->action) return 0;
    memcpy(extras + members, &action, sizeof action);
    memcpy(extras + members + align(sizeof action), &module, (size_t)action.module_size);
    if (action.size)
        memcpy(extras + members + align(sizeof action) + align(action.module_size), options->context,
               (size_t)action.size);
    return 0;
}

/* Those that ended before the barrier was there: either who told of the end sees the barrier, or this sees the end (B1). */
static void look_at_members(uint64_t id, const mp_barrier_options *options)
{
    struct mp__control *control = mp__control_of(id, MP__BARRIER);
    for (size_t i = 0; control && i < options->member_count; i++)
        if (mp__process_has_ended(options->members[i].id))
            atomic_store_explicit(&control->as.barrier.ended, 1, memory_order_relaxed);
}

int mp_barrier_create(mp_barrier *barrier, uint32_t parties, const mp_barrier_options *options)
{
    static const mp_barrier_options none;
    if (!options) options = &none;
    int result = mp__arena_join();
    if (result == 0) result = check(barrier, parties, options);
    struct plan plan = {.parties = parties, .members = (uint32_t)options->member_count};
    if (result == 0) result = extras_create(options, &plan.extras);
    if (result < 0) return result;
    uint64_t id;
    result = mp__control_create(MP__BARRIER, options->name, fill, &plan, &id);
    if (result < 0) {
        if (plan.extras) mp__heap_free(plan.extras);
        return result;
    }
    if (plan.extras) mp__heap_set_ref(plan.extras, id);
    look_at_members(id, options);
    barrier->id = id;
    return 0;
}

/* ---- inside ---------------------------------------------------------------------------------------------------- */

static enum status status_of(const struct mp__control *control)
{
    return (enum status)atomic_load_explicit(&control->as.barrier.status, memory_order_relaxed);
}

static void set_status(struct mp__control *control, enum status status)
{
    atomic_store_explicit(&control->as.barrier.status, status, memory_order_relaxed);
}

static uint64_t round_of(const struct mp__control *control)
{
    return atomic_load_explicit(&control->as.barrier.round, memory_order_relaxed);
}

/* This round is over; those who arrived in it are told how. */
static void end_round(struct mp__control *control, uint64_t id, enum status status, enum mp__told told)
{
    uint64_t round = round_of(control);
    bool somebody = atomic_load_explicit(&control->as.barrier.arrived, memory_order_relaxed) > 1 || told != MP__TOLD_GO;
    bool acted = status_of(control) == ACTING;
    atomic_store_explicit(&control->as.barrier.actor, 0, memory_order_relaxed);
    atomic_store_explicit(&control->as.barrier.arrived, 0, memory_order_relaxed);
    set_status(control, status);
    atomic_store_explicit(&control->as.barrier.round, round + 1, memory_order_release); /* after the actor: recover.c */
    if (somebody) (void)mp__waiters_tell_later(id, round, MP__WAITERS_ALL, told);
    if (acted) (void)mp__waiters_tell_later(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
}

static void break_round(struct mp__control *control, uint64_t id, enum status status)
{
    end_round(control, id, status, status == ABANDONED ? MP__TOLD_DEAD : MP__TOLD_BROKEN);
}

/* Somebody has died in this round, or a member has ended. */
static bool is_lost(const struct mp__control *control)
{
    return atomic_load_explicit(&control->as.barrier.lost, memory_order_acquire) >= round_of(control) ||
           atomic_load_explicit(&control->as.barrier.ended, memory_order_acquire);
}

/* 0: inside, and whether the barrier is broken is decided; MP_EBADHANDLE (no detail set). */
static int enter(struct mp__control *control, uint64_t id)
{
    int result = mp__monitor_enter(control, id);
    if (result < 0) return result;
    /* Who died in here may have broken it, and not told everybody. */
    if (result == MP_OWNERDEAD || (status_of(control) <= ACTING && is_lost(control)))
        break_round(control, id, ABANDONED);
    return 0;
}

static int enter_for(const char *call, mp_barrier barrier, struct mp__control **control)
{
    *control = mp__control_of(barrier.id, MP__BARRIER);
    if (!*control) return mp__fail_handle(call, barrier.id, "barrier");
    int result = mp__thread_join();
    if (result < 0) return result;
    return enter(*control, barrier.id) < 0 ? mp__fail_handle(call, barrier.id, "barrier") : 0;
}

static int fail_broken(const struct mp__control *control, bool by_death)
{
    if (by_death)
        return mp__fail(MP_EPEERDEAD, "mp_barrier_wait: barrier \"%s\" is broken: a party has died, or a member ended",
                        control->name);
    return mp__fail(MP_EBROKEN, "mp_barrier_wait: barrier \"%s\" is broken", control->name);
}

/* ---- the action ------------------------------------------------------------------------------------------------ */

/* What is to be run, as this process can run it: copied, since the barrier may be destroyed meanwhile. */
struct act {
    union {
        int (*run)(void *context);
        void *address;
    };
    void *context;
    bool owned; /* context is to be freed */
};

static const struct action *action_of(const struct mp__control *control)
{
    uint64_t members = align(control->as.barrier.members * sizeof(uint64_t)), extras = control->as.barrier.extras;
    const struct action *action = extras ? mp__heap_at(extras + members, sizeof *action) : NULL;
    return action && action->module_size ? action : NULL;
}

static int act_prepare(const struct action *action, struct act *act)
{
    const char *module = (const char *)action + align(sizeof *action);
    mp_os_module target = {.offset = 0};
    memcpy(&target, module, (size_t)action->module_size);
    int result = mp__funcref_resolve(&target, &act->address);
    act->owned = action->size != 0;
    act->context = (void *)(uintptr_t)action->context;
    if (result < 0 || !act->owned) return result;
    act->context = malloc((size_t)action->size);
    if (!act->context) return mp__fail(MP_ENOMEM, "mp_barrier_wait: no memory for the action's context");
    memcpy(act->context, module + align(action->module_size), (size_t)action->size);
    return 0;
}

/* All have arrived; this thread, the last one, is inside, and leaves. */
static int act(struct mp__control *control, uint64_t id, const struct action *action, int index)
{
    struct act act;
    uint64_t round = round_of(control);
    atomic_store_explicit(&control->as.barrier.actor, mp__self.owner, memory_order_relaxed);
    set_status(control, ACTING);
    int result = act_prepare(action, &act);
    mp__monitor_leave(control, id);
    int returned = result == 0 ? act.run(act.context) : 0;
    if (result == 0 && act.owned) free(act.context);
    if (enter(control, id) < 0) return mp__fail_handle("mp_barrier_wait", id, "barrier");
    if (round_of(control) != round) { /* aborted, or reset */
        bool dead = status_of(control) == ABANDONED;
        mp__monitor_leave(control, id);
        return fail_broken(control, dead);
    }
    bool done = result == 0 && returned == 0;
    end_round(control, id, done ? OPEN : BROKEN, done ? MP__TOLD_GO : MP__TOLD_BROKEN);
    mp__monitor_leave(control, id);
    if (result < 0) return result;
    if (returned)
        return mp__fail(MP_EBROKEN, "mp_barrier_wait: barrier \"%s\" is broken: its action returned %d", control->name,
                        returned);
    return index;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static int result_of(const struct mp__control *control, enum mp__told told, int index)
{
    return told == MP__TOLD_GO ? index : fail_broken(control, told == MP__TOLD_DEAD);
}

/* This thread has said that it waits, and is outside: until it is told how its round ended. */
static int await(struct mp__control *control, uint64_t id, int index, int64_t deadline)
{
    for (;;) {
        enum mp__told told = mp__waiter_wait(deadline);
        if (told > MP__TOLD_LOOK) {
            (void)mp__waiter_end();
            return result_of(control, told, index);
        }
        bool over = enter(control, id) < 0; /* which may have told this thread something */
        if (over || told == MP__TOLD_NOTHING) {
            told = mp__waiter_end();
            if (!over && told <= MP__TOLD_LOOK) break_round(control, id, BROKEN);
            if (!over) mp__monitor_leave(control, id);
            if (told > MP__TOLD_LOOK) return result_of(control, told, index);
            if (over) return mp__fail_handle("mp_barrier_wait", id, "barrier");
            return mp__fail(MP_ETIMEDOUT, "mp_barrier_wait: not all have come to barrier \"%s\"", control->name);
        }
        mp__monitor_leave(control, id);
    }
}

/* The round before runs its action: until that is over. This thread is inside, and leaves. */
static int await_action(struct mp__control *control, uint64_t id, int64_t deadline)
{
    bool own = atomic_load_explicit(&control->as.barrier.actor, memory_order_relaxed) == mp__self.owner;
    if (!own) mp__waiter_begin(id, MP__TICKETS_ALL);
    mp__monitor_leave(control, id);
    if (own) return mp__fail(MP_EDEADLK, "mp_barrier_wait: called by the action of barrier \"%s\"", control->name);
    enum mp__told told = mp__waiter_wait(deadline);
    (void)mp__waiter_end();
    if (told == MP__TOLD_NOTHING)
        return mp__fail(MP_ETIMEDOUT, "mp_barrier_wait: the action of barrier \"%s\" still runs", control->name);
    return 0;
}

/* This thread is inside, and leaves. */
static int arrive(struct mp__control *control, uint64_t id, int64_t deadline)
{
    uint32_t index = atomic_load_explicit(&control->as.barrier.arrived, memory_order_relaxed);
    atomic_store_explicit(&control->as.barrier.arrived, index + 1, memory_order_relaxed);
    if (index + 1 < control->as.barrier.parties) {
        mp__waiter_begin(id, round_of(control));
        if (is_lost(control)) break_round(control, id, ABANDONED); /* W5: which tells this thread, too */
        mp__monitor_leave(control, id);
        return await(control, id, (int)index, deadline);
    }
    const struct action *action = action_of(control);
    if (action) return act(control, id, action, (int)index);
    end_round(control, id, OPEN, MP__TOLD_GO);
    mp__monitor_leave(control, id);
    return (int)index;
}

int mp_barrier_wait(mp_barrier barrier, int64_t timeout_ms)
{
    struct mp__control *control;
    int64_t deadline = mp__deadline(timeout_ms);
    for (;;) {
        int result = enter_for("mp_barrier_wait", barrier, &control);
        if (result < 0) return result;
        enum status status = status_of(control);
        if (status == OPEN) return arrive(control, barrier.id, deadline);
        if (status == ACTING) {
            result = await_action(control, barrier.id, deadline);
            if (result < 0) return result;
            continue;
        }
        mp__monitor_leave(control, barrier.id);
        return fail_broken(control, status == ABANDONED);
    }
}

/* ---- the other calls ------------------------------------------------------------------------------------------- */

int mp_barrier_abort(mp_barrier barrier)
{
    struct mp__control *control;
    int result = enter_for("mp_barrier_abort", barrier, &control);
    if (result < 0) return result;
    if (status_of(control) <= ACTING) break_round(control, barrier.id, BROKEN);
    mp__monitor_leave(control, barrier.id);
    return 0;
}

int mp_barrier_reset(mp_barrier barrier)
{
    struct mp__control *control;
    int result = enter_for("mp_barrier_reset", barrier, &control);
    if (result < 0) return result;
    enum status status = status_of(control);
    if (status == ACTING || atomic_load_explicit(&control->as.barrier.arrived, memory_order_relaxed))
        break_round(control, barrier.id, BROKEN);
    atomic_store_explicit(&control->as.barrier.ended, 0, memory_order_relaxed); /* the next that ends breaks it again */
    set_status(control, OPEN);
    mp__monitor_leave(control, barrier.id);
    return 0;
}

int mp_barrier_parties(mp_barrier barrier)
{
    const struct mp__control *control = mp__control_of(barrier.id, MP__BARRIER);
    int parties = control ? (int)control->as.barrier.parties : 0;
    atomic_thread_fence(memory_order_acquire);
    if (control && mp__control_alive(control, barrier.id)) return parties;
    return mp__fail_handle("mp_barrier_parties", barrier.id, "barrier");
}

int mp_barrier_n_waiting(mp_barrier barrier)
{
    const struct mp__control *control = mp__control_of(barrier.id, MP__BARRIER);
    int waiting = 0;
    if (control && !is_lost(control))
        waiting = (int)atomic_load_explicit(&control->as.barrier.arrived, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (control && mp__control_alive(control, barrier.id)) return waiting;
    return mp__fail_handle("mp_barrier_n_waiting", barrier.id, "barrier");
}

int mp_barrier_broken(mp_barrier barrier)
{
    const struct mp__control *control = mp__control_of(barrier.id, MP__BARRIER);
    int broken = control && (status_of(control) > ACTING || is_lost(control));
    atomic_thread_fence(memory_order_acquire);
    if (control && mp__control_alive(control, barrier.id)) return broken;
    return mp__fail_handle("mp_barrier_broken", barrier.id, "barrier");
}

static void take_over(const struct mp__control *control)
{
    if (control->as.barrier.extras) mp__heap_set_ref_locked(control->as.barrier.extras, MP__HEAP_MINE);
}

int mp_barrier_destroy(mp_barrier barrier)
{
    struct mp__control *control;
    /* Nobody looks at what goes with it. */
    int result = enter_for("mp_barrier_destroy", barrier, &control);
    if (result < 0) return result;
    uint64_t extras = control->as.barrier.extras;
    if (mp__control_destroy_with(barrier.id, MP__BARRIER, NULL, take_over) < 0)
        return mp__fail_handle("mp_barrier_destroy", barrier.id, "barrier");
    if (extras) mp__heap_free(extras);
    return 0;
}
