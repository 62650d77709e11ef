/* SPDX-License-Identifier: MIT
 *
 * lock.c - Lock: a lock word, and nothing else.
 */
#include "base/control.h"
#include "base/deadline.h"
#include "base/deadlock.h"
#include "base/error.h"
#include "base/lockword.h"
#include "base/thread.h"
#include "base/waiter.h"

#include <mp/sync.h>

static void fill(struct mp__control *control, const void *with)
{
    const mp_lock_options *options = with;
    control->as.lock.detects = mp__detects(options && options->detect_deadlock);
}

int mp_lock_create(mp_lock *lock, const mp_lock_options *options)
{
    if (!lock) return mp__fail(MP_EINVAL, "mp_lock_create: lock is NULL");
    uint64_t id;
    int result = mp__control_create(MP__LOCK, options ? options->name : NULL, fill, options, &id);
    if (result == 0) lock->id = id;
    return result;
}

/* The rest of acquire: this thread has no record yet, or the lock was not free. */
MP__RARELY static int acquire_slowly(mp_lock lock, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_of(lock.id, MP__LOCK);
    if (!control) return mp__fail_handle("mp_lock_acquire", lock.id, "lock");
    int result = mp__thread_join();
    if (result < 0) return result;
    struct mp__detect detect;
    result =
        mp__lockword_wait(&control->state, mp__state_of(lock.id), mp__self.owner, mp__deadline(timeout_ms),
                          mp__detect(&detect, atomic_load_explicit(&control->as.lock.detects, memory_order_relaxed),
                                     timeout_ms, "mp_lock_acquire"));
    if (result == MP_EDEADLK) return result;
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_lock_acquire", lock.id, "lock");
    if (result == MP_ETIMEDOUT) return mp__fail(result, "mp_lock_acquire: lock \"%s\" is held", control->name);
    mp__thread_took();
    return result;
}

/* Acquire and release first try what is usual: the lock is free, or this thread's and nobody sleeps. Then the
 * compare-and-swap is the check of the handle, too. */
int mp_lock_acquire(mp_lock lock, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_near(lock.id, MP__LOCK);
    if (control && mp__self.owner && mp__lockword_try(&control->state, mp__state_of(lock.id), mp__self.owner)) {
        mp__thread_took();
        return 0;
    }
    return acquire_slowly(lock, timeout_ms);
}

MP__RARELY static int release_slowly(mp_lock lock)
{
    struct mp__control *control = mp__control_of(lock.id, MP__LOCK);
    /* Who took it may have notified somebody, who shall be woken when it is free, and not be the one who frees it. */
    bool calls =
        control && (atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER) != mp__self.owner;
    if (!control) mp__waiters_call(); /* who was notified waits for it no more */
    int result = control ? mp__lockword_release(&control->state, mp__state_of(lock.id), 0) : MP_EBADHANDLE;
    if (result == 0 && calls) mp__waiters_call_all();
    if (result == 0) return 0;
    if (result == MP_EOVERFLOW) return mp__fail(result, "mp_lock_release: lock \"%s\" is not held", control->name);
    return mp__fail_handle("mp_lock_release", lock.id, "lock");
}

int mp_lock_release(mp_lock lock)
{
    struct mp__control *control = mp__control_near(lock.id, MP__LOCK);
    if (!control || !mp__self.owner || !mp__lockword_free(&control->state, mp__state_of(lock.id), mp__self.owner))
        return release_slowly(lock);
    if (mp__self.calls) mp__waiters_call();
    return 0;
}

int mp_lock_locked(mp_lock lock)
{
    struct mp__control *control = mp__control_of(lock.id, MP__LOCK);
    if (!control) return mp__fail_handle("mp_lock_locked", lock.id, "lock");
    return (atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER) != 0;
}

int mp_lock_destroy(mp_lock lock)
{
    /* Who has no record has nowhere to write down whom it is about to wake. */
    if (mp__control_of(lock.id, MP__LOCK)) (void)mp__thread_join();
    if (mp__control_destroy(lock.id, MP__LOCK, NULL) < 0) return mp__fail_handle("mp_lock_destroy", lock.id, "lock");
    mp__waiters_lost_lock(lock.id);
    return 0;
}
