/* SPDX-License-Identifier: MIT
 *
 * mp/sync.h - Lock, RLock, Semaphore, Condition, Event and Barrier, and the block that holds one.
 *
 *     static int print(void *args)
 *     {
 *         mp_lock *lock = args;
 *         MP_WITH_LOCK(*lock) {
 *             puts("one at a time");
 *             fflush(stdout);
 *         }
 *         return 0;
 *     }
 *
 * What a thread has done before it releases, notifies, sets or arrives is visible to those who acquire, are notified, see it
 * set or pass after that: nothing else is needed for it.
 *
 * A process may be killed at any moment. Who waits for what it held, or did not come to do, is told by a result, and gets on.
 */
#ifndef MP_SYNC_H
#define MP_SYNC_H

#include <mp/error.h>
#include <mp/handle.h>
#include <stdbool.h>

MP_BEGIN

/** Of a lock or an rlock. */
typedef struct mp_lock_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    /** A wait that would close a circle of waiters fails with MP_EDEADLK. Where libmp was built for debugging (without NDEBUG)
     * it does so at any lock, if the circle has two threads or more, and all of them wait without a time-out. */
    bool detect_deadlock;
} mp_lock_options;

/**
 * Create a lock that nobody holds.
 *
 * \param lock     receives the handle.
 * \param options  NULL: no name.
 * \returns 0, or MP_EINVAL (lock is NULL), MP_ENOMEM, MP_ELIMIT.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Lock()
 */
MP_NODISCARD MP_API int mp_lock_create(mp_lock *lock, const mp_lock_options *options);

/**
 * Take a lock, waiting for it if somebody has it.
 *
 * It is not recursive: who holds it and takes it again waits for ever, unless somebody else releases it. A signal
 * handler that runs meanwhile does not end the wait.
 *
 * \param lock        the lock.
 * \param timeout_ms  milliseconds; 0 or less tries once, MP_FOREVER waits for ever.
 * \returns 0: held, or
 *   MP_OWNERDEAD   held, too (it is positive), but the last owner died or ended holding it, the process or just the
 *                  thread: what the lock protects may be half changed. It is told once;
 *   MP_ETIMEDOUT   somebody has it;
 *   MP_EDEADLK     its holder waits for a lock, or an rlock, whose holder waits for one, and so on, that the caller holds:
 *                  mp_error_detail() names them, as many as fit. Only if timeout_ms is more than 0, and with
 *                  detect_deadlock, or in a build without NDEBUG. A lock counts as its last taker's: what others are to
 *                  release, a signal, is better a semaphore;
 *   MP_EBADHANDLE  no lock, also when it is destroyed while this call waits.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Lock.acquire(block, timeout)
 */
MP_NODISCARD MP_API int mp_lock_acquire(mp_lock lock, int64_t timeout_ms);

/**
 * Give a lock back. Whoever does it need not be who took it.
 *
 * \returns 0, or MP_EOVERFLOW: nobody holds it.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Lock.release()
 */
MP_API int mp_lock_release(mp_lock lock);

/**
 * Whether somebody holds a lock, at the moment of the call.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Lock.locked()
 */
MP_API int mp_lock_locked(mp_lock lock);

/**
 * Destroy a lock, held or not. Those who wait for it get MP_EBADHANDLE.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_lock_destroy(mp_lock lock);

/**
 * Create a recursive lock that nobody holds. It belongs to the thread that takes it, as often as that likes, and is
 * free when it was released as often.
 *
 * \param rlock    receives the handle.
 * \param options  NULL: no name.
 * \returns 0, or MP_EINVAL (rlock is NULL), MP_ENOMEM, MP_ELIMIT.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        RLock()
 */
MP_NODISCARD MP_API int mp_rlock_create(mp_rlock *rlock, const mp_lock_options *options);

/**
 * Take a recursive lock, waiting for it if another thread has it.
 *
 * \param rlock       the lock.
 * \param timeout_ms  milliseconds; 0 or less tries once, MP_FOREVER waits for ever.
 * \returns as mp_lock_acquire, or MP_EOVERFLOW: taken 2^32 - 1 times already.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        RLock.acquire(block, timeout)
 */
MP_NODISCARD MP_API int mp_rlock_acquire(mp_rlock rlock, int64_t timeout_ms);

/**
 * Give a recursive lock back, once.
 *
 * \returns 0, or MP_EOVERFLOW (nobody holds it), or MP_ENOTOWNER (another thread does).
 *
 * \threadsafety  the thread that took it.
 * \processes     the process that took it.
 * \python        RLock.release()
 */
MP_API int mp_rlock_release(mp_rlock rlock);

/**
 * Whether somebody, the caller included, holds a recursive lock.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        RLock.locked()
 */
MP_API int mp_rlock_locked(mp_rlock rlock);

/**
 * Destroy a recursive lock, held or not. Those who wait for it get MP_EBADHANDLE.
 *
 * \returns 0, or MP_EBUSY: it belongs to a value, an array or a condition.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_rlock_destroy(mp_rlock rlock);

/** The most units that a semaphore can have. */
#define MP_SEMAPHORE_MAX INT32_MAX
/** The most that one with owners can have. */
#define MP_SEMAPHORE_OWNED_MAX 4096

/** Of a semaphore. */
typedef struct mp_semaphore_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    bool bounded;     /**< never more units than it was created with: BoundedSemaphore */
    bool owned;       /**< a unit is the process's that took it, and comes back when that has ended; implies bounded */
} mp_semaphore_options;

/**
 * Create a semaphore: so many units, which are taken and given back one by one.
 *
 *     mp_semaphore workers;
 *     MP_CHECK(mp_semaphore_create(&workers, 4, NULL));
 *     ...
 *     MP_WITH_LOCK(workers) fetch(url); // four at a time, whoever they are
 *
 * Without `owned` nobody owns a unit: a process that dies between acquire and release takes it with it, as in Python. With
 * it the units of a process that has died, or has ended without giving them back, are there again.
 *
 * \param semaphore  receives the handle.
 * \param value      units at first; 0 is one that waits for the first release.
 * \param options    NULL: no name, not bounded, not owned.
 * \returns 0, or MP_EINVAL (semaphore is NULL, or value above MP_SEMAPHORE_MAX; owned: not within 1 and
 *   MP_SEMAPHORE_OWNED_MAX), MP_ENOMEM, MP_ELIMIT.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Semaphore(value), BoundedSemaphore(value)
 */
MP_NODISCARD MP_API int mp_semaphore_create(mp_semaphore *semaphore, uint32_t value,
                                            const mp_semaphore_options *options);

/**
 * Take a unit, waiting for one if there is none. A signal handler that runs meanwhile does not end the wait.
 *
 * \param semaphore   the semaphore.
 * \param timeout_ms  milliseconds; 0 or less tries once, MP_FOREVER waits for ever.
 * \returns 0: taken, or
 *   MP_ETIMEDOUT   there is none;
 *   MP_EBADHANDLE  no semaphore, also when it is destroyed while this call waits.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Semaphore.acquire(block, timeout)
 */
MP_NODISCARD MP_API int mp_semaphore_acquire(mp_semaphore semaphore, int64_t timeout_ms);

/**
 * Give a unit back, or add one: whoever does it need not have taken it, unless units are owned. One of those who wait gets
 * it.
 *
 * Async-signal-safe, unless units are owned, for a semaphore that this process has created or used before: a handler may
 * tell the program's threads, and other processes, that something has happened. errno stays what it was. (A failure writes
 * the text of mp_error_detail(), as anywhere.)
 *
 * \returns 0, or MP_EOVERFLOW: bounded, and has all its units; or MP_SEMAPHORE_MAX of them; or MP_ENOTOWNER: owned, and this
 *   process has none.
 *
 * \threadsafety  any thread, and signal handlers.
 * \processes     any process of the family.
 * \python        Semaphore.release()
 */
MP_API int mp_semaphore_release(mp_semaphore semaphore);

/**
 * How many units there are to be taken, at the moment of the call.
 *
 * \returns the number, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Semaphore.get_value()
 */
MP_API int mp_semaphore_get_value(mp_semaphore semaphore);

/**
 * Destroy a semaphore. Those who wait for a unit get MP_EBADHANDLE.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_semaphore_destroy(mp_semaphore semaphore);

/** Of a condition. It has a lock, or an rlock, of the caller's, which several conditions may share; or, if neither is given, an
 * rlock of its own, which goes with it. */
typedef struct mp_condition_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    mp_lock lock;     /**< protects what is waited for */
    mp_rlock rlock;   /**< likewise, instead */
} mp_condition_options;

/**
 * Create a condition: threads that hold its lock wait until another one, which holds it then, tells them that something has
 * changed.
 *
 *     MP_WITH_LOCK(not_empty) {                                        // the taker
 *         while (ring->head == ring->tail) MP_CHECK(mp_condition_wait(not_empty, MP_FOREVER));
 *         item = ring->items[ring->tail++ % ROOM];
 *     }
 *     MP_WITH_LOCK(not_empty) {                                        // the giver
 *         ring->items[ring->head++ % ROOM] = item;
 *         mp_condition_notify(not_empty, 1);
 *     }
 *
 * \param condition  receives the handle.
 * \param options    NULL: no name, an rlock of its own.
 * \returns 0, or MP_EINVAL (condition is NULL; both a lock and an rlock), MP_EBADHANDLE (of those), MP_ENOMEM, MP_ELIMIT.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Condition(lock)
 */
MP_NODISCARD MP_API int mp_condition_create(mp_condition *condition, const mp_condition_options *options);

/**
 * Take the condition's lock, whichever it is.
 *
 * \param condition   the condition.
 * \param timeout_ms  milliseconds; 0 or less polls, MP_FOREVER waits for ever.
 * \returns as mp_lock_acquire or mp_rlock_acquire.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Condition.acquire()
 */
MP_NODISCARD MP_API int mp_condition_acquire(mp_condition condition, int64_t timeout_ms);

/**
 * Give the condition's lock back.
 *
 * \returns as mp_lock_release or mp_rlock_release.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Condition.release()
 */
MP_API int mp_condition_release(mp_condition condition);

/**
 * Give the lock back, however often it was taken, wait to be notified, and take it again as often. Both in one: who notifies
 * after that is not missed. A signal handler that runs meanwhile does not end the wait, and nothing else does: a wait that
 * returns 0 was notified. Look at what is waited for all the same: somebody may have been quicker.
 *
 * A notified thread that dies before it has the lock again passes the notification on to the next one that waits.
 *
 * \param condition   the condition, whose lock the caller holds.
 * \param timeout_ms  milliseconds; 0 or less lets others have the lock, and no more; MP_FOREVER waits for ever. To take the
 *   lock again may take longer.
 * \returns 0, or
 *   MP_OWNERDEAD   as 0, or the time may be over, but the lock's last owner died holding it: look at what it protects, it
 *                  may be half changed. It is told once, and is no failure: MP_CHECK passes it over;
 *   MP_ETIMEDOUT   nobody has notified in time. The lock is held again;
 *   MP_ENOTOWNER   the caller does not hold the lock, and has not waited;
 *   MP_EBADHANDLE  no condition, or it, or its lock, was destroyed while this call waits: the lock is not held.
 *
 * \threadsafety  the thread that holds the lock.
 * \processes     any process of the family.
 * \python        Condition.wait(timeout)
 */
MP_NODISCARD MP_API int mp_condition_wait(mp_condition condition, int64_t timeout_ms);

/**
 * Wait until something is true: mp_condition_wait again and again until predicate says so, with one time-out for all of it.
 *
 * \param condition   the condition, whose lock the caller holds.
 * \param predicate   called by this thread, with the lock held, first at once; true ends the wait.
 * \param context     its argument.
 * \param timeout_ms  milliseconds; 0 or less looks once, MP_FOREVER waits for ever.
 * \returns as mp_condition_wait, 0 meaning that it is true; MP_OWNERDEAD: it is true, and an owner has died at some time in
 *   between; MP_ETIMEDOUT: it is not true; MP_EINVAL: predicate is NULL.
 *
 * \threadsafety  the thread that holds the lock.
 * \processes     any process of the family.
 * \python        Condition.wait_for(predicate, timeout)
 */
MP_NODISCARD MP_API int mp_condition_wait_for(mp_condition condition, bool (*predicate)(void *context), void *context,
                                              int64_t timeout_ms);

/**
 * Let threads that wait go on, those first that came first. They get the lock, one after the other, when the caller gives it
 * back. Who has died does not count.
 *
 * \param condition  the condition, whose lock the caller holds.
 * \param count      how many at most; 0: nobody.
 * \returns 0, or MP_ENOTOWNER (the caller does not hold the lock), MP_EINVAL (count is above INT32_MAX: a negative number).
 *
 * \threadsafety  the thread that holds the lock. A signal handler has mp_event_set.
 * \processes     any process of the family.
 * \python        Condition.notify(n)
 */
MP_API int mp_condition_notify(mp_condition condition, uint32_t count);

/**
 * Let all threads that wait go on.
 *
 * \returns 0, or MP_ENOTOWNER (the caller does not hold the lock).
 *
 * \threadsafety  the thread that holds the lock. A signal handler has mp_event_set.
 * \processes     any process of the family.
 * \python        Condition.notify_all()
 */
MP_API int mp_condition_notify_all(mp_condition condition);

/**
 * Destroy a condition, and its own rlock. Those who wait get MP_EBADHANDLE. A lock that it was given stays.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_condition_destroy(mp_condition condition);

/** Of an event. */
typedef struct mp_event_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    bool set;         /**< from the beginning */
} mp_event_options;

/**
 * Create an event: something that has happened, or not yet.
 *
 * \param event    receives the handle.
 * \param options  NULL: no name, not set.
 * \returns 0, or MP_EINVAL (event is NULL), MP_ENOMEM, MP_ELIMIT.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Event()
 */
MP_NODISCARD MP_API int mp_event_create(mp_event *event, const mp_event_options *options);

/**
 * Wait until an event is set. A signal handler that runs meanwhile does not end the wait, unless it sets the event.
 *
 * \param event       the event.
 * \param timeout_ms  milliseconds; 0 or less looks once, MP_FOREVER waits for ever.
 * \returns 0: it is set, or was while this call waited, even if it was cleared at once; MP_ETIMEDOUT; MP_EBADHANDLE: no
 *   event, also when it is destroyed while this call waits.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Event.wait(timeout), which is True for 0
 */
MP_NODISCARD MP_API int mp_event_wait(mp_event event, int64_t timeout_ms);

/**
 * Set an event: all who wait for it go on, and who comes later does not wait.
 *
 * Async-signal-safe, for an event that this process has created or used before. errno stays what it was. (A failure writes
 * the text of mp_error_detail(), as anywhere.)
 *
 * \returns 0, also if it was set already.
 *
 * \threadsafety  any thread, and signal handlers.
 * \processes     any process of the family.
 * \python        Event.set()
 */
MP_API int mp_event_set(mp_event event);

/**
 * Take it back: from now on there is something to wait for.
 *
 * \returns 0, also if it was not set.
 *
 * \threadsafety  any thread, and signal handlers, as mp_event_set.
 * \processes     any process of the family.
 * \python        Event.clear()
 */
MP_API int mp_event_clear(mp_event event);

/**
 * Whether an event is set, at the moment of the call.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread, and signal handlers, as mp_event_set.
 * \processes     any process of the family.
 * \python        Event.is_set()
 */
MP_API int mp_event_is_set(mp_event event);

/**
 * Destroy an event. Those who wait for it get MP_EBADHANDLE.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_event_destroy(mp_event event);

/** The most parties that a barrier can have. */
#define MP_BARRIER_MAX INT32_MAX

/** Of a barrier. */
typedef struct mp_barrier_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    /** Run by the last one to arrive, in its process, before anybody goes on; if it returns something else than 0 the barrier
     * is broken. As the target of a process, it is a function of the program or of a library. */
    int (*action)(void *context);
    /** For the action: so many bytes, which may contain handles, are kept, and each time it gets a new copy of them, aligned
     * for any type. With size 0 it gets that address itself, which means something in the process that created the barrier
     * only, and in those that it forks. */
    const void *context;
    size_t context_size; /**< bytes of the context */
    /** Parties that are known, all or some of them: the barrier breaks when one ends. */
    const mp_process *members;
    size_t member_count; /**< how many */
} mp_barrier_options;

/**
 * Create a barrier: so many parties, threads of whatever processes, go on when all of them have arrived. Then it begins
 * anew.
 *
 * A barrier that cannot be complete any more is broken: whoever waits is told so, and so is who comes later, until it is
 * reset. It breaks when a wait times out, when action fails, by mp_barrier_abort; when a party dies that waits or runs action;
 * and when a member ends, dead or in order, since it will not come again. So at the end of a program, when the members return
 * one after the other, it breaks, which harms nobody who has passed it.
 *
 * Members exist before the barrier that names them. They get it by memory that they share:
 *
 *     struct phase { mp_event begin; mp_block barrier; };     // the workers' argument
 *     ...                                                     // start them; each waits for the event
 *     MP_CHECK(mp_barrier_create(&barrier, N, &(mp_barrier_options){.members = workers, .member_count = N}));
 *     *(mp_barrier *)mp_block_data(phase.barrier) = barrier;
 *     MP_CHECK(mp_event_set(phase.begin));
 *
 * \param barrier  receives the handle.
 * \param parties  how many, at least 1.
 * \param options  NULL: no name, no action, no members.
 * \returns 0, or MP_EINVAL (barrier is NULL; parties is 0 or above MP_BARRIER_MAX; more members than parties; members is NULL
 *   and member_count is not 0; a size without a context), MP_EBADHANDLE (of a member), MP_ENOTARGET, MP_ESTALE, MP_ENOTSUP,
 *   MP_ESYSTEM (of action, as for the target of mp_process_start), MP_ENOMEM, MP_ELIMIT.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier(parties, action)
 */
MP_NODISCARD MP_API int mp_barrier_create(mp_barrier *barrier, uint32_t parties, const mp_barrier_options *options);

/**
 * Arrive, and wait until all have. A signal handler that runs meanwhile does not end the wait.
 *
 * \param barrier     the barrier.
 * \param timeout_ms  milliseconds; 0 or less does not wait for anybody, MP_FOREVER waits for ever.
 * \returns 0 .. parties - 1, a different one for each party of a round, or
 *   MP_ETIMEDOUT   not all have come in time: the barrier is broken; but not if the action of the round before is still at
 *                  work: then this call has not arrived at all;
 *   MP_EBROKEN     it is broken, or was broken or reset while this call waited; or action did not return 0, of which
 *                  mp_error_detail() tells who ran it;
 *   MP_EPEERDEAD   it is broken because of a party, or a member, that has died or ended;
 *   MP_EDEADLK     called by action;
 *   MP_ENOTARGET, MP_ESTALE, MP_ENOMEM  action is not to be found in this process, or its context not to be copied: the
 *                  barrier is broken;
 *   MP_EBADHANDLE  no barrier, also when it is destroyed while this call waits.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier.wait(timeout); BrokenBarrierError is any of the first three errors
 */
MP_NODISCARD MP_API int mp_barrier_wait(mp_barrier barrier, int64_t timeout_ms);

/**
 * Break a barrier. Those who wait get MP_EBROKEN, and so do those who come later.
 *
 * \returns 0, also if it was broken.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier.abort()
 */
MP_API int mp_barrier_abort(mp_barrier barrier);

/**
 * Begin anew, with nobody there. Those who wait get MP_EBROKEN, those who come later a barrier that is not broken. Members
 * that have ended are none any more. An action that is at work goes on, and may be run again beside itself by the next round.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier.reset()
 */
MP_API int mp_barrier_reset(mp_barrier barrier);

/**
 * How many parties a barrier has.
 *
 * \returns that, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier.parties
 */
MP_API int mp_barrier_parties(mp_barrier barrier);

/**
 * How many parties are waiting at a barrier, at the moment of the call.
 *
 * \returns that, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier.n_waiting
 */
MP_API int mp_barrier_n_waiting(mp_barrier barrier);

/**
 * Whether a barrier is broken, at the moment of the call.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Barrier.broken
 */
MP_API int mp_barrier_broken(mp_barrier barrier);

/**
 * Destroy a barrier. Those who wait get MP_EBADHANDLE.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_barrier_destroy(mp_barrier barrier);

/**
 * MP_WITH_LOCK(object) { ... }: run the block holding a lock, an rlock, a unit of a semaphore, or the lock of a condition, a
 * value or an array.
 *
 * Leaving the block by its end, break or continue releases; so do return and goto, with GCC, Clang and in C++ (and
 * exceptions, there). break and continue act on the block itself, not on a loop around it.
 *
 * What can not be entered (a handle that names no such thing, an object destroyed meanwhile) ends the process as
 * MP_CHECK does. The end of the process inside the block (exit, a failing MP_CHECK) and longjmp out of it release
 * nothing. A last owner that died inside is passed over: to repair what it left, use acquire. An object that is
 * released or destroyed inside the block is left alone at its end; but of a semaphore a unit is given back. A condition's
 * block and its lock's are the same; mp_condition_wait inside of it is as it should be.
 */
#define MP_WITH_LOCK(object) MP_SECTION(object, MP_PASTE(mp_section_, __LINE__), MP_PASTE(mp_once_, __LINE__))

/** What MP_WITH_LOCK keeps while inside. */
typedef struct mp_section {
    uint64_t id; /**< what it has entered */
    int inside;  /**< not left yet */
} mp_section;

/** What MP_WITH_LOCK calls first. */
MP_API mp_section mp_section_enter(mp_handle object, const char *file, int line);
/** What it calls last. Leaving what was left already does nothing. */
MP_API void mp_section_leave(mp_section *section);

MP_END

/** \cond */
#define MP_PASTE_(a, b) a##b
#define MP_PASTE(a, b)  MP_PASTE_(a, b)
#ifdef __cplusplus
struct mp_scoped_section : mp_section {
    mp_scoped_section(mp_handle object, const char *file, int line) : mp_section(mp_section_enter(object, file, line))
    {
    }
    ~mp_scoped_section()
    {
        mp_section_leave(this);
    }
    mp_scoped_section(const mp_scoped_section &) = delete;
    mp_scoped_section &operator=(const mp_scoped_section &) = delete;
};
#define MP_SECTION(object, section, once)                                                                              \
    for (mp_scoped_section section(MP_HANDLE(object), __FILE__, __LINE__); section.inside; mp_section_leave(&section)) \
        for (bool once = true; once; once = false)
#else
#define MP_SECTION(object, section, once)                                                                           \
    for (mp_section section MP_CLEANUP(mp_section_leave) = mp_section_enter(MP_HANDLE(object), __FILE__, __LINE__); \
         section.inside; mp_section_leave(&section))                                                                \
        for (bool once = true; once; once = false)
#endif
/** \endcond */

#endif
