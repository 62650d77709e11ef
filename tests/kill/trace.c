/* SPDX-License-Identifier: MIT
 *
 * trace.c - stepping through another process, and killing it somewhere.
 */
#include "trace.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

int stopped_by(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL) != 0)
        if (errno != EINTR) return -1;
    if (info.si_code == CLD_EXITED) return EXITED;
    int status;
    if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return -1;
    return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

int stopped_within(pid_t pid, int64_t microseconds)
{
    struct timespec since, now;
    clock_gettime(CLOCK_MONOTONIC, &since);
    do {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL) != 0) return -1;
        if (info.si_pid == pid) return stopped_by(pid);
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - since.tv_sec) * 1000000 + (now.tv_nsec - since.tv_nsec) / 1000 < microseconds);
    return 0;
}

bool let_go(pid_t pid, bool one_step, int signal)
{
    void *given = (void *)(intptr_t)signal;
    return (one_step ? ptrace(PTRACE_SINGLESTEP, pid, NULL, given) : ptrace(PTRACE_CONT, pid, NULL, given)) == 0;
}

int go_on(pid_t pid, bool one_step)
{
    int signal = 0;
    do {
        if (!let_go(pid, one_step, signal)) return -1;
        signal = stopped_by(pid);
    } while (signal == SIGCHLD);
    return signal;
}

static uint64_t place_of(pid_t pid)
{
    struct user_regs_struct registers;
    return ptrace(PTRACE_GETREGS, pid, NULL, &registers) == 0 ? registers.rip : 0;
}

static bool way_add(struct way *way, uint64_t place)
{
    if (way->length == AT_MOST) return false;
    way->places[way->length++] = place;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const uint64_t *x = *(uint64_t *const *)a, *y = *(uint64_t *const *)b;
    if (*x != *y) return *x < *y ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool way_count_visits(struct way *way)
{
    uint64_t **order = malloc((size_t)way->length * sizeof *order);
    if (!order) return false;
    for (long i = 0; i < way->length; i++) order[i] = &way->places[i];
    qsort(order, (size_t)way->length, sizeof *order, by_place);
    for (long i = 0; i < way->length; i++)
        way->visits[order[i] - way->places] =
            i && *order[i] == *order[i - 1] ? way->visits[order[i - 1] - way->places] + 1 : 1;
    free(order);
    return way->known = true;
}

bool follow(pid_t pid, struct way *way)
{
    int first = stopped_by(pid);
    if (first != SIGSTOP) return fprintf(stderr, "stopped by %d\n", first), false;
    for (;;) {
        int signal = go_on(pid, true);
        if (signal == SIGSTOP || signal == EXITED) break;
        if (signal != SIGTRAP || !way_add(way, place_of(pid))) return false;
    }
    kill(pid, SIGKILL);
    return way_count_visits(way);
}

static bool plant(pid_t pid, uint64_t place, long *text)
{
    const long breakpoint = 0xcc;
    errno = 0;
    *text = ptrace(PTRACE_PEEKTEXT, pid, (void *)place, NULL);
    return errno == 0 && ptrace(PTRACE_POKETEXT, pid, (void *)place, (void *)((*text & ~0xffL) | breakpoint)) == 0;
}

/* It has run into the breakpoint: as if there were none. */
static bool remove_and_rewind(pid_t pid, uint64_t place, long text)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_POKETEXT, pid, (void *)place, (void *)text) != 0) return false;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) != 0 || registers.rip != place + 1) return false;
    registers.rip = place;
    return ptrace(PTRACE_SETREGS, pid, NULL, &registers) == 0;
}

int kill_at(pid_t pid, const struct way *way, long k)
{
    uint64_t place = way->places[k];
    long text;
    if (stopped_by(pid) != SIGSTOP || !plant(pid, place, &text)) return -1;
    for (uint32_t visit = 1;; visit++) {
        int signal = go_on(pid, false);
        bool through = signal == SIGSTOP || signal == EXITED;
        if (!through && (signal != SIGTRAP || !remove_and_rewind(pid, place, text))) return -1;
        if (through || visit == way->visits[k]) {
            kill(pid, SIGKILL);
            return !through;
        }
        int step = go_on(pid, true);
        if (step == EXITED) return 0;
        if (step != SIGTRAP) return -1;
        if (!plant(pid, place, &text)) return -1;
    }
}
