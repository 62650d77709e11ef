/* SPDX-License-Identifier: MIT
 *
 * test_idle.c - who waits costs no CPU: less than 0.1 % each, over 10 s.
 */
#include "require.h"
#include "support.h"

#include <time.h>

enum {
    SECONDS = 10,
    MANY = 200
};

struct job {
    mp_queue empty, full;
    mp_connection near, far;
    mp_event event, set;
    mp_semaphore semaphore;
    mp_lock lock;
    mp_process parent;
    int what;
};

static int wait_for_many(const struct job *job, int64_t timeout_ms)
{
    mp_handle items[MANY];
    size_t index;
    for (int i = 0; i < MANY; i++) items[i] = i % 2 ? MP_HANDLE(job->empty) : MP_HANDLE(job->event);
    items[0] = MP_HANDLE(job->parent);
    items[2] = MP_HANDLE(job->semaphore);
    items[4] = MP_HANDLE(job->near);
    return mp_wait(items, MANY, &index, timeout_ms);
}

/* One that is ready, and one that is not; nobody looks at the first. */
static int keep_descriptors(const struct job *job, int64_t timeout_ms)
{
    mp_fd fds[2];
    int result = mp_wait_fd(MP_HANDLE(job->set), &fds[0]);
    if (result == 0) result = mp_wait_fd(MP_HANDLE(job->empty), &fds[1]);
    if (result == 0 && support_readable(fds[1], (int)timeout_ms)) result = MP_ESYSTEM;
    return result < 0 ? result : MP_ETIMEDOUT;
}

enum {
    WHATS = 10
};

/* Any of them times out. */
static int idle(const struct job *job, int64_t timeout_ms)
{
    char bytes[8];
    switch (job->what) {
    case 0:
        return mp_queue_get(job->empty, bytes, sizeof bytes, NULL, timeout_ms);
    case 1:
        return mp_queue_put(job->full, "", 1, timeout_ms);
    case 2:
        return mp_connection_recv(job->near, bytes, sizeof bytes, NULL, timeout_ms);
    case 3:
        return mp_connection_poll(job->near, timeout_ms) == 0 ? MP_ETIMEDOUT : MP_ESYSTEM;
    case 4:
        return mp_event_wait(job->event, timeout_ms);
    case 5:
        return mp_semaphore_acquire(job->semaphore, timeout_ms);
    case 6:
        return mp_lock_acquire(job->lock, timeout_ms);
    case 7:
        return mp_process_join(job->parent, NULL, timeout_ms);
    case 8:
        return wait_for_many(job, timeout_ms);
    default:
        return keep_descriptors(job, timeout_ms);
    }
}

static int measure(void *args)
{
    const struct job *job = args;
    REQUIRE(idle(job, 1) == MP_ETIMEDOUT); /* what is done once */
    clock_t begin = clock();
    REQUIRE(idle(job, SECONDS * 1000) == MP_ETIMEDOUT);
    double share = (double)(clock() - begin) / CLOCKS_PER_SEC / SECONDS;
    printf("%d: %.4f %%\n", job->what, share * 100);
    REQUIRE(share < 0.001);
    return 0;
}

/* ---- a pool that has nothing to do: its workers and its supervisor ---- */

enum {
    POOL = 3 /* two workers, and the supervisor */
};

struct pool {
    mp_pool pool;
    clockid_t clocks[POOL];
    double before[POOL];
};

static double cpu_seconds(clockid_t clock)
{
    struct timespec time = {0, 0};
    assert_int_equal(clock_gettime(clock, &time), 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int nothing(mp_task *task)
{
    (void)task;
    return 0;
}

static struct pool begin_pool(void)
{
    struct pool pool;
    mp_worker workers[POOL];
    size_t count = 0;
    ok(mp_pool_create(&pool.pool, POOL - 1, NULL));
    while (count < POOL - 1) {
        ok(mp_pool_map(pool.pool, nothing, NULL, 0, NULL, 0, 100, &(mp_call_options){.chunk_size = 1}));
        ok(mp_pool_workers(pool.pool, workers, POOL, &count));
    }
    workers[POOL - 1].process = mp_process_parent(workers[0].process);
    ok(mp_pool_map(pool.pool, nothing, NULL, 0, NULL, 0, 100, NULL));
    (void)mp_process_join(workers[0].process, NULL, 200); /* by then they sleep: it does not end */
    for (int i = 0; i < POOL; i++) {
        int64_t pid = mp_process_pid(workers[i].process);
        assert_int_equal(clock_getcpuclockid((pid_t)pid, &pool.clocks[i]), 0);
        pool.before[i] = cpu_seconds(pool.clocks[i]);
    }
    return pool;
}

static void end_pool(const struct pool *pool)
{
    for (int i = 0; i < POOL; i++) {
        double share = (cpu_seconds(pool->clocks[i]) - pool->before[i]) / SECONDS;
        printf("%s of a pool: %.4f %%\n", i < POOL - 1 ? "worker" : "supervisor", share * 100);
        assert_true(share < 0.001);
    }
    ok(mp_pool_destroy(pool->pool));
}

static void waiting_costs_nothing(void **state)
{
    (void)state;
    struct job job = {.parent = mp_current_process()};
    mp_process processes[WHATS];
    char byte;
    ok(mp_queue_create(&job.empty, NULL));
    fails(MP_ETIMEDOUT, mp_queue_get(job.empty, &byte, 1, NULL, 0)); /* somebody who could put is alive */
    ok(mp_queue_create(&job.full, &(mp_queue_options){.maxsize = 1}));
    ok(mp_queue_put(job.full, "", 1, 0));
    ok(mp_pipe_create(&job.near, &job.far, NULL));
    assert_int_equal(mp_connection_poll(job.far, 0), 0);
    ok(mp_event_create(&job.event, NULL));
    ok(mp_event_create(&job.set, &(mp_event_options){.set = true}));
    ok(mp_semaphore_create(&job.semaphore, 0, NULL));
    ok(mp_lock_create(&job.lock, NULL));
    ok(mp_lock_acquire(job.lock, 0));
    for (job.what = 0; job.what < WHATS; job.what++)
        ok(mp_process_start(&processes[job.what], measure, &job, sizeof job, NULL));
    struct pool pool = begin_pool();
    for (int i = 0; i < WHATS; i++) assert_ends(processes[i], 0);
    end_pool(&pool);
    ok(mp_lock_release(job.lock));
    ok(mp_lock_destroy(job.lock));
    ok(mp_semaphore_destroy(job.semaphore));
    ok(mp_event_destroy(job.event));
    ok(mp_event_destroy(job.set));
    ok(mp_connection_close(job.near));
    ok(mp_connection_close(job.far));
    ok(mp_queue_destroy(job.full));
    ok(mp_queue_destroy(job.empty));
}

static const struct test_case cases[] = {CASE_ONCE(waiting_costs_nothing)};

SUPPORT_MAIN("idle", cases)
