/* SPDX-License-Identifier: MIT
 *
 * test_rlock.c - RLock: it belongs to a thread of a process, as often as that likes, and to nobody that comes after it.
 */
#include "shared_support.h"

#include <pthread.h>

struct job {
    mp_rlock rlock;
    mp_lock gate;
    mp_block shared; /* struct shared */
    uint32_t rounds;
};

struct shared {
    uint64_t count, inside; /* under the rlock */
    _Atomic uint32_t arrived, ticks;
};

static struct job job_create(struct shared **shared, uint32_t rounds)
{
    struct job job = {.rounds = rounds};
    assert_ok(mp_rlock_create(&job.rlock, &(mp_lock_options){.name = "the rlock"}));
    assert_ok(mp_lock_create(&job.gate, NULL));
    assert_ok(mp_block_create(&job.shared, sizeof **shared));
    *shared = mp_block_data(job.shared);
    assert_non_null(*shared);
    return job;
}

static void job_destroy(const struct job *job)
{
    assert_ok(mp_rlock_destroy(job->rlock));
    assert_ok(mp_lock_destroy(job->gate));
    assert_ok(mp_block_destroy(job->shared));
}

/* ---- alone ----------------------------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_rlock rlock;
    assert_fails(mp_rlock_create(NULL, NULL), MP_EINVAL);
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_int_equal(mp_rlock_locked(rlock), 0);
    assert_fails(mp_rlock_release(rlock), MP_EOVERFLOW);
    assert_ok(mp_rlock_acquire(rlock, 0));
    assert_int_equal(mp_rlock_locked(rlock), 1);
    assert_ok(mp_rlock_release(rlock));
    assert_int_equal(mp_rlock_locked(rlock), 0);
    assert_fails(mp_rlock_release(rlock), MP_EOVERFLOW);
    assert_ok(mp_rlock_acquire(rlock, MP_FOREVER));
    assert_ok(mp_rlock_destroy(rlock)); /* held or not */
    assert_fails(mp_rlock_acquire(rlock, MP_FOREVER), MP_EBADHANDLE);
    assert_fails(mp_rlock_release(rlock), MP_EBADHANDLE);
    assert_fails(mp_rlock_destroy(rlock), MP_EBADHANDLE);
    assert_usage(&before);
}

static void test_recursion(void **state)
{
    (void)state;
    enum {
        DEPTH = 10000
    };
    mp_rlock rlock;
    assert_ok(mp_rlock_create(&rlock, NULL));
    for (int i = 0; i < DEPTH; i++) assert_ok(mp_rlock_acquire(rlock, i % 3 - 1));
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mp_rlock_locked(rlock), 1);
        assert_ok(mp_rlock_release(rlock));
    }
    assert_int_equal(mp_rlock_locked(rlock), 0);
    assert_fails(mp_rlock_release(rlock), MP_EOVERFLOW);
    assert_ok(mp_rlock_destroy(rlock));
}

/* ---- other threads --------------------------------------------------------------------------------------------- */

static void thread_run(int (*body)(void *), void *args);

struct call {
    int (*body)(void *);
    void *args;
    int result;
};

static void *call_it(void *args)
{
    struct call *call = args;
    call->result = call->body(call->args);
    return NULL;
}

static void thread_run(int (*body)(void *), void *args)
{
    pthread_t thread;
    struct call call = {body, args, -1};
    assert_int_equal(pthread_create(&thread, NULL, call_it, &call), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(call.result, 0);
}

static int not_mine(void *args)
{
    const mp_rlock *rlock = args;
    REQUIRE(mp_rlock_locked(*rlock) == 1);
    REQUIRE(mp_rlock_release(*rlock) == MP_ENOTOWNER);
    REQUIRE(mp_rlock_acquire(*rlock, 0) == MP_ETIMEDOUT);
    REQUIRE(mp_rlock_acquire(*rlock, 20) == MP_ETIMEDOUT);
    REQUIRE(mp_rlock_release(*rlock) == MP_ENOTOWNER);
    REQUIRE(mp_rlock_locked(*rlock) == 1);
    return 0;
}

static int mine_now(void *args)
{
    const mp_rlock *rlock = args;
    REQUIRE(mp_rlock_release(*rlock) == MP_EOVERFLOW);
    REQUIRE(mp_rlock_acquire(*rlock, 0) == 0);
    REQUIRE(mp_rlock_acquire(*rlock, 0) == 0);
    REQUIRE(mp_rlock_release(*rlock) == 0);
    REQUIRE(mp_rlock_release(*rlock) == 0);
    return 0;
}

static void test_other_thread(void **state)
{
    (void)state;
    mp_rlock rlock;
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_rlock_acquire(rlock, 0));
    assert_ok(mp_rlock_acquire(rlock, 0));
    thread_run(not_mine, &rlock);
    assert_ok(mp_rlock_release(rlock));
    thread_run(not_mine, &rlock); /* still mine, once */
    assert_ok(mp_rlock_release(rlock));
    thread_run(mine_now, &rlock);
    assert_ok(mp_rlock_destroy(rlock));
}

static int take_and_end(void *args)
{
    REQUIRE(mp_rlock_acquire(*(const mp_rlock *)args, 0) == 0);
    return 0;
}

/* The next thread may well be given what was the first one's: record, stack, thread id. It holds nothing for that, and is
 * told that the first one ended holding it. */
static int heir(void *args)
{
    const mp_rlock *rlock = args;
    REQUIRE(mp_rlock_locked(*rlock) == 0);
    REQUIRE(mp_rlock_release(*rlock) == MP_EOVERFLOW);
    REQUIRE(mp_rlock_acquire(*rlock, 0) == MP_OWNERDEAD);
    REQUIRE(mp_rlock_release(*rlock) == 0);
    REQUIRE(mp_rlock_release(*rlock) == MP_EOVERFLOW);
    REQUIRE(mp_rlock_acquire(*rlock, 0) == 0);
    return 0;
}

static void test_thread_reuse(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        mp_rlock rlock;
        assert_ok(mp_rlock_create(&rlock, NULL));
        thread_run(take_and_end, &rlock);
        thread_run(heir, &rlock);
        assert_ok(mp_rlock_destroy(rlock));
    }
}

/* ---- other processes ------------------------------------------------------------------------------------------- */

static void process_reuse(mp_start_method method)
{
    for (int i = 0; i < 10; i++) {
        mp_rlock rlock;
        assert_ok(mp_rlock_create(&rlock, NULL));
        assert_int_equal(child_run(method, take_and_end, &rlock, sizeof rlock), 0);
        assert_int_equal(child_run(method, heir, &rlock, sizeof rlock), 0);
        assert_ok(mp_rlock_destroy(rlock));
    }
}

static void test_process_reuse(void **state)
{
    (void)state;
    each_method(process_reuse);
}

static void other_process(mp_start_method method)
{
    struct usage before = usage_now();
    mp_rlock rlock;
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_rlock_acquire(rlock, 0));
    assert_int_equal(child_run(method, not_mine, &rlock, sizeof rlock), 0);
    assert_ok(mp_rlock_acquire(rlock, 0)); /* and I have it still */
    assert_ok(mp_rlock_release(rlock));
    assert_ok(mp_rlock_release(rlock));
    assert_int_equal(child_run(method, mine_now, &rlock, sizeof rlock), 0);
    assert_ok(mp_rlock_destroy(rlock));
    assert_usage(&before);
}

static void test_other_process(void **state)
{
    (void)state;
    each_method(other_process);
}

/* A copy by plain fork() is another process: what its original holds is not its own. */
static void test_raw_fork(void **state)
{
    (void)state;
    mp_rlock rlock;
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_rlock_acquire(rlock, 0));
    int code = raw_fork_run(not_mine, &rlock);
    assert_ok(mp_rlock_release(rlock));
    if (code == -1) skip();
    assert_int_equal(code, 0);
    assert_int_equal(raw_fork_run(mine_now, &rlock), 0);
    assert_ok(mp_rlock_destroy(rlock));
}

static int count_up(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    REQUIRE(mp_lock_acquire(job->gate, PATIENCE_MS) == 0);
    REQUIRE(mp_lock_release(job->gate) == 0);
    for (uint32_t i = 0; i < job->rounds; i++) {
        uint32_t depth = i % 4 + 1;
        for (uint32_t d = 0; d < depth; d++) REQUIRE(mp_rlock_acquire(job->rlock, PATIENCE_MS) == 0);
        REQUIRE(shared->inside++ == 0);
        shared->count++;
        for (uint32_t d = 1; d < depth; d++) REQUIRE(mp_rlock_release(job->rlock) == 0);
        REQUIRE(--shared->inside == 0);
        REQUIRE(mp_rlock_release(job->rlock) == 0);
    }
    return 0;
}

static void contend(mp_start_method method, uint32_t processes, uint32_t rounds)
{
    struct shared *shared;
    struct job job = job_create(&shared, rounds);
    mp_process children[16];
    assert_ok(mp_lock_acquire(job.gate, 0));
    children_start(children, processes, method, count_up, &job, sizeof job);
    assert_ok(mp_lock_release(job.gate));
    children_join(children, processes);
    assert_int_equal(shared->count, (uint64_t)processes * rounds);
    assert_int_equal(mp_rlock_locked(job.rlock), 0);
    job_destroy(&job);
}

static void contended(mp_start_method method)
{
    struct usage before = usage_now();
    contend(method, 2, 10000);
    contend(method, 4, 2500);
    contend(method, 16, 500);
    assert_usage(&before);
}

static void test_contended(void **state)
{
    (void)state;
    each_method(contended);
}

static int wait_for_its_end(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    atomic_fetch_add(&shared->arrived, 1);
    REQUIRE(mp_rlock_acquire(job->rlock, MP_FOREVER) == MP_EBADHANDLE);
    return 0;
}

static void destroyed_under_waiters(mp_start_method method)
{
    enum {
        WAITERS = 5
    };
    for (int64_t microseconds = 0; microseconds < 4000; microseconds += 1300) {
        struct shared *shared;
        struct job job = job_create(&shared, 0);
        mp_process children[WAITERS];
        assert_ok(mp_rlock_acquire(job.rlock, 0));
        children_start(children, WAITERS, method, wait_for_its_end, &job, sizeof job);
        assert_true(await_count(&shared->arrived, WAITERS));
        nap(microseconds); /* some sleep by now, some do not: all the same */
        job_destroy(&job);
        children_join(children, WAITERS);
    }
}

static void test_destroyed_under_waiters(void **state)
{
    (void)state;
    each_method(destroyed_under_waiters);
}

static int hold_for_ticks(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    REQUIRE(mp_rlock_acquire(job->rlock, 0) == 0);
    atomic_store(&shared->arrived, 1);
    REQUIRE(await_count(&shared->ticks, 50));
    REQUIRE(mp_rlock_release(job->rlock) == 0);
    return 0;
}

static void interrupted(mp_start_method method)
{
    struct shared *shared;
    struct job job = job_create(&shared, 0);
    mp_process child;
    children_start(&child, 1, method, hold_for_ticks, &job, sizeof job);
    assert_true(await_count(&shared->arrived, 1));
    if (ticks_start(&shared->ticks)) {
        int result = mp_rlock_acquire(job.rlock, MP_FOREVER);
        ticks_stop();
        assert_ok(result);
        assert_true(atomic_load(&shared->ticks) >= 50);
    } else {
        atomic_store(&shared->ticks, 50);
    }
    children_join(&child, 1);
    job_destroy(&job);
}

static void test_interrupted(void **state)
{
    (void)state;
    each_method(interrupted);
}

static void stress(mp_start_method method)
{
    int64_t end = now_ms() + stress_ms(5);
    while (now_ms() < end) {
        contend(method, 3, 50000);
        contend(method, 16, 5000);
        destroyed_under_waiters(method);
        process_reuse(method);
    }
}

static void test_stress(void **state)
{
    (void)state;
    each_method(stress);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const struct CMUnitTest stress_tests[] = {cmocka_unit_test(test_stress)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_other_thread),  cmocka_unit_test(test_thread_reuse),
        cmocka_unit_test(test_process_reuse), cmocka_unit_test(test_other_process),
        cmocka_unit_test(test_raw_fork),      cmocka_unit_test(test_contended),
        cmocka_unit_test(test_interrupted),   cmocka_unit_test(test_destroyed_under_waiters),
    };
    if (argc > 1 && strcmp(argv[1], "stress") == 0) return cmocka_run_group_tests(stress_tests, warm_up, NULL);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
