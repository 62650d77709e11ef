/* SPDX-License-Identifier: MIT
 *
 * kernel_posix.c - linked to a test, it makes of this kernel an older one, or a sandbox that lets fewer calls through.
 *
 * MP_TEST_KERNEL says what is missing, words with commas between: pidfd, waitv, close_range, memfd, noexec (of memfd's
 * flags), populate, robust, entropy, vfork (a child that shares its parent's memory), words (that can be slept on), files
 * (large ones); and with "signals" every other call that a signal may end is ended by one. All programs that are started
 * from here inherit it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
int __wrap_clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
int __real_getentropy(void *data, size_t size);
int __wrap_getentropy(void *data, size_t size);

static const char *missing;
static bool signals;

static bool misses(const char *what)
{
    size_t length = strlen(what);
    for (const char *at = missing; at && (at = strstr(at, what)); at += length)
        if ((at == missing || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return true;
    return false;
}

__attribute__((constructor)) static void begin(void)
{
    missing = getenv("MP_TEST_KERNEL");
    signals = misses("signals");
}

/* About every other call, in no rhythm that a loop could have, too. */
static bool interrupted(void)
{
    static _Thread_local uint32_t random = 12345;
    if (!signals || (random = random * 1664525 + 1013904223) >> 31) return false;
    errno = EINTR;
    return true;
}

/* A call that waits, as its arguments say. */
#define INTERRUPTED(waits, type, name, parameters, arguments)                   \
    type __real_##name parameters;                                              \
    type __wrap_##name parameters;                                              \
    type __wrap_##name parameters                                               \
    {                                                                           \
        return (waits) && interrupted() ? (type)(-1) : __real_##name arguments; \
    }

INTERRUPTED(true, ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))
INTERRUPTED(!(flags & MSG_DONTWAIT), ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
            (fd, message, flags))
INTERRUPTED(!(flags & MSG_DONTWAIT), ssize_t, recvmsg, (int fd, struct msghdr *message, int flags),
            (fd, message, flags))
INTERRUPTED(!(flags & MSG_DONTWAIT), ssize_t, send, (int fd, const void *data, size_t size, int flags),
            (fd, data, size, flags))
INTERRUPTED(timeout != 0, int, poll, (struct pollfd * polls, nfds_t count, int timeout), (polls, count, timeout))
INTERRUPTED(true, int, ppoll, (struct pollfd * polls, nfds_t count, const struct timespec *time, const sigset_t *mask),
            (polls, count, time, mask))
INTERRUPTED(!(options & WNOHANG), int, waitid, (idtype_t kind, id_t id, siginfo_t *info, int options),
            (kind, id, info, options))
INTERRUPTED(!(options & WNOHANG), pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
INTERRUPTED(true, int, fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
#ifdef TEST_WRAPS_64 /* as they are called where files are large */
INTERRUPTED(true, int, fallocate64, (int fd, int mode, int64_t offset, int64_t size), (fd, mode, offset, size))
#endif

/* No file of 2 GiB or more. */
#define FTRUNCATE(name, type)                                                \
    int __real_##name(int fd, type size);                                    \
    int __wrap_##name(int fd, type size);                                    \
    int __wrap_##name(int fd, type size)                                     \
    {                                                                        \
        bool refused = (int64_t)size >= INT64_C(1) << 31 && misses("files"); \
        if (refused) errno = EFBIG;                                          \
        return refused || interrupted() ? -1 : __real_##name(fd, size);      \
    }
FTRUNCATE(ftruncate, off_t)
#ifdef TEST_WRAPS_64
FTRUNCATE(ftruncate64, int64_t)
#endif

static int error_of(long number, long second)
{
    switch (number) {
#ifdef SYS_pidfd_open
    case SYS_pidfd_open:
    case SYS_pidfd_send_signal:
        return misses("pidfd") ? ENOSYS : 0;
#endif
#ifdef SYS_close_range
    case SYS_close_range:
        return misses("close_range") ? ENOSYS : 0;
#endif
#ifdef SYS_memfd_create
    case SYS_memfd_create:
        return misses("memfd") ? ENOSYS : second & 8 && misses("noexec") ? EINVAL : 0;
#endif
    case 449: /* futex_waitv */
        return misses("waitv") ? ENOSYS : 0;
    case SYS_get_robust_list:
        return misses("robust") ? EPERM : 0;
    default:
        return 0;
    }
}

long __wrap_syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    int error = error_of(number, a[1]);
    if (error) {
        errno = error;
        return -1;
    }
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __wrap_clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    if (misses("vfork")) {
        errno = EINVAL;
        return -1;
    }
    return __real_clone(function, stack, flags, argument);
}

int __wrap_madvise(void *at, size_t size, int advice)
{
    if (advice != 23 && interrupted()) return -1;
    if (advice == 23 && misses("populate")) { /* MADV_POPULATE_WRITE */
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(at, size, advice);
}

int __wrap_getentropy(void *data, size_t size)
{
    if (misses("entropy")) {
        errno = ENOSYS;
        return -1;
    }
    return __real_getentropy(data, size);
}

/* That is the port's word, and what is in its place the same as elsewhere. */
bool __wrap_mp_os_word_sleeps(void);
bool __wrap_mp_os_word_sleeps(void)
{
    return !misses("words");
}
