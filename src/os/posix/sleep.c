/* SPDX-License-Identifier: MIT
 *
 * sleep.c - sleeping across processes: on a word where the system can (futex), else on a semaphore in the arena.
 */
#include "posix.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
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

uint32_t mp_os_word_wake(_Atomic uint32_t *word, uint32_t count)
{
    int most = count < INT_MAX ? (int)count : INT_MAX;
    int saved = errno;
#ifdef SYS_futex
    long woken = syscall(SYS_futex, word, FUTEX_WAKE, most, NULL, NULL, 0);
#else
    long woken = syscall(SYS_futex_time64, word, FUTEX_WAKE, most, NULL, NULL, 0);
#endif
    errno = saved;
    return woken > 0 ? (uint32_t)woken : 0;
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

uint32_t mp_os_word_wake(_Atomic uint32_t *word, uint32_t count)
{
    (void)word, (void)count;
    return 0;
}

#endif

/* ---- lives ----------------------------------------------------------------------------------------------------- */

#if MP_OS__ROBUST

/* A robust mutex that its thread holds. The first thing that the kernel does when a thread dies, before it takes its
 * memory apart, is to go through the list of those and mark the word of each, and to wake one who sleeps on it, if the
 * word says that there is one. Where in the mutex that word lies the list says, too. */

_Static_assert(sizeof(pthread_mutex_t) <= MP_OS_LIFE_SIZE, "a life holds a mutex");

#define OFFSET_UNKNOWN ((size_t)-1)
static _Atomic size_t life_offset = OFFSET_UNKNOWN;

static _Atomic uint32_t *known_word(const void *life)
{
    size_t offset = atomic_load_explicit(&life_offset, memory_order_relaxed);
    return offset == OFFSET_UNKNOWN ? NULL : (_Atomic uint32_t *)((uintptr_t)life + offset);
}

/* Who has no life, as a fork server, begins one for that. */
static _Atomic uint32_t *life_word(const void *life)
{
    static _Atomic bool tried;
    if (known_word(life) == NULL && !atomic_exchange_explicit(&tried, true, memory_order_relaxed)) {
        pthread_mutex_t own;
        if (mp_os_life_begin(&own) == 0) mp_os_life_end(&own);
    }
    return known_word(life);
}

static _Thread_local struct robust_list_head *list_head; /* this thread's */

/* musl leaves a copy the list of its original: should its first thread end, and not the process, it would mark all that is in
 * there, without a look whose it is. glibc empties the list itself. */
void mp_os_life_forked(void)
{
    if (list_head != NULL) list_head->list.next = &list_head->list;
}

/* This thread has just taken it: it is first in the list. */
static int learn_offset(const void *life)
{
    struct robust_list_head *head = NULL;
    size_t size = 0;
#if defined(__GLIBC__)
    if (known_word(life) != NULL) return 0;
#else
    if (known_word(life) != NULL && list_head != NULL) return 0;
#endif
    if (syscall(SYS_get_robust_list, 0, &head, &size) != 0 || head == NULL) return mp_os_enotsup;
#if !defined(__GLIBC__)
    list_head = head;
#endif
    uintptr_t word = (uintptr_t)head->list.next + (uintptr_t)head->futex_offset, begin = (uintptr_t)life;
    if (word < begin || word > begin + sizeof(pthread_mutex_t) - sizeof(uint32_t) || word % sizeof(uint32_t) != 0)
        return mp_os_enotsup;
    uint32_t now = atomic_load_explicit((_Atomic uint32_t *)word, memory_order_relaxed);
    if ((now & FUTEX_TID_MASK) != (uint32_t)syscall(SYS_gettid)) return mp_os_enotsup;
    atomic_store_explicit(&life_offset, (size_t)(word - begin), memory_order_relaxed);
    return 0;
}

int mp_os_life_begin(void *life)
{
    pthread_mutexattr_t attributes;
    if (mp_os__thread_sanitized()) return mp_os_enotsup; /* a mutex whose word others look at is none to it */
    int error = pthread_mutexattr_init(&attributes);
    if (error != 0) return error;
    error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (error == 0) error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (error == 0) error = pthread_mutex_init(life, &attributes);
    pthread_mutexattr_destroy(&attributes);
    if (error == 0) error = pthread_mutex_lock(life);
    if (error != 0) return error;
    error = learn_offset(life);
    if (error != 0) mp_os_life_end(life);
    return error;
}

void mp_os_life_end(void *life)
{
    if (mp_os__thread_sanitized()) return;
    pthread_mutex_unlock(life);
    pthread_mutex_destroy(life);
}

bool mp_os_life_is_over(const void *life)
{
    const _Atomic uint32_t *word = life_word(life);
    return word != NULL && atomic_load_explicit(word, memory_order_acquire) & FUTEX_OWNER_DIED;
}

bool mp_os_life_lasts(const void *life)
{
    const _Atomic uint32_t *word = life_word(life);
    uint32_t now = word != NULL ? atomic_load_explicit(word, memory_order_relaxed) : FUTEX_OWNER_DIED;
    return !(now & FUTEX_OWNER_DIED) && now & FUTEX_TID_MASK;
}

bool mp_os_life_is_same(const void *one, const void *other)
{
    const _Atomic uint32_t *first = life_word(one), *second = life_word(other);
    if (first == NULL || second == NULL) return false;
    uint32_t owner = atomic_load_explicit(first, memory_order_relaxed) & FUTEX_TID_MASK;
    return owner != 0 && owner == (atomic_load_explicit(second, memory_order_relaxed) & FUTEX_TID_MASK);
}

/* Have the kernel wake somebody when it is over. False: it does not last. */
static bool attend(_Atomic uint32_t *life, uint32_t *value)
{
    *value = atomic_load_explicit(life, memory_order_relaxed);
    do {
        if (*value & FUTEX_OWNER_DIED || (*value & FUTEX_TID_MASK) == 0) return false;
        if (*value & FUTEX_WAITERS) return true;
    } while (!atomic_compare_exchange_weak_explicit(life, value, *value | FUTEX_WAITERS, memory_order_relaxed,
                                                    memory_order_relaxed));
    *value |= FUTEX_WAITERS;
    return true;
}

/* What futex_waitv reads, since 5.16. */
struct waited {
    uint64_t value, address;
    uint32_t flags, reserved;
};
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

int mp_os_word_wait_beside(_Atomic uint32_t *word, uint32_t value, void *const *lives, size_t count, int64_t deadline)
{
    static _Atomic bool unknown; /* to this kernel */
    const uint32_t of_32_bits = 2;
    struct waited all[MP_OS_LIVES_MOST + 1];
    uint32_t used = 1;
    if (atomic_load_explicit(&unknown, memory_order_relaxed)) return mp_os_enotsup;
    all[0] = (struct waited){.value = value, .address = (uintptr_t)word, .flags = of_32_bits};
    for (size_t i = 0; i < count && i < MP_OS_LIVES_MOST; i++) {
        _Atomic uint32_t *other = life_word(lives[i]);
        uint32_t alive;
        if (other == NULL || !attend(other, &alive)) return 0;
        all[used++] = (struct waited){.value = alive, .address = (uintptr_t)other, .flags = of_32_bits};
    }
    if (deadline < 0) deadline = 0;
    const struct wide_time end = {deadline / 1000000000, deadline % 1000000000};
    if (syscall(SYS_futex_waitv, all, used, 0, deadline == MP_OS_NEVER ? NULL : &end, CLOCK_MONOTONIC) >= 0) return 0;
    if (errno == EAGAIN || errno == EINTR) return 0;
    if (errno != ENOSYS && errno != EPERM) return errno;
    atomic_store_explicit(&unknown, true, memory_order_relaxed);
    return mp_os_enotsup;
}

void mp_os_life_tell(void *life)
{
    _Atomic uint32_t *word = life_word(life);
    if (word != NULL) mp_os_word_wake(word, UINT32_MAX);
}

#else

#include "os/no_lives.h"

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
