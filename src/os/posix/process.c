/* SPDX-License-Identifier: MIT
 *
 * process.c - processes seen from outside: copying this one, naming one for ever, waiting, signals.
 *
 * A child is waited for with waitid and WNOWAIT, so that it stays to be reaped, and its pid stays its own. Another
 * process is held by a pidfd, where there is such a thing; else all that can be done is to look from time to time.
 */
#include "posix.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if MP_LINUX
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

int mp_os_fork(mp_os_process *child)
{
    pid_t pid = fork();
    if (pid < 0) return errno;
    *child = (mp_os_process){.pid = pid, .handle = MP_OS_NO_HANDLE, .child = pid != MP_OS_IN_CHILD};
    return 0;
}

int mp_os__status_code(int status)
{
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- Linux: pidfd and /proc ------------------------------------------------------------------------------------ */

#if MP_LINUX

int mp_os__pidfd_open(int64_t pid)
{
#ifdef SYS_pidfd_open
    return mp_os__descriptor_raise((int)syscall(SYS_pidfd_open, (pid_t)pid, 0));
#else
    errno = ENOSYS;
    (void)pid;
    return -1;
#endif
}

uint64_t mp_os__pidfd_birth(int pidfd)
{
    struct statfs system;
    struct stat status;
    if (fstatfs(pidfd, &system) != 0 || (uint64_t)system.f_type != UINT64_C(0x50494446)) return 0;
    if (fstat(pidfd, &status) != 0) return 0;
    return (uint64_t)status.st_ino | MP_OS__BIRTH_IS_INODE;
}

static int pidfd_signal(int pidfd, int number)
{
#ifdef SYS_pidfd_send_signal
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
#else
    (void)pidfd, (void)number;
    errno = ENOSYS;
    return -1;
#endif
}

bool mp_os__stat_read(int64_t pid, struct mp_os__stat *stat)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    if (!mp_os__file_read(path, text, sizeof text)) return false;
    /* The second field is a name in brackets, and may hold anything. */
    char *next = strrchr(text, ')');
    if (next == NULL || next[1] != ' ') return false;
    *stat = (struct mp_os__stat){.state = next[2]};
    next += 3;
    for (int field = 4; field <= 52 && *next != '\0'; field++) {
        unsigned long long number = strtoull(next, &next, 10);
        if (field == 20) stat->threads = (long)number;
        if (field == 22) stat->start = number;
        if (field == 52) stat->status = (int)number;
    }
    return true;
}

/* Whether the kernel tells us a zombie's status; to others it says 0. */
static bool may_look_into(int64_t pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
    if (stat(path, &status) != 0) return false;
    return geteuid() == 0 || (status.st_uid == geteuid() && status.st_gid == getegid());
}

struct pidfd_info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t status;
};
_Static_assert(sizeof(struct pidfd_info) == 64, "as the kernel has it");

/* How a process ended that nobody but the pidfd remembers; since 6.15. */
static bool reaped_status(int pidfd, int *status)
{
    struct pidfd_info info = {.mask = 1 << 3 /* PIDFD_INFO_EXIT */};
    const unsigned long get_info = _IOWR(0xff, 11, struct pidfd_info);
    if (syscall(SYS_ioctl, pidfd, get_info, &info) != 0 || !(info.mask & 1 << 3)) return false;
    *status = info.status;
    return true;
}

static bool zombie_status(const mp_os_process *process, int *status)
{
    struct mp_os__stat stat;
    if (!mp_os__stat_read(process->pid, &stat) || stat.state != 'Z' || !may_look_into(process->pid)) return false;
    /* The pid was still that of the process, or it would be gone by now. */
    if (pidfd_signal((int)process->handle, 0) != 0 && errno != EPERM) return false;
    *status = stat.status;
    return true;
}

static void learn_ending(const mp_os_process *process, mp_os_ending *ending)
{
    int status = 0, pidfd = (int)process->handle;
    bool known = reaped_status(pidfd, &status) || zombie_status(process, &status) || reaped_status(pidfd, &status);
    *ending = (mp_os_ending){.known = known, .code = known ? mp_os__status_code(status) : 0};
}

/* A zombie, and not only its first thread. */
static bool looks_ended(int64_t pid)
{
    struct mp_os__stat stat;
    return mp_os__stat_read(pid, &stat) && (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
}

#else

int mp_os__pidfd_open(int64_t pid)
{
    (void)pid;
    errno = ENOSYS;
    return -1;
}

uint64_t mp_os__pidfd_birth(int pidfd)
{
    (void)pidfd;
    return 0;
}

static int pidfd_signal(int pidfd, int number)
{
    (void)pidfd, (void)number;
    errno = ENOSYS;
    return -1;
}

bool mp_os__stat_read(int64_t pid, struct mp_os__stat *stat)
{
    (void)pid, (void)stat;
    return false;
}

static void learn_ending(const mp_os_process *process, mp_os_ending *ending)
{
    (void)process;
    *ending = (mp_os_ending){.known = false};
}

static bool looks_ended(int64_t pid)
{
    (void)pid;
    return false;
}

#endif

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/* 0 when the pidfd says that its process has ended. */
static int wait_on_pidfd(int pidfd, int64_t deadline)
{
    for (;;) {
        struct pollfd poll_one = {.fd = pidfd, .events = POLLIN};
        int64_t left = deadline == MP_OS_NEVER ? INT64_MAX : deadline - mp_os_now();
        if (left < 0) left = 0;
        struct timespec time = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
        int ready = ppoll(&poll_one, 1, deadline == MP_OS_NEVER ? NULL : &time, NULL);
        if (ready > 0) return poll_one.revents & POLLNVAL ? EBADF : 0;
        if (ready == 0) return mp_os_etimedout;
        if (errno != EINTR) return errno;
    }
}

/* Where one can only look, ever more rarely. False: time is up. */
static bool pause_before_look(int64_t *pause, int64_t deadline)
{
    int64_t now = mp_os_now();
    if (now >= deadline) return false;
    mp_os_sleep(*pause < deadline - now ? *pause : deadline - now);
    *pause = *pause * 2 < 5000000 ? *pause * 2 : 5000000;
    return true;
}

/* Ask for a child; `options` is WNOHANG or 0. */
static int ask_child(int64_t pid, int options, mp_os_ending *ending)
{
    siginfo_t info;
    int result;
    do {
        memset(&info, 0, sizeof info);
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | options);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return errno == ECHILD ? mp_os_egone : errno;
    if (info.si_pid == 0) return mp_os_etimedout;
    *ending = (mp_os_ending){.known = true, .code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status};
    return 0;
}

static int wait_for_child(int64_t pid, int64_t deadline, mp_os_ending *ending)
{
    if (deadline == MP_OS_NEVER) return ask_child(pid, 0, ending);
    int error = ask_child(pid, WNOHANG, ending);
    if (error != mp_os_etimedout || deadline <= 0 || deadline <= mp_os_now()) return error;

    int pidfd = mp_os__pidfd_open(pid);
    int64_t pause = 50000;
    do {
        if (pidfd >= 0) wait_on_pidfd(pidfd, deadline);
        error = ask_child(pid, WNOHANG, ending);
    } while (error == mp_os_etimedout && (pidfd < 0 ? pause_before_look(&pause, deadline) : mp_os_now() < deadline));
    if (pidfd >= 0) close(pidfd);
    return error;
}

static bool has_pid(int64_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static bool is_there(int64_t pid)
{
    return has_pid(pid) && !looks_ended(pid);
}

static int wait_for_other(const mp_os_process *process, int64_t deadline, mp_os_ending *ending)
{
    if (process->handle != MP_OS_NO_HANDLE) {
        int error = wait_on_pidfd((int)process->handle, deadline);
        if (error == 0) learn_ending(process, ending);
        return error;
    }
    int64_t pause = 50000;
    while (is_there(process->pid))
        if (!pause_before_look(&pause, deadline)) return mp_os_etimedout;
    *ending = (mp_os_ending){.known = false};
    return 0;
}

int mp_os_process_wait(mp_os_process *process, int64_t deadline, mp_os_ending *ending)
{
    if (process->child) return wait_for_child(process->pid, deadline, ending);
    return wait_for_other(process, deadline, ending);
}

uint64_t mp_os_pid_space(uint64_t known)
{
    struct stat status;
    if (!MP_LINUX) return 0;
    if (known != 0 && getppid() != 0) return known; /* 0: the parent is not to be seen from here */
    return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

bool mp_os_pid_space_is_childrens(void)
{
    struct stat own, childrens;
    return !MP_LINUX || stat("/proc/thread-self/ns/pid", &own) != 0 ||
           stat("/proc/thread-self/ns/pid_for_children", &childrens) != 0 || own.st_ino == childrens.st_ino;
}

bool mp_os_end_is_visible(void)
{
    return MP_LINUX; /* elsewhere kill(pid, 0) is all there is, and succeeds */
}

/* ---- opening, signals, release --------------------------------------------------------------------------------- */

static uint64_t birth_of(int64_t pid, int pidfd)
{
    uint64_t birth = pidfd >= 0 ? mp_os__pidfd_birth(pidfd) : 0;
    struct mp_os__stat stat;
    if (birth == 0 && mp_os__stat_read(pid, &stat)) birth = stat.start;
    return birth;
}

/* Whether what now has the pid was born as told. Asked after the pidfd was opened: had that been another process, this
 * would be it or a later one still. */
static bool born_so(int64_t pid, int pidfd, uint64_t birth)
{
    struct mp_os__stat stat;
    if (birth == 0) return true;
    if (birth & MP_OS__BIRTH_IS_INODE) {
        uint64_t found = pidfd >= 0 ? mp_os__pidfd_birth(pidfd) : 0;
        return found == 0 || found == birth;
    }
    return !mp_os__stat_read(pid, &stat) || stat.start == birth;
}

int mp_os_process_open(mp_os_process *process, int64_t pid, uint64_t birth)
{
    if (pid <= 0) return mp_os_egone;
    int pidfd = mp_os__pidfd_open(pid);
    if (pidfd < 0 && (errno == ESRCH || !has_pid(pid))) return mp_os_egone; /* what was not reaped yet can be opened */
    if (!born_so(pid, pidfd, birth)) {
        if (pidfd >= 0) close(pidfd);
        return mp_os_egone;
    }
    *process = (mp_os_process){.pid = pid, .handle = pidfd, .birth = birth != 0 ? birth : birth_of(pid, pidfd)};
    return 0;
}

static bool has_ended(const mp_os_process *process)
{
    mp_os_ending ending;
    if (process->child) return ask_child(process->pid, WNOHANG, &ending) != mp_os_etimedout;
    if (process->handle != MP_OS_NO_HANDLE) return wait_on_pidfd((int)process->handle, 0) == 0;
    return !is_there(process->pid);
}

/* A child that was not reaped yet still has its pid, which where there are no pidfds is all that others can see. */
bool mp_os_process_is_gone(int64_t pid, uint64_t birth)
{
    mp_os_process process = {.pid = pid, .handle = MP_OS_NO_HANDLE, .child = true};
    mp_os_ending ending;
    int error = ask_child((pid_t)pid, WNOHANG, &ending);
    /* A child of this process that runs may be another one, which has the pid since. */
    if (error == 0 || (error != mp_os_egone && !birth)) return error == 0;
    error = mp_os_process_open(&process, pid, birth);
    if (error != 0) return error == mp_os_egone;
    bool gone = has_ended(&process);
    mp_os_process_release(&process);
    return gone;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZER_THREADS 1 /* it runs one of its own in each process */
#endif
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER_THREADS 1
#endif
#ifndef SANITIZER_THREADS
#define SANITIZER_THREADS 0
#endif

size_t mp_os_process_threads(int64_t pid)
{
    struct mp_os__stat stat;
    return mp_os__stat_read(pid, &stat) && stat.threads > SANITIZER_THREADS ? (size_t)stat.threads - SANITIZER_THREADS
                                                                            : 0;
}

int mp_os_process_signal(mp_os_process *process, enum mp_os_signal signal)
{
    static const int numbers[] = {[MP_OS_INTERRUPT] = SIGINT, [MP_OS_TERMINATE] = SIGTERM, [MP_OS_KILL] = SIGKILL};
    /* A zombie takes signals, and one that somebody else has reaped has left its pid to others. */
    if (has_ended(process)) return mp_os_egone;
    int number = numbers[signal];
    if (process->handle != MP_OS_NO_HANDLE && pidfd_signal((int)process->handle, number) == 0) return 0;
    if (process->handle != MP_OS_NO_HANDLE && errno != ENOSYS) return errno;
    return kill((pid_t)process->pid, number) == 0 ? 0 : errno;
}

void mp_os_process_release(mp_os_process *process)
{
    int status;
    if (process->child && process->pid > 0)
        while (waitpid((pid_t)process->pid, &status, WNOHANG) < 0 && errno == EINTR) {}
    if (process->handle != MP_OS_NO_HANDLE) close((int)process->handle);
    *process = (mp_os_process){.handle = MP_OS_NO_HANDLE};
}
