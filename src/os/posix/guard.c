/* SPDX-License-Identifier: MIT
 *
 * guard.c - guards: robust mutexes of the threads library, which the system gives to the next when their owner dies; or
 * where there are none, a word.
 */
#include "posix.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>

#if MP_OS__ROBUST

#define TRIES 40
#define NAP   INT64_C(100000) /* ns */

_Static_assert(sizeof(pthread_mutex_t) <= MP_OS_GUARD_SIZE, "a guard holds a mutex");

int mp_os_guard_init(void *guard)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);
    if (error) return error;
    error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!error) error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (!error) error = pthread_mutex_init(guard, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return error;
}

bool mp_os_guard_acquire(void *guard, struct mp_os_inquiry *inquiry)
{
    (void)inquiry; /* the system knows */
    /* It is held for a moment only: to be woken takes longer than that. */
    for (int i = 0; i < TRIES; i++) {
        int error = pthread_mutex_trylock(guard);
        if (error != EBUSY) return error != EOWNERDEAD;
        if (i >= TRIES / 2) mp_os_yield();
    }
    /* Should its owner be killed between the unlock and the wake, and another one take it in between, the system wakes nobody:
     * who sleeps looks again. */
    for (;;) {
        struct timespec until;
        int error = pthread_mutex_trylock(guard);
        if (error != EBUSY) return error != EOWNERDEAD;
        if (mp_os__thread_sanitized()) { /* its tool does not know what a timed lock says of a dead owner */
            mp_os_sleep(NAP);
            continue;
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        error = pthread_mutex_timedlock(guard, &until);
        if (error != ETIMEDOUT) return error != EOWNERDEAD;
    }
}

void mp_os_guard_repaired(void *guard)
{
    pthread_mutex_consistent(guard);
}

void mp_os_guard_release(void *guard)
{
    pthread_mutex_unlock(guard);
}

#else

#include "os/guard_word.h"

#endif
