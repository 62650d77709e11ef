/* SPDX-License-Identifier: MIT
 *
 * test_alive_posix.c - processes that look dead and are not, and one that looks alive: a false death is worse than one that
 * is noticed late.
 */
#include "base/family.h"
#include "require.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHILE 300 /* ms in which everybody would have noticed a death */

struct job {
    mp_lock lock, outer;
    mp_block board; /* struct board */
    struct gate ready, never;
};

struct board {
    mp_process child;
    mp_process grandchild;
    bool deeper; /* the child shall start a grandchild that holds */
    _Atomic int skipped;
};

static struct job job_create(void)
{
    struct job job;
    ok(mp_lock_create(&job.lock, NULL));
    ok(mp_lock_create(&job.outer, NULL));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.ready = gate_create();
    job.never = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_lock_destroy(job->lock));
    ok(mp_lock_destroy(job->outer));
    ok(mp_block_destroy(job->board));
    gate_destroy(job->ready);
    gate_destroy(job->never);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    assert_true(gate_take(job->ready));
    return process;
}

static int hold(const struct job *job, int code)
{
    REQUIRE(mp_lock_acquire(job->lock, MP_FOREVER) == 0);
    REQUIRE(gate_open(job->ready));
    REQUIRE(gate_pass(job->never));
    REQUIRE(mp_lock_release(job->lock) == 0);
    return code;
}

static int pass_by(void *args)
{
    return args ? 1 : 5;
}

/* It lives, and what it holds is its own; also when the janitor has been woken to look. */
static void assert_lives(const struct job *job, mp_process process)
{
    mp_process passing;
    fails(MP_ETIMEDOUT, mp_lock_acquire(job->lock, WHILE));
    ok(mp_process_start(&passing, pass_by, NULL, 0, NULL));
    assert_ends(passing, 5);
    fails(MP_ETIMEDOUT, mp_lock_acquire(job->lock, WHILE));
    assert_int_equal(mp_process_is_alive(process), 1);
}

static void assert_ends_well(const struct job *job, mp_process process, int code)
{
    assert_true(gate_open(job->never));
    assert_int_equal(mp_lock_acquire(job->lock, LIMIT), 0);
    ok(mp_lock_release(job->lock));
    assert_ends(process, code);
}

static void lives_on(mp_target target, int code)
{
    struct job job = job_create();
    mp_process process = start(target, &job);
    assert_lives(&job, process);
    assert_ends_well(&job, process, code);
    job_destroy(&job);
}

/* ---- the first thread ------------------------------------------------------------------------------------------ */

static void *hold_in_thread(void *args)
{
    exit(hold(args, 7));
}

static int end_first_thread(void *args)
{
    static struct job job;
    pthread_t thread;
    memcpy(&job, args, sizeof job);
    if (pthread_create(&thread, NULL, hold_in_thread, &job) != 0) return 1;
    pthread_exit(NULL);
}

static void first_thread_ended(void **state)
{
    (void)state;
    lives_on(end_first_thread, 7);
}

/* ---- descriptors ----------------------------------------------------------------------------------------------- */

static int close_all(void *args)
{
    for (int fd = 0; fd < 1024; fd++) close(fd);
    return hold(args, 8);
}

static void descriptors_closed(void **state)
{
    (void)state;
    lives_on(close_all, 8);
}

/* ---- stopped --------------------------------------------------------------------------------------------------- */

static int just_hold(void *args)
{
    return hold(args, 9);
}

static void stopped(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process process = start(just_hold, &job);
    pid_t pid = (pid_t)mp_process_pid(process);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_lives(&job, process);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_ends_well(&job, process, 9);
    job_destroy(&job);
}

/* ---- paged out ------------------------------------------------------------------------------------------------- */

#ifdef MADV_PAGEOUT

/* All that this process has in memory goes, as far as there is where to: swap, or the files it was read from. */
static int page_out(void)
{
    int done = 0;
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps) != NULL) {
        char *at;
        uintptr_t begin = (uintptr_t)strtoull(line, &at, 16), end = (uintptr_t)strtoull(at + 1, NULL, 16);
        done += madvise((void *)begin, end - begin, MADV_PAGEOUT) == 0;
    }
    if (maps) fclose(maps);
    return done;
}

static int hold_paged_out(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_lock_acquire(job->lock, MP_FOREVER) == 0);
    atomic_store(&board->skipped, page_out() == 0);
    REQUIRE(gate_open(job->ready));
    (void)page_out(); /* what that took */
    REQUIRE(gate_pass(job->never));
    REQUIRE(mp_lock_release(job->lock) == 0);
    return 11;
}

static void paged_out(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process process = start(hold_paged_out, &job);
    if (atomic_load(&board->skipped)) print_message("skipped: this system does not page out on demand\n");
    assert_lives(&job, process);
    assert_ends_well(&job, process, 11);
    job_destroy(&job);
}

#endif

/* ---- pids ------------------------------------------------------------------------------------------------------ */

#ifdef CLONE_NEWPID

static int hold_and_want(void *args)
{
    const struct job *job = args;
    REQUIRE(getpid() == 1);
    int result = mp_lock_acquire(job->outer, WHILE); /* whose owner has a pid that means nothing here */
    REQUIRE(result == MP_ETIMEDOUT);
    struct board *board = mp_block_data(job->board);
    if (!board->deeper) return hold(job, 10);
    int code = 0;
    REQUIRE(mp_process_start(&board->grandchild, just_hold, job, sizeof *job, NULL) == 0);
    REQUIRE(mp_process_join(board->grandchild, &code, MP_FOREVER) == 0);
    return code;
}

static int start_elsewhere(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int code = 0;
    if (!mp_os_pid_space(0) || unshare(CLONE_NEWPID) != 0) { /* plain POSIX knows of none */
        atomic_store(&board->skipped, 1);
        REQUIRE(gate_open(job->ready));
        return 0;
    }
    REQUIRE(mp_process_start(&board->child, hold_and_want, job, sizeof *job,
                             &(mp_process_options){.method = MP_FORK}) == 0);
    REQUIRE(mp_process_join(board->child, &code, MP_FOREVER) == 0);
    _exit(code); /* nothing can be started here any more, also not by a leak checker */
}

/* A process with a child in another space, which holds the lock; or starts a grandchild in there that does. */
static void elsewhere(bool deeper, void (*check)(const struct job *, const struct board *, mp_process))
{
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    board->deeper = deeper;
    ok(mp_lock_acquire(job.outer, 0));
    mp_process process = start(start_elsewhere, &job);
    if (atomic_load(&board->skipped)) {
        print_message("skipped: no other space of pids to be had\n");
        assert_ends(process, 0);
    } else {
        check(&job, board, process);
    }
    ok(mp_lock_release(job.outer));
    job_destroy(&job);
}

static void check_alive(const struct job *job, const struct board *board, mp_process process)
{
    assert_lives(job, process);
    assert_int_equal(mp_process_is_alive(board->child), 1);
    assert_ends_well(job, process, 10);
    assert_ends(board->child, 10);
}

static void in_other_pid_space(void **state)
{
    (void)state;
    elsewhere(false, check_alive);
}

/* In there, after its parent: nobody else can see its pid. */
static void check_killed(const struct job *job, const struct board *board, mp_process process)
{
    ok(mp_process_kill(process));
    assert_ends(process, -9);
    assert_int_equal(mp_process_is_alive(board->child), 1);
    ok(mp_process_kill(board->child)); /* who started it has told its pid out here */
    assert_int_equal(mp_lock_acquire(job->lock, LIMIT), MP_OWNERDEAD);
    ok(mp_lock_release(job->lock));
    assert_ends(board->child, -9);
}

static void killed_in_other_pid_space(void **state)
{
    (void)state;
    elsewhere(false, check_killed);
}

/* Its pid means nothing out here, or somebody else. */
static void check_started(const struct job *job, const struct board *board, mp_process process)
{
    assert_lives(job, process);
    assert_int_equal(mp_process_is_alive(board->grandchild), 1);
    assert_int_equal(mp_process_pid(board->grandchild), 0);
    fails(MP_ENOTSUP, mp_process_kill(board->grandchild));
    assert_true(mp_process_pid(board->child) > 1);
    assert_ends_well(job, process, 9);
    assert_ends(board->grandchild, 9);
    ok(mp_process_close(board->child));
}

static void started_in_other_pid_space(void **state)
{
    (void)state;
    elsewhere(true, check_started);
}

#endif

static int have_child(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_process_start(&board->child, just_hold, job, sizeof *job, NULL) == 0);
    REQUIRE(mp_lock_acquire(job->outer, LIMIT) == 0);
    return 0;
}

static bool is_gone(pid_t pid)
{
    int64_t end = support_now() + LIMIT;
    while (kill(pid, 0) == 0 && support_now() < end) mp_os_sleep(1000000);
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* A stranger that has the pid of a dead one. 0: the system does not let us. */
static pid_t reincarnate(pid_t pid)
{
    char text[32];
    for (int i = 0; i < 100; i++) {
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        int size = snprintf(text, sizeof text, "%d", (int)pid - 1);
        bool written = fd >= 0 && write(fd, text, (size_t)size) == size;
        if (fd >= 0) close(fd);
        if (!written) return 0;
        pid_t stranger = fork();
        if (stranger == 0)
            for (;;) pause();
        if (stranger == pid) return stranger;
        kill(stranger, SIGKILL);
        waitpid(stranger, NULL, 0);
    }
    return 0;
}

/* The other way round: an owner whose pid somebody else has. */
static void pid_of_the_dead_is_used(void **state)
{
    (void)state;
    if (!mp_os_end_is_visible()) {
        print_message("skipped: nobody but its parent sees that it is dead\n");
        return;
    }
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    ok(mp_lock_acquire(job.outer, 0));
    mp_process parent = start(have_child, &job);
    /* The janitor has seen it, and by what it is told from others with that pid. */
    while (!*(const volatile uint64_t *)&board->child.id) mp_os_sleep(1000000);
    const struct mp__process *record = mp__process_of(board->child.id);
    const struct mp__process *self = mp__process_of(mp_current_process().id); /* which has none on an old system */
    int64_t end = support_now() + LIMIT;
    while (!atomic_load(&record->birth) && support_now() < end) mp_os_sleep(1000000);
    assert_true(atomic_load(&record->birth) != 0 || atomic_load(&self->birth) == 0);
    pid_t pid = (pid_t)mp_process_pid(board->child), janitor = (pid_t)atomic_load(&mp__header()->janitor.pid);
    assert_true(janitor > 0);
    assert_int_equal(kill(janitor, SIGSTOP), 0);
    ok(mp_process_kill(parent));
    assert_ends(parent, -9);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(is_gone(pid));
    pid_t stranger = reincarnate(pid);
    if (!stranger) print_message("skipped: pids can not be chosen\n");
    int code = 0, result = mp_lock_acquire(job.lock, LIMIT);
    assert_int_equal(result, MP_OWNERDEAD);
    ok(mp_lock_release(job.lock));
    result = mp_process_join(board->child, &code, LIMIT);
    assert_true(result == MP_ESYSTEM || (result == 0 && code == -9));
    if (stranger) {
        assert_int_equal(kill(stranger, 0), 0);
        kill(stranger, SIGKILL);
        waitpid(stranger, NULL, 0);
    }
    assert_int_equal(kill(janitor, SIGCONT), 0);
    ok(mp_process_close(board->child));
    ok(mp_lock_release(job.outer));
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE(first_thread_ended),
    CASE(descriptors_closed),
    CASE(stopped),
#ifdef MADV_PAGEOUT
    CASE(paged_out),
#endif
#ifdef CLONE_NEWPID
    CASE(in_other_pid_space),
    CASE(killed_in_other_pid_space),
    CASE(started_in_other_pid_space),
#endif
    CASE(pid_of_the_dead_is_used),
};

SUPPORT_MAIN("alive", cases)
