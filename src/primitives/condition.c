/* SPDX-License-Identifier: MIT
 *
 * condition.c - Condition: who waits stands in the threads' records (base/waiter.h), each with a ticket, and is told in that
 * order. All of it happens under the lock; but a notification whose receiver dies before it has the lock again is passed on by
 * who recovers that. The word says that somebody may be waiting who has not been told: it is set by who waits, and cleared by
 * who finds nobody left; by compare-and-swap on the whole state, since who destroys the condition need not have the lock.
 */
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/lockword.h"
#include "base/thread.h"
#include "base/waiter.h"
#include "primitives/rlock.h"

#include <mp/sync.h>

/* What a call works on. */
struct subject {
    uint64_t id, lock;
    struct mp__control *control;
    bool recursive; /* the lock is an rlock */
};

/* ---- creation -------------------------------------------------------------------------------------------------- */

struct plan {
    uint64_t lock;
    bool own; /* it goes with the condition */
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    control->as.condition.lock = plan->lock;
    control->as.condition.own_lock = plan->own;
}

/* That of the options, or a new one. */
static int choose_lock(const mp_condition_options *options, struct plan *plan)
{
    mp_lock lock = options ? options->lock : (mp_lock){0};
    mp_rlock rlock = options ? options->rlock : (mp_rlock){0};
    if (lock.id && rlock.id) return mp__fail(MP_EINVAL, "mp_condition_create: both a lock and an rlock are given");
    if (lock.id && !mp__control_of(lock.id, MP__LOCK)) return mp__fail_handle("mp_condition_create", lock.id, "lock");
    if (rlock.id && !mp__control_of(rlock.id, MP__RLOCK))
        return mp__fail_handle("mp_condition_create", rlock.id, "rlock");
    plan->own = !lock.id && !rlock.id;
    int result = plan->own ? mp__rlock_create_part(&rlock, options ? options->name : NULL) : 0;
    plan->lock = lock.id ? lock.id : rlock.id;
    return result;
}

int mp_condition_create(mp_condition *condition, const mp_condition_options *options)
{
    if (!condition) return mp__fail(MP_EINVAL, "mp_condition_create: condition is NULL");
    struct plan plan = {.own = false};
    uint64_t id;
    int result = choose_lock(options, &plan);
    if (result < 0) return result;
    mp_rlock own = {plan.own ? plan.lock : 0};
    result = mp__control_create(MP__CONDITION, options ? options->name : NULL, fill, &plan, &id);
    if (result < 0) {
        if (own.id) (void)mp__rlock_destroy_part(own);
        return result;
    }
    if (own.id) mp__rlock_part_is_made(own, true);
    condition->id = id;
    return 0;
}

/* 0, or MP_EBADHANDLE (detail set): of the condition, or of its lock. */
static int find(const char *call, mp_condition condition, struct subject *subject)
{
    struct mp__control *control = mp__control_of(condition.id, MP__CONDITION);
    uint64_t lock = control ? control->as.condition.lock : 0;
    atomic_thread_fence(memory_order_acquire);
    if (!control || !mp__control_alive(control, condition.id)) return mp__fail_handle(call, condition.id, "condition");
    bool recursive = mp__control_of(lock, MP__RLOCK) != NULL;
    if (!recursive && !mp__control_of(lock, MP__LOCK)) return mp__fail_handle(call, lock, "lock");
    *subject = (struct subject){.id = condition.id, .lock = lock, .control = control, .recursive = recursive};
    return 0;
}

/* ---- its lock -------------------------------------------------------------------------------------------------- */

static int lock_acquire(const struct subject *subject, int64_t timeout_ms)
{
    return subject->recursive ? mp_rlock_acquire((mp_rlock){subject->lock}, timeout_ms)
                              : mp_lock_acquire((mp_lock){subject->lock}, timeout_ms);
}

static int lock_release(const struct subject *subject)
{
    return subject->recursive ? mp_rlock_release((mp_rlock){subject->lock}) : mp_lock_release((mp_lock){subject->lock});
}

int mp_condition_acquire(mp_condition condition, int64_t timeout_ms)
{
    struct subject subject = {.id = 0};
    int result = find("mp_condition_acquire", condition, &subject);
    return result < 0 ? result : lock_acquire(&subject, timeout_ms);
}

int mp_condition_release(mp_condition condition)
{
    struct subject subject = {.id = 0};
    int result = find("mp_condition_release", condition, &subject);
    return result < 0 ? result : lock_release(&subject);
}

static bool is_held(const struct subject *subject)
{
    const struct mp__control *control = mp__control_of(subject->lock, subject->recursive ? MP__RLOCK : MP__LOCK);
    return control && mp__lockword_is(&control->state, mp__state_of(subject->lock), mp__self.owner);
}

/* The same, for a call that needs it held. */
static int find_held(const char *call, mp_condition condition, struct subject *subject)
{
    int result = find(call, condition, subject);
    if (result < 0 || is_held(subject)) return result;
    return mp__fail(MP_ENOTOWNER, "%s: this thread does not hold the lock of condition \"%s\"", call,
                    subject->control->name);
}

/* Altogether; how often it was taken beyond the first time. And again as often: that it is taken again is promised, so it is
 * not the one that gives way in a circle of waiters. */
static int64_t let_go(const struct subject *subject)
{
    return subject->recursive ? mp__rlock_let_go((mp_rlock){subject->lock}) : mp_lock_release((mp_lock){subject->lock});
}

static int take_again(const struct subject *subject, int64_t again)
{
    struct mp__control *control = mp__control_of(subject->lock, subject->recursive ? MP__RLOCK : MP__LOCK);
    if (!control) return MP_EBADHANDLE;
    mp__self.took = true;
    int result = mp__lockword_wait(&control->state, mp__state_of(subject->lock), mp__self.owner, MP_OS_NEVER, NULL);
    if (result >= 0 && subject->recursive) mp__rlock_resume((mp_rlock){subject->lock}, again);
    return result;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/* Whether somebody may be waiting: if the condition is not over. Ordered by its lock. */
static void set_waiting(const struct subject *subject, bool waiting)
{
    uint64_t next = mp__state_of(subject->id) | waiting, seen = next ^ 1;
    (void)atomic_compare_exchange_strong_explicit(&subject->control->state, &seen, next, memory_order_relaxed,
                                                  memory_order_relaxed);
}

/* Until it is told, or the deadline: 0; or there is nothing any more to wait for. */
static int await(const struct subject *subject, int64_t deadline)
{
    for (;;) {
        if (mp__control_is_over(subject->id) || mp__control_is_over(subject->lock)) return MP_EBADHANDLE;
        enum mp__told told = mp__waiter_wait(deadline);
        if (told == MP__TOLD_GO || told == MP__TOLD_NOTHING) return 0;
    }
}

/* The lock is held, and is afterwards: 0, MP_OWNERDEAD, MP_ETIMEDOUT. Or it is not: MP_EBADHANDLE. */
static int wait(const struct subject *subject, int64_t deadline)
{
    set_waiting(subject, true);
    mp__waiter_begin(subject->id, mp__waiter_ticket());
    int64_t again = let_go(subject);
    int result = again < 0 ? MP_EBADHANDLE : await(subject, deadline);
    if (result == 0) result = take_again(subject, again);
    bool told = mp__waiter_end() == MP__TOLD_GO;
    if (result < 0 && mp__control_is_over(subject->id))
        return mp__fail_handle("mp_condition_wait", subject->id, "condition");
    if (result < 0) return mp__fail_handle("mp_condition_wait", subject->lock, subject->recursive ? "rlock" : "lock");
    if (told || result == MP_OWNERDEAD) return result;
    return mp__fail(MP_ETIMEDOUT, "mp_condition_wait: condition \"%s\" was not notified", subject->control->name);
}

int mp_condition_wait(mp_condition condition, int64_t timeout_ms)
{
    struct subject subject = {.id = 0};
    int result = find_held("mp_condition_wait", condition, &subject);
    return result < 0 ? result : wait(&subject, mp__deadline(timeout_ms));
}

int mp_condition_wait_for(mp_condition condition, bool (*predicate)(void *context), void *context, int64_t timeout_ms)
{
    struct subject subject = {.id = 0};
    if (!predicate) return mp__fail(MP_EINVAL, "mp_condition_wait_for: predicate is NULL");
    int result = find_held("mp_condition_wait_for", condition, &subject);
    int64_t deadline = mp__deadline(timeout_ms);
    int remark = 0;
    while (result >= 0 && !predicate(context)) {
        if (mp__deadline_passed(deadline))
            return mp__fail(MP_ETIMEDOUT, "mp_condition_wait_for: condition \"%s\": what is waited for is not true",
                            subject.control->name);
        result = wait(&subject, deadline);
        if (result == MP_OWNERDEAD) remark = result;
        if (result == MP_ETIMEDOUT) result = 0; /* and look once more */
    }
    return result < 0 ? result : remark;
}

/* ---- notifying ------------------------------------------------------------------------------------------------- */

static int notify(const char *call, mp_condition condition, uint32_t count)
{
    struct subject subject = {.id = 0};
    int result = find_held(call, condition, &subject);
    if (result < 0) return result;
    uint64_t state = atomic_load_explicit(&subject.control->state, memory_order_relaxed);
    if (state == mp__state_of(subject.id) || !count) return 0;
    /* Fewer than were wanted: nobody is left, and who comes to wait needs the lock. */
    if (mp__waiters_tell_later(subject.id, MP__TICKETS_ALL, count, MP__TOLD_GO) < count) set_waiting(&subject, false);
    return 0;
}

int mp_condition_notify(mp_condition condition, uint32_t count)
{
    if (count > INT32_MAX)
        return mp__fail(MP_EINVAL, "mp_condition_notify: count is %u, a negative number perhaps", count);
    return notify("mp_condition_notify", condition, count);
}

int mp_condition_notify_all(mp_condition condition)
{
    return notify("mp_condition_notify_all", condition, MP__WAITERS_ALL);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

/* What belongs to one that is about to be destroyed is this process's to destroy. */
static void take_over(const struct mp__control *control)
{
    if (control->as.condition.own_lock) mp__rlock_part_is_made((mp_rlock){control->as.condition.lock}, false);
}

int mp_condition_destroy(mp_condition condition)
{
    struct mp__control *control = mp__control_of(condition.id, MP__CONDITION);
    /* If this is what destroys it, these are its own. */
    mp_rlock own = {control && control->as.condition.own_lock ? control->as.condition.lock : 0};
    /* Who has no record has nowhere to write down whom it is about to wake. */
    if (control) (void)mp__thread_join();
    if (mp__control_destroy_with(condition.id, MP__CONDITION, NULL, take_over) < 0)
        return mp__fail_handle("mp_condition_destroy", condition.id, "condition");
    if (own.id) (void)mp__rlock_destroy_part(own);
    return 0;
}
