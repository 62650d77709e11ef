/* SPDX-License-Identifier: MIT
 *
 * self.c - this process and its threads: who they are, and what is to happen when they fork and end.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* ---- privileges ------------------------------------------------------------------------------------------------ */

#define SEED UINT64_C(0xcbf29ce484222325)

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
    mix_capabilities(digest);
    mix(digest, (uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    mix(digest, (uint64_t)prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}

/* Reading where the links lead is the cheapest of the ways to tell namespaces apart. They are a thread's own. The answer
 * must not depend on whether there is a descriptor left. */
uint64_t mp_os_name_spaces(void)
{
    static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid_for_children", "user", "uts"};
    uint64_t digest = SEED;
    int directory = open("/proc/thread-self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64], text[64]; /* "mnt:[4026531832]" */
        if (directory < 0) snprintf(path, sizeof path, "/proc/thread-self/ns/%s", names[i]);
        ssize_t length =
            directory >= 0 ? readlinkat(directory, names[i], text, sizeof text) : readlink(path, text, sizeof text);
        for (ssize_t at = 0; at < length; at++) mix(&digest, (unsigned char)text[at]);
    }
    if (directory >= 0) close(directory);
    return digest;
}

#else

static void mix_specialities(uint64_t *digest)
{
    (void)digest;
}

uint64_t mp_os_name_spaces(void)
{
    return 0;
}

#endif

uint64_t mp_os_privileges(void)
{
    uint64_t digest = SEED;
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
    int error = pthread_atfork(NULL, NULL, child);
    return error < 0 ? ENOMEM : error; /* musl says -1, where POSIX wants the one error that there can be */
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
    if (finish_once != finish) finish_once = finish; /* a new copy has one page less of its own */
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

void mp_os_close_all(const mp_os_segment *segment)
{
    mp_os__descriptors_close(0, (int)segment->handle - 1, false);
    mp_os__descriptors_close((int)segment->handle + 1, INT_MAX, false);
}

/* ---- standard streams ------------------------------------------------------------------------------------------ */

/* To look costs less than to flush nothing, which writes to the stream: in a new copy, to a page that must be copied.
 */
static void flush(FILE *stream)
{
#if defined(__GLIBC__)
    if (stream->_IO_write_ptr == stream->_IO_write_base) return; /* no call into pages that are not mapped yet */
#elif defined(__linux__)
    if (__fpending(stream) == 0) return;
#endif
    fflush(stream);
}

void mp_os_flush(void)
{
    flush(stdout);
    flush(stderr);
}

/* Forget what was read and not used, and that the end was reached. A thread that does not exist in this process any
 * more may have held the stream's lock. */
static void stdin_forget(void)
{
#if defined(__GLIBC__)
    /* The usual case, looked at without writing; the mark of an end or an error is in the flags. */
    if (stdin->_IO_read_ptr == stdin->_IO_read_end && !feof_unlocked(stdin) && !ferror_unlocked(stdin)) return;
#endif
#if defined(__linux__)
    __fpurge(stdin);
#else
    fpurge(stdin);
#endif
    clearerr_unlocked(stdin);
}

int mp_os_stdin_null(void)
{
    const char path[] = "/dev/null"; /* on the stack: a constant would be one more page for a new copy to map */
    close(STDIN_FILENO);
    int null = open(path, O_RDONLY); /* takes the lowest number there is: no other thread is in a new copy */
    stdin_forget();
    return null >= 0 ? 0 : errno;
}
