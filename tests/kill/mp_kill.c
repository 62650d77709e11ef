/* SPDX-License-Identifier: MIT
 *
 * mp_kill.c - killed at every instruction.
 *
 * A child is single-stepped through an operation once, to learn its way. Then for each instruction of it another child
 * does the same, runs into a breakpoint there, and is killed; each time the survivors are looked at. And two children step
 * through the same operation in turns, at random, until one of them is killed.
 *
 *     mp_kill [--points N] [--pairs N] [pattern]
 *
 *         points   about so many kill points of each operation at most, chosen at random where it has more: 2000
 *         pairs    so many interleavings of each operation that two may do at once: 300
 */
#include "base/control.h"
#include "operations.h"
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TEST_COVERAGE
#define TEST_COVERAGE 0
#endif

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

/* ---- one kill -------------------------------------------------------------------------------------------------- */

struct task {
    const struct operation *operation;
    struct stage stage;
};

/* Two stops: before the operation, and behind it. */
static int child(void *args)
{
    struct task *task = args;
    struct stage *stage = &task->stage;
    if (task->operation->before && task->operation->before(stage) < 0) return 90;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) return 91;
    raise(SIGSTOP);
    int result = task->operation->operate(stage);
    if (result < 0 && operation_failed_at) fprintf(stderr, "%s: %s\n", operation_failed_at, mp_error_detail());
    if (task->operation->newborn) return result < 0 ? 92 : result;
    if (!task->operation->exits) raise(SIGSTOP);
    return result < 0 ? 92 : 0;
}

struct tally {
    long points, told;
    int64_t slowest;
};

static bool complain(const struct operation *operation, long k, const char *what, const char *detail)
{
    fprintf(stderr, "%s, killed after instruction %ld: %s: %s\n", operation->name, k, what, detail);
    return false;
}

/* What differs; NULL: nothing. An object that was complete when its creator was killed stays, with what belongs to it. */
static const char *difference(const struct operation *operation, const mp_stats *before, const mp_stats *after)
{
    static char text[320];
    uint64_t blocks = after->shared_blocks - before->shared_blocks, arrays = after->arrays - before->arrays;
    uint64_t values = after->values - before->values, locks = after->locks - before->locks;
    uint64_t semaphores = after->semaphores - before->semaphores, events = after->events - before->events;
    uint64_t conditions = after->conditions - before->conditions, barriers = after->barriers - before->barriers;
    uint64_t rlocks = after->rlocks - before->rlocks - arrays - values - conditions; /* that are no part of those */
    uint64_t queues = after->queues - before->queues, ends = after->connections - before->connections;
    uint64_t messages = after->messages - before->messages; /* which go with their process */
    uint64_t memory = blocks + arrays + values + queues + ends + (operation->memory ? semaphores + barriers : 0);
    uint64_t processes = after->records + after->processes, processes_before = before->records + before->processes;
    uint64_t records = processes - processes_before;
    if (blocks + arrays + values + locks + rlocks + semaphores + conditions + events + barriers + queues + ends +
                records >
            operation->creates ||
        (rlocks && !operation->rlocks) || messages) {
        (void)snprintf(text, sizeof text,
                       "more objects than were created: %lld blocks, %lld arrays, %lld values, %lld locks, %lld "
                       "rlocks, %lld semaphores, %lld conditions, %lld events, %lld barriers, %lld queues, %lld "
                       "connections, %lld messages, %lld records",
                       (long long)blocks, (long long)arrays, (long long)values, (long long)locks, (long long)rlocks,
                       (long long)semaphores, (long long)conditions, (long long)events, (long long)barriers,
                       (long long)queues, (long long)ends, (long long)messages, (long long)records);
        return text;
    }
    const struct {
        const char *name;
        uint64_t before, after;
    } counts[] = {
        {"blocks of memory", before->blocks + memory, after->blocks},
        {"threads", before->threads, after->threads},
        {"processes", processes_before + records, processes},
        {"pools", before->pools, after->pools},
        {"results", before->results, after->results},
        {"bytes", before->bytes_used, memory || operation->tracks ? before->bytes_used : after->bytes_used},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].before == counts[i].after) continue;
        if (i == 0 && counts[i].after - counts[i].before <= operation->tracks) continue;
        (void)snprintf(text, sizeof text, "%s: %llu expected, %llu there", counts[i].name,
                       (unsigned long long)counts[i].before, (unsigned long long)counts[i].after);
        return text;
    }
    return NULL;
}

/* Until nothing is left over: what nobody waits for the janitor sees to. */
static const char *await_balance(const struct operation *operation, const mp_stats *before)
{
    int64_t end = now_ms() + LIMIT;
    for (;;) {
        mp_stats after;
        (void)mp_get_stats(&after);
        const char *left = difference(operation, before, &after);
        if (!left || now_ms() > end) return left;
        mp_os_sleep(1000000);
    }
}

static int child_start(struct task *task, mp_process *process)
{
    process->id = 0;
    if (!task->operation->plain)
        return mp_process_start(process, child, task, sizeof *task, &(mp_process_options){.method = MP_FORK});
    pid_t pid = fork();
    if (pid == 0) _exit(child(task));
    return pid;
}

/* How it ended: whom nobody knows is reaped here. */
static int child_end(mp_process process, pid_t pid)
{
    int code = 0, status = 0;
    if (process.id) {
        if (mp_process_join(process, &code, LIMIT) < 0) return 1000;
        (void)mp_process_close(process);
        return code;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* What the survivor finds, or an error, which has been said. */
static int check(struct task *task, long k)
{
    int found = task->operation->check(&task->stage);
    if (found < 0)
        (void)complain(task->operation, k, operation_failed_at ? operation_failed_at : "check", mp_error_detail());
    return found;
}

/* Nothing is left over, since that moment; and it counts. */
static bool account(const struct operation *operation, long k, const mp_stats *before, int64_t since, bool killed,
                    int found, struct tally *tally)
{
    const char *left = await_balance(operation, before);
    int64_t took = now_ms() - since;
    if (left) return complain(operation, k, "left over", left);
    tally->points += killed;
    tally->told += killed && found == MP_OWNERDEAD;
    if (took > tally->slowest) tally->slowest = took;
    return true;
}

/* The process to be stepped through, stopped; -1. */
static pid_t subject_of(const struct operation *operation, pid_t pid)
{
    if (!operation->newborn) return pid;
    if (operation->method != MP_FORKSERVER) return catch_child(pid);
    pid_t spare = stopped_by(pid) == SIGSTOP ? catch_spare() : -1;
    return spare > 0 && let_go(pid, false, 0) ? spare : -1;
}

/* 1: killed at its place k; 0: it came through; -1. */
static int step_and_kill(const struct operation *operation, pid_t pid, struct way *way, long k)
{
    pid_t subject = subject_of(operation, pid);
    if (subject < 0) return -1;
    int killed = way->known ? kill_at(subject, way, k) : follow(subject, way) ? 0 : -1;
    if (!operation->newborn || killed < 0) return killed;
    int stop = release(subject) ? stopped_by(pid) : -1; /* and its parent goes on */
    while (stop == SIGCHLD || stop == SIGTRAP)
        stop = let_go(pid, false, stop == SIGCHLD ? stop : 0) ? stopped_by(pid) : -1;
    return stop == EXITED ? killed : -1;
}

/* What the child has to end with. A fork server's child tells its end itself, and may be killed after that. */
static bool is_code(const struct operation *operation, int killed, int code)
{
    if (!operation->newborn) return code == (killed || !operation->exits ? -KILLED : 0);
    return (code == KILLED && killed) || (code == 3 && (!killed || operation->method == MP_FORKSERVER));
}

/* One child: all of the way if that is not known yet, else to its place k. False: something is wrong. */
static bool try_once(const struct operation *operation, struct way *way, long k, struct tally *tally)
{
    struct task task = {.operation = operation, .stage.method = operation->method};
    mp_stats before;
    mp_process process;
    operation_failed_at = NULL;
    (void)mp_get_stats(&before);
    if (operation->prepare && operation->prepare(&task.stage) < 0)
        return complain(operation, k, "prepare", mp_error_detail());
    int started = child_start(&task, &process);
    if (started < 0) return complain(operation, k, "start", mp_error_detail());
    pid_t pid = process.id ? (pid_t)mp_process_pid(process) : started;
    int killed = step_and_kill(operation, pid, way, k);
    if (killed < 0) return complain(operation, k, "stepping", strerror(errno));
    if (operation->plain) (void)waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    int64_t since = now_ms();
    int found = check(&task, k);
    if (found < 0) return false;
    int code = child_end(process, pid);
    if (!operation->buried && !is_code(operation, killed, code))
        return complain(operation, k, "join", mp_error_detail());
    return account(operation, k, &before, since, killed, found, tally);
}

/* The same in a process of its own, which founds a family. */
static bool try_apart(const struct operation *operation, struct way *way, long k, struct tally *tally)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) exit(!try_once(operation, way, k, tally));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool try_all(const struct operation *operation, long most, struct way *way, struct tally *tally)
{
    bool (*try)(const struct operation *, struct way *, long, struct tally *) = operation->fresh ? try_apart : try_once;
    uint32_t random = 12345;
    /* Twice: the first one finds tables to be grown and the like, which no other will. */
    bool fine = try(operation, way, 0, tally);
    way->length = 0, way->image = 0, way->known = false;
    fine = fine && try(operation, way, 0, tally);
    /* Before another program begins as often as then. */
    long eligible[2] = {0};
    for (long k = 0; k < way->length; k++) eligible[k >= way->image] += way->visits[k] <= VISITS;
    if (way->image) most = (most + 1) / 2;
    for (long k = 0; fine && k < way->length; k++) {
        long stride = eligible[k >= way->image] / most + 1;
        if (way->visits[k] <= VISITS && next_random(&random) % (uint32_t)stride == 0)
            fine = try(operation, way, k, tally);
    }
    return fine;
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

/* Each operation has a family of its own, at least. */
static bool try_operation(const struct operation *operation, long most)
{
    struct way *way = shared(sizeof *way);
    struct tally *tally = shared(sizeof *tally);
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) exit(!try_all(operation, most, way, tally));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    printf("%-34s %6ld instructions, killed at %5ld of them, told of a dead owner %5ld times, slowest %3lld ms%s\n",
           operation->name, way->length, tally->points, tally->told, (long long)tally->slowest,
           status ? "  FAILED" : "");
    fflush(stdout);
    munmap(way, sizeof *way);
    munmap(tally, sizeof *tally);
    return status == 0;
}

/* ---- two at once ----------------------------------------------------------------------------------------------- */

enum where {
    STOPPED,
    RUNNING, /* in a call that waits for something */
    THROUGH
};

struct actor {
    mp_process process;
    pid_t pid;
    enum where where;
    int signal; /* to be given */
};

/* How it stopped has been asked. False: neither a step, nor the end of the operation, nor a signal of its own. */
static bool note(struct actor *actor, int stop)
{
    if (stop < 0) return false;
    actor->where = stop == 0 ? RUNNING : stop == SIGSTOP ? THROUGH : STOPPED;
    actor->signal = stop == SIGCHLD ? stop : 0;
    if (stop == 0 || stop == SIGSTOP || stop == SIGTRAP || stop == SIGCHLD) return true;
    fprintf(stderr, "process %d stopped by %d\n", (int)actor->pid, stop);
    return false;
}

/* Some steps of it, or as many as it comes. */
static bool act(struct actor *actor, uint32_t steps, long *taken)
{
    const int64_t patience = 300; /* us: a step that takes longer waits */
    if (actor->where == RUNNING && !note(actor, stopped_within(actor->pid, 0))) return false;
    for (uint32_t i = 0; i < steps && actor->where == STOPPED; i++, (*taken)++)
        if (!let_go(actor->pid, true, actor->signal) || !note(actor, stopped_within(actor->pid, patience)))
            return false;
    return true;
}

/* The one that was left comes through by itself. */
static bool finish(struct actor *actor)
{
    for (int64_t end = now_ms() + LIMIT; actor->where != THROUGH;) {
        if (now_ms() > end) return fprintf(stderr, "process %d does not come through\n", (int)actor->pid), false;
        if (actor->where == STOPPED && !let_go(actor->pid, false, actor->signal)) return false;
        if (!note(actor, stopped_within(actor->pid, 10000))) return false;
    }
    return true;
}

/* Two children take turns at random, until they are through or have done `steps` together; then one is killed. *steps: those
 * that they have done. */
static bool interleave(const struct operation *operation, long *steps, uint32_t *random, struct tally *tally)
{
    struct task task = {.operation = operation, .stage.method = operation->method};
    struct actor actors[2];
    mp_stats before;
    operation_failed_at = NULL;
    (void)mp_get_stats(&before);
    if (operation->prepare && operation->prepare(&task.stage) < 0)
        return complain(operation, *steps, "prepare", mp_error_detail());
    for (int i = 0; i < 2; i++) {
        if (child_start(&task, &actors[i].process) < 0) return complain(operation, *steps, "start", mp_error_detail());
        actors[i].pid = (pid_t)mp_process_pid(actors[i].process);
        if (stopped_by(actors[i].pid) != SIGSTOP) return complain(operation, *steps, "stepping", "it did not begin");
        actors[i].where = STOPPED, actors[i].signal = 0;
    }
    long taken = 0;
    while (taken < *steps && (actors[0].where != THROUGH || actors[1].where != THROUGH)) {
        uint32_t which = next_random(random) & 1, quantum = next_random(random) % 40 + 1;
        if (!act(&actors[which], quantum, &taken)) return complain(operation, taken, "stepping", strerror(errno));
    }
    struct actor *victim = &actors[next_random(random) & 1], *other = victim == actors ? actors + 1 : actors;
    bool killed = victim->where != THROUGH;
    kill(victim->pid, SIGKILL);
    int64_t since = now_ms();
    if (!finish(other)) return complain(operation, taken, "two at once", "the survivor hangs");
    kill(other->pid, SIGKILL);
    int found = check(&task, taken);
    if (found < 0) return false;
    for (int i = 0; i < 2; i++)
        if (child_end(actors[i].process, actors[i].pid) != -9)
            return complain(operation, taken, "join", mp_error_detail());
    *steps = taken;
    return account(operation, taken, &before, since, killed, found, tally);
}

/* In a family of its own. */
static bool try_pairs(const struct operation *operation, long count)
{
    struct tally *tally = shared(sizeof *tally);
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        uint32_t random = 54321;
        long whole = AT_MOST;
        bool fine = interleave(operation, &whole, &random, tally);
        whole = AT_MOST;
        fine = fine && interleave(operation, &whole, &random, tally);
        for (long i = 0; fine && i < count; i++) {
            long steps = (long)(next_random(&random) % (uint32_t)(whole + 1));
            fine = interleave(operation, &steps, &random, tally);
        }
        exit(!fine);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    printf(
        "%-34s two at once, one killed at %5ld of %5ld points, told of a dead owner %5ld times, slowest %3lld ms%s\n",
        operation->name, tally->points, count, tally->told, (long long)tally->slowest, status ? "  FAILED" : "");
    fflush(stdout);
    munmap(tally, sizeof *tally);
    return status == 0;
}

static bool can_trace(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* One of them has ended. */
static bool await_job(void)
{
    int status = 1;
    while (wait(&status) < 0 && errno == EINTR) {}
    return status == 0;
}

/* Of all tables; NULL behind the last one. */
static const struct operation *operation_at(size_t i)
{
    if (i < operations_count) return &operations[i];
    i -= operations_count;
    if (i < operations_sync_count) return &operations_sync[i];
    i -= operations_sync_count;
    if (i < operations_channel_count) return &operations_channel[i];
    i -= operations_channel_count;
    if (i < operations_wait_count) return &operations_wait[i];
    i -= operations_wait_count;
    if (i < operations_pool_count) return &operations_pool[i];
    i -= operations_pool_count;
    return i < operations_trace_count ? &operations_trace[i] : NULL;
}

int main(int argc, char **argv)
{
    long most = 2000, pairs = 300;
    const char *pattern = "";
    mp_freeze_support();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--points") == 0 && i + 1 < argc)
            most = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--pairs") == 0 && i + 1 < argc)
            pairs = strtol(argv[++i], NULL, 10);
        else
            pattern = argv[i];
    }
    if (!can_trace()) {
        puts("skipped: processes may not be traced here");
        return 77;
    }
    int failures = 0;
    long jobs = 0, jobs_most = sysconf(_SC_NPROCESSORS_ONLN);
    for (size_t i = 0; operation_at(i / 2); i++) {
        const struct operation *operation = operation_at(i / 2);
        bool in_pairs = i % 2;
        if (TEST_COVERAGE && (operation->newborn || operation->exits))
            continue; /* it would step through writing counts */
        if (!strstr(operation->name, pattern) || !(in_pairs ? operation->paired && pairs > 0 : most > 0)) continue;
        if (jobs++ >= jobs_most) failures += !await_job();
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) exit(!(in_pairs ? try_pairs(operation, pairs) : try_operation(operation, most)));
        if (pid < 0) return perror("fork"), 2;
    }
    for (jobs = jobs < jobs_most ? jobs : jobs_most; jobs > 0; jobs--) failures += !await_job();
    return failures ? 1 : 0;
}
