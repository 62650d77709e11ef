/* SPDX-License-Identifier: MIT
 *
 * test_deadlock.c - circles of waiters: one of them is told so, and who waits for what.
 */
#include "base/lockword.h"
#include "inside.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    RING = 3
};

struct job {
    mp_lock locks[RING];
    mp_rlock rlock;
    mp_block board; /* struct board */
};

struct board {
    _Atomic int next, begun, found;
    char detail[RING][512];
};

static const char *const names[RING] = {"fork", "knife", "spoon"};

static struct job job_create(bool detect)
{
    struct job job;
    for (int i = 0; i < RING; i++)
        ok(mp_lock_create(&job.locks[i], &(mp_lock_options){.name = names[i], .detect_deadlock = detect}));
    ok(mp_rlock_create(&job.rlock, &(mp_lock_options){.name = "table", .detect_deadlock = detect}));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    return job;
}

static void job_destroy(const struct job *job)
{
    for (int i = 0; i < RING; i++) ok(mp_lock_destroy(job->locks[i]));
    ok(mp_rlock_destroy(job->rlock));
    ok(mp_block_destroy(job->board));
}

/* Each has one, and wants the next one's. Who is told that it would close a circle gives way. */
static int philosopher(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int me = atomic_fetch_add(&board->next, 1);
    REQUIRE(mp_lock_acquire(job->locks[me], LIMIT) == 0);
    atomic_fetch_add(&board->begun, 1);
    while (atomic_load(&board->begun) < RING) mp_os_yield();
    int result = mp_lock_acquire(job->locks[(me + 1) % RING], MP_FOREVER);
    if (result == MP_EDEADLK) {
        int found = atomic_fetch_add(&board->found, 1);
        (void)snprintf(board->detail[found], sizeof board->detail[found], "%s", mp_error_detail());
    } else {
        REQUIRE(result == 0);
        REQUIRE(mp_lock_release(job->locks[(me + 1) % RING]) == 0);
    }
    REQUIRE(mp_lock_release(job->locks[me]) == 0);
    return 0;
}

static void assert_found(const struct board *board)
{
    assert_in_range(board->found, 1, RING);
    for (int i = 0; i < board->found; i++) {
        for (int k = 0; k < RING; k++) assert_non_null(strstr(board->detail[i], names[k]));
        assert_non_null(strstr(board->detail[i], "a circle of waiters: lock \""));
        assert_non_null(strstr(board->detail[i], ", which waits for lock \""));
        assert_non_null(strstr(board->detail[i], "held by this thread of "));
    }
}

static void between_processes(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct job job = job_create(true);
        const struct board *board = mp_block_data(job.board);
        mp_process processes[RING];
        for (int i = 0; i < RING; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "philosopher-%d", i);
            ok(mp_process_start(&processes[i], philosopher, &job, sizeof job, &(mp_process_options){.name = name}));
        }
        for (int i = 0; i < RING; i++) assert_ends(processes[i], 0);
        assert_found(board);
        for (int i = 0; i < RING; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "philosopher-%d", i);
            assert_non_null(strstr(board->detail[0], name));
        }
        job_destroy(&job);
    }
}

static void *philosopher_thread(void *args)
{
    return philosopher(args) == 0 ? args : NULL;
}

static void between_threads(void **state)
{
    (void)state;
    struct job job = job_create(true);
    const struct board *board = mp_block_data(job.board);
    pthread_t threads[RING];
    for (int i = 0; i < RING; i++) assert_int_equal(pthread_create(&threads[i], NULL, philosopher_thread, &job), 0);
    for (int i = 0; i < RING; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &job);
    }
    assert_found(board);
    assert_non_null(strstr(board->detail[0], "held by another thread of MainProcess"));
    job_destroy(&job);
}

/* With a lock that this thread has already, and an rlock in between. */
static int want_lock_with_rlock(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_rlock_acquire(job->rlock, 0) == 0);
    atomic_store(&board->begun, 1);
    int result = mp_lock_acquire(job->locks[0], LIMIT);
    if (result == 0) REQUIRE(mp_lock_release(job->locks[0]) == 0);
    REQUIRE(mp_rlock_release(job->rlock) == 0);
    return result == MP_EDEADLK ? 1 : result;
}

static void of_one_and_of_two_kinds(void **state)
{
    (void)state;
    struct job job = job_create(true);
    const struct board *board = mp_block_data(job.board);
    ok(mp_lock_acquire(job.locks[0], 0));
    fails(MP_ETIMEDOUT, mp_lock_acquire(job.locks[0], 0)); /* that is no wait */
    fails(MP_EDEADLK, mp_lock_acquire(job.locks[0], 1000));
    fails(MP_EDEADLK, mp_lock_acquire(job.locks[0], MP_FOREVER));
    mp_process other;
    ok(mp_process_start(&other, want_lock_with_rlock, &job, sizeof job, NULL));
    while (!atomic_load(&board->begun) || !inside_somebody_sleeps(job.locks[0].id)) mp_os_sleep(1000000);
    /* The other one may not be asleep yet, and find it first. */
    int result = mp_rlock_acquire(job.rlock, MP_FOREVER);
    assert_true(result == 0 || result == MP_EDEADLK);
    if (result == 0) {
        ok(mp_rlock_release(job.rlock));
    } else {
        assert_non_null(strstr(mp_error_detail(), "rlock \"table\" is held by "));
        assert_non_null(strstr(mp_error_detail(), ", which waits for lock \"fork\", held by this thread"));
    }
    ok(mp_lock_release(job.locks[0]));
    int found = support_end(other);
    assert_true(found == 1 || (found == 0 && result != 0)); /* one of them has, or both at once */
    job_destroy(&job);
}

/* A line of waiters is no circle, and neither is one that somebody leaves when its time is over. */
static int want_next(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int me = RING - 2 - atomic_fetch_add(&board->next, 1); /* the first one waits for the parent */
    REQUIRE(mp_lock_acquire(job->locks[me], 0) == 0);
    atomic_fetch_add(&board->begun, 1);
    REQUIRE(mp_lock_acquire(job->locks[me + 1], MP_FOREVER) == 0);
    REQUIRE(mp_lock_release(job->locks[me + 1]) == 0);
    return mp_lock_release(job->locks[me]);
}

static void no_circle(void **state)
{
    (void)state;
    struct job job = job_create(true);
    const struct board *board = mp_block_data(job.board);
    mp_process processes[RING - 1];
    ok(mp_lock_acquire(job.locks[RING - 1], 0));
    for (int i = 0; i < RING - 1; i++) {
        ok(mp_process_start(&processes[i], want_next, &job, sizeof job, NULL));
        while (atomic_load(&board->begun) <= i) mp_os_sleep(1000000);
    }
    for (int i = 1; i < RING; i++)
        while (!inside_somebody_sleeps(job.locks[i].id)) mp_os_sleep(1000000);
    ok(mp_rlock_acquire(job.rlock, MP_FOREVER));
    ok(mp_rlock_release(job.rlock));
    fails(MP_EDEADLK, mp_lock_acquire(job.locks[0], 5000)); /* this would be one */
    ok(mp_lock_release(job.locks[RING - 1]));
    for (int i = 0; i < RING - 1; i++) assert_ends(processes[i], 0);
    job_destroy(&job);
}

/* Who looks once does not wait, and where nothing was asked for neither does who looks for a while. */
static int try_other(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_lock_acquire(job->locks[1], 0) == 0);
    atomic_store(&board->begun, 1);
    for (int i = 0; i < 20; i++) {
        REQUIRE(mp_lock_acquire(job->locks[0], 0) == MP_ETIMEDOUT);
        if (!atomic_load(&board->found)) REQUIRE(mp_lock_acquire(job->locks[0], 5) == MP_ETIMEDOUT);
    }
    return mp_lock_release(job->locks[1]);
}

static void tries_are_no_circle(void **state)
{
    (void)state;
    for (int detect = 0; detect < 2; detect++) {
        struct job job = job_create(detect);
        struct board *board = mp_block_data(job.board);
        mp_process other;
        atomic_store(&board->found, detect); /* with the option timed waits count */
        ok(mp_lock_acquire(job.locks[0], 0));
        ok(mp_process_start(&other, try_other, &job, sizeof job, NULL));
        while (!atomic_load(&board->begun)) mp_os_sleep(1000000);
        ok(mp_lock_acquire(job.locks[1], MP_FOREVER));
        ok(mp_lock_release(job.locks[1]));
        assert_ends(other, 0);
        ok(mp_lock_release(job.locks[0]));
        job_destroy(&job);
    }
}

/* Without the option a thread may wait for what others are to release. */
static int release_it(void *args)
{
    mp_lock lock = *(const mp_lock *)args;
    while (!inside_somebody_sleeps(lock.id)) mp_os_sleep(1000000);
    return mp_lock_release(lock);
}

static void a_lock_as_a_signal(void **state)
{
    (void)state;
    struct job job = job_create(false);
    mp_process other;
    ok(mp_lock_acquire(job.locks[0], 0));
    fails(MP_ETIMEDOUT, mp_lock_acquire(job.locks[0], 20));
    ok(mp_process_start(&other, release_it, &job.locks[0], sizeof job.locks[0], NULL));
    ok(mp_lock_acquire(job.locks[0], MP_FOREVER));
    assert_ends(other, 0);
    job_destroy(&job);
}

/* Who is being killed waits no more, though it may not be dead yet. */
static int want_first_with_second(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_lock_acquire(job->locks[1], MP_FOREVER) == 0);
    return mp_lock_acquire(job->locks[0], MP_FOREVER);
}

static void killed_it_is_no_circle(void **state)
{
    (void)state;
    struct job job = job_create(true);
    ok(mp_lock_acquire(job.locks[0], 0));
    for (int round = 0; round < 20; round++) {
        mp_process other;
        ok(mp_process_start(&other, want_first_with_second, &job, sizeof job, NULL));
        while (inside_waiters(job.locks[0]) == 0) mp_os_sleep(1000000);
        ok(mp_process_kill(other));
        assert_int_equal(mp_lock_acquire(job.locks[1], MP_FOREVER), MP_OWNERDEAD);
        ok(mp_lock_release(job.locks[1]));
        assert_ends(other, -9);
    }
    ok(mp_lock_release(job.locks[0]));
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE(between_processes),   CASE_ONCE(between_threads), CASE(of_one_and_of_two_kinds), CASE(no_circle),
    CASE(tries_are_no_circle), CASE(a_lock_as_a_signal),   CASE(killed_it_is_no_circle),
};

SUPPORT_MAIN("deadlock", cases)
