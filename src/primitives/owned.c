/* SPDX-License-Identifier: MIT
 *
 * owned.c - the semaphore whose units are somebody's: an array in the heap says of each unit which process has it.
 *
 * The array is looked at and changed by one thread at a time (monitor.h). Only the units of dead processes are given back from
 * outside, by compare-and-swap, by who recovers those (base/recover.c). Who finds no unit waits with a ticket, which he keeps
 * until he has one (base/waiter.h); who gives one back tells the lowest.
 */
#include "primitives/owned.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/park.h"
#include "base/watch.h"
#include "primitives/monitor.h"

struct plan {
    uint64_t units;
    uint32_t count;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    control->as.owned.units = plan->units;
    control->as.owned.count = plan->count;
}

int mp__owned_create(mp_semaphore *semaphore, uint32_t value, const char *name)
{
    struct plan plan = {.count = value};
    uint64_t id;
    int result = mp__arena_join();
    if (result < 0) return result;
    if (mp__heap_alloc(value * sizeof(uint64_t), MP__HEAP_MINE, &plan.units) < 0)
        return mp__fail(MP_ENOMEM, "mp_semaphore_create: no memory for the owners of %u units", value);
    result = mp__control_create(MP__OWNED_SEMAPHORE, name, fill, &plan, &id);
    if (result < 0) {
        mp__heap_free(plan.units);
        return result;
    }
    mp__heap_set_ref(plan.units, id);
    semaphore->id = id;
    return 0;
}

/* ---- inside ---------------------------------------------------------------------------------------------------- */

/* *units: where they are. 0, or an error (detail set). */
static int enter(const char *call, mp_semaphore semaphore, struct mp__control **control, _Atomic uint64_t **units)
{
    int result = mp__thread_join();
    if (result < 0) return result;
    *control = mp__control_of(semaphore.id, MP__OWNED_SEMAPHORE);
    /* Who died in there has left nothing but a unit that it took, and which will come back, or gave back. */
    if (!*control || mp__monitor_enter(*control, semaphore.id) < 0)
        return mp__fail_handle(call, semaphore.id, "semaphore");
    *units = mp__heap_at((*control)->as.owned.units, (*control)->as.owned.count * sizeof **units);
    if (*units) return 0;
    mp__monitor_leave(*control, semaphore.id);
    return mp__fail(MP_ENOMEM, "%s: no address space to look at the semaphore's units", call);
}

/* The first unit of that owner (0: nobody's) becomes another one's. */
static bool hand_over(const struct mp__control *control, _Atomic uint64_t *units, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < control->as.owned.count; i++) {
        uint64_t owner = from;
        if (atomic_load_explicit(&units[i], memory_order_relaxed) == from &&
            atomic_compare_exchange_strong_explicit(&units[i], &owner, to, memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
    return false;
}

/* ---- the calls ------------------------------------------------------------------------------------------------- */

int mp__owned_acquire(mp_semaphore semaphore, int64_t timeout_ms)
{
    struct mp__control *control;
    _Atomic uint64_t *units;
    int64_t deadline = mp__deadline(timeout_ms);
    uint64_t ticket = 0;
    for (;;) {
        int result = enter("mp_semaphore_acquire", semaphore, &control, &units);
        if (result < 0) return result;
        if (hand_over(control, units, 0, mp__family_id())) {
            mp__monitor_leave(control, semaphore.id);
            return 0;
        }
        if (mp__deadline_passed(deadline)) {
            mp__monitor_leave(control, semaphore.id);
            return mp__fail(MP_ETIMEDOUT, "mp_semaphore_acquire: semaphore \"%s\" has no unit left", control->name);
        }
        if (!ticket) ticket = mp__waiter_ticket();
        mp__waiter_begin(semaphore.id, ticket);
        /* W5: one may have come back from the dead, whoever gives those back is not in here. */
        bool taken = hand_over(control, units, 0, mp__family_id());
        mp__monitor_leave(control, semaphore.id);
        if (!taken) (void)mp__waiter_wait(deadline);
        (void)mp__waiter_end(); /* whatever it was told, it looks */
        if (taken) return 0;
    }
}

int mp__owned_release(mp_semaphore semaphore)
{
    struct mp__control *control;
    _Atomic uint64_t *units;
    int result = enter("mp_semaphore_release", semaphore, &control, &units);
    if (result < 0) return result;
    bool had = hand_over(control, units, mp__family_id(), 0);
    if (had) (void)mp__waiters_tell_later(semaphore.id, MP__TICKETS_ALL, 1, MP__TOLD_GO);
    mp__monitor_leave(control, semaphore.id);
    if (had) mp__watch_tell(mp__word_of(&control->state));
    if (had) return 0;
    return mp__fail(MP_ENOTOWNER, "mp_semaphore_release: this process has no unit of semaphore \"%s\"", control->name);
}

/* As it seems, without waiting for anybody. */
int mp__owned_look(const char *call, uint64_t id)
{
    const struct mp__control *control = mp__control_of(id, MP__OWNED_SEMAPHORE);
    if (!control) return mp__fail_handle(call, id, "semaphore");
    uint32_t count = control->as.owned.count;
    const _Atomic uint64_t *units = mp__heap_at(control->as.owned.units, count * sizeof *units);
    bool some = false;
    for (uint32_t i = 0; units && i < count; i++) some |= atomic_load_explicit(&units[i], memory_order_acquire) == 0;
    if (!mp__control_alive(control, id)) return mp__fail_handle(call, id, "semaphore");
    return some;
}

int mp__owned_get_value(mp_semaphore semaphore)
{
    struct mp__control *control;
    _Atomic uint64_t *units;
    int result = enter("mp_semaphore_get_value", semaphore, &control, &units);
    if (result < 0) return result;
    int value = 0;
    for (uint32_t i = 0; i < control->as.owned.count; i++)
        value += atomic_load_explicit(&units[i], memory_order_relaxed) == 0;
    mp__monitor_leave(control, semaphore.id);
    return value;
}

static void take_over(const struct mp__control *control)
{
    mp__heap_set_ref_locked(control->as.owned.units, MP__HEAP_MINE);
}

int mp__owned_destroy(mp_semaphore semaphore)
{
    struct mp__control *control;
    _Atomic uint64_t *units;
    /* Nobody is at work on the units when they go. */
    int result = enter("mp_semaphore_destroy", semaphore, &control, &units);
    if (result < 0) return result;
    uint64_t offset = control->as.owned.units;
    if (mp__control_destroy_with(semaphore.id, MP__OWNED_SEMAPHORE, NULL, take_over) < 0)
        return mp__fail_handle("mp_semaphore_destroy", semaphore.id, "semaphore");
    mp__heap_free(offset);
    return 0;
}
