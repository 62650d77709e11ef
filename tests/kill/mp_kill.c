/* SPDX-License-Identifier: MIT
 *
 * mp_kill.c - killed at every instruction.
 *
 * A child is single-stepped through an operation once, to learn its way. Then for each instruction of it another child
 * does the same, runs into a breakpoint there, and is killed; each time the survivors are looked at.
 *
 *     mp_kill [--points N] [pattern]     N: about so many kill points of each operation at most, chosen at random
 *
 * A new operation is one entry of the table: what is prepared by the survivor, what the child does before, the operation
 * itself, and what has to hold afterwards.
 */
#include "base/control.h"
#include "base/lockword.h"
#include "base/thread.h"

#include <mp/mp.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT    10000 /* ms: whoever waits longer hangs */
#define VISITS   64    /* of one place: the later rounds of a loop are left out */
#define AT_MOST  400000
#define OUTCOMES 8

/* What an operation is done on. */
struct stage {
    mp_lock lock;
    mp_rlock rlock;
    mp_array array;
    mp_block block;
    mp_block board; /* struct board: what a child lets the survivor know */
    size_t size;
};

struct board {
    mp_process waiter;
};

struct operation {
    const char *name;
    int (*prepare)(struct stage *); /* by the survivor; may be NULL */
    int (*before)(struct stage *);  /* by the child, not stepped through; may be NULL */
    int (*operate)(struct stage *); /* by the child */
    int (*check)(
        struct stage *); /* by the survivor, when the child is dead: what it found (MP_OWNERDEAD), or an error */
    unsigned creates;    /* objects */
};

static const char *failed_at;

/* A condition that has to hold in the survivor. */
#define HOLDS(condition)                                             \
    do {                                                             \
        if (!(condition)) return failed_at = #condition, MP_ESYSTEM; \
    } while (0)

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- locks ----------------------------------------------------------------------------------------------------- */

static int lock_prepare(struct stage *stage)
{
    return mp_lock_create(&stage->lock, NULL);
}

static int lock_acquire(struct stage *stage)
{
    return mp_lock_acquire(stage->lock, MP_FOREVER);
}

static int lock_release(struct stage *stage)
{
    return mp_lock_release(stage->lock);
}

/* A second time without a remark: it is told once. */
static int lock_check(struct stage *stage)
{
    int found = mp_lock_acquire(stage->lock, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(mp_lock_acquire(stage->lock, 0) == 0);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(mp_lock_destroy(stage->lock) == 0);
    return found;
}

static int take_and_give(void *args)
{
    mp_lock lock = *(const mp_lock *)args;
    int result = mp_lock_acquire(lock, LIMIT);
    if (result < 0) return result;
    int released = mp_lock_release(lock);
    return released < 0 ? released : result;
}

static bool somebody_sleeps(mp_lock lock)
{
    const struct mp__control *control = mp__control_of(lock.id, MP__LOCK);
    return control && atomic_load(&control->state) & MP__LOCK_WAITERS;
}

static int waited_prepare(struct stage *stage)
{
    int result = mp_block_create(&stage->board, sizeof(struct board));
    return result < 0 ? result : lock_prepare(stage);
}

/* The child has it, and another process sleeps for it. */
static int hold_before_waiter(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int result = mp_lock_acquire(stage->lock, MP_FOREVER);
    if (result < 0) return result;
    result = mp_process_start(&board->waiter, take_and_give, &stage->lock, sizeof stage->lock,
                              &(mp_process_options){.method = MP_FORK});
    while (result == 0 && !somebody_sleeps(stage->lock)) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

/* The waiter, a child of the dead one, comes through, too, and has given the lock back. */
static int waited_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int code = 0, found = mp_lock_acquire(stage->lock, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(mp_process_join(board->waiter, &code, LIMIT) == 0);
    HOLDS(code == 0 || (code == MP_OWNERDEAD && found == 0)); /* it is told once */
    HOLDS(mp_process_close(board->waiter) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    HOLDS(lock_check(stage) == 0);
    return code == MP_OWNERDEAD ? code : found;
}

static int lock_with(struct stage *stage)
{
    MP_WITH_LOCK(stage->array) MP_ARRAY(int, stage->array)[1]++;
    return 0;
}

static int rlock_prepare(struct stage *stage)
{
    return mp_rlock_create(&stage->rlock, NULL);
}

static int rlock_use(struct stage *stage)
{
    int result = 0;
    for (int i = 0; i < 3 && result == 0; i++) result = mp_rlock_acquire(stage->rlock, MP_FOREVER);
    for (int i = 0; i < 3 && result == 0; i++) result = mp_rlock_release(stage->rlock);
    return result;
}

static int rlock_check(struct stage *stage)
{
    int found = mp_rlock_acquire(stage->rlock, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_rlock_acquire(stage->rlock, 0) == 0);
    HOLDS(mp_rlock_release(stage->rlock) == 0);
    HOLDS(mp_rlock_release(stage->rlock) == 0);
    HOLDS(mp_rlock_locked(stage->rlock) == 0);
    HOLDS(mp_rlock_destroy(stage->rlock) == 0);
    return found;
}

static int array_prepare(struct stage *stage)
{
    return mp_array_create(&stage->array, sizeof(int), 4, NULL);
}

static int array_check(struct stage *stage)
{
    int64_t since = now_ms();
    MP_WITH_LOCK(stage->array) MP_ARRAY(int, stage->array)[1]++;
    HOLDS(now_ms() - since < LIMIT);
    HOLDS(mp_array_destroy(stage->array) == 0);
    return 0;
}

/* A lock that somebody else holds, for a time. */
static int held_prepare(struct stage *stage)
{
    int result = lock_prepare(stage);
    return result < 0 ? result : mp_lock_acquire(stage->lock, 0);
}

static int lock_acquire_in_vain(struct stage *stage)
{
    return mp_lock_acquire(stage->lock, 1) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
}

static int held_check(struct stage *stage)
{
    HOLDS(mp_lock_release(stage->lock) == 0);
    int found = lock_check(stage);
    HOLDS(found == 0);
    return found;
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static int block_use(struct stage *stage)
{
    mp_block block;
    int result = mp_block_create(&block, stage->size);
    return result < 0 ? result : mp_block_destroy(block);
}

static int small(struct stage *stage)
{
    stage->size = 100;
    return 0;
}

static int large(struct stage *stage)
{
    stage->size = 200000;
    return 0;
}

/* What goes back to the system when it is freed. */
static int huge(struct stage *stage)
{
    stage->size = 2 << 20;
    return 0;
}

/* The allocator still gives what it is asked for, and nothing twice. */
static int block_check(struct stage *stage)
{
    mp_block blocks[4];
    for (int i = 0; i < 4; i++) {
        HOLDS(mp_block_create(&blocks[i], stage->size) == 0);
        unsigned char *data = mp_block_data(blocks[i]);
        HOLDS(data != NULL);
        for (size_t k = 0; k < stage->size; k += 64) HOLDS(data[k] == 0);
        memset(data, i + 1, stage->size);
    }
    for (int i = 0; i < 4; i++) {
        const unsigned char *data = mp_block_data(blocks[i]);
        for (size_t k = 0; k < stage->size; k += 64) HOLDS(data[k] == i + 1);
        HOLDS(mp_block_destroy(blocks[i]) == 0);
    }
    return 0;
}

static int array_use(struct stage *stage)
{
    mp_array array;
    (void)stage;
    int result = mp_array_create(&array, sizeof(int), 10, NULL);
    return result < 0 ? result : mp_array_destroy(array);
}

static int array_use_check(struct stage *stage)
{
    HOLDS(array_prepare(stage) == 0);
    return array_check(stage);
}

static int lock_use(struct stage *stage)
{
    (void)stage;
    mp_lock lock;
    int result = mp_lock_create(&lock, NULL);
    return result < 0 ? result : mp_lock_destroy(lock);
}

static int lock_use_check(struct stage *stage)
{
    HOLDS(lock_prepare(stage) == 0);
    HOLDS(lock_check(stage) == 0);
    return 0;
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

static int nothing(void *args)
{
    return args ? 3 : 4;
}

static int process_fork(struct stage *stage)
{
    (void)stage;
    mp_process process;
    int code, result = mp_process_start(&process, nothing, NULL, 0, &(mp_process_options){.method = MP_FORK});
    if (result == 0) result = mp_process_join(process, &code, LIMIT);
    return result < 0 ? result : mp_process_close(process);
}

static int process_check(struct stage *stage)
{
    mp_process process;
    int code = 0;
    HOLDS(mp_process_start(&process, nothing, &stage->size, sizeof stage->size,
                           &(mp_process_options){.method = MP_FORK}) == 0);
    HOLDS(mp_process_join(process, &code, LIMIT) == 0 && code == 3);
    HOLDS(mp_process_close(process) == 0);
    return 0;
}

static const struct operation operations[] = {
    {.name = "lock acquire", .prepare = lock_prepare, .operate = lock_acquire, .check = lock_check},
    {.name = "lock release",
     .prepare = lock_prepare,
     .before = lock_acquire,
     .operate = lock_release,
     .check = lock_check},
    {.name = "lock acquire in vain", .prepare = held_prepare, .operate = lock_acquire_in_vain, .check = held_check},
    {.name = "lock release to a waiter",
     .prepare = waited_prepare,
     .before = hold_before_waiter,
     .operate = lock_release,
     .check = waited_check},
    {.name = "rlock, three deep", .prepare = rlock_prepare, .operate = rlock_use, .check = rlock_check},
    {.name = "MP_WITH_LOCK", .prepare = array_prepare, .operate = lock_with, .check = array_check},
    {.name = "lock, created", .operate = lock_use, .check = lock_use_check, .creates = 1},
    {.name = "block, small", .prepare = small, .operate = block_use, .check = block_check, .creates = 1},
    {.name = "block, large", .prepare = large, .operate = block_use, .check = block_check, .creates = 1},
    {.name = "block, huge", .prepare = huge, .operate = block_use, .check = block_check, .creates = 1},
    {.name = "array with its lock", .operate = array_use, .check = array_use_check, .creates = 1},
    {.name = "process, by fork", .operate = process_fork, .check = process_check, .creates = 1},
};

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
    raise(SIGSTOP);
    return result < 0 ? 92 : 0;
}

static int stopped_by(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, __WALL) < 0)
        if (errno != EINTR) return -1;
    return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

/* Signals of its own (a child of it has ended) it is given. */
static int go_on(pid_t pid, bool one_step)
{
    int signal = 0;
    do {
        void *given = (void *)(intptr_t)signal;
        if ((one_step ? ptrace(PTRACE_SINGLESTEP, pid, NULL, given) : ptrace(PTRACE_CONT, pid, NULL, given)) != 0)
            return -1;
        signal = stopped_by(pid);
    } while (signal == SIGCHLD);
    return signal;
}

static uint64_t place_of(pid_t pid)
{
    struct user_regs_struct registers;
    return ptrace(PTRACE_GETREGS, pid, NULL, &registers) == 0 ? registers.rip : 0;
}

/* The way through an operation: where it is after each instruction, and how often it has been there then. */
struct way {
    uint64_t *places;
    uint32_t *visits;
    long length, room;
};

static void way_free(struct way *way)
{
    free(way->places);
    free(way->visits);
}

static bool way_add(struct way *way, uint64_t place)
{
    if (way->length == way->room) {
        way->room = way->room ? 2 * way->room : 4096;
        way->places = realloc(way->places, (size_t)way->room * sizeof *way->places);
        if (!way->places) return false;
    }
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
    way->visits = malloc((size_t)way->length * sizeof *way->visits);
    if (!order || !way->visits) return free(order), false;
    for (long i = 0; i < way->length; i++) order[i] = &way->places[i];
    qsort(order, (size_t)way->length, sizeof *order, by_place);
    for (long i = 0; i < way->length; i++)
        way->visits[order[i] - way->places] =
            i && *order[i] == *order[i - 1] ? way->visits[order[i - 1] - way->places] + 1 : 1;
    free(order);
    return true;
}

/* Step through all of it, and kill what has come through. */
static bool follow(pid_t pid, struct way *way)
{
    int first = stopped_by(pid);
    if (first != SIGSTOP) return fprintf(stderr, "stopped by %d\n", first), false;
    for (;;) {
        int signal = go_on(pid, true);
        if (signal == SIGSTOP) break;
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

/* To where it is after so many instructions, and kill it. 1: killed there; 0: it came through, and was killed behind: it
 * went another way this time, or the place is within a repeated instruction. */
static int kill_at(pid_t pid, const struct way *way, long k)
{
    uint64_t place = way->places[k];
    long text;
    if (stopped_by(pid) != SIGSTOP || !plant(pid, place, &text)) return -1;
    for (uint32_t visit = 1;; visit++) {
        int signal = go_on(pid, false);
        bool through = signal == SIGSTOP;
        if (!through && (signal != SIGTRAP || !remove_and_rewind(pid, place, text))) return -1;
        if (through || visit == way->visits[k]) {
            kill(pid, SIGKILL);
            return !through;
        }
        if (go_on(pid, true) != SIGTRAP) return -1;
        if (!plant(pid, place, &text)) return -1;
    }
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
    static char text[128];
    uint64_t blocks = after->shared_blocks - before->shared_blocks, arrays = after->arrays - before->arrays;
    uint64_t locks = after->locks - before->locks, records = after->records - before->records;
    if (blocks + arrays + locks + records > operation->creates) return "more objects than were created";
    const struct {
        const char *name;
        uint64_t before, after;
    } counts[] = {
        {"blocks of memory", before->blocks + blocks + arrays, after->blocks},
        {"locks", before->locks + locks, after->locks},
        {"rlocks", before->rlocks + arrays, after->rlocks},
        {"threads", before->threads, after->threads},
        {"records", before->records + records, after->records},
        {"bytes", before->bytes_used, blocks + arrays ? before->bytes_used : after->bytes_used},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].before == counts[i].after) continue;
        (void)snprintf(text, sizeof text, "%s: %llu expected, %llu there", counts[i].name,
                       (unsigned long long)counts[i].before, (unsigned long long)counts[i].after);
        return text;
    }
    return NULL;
}

/* One child: all of the way if there is none yet, else to its place k. False: something is wrong. */
static bool try_once(const struct operation *operation, struct way *way, long k, struct tally *tally)
{
    struct task task = {.operation = operation};
    mp_stats before, after;
    mp_process process;
    int code, killed = 0;
    failed_at = NULL;
    (void)mp_get_stats(&before);
    if (operation->prepare && operation->prepare(&task.stage) < 0)
        return complain(operation, k, "prepare", mp_error_detail());
    if (mp_process_start(&process, child, &task, sizeof task, &(mp_process_options){.method = MP_FORK}) < 0)
        return complain(operation, k, "start", mp_error_detail());
    pid_t pid = (pid_t)mp_process_pid(process);
    if (way->visits)
        killed = kill_at(pid, way, k);
    else if (!follow(pid, way))
        killed = -1;
    if (killed < 0) return complain(operation, k, "stepping", strerror(errno));
    int64_t since = now_ms();
    int found = operation->check(&task.stage);
    int64_t took = now_ms() - since;
    if (found < 0) return complain(operation, k, failed_at ? failed_at : "check", mp_error_detail());
    if (mp_process_join(process, &code, LIMIT) < 0 || code != -9)
        return complain(operation, k, "join", mp_error_detail());
    (void)mp_process_close(process);
    (void)mp_get_stats(&after);
    const char *left = difference(operation, &before, &after);
    if (left) return complain(operation, k, "left over", left);
    tally->points += killed;
    tally->told += killed && found == MP_OWNERDEAD;
    if (took > tally->slowest) tally->slowest = took;
    return true;
}

static bool try_all(const struct operation *operation, long most)
{
    struct tally tally = {.points = 0};
    struct way way = {.length = 0};
    uint32_t random = 12345;
    /* Twice: the first one finds tables to be grown and the like, which no other will. */
    bool fine = try_once(operation, &way, 0, &tally);
    way_free(&way);
    way = (struct way){.length = 0};
    fine = fine && try_once(operation, &way, 0, &tally);
    long eligible = 0;
    for (long k = 0; k < way.length; k++) eligible += way.visits[k] <= VISITS;
    long stride = eligible / most + 1;
    for (long k = 0; fine && k < way.length; k++) {
        random = random * 1664525 + 1013904223;
        if (way.visits[k] <= VISITS && (random >> 8) % (uint32_t)stride == 0)
            fine = try_once(operation, &way, k, &tally);
    }
    printf("%-26s %6ld instructions, killed at %5ld of them, told of a dead owner %5ld times, slowest %3lld ms%s\n",
           operation->name, way.length, tally.points, tally.told, (long long)tally.slowest, fine ? "" : "  FAILED");
    fflush(stdout);
    way_free(&way);
    return fine;
}

static bool can_trace(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    long most = AT_MOST;
    const char *pattern = "";
    mp_freeze_support();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--points") == 0 && i + 1 < argc)
            most = strtol(argv[++i], NULL, 10);
        else
            pattern = argv[i];
    }
    if (!can_trace()) {
        puts("skipped: processes may not be traced here");
        return 77;
    }
    int failures = 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strstr(operations[i].name, pattern)) failures += !try_all(&operations[i], most > 0 ? most : 1);
    return failures ? 1 : 0;
}
