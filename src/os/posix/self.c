/* SPDX-License-Identifier: MIT
 *
 * self.c - this process and its threads: who they are, and what is to happen when they fork and end.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <stdio_ext.h>
#endif
#if MP_LINUX
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

int64_t mp_os_pid(void)
{
    return getpid();
}

uint64_t mp_os_birth(void)
{
    int64_t pid = getpid();
    int pidfd = mp_os__pidfd_open(pid);
    uint64_t birth = pidfd >= 0 ? mp_os__pidfd_birth(pidfd) : 0;
    if (pidfd >= 0) close(pidfd);
    struct mp_os__stat stat;
    if (birth == 0 && mp_os__stat_read(pid, &stat)) birth = stat.start;
    return birth;
}

/* ---- privileges ------------------------------------------------------------------------------------------------ */

static void mix(uint64_t *digest, uint64_t value)
{
    *digest = (*digest ^ value) * UINT64_C(0x100000001b3);
    *digest ^= *digest >> 31;
}

static void mix_groups(uint64_t *digest)
{
    gid_t groups[256];
    int count = getgroups(256, groups); /* more than that: the number of them */
    if (count < 0) count = 0, mix(digest, (uint64_t)getgroups(0, NULL));
    for (int i = 0; i < count; i++) mix(digest, groups[i]);
}

#if MP_LINUX

static void mix_capabilities(uint64_t *digest)
{
    struct {
        uint32_t version;
        int32_t pid;
    } header = {0x20080522, 0}; /* version 3 */
    uint32_t sets[6] = {0};
    syscall(SYS_capget, &header, sets);
    for (int i = 0; i < 6; i++) mix(digest, sets[i]);
}

static void mix_specialities(uint64_t *digest)
{
    static const char *const namespaces[] = {
        "/proc/thread-self/ns/pid_for_children",
        "/proc/thread-self/ns/mnt",
        "/proc/thread-self/ns/net",
        "/proc/thread-self/ns/user",
        "/proc/thread-self/ns/ipc",
        "/proc/thread-self/ns/uts",
        "/proc/thread-self/ns/cgroup",
    };
    mix_capabilities(digest);
    mix(digest, (uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    mix(digest, (uint64_t)prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
        struct stat status;
        mix(digest, stat(namespaces[i], &status) == 0 ? (uint64_t)status.st_ino : 0);
    }
}

#else

static void mix_specialities(uint64_t *digest)
{
    (void)digest;
}

#endif

uint64_t mp_os_privileges(void)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    mix(&digest, getuid());
    mix(&digest, geteuid());
    mix(&digest, getgid());
    mix(&digest, getegid());
    mix_groups(&digest);
    mix_specialities(&digest);
    return digest;
}

/* ---- threads --------------------------------------------------------------------------------------------------- */

#if MP_LINUX && defined(__GLIBC__)
extern char __libc_single_threaded __attribute__((weak)); /* since 2.32 */

bool mp_os_threaded(void)
{
    if (&__libc_single_threaded != NULL) return !__libc_single_threaded;
    return mp_os_thread_count() != 1;
}
#else
bool mp_os_threaded(void)
{
    return mp_os_thread_count() != 1;
}
#endif

int mp_os_thread_count(void)
{
#if MP_LINUX
    struct stat status; /* a link for each subdirectory, besides its own two */
    if (stat("/proc/self/task", &status) == 0 && status.st_nlink > 2) return (int)(status.st_nlink - 2);
#endif
    return 0;
}

static pthread_key_t record_key;

int mp_os_on_thread_exit(void (*leave)(void *record))
{
    return pthread_key_create(&record_key, leave);
}

void mp_os_thread_record(void *record)
{
    pthread_setspecific(record_key, record);
}

/* ---- fork and the end ------------------------------------------------------------------------------------------ */

int mp_os_on_fork(void (*child)(void))
{
    return pthread_atfork(NULL, NULL, child);
}

static void (*finish_once)(int code);

#if MP_LINUX && defined(__GLIBC__)
static void finish_with_code(int code, void *unused)
{
    (void)unused;
    finish_once(code & 0xff);
}

int mp_os_on_exit(void (*finish)(int code))
{
    finish_once = finish;
    return on_exit(finish_with_code, NULL) == 0 ? 0 : ENOMEM;
}
#else
static void finish_without_code(void)
{
    finish_once(-1);
}

int mp_os_on_exit(void (*finish)(int code))
{
    finish_once = finish;
    return atexit(finish_without_code) == 0 ? 0 : ENOMEM;
}
#endif

_Noreturn void mp_os_exit_now(int code)
{
    _exit(code);
}

/* ---- standard streams ------------------------------------------------------------------------------------------ */

void mp_os_flush(void)
{
    fflush(stdout);
    fflush(stderr);
}

int mp_os_stdin_null(void)
{
    int null = open("/dev/null", O_RDONLY);
    if (null < 0) return errno;
    if (null != STDIN_FILENO) {
        int moved = dup2(null, STDIN_FILENO);
        int error = errno;
        close(null);
        if (moved < 0) return error;
    }
#if defined(__linux__)
    __fpurge(stdin);
#else
    fpurge(stdin);
#endif
    clearerr_unlocked(stdin); /* a thread that does not exist in this process any more may have held the lock */
    return 0;
}
