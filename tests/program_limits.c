/* SPDX-License-Identifier: MIT
 *
 * program_limits.c - for test_limits: what libmp does when the system gives it no more of something.
 *
 *     program_limits <kind> <start method>
 *
 * A run is a copy of this program with a family of its own. It does everything that takes something of the system, each
 * time with the limit that belongs to the number of the run: what fails has to fail by name and leave nothing behind, and
 * all has to work once the limit is lifted. Runs with higher and higher limits follow until nothing fails any more.
 *
 * Exit codes: 0, 1 (it says what is wrong), 77 (can not be tried here).
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif
#endif
#ifdef TEST_WRAPS
#include <sched.h>
#include <sys/mman.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define VARIABLE "MP_TEST_FAILING"
#define SENTINEL UINT64_C(0x4242424242424242)
#define SKIPPED  77
#define HIT      10 /* of a run: something failed as it should */

#define REQUIRE(condition)                                       \
    do {                                                         \
        if (!(condition)) return complain(#condition, __LINE__); \
    } while (0)

static const char *doing = "?";
static long number; /* of the run */

static int complain(const char *what, int line)
{
    fprintf(stderr, "line %d: %s (run %ld, %s): %s\n", line, what, number, doing, mp_error_detail());
    return 1;
}

/* ---- calls that fail when they are told to ---------------------------------------------------------------------- */

enum {
    MEMORY = 1,
    COMMIT = 2,
    MAPS = 4,
    PROCESSES = 8
};

static struct {
    unsigned calls;       /* which */
    long left;            /* the one after so many fails */
    bool later;           /* and all later ones do */
    bool copies;          /* in copies of this process, too */
    _Atomic(pid_t) owner; /* 0: none fails */
    bool fired;
} failing;

static void fail_none(void)
{
    failing.owner = 0;
}

static void fail_at(unsigned calls, long which, bool later, bool copies)
{
    failing.calls = calls;
    failing.left = which;
    failing.later = later;
    failing.copies = copies;
    failing.fired = false;
    failing.owner = getpid();
}

#ifdef TEST_WRAPS

#ifdef TEST_COVERAGE
extern _Thread_local bool mp_coverage_writes;
#else
static const bool mp_coverage_writes = false;
#endif

static bool fails_now(unsigned call)
{
    if (mp_coverage_writes) return false;
    if (!failing.owner || !(failing.calls & call) || (!failing.copies && failing.owner != getpid())) return false;
    if (failing.left > 0) failing.left--;
    if (failing.left > 0 || (failing.fired && !failing.later)) return false;
    failing.fired = true;
    return true;
}

#define WRAP(call, value, error, type, name, parameters, arguments) \
    type __real_##name parameters;                                  \
    type __wrap_##name parameters;                                  \
    type __wrap_##name parameters                                   \
    {                                                               \
        if (!fails_now(call)) return __real_##name arguments;       \
        errno = (error);                                            \
        return value;                                               \
    }

WRAP(MEMORY, NULL, ENOMEM, void *, malloc, (size_t size), (size))
WRAP(MEMORY, NULL, ENOMEM, void *, calloc, (size_t count, size_t size), (count, size))
WRAP(MEMORY, NULL, ENOMEM, void *, realloc, (void *old, size_t size), (old, size))
WRAP(COMMIT, -1, ENOSPC, int, fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
WRAP(COMMIT, ENOSPC, ENOSPC, int, posix_fallocate, (int fd, off_t offset, off_t size), (fd, offset, size))
WRAP(MAPS, MAP_FAILED, ENOMEM, void *, mmap, (void *at, size_t size, int access, int flags, int fd, off_t offset),
     (at, size, access, flags, fd, offset))
WRAP(PROCESSES, -1, EAGAIN, pid_t, fork, (void), ())
#ifdef TEST_WRAPS_64 /* as they are called where files are large */
WRAP(COMMIT, -1, ENOSPC, int, fallocate64, (int fd, int mode, int64_t offset, int64_t size), (fd, mode, offset, size))
WRAP(COMMIT, ENOSPC, ENOSPC, int, posix_fallocate64, (int fd, int64_t offset, int64_t size), (fd, offset, size))
WRAP(MAPS, MAP_FAILED, ENOMEM, void *, mmap64, (void *at, size_t size, int access, int flags, int fd, int64_t offset),
     (at, size, access, flags, fd, offset))
#endif
#ifdef CLONE_VM
WRAP(PROCESSES, -1, EAGAIN, int, clone, (int (*function)(void *), void *stack, int flags, void *argument, ...),
     (function, stack, flags, argument))
#endif

#endif

/* A program started by another one is told by a variable. */
static void fail_as_told(void)
{
    const char *text = getenv(VARIABLE);
    unsigned calls;
    long which;
    int later, copies;
    if (text && sscanf(text, "%u,%ld,%d,%d", &calls, &which, &later, &copies) == 4)
        fail_at(calls, which, later, copies);
}

/* ---- limits ---------------------------------------------------------------------------------------------------- */

static struct rlimit original;
static bool lowered;

static const struct rlimit *lower(rlim_t to)
{
    static struct rlimit limit;
    limit = original;
    if (to < limit.rlim_cur) limit.rlim_cur = to;
    return &limit;
}

#define LIMIT_LOWER(which, to)                      \
    do {                                            \
        if (!lowered) getrlimit(which, &original);  \
        lowered = setrlimit(which, lower(to)) == 0; \
    } while (0)

#define LIMIT_LIFT(which)                         \
    do {                                          \
        if (lowered) setrlimit(which, &original); \
        lowered = false;                          \
    } while (0)

/* The next one to be opened. */
static long free_descriptor(void)
{
    int fd = 0;
    while (fcntl(fd, F_GETFD) >= 0) fd++;
    return fd;
}

static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static mp_start_method method;

static void tell_server(unsigned calls, bool later, bool copies)
{
    char text[64];
    snprintf(text, sizeof text, "%u,%ld,%d,%d", calls, number, later, copies);
    setenv(VARIABLE, text, 1);
    if (method == MP_FORKSERVER) (void)mp_set_forkserver_preload(NULL); /* the next one will see it */
}

static void memory_on(void)
{
    fail_at(MEMORY, number, false, false);
}
static void memory_from_on(void)
{
    fail_at(MEMORY, number, true, false);
}
static void commit_on(void)
{
    fail_at(COMMIT, number, false, false);
}
static void maps_on(void)
{
    fail_at(MAPS, number, false, false);
}
static void forks_on(void)
{
    fail_at(PROCESSES, number, true, false);
}
static void children_on(void)
{
    if (method == MP_FORK)
        fail_at(MEMORY, number, false, true);
    else
        tell_server(MEMORY, false, true);
}
static void server_on(void)
{
    tell_server(MEMORY, false, false);
}
static void server_from_on(void)
{
    tell_server(MEMORY, true, false);
}
static void server_forks_on(void)
{
    tell_server(PROCESSES, true, false);
}
static void told_off(void)
{
    fail_none();
    unsetenv(VARIABLE);
}
/* What can never work again is left. */
static void server_off(void)
{
    told_off();
    (void)mp_set_forkserver_preload(NULL);
}
static void descriptors_on(void)
{
    LIMIT_LOWER(RLIMIT_NOFILE, (rlim_t)(free_descriptor() + number - 1));
}
static void descriptors_off(void)
{
    LIMIT_LIFT(RLIMIT_NOFILE);
}
static void address_on(void)
{
    LIMIT_LOWER(RLIMIT_AS, address_space() + ((rlim_t)1 << (11 + number)));
}
static void address_off(void)
{
    LIMIT_LIFT(RLIMIT_AS);
}
static void file_on(void)
{
    LIMIT_LOWER(RLIMIT_FSIZE, number == 1 ? 0 : (rlim_t)1 << (10 + number));
}
static void file_off(void)
{
    LIMIT_LIFT(RLIMIT_FSIZE);
}
static void processes_on(void)
{
    LIMIT_LOWER(RLIMIT_NPROC, (rlim_t)number - 1);
}
static void processes_off(void)
{
    LIMIT_LIFT(RLIMIT_NPROC);
}

enum {
    WRAPS = 1,        /* calls are made to fail */
    OTHER_USER = 2,   /* not for root */
    NO_SANITIZER = 4, /* which has its own idea of an address space, and looks for leaks with one process more */
    PROGRAM_TOO = 8,  /* a program that is started comes under the limit, too, and may not get as far as libmp */
    SERVER_ONLY = 16, /* forkserver */
    SMALL = 64,       /* blocks of a size that any arena has */
    NO_STDIN = 128,   /* the lowest descriptor is free */
    MAY_WORK = 32     /* not every system has calls of that kind */
};

/* Shorter names for what a start or a creation may fail with. */
#define NAMED(code) (1u << (-(code)-1000))

static const struct kind {
    const char *name;
    void (*on)(void), (*off)(void);
    unsigned errors, flags;
    long most; /* runs */
} kinds[] = {
    {"memory", memory_on, fail_none, NAMED(MP_ENOMEM), WRAPS, 200},
    {"memory-from", memory_from_on, fail_none, NAMED(MP_ENOMEM), WRAPS, 200},
    {"commit", commit_on, fail_none, NAMED(MP_ENOMEM), WRAPS | MAY_WORK, 200},
    {"maps", maps_on, fail_none, NAMED(MP_ENOMEM), WRAPS, 200},
    {"forks", forks_on, fail_none, NAMED(MP_ELIMIT), WRAPS, 60},
    {"children", children_on, told_off, NAMED(MP_ENOMEM), WRAPS | PROGRAM_TOO, 100},
    {"server", server_on, told_off, NAMED(MP_ENOMEM), WRAPS | PROGRAM_TOO | SERVER_ONLY, 100},
    {"server-from", server_from_on, server_off, NAMED(MP_ENOMEM), WRAPS | PROGRAM_TOO | SERVER_ONLY, 100},
    {"server-forks", server_forks_on, server_off, NAMED(MP_ELIMIT), WRAPS | SERVER_ONLY, 60},
    {"descriptors", descriptors_on, descriptors_off, NAMED(MP_ELIMIT), PROGRAM_TOO, 100},
    {"descriptors-low", descriptors_on, descriptors_off, NAMED(MP_ELIMIT), PROGRAM_TOO | NO_STDIN, 100},
    {"address", address_on, address_off, NAMED(MP_ENOMEM), PROGRAM_TOO | NO_SANITIZER | SMALL, 40},
    {"file", file_on, file_off, NAMED(MP_ENOMEM) | NAMED(MP_ELIMIT), SMALL, 40},
    {"processes", processes_on, processes_off, NAMED(MP_ELIMIT), OTHER_USER | NO_SANITIZER, 60},
};
static const struct kind *kind;

/* ---- what is done under the limit ------------------------------------------------------------------------------- */

static bool loud;

/* 0: it worked; HIT: it failed as it should; 1. */
static int judged(int result, const uint64_t *made, unsigned also)
{
    uint64_t id = *made;
    if (result >= 0) {
        REQUIRE(id != SENTINEL && id != 0);
        return 0;
    }
    if (loud)
        fprintf(stderr, "%s %ld %s: %s: %s\n", kind->name, number, doing, mp_error_name(result), mp_error_detail());
    REQUIRE(id == SENTINEL);
    REQUIRE(result <= MP_EINVAL && result >= MP_ESYSTEM);
    REQUIRE(strlen(mp_error_detail()) > strlen("mp_process_start: "));
    if ((kind->errors | also) & NAMED(result)) return HIT;
    fprintf(stderr, "%s is not among what it may fail with\n", mp_error_name(result));
    return complain("a named error", __LINE__);
}

enum {
    BYTES = 3000
};

static int target(void *args)
{
    const unsigned char *bytes = args;
    const char *value = getenv("MP_TEST_LIMITS");
    for (int i = 0; i < BYTES; i++)
        if (bytes[i] != (unsigned char)(i * 7)) return 1;
    return value && strcmp(value, "some") == 0 ? 70000 : 2;
}

static int judge_join(mp_process process)
{
    int code = 42, result = mp_process_join(process, &code, LIMIT), judgement = 0;
    if (result < 0) {
        if (loud) fprintf(stderr, "%s %ld join: %s\n", kind->name, number, mp_error_detail());
        judgement = kind->errors & NAMED(result)
                        ? HIT
                        : complain("the start worked, and the process can not be joined", __LINE__);
    } else if (code != 70000) {
        bool may = kind->flags & PROGRAM_TOO && method == MP_SPAWN;
        if (loud) fprintf(stderr, "%s %ld join: exit code %d\n", kind->name, number, code);
        judgement = may ? HIT : complain("the exit code", __LINE__);
        if (!may) fprintf(stderr, "it is %d\n", code);
    }
    if (mp_process_close(process) < 0) return complain("close", __LINE__);
    return judgement;
}

static int do_start(void)
{
    static unsigned char bytes[BYTES];
    mp_process process = {SENTINEL};
    const mp_process_options options = {.method = method,
                                        .environment = (const char *const[]){"MP_TEST_LIMITS=some", NULL}};
    for (int i = 0; i < BYTES; i++) bytes[i] = (unsigned char)(i * 7);
    /* A server that is a program under the limit can not even say why it ends. */
    unsigned also = kind->flags & PROGRAM_TOO && method == MP_FORKSERVER ? NAMED(MP_ESYSTEM) : 0;
    int judgement = judged(mp_process_start(&process, target, bytes, BYTES, &options), &process.id, also);
    return judgement == 0 ? judge_join(process) : judgement;
}

/* More than are kept ready for without taking memory. */
static int do_start_many(void)
{
    enum {
        MANY = 20
    };
    static unsigned char bytes[BYTES];
    mp_process processes[MANY];
    int count = 0, judgement = 0;
    const mp_process_options options = {.method = method,
                                        .environment = (const char *const[]){"MP_TEST_LIMITS=some", NULL}};
    for (int i = 0; i < BYTES; i++) bytes[i] = (unsigned char)(i * 7);
    unsigned also = kind->flags & PROGRAM_TOO && method == MP_FORKSERVER ? NAMED(MP_ESYSTEM) : 0;
    while (judgement == 0 && count < MANY) {
        processes[count].id = SENTINEL;
        int result = mp_process_start(&processes[count], target, bytes, BYTES, &options);
        judgement = judged(result, &processes[count].id, also);
        if (judgement == 0) count++;
    }
    for (int i = 0; i < count; i++) {
        int joined = judge_join(processes[i]);
        if (joined == 1 || judgement == 0) judgement = joined;
    }
    return judgement;
}

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* Of a process that was started without the limit. */
static int do_join_all(void)
{
    mp_process process;
    int code = 42;
    kind->off();
    REQUIRE(mp_process_start(&process, nothing, NULL, 0, &(mp_process_options){.method = method}) == 0);
    kind->on();
    int result = mp_process_join_all(&process, &code, 1, LIMIT);
    kind->off();
    if (result < 0) REQUIRE(code == 42 && kind->errors & NAMED(result));
    REQUIRE(mp_process_join(process, NULL, LIMIT) == 0);
    REQUIRE(mp_process_close(process) == 0);
    return result < 0 ? HIT : 0;
}

static int do_lock(void)
{
    mp_lock lock = {SENTINEL};
    int judgement = judged(mp_lock_create(&lock, NULL), &lock.id, 0);
    if (judgement == 0) REQUIRE(mp_lock_acquire(lock, 0) == 0 && mp_lock_destroy(lock) == 0);
    return judgement;
}

/* A copy by fork() whose record needs more memory for their table, in its first call. */
static int do_copies(void)
{
    enum {
        MOST = 300 /* more than the table has room for at first */
    };
    mp_lock lock;
    mp_array handles;
    int judgement = 0, count = 0;
    kind->off();
    if (strcmp(kind->name, "commit") != 0 || method != MP_FORK || number > 1) return 0;
    REQUIRE(mp_lock_create(&lock, NULL) == 0 && mp_array_create(&handles, MOST, sizeof(mp_process), NULL) == 0);
    mp_process *copies = mp_array_data(handles, sizeof *copies);
    for (; judgement == 0 && count < MOST; count++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            kind->on();
            int result = mp_lock_locked(lock) == 0 ? mp_lock_acquire(lock, 0) : -1;
            kind->off();
            if (result == 0) copies[count] = mp_current_process();
            if (result == 0) result = mp_lock_release(lock);
            uint64_t untouched = result < 0 ? SENTINEL : 1;
            _exit(judged(result, &untouched, 0));
        }
        REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        judgement = WEXITSTATUS(status);
    }
    for (int i = 0; i < count; i++)
        if (copies[i].id) REQUIRE(mp_process_close(copies[i]) == 0);
    REQUIRE(judgement == HIT);
    REQUIRE(mp_lock_destroy(lock) == 0 && mp_array_destroy(handles) == 0);
    return judgement;
}

static int do_rlock(void)
{
    mp_rlock rlock = {SENTINEL};
    int judgement = judged(mp_rlock_create(&rlock, NULL), &rlock.id, 0);
    if (judgement == 0) REQUIRE(mp_rlock_acquire(rlock, 0) == 0 && mp_rlock_destroy(rlock) == 0);
    return judgement;
}

static int do_value(void)
{
    mp_value value = {SENTINEL};
    int judgement = judged(mp_value_create(&value, 8, NULL), &value.id, 0);
    if (judgement == 0) REQUIRE(mp_value_data(value, 8) && mp_value_destroy(value) == 0);
    return judgement;
}

/* A family founded under a limit on memory has a small arena for good. */
static size_t much(void)
{
    return kind->flags & SMALL ? 100000 : 5 << 20;
}

static int do_array(void)
{
    mp_array array = {SENTINEL};
    int judgement = judged(mp_array_create(&array, much() / 8, 8, NULL), &array.id, 0);
    if (judgement != 0) return judgement;
    REQUIRE(mp_array_data(array, 8));
    memset(mp_array_data(array, 8), 1, much());
    REQUIRE(mp_array_destroy(array) == 0);
    return 0;
}

static int do_block(void)
{
    mp_block block = {SENTINEL};
    int judgement = judged(mp_block_create(&block, much()), &block.id, 0);
    if (judgement != 0) return judgement;
    REQUIRE(mp_block_data(block));
    memset(mp_block_data(block), 1, much());
    REQUIRE(mp_block_destroy(block) == 0);
    return 0;
}

static int do_executable(void)
{
    char path[2400];
    snprintf(path, sizeof path, "%s/program_limits", support_folder());
    int result = mp_set_executable(path);
    if (result < 0) REQUIRE(kind->errors & NAMED(result));
    REQUIRE(mp_set_executable(NULL) == 0);
    kind->off(); /* another program is another server */
    REQUIRE(do_start() == 0);
    return result < 0 ? HIT : 0;
}

/* ---- pools: the workers come under no limit ---- */

static int square(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output = *x * *x;
    return 0;
}

static void count_call(mp_result result, void *context)
{
    (void)result;
    ++*(int *)context;
}

enum {
    ITEMS = 300 /* more than fit a small job */
};

static int iterate(mp_pool pool, const int *in)
{
    mp_items items = {in, sizeof *in, ITEMS};
    mp_imap *imap;
    mp_item item;
    int result = mp_pool_imap(pool, &imap, square, mp_source_array, &items, sizeof *in, NULL);
    if (result < 0) return result;
    for (int i = 0; (result = mp_imap_next(imap, &item, LIMIT)) == 1; i++)
        if (item.index != (size_t)i || *(const int *)item.output.data != i * i) result = MP_EBROKEN;
    mp_imap_destroy(imap);
    return result;
}

/* What was submitted is called back for, and nothing else. */
static int call_back(mp_pool pool, const int *in)
{
    int calls = 0, submitted = 0, result = 0;
    mp_call_options options = {.callback = count_call, .error_callback = count_call, .context = &calls};
    for (int i = 0; i < 3 && result == 0; i++) {
        result = mp_pool_apply_async(pool, NULL, square, &in[i], sizeof *in, sizeof *in, &options);
        submitted += result == 0;
    }
    kind->off();
    while (calls < submitted)
        if (mp_pool_poll(pool) < 0) return MP_EBROKEN;
    return calls == submitted ? result : MP_EBROKEN;
}

static int use_pool(bool limited)
{
    static int in[ITEMS], out[ITEMS];
    mp_pool pool;
    for (int i = 0; i < ITEMS; i++) in[i] = i;
    kind->off();
    REQUIRE(mp_pool_create(&pool, 1, &(mp_pool_options){.method = method}) == 0);
    REQUIRE(mp_pool_apply(pool, square, in, sizeof *in, out, sizeof *out, NULL) == 0);
    if (limited) kind->on();
    int result = mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, ITEMS, NULL);
    if (result == 0 && out[ITEMS - 1] != (ITEMS - 1) * (ITEMS - 1)) result = MP_EBROKEN;
    if (result == 0) result = iterate(pool, in);
    if (result == 0) result = call_back(pool, in);
    kind->off();
    if (loud && result < 0)
        fprintf(stderr, "%s %ld pool: %s: %s\n", kind->name, number, mp_error_name(result), mp_error_detail());
    if (result < 0) REQUIRE(kind->errors & NAMED(result));
    REQUIRE(mp_pool_apply(pool, square, &in[3], sizeof *in, out, sizeof *out, NULL) == 0 && out[0] == 9);
    REQUIRE(iterate(pool, in) == 0 && call_back(pool, in) == 0);
    REQUIRE(mp_pool_destroy(pool) == 0);
    return result < 0 ? HIT : 0;
}

static int do_pool(void)
{
    return use_pool(true);
}

static const struct task {
    const char *name;
    int (*run)(void);
} tasks[] = {
    {"start", do_start},       {"lock", do_lock},
    {"rlock", do_rlock},       {"value", do_value},
    {"array", do_array},       {"block", do_block},
    {"start", do_start},       {"start many", do_start_many},
    {"join_all", do_join_all}, {"executable", do_executable},
    {"pool", do_pool},         {"copies", do_copies},
};
enum {
    TASKS = sizeof tasks / sizeof tasks[0]
};

/* ---- runs ------------------------------------------------------------------------------------------------------ */

static int count(struct support_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    REQUIRE(mp_get_stats(&counts->stats) == 0);
    counts->children = support_children();
    counts->descriptors = support_descriptors();
    return 0;
}

/* Whether nothing is left over. What a server has to notice may take a moment. */
static int same_counts(const struct support_counts *before)
{
    struct support_counts after;
    int64_t until = support_now() + 5000;
    do {
        REQUIRE(count(&after) == 0);
        after.stats.bytes_reserved = before->stats.bytes_reserved;
        if (memcmp(before, &after, sizeof after) == 0) return 0;
    } while (support_now() < until);
    REQUIRE(support_balanced(before, &after));
    return 0;
}

static int all_tasks(void)
{
    for (int i = 0; i < TASKS; i++) {
        doing = tasks[i].name;
        if (tasks[i].run == do_join_all) continue; /* it lifts and lowers the limit itself */
        if (tasks[i].run == do_start_many || tasks[i].run == do_copies) continue;
        REQUIRE((tasks[i].run == do_pool ? use_pool(false) : tasks[i].run()) == 0);
    }
    return 0;
}

/* In a copy of this program. `cold`: the limit holds from the first call on, that founds the family. */
static int run(bool cold)
{
    struct support_counts before;
    bool hit = false;
    if (!cold) {
        REQUIRE(all_tasks() == 0);
        REQUIRE(count(&before) == 0);
    }
    for (int i = 0; i < TASKS; i++) {
        doing = tasks[i].name;
        long descriptors = support_descriptors();
        kind->on();
        int judgement = tasks[i].run();
        bool fired = failing.fired;
        kind->off();
        failing.fired = false;
        if (judgement == 1) return 1;
        hit |= judgement == HIT || fired;
        if (!cold) REQUIRE(same_counts(&before) == 0);
        /* The arena's, and that of the fork server. */
        if (judgement == HIT) REQUIRE(support_descriptors() <= descriptors + (cold ? 2 : 0));
    }
    if (cold) {
        REQUIRE(all_tasks() == 0);
        REQUIRE(count(&before) == 0);
    }
    doing = "afterwards";
    REQUIRE(all_tasks() == 0);
    REQUIRE(same_counts(&before) == 0);
    return hit ? HIT : 0;
}

/* Runs until three have met no limit; with MP_TEST_SAMPLE=3 every third one only, other ones when warm. False: one of them says
 * what is wrong. */
static bool sweep(bool cold, int *hits)
{
    const char *sample = getenv("MP_TEST_SAMPLE");
    const long step = sample && atol(sample) > 1 ? atol(sample) : 1;
    int without = 0;
    doing = cold ? "cold" : "warm";
    for (number = cold || step == 1 ? 1 : 2; without < 3; number += step) {
        int status;
        if (number > kind->most) return !complain("it never ends", __LINE__);
        pid_t pid = fork();
        if (pid == 0) _exit(run(cold));
        if (pid < 0 || waitpid(pid, &status, 0) != pid) return !complain("a copy", __LINE__);
        if (WIFSIGNALED(status)) fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
        int ignored;
        while (waitpid(-1, &ignored, 0) > 0 || errno == EINTR) {
        } /* its fork servers, that end when nobody needs them */
        bool hit = WIFEXITED(status) && WEXITSTATUS(status) == HIT;
        if (status != 0 && !hit) return !complain("a run", __LINE__);
        *hits += hit;
        without = hit ? 0 : without + 1;
    }
    if (loud) fprintf(stderr, "%s %s: %d hits\n", kind->name, cold ? "cold" : "warm", *hits);
    return true;
}

/* A user who has no other processes: root is not limited, and everybody else has some. */
static void become_other_user(char **argv)
{
    uid_t user = (uid_t)(50000 + getpid() % 10000);
    if (geteuid() != 0) {
        puts("only root can become a user without processes");
        exit(SKIPPED);
    }
    if (setgid((gid_t)user) != 0 || setuid(user) != 0 || access(argv[0], X_OK) != 0) {
        puts("there is no other user here, or he can not come here");
        exit(SKIPPED);
    }
    execv(argv[0], argv); /* anew, or /proc/self would still be root's */
    exit(SKIPPED);
}

int main(int argc, char **argv)
{
    fail_as_told();
    mp_freeze_support();
    if (argc < 3) return 1;
    loud = getenv("MP_TEST_LOG") != NULL;
    support_set_program(argv[0]);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, argv[1]) == 0) kind = &kinds[i];
    for (int i = MP_FORK; i <= MP_FORKSERVER; i++)
        if (strcmp(argv[2], mp_start_method_name((mp_start_method)i)) == 0) method = (mp_start_method)i;
    if (!kind || method == MP_DEFAULT) return 1;
    if (kind->flags & OTHER_USER && (geteuid() == 0 || argc == 3)) {
        char *again[] = {argv[0], argv[1], argv[2], (char[]){"again"}, NULL};
        become_other_user(again);
    }
    if (kind->flags & SERVER_ONLY && method != MP_FORKSERVER) return SKIPPED;
    if (kind->flags & NO_SANITIZER && SANITIZED) return SKIPPED;
#ifndef TEST_WRAPS
    if (kind->flags & WRAPS) return SKIPPED;
#endif
    if (kind->flags & NO_STDIN) close(STDIN_FILENO);
#ifdef PR_SET_CHILD_SUBREAPER
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
    int hits = 0;
    if (!sweep(true, &hits) || !sweep(false, &hits)) return 1;
    return hits > 0 || kind->flags & MAY_WORK ? 0 : complain("no limit was ever met", __LINE__);
}
