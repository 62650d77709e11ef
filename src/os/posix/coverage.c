/* SPDX-License-Identifier: MIT
 *
 * coverage.c - only with MP_COVERAGE: writes down what a process has counted where the compiler's library would not.
 *
 * That does it in exit(). But children of fork, the janitor and the fork server end by _exit, tests let processes kill
 * themselves, and a new program begins with new counters. So the calls by which that happens are defined here, before the
 * system's: nothing in libmp has to know of it. What another process kills loses what it had counted.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);

/* For tests that make calls fail: not those by which the counts are written. */
_Thread_local bool mp_coverage_writes;

static pid_t owner;

static void own(void)
{
    owner = getpid();
}

__attribute__((constructor)) static void begin(void)
{
    own();
    pthread_atfork(NULL, NULL, own);
}

/* A file that is cut off is of no use to those who write after this process. */
static void lift(int which)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(which, &limit);
}

/* What is not the owner shares the owner's memory, and so its counters: a child on its way to its program. */
static void keep(bool last)
{
    sigset_t all, old;
    if (owner != getpid()) return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (last) lift(RLIMIT_FSIZE), lift(RLIMIT_NOFILE);
    mp_coverage_writes = true;
    __gcov_dump();
    __gcov_reset(); /* or it would not be written again */
    mp_coverage_writes = false;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Before that of the compiler's library, which is left nothing but this file's end. */
__attribute__((destructor)) static void end(void)
{
    if (owner != getpid()) return;
    keep(true);
    mp_coverage_writes = true;
}

_Noreturn void _exit(int code)
{
    keep(true);
    for (;;) syscall(SYS_exit_group, code);
}

_Noreturn void _Exit(int code)
{
    _exit(code);
}

_Noreturn void abort(void)
{
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
    _exit(127);
}

int execve(const char *path, char *const *arguments, char *const *environment)
{
    keep(false);
    return (int)syscall(SYS_execve, path, arguments, environment);
}

int kill(pid_t pid, int number)
{
    if (pid == getpid() && number == SIGKILL) keep(true);
    return (int)syscall(SYS_kill, pid, number);
}

int raise(int number)
{
    if (number == SIGKILL || number == SIGABRT) keep(true);
    return (int)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}
