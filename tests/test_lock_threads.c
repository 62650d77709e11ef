/* SPDX-License-Identifier: MIT
 *
 * test_lock_threads.c - the threads of one process: locks, handles and memory among them. The thread sanitizer runs it, too.
 */
#include "shared_support.h"

#include <pthread.h>
#include <sched.h>

enum {
    THREADS_MOST = 16
};

struct job {
    mp_lock lock;
    mp_rlock rlock;
    mp_value value;
    uint64_t count; /* under the lock, in this process's own memory: the sanitizer sees who orders accesses to it */
    uint32_t rounds, number;
    _Atomic uint32_t begun, numbers, left, stop;
    _Atomic uint64_t handle;
};

struct thread {
    pthread_t thread;
    int (*body)(struct job *job);
    struct job *job;
    int result;
};

static void *run(void *args)
{
    struct thread *thread = args;
    atomic_fetch_add(&thread->job->begun, 1);
    while (atomic_load(&thread->job->begun) < thread->job->number) sched_yield(); /* all at once */
    thread->result = thread->body(thread->job);
    return NULL;
}

static void threads_start(struct thread *threads, uint32_t count, int (*body)(struct job *), struct job *job)
{
    job->number = count;
    atomic_store(&job->begun, 0);
    for (uint32_t i = 0; i < count; i++) {
        threads[i] = (struct thread){.body = body, .job = job, .result = -1};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run, &threads[i]), 0);
    }
}

static void threads_join(struct thread *threads, uint32_t count)
{
    int bad = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
        bad += threads[i].result != 0;
    }
    assert_int_equal(bad, 0);
}

static void threads_run(uint32_t count, int (*body)(struct job *), struct job *job)
{
    struct thread threads[THREADS_MOST];
    threads_start(threads, count, body, job);
    threads_join(threads, count);
}

static void job_init(struct job *job, uint32_t rounds)
{
    memset((void *)job, 0, sizeof *job);
    job->rounds = rounds;
    assert_ok(mp_lock_create(&job->lock, NULL));
    assert_ok(mp_rlock_create(&job->rlock, NULL));
    assert_ok(mp_value_create(&job->value, sizeof(uint64_t), NULL));
}

static void job_fini(struct job *job)
{
    assert_int_equal(mp_lock_locked(job->lock), 0);
    assert_int_equal(mp_rlock_locked(job->rlock), 0);
    assert_ok(mp_lock_destroy(job->lock));
    assert_ok(mp_rlock_destroy(job->rlock));
    assert_ok(mp_value_destroy(job->value));
}

/* ---- the first use, by all of them at once ---------------------------------------------------------------------- */

static int first_use(struct job *job)
{
    mp_lock lock;
    mp_stats stats;
    switch (atomic_fetch_add(&job->numbers, 1) % 4) {
    case 0:
        REQUIRE(mp_current_process().id != 0);
        break;
    case 1:
        REQUIRE(mp_lock_create(&lock, NULL) == 0);
        REQUIRE(mp_lock_acquire(lock, 0) == 0);
        REQUIRE(mp_lock_destroy(lock) == 0);
        break;
    case 2:
        REQUIRE(mp_get_stats(&stats) == 0);
        REQUIRE(stats.processes <= 1);
        break;
    default:
        REQUIRE(mp_lock_acquire((mp_lock){1}, MP_FOREVER) == MP_EBADHANDLE);
        REQUIRE(mp_configure(&(mp_config){.max_processes = UINT32_MAX}) == MP_EINVAL);
        break;
    }
    uint64_t id = mp_current_process().id, none = 0;
    REQUIRE(id != 0);
    REQUIRE(atomic_compare_exchange_strong(&job->handle, &none, id) || none == id); /* they agree */
    return 0;
}

static void test_first_use(void **state)
{
    (void)state;
    struct job job;
    memset((void *)&job, 0, sizeof job);
    threads_run(8, first_use, &job);
    mp_stats stats;
    assert_ok(mp_get_stats(&stats));
    assert_int_equal(stats.processes, 1);
    assert_int_equal(stats.records, 0);
    assert_int_equal(stats.threads, 1); /* the others have left */
    assert_int_equal(stats.locks, 0);
}

/* ---- one lock among them ---------------------------------------------------------------------------------------- */

static int count_locked(struct job *job)
{
    for (uint32_t i = 0; i < job->rounds; i++) {
        REQUIRE(mp_lock_acquire(job->lock, i % 2 ? MP_FOREVER : PATIENCE_MS) == 0);
        job->count++;
        REQUIRE(mp_lock_release(job->lock) == 0);
    }
    return 0;
}

static int count_rlocked(struct job *job)
{
    for (uint32_t i = 0; i < job->rounds; i++) {
        REQUIRE(mp_rlock_acquire(job->rlock, MP_FOREVER) == 0);
        REQUIRE(mp_rlock_acquire(job->rlock, 0) == 0);
        job->count++;
        REQUIRE(mp_rlock_release(job->rlock) == 0);
        job->count--;
        REQUIRE(mp_rlock_release(job->rlock) == 0);
        MP_WITH_LOCK(job->rlock) job->count++;
    }
    return 0;
}

static int count_value(struct job *job)
{
    for (uint32_t i = 0; i < job->rounds; i++)
        MP_WITH_LOCK(job->value) *MP_VALUE(uint64_t, job->value) += 1;
    return 0;
}

static void count_with(uint32_t threads, uint32_t rounds)
{
    struct job job;
    job_init(&job, rounds);
    threads_run(threads, count_locked, &job);
    assert_int_equal(job.count, (uint64_t)threads * rounds);
    job.count = 0;
    threads_run(threads, count_rlocked, &job);
    assert_int_equal(job.count, (uint64_t)threads * rounds);
    threads_run(threads, count_value, &job);
    assert_int_equal(*MP_VALUE(uint64_t, job.value), (uint64_t)threads * rounds);
    job_fini(&job);
}

static void test_count(void **state)
{
    (void)state;
    struct usage before = usage_now();
    count_with(2, 20000);
    count_with(4, 5000);
    count_with(16, 500);
    assert_usage(&before);
}

/* ---- those who give up lose nobody's wake-up --------------------------------------------------------------------- */

static int patience_differs(struct job *job)
{
    uint32_t number = atomic_fetch_add(&job->numbers, 1);
    uint64_t random = number + 1;
    for (uint32_t i = 0; i < job->rounds; i++) {
        int result = mp_lock_acquire(job->lock, number % 3 == 1 ? (int64_t)(random_next(&random) % 3) : MP_FOREVER);
        if (result == MP_ETIMEDOUT && number % 3 == 1) continue;
        REQUIRE(result == 0);
        job->count++;
        if (number % 3 == 2) nap((int64_t)(random_next(&random) % 1000));
        REQUIRE(mp_lock_release(job->lock) == 0);
    }
    atomic_fetch_add(&job->left, 1);
    return 0;
}

static void test_impatient(void **state)
{
    (void)state;
    struct job job;
    job_init(&job, 100);
    threads_run(9, patience_differs, &job);
    assert_int_equal(atomic_load(&job.left), 9);
    assert_in_range(job.count, 600, 900);
    job_fini(&job);
}

/* ---- destroyed meanwhile ----------------------------------------------------------------------------------------- */

static int wait_for_its_end(struct job *job)
{
    atomic_fetch_add(&job->left, 1);
    REQUIRE(mp_lock_acquire(job->lock, MP_FOREVER) == MP_EBADHANDLE);
    return 0;
}

static void destroyed_under_waiters(int64_t microseconds)
{
    enum {
        THREADS = 6
    };
    struct thread threads[THREADS];
    struct job job;
    mp_lock next;
    job_init(&job, 0);
    assert_ok(mp_lock_acquire(job.lock, 0));
    threads_start(threads, THREADS, wait_for_its_end, &job);
    assert_true(await_count(&job.left, THREADS));
    nap(microseconds); /* some sleep by now, some do not: all the same */
    assert_ok(mp_lock_destroy(job.lock));
    assert_ok(mp_lock_create(&next, NULL)); /* in its place, and free: nobody may take it for the old one */
    threads_join(threads, THREADS);
    assert_int_equal(mp_lock_locked(next), 0);
    job.lock = next;
    job_fini(&job);
}

static void test_destroyed_under_waiters(void **state)
{
    (void)state;
    struct usage before = usage_now();
    for (int64_t i = 0; i < 20; i++) destroyed_under_waiters(i * 100);
    assert_usage(&before);
}

/* One place where locks come and go as fast as they can; all others use whatever they find there. */
static int come_and_go(struct job *job)
{
    bool master = atomic_fetch_add(&job->numbers, 1) == 0;
    for (uint32_t i = 0; master && i < job->rounds; i++) {
        mp_lock lock;
        REQUIRE(mp_lock_create(&lock, NULL) == 0);
        atomic_store(&job->handle, lock.id);
        if (i % 64 == 0) sched_yield();
        REQUIRE(mp_lock_destroy(lock) == 0);
    }
    if (master) atomic_store(&job->stop, 1);
    while (!master && !atomic_load(&job->stop)) {
        mp_lock lock = {atomic_load(&job->handle)};
        int result = mp_lock_acquire(lock, MP_FOREVER);
        if (result == 0) result = mp_lock_release(lock);
        REQUIRE(result == 0 || result == MP_EBADHANDLE);
        result = mp_lock_locked(lock);
        REQUIRE(result == 0 || result == 1 || result == MP_EBADHANDLE);
    }
    return 0;
}

static void test_come_and_go(void **state)
{
    (void)state;
    struct usage before = usage_now();
    struct job job;
    memset((void *)&job, 0, sizeof job);
    job.rounds = 20000;
    threads_run(4, come_and_go, &job);
    assert_usage(&before);
}

/* The same handle destroyed by all of them: one succeeds. */
static int destroy_once(struct job *job)
{
    int result = mp_lock_destroy(job->lock);
    REQUIRE(result == 0 || result == MP_EBADHANDLE);
    if (result == 0) atomic_fetch_add(&job->left, 1);
    return 0;
}

static void test_destroy_once(void **state)
{
    (void)state;
    struct usage before = usage_now();
    for (int i = 0; i < 100; i++) {
        struct job job;
        memset((void *)&job, 0, sizeof job);
        assert_ok(mp_lock_create(&job.lock, NULL));
        threads_run(4, destroy_once, &job);
        assert_int_equal(atomic_load(&job.left), 1);
    }
    assert_usage(&before);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int blocks_come_and_go(struct job *job)
{
    uint64_t random = atomic_fetch_add(&job->numbers, 1) + 77;
    for (uint32_t i = 0; i < job->rounds; i++) {
        size_t size = (size_t)(random_next(&random) % (i % 8 ? 2000 : 100000)) + 1;
        mp_block block;
        REQUIRE(mp_block_create(&block, size) == 0);
        void *data = mp_block_data(block);
        REQUIRE(data && all_zero(data, size));
        pattern_fill(data, size, block.id);
        block.id = atomic_exchange(&job->handle, block.id); /* to whoever comes next */
        if (!block.id) continue;
        REQUIRE(pattern_holds(mp_block_data(block), mp_block_size(block), block.id));
        REQUIRE(mp_block_of(mp_block_data(block)).id == block.id);
        REQUIRE(mp_block_destroy(block) == 0);
    }
    return 0;
}

static void test_blocks(void **state)
{
    (void)state;
    struct usage before = usage_now();
    struct job job;
    memset((void *)&job, 0, sizeof job);
    job.rounds = 2000;
    threads_run(4, blocks_come_and_go, &job);
    assert_ok(mp_block_destroy((mp_block){atomic_load(&job.handle)}));
    assert_usage(&before);
}

/* Handles of objects made by others meanwhile, far beyond what was mapped; and counting, all the time. */
static int create_and_count(struct job *job)
{
    enum {
        MANY = 300
    };
    mp_value values[MANY];
    mp_stats stats;
    for (uint32_t i = 0; i < job->rounds; i++) {
        for (int k = 0; k < MANY; k++) {
            REQUIRE(mp_value_create(&values[k], 8, NULL) == 0);
            *MP_VALUE(uint64_t, values[k]) = values[k].id;
        }
        REQUIRE(mp_get_stats(&stats) == 0);
        REQUIRE(stats.values >= MANY && stats.rlocks >= MANY && stats.blocks >= MANY);
        for (int k = 0; k < MANY; k++) {
            REQUIRE(*MP_VALUE(uint64_t, values[k]) == values[k].id);
            REQUIRE(strcmp(mp_handle_kind(MP_HANDLE(values[k])), "value") == 0);
            REQUIRE(mp_value_destroy(values[k]) == 0);
        }
    }
    return 0;
}

static void test_create_and_count(void **state)
{
    (void)state;
    struct usage before = usage_now();
    struct job job;
    memset((void *)&job, 0, sizeof job);
    job.rounds = 5;
    threads_run(6, create_and_count, &job);
    assert_usage(&before);
}

/* Threads that come and go leave no record behind, nor what they hold: the next owner is told. */
static int hold_and_leave(struct job *job)
{
    mp_lock lock;
    REQUIRE(mp_lock_create(&lock, NULL) == 0);
    REQUIRE(mp_lock_acquire(lock, 0) == 0);
    atomic_store(&job->handle, lock.id);
    return 0;
}

static void test_threads_leave(void **state)
{
    (void)state;
    struct usage before = usage_now();
    struct job job;
    memset((void *)&job, 0, sizeof job);
    for (int i = 0; i < 200; i++) {
        threads_run(1, hold_and_leave, &job);
        mp_lock lock = {atomic_load(&job.handle)};
        assert_int_equal(mp_lock_locked(lock), 0);
        assert_int_equal(mp_lock_acquire(lock, 0), MP_OWNERDEAD);
        assert_ok(mp_lock_release(lock));
        assert_ok(mp_lock_destroy(lock));
    }
    assert_usage(&before);
}

/* ---- stress ------------------------------------------------------------------------------------------------------ */

static void test_stress(void **state)
{
    int64_t end = now_ms() + stress_ms(15);
    while (now_ms() < end) {
        count_with(3, 50000);
        count_with(16, 5000);
        test_impatient(state);
        test_destroyed_under_waiters(state);
        test_come_and_go(state);
        test_blocks(state);
        test_create_and_count(state);
    }
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const struct CMUnitTest stress[] = {cmocka_unit_test(test_stress)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_use), /* first */
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_impatient),
        cmocka_unit_test(test_destroyed_under_waiters),
        cmocka_unit_test(test_come_and_go),
        cmocka_unit_test(test_destroy_once),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_create_and_count),
        cmocka_unit_test(test_threads_leave),
    };
    if (argc > 1 && strcmp(argv[1], "stress") == 0) return cmocka_run_group_tests(stress, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
