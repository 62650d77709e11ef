/* SPDX-License-Identifier: MIT
 *
 * mp/sync.h - Lock, RLock and Semaphore, and the block that holds one.
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
 *   MP_EBADHANDLE  no lock, also when it is destroyed while this call waits.
 *
 * \threadsafety  any thread. Not for signal handlers.
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
 * \threadsafety  any thread, once.
 * \processes     any process of the family.
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
 * \threadsafety  any thread. Not for signal handlers.
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
 * \returns 0, or MP_EBUSY: it belongs to a value or an array.
 *
 * \threadsafety  any thread, once.
 * \processes     any process of the family.
 */
MP_API int mp_rlock_destroy(mp_rlock rlock);

/** The most units that a semaphore can have. */
#define MP_SEMAPHORE_MAX INT32_MAX

/** Of a semaphore. */
typedef struct mp_semaphore_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    bool bounded;     /**< never more units than it was created with: BoundedSemaphore */
} mp_semaphore_options;

/**
 * Create a semaphore: so many units, which are taken and given back one by one.
 *
 *     mp_semaphore workers;
 *     MP_CHECK(mp_semaphore_create(&workers, 4, NULL));
 *     ...
 *     MP_WITH_LOCK(workers) fetch(url); // four at a time, whoever they are
 *
 * Nobody owns a unit: a process that dies between acquire and release takes it with it, as in Python.
 *
 * \param semaphore  receives the handle.
 * \param value      units at first; 0 is one that waits for the first release.
 * \param options    NULL: no name, not bounded.
 * \returns 0, or MP_EINVAL (semaphore is NULL, or value above MP_SEMAPHORE_MAX), MP_ENOMEM, MP_ELIMIT.
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
 * \threadsafety  any thread. Not for signal handlers.
 * \processes     any process of the family.
 * \python        Semaphore.acquire(block, timeout)
 */
MP_NODISCARD MP_API int mp_semaphore_acquire(mp_semaphore semaphore, int64_t timeout_ms);

/**
 * Give a unit back, or add one: whoever does it need not have taken it. One of those who wait gets it.
 *
 * Async-signal-safe, for a semaphore that this process has used before: a handler may tell the program's threads, and
 * other processes, that something has happened. errno stays what it was.
 *
 * \returns 0, or MP_EOVERFLOW: bounded, and has all its units; or MP_SEMAPHORE_MAX of them.
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
 * \threadsafety  any thread, once.
 * \processes     any process of the family.
 */
MP_API int mp_semaphore_destroy(mp_semaphore semaphore);

/**
 * MP_WITH_LOCK(object) { ... }: run the block holding a lock, an rlock, a unit of a semaphore, or the lock of a value or
 * array.
 *
 * Leaving the block by its end, break or continue releases; so do return and goto, with GCC, Clang and in C++ (and
 * exceptions, there). break and continue act on the block itself, not on a loop around it.
 *
 * What can not be entered (a handle that names no such thing, an object destroyed meanwhile) ends the process as
 * MP_CHECK does. The end of the process inside the block (exit, a failing MP_CHECK) and longjmp out of it release
 * nothing. A last owner that died inside is passed over: to repair what it left, use acquire. An object that is
 * released or destroyed inside the block is left alone at its end; but of a semaphore a unit is given back.
 */
#define MP_WITH_LOCK(object) MP_SECTION(object, MP_PASTE(mp_section_, __LINE__), MP_PASTE(mp_once_, __LINE__))

/** What MP_WITH_LOCK keeps while inside. */
typedef struct mp_section {
    uint64_t id;
    int inside;
} mp_section;

/** What MP_WITH_LOCK calls, first and last. Leaving what was left already does nothing. */
MP_API mp_section mp_section_enter(mp_handle object, const char *file, int line);
MP_API void mp_section_leave(mp_section *section);

MP_END

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

#endif
