/* SPDX-License-Identifier: MIT
 *
 * trace.c - stepping through another process, and killing it somewhere.
 */
#include "trace.h"
#include "base/arena.h"
#include "operations.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int event; /* of the last stop: PTRACE_EVENT_EXEC and the like, or 0 */

int stopped_by(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL) != 0)
        if (errno != EINTR) return -1;
    if (info.si_code == CLD_EXITED) return EXITED;
    int status;
    if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return -1;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) return -1;
    event = status >> 16;
    return WSTOPSIG(status);
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

static bool count_visits(struct way *way, long from, long length)
{
    uint64_t **order = malloc((size_t)length * sizeof *order + 1);
    if (!order) return false;
    for (long i = 0; i < length; i++) order[i] = &way->places[from + i];
    qsort(order, (size_t)length, sizeof *order, by_place);
    for (long i = 0; i < length; i++)
        way->visits[order[i] - way->places] =
            i && *order[i] == *order[i - 1] ? way->visits[order[i - 1] - way->places] + 1 : 1;
    free(order);
    return true;
}

bool follow(pid_t pid, struct way *way)
{
    int first = stopped_by(pid);
    if (first != SIGSTOP) return fprintf(stderr, "stopped by %d\n", first), false;
    for (;;) {
        int signal = go_on(pid, true);
        if (signal == SIGSTOP || signal == EXITED) break;
        if (signal != SIGTRAP) return false;
        if (event == PTRACE_EVENT_EXEC) way->image = way->length;
        if (!way_add(way, place_of(pid))) return false;
    }
    kill(pid, SIGKILL);
    way->known = count_visits(way, 0, way->image) && count_visits(way, way->image, way->length - way->image);
    return way->known;
}

static bool to_next_image(pid_t pid)
{
    do
        if (go_on(pid, false) != SIGTRAP) return false;
    while (event != PTRACE_EVENT_EXEC);
    return true;
}

static bool plant(pid_t pid, uint64_t place, long *text)
{
    const long breakpoint = 0xcc;
    errno = 0;
    long there = ptrace(PTRACE_PEEKTEXT, pid, (void *)place, NULL);
    if (errno != 0) return false;
    if ((there & 0xff) == breakpoint) return true; /* already */
    *text = there;
    return ptrace(PTRACE_POKETEXT, pid, (void *)place, (void *)((there & ~0xffL) | breakpoint)) == 0;
}

/* Run to the breakpoint. What the dynamic linker has not mapped yet, or maps anew, gets it at one of the next calls. */
static int run_to(pid_t pid, uint64_t place, bool maps, long *text)
{
    const int call = SIGTRAP | 0x80;
    if (!maps) return plant(pid, place, text) ? go_on(pid, false) : -1;
    int stop = 0;
    do {
        (void)plant(pid, place, text);
        if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)(stop == SIGCHLD ? stop : 0)) != 0) return -1;
        stop = stopped_by(pid);
    } while (stop == call || stop == SIGCHLD);
    return stop;
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
    bool maps = way->image && k >= way->image;
    long text = 0;
    if (stopped_by(pid) != SIGSTOP) return -1;
    if (maps && !to_next_image(pid)) return -1;
    if (maps && k == way->image) return kill(pid, SIGKILL) == 0 ? 1 : -1;
    for (uint32_t visit = 1;; visit++) {
        int signal = run_to(pid, place, maps, &text);
        bool through = signal == SIGSTOP || signal == EXITED;
        if (!through && (signal != SIGTRAP || !remove_and_rewind(pid, place, text))) return -1;
        if (through || visit == way->visits[k]) {
            kill(pid, SIGKILL);
            return !through;
        }
        int step = go_on(pid, true);
        if (step == EXITED) return 0;
        if (step != SIGTRAP) return -1;
    }
}

/* ---- processes at their beginning -------------------------------------------------------------------------------- */

pid_t catch_child(pid_t pid)
{
    unsigned long child = 0;
    if (stopped_by(pid) != SIGSTOP) return -1;
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
               (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD)) != 0)
        return -1;
    if (go_on(pid, false) != SIGTRAP || (event != PTRACE_EVENT_FORK && event != PTRACE_EVENT_VFORK)) return -1;
    if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) != 0 || !let_go(pid, false, 0)) return -1;
    return (pid_t)child;
}

/* The parent of a process, if that has the arena open, too. 0: it has not, or is gone. */
static pid_t parent_in_family(pid_t pid)
{
    char path[64], target[PATH_MAX];
    struct stat own, other;
    int parent = 0;
    if (fstat((int)mp__arena.segment.handle, &own) != 0) return 0;
    bool member = false;
    for (int fd = 0; !member && fd < 64; fd++) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        member = stat(path, &other) == 0 && other.st_ino == own.st_ino && other.st_dev == own.st_dev;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = member ? fopen(path, "re") : NULL;
    if (!file) return 0;
    if (fgets(target, sizeof target, file) == NULL || sscanf(strrchr(target, ')') + 1, " %*c %d", &parent) != 1)
        parent = 0;
    fclose(file);
    return parent;
}

/* A child of a fork server: of a process of this family whose parent is none. */
static bool is_spare(pid_t pid)
{
    pid_t server = parent_in_family(pid);
    pid_t stranger = server && server != getpid() ? parent_in_family(server) : 0;
    return stranger && !parent_in_family(stranger);
}

static pid_t newest_spare(void)
{
    pid_t found = 0;
    DIR *all = opendir("/proc");
    for (const struct dirent *entry; all && (entry = readdir(all)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > found && is_spare(pid)) found = pid;
    }
    if (all) closedir(all);
    return found;
}

pid_t catch_spare(void)
{
    pid_t pid = 0;
    for (int64_t end = now_ms() + LIMIT; !pid && now_ms() < end;) pid = newest_spare();
    return pid && ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0 ? pid : -1;
}

bool release(pid_t pid)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, __WALL);
    while ((got < 0 && errno == EINTR) || (got == pid && WIFSTOPPED(status)));
    return got == pid;
}
