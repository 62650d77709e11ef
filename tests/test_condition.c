/* SPDX-License-Identifier: MIT
 *
 * test_condition.c - conditions: who waits goes on when it is told, so many and no more, whoever dies meanwhile.
 */
#include "inside.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define MS INT64_C(1000000)

enum {
    CROWD = 6
};

struct job {
    mp_condition condition;
    mp_block board; /* struct board */
};

struct board {
    int value, begun, done; /* under the lock */
    int order[CROWD];
    int64_t timeout;
};

static struct job job_create(void)
{
    struct job job;
    ok(mp_condition_create(&job.condition, &(mp_condition_options){.name = "changed"}));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    struct board *board = mp_block_data(job.board);
    board->timeout = LIMIT;
    return job;
}

/* The same, with a lock that is given to the condition. */
static struct job job_create_with(mp_lock *lock)
{
    struct job job = job_create();
    ok(mp_condition_destroy(job.condition));
    ok(mp_lock_create(lock, NULL));
    ok(mp_condition_create(&job.condition, &(mp_condition_options){.lock = *lock}));
    return job;
}

static void job_destroy(const struct job *job)
{
    if (mp_handle_kind(MP_HANDLE(job->condition))) ok(mp_condition_destroy(job->condition));
    ok(mp_block_destroy(job->board));
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

/* ---- one process ----------------------------------------------------------------------------------------------- */

static void creation(void **state)
{
    (void)state;
    mp_condition condition = {0};
    mp_lock lock;
    mp_rlock rlock;
    ok(mp_lock_create(&lock, NULL));
    ok(mp_rlock_create(&rlock, NULL));
    fails(MP_EINVAL, mp_condition_create(NULL, NULL));
    fails(MP_EINVAL, mp_condition_create(&condition, &(mp_condition_options){.lock = lock, .rlock = rlock}));
    fails(MP_EBADHANDLE, mp_condition_create(&condition, &(mp_condition_options){.lock = {rlock.id}}));
    fails(MP_EBADHANDLE, mp_condition_create(&condition, &(mp_condition_options){.rlock = {lock.id}}));
    assert_int_equal(condition.id, 0);
    mp_stats before, now;
    ok(mp_get_stats(&before));
    ok(mp_condition_create(&condition, NULL));
    ok(mp_get_stats(&now));
    assert_int_equal(now.conditions, before.conditions + 1);
    assert_int_equal(now.rlocks, before.rlocks + 1); /* its own */
    ok(mp_condition_destroy(condition));
    fails(MP_EBADHANDLE, mp_condition_destroy(condition));
    ok(mp_get_stats(&now));
    assert_int_equal(now.conditions, before.conditions);
    assert_int_equal(now.rlocks, before.rlocks);
    ok(mp_condition_create(&condition, &(mp_condition_options){.lock = lock}));
    ok(mp_condition_destroy(condition));
    ok(mp_lock_destroy(lock)); /* that was not its own */
    ok(mp_rlock_destroy(rlock));
}

static void misuse(void **state)
{
    (void)state;
    mp_lock lock;
    ok(mp_lock_create(&lock, NULL));
    mp_condition with_rlock, with_lock;
    ok(mp_condition_create(&with_rlock, &(mp_condition_options){.name = "mine"}));
    ok(mp_condition_create(&with_lock, &(mp_condition_options){.lock = lock}));
    const mp_condition both[] = {with_rlock, with_lock};
    for (int i = 0; i < 2; i++) {
        fails(MP_ENOTOWNER, mp_condition_wait(both[i], 0));
        fails(MP_ENOTOWNER, mp_condition_wait(both[i], MP_FOREVER));
        fails(MP_ENOTOWNER, mp_condition_notify(both[i], 1));
        fails(MP_ENOTOWNER, mp_condition_notify_all(both[i]));
        fails(MP_EOVERFLOW, mp_condition_release(both[i]));
        ok(mp_condition_acquire(both[i], 0));
        fails(MP_EINVAL, mp_condition_notify(both[i], (uint32_t)-1));
        fails(MP_EINVAL, mp_condition_wait_for(both[i], NULL, NULL, 0));
        ok(mp_condition_notify(both[i], 0));
        ok(mp_condition_notify(both[i], INT32_MAX));
        ok(mp_condition_notify_all(both[i]));
        fails(MP_ETIMEDOUT, mp_condition_wait(both[i], 0));
        fails(MP_ETIMEDOUT, mp_condition_wait(both[i], -5));
        fails(MP_ETIMEDOUT, mp_condition_wait(both[i], 10)); /* a notification of before does not count */
        ok(mp_condition_release(both[i]));
    }
    fails(MP_ENOTOWNER, mp_condition_notify(with_rlock, 1));
    assert_non_null(strstr(mp_error_detail(), "\"mine\""));
    ok(mp_condition_destroy(with_lock));
    ok(mp_lock_destroy(lock));
    ok(mp_condition_destroy(with_rlock));
}

static bool is_three(void *context)
{
    return ++*(int *)context == 3;
}

static void wait_for(void **state)
{
    (void)state;
    mp_condition condition;
    ok(mp_condition_create(&condition, NULL));
    MP_WITH_LOCK(condition) {
        int calls = 2;
        ok(mp_condition_wait_for(condition, is_three, &calls, 0)); /* it is so already */
        assert_int_equal(calls, 3);
        fails(MP_ETIMEDOUT, mp_condition_wait_for(condition, is_three, &calls, 0));
        assert_int_equal(calls, 4);
        fails(MP_ETIMEDOUT, mp_condition_wait_for(condition, is_three, &calls, 20));
        assert_int_equal(calls, 6); /* at once, and when the time was over */
    }
    int none = 0;
    fails(MP_ENOTOWNER, mp_condition_wait_for(condition, is_three, &none, 0));
    assert_int_equal(none, 0);
    ok(mp_condition_destroy(condition));
}

/* ---- several --------------------------------------------------------------------------------------------------- */

static int await_once(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_condition_acquire(job->condition, LIMIT) == 0);
    int me = board->begun++;
    int result = mp_condition_wait(job->condition, board->timeout);
    if (result == 0) board->order[board->done++] = me;
    if (result == MP_EBADHANDLE) return result; /* not held */
    int released = mp_condition_release(job->condition);
    REQUIRE(released == 0 || released == MP_EBADHANDLE); /* destroyed since */
    return result;
}

/* So many have begun to wait: they were under the lock, and have let it go. */
static void await_waiters(const struct job *job, int count)
{
    const struct board *board = mp_block_data(job->board);
    for (int begun = 0; begun < count;) {
        ok(mp_condition_acquire(job->condition, LIMIT));
        begun = board->begun;
        ok(mp_condition_release(job->condition));
        if (begun < count) mp_os_sleep(MS);
    }
}

static int done_now(const struct job *job)
{
    const struct board *board = mp_block_data(job->board);
    ok(mp_condition_acquire(job->condition, LIMIT));
    int done = board->done;
    ok(mp_condition_release(job->condition));
    return done;
}

static void await_done(const struct job *job, int count)
{
    while (done_now(job) < count) mp_os_sleep(MS);
}

static void notify(const struct job *job, uint32_t count)
{
    ok(mp_condition_acquire(job->condition, LIMIT));
    ok(mp_condition_notify(job->condition, count));
    ok(mp_condition_release(job->condition));
}

/* As many as are told, in the order in which they came. */
static void so_many_and_no_more(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process waiting[CROWD];
    for (int i = 0; i < CROWD; i++) {
        waiting[i] = start(await_once, &job);
        await_waiters(&job, i + 1);
    }
    notify(&job, 0);
    notify(&job, 1);
    await_done(&job, 1);
    notify(&job, 2);
    await_done(&job, 3);
    assert_int_equal(done_now(&job), 3);
    notify(&job, 1000);
    await_done(&job, CROWD);
    for (int i = 0; i < CROWD; i++) assert_ends(waiting[i], 0);
    bool seen[CROWD] = {false};
    for (int i = 0; i < CROWD; i++) seen[board->order[i]] = true;
    for (int i = 0; i < CROWD; i++) assert_true(seen[i]);
    assert_int_equal(board->order[0], 0);
    assert_true(board->order[1] + board->order[2] == 1 + 2);
    job_destroy(&job);
}

static void all_of_them(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process waiting[CROWD];
    for (int i = 0; i < CROWD; i++) waiting[i] = start(await_once, &job);
    await_waiters(&job, CROWD);
    ok(mp_condition_acquire(job.condition, LIMIT));
    ok(mp_condition_notify_all(job.condition));
    ok(mp_condition_release(job.condition));
    for (int i = 0; i < CROWD; i++) assert_ends(waiting[i], 0);
    job_destroy(&job);
}

/* All levels of an rlock are let go, and taken again. */
static int await_deeply(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    for (int i = 0; i < 3; i++) REQUIRE(mp_condition_acquire(job->condition, LIMIT) == 0);
    board->begun++;
    while (board->value == 0) REQUIRE(mp_condition_wait(job->condition, LIMIT) == 0);
    for (int i = 0; i < 3; i++) REQUIRE(mp_condition_release(job->condition) == 0);
    REQUIRE(mp_condition_release(job->condition) < 0);
    return 0;
}

static void all_levels(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    mp_process process = start(await_deeply, &job);
    await_waiters(&job, 1);
    ok(mp_condition_acquire(job.condition, LIMIT));
    board->value = 1;
    ok(mp_condition_notify(job.condition, 1));
    ok(mp_condition_release(job.condition));
    assert_ends(process, 0);
    job_destroy(&job);
}

/* Who gave up is not told in place of another. */
static void timed_out_ones_do_not_count(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    board->timeout = 20;
    mp_process first = start(await_once, &job);
    assert_ends(first, MP_ETIMEDOUT);
    board->timeout = LIMIT;
    mp_process second = start(await_once, &job);
    await_waiters(&job, 2);
    notify(&job, 1);
    assert_ends(second, 0);
    job_destroy(&job);
}

/* A ring of one, filled and emptied in turn, with a condition for each side on one lock. */
struct ring {
    mp_lock lock;
    mp_condition not_full, not_empty;
    mp_block board;
};

enum {
    ITEMS = 2000,
    ROOM = 4
};

struct buffer {
    int items[ROOM];
    unsigned head, tail, takers, sum;
};

static int take_items(void *args)
{
    const struct ring *ring = args;
    struct buffer *buffer = mp_block_data(ring->board);
    for (int i = 0; i < ITEMS; i++) {
        REQUIRE(mp_lock_acquire(ring->lock, LIMIT) == 0);
        while (buffer->head == buffer->tail) REQUIRE(mp_condition_wait(ring->not_empty, LIMIT) == 0);
        buffer->sum += (unsigned)buffer->items[buffer->tail++ % ROOM];
        REQUIRE(mp_condition_notify(ring->not_full, 1) == 0);
        REQUIRE(mp_lock_release(ring->lock) == 0);
    }
    return 0;
}

static void put_items(const struct ring *ring, int count)
{
    struct buffer *buffer = mp_block_data(ring->board);
    for (int i = 0; i < count; i++) {
        ok(mp_lock_acquire(ring->lock, LIMIT));
        while (buffer->head - buffer->tail == ROOM) ok(mp_condition_wait(ring->not_full, LIMIT));
        buffer->items[buffer->head++ % ROOM] = i % ITEMS;
        ok(mp_condition_notify(ring->not_empty, 1));
        ok(mp_lock_release(ring->lock));
    }
}

static struct ring ring_create(void)
{
    struct ring ring;
    ok(mp_lock_create(&ring.lock, NULL));
    ok(mp_condition_create(&ring.not_full, &(mp_condition_options){.lock = ring.lock}));
    ok(mp_condition_create(&ring.not_empty, &(mp_condition_options){.lock = ring.lock}));
    ok(mp_block_create(&ring.board, sizeof(struct buffer)));
    return ring;
}

static void ring_destroy(const struct ring *ring)
{
    ok(mp_condition_destroy(ring->not_full));
    ok(mp_condition_destroy(ring->not_empty));
    ok(mp_lock_destroy(ring->lock));
    ok(mp_block_destroy(ring->board));
}

static void buffer_of_processes(void **state)
{
    (void)state;
    struct ring ring = ring_create();
    const struct buffer *buffer = mp_block_data(ring.board);
    mp_process takers[2];
    for (int i = 0; i < 2; i++) ok(mp_process_start(&takers[i], take_items, &ring, sizeof ring, NULL));
    put_items(&ring, 2 * ITEMS);
    for (int i = 0; i < 2; i++) assert_ends(takers[i], 0);
    assert_int_equal(buffer->sum, 2 * (ITEMS / 2) * (ITEMS - 1));
    ring_destroy(&ring);
}

static void *take_items_thread(void *args)
{
    return take_items(args) == 0 ? args : NULL;
}

static void buffer_of_threads(void **state)
{
    (void)state;
    struct ring ring = ring_create();
    const struct buffer *buffer = mp_block_data(ring.board);
    pthread_t takers[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&takers[i], NULL, take_items_thread, &ring), 0);
    put_items(&ring, 2 * ITEMS);
    for (int i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(takers[i], &result), 0);
        assert_ptr_equal(result, &ring);
    }
    assert_int_equal(buffer->sum, 2 * (ITEMS / 2) * (ITEMS - 1));
    ring_destroy(&ring);
}

/* ---- the end of things ----------------------------------------------------------------------------------------- */

static void destroyed_while_awaited(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process waiting[3];
    for (int i = 0; i < 3; i++) waiting[i] = start(await_once, &job);
    await_waiters(&job, 3);
    ok(mp_condition_destroy(job.condition));
    for (int i = 0; i < 3; i++) assert_ends(waiting[i], MP_EBADHANDLE);
    job_destroy(&job);
}

/* So that nobody can notify any more. */
static void lock_destroyed_while_awaited(void **state)
{
    (void)state;
    mp_lock lock;
    struct job job = job_create_with(&lock);
    mp_process waiting = start(await_once, &job);
    await_waiters(&job, 1);
    ok(mp_lock_destroy(lock));
    assert_ends(waiting, MP_EBADHANDLE);
    fails(MP_EBADHANDLE, mp_condition_acquire(job.condition, 0));
    job_destroy(&job);
}

/* Destroyed while one whose time is over waits for the lock again; what is there then is left alone. */
static int wait_shortly(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_condition_acquire(job->condition, LIMIT) == 0);
    board->begun = 1;
    return mp_condition_wait(job->condition, 100);
}

static void destroyed_while_lock_is_awaited(void **state)
{
    (void)state;
    mp_lock lock;
    mp_array arrays[4];
    struct job job = job_create_with(&lock);
    mp_process waiting = start(wait_shortly, &job);
    await_waiters(&job, 1);
    ok(mp_lock_acquire(lock, LIMIT));
    while (!inside_somebody_sleeps(lock.id)) mp_os_sleep(MS);
    ok(mp_condition_destroy(job.condition));
    bool there = false; /* where that was */
    for (int i = 0; i < 4; i++) {
        ok(mp_array_create(&arrays[i], 10, sizeof(int), &(mp_shared_options){.raw = true}));
        there |= (uint32_t)arrays[i].id == (uint32_t)job.condition.id;
    }
    assert_true(there);
    ok(mp_lock_release(lock));
    int code = support_end(waiting);
    assert_true(code == MP_ETIMEDOUT || code == MP_EBADHANDLE);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(mp_array_length(arrays[i]), 10);
        ok(mp_array_destroy(arrays[i]));
    }
    ok(mp_lock_destroy(lock));
    job_destroy(&job);
}

/* A lock that goes while somebody has been notified, and not been woken yet. */
static void destroyed_after_notify(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        mp_lock lock;
        struct job job = job_create_with(&lock);
        mp_process waiting = start(await_once, &job);
        await_waiters(&job, 1);
        ok(mp_lock_acquire(lock, LIMIT));
        ok(mp_condition_notify(job.condition, 1));
        ok(what ? mp_lock_destroy(lock) : mp_condition_destroy(job.condition));
        if (!what) ok(mp_lock_release(lock));
        int code = support_end(waiting);
        assert_true(code == 0 || code == MP_EBADHANDLE);
        if (!what) ok(mp_lock_destroy(lock));
        job_destroy(&job);
    }
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

/* Of those who wait the dead do not count, whether they are killed before they are told or about then. */
static void killed_waiters(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    for (int round = 0; round < 10; round++) {
        mp_process waiting[3];
        board->begun = board->done = 0;
        for (int i = 0; i < 3; i++) {
            waiting[i] = start(await_once, &job);
            await_waiters(&job, i + 1);
        }
        ok(mp_process_kill(waiting[0])); /* who would be told first */
        if (round & 1) assert_ends(waiting[0], -9);
        notify(&job, 2);
        for (int i = 1; i < 3; i++) {
            int code = 1;
            if (!(round & 1) && mp_process_join(waiting[i], &code, 1000) == MP_ETIMEDOUT) {
                assert_int_equal(done_now(&job), 2); /* the killed one came through before it died */
                notify(&job, 1);
            }
            assert_true(support_end(waiting[i]) >= 0);
        }
        if (!(round & 1)) {
            int code = support_end(waiting[0]);
            assert_true(code == -9 || code == 0);
        }
        int held = mp_condition_acquire(job.condition, LIMIT);
        assert_true(held == 0 || held == MP_OWNERDEAD);
        ok(mp_condition_release(job.condition));
    }
    job_destroy(&job);
}

static int change_and_be_killed(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_condition_acquire(job->condition, LIMIT) == 0);
    board->value = 1;
    REQUIRE(mp_condition_notify(job->condition, 1) == 0);
    return mp_process_kill(mp_current_process());
}

/* Who notifies and dies with the lock: who was told is told that, too. */
static void killed_notifier(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process waiting = start(await_once, &job);
    await_waiters(&job, 1);
    assert_ends(start(change_and_be_killed, &job), -9);
    assert_ends(waiting, MP_OWNERDEAD);
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE_ONCE(creation),
    CASE_ONCE(misuse),
    CASE_ONCE(wait_for),
    CASE(so_many_and_no_more),
    CASE(all_of_them),
    CASE(all_levels),
    CASE(timed_out_ones_do_not_count),
    CASE(buffer_of_processes),
    CASE_ONCE(buffer_of_threads),
    CASE(destroyed_while_awaited),
    CASE(lock_destroyed_while_awaited),
    CASE(destroyed_while_lock_is_awaited),
    CASE(destroyed_after_notify),
    CASE(killed_waiters),
    CASE(killed_notifier),
};

SUPPORT_MAIN("condition", cases)
