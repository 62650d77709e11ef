/* SPDX-License-Identifier: MIT
 *
 * test_family_posix.c - a family among what else POSIX programs do: plain fork(), waitpid(-1), SIGCHLD ignored, settings
 * that change, threads; and fork servers that die or can not begin.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* In children: the line that went wrong is the exit code, in as many bits as there are. */
#define REQUIRE(condition)                                       \
    do {                                                         \
        if (!(condition)) return complain(#condition, __LINE__); \
    } while (0)

static int complain(const char *what, int line)
{
    fprintf(stderr, "line %d, in process %ld: %s: %s\n", line, (long)getpid(), what, mp_error_detail());
    return 1;
}

static int give_back(void *args)
{
    return args ? *(const int *)args : 0;
}

static int wait_at(void *args)
{
    return gate_pass(*(const struct gate *)args) ? 0 : 99;
}

static int open_gate(void *args)
{
    return gate_open(*(const struct gate *)args) ? 0 : 99;
}

static mp_process start(mp_target target, const void *args, size_t size)
{
    mp_process process = {0};
    ok(mp_process_start(&process, target, args, size, NULL));
    return process;
}

/* ---- a plain fork() ---------------------------------------------------------------------------------------------- */

/* What the copy tells, and what it is told. */
struct board {
    mp_process copy, child;
    mp_lock lock;
    struct gate gate;
    _Atomic int count;
    int by_exit;
};

static mp_value board_create(struct board **board)
{
    mp_value value = {0};
    ok(mp_value_create(&value, sizeof **board, &(mp_shared_options){.raw = true}));
    *board = MP_VALUE(struct board, value);
    ok(mp_lock_create(&(*board)->lock, NULL));
    (*board)->gate = gate_create();
    return value;
}

static void board_destroy(mp_value value)
{
    const struct board *board = MP_VALUE(struct board, value);
    ok(mp_lock_destroy(board->lock));
    gate_destroy(board->gate);
    ok(mp_value_destroy(value));
}

/* Run that in a copy, which leaves by exit or _exit; its exit code. */
static int in_copy(int (*function)(void *), void *args, bool by_exit)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int code = function(args);
        if (by_exit) exit(code);
        _exit(code);
    }
    assert_true(pid > 0);
    while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The record of a copy: its parent has reaped it, so libmp knows that it ended and not how; unless the janitor came by between
 * its end and that. */
static void forget_copy(mp_process copy, int wanted)
{
    int code = 42, result = mp_process_join(copy, &code, LIMIT);
    assert_true(result == 0 || result == MP_ESYSTEM);
    assert_int_equal(code, result == 0 ? wanted : 42);
    assert_int_equal(mp_process_is_alive(copy), 0);
    ok(mp_process_close(copy));
}

static int count_up(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    for (int i = 0; i < 100; i++) {
        REQUIRE(mp_lock_acquire(board->lock, LIMIT) == 0);
        int count = atomic_load_explicit(&board->count, memory_order_relaxed);
        atomic_store_explicit(&board->count, count + 1, memory_order_relaxed);
        REQUIRE(mp_lock_release(board->lock) == 0);
    }
    return 70000;
}

/* All that a process of the family can do. */
static int live_in_copy(void *args)
{
    mp_value value = *(const mp_value *)args, own;
    struct board *board = MP_VALUE(struct board, value);
    mp_process child, mine;
    mp_lock lock;
    mp_array array;
    mp_block block;
    size_t count = 42, methods;
    int code;
    const mp_start_method *all = mp_get_all_start_methods(&methods);
    board->copy = mp_current_process();
    REQUIRE(board->copy.id && mp_process_pid(board->copy) == getpid());
    REQUIRE(mp_process_pid(mp_parent_process()) == getppid());
    REQUIRE(mp_process_is_alive(mp_parent_process()) == 1);
    REQUIRE(mp_active_children(&mine, 1, &count) == 0 && count == 0); /* the parent's are not its own */
    REQUIRE(mp_process_is_alive(board->child) == 1);
    REQUIRE(mp_process_join(board->child, &code, 0) == MP_ETIMEDOUT);

    REQUIRE(mp_lock_create(&lock, NULL) == 0 && mp_lock_acquire(lock, 0) == 0);
    REQUIRE(mp_value_create(&own, 8, NULL) == 0 && mp_array_create(&array, 10, 8, NULL) == 0);
    REQUIRE(mp_block_create(&block, 3u << 20) == 0);
    memset(mp_block_data(block), 7, 3u << 20);
    for (size_t i = 0; i < methods; i++) {
        const mp_process_options options = {.method = all[i]};
        REQUIRE(mp_process_start(&child, count_up, &value, sizeof value, &options) == 0);
        REQUIRE(mp_process_parent(child).id == board->copy.id);
        REQUIRE(mp_process_join(child, &code, LIMIT) == 0 && code == 70000);
        REQUIRE(mp_process_close(child) == 0);
    }
    REQUIRE(mp_lock_destroy(lock) == 0 && mp_value_destroy(own) == 0);
    REQUIRE(mp_array_destroy(array) == 0 && mp_block_destroy(block) == 0);
    /* The parent waits for this, in waitpid. */
    REQUIRE(count_up(args) == 70000);
    return 17;
}

static void copy_lives(void **state)
{
    struct board *board;
    size_t methods, count;
    (void)state;
    mp_get_all_start_methods(&methods);
    for (int by_exit = 0; by_exit < 2; by_exit++) {
        mp_value value = board_create(&board);
        const mp_process self = mp_current_process();
        board->child = start(wait_at, &board->gate, sizeof board->gate);
        assert_int_equal(in_copy(live_in_copy, &value, by_exit), 17);
        assert_int_equal(board->count, 100 * ((int)methods + 1));
        assert_int_equal(mp_process_parent(board->copy).id, self.id);
        assert_int_equal(mp_current_process().id, self.id);
        forget_copy(board->copy, 17);
        /* This process has what it had. */
        ok(mp_active_children(NULL, 0, &count));
        assert_int_equal(count, 1);
        gate_open(board->gate);
        assert_ends(board->child, 0);
        board_destroy(value);
    }
}

static int use_nothing(void *args)
{
    (void)args;
    return 18;
}

/* A copy that is made within a block leaves it, too: what is held stays its original's. */
static void copy_within_block(void **state)
{
    (void)state;
    mp_lock lock;
    mp_semaphore semaphore, other;
    int status = -1;
    pid_t pid = -1;
    mp_value value;
    ok(mp_value_create(&value, sizeof(mp_process), &(mp_shared_options){.raw = true}));
    mp_process *copy = MP_VALUE(mp_process, value);
    ok(mp_lock_create(&lock, NULL));
    ok(mp_semaphore_create(&semaphore, 1, NULL));
    ok(mp_semaphore_create(&other, 1, NULL));
    MP_WITH_LOCK(lock) {
        MP_WITH_LOCK(semaphore) {
            pid = fork();
            if (pid > 0) assert_int_equal(waitpid(pid, &status, 0), pid);
        }
    }
    if (pid == 0) {
        /* Its own first block is its own, whatever it becomes in there. */
        MP_WITH_LOCK(other) *copy = mp_current_process();
        bool fine = mp_lock_locked(lock) == 1 && mp_semaphore_get_value(semaphore) == 0;
        _exit(fine && mp_semaphore_get_value(other) == 1 ? 17 : 1);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 17);
    forget_copy(*copy, 17);
    ok(mp_value_destroy(value));
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_int_equal(mp_semaphore_get_value(semaphore), 1);
    ok(mp_lock_destroy(lock));
    ok(mp_semaphore_destroy(semaphore));
    ok(mp_semaphore_destroy(other));
}

/* Its end is not that of its parent's children. */
static void copy_ends_nobody(void **state)
{
    struct gate gate = gate_create();
    mp_process daemon, other;
    (void)state;
    ok(mp_process_start(&daemon, wait_at, &gate, sizeof gate, &(mp_process_options){.daemon = true}));
    other = start(wait_at, &gate, sizeof gate);
    assert_int_equal(in_copy(use_nothing, NULL, true), 18);
    assert_int_equal(in_copy(use_nothing, NULL, false), 18);
    gate_open(gate);
    assert_ends(daemon, 0);
    assert_ends(other, 0);
    gate_destroy(gate);
}

static int open_later(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    REQUIRE(gate_pass(board->gate));
    atomic_store(&board->count, 1);
    return 0;
}

static int wait_for_lock(void *args)
{
    mp_lock lock = *(const mp_lock *)args;
    REQUIRE(mp_lock_acquire(lock, LIMIT) >= 0);
    return mp_lock_release(lock);
}

static int leave_children(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    board->copy = mp_current_process();
    REQUIRE(mp_process_start(&board->child, wait_for_lock, &board->lock, sizeof board->lock,
                             &(mp_process_options){.daemon = true}) == 0);
    REQUIRE(mp_lock_acquire(board->lock, 0) == 0); /* the daemon waits for ever, or has passed */
    REQUIRE(mp_process_start(NULL, open_later, args, sizeof value, NULL) == 0);
    REQUIRE(gate_open(board->gate));
    return 19;
}

/* exit in a copy does for its children what it does in any process: daemons are ended, the others joined. */
static void copy_looks_after_its_children(void **state)
{
    struct board *board;
    mp_value value = board_create(&board);
    int code;
    (void)state;
    assert_int_equal(in_copy(leave_children, &value, true), 19);
    assert_int_equal(board->count, 1);
    assert_int_equal(mp_process_is_alive(board->child), 0);
    ok(mp_process_join(board->child, &code, LIMIT));
    assert_true(code == -15 || code == 0);
    ok(mp_process_close(board->child));
    forget_copy(board->copy, 19);
    board_destroy(value);
}

static int copy_in_child(void *args)
{
    int status;
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        mp_value value = *(const mp_value *)args;
        MP_VALUE(struct board, value)->copy = mp_current_process();
        int by_exit = MP_VALUE(struct board, value)->by_exit, code = count_up(args) == 70000 ? 20 : 21;
        if (by_exit) exit(code);
        _exit(code);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 20);
    return 22;
}

static void child_copies_itself(void **state)
{
    struct board *board;
    mp_value value = board_create(&board);
    (void)state;
    for (board->by_exit = 0; board->by_exit < 2; board->by_exit++) {
        assert_ends(start(copy_in_child, &value, sizeof value), 22);
        forget_copy(board->copy, 20);
    }
    assert_int_equal(board->count, 200);
    board_destroy(value);
}

/* Before the first call of libmp: two families, that know nothing of each other. */
static void copy_before_family(void **state)
{
    struct outcome outcome;
    (void)state;
    support_program(&outcome, "program_family",
                    (const char *const[]){mp_start_method_name(mp_get_start_method()), NULL});
    if (outcome.code != 0) print_error("%s", outcome.text);
    assert_false(outcome.timed_out);
    assert_int_equal(outcome.code, 0);
}

/* ---- who takes what is not his ------------------------------------------------------------------------------------ */

static int quit(void *args)
{
    _exit(*(const int *)args);
}

static bool is_own(void)
{
    return mp_get_start_method() != MP_FORKSERVER;
}

/* Reap whatever there is. */
static void steal(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (is_own())
        assert_true(pid > 0);
    else
        assert_int_equal(errno, ECHILD);
}

/* What a target returned is known from itself. How else it ended only the thief knows. */
static void stolen_status(void **state)
{
    const int number = 70000, three = 3;
    int code = 42;
    size_t count;
    (void)state;
    mp_process process = start(give_back, &number, sizeof number);
    steal();
    assert_ends(process, 70000);

    process = start(quit, &three, sizeof three);
    steal();
    if (is_own()) {
        code = 42;
        if (mp_process_join(process, &code, LIMIT) == 0) { /* the janitor has looked before the thief came */
            assert_int_equal(code, 3);
        } else {
            fails(MP_ESYSTEM, mp_process_join(process, &code, LIMIT));
            fails(MP_ESYSTEM, mp_process_join(process, NULL, MP_FOREVER));
            fails(MP_ESYSTEM, mp_process_exitcode(process, &code));
            fails(MP_ESYSTEM, mp_process_join_all(&process, &code, 1, MP_FOREVER));
            assert_non_null(strstr(mp_error_detail(), "lost"));
            assert_int_equal(code, 42);
        }
        assert_int_equal(mp_process_is_alive(process), 0);
        assert_int_equal(mp_process_kill(process), 0); /* nobody else is hit */
    } else {
        ok(mp_process_join(process, &code, LIMIT));
        assert_int_equal(code, 3);
    }
    ok(mp_process_close(process));

    process = start(quit, &three, sizeof three);
    steal();
    ok(mp_active_children(NULL, 0, &count));
    if (is_own()) assert_int_equal(count, 0);
    (void)mp_process_join(process, &code, LIMIT);
    ok(mp_process_close(process));
}

static void *thief(void *args)
{
    _Atomic bool *end = args;
    while (!atomic_load(end)) {
        int status;
        if (waitpid(-1, &status, WNOHANG) <= 0) sched_yield();
    }
    return NULL;
}

/* While somebody waits: it ends, in one way or the other. */
static void stolen_while_joining(void **state)
{
    _Atomic bool end = false;
    pthread_t thread;
    const int number = 70001, four = 4;
    (void)state;
    if (mp_get_start_method() == MP_FORK) skip(); /* there will be threads */
    assert_int_equal(pthread_create(&thread, NULL, thief, &end), 0);
    for (int i = 0; i < 6; i++) {
        int code = 42;
        assert_ends(start(give_back, &number, sizeof number), 70001);
        mp_process process = start(quit, &four, sizeof four);
        int result = mp_process_join(process, &code, i % 2 ? LIMIT : MP_FOREVER);
        assert_true(result == 0 ? code == 4 : result == MP_ESYSTEM && is_own());
        ok(mp_process_close(process));
    }
    atomic_store(&end, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int start_two(void *args)
{
    mp_process process;
    int code;
    const int eight = 8;
    REQUIRE(mp_process_start(&process, give_back, &eight, sizeof eight, NULL) == 0);
    REQUIRE(mp_process_join(process, &code, LIMIT) == 0 && code == 8);
    REQUIRE(mp_process_close(process) == 0);
    return give_back(args);
}

/* Then the system itself is the thief. */
static void sigchld_ignored(void **state)
{
    struct gate gate = gate_create();
    const int number = -70002;
    int code = 42, result;
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    if (!is_own()) ok(mp_set_forkserver_preload(NULL)); /* a new server, too */
    for (int i = 0; i < 5; i++) assert_ends(start(start_two, &number, sizeof number), -70002);
    mp_process process = start(wait_at, &gate, sizeof gate), other = start(wait_at, &gate, sizeof gate);
    fails(MP_ETIMEDOUT, mp_process_join(process, &code, 20));
    ok(mp_process_kill(process));
    result = mp_process_join(process, &code, LIMIT);
    assert_true(result == 0 ? code == -9 : result == MP_ESYSTEM && is_own());
    ok(mp_process_close(process));
    gate_open(gate);
    assert_ends(other, 0);
    signal(SIGCHLD, SIG_DFL);
    if (!is_own()) ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(start_two, &number, sizeof number), -70002);
    gate_destroy(gate);
}

static void many_copies(void **state)
{
    static struct outcome outcome;
    (void)state;
    support_program(&outcome, "program_family", (const char *const[]){"copies", NULL});
    if (outcome.code != 0) fail_msg("exit code %d: %s", outcome.code, outcome.text);
}

/* ---- what is over when a process is joined -------------------------------------------------------------------------- */

static int lock_file(void *args)
{
    int fd = open(args, O_RDWR | O_CREAT, 0600);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : 1;
}

static void files_are_unlocked(void **state)
{
    char path[4200];
    (void)state;
    snprintf(path, sizeof path, "%s/locked-by-a-child.%ld", support_folder(), (long)getpid());
    for (int i = 0; i < 50; i++) {
        assert_ends(start(lock_file, path, strlen(path) + 1), 0);
        int fd = open(path, O_RDWR);
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
        close(fd);
    }
    unlink(path);
}

/* A copy that a child makes of itself comes back from the target, too: that is not the child's end. */
static int copy_and_go_on(void *args)
{
    const struct gate *gate = args;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) return 9;
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 9);
    return gate_pass(*gate) ? 70003 : 1;
}

static void copy_returns_from_the_target(void **state)
{
    struct gate gate = gate_create();
    mp_process process = start(copy_and_go_on, &gate, sizeof gate);
    int code = 42;
    (void)state;
    fails(MP_ETIMEDOUT, mp_process_join(process, &code, 50));
    gate_open(gate);
    assert_ends(process, 70003);
    gate_destroy(gate);
}

static int read_input(void *args)
{
    char text[8] = "";
    (void)args;
    return read(STDIN_FILENO, text, 5) == 5 && strcmp(text, "hello") == 0 ? 0 : 1;
}

static void standard_input_is_kept(void **state)
{
    int ends[2], before = dup(STDIN_FILENO);
    const mp_fd keep = STDIN_FILENO;
    mp_process process;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    ok(mp_process_start(&process, read_input, NULL, 0, &(mp_process_options){.keep = &keep, .keep_count = 1}));
    assert_ends(process, 0);
    if (before >= 0) {
        dup2(before, STDIN_FILENO);
        close(before);
    } else {
        close(STDIN_FILENO);
    }
    close(ends[0]);
    close(ends[1]);
}

/* ---- signal handlers during waits --------------------------------------------------------------------------------- */

static volatile sig_atomic_t ticks;

static void tick(int number)
{
    (void)number;
    ticks++;
}

static void ticks_run(bool on)
{
    static struct sigaction before;
    const struct sigaction action = {.sa_handler = tick}; /* without SA_RESTART */
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    if (on) assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, on ? &often : &never, NULL), 0);
    if (!on) assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

/* They neither end a wait nor make it longer than it should be, and the start itself is not disturbed. */
static void handlers_run_during_waits(void **state)
{
    (void)state;
    struct gate gate = gate_create();
    const int number = 7;
    int codes[2] = {-1, -1};
    ticks = 0;
    ticks_run(true);
    mp_process processes[2] = {start(wait_at, &gate, sizeof gate), start(wait_at, &gate, sizeof gate)};
    while (ticks < 100) {
        fails(MP_ETIMEDOUT, mp_process_join(processes[0], &codes[0], 10));
        fails(MP_ETIMEDOUT, mp_process_join_all(processes, codes, 2, 10));
        fails(MP_ETIMEDOUT, mp_semaphore_acquire(gate.semaphore, 10));
    }
    for (int i = 0; i < 20; i++) assert_ends(start(give_back, &number, sizeof number), 7);
    mp_process opener = start(open_gate, &gate, sizeof gate);
    ok(mp_process_join_all(processes, codes, 2, MP_FOREVER));
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[1], 0);
    ticks_run(false);
    assert_ends(opener, 0);
    ok(mp_process_close(processes[0]));
    ok(mp_process_close(processes[1]));
    gate_destroy(gate);
}

/* ---- what a child inherits at the moment of its start ------------------------------------------------------------- */

/* Name, and what it is lowered to. Not that of core dumps: a sanitizer sets it in each program. */
#define LIMITS(X) X(NOFILE, 100) X(STACK, 4 << 20) X(CPU, 1000000) X(FSIZE, 1000000)
enum limit {
#define LIMIT_ENUMERATOR(name, low) LIMIT_##name,
    LIMITS(LIMIT_ENUMERATOR)
#undef LIMIT_ENUMERATOR
    LIMIT_COUNT
};

struct setting {
    char directory[4096];
    mode_t mask;
    bool blocked[32];
    struct rlimit limits[LIMIT_COUNT];
};

static int setting_get(struct setting *setting)
{
    sigset_t set;
    memset(setting, 0, sizeof *setting);
    REQUIRE(getcwd(setting->directory, sizeof setting->directory));
    umask(setting->mask = umask(0));
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (int i = 1; i < 32; i++) setting->blocked[i] = sigismember(&set, i) == 1;
#define LIMIT_GET(name, low) REQUIRE(getrlimit(RLIMIT_##name, &setting->limits[LIMIT_##name]) == 0);
    LIMITS(LIMIT_GET)
#undef LIMIT_GET
    return 0;
}

static int same_setting(void *args)
{
    static struct setting mine;
    const struct setting *wanted = args;
    REQUIRE(setting_get(&mine) == 0);
    REQUIRE(strcmp(mine.directory, wanted->directory) == 0);
    REQUIRE(mine.mask == wanted->mask);
    for (int i = 1; i < 32; i++) REQUIRE(mine.blocked[i] == wanted->blocked[i]);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        REQUIRE(mine.limits[i].rlim_cur == wanted->limits[i].rlim_cur);
        REQUIRE(mine.limits[i].rlim_max == wanted->limits[i].rlim_max);
    }
    return 23;
}

static void assert_same_setting(void)
{
    static struct setting setting;
    assert_int_equal(setting_get(&setting), 0);
    assert_ends(start(same_setting, &setting, sizeof setting), 23);
}

static const struct rlimit *lower(const struct rlimit *limit, rlim_t low)
{
    static struct rlimit lowered;
    lowered = *limit;
    lowered.rlim_cur = low < limit->rlim_max ? low : limit->rlim_max;
    return &lowered;
}

static void setting_of_the_moment(void **state)
{
    static struct setting before;
    sigset_t blocked, old;
    (void)state;
    assert_int_equal(setting_get(&before), 0);
    assert_same_setting();

    assert_int_equal(chdir("/"), 0);
    assert_same_setting();
    umask(before.mask ^ 0125);
    assert_same_setting();
    sigemptyset(&blocked);
    for (int number = 1; number < 32; number += 2) sigaddset(&blocked, number);
    sigaddset(&blocked, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    assert_same_setting();
    pthread_sigmask(SIG_SETMASK, &old, NULL);
#define LIMIT_LOWER(name, low) assert_int_equal(setrlimit(RLIMIT_##name, lower(&before.limits[LIMIT_##name], low)), 0);
    LIMITS(LIMIT_LOWER)
#undef LIMIT_LOWER
    assert_same_setting();
#define LIMIT_LIFT(name, low) assert_int_equal(setrlimit(RLIMIT_##name, &before.limits[LIMIT_##name]), 0);
    LIMITS(LIMIT_LIFT)
#undef LIMIT_LIFT
    umask(before.mask);
    assert_int_equal(chdir(before.directory), 0);
    assert_same_setting();
}

/* ---- fork servers --------------------------------------------------------------------------------------------- */

static int tell_parent(void *args)
{
    (void)args;
    return (int)getppid();
}

static pid_t server_of_now(void)
{
    return support_end(start(tell_parent, NULL, 0));
}

static bool not_forkserver(void)
{
    return mp_get_start_method() != MP_FORKSERVER;
}

static void server_killed(void **state)
{
    struct gate gate = gate_create();
    mp_process before[3], after[3];
    int code = 42, result;
    (void)state;
    if (not_forkserver()) {
        gate_destroy(gate);
        skip();
    }
    pid_t server = server_of_now();
    for (int i = 0; i < 3; i++) before[i] = start(wait_at, &gate, sizeof gate);
    assert_int_equal(server_of_now(), server);
    assert_int_equal(kill(server, SIGKILL), 0);
    for (int i = 0; i < 3; i++) after[i] = start(wait_at, &gate, sizeof gate);
    assert_int_not_equal(server_of_now(), server);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mp_process_is_alive(before[i]), 1);
        fails(MP_ETIMEDOUT, mp_process_join(before[i], &code, 10));
    }
    /* Nobody of the family learns how that ends, unless the kernel tells. */
    ok(mp_process_kill(before[2]));
    result = mp_process_join(before[2], &code, LIMIT);
    assert_true(result == 0 ? code == -9 : result == MP_ESYSTEM);
    ok(mp_process_close(before[2]));
    gate_open(gate);
    for (int i = 0; i < 2; i++) assert_ends(before[i], 0);
    for (int i = 0; i < 3; i++) assert_ends(after[i], 0);
    gate_destroy(gate);
}

static void server_killed_again_and_again(void **state)
{
    (void)state;
    if (not_forkserver()) skip();
    for (int i = 0; i < 20; i++) {
        const int number = 100000 + i;
        pid_t server = server_of_now();
        mp_process process = start(give_back, &number, sizeof number);
        assert_int_equal(kill(server, SIGKILL), 0);
        assert_ends(start(give_back, &i, sizeof i), i);
        assert_ends(process, number);
    }
}

static int kill_the_server(void *args)
{
    REQUIRE(kill(getppid(), SIGKILL) == 0);
    return give_back(args);
}

/* Each child's first act is to end the server, that may be about to tell the parent of it. */
static void server_killed_by_its_children(void **state)
{
    (void)state;
    if (not_forkserver()) skip();
    for (int i = 0; i < 20; i++) {
        const int number = 200000 + i;
        assert_ends(start(kill_the_server, &number, sizeof number), number);
    }
    assert_ends(start(start_two, NULL, 0), 0);
}

/* The process that a server has forked last; 0 if it has none, -1 if the system does not tell. */
static pid_t youngest_child_of(pid_t server)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)server, (long)server);
    FILE *file = fopen(path, "re");
    if (!file) return -1;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    while (length > 0 && text[length - 1] == ' ') length--;
    text[length] = '\0';
    const char *last = strrchr(text, ' ');
    return (pid_t)strtol(last ? last : text, NULL, 10);
}

struct killer {
    pid_t server;
    _Atomic bool end;
    int kills;
};

/* At moments that differ: every instruction between a fork and the target shall have its turn. */
static void *kill_the_youngest(void *args)
{
    struct killer *killer = args;
    for (uint32_t random = 1; !atomic_load(&killer->end); random = random * 1664525 + 1013904223) {
        struct timespec now, until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)(random >> 8) % 600000 * (random >> 28 ? 1 : 30);
        do clock_gettime(CLOCK_MONOTONIC, &now);
        while (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec);
        pid_t child = youngest_child_of(killer->server);
        if (child > 0 && kill(child, SIGKILL) == 0) killer->kills++;
    }
    return NULL;
}

static int count_one(void *args)
{
    atomic_fetch_add(&MP_VALUE(struct board, *(const mp_value *)args)->count, 1);
    return 70001;
}

/* Whoever of a server's children is killed, also before it is one of the family: a start is a start, whose process may
 * have been killed, and nothing is lost or done twice. */
static void server_loses_children(void **state)
{
    enum {
        STARTS = 1500
    };
    struct support_counts before, after;
    struct killer killer = {.end = false};
    pthread_t thread;
    int lived = 0;
    (void)state;
    if (not_forkserver()) skip();
    killer.server = server_of_now();
    if (youngest_child_of(killer.server) < 0) skip();
    struct board *board;
    mp_value value = board_create(&board);
    support_count(&before);
    assert_int_equal(pthread_create(&thread, NULL, kill_the_youngest, &killer), 0);
    for (int i = 0; i < STARTS; i++) {
        int counted = atomic_load(&board->count), code = support_end(start(count_one, &value, sizeof value));
        int more = atomic_load(&board->count) - counted;
        assert_true(code == 70001 ? more == 1 : code == -9 && (more == 0 || more == 1));
        lived += code == 70001;
    }
    atomic_store(&killer.end, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(killer.kills > 0 && lived > 0);
    assert_int_equal(server_of_now(), killer.server);
    support_count(&after);
    assert_true(support_balanced(&before, &after));
    board_destroy(value);
}

#if TEST_NAME_SPACES
static int in_this_uts(void *args)
{
    char text[64] = "";
    REQUIRE(readlink("/proc/self/ns/uts", text, sizeof text - 1) > 0);
    return strcmp(text, args) == 0 ? 26 : 27;
}

/* A child is where its parent is, although the server is not. */
static void other_name_spaces(void **state)
{
    char here[64] = "";
    (void)state;
    if (not_forkserver()) skip();
    pid_t server = server_of_now();
    if (unshare(CLONE_NEWUTS) != 0) skip();
    assert_true(readlink("/proc/self/ns/uts", here, sizeof here - 1) > 0);
    for (int i = 0; i < 3; i++) assert_ends(start(in_this_uts, here, sizeof here), 26);
    assert_int_not_equal(server_of_now(), server);
}
#endif

static int fail_to_begin(void)
{
    return 1;
}

static int crash_at_begin(void)
{
    _exit(3);
}

static int prepared;

static int prepare(void)
{
    prepared = 24;
    return 0;
}

static int look_at_prepared(void *args)
{
    (void)args;
    return prepared;
}

static void preload(void **state)
{
    mp_process process = {42};
    struct support_counts before, after;
    (void)state;
    if (not_forkserver()) skip();
    assert_ends(start(look_at_prepared, NULL, 0), 0);
    ok(mp_set_forkserver_preload(prepare));
    assert_ends(start(look_at_prepared, NULL, 0), 24);
    assert_ends(start(look_at_prepared, NULL, 0), 24);
    assert_int_equal(prepared, 0);

    support_count(&before);
    ok(mp_set_forkserver_preload(fail_to_begin));
    for (int i = 0; i < 3; i++) {
        fails(MP_EINIT, mp_process_start(&process, look_at_prepared, NULL, 0, NULL));
        fails(MP_EINIT, mp_process_start(NULL, look_at_prepared, NULL, 0, NULL));
        assert_non_null(strstr(mp_error_detail(), "preload"));
    }
    ok(mp_set_forkserver_preload(crash_at_begin));
    fails(MP_EINIT, mp_process_start(&process, look_at_prepared, NULL, 0, NULL));
    assert_int_equal(process.id, 42);
    ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(look_at_prepared, NULL, 0), 0);
    support_count(&after);
    assert_true(support_balanced(&before, &after));
}

/* ---- a parent with threads ------------------------------------------------------------------------------------------ */

struct busy {
    _Atomic bool end;
    _Atomic int failed;
    mp_lock lock;
    mp_rlock rlock;
};

static int be_busy(struct busy *busy)
{
    for (size_t size = 1; !atomic_load(&busy->end); size = size * 3 % 100003) {
        mp_block block;
        mp_lock lock;
        char *memory = malloc(size);
        REQUIRE(memory);
        REQUIRE(mp_block_create(&block, size) == 0);
        REQUIRE(mp_lock_create(&lock, NULL) == 0);
        REQUIRE(mp_lock_acquire(busy->lock, LIMIT) == 0);
        REQUIRE(mp_rlock_acquire(busy->rlock, LIMIT) == 0);
        memset(mp_block_data(block), 1, size);
        memset(memory, 1, size);
        REQUIRE(mp_rlock_release(busy->rlock) == 0);
        REQUIRE(mp_lock_release(busy->lock) == 0);
        REQUIRE(mp_lock_destroy(lock) == 0);
        REQUIRE(mp_block_destroy(block) == 0);
        free(memory);
    }
    return 0;
}

static void *busy_thread(void *args)
{
    struct busy *busy = args;
    if (be_busy(busy) != 0) atomic_fetch_add(&busy->failed, 1);
    return NULL;
}

static int work_in_child(void *args)
{
    const struct busy *busy = args;
    void *memory[100];
    mp_block block;
    for (int i = 0; i < 100; i++) REQUIRE((memory[i] = malloc((size_t)i * 100 + 1)) != NULL);
    for (int i = 0; i < 100; i++) free(memory[i]);
    REQUIRE(mp_lock_acquire(busy->lock, LIMIT) == 0);
    REQUIRE(mp_block_create(&block, 1000) == 0);
    REQUIRE(mp_lock_release(busy->lock) == 0);
    REQUIRE(mp_block_destroy(block) == 0);
    return 25;
}

/* A child has the parent's locks only where they are meant to be shared: none of them is held by a thread that it has not. */
static void parent_with_threads(void **state)
{
    enum {
        THREADS = 4,
        ROUNDS = 15,
        AT_ONCE = 4
    };
    pthread_t threads[THREADS];
    mp_process processes[AT_ONCE];
    int codes[AT_ONCE];
    struct busy busy = {.end = false};
    (void)state;
    ok(mp_lock_create(&busy.lock, NULL));
    ok(mp_rlock_create(&busy.rlock, NULL));
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, busy_thread, &busy), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < AT_ONCE; i++) processes[i] = start(work_in_child, &busy, sizeof busy);
        ok(mp_process_join_all(processes, codes, AT_ONCE, LIMIT));
        for (int i = 0; i < AT_ONCE; i++) {
            assert_int_equal(codes[i], 25);
            ok(mp_process_close(processes[i]));
        }
    }
    atomic_store(&busy.end, true);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(busy.failed, 0);
    ok(mp_lock_destroy(busy.lock));
    ok(mp_rlock_destroy(busy.rlock));
}

/* ---- a child that can not begin ---------------------------------------------------------------------------------- */

static char vanishing[64];

static void remove_vanishing(void)
{
    if (*vanishing) (void)rmdir(vanishing);
}

/* The directory goes between the look at it and the child's change to it. */
static void directory_vanishes(void **state)
{
    mp_process process;
    int code = 42;
    (void)state;
    assert_int_equal(pthread_atfork(NULL, NULL, remove_vanishing), 0);
    snprintf(vanishing, sizeof vanishing, "/tmp/mp-vanishing-XXXXXX");
    assert_non_null(mkdtemp(vanishing));
    const mp_process_options options = {.method = MP_FORK, .working_directory = vanishing};
    ok(mp_process_start(&process, quit, &code, sizeof code, &options));
    fails(MP_ESYSTEM, mp_process_join(process, &code, LIMIT));
    assert_non_null(strstr(mp_error_detail(), "could not change its directory"));
    assert_int_equal(code, 42);
    ok(mp_process_close(process));
    *vanishing = '\0';
}

static const struct test_case cases[] = {
    CASE(copy_lives),
    CASE(copy_ends_nobody),
    CASE_ONCE(copy_within_block),
    CASE(copy_looks_after_its_children),
    CASE(child_copies_itself),
    CASE(copy_before_family),
    CASE(stolen_status),
    CASE(stolen_while_joining),
    CASE_ONCE(many_copies),
    CASE(files_are_unlocked),
    CASE(copy_returns_from_the_target),
    CASE(standard_input_is_kept),
    CASE(handlers_run_during_waits),
    CASE(sigchld_ignored),
    CASE(setting_of_the_moment),
    CASE(server_killed),
    CASE(server_killed_again_and_again),
    CASE(server_killed_by_its_children),
    CASE(server_loses_children),
#if TEST_NAME_SPACES
    CASE(other_name_spaces),
#endif
    CASE(preload),
    CASE_CLEAN(parent_with_threads),
    CASE_ONCE(directory_vanishes),
};

SUPPORT_MAIN("family_posix", cases)
