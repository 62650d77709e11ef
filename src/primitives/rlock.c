/* SPDX-License-Identifier: MIT
 *
 * rlock.c - RLock: a lock word that knows its thread.
 *
 * The word's owner is the index of a thread record, which another thread may have had before: `holder`, the stamp of
 * the thread that took it, tells them apart. holder and depth are written by the owner only, while it owns the word.
 */
#include "primitives/rlock.h"
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/lockword.h"
#include "base/thread.h"

static uint64_t free_state(uint64_t id)
{
    return id & ~UINT64_C(0xffffffff);
}

static void part_fill(struct mp__control *control, const void *part)
{
    control->as.lock.part = *(const uint32_t *)part;
    control->as.lock.maker = control->as.lock.part ? mp__family_id() : 0;
}

static int create(mp_rlock *rlock, const char *name, uint32_t part)
{
    uint64_t id;
    int result = mp__control_create(MP__RLOCK, name, part_fill, &part, &id);
    if (result == 0) rlock->id = id;
    return result;
}

int mp_rlock_create(mp_rlock *rlock, const mp_lock_options *options)
{
    if (!rlock) return mp__fail(MP_EINVAL, "mp_rlock_create: rlock is NULL");
    return create(rlock, options ? options->name : NULL, 0);
}

int mp__rlock_create_part(mp_rlock *rlock, const char *name)
{
    return create(rlock, name, 1);
}

void mp__rlock_part_is_made(mp_rlock rlock, bool made)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (control) control->as.lock.maker = made ? 0 : mp__family_id();
}

/* Whether the calling thread has it. */
static bool mine(struct mp__control *control)
{
    return mp__self.owner &&
           (atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER) == mp__self.owner &&
           atomic_load_explicit(&control->as.lock.holder, memory_order_relaxed) == mp__self.stamp;
}

static void taken(struct mp__control *control)
{
    atomic_store_explicit(&control->as.lock.holder, mp__self.stamp, memory_order_relaxed);
    atomic_store_explicit(&control->as.lock.depth, 1, memory_order_relaxed);
    mp__self.took = true;
}

static int acquire_slowly(mp_rlock rlock, struct mp__control *control, int64_t timeout_ms)
{
    int result = mp__thread_join();
    if (result < 0) return result;
    result = mp__lockword_wait(&control->state, free_state(rlock.id), mp__self.owner, mp__deadline(timeout_ms));
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_rlock_acquire", rlock.id, "rlock");
    if (result == MP_ETIMEDOUT) return mp__fail(result, "mp_rlock_acquire: rlock \"%s\" is held", control->name);
    taken(control);
    return result;
}

int mp_rlock_acquire(mp_rlock rlock, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) return mp__fail_handle("mp_rlock_acquire", rlock.id, "rlock");
    if (mine(control)) {
        uint32_t depth = atomic_load_explicit(&control->as.lock.depth, memory_order_relaxed);
        if (depth == UINT32_MAX) return mp__fail(MP_EOVERFLOW, "mp_rlock_acquire: taken 2^32 - 1 times already");
        atomic_store_explicit(&control->as.lock.depth, depth + 1, memory_order_relaxed);
        return 0;
    }
    if (mp__self.owner && mp__lockword_try(&control->state, free_state(rlock.id), mp__self.owner)) {
        taken(control);
        return 0;
    }
    return acquire_slowly(rlock, control, timeout_ms);
}

int mp_rlock_release(mp_rlock rlock)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (!control) return mp__fail_handle("mp_rlock_release", rlock.id, "rlock");
    if (!mine(control)) {
        bool held = atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER;
        if (!held) return mp__fail(MP_EOVERFLOW, "mp_rlock_release: rlock \"%s\" is not held", control->name);
        return mp__fail(MP_ENOTOWNER, "mp_rlock_release: rlock \"%s\" is held by another thread", control->name);
    }
    uint32_t depth = atomic_load_explicit(&control->as.lock.depth, memory_order_relaxed);
    if (depth > 1) {
        atomic_store_explicit(&control->as.lock.depth, depth - 1, memory_order_relaxed);
        return 0;
    }
    atomic_store_explicit(&control->as.lock.holder, 0, memory_order_relaxed);
    if (mp__lockword_release(&control->state, free_state(rlock.id), mp__self.owner) < 0)
        return mp__fail_handle("mp_rlock_release", rlock.id, "rlock");
    return 0;
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
    return mp__control_destroy(rlock.id, MP__RLOCK, NULL);
}

int mp_rlock_destroy(mp_rlock rlock)
{
    struct mp__control *control = mp__control_of(rlock.id, MP__RLOCK);
    if (control && control->as.lock.part)
        return mp__fail(MP_EBUSY, "mp_rlock_destroy: rlock \"%s\" belongs to a value or an array: destroy that",
                        control->name);
    if (mp__rlock_destroy_part(rlock) < 0) return mp__fail_handle("mp_rlock_destroy", rlock.id, "rlock");
    return 0;
}
