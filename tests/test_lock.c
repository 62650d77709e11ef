/* SPDX-License-Identifier: MIT
 *
 * test_lock.c - Lock: alone, among processes, under those who give up, and when it goes.
 */
#include "shared_support.h"

#include <limits.h>
#include <stdlib.h>

/* What all children of this file are given. */
struct job {
    mp_lock lock, gate; /* the gate is held until all shall begin */
    mp_block shared;    /* struct shared */
    uint32_t rounds;
};

struct shared {
    uint64_t count;  /* under the lock */
    uint64_t inside; /* under the lock: 0 or 1 */
    _Atomic uint32_t arrived, left, ticks, numbers;
};

static struct job job_create(struct shared **shared, uint32_t rounds)
{
    struct job job = {.rounds = rounds};
    assert_ok(mp_lock_create(&job.lock, &(mp_lock_options){.name = "the lock"}));
    assert_ok(mp_lock_create(&job.gate, NULL));
    assert_ok(mp_block_create(&job.shared, sizeof **shared));
    *shared = mp_block_data(job.shared);
    assert_non_null(*shared);
    return job;
}

static void job_destroy(const struct job *job)
{
    assert_ok(mp_lock_destroy(job->lock));
    assert_ok(mp_lock_destroy(job->gate));
    assert_ok(mp_block_destroy(job->shared));
}

/* ---- alone ----------------------------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    (void)state;
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, NULL));
    assert_int_equal(mp_lock_locked(lock), 0);
    for (int i = 0; i < 1000; i++) {
        assert_ok(mp_lock_acquire(lock, MP_FOREVER));
        assert_int_equal(mp_lock_locked(lock), 1);
        assert_ok(mp_lock_release(lock));
        assert_int_equal(mp_lock_locked(lock), 0);
    }
    assert_ok(mp_lock_destroy(lock));
}

static void test_arguments(void **state)
{
    (void)state;
    struct usage before = usage_now();
    assert_fails(mp_lock_create(NULL, NULL), MP_EINVAL);
    mp_lock lock;
    char longest[200];
    memset(longest, 'n', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_ok(mp_lock_create(&lock, &(mp_lock_options){.name = longest})); /* the first 31 count */
    assert_fails(mp_lock_release(lock), MP_EOVERFLOW);
    assert_non_null(strstr(mp_error_detail(), "\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\""));
    assert_ok(mp_lock_destroy(lock));
    assert_ok(mp_lock_create(&lock, &(mp_lock_options){0}));
    assert_ok(mp_lock_destroy(lock));
    assert_usage(&before);
}

static void test_over_release(void **state)
{
    (void)state;
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, NULL));
    assert_fails(mp_lock_release(lock), MP_EOVERFLOW);
    assert_ok(mp_lock_acquire(lock, 0));
    assert_ok(mp_lock_release(lock));
    assert_fails(mp_lock_release(lock), MP_EOVERFLOW);
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_ok(mp_lock_acquire(lock, 0)); /* no worse for it */
    assert_ok(mp_lock_destroy(lock));
}

static void test_timeouts(void **state)
{
    (void)state;
    static const int64_t polls[] = {0, -1, -1000, INT64_MIN},
                         long_ones[] = {1, 100, INT_MAX, INT64_MAX - 1, INT64_MAX / 1000};
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, NULL));
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++) { /* of a free lock: no wait */
        assert_ok(mp_lock_acquire(lock, long_ones[i]));
        assert_ok(mp_lock_release(lock));
    }
    for (size_t i = 0; i < sizeof polls / sizeof *polls; i++) {
        assert_ok(mp_lock_acquire(lock, polls[i]));
        assert_fails(mp_lock_acquire(lock, polls[i]), MP_ETIMEDOUT);
        assert_int_equal(mp_lock_locked(lock), 1);
        assert_ok(mp_lock_release(lock));
    }
    assert_ok(mp_lock_acquire(lock, 0));
    int64_t begin = now_ms();
    assert_fails(mp_lock_acquire(lock, 100), MP_ETIMEDOUT); /* not recursive */
    assert_true(now_ms() - begin >= 90);                    /* two clocks; it may be any later */
    assert_ok(mp_lock_destroy(lock));
}

static void test_destroyed(void **state)
{
    (void)state;
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, NULL));
    assert_ok(mp_lock_acquire(lock, 0));
    assert_ok(mp_lock_destroy(lock)); /* held or not */
    assert_fails(mp_lock_acquire(lock, 0), MP_EBADHANDLE);
    assert_fails(mp_lock_acquire(lock, MP_FOREVER), MP_EBADHANDLE);
    assert_fails(mp_lock_release(lock), MP_EBADHANDLE);
    assert_fails(mp_lock_locked(lock), MP_EBADHANDLE);
    assert_fails(mp_lock_destroy(lock), MP_EBADHANDLE);
}

/* ---- among processes ------------------------------------------------------------------------------------------- */

static int release_it(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_lock_locked(job->lock) == 1);
    REQUIRE(mp_lock_acquire(job->lock, 0) == MP_ETIMEDOUT);
    REQUIRE(mp_lock_acquire(job->lock, 10) == MP_ETIMEDOUT);
    REQUIRE(mp_lock_release(job->lock) == 0);
    return 0;
}

static int take_it(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_lock_acquire(job->lock, 0) == 0);
    return 0;
}

static void other_releases(mp_start_method method)
{
    struct usage before = usage_now();
    struct shared *shared;
    struct job job = job_create(&shared, 0);
    assert_ok(mp_lock_acquire(job.lock, 0));
    assert_int_equal(child_run(method, release_it, &job, sizeof job), 0);
    assert_int_equal(mp_lock_locked(job.lock), 0);
    assert_ok(mp_lock_acquire(job.lock, 0));
    assert_ok(mp_lock_release(job.lock));
    job_destroy(&job);
    assert_usage(&before);
}

static void test_other_releases(void **state)
{
    (void)state;
    each_method(other_releases);
}

/* What a child has taken I may give back while it runs. */
static int take_and_stay(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    int result = take_it(args);
    atomic_store(&shared->arrived, 1);
    if (result == 0) REQUIRE(mp_lock_acquire(job->gate, PATIENCE_MS) == 0);
    return result;
}

static void release_others(mp_start_method method)
{
    struct shared *shared;
    struct job job = job_create(&shared, 0);
    mp_process child;
    assert_ok(mp_lock_acquire(job.gate, 0));
    children_start(&child, 1, method, take_and_stay, &job, sizeof job);
    assert_true(await_count(&shared->arrived, 1));
    assert_fails(mp_lock_acquire(job.lock, 0), MP_ETIMEDOUT);
    assert_ok(mp_lock_release(job.lock));
    assert_ok(mp_lock_acquire(job.lock, 0));
    assert_ok(mp_lock_release(job.gate));
    children_join(&child, 1);
    job_destroy(&job);
}

static void test_release_others(void **state)
{
    (void)state;
    each_method(release_others);
}

static int count_up(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    REQUIRE(shared != NULL);
    REQUIRE(mp_lock_acquire(job->gate, PATIENCE_MS) == 0);
    REQUIRE(mp_lock_release(job->gate) == 0);
    for (uint32_t i = 0; i < job->rounds; i++) {
        REQUIRE(mp_lock_acquire(job->lock, PATIENCE_MS) == 0);
        REQUIRE(shared->inside++ == 0);
        shared->count++;
        REQUIRE(--shared->inside == 0);
        REQUIRE(mp_lock_release(job->lock) == 0);
    }
    return 0;
}

static void contend(mp_start_method method, uint32_t processes, uint32_t rounds)
{
    struct shared *shared;
    struct job job = job_create(&shared, rounds);
    mp_process children[64];
    assert_ok(mp_lock_acquire(job.gate, 0));
    children_start(children, processes, method, count_up, &job, sizeof job);
    assert_ok(mp_lock_release(job.gate));
    children_join(children, processes);
    assert_int_equal(shared->count, (uint64_t)processes * rounds);
    assert_int_equal(mp_lock_locked(job.lock), 0);
    job_destroy(&job);
}

static void contended(mp_start_method method)
{
    struct usage before = usage_now();
    contend(method, 2, 20000);
    contend(method, 4, 5000);
    contend(method, 16, 1000);
    contend(method, 64, 100);
    assert_usage(&before);
}

static void test_contended(void **state)
{
    (void)state;
    each_method(contended);
}

/* ---- destroyed while others wait ------------------------------------------------------------------------------- */

static int wait_for_its_end(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    uint32_t number = atomic_fetch_add(&shared->arrived, 1);
    int result = mp_lock_acquire(job->lock, number % 2 ? MP_FOREVER : 10 * PATIENCE_MS);
    REQUIRE(result == MP_EBADHANDLE);
    REQUIRE(mp_lock_acquire(job->lock, 0) == MP_EBADHANDLE);
    return 0;
}

static void destroyed_under_waiters(mp_start_method method)
{
    enum {
        WAITERS = 6,
        ROUNDS = 4
    };
    uint64_t random = 4711;
    for (int round = 0; round < ROUNDS; round++) {
        struct shared *shared;
        struct job job = job_create(&shared, 0);
        mp_process children[WAITERS];
        assert_ok(mp_lock_acquire(job.lock, 0));
        children_start(children, WAITERS, method, wait_for_its_end, &job, sizeof job);
        assert_true(await_count(&shared->arrived, WAITERS));
        nap((int64_t)(random_next(&random) % 4000)); /* some sleep by now, some do not: all the same */
        assert_ok(mp_lock_destroy(job.lock));
        mp_lock next; /* lives where the old one did, and is free: nobody may take it for the old one */
        assert_ok(mp_lock_create(&next, NULL));
        children_join(children, WAITERS);
        assert_int_equal(mp_lock_locked(next), 0);
        assert_ok(mp_lock_destroy(next));
        assert_ok(mp_lock_destroy(job.gate));
        assert_ok(mp_block_destroy(job.shared));
    }
}

static void test_destroyed_under_waiters(void **state)
{
    (void)state;
    each_method(destroyed_under_waiters);
}

/* ---- signal handlers ------------------------------------------------------------------------------------------- */

static int hold_for_ticks(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    REQUIRE(mp_lock_acquire(job->lock, 0) == 0);
    atomic_store(&shared->arrived, 1);
    bool ticked = await_count(&shared->ticks, 100);
    atomic_store(&shared->left, 1);
    REQUIRE(mp_lock_release(job->lock) == 0);
    REQUIRE(ticked);
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
        int timed = mp_lock_acquire(job.lock, 5), taken = mp_lock_acquire(job.lock, MP_FOREVER);
        ticks_stop();
        if (timed != 0) {
            assert_int_equal(timed, MP_ETIMEDOUT);
            assert_ok(taken);
        }
        assert_int_equal(atomic_load(&shared->left), 1);
        assert_true(atomic_load(&shared->ticks) >= 100);
    } else {
        atomic_store(&shared->ticks, 100);
    }
    children_join(&child, 1);
    job_destroy(&job);
}

static void test_interrupted(void **state)
{
    (void)state;
    each_method(interrupted);
}

/* ---- those who give up lose nobody's wake-up ------------------------------------------------------------------- */

/* Of each three processes one waits as long as it takes, one gives up soon, and one holds the lock for long. */
static int patience_differs(void *args)
{
    const struct job *job = args;
    struct shared *shared = mp_block_data(job->shared);
    uint32_t number = atomic_fetch_add(&shared->numbers, 1);
    uint64_t random = number * 7919 + 1;
    REQUIRE(mp_lock_acquire(job->gate, PATIENCE_MS) == 0);
    REQUIRE(mp_lock_release(job->gate) == 0);
    for (uint32_t i = 0; i < job->rounds; i++) {
        int64_t timeout = number % 3 == 1 ? (int64_t)(random_next(&random) % 4) : MP_FOREVER;
        int result = mp_lock_acquire(job->lock, timeout);
        if (result == MP_ETIMEDOUT && number % 3 == 1) continue;
        REQUIRE(result == 0);
        REQUIRE(shared->inside++ == 0);
        shared->count++;
        if (number % 3 == 2) nap((int64_t)(random_next(&random) % 2000));
        REQUIRE(--shared->inside == 0);
        REQUIRE(mp_lock_release(job->lock) == 0);
    }
    atomic_fetch_add(&shared->left, 1);
    return 0;
}

static void impatient_round(mp_start_method method, uint32_t processes, uint32_t rounds)
{
    struct shared *shared;
    struct job job = job_create(&shared, rounds);
    mp_process children[48];
    assert_ok(mp_lock_acquire(job.gate, 0));
    children_start(children, processes, method, patience_differs, &job, sizeof job);
    assert_ok(mp_lock_release(job.gate));
    children_join(children, processes);
    assert_int_equal(atomic_load(&shared->left), processes);
    assert_true(shared->count >= (uint64_t)(processes * 2 / 3) * rounds);
    assert_int_equal(mp_lock_locked(job.lock), 0);
    job_destroy(&job);
}

static void impatient(mp_start_method method)
{
    impatient_round(method, 9, 60);
    impatient_round(method, 24, 15);
}

static void test_impatient(void **state)
{
    (void)state;
    each_method(impatient);
}

/* ---- stress ---------------------------------------------------------------------------------------------------- */

static void stress_impatient(mp_start_method method)
{
    int64_t end = now_ms() + stress_ms(5);
    while (now_ms() < end) impatient_round(method, 48, 30);
}

static void stress_contended(mp_start_method method)
{
    int64_t end = now_ms() + stress_ms(5);
    while (now_ms() < end) {
        contend(method, 3, 100000);
        contend(method, 64, 1000);
    }
}

static void stress_destroyed(mp_start_method method)
{
    int64_t end = now_ms() + stress_ms(5);
    while (now_ms() < end) destroyed_under_waiters(method);
}

static void test_stress(void **state)
{
    (void)state;
    each_method(stress_impatient);
    each_method(stress_contended);
    each_method(stress_destroyed);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const struct CMUnitTest stress[] = {
        cmocka_unit_test(test_stress),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_over_release),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_destroyed),
        cmocka_unit_test(test_other_releases),
        cmocka_unit_test(test_release_others),
        cmocka_unit_test(test_contended),
        cmocka_unit_test(test_destroyed_under_waiters),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_impatient),
    };
    if (argc > 1 && strcmp(argv[1], "stress") == 0) return cmocka_run_group_tests(stress, warm_up, NULL);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
