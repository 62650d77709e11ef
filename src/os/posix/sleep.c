/* SPDX-License-Identifier: MIT
 *
 * sleep.c - sleeping across processes: on a word where the system can (futex), else on a semaphore in the arena.
 */
#include "posix.h"
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>
#if MP_LINUX
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#if MP_LINUX

/* What the kernel reads: 64 bits for each with the newer call, a long with the older. */
struct long_time {
    long seconds, nanoseconds;
};
struct wide_time {
    int64_t seconds, nanoseconds;
};

static long futex_wait_long(_Atomic uint32_t *word, uint32_t value, const struct wide_time *wide)
{
#ifdef SYS_futex
    struct long_time end = {0};
    if (wide != NULL) {
        end.seconds = wide->seconds < LONG_MAX ? (long)wide->seconds : LONG_MAX;
        end.nanoseconds = (long)wide->nanoseconds;
    }
    return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, wide != NULL ? &end : NULL, NULL, ~0U);
#else
    (void)word, (void)value, (void)wide;
    errno = ENOSYS;
    return -1;
#endif
}

static long futex_wait(_Atomic uint32_t *word, uint32_t value, const struct wide_time *end)
{
#ifdef SYS_futex_time64
    long result = syscall(SYS_futex_time64, word, FUTEX_WAIT_BITSET, value, end, NULL, ~0U);
    if (result == 0 || errno != ENOSYS) return result;
#endif
    return futex_wait_long(word, value, end);
}

bool mp_os_word_sleeps(void)
{
    return true;
}

int mp_os_word_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    if (deadline < 0) deadline = 0;
    struct wide_time end = {deadline / 1000000000, deadline % 1000000000};
    if (futex_wait(word, value, deadline == MP_OS_NEVER ? NULL : &end) == 0) return 0;
    return errno == EAGAIN || errno == EINTR ? 0 : errno;
}

void mp_os_word_wake(_Atomic uint32_t *word, uint32_t count)
{
    int most = count < INT_MAX ? (int)count : INT_MAX;
    int saved = errno;
#ifdef SYS_futex
    syscall(SYS_futex, word, FUTEX_WAKE, most, NULL, NULL, 0);
#else
    syscall(SYS_futex_time64, word, FUTEX_WAKE, most, NULL, NULL, 0);
#endif
    errno = saved;
}

#else

bool mp_os_word_sleeps(void)
{
    return false;
}

int mp_os_word_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    (void)word, (void)value, (void)deadline;
    return mp_os_enotsup;
}

void mp_os_word_wake(_Atomic uint32_t *word, uint32_t count)
{
    (void)word, (void)count;
}

#endif

/* ---- sleepers -------------------------------------------------------------------------------------------------- */

_Static_assert(sizeof(sem_t) <= MP_OS_SLEEPER_SIZE, "a sleeper holds a semaphore");

int mp_os_sleeper_init(void *sleeper, const uint64_t name[2])
{
    (void)name;
    return sem_init(sleeper, 1, 0) == 0 ? 0 : errno;
}

void mp_os_sleeper_fini(void *sleeper)
{
    sem_destroy(sleeper);
}

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 30)
#define HAS_CLOCKWAIT 1
#endif
#endif

/* Until the deadline, or shorter. */
static int wait_until(sem_t *semaphore, int64_t deadline)
{
#ifdef HAS_CLOCKWAIT
    struct timespec end = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &end);
#else
    /* Only the clock that people set: in slices, so that setting it does little harm. */
    int64_t left = deadline - mp_os_now(), slice = 100000000;
    if (left > slice) left = slice;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += (long)(left > 0 ? left : 0);
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return sem_timedwait(semaphore, &end);
#endif
}

int mp_os_sleeper_wait(void *sleeper, int64_t deadline)
{
    for (;;) {
        int result = deadline == MP_OS_NEVER  ? sem_wait(sleeper)
                     : deadline > mp_os_now() ? wait_until(sleeper, deadline)
                                              : sem_trywait(sleeper);
        if (result == 0) return 0;
        if (errno == EAGAIN) return mp_os_etimedout;
        if (errno != EINTR && errno != ETIMEDOUT) return errno;
    }
}

void mp_os_sleeper_wake(void *sleeper, const uint64_t name[2])
{
    (void)name;
    int saved = errno;
    sem_post(sleeper);
    errno = saved;
}
