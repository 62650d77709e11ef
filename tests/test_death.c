/* SPDX-License-Identifier: MIT
 *
 * test_death.c - processes and threads that die while they hold something: who waits is told, and goes on.
 */
#include "require.h"
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LOCKS 8

/* What a child is given. */
struct job {
    mp_lock locks[LOCKS];
    mp_rlock rlock;
    mp_array array; /* with a lock */
    struct gate ready, never;
    int depth;
};

static struct job job_create(void)
{
    struct job job = {.depth = 3};
    for (int i = 0; i < LOCKS; i++) ok(mp_lock_create(&job.locks[i], &(mp_lock_options){.name = "of the dead"}));
    ok(mp_rlock_create(&job.rlock, NULL));
    ok(mp_array_create(&job.array, sizeof(int), 4, NULL));
    job.ready = gate_create();
    job.never = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    for (int i = 0; i < LOCKS; i++) ok(mp_lock_destroy(job->locks[i]));
    ok(mp_rlock_destroy(job->rlock));
    ok(mp_array_destroy(job->array));
    gate_destroy(job->ready);
    gate_destroy(job->never);
}

static int hold_all(const struct job *job)
{
    for (int i = 0; i < LOCKS; i++) REQUIRE(mp_lock_acquire(job->locks[i], MP_FOREVER) == 0);
    for (int i = 0; i < job->depth; i++) REQUIRE(mp_rlock_acquire(job->rlock, MP_FOREVER) == 0);
    return 0;
}

static int hold_and_wait(void *args)
{
    const struct job *job = args;
    int result = hold_all(job);
    if (result) return result;
    MP_WITH_LOCK(job->array) {
        REQUIRE(gate_open(job->ready));
        REQUIRE(gate_pass(job->never));
    }
    return 0;
}

static int hold_and_end(void *args)
{
    const struct job *job = args;
    int result = hold_all(job);
    return result ? result : 7;
}

static int wait_for_one(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_open(job->ready));
    return mp_lock_acquire(job->locks[0], LIMIT);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

static mp_process start_holder(const struct job *job)
{
    mp_process holder = start(hold_and_wait, job);
    assert_true(gate_take(job->ready));
    return holder;
}

static void end_killed(mp_process process)
{
    int code = 0;
    ok(mp_process_join(process, &code, LIMIT));
    assert_int_equal(code, -9);
    ok(mp_process_close(process));
}

/* Each lock tells its next owner once, and then is a lock like any other. */
static void assert_told_once(const struct job *job, int64_t timeout)
{
    for (int i = 0; i < LOCKS; i++) {
        assert_int_equal(mp_lock_acquire(job->locks[i], timeout), MP_OWNERDEAD);
        assert_int_equal(mp_lock_locked(job->locks[i]), 1);
        fails(MP_ETIMEDOUT, mp_lock_acquire(job->locks[i], 0));
        ok(mp_lock_release(job->locks[i]));
        assert_int_equal(mp_lock_locked(job->locks[i]), 0);
        fails(MP_EOVERFLOW, mp_lock_release(job->locks[i]));
        assert_int_equal(mp_lock_acquire(job->locks[i], 0), 0);
        ok(mp_lock_release(job->locks[i]));
    }
    assert_int_equal(mp_rlock_acquire(job->rlock, timeout), MP_OWNERDEAD);
    assert_int_equal(mp_rlock_acquire(job->rlock, timeout), 0);
    ok(mp_rlock_release(job->rlock));
    assert_int_equal(mp_rlock_locked(job->rlock), 1);
    ok(mp_rlock_release(job->rlock));
    assert_int_equal(mp_rlock_locked(job->rlock), 0);
    assert_int_equal(mp_rlock_acquire(job->rlock, 0), 0);
    ok(mp_rlock_release(job->rlock));
    int passed = 0;
    MP_WITH_LOCK(job->array) passed++;
    MP_WITH_LOCK(job->array) passed++;
    assert_int_equal(passed, 2);
}

/* Killed, and nobody has joined it. */
static void owner_killed(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process holder = start_holder(&job);
    fails(MP_ETIMEDOUT, mp_lock_acquire(job.locks[0], 0));
    fails(MP_ETIMEDOUT, mp_lock_acquire(job.locks[0], 20));
    ok(mp_process_kill(holder));
    assert_told_once(&job, LIMIT);
    end_killed(holder);
    job_destroy(&job);
}

/* Killed and joined: then it is known, also to who does not wait. */
static void owner_joined(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process holder = start_holder(&job);
    ok(mp_process_kill(holder));
    end_killed(holder);
    assert_told_once(&job, 0);
    job_destroy(&job);
}

static void owner_ended_by_itself(void **state)
{
    (void)state;
    struct job job = job_create();
    assert_ends(start(hold_and_end, &job), 7);
    for (int i = 0; i < LOCKS; i++) assert_int_equal(mp_lock_acquire(job.locks[i], 0), MP_OWNERDEAD);
    for (int i = 0; i < LOCKS; i++) ok(mp_lock_release(job.locks[i]));
    assert_int_equal(mp_rlock_acquire(job.rlock, 0), MP_OWNERDEAD);
    ok(mp_rlock_release(job.rlock));
    job_destroy(&job);
}

/* Those who sleep when it dies: one of them is told, the others get a lock that was released. */
static void owner_killed_before_many(void **state)
{
    enum {
        MANY = 5
    };
    (void)state;
    struct job job = job_create();
    mp_process holder = start_holder(&job), waiters[MANY];
    for (int i = 0; i < MANY; i++) {
        waiters[i] = start(wait_for_one, &job);
        assert_true(gate_take(job.ready));
    }
    ok(mp_process_kill(holder));
    end_killed(holder);
    /* A waiter ends holding the lock: so the next one is told, too. */
    for (int i = 0; i < MANY; i++) assert_ends(waiters[i], MP_OWNERDEAD);
    assert_int_equal(mp_lock_acquire(job.locks[0], LIMIT), MP_OWNERDEAD);
    ok(mp_lock_release(job.locks[0]));
    job_destroy(&job);
}

/* Any process may release a lock: then its next owner need not be told. */
static void released_for_the_dead(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process holder = start_holder(&job);
    ok(mp_lock_release(job.locks[1]));
    ok(mp_process_kill(holder));
    end_killed(holder);
    assert_int_equal(mp_lock_acquire(job.locks[1], 0), 0);
    ok(mp_lock_release(job.locks[1]));
    fails(MP_EOVERFLOW, mp_lock_release(job.locks[0])); /* nobody holds it */
    assert_int_equal(mp_lock_acquire(job.locks[0], 0), MP_OWNERDEAD);
    ok(mp_lock_release(job.locks[0]));
    job_destroy(&job);
}

/* Who dies waiting takes nothing along, and no wake. */
static void waiters_killed(void **state)
{
    enum {
        MANY = 6
    };
    (void)state;
    struct job job = job_create();
    mp_process waiters[MANY];
    assert_int_equal(mp_lock_acquire(job.locks[0], 0), 0);
    for (int i = 0; i < MANY; i++) {
        waiters[i] = start(wait_for_one, &job);
        assert_true(gate_take(job.ready));
    }
    for (int i = 0; i < MANY - 1; i++) ok(mp_process_kill(waiters[i]));
    ok(mp_lock_release(job.locks[0]));
    /* Killed ones that were quicker have taken it, and died with it. */
    int code = support_end(waiters[MANY - 1]);
    assert_true(code == 0 || code == MP_OWNERDEAD);
    for (int i = 0; i < MANY - 1; i++) (void)support_end(waiters[i]);
    assert_int_equal(mp_lock_acquire(job.locks[0], LIMIT), MP_OWNERDEAD);
    ok(mp_lock_release(job.locks[0]));
    job_destroy(&job);
}

/* Destroyed while its dead owner is in it. */
static void destroyed_after_death(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process holder = start_holder(&job);
    ok(mp_process_kill(holder));
    ok(mp_lock_destroy(job.locks[0]));
    ok(mp_lock_create(&job.locks[0], NULL));
    assert_int_equal(mp_lock_acquire(job.locks[0], LIMIT), 0);
    ok(mp_lock_release(job.locks[0]));
    assert_int_equal(mp_lock_acquire(job.locks[1], LIMIT), MP_OWNERDEAD);
    end_killed(holder);
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE(owner_killed),          CASE(owner_joined),   CASE(owner_ended_by_itself), CASE(owner_killed_before_many),
    CASE(released_for_the_dead), CASE(waiters_killed), CASE(destroyed_after_death),
};

SUPPORT_MAIN("death", cases)
