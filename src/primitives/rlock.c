/* SPDX-License-Identifier: MIT
 *
 * rlock.c - RLock: a lock word, and how often its owner has taken it again.
 *
 * The word's owner is a thread's number, which no other thread has before the word is free (recover.h). `again` is changed by
 * the owner only; it is 0 whenever the word is free, unless the owner has died. The generation is in it, and it changes by
 * compare-and-swap: somebody else may destroy the rlock meanwhile.
 */
#include "primitives/rlock.h"
#include "base/control.h"
#include "base/deadline.h"
#include "base/deadlock.h"
#include "base/error.h"
#include "base/family.h"
#include "base/lockword.h"
#include "base/thread.h"
#include "base/waiter.h"

struct plan {
    bool part;
    uint32_t detects;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    control->as.lock.part = plan->part;
    control->as.lock.maker = plan->part ? mp__family_id() : 0;
    control->as.lock.detects = plan->detects;
    /* It is not alive yet: its generation will be one more. */
    atomic_store_explicit(&control->as.lock.again,
                          mp__state_of(atomic_load_explicit(&control->state, memory_order_relaxed)) +
                              (UINT64_C(1) << 32),
                          memory_order_relaxed);
}

static int create(mp_rlock *rlock, const char *name, struct plan plan)
{
    uint64_t id;
    int result = mp__control_create(MP__RLOCK, name, fill, &plan, &id);
    if (result == 0) rlock->id = id;
    return result;
}

int mp_rlock_create(mp_rlock *rlock, const mp_lock_options *options)
{
    if (!rlock) return mp__fail(MP_EINVAL, "mp_rlock_create: rlock is NULL");
    const struct plan plan = {.detects = mp__detects(options && options->detect_deadlock)};
    return create(rlock, options ? options->name : NULL, plan);
}

int mp__rlock_create_part(mp_rlock *rlock, const char *name)
{
    return create(rlock, name, (struct plan){.part = true, .detects = mp__detects(false)});
}

void mp__rlock_part_is_made(mp_rlock rlock, bool made)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (control) control->as.lock.maker = made ? 0 : mp__family_id();
}

/* Whether the calling thread has it. */
static bool mine(const struct mp__control *control, uint64_t id)
{
    return mp__lockword_is(&control->state, mp__state_of(id), mp__self.owner);
}

/* How often its owner has taken it again; and that it is another number. */
static uint32_t again_of(const struct mp__control *control, uint64_t id)
{
    uint64_t again = atomic_load_explicit(&control->as.lock.again, memory_order_relaxed);
    return mp__generation_of(again) == mp__generation_of(id) ? (uint32_t)again : 0;
}

static void set_again(struct mp__control *control, uint64_t id, uint32_t number)
{
    uint64_t seen = mp__state_of(id) | again_of(control, id);
    if (seen != (mp__state_of(id) | number))
        (void)atomic_compare_exchange_strong_explicit(&control->as.lock.again, &seen, mp__state_of(id) | number,
                                                      memory_order_relaxed, memory_order_relaxed);
}

/* This thread has it already: once more. */
static int deepen(struct mp__control *control, uint64_t id)
{
    uint32_t again = again_of(control, id);
    if (again == UINT32_MAX - 1) return mp__fail(MP_EOVERFLOW, "mp_rlock_acquire: taken 2^32 - 1 times already");
    set_again(control, id, again + 1);
    return 0;
}

MP__RARELY static int acquire_slowly(mp_rlock rlock, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) return mp__fail_handle("mp_rlock_acquire", rlock.id, "rlock");
    if (mine(control, rlock.id)) return deepen(control, rlock.id);
    int result = mp__thread_join();
    if (result < 0) return result;
    struct mp__detect detect;
    result =
        mp__lockword_wait(&control->state, mp__state_of(rlock.id), mp__self.owner, mp__deadline(timeout_ms),
                          mp__detect(&detect, atomic_load_explicit(&control->as.lock.detects, memory_order_relaxed),
                                     timeout_ms, "mp_rlock_acquire"));
    if (result == MP_EDEADLK) return result;
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_rlock_acquire", rlock.id, "rlock");
    if (result == MP_ETIMEDOUT) return mp__fail(result, "mp_rlock_acquire: rlock \"%s\" is held", control->name);
    set_again(control, rlock.id, 0); /* a dead owner may have left more */
    mp__thread_took();
    return result;
}

/* As with a lock, the compare-and-swap is the check of the handle, too; a thread that has the lock finds that only then. */
int mp_rlock_acquire(mp_rlock rlock, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_near(rlock.id, MP__RLOCK);
    if (!control || !mp__self.owner || !mp__lockword_try(&control->state, mp__state_of(rlock.id), mp__self.owner))
        return acquire_slowly(rlock, timeout_ms);
    mp__thread_took();
    return 0;
}

MP__RARELY static int release_slowly(mp_rlock rlock)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) mp__waiters_call(); /* who was notified waits for it no more */
    if (!control) return mp__fail_handle("mp_rlock_release", rlock.id, "rlock");
    if (!mine(control, rlock.id)) {
        bool held = atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER;
        if (!held) return mp__fail(MP_EOVERFLOW, "mp_rlock_release: rlock \"%s\" is not held", control->name);
        return mp__fail(MP_ENOTOWNER, "mp_rlock_release: rlock \"%s\" is held by another thread", control->name);
    }
    uint32_t again = again_of(control, rlock.id);
    if (again) {
        set_again(control, rlock.id, again - 1);
        return 0;
    }
    if (mp__lockword_release(&control->state, mp__state_of(rlock.id), mp__self.owner) < 0)
        return mp__fail_handle("mp_rlock_release", rlock.id, "rlock");
    return 0;
}

int mp_rlock_release(mp_rlock rlock)
{
    struct mp__control *control = mp__control_near(rlock.id, MP__RLOCK);
    if (!control || !mp__self.owner || again_of(control, rlock.id) ||
        !mp__lockword_free(&control->state, mp__state_of(rlock.id), mp__self.owner))
        return release_slowly(rlock);
    if (mp__self.calls) mp__waiters_call();
    return 0;
}

int64_t mp__rlock_let_go(mp_rlock rlock)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) return MP_EBADHANDLE;
    int64_t again = again_of(control, rlock.id);
    set_again(control, rlock.id, 0);
    return mp_rlock_release(rlock) < 0 ? MP_EBADHANDLE : again;
}

void mp__rlock_resume(mp_rlock rlock, int64_t again)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) return;
    set_again(control, rlock.id, (uint32_t)again);
}

int mp_rlock_locked(mp_rlock rlock)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) return mp__fail_handle("mp_rlock_locked", rlock.id, "rlock");
    return (atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER) != 0;
}

int mp__rlock_destroy_part(mp_rlock rlock)
{
    if (mp__control_of(rlock.id, MP__RLOCK)) (void)mp__thread_join(); /* as for locks */
    int result = mp__control_destroy(rlock.id, MP__RLOCK, NULL);
    if (result == 0) mp__waiters_lost_lock(rlock.id);
    return result;
}

int mp_rlock_destroy(mp_rlock rlock)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (control && control->as.lock.part)
        return mp__fail(MP_EBUSY, "mp_rlock_destroy: rlock \"%s\" belongs to something else: destroy that",
                        control->name);
    if (mp__rlock_destroy_part(rlock) < 0) return mp__fail_handle("mp_rlock_destroy", rlock.id, "rlock");
    return 0;
}
