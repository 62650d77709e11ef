/* SPDX-License-Identifier: MIT
 *
 * test_event.c - events, set and cleared by processes, threads and signal handlers, some of which are killed.
 */
#include "inside.h"
#include "require.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

enum {
    CROWD = 6,
    ROUNDS = 300
};

struct job {
    mp_event event, answer;
    mp_block board; /* struct board */
};

struct board {
    _Atomic int begun, done;
};

static struct job job_create(void)
{
    struct job job;
    ok(mp_event_create(&job.event, &(mp_event_options){.name = "event"}));
    ok(mp_event_create(&job.answer, NULL));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    return job;
}

static void job_destroy(const struct job *job)
{
    if (mp_handle_kind(MP_HANDLE(job->event))) ok(mp_event_destroy(job->event));
    ok(mp_event_destroy(job->answer));
    ok(mp_block_destroy(job->board));
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

/* ---- one process ----------------------------------------------------------------------------------------------- */

static void sets_and_clears(void **state)
{
    (void)state;
    mp_event event;
    fails(MP_EINVAL, mp_event_create(NULL, NULL));
    ok(mp_event_create(&event, NULL));
    assert_int_equal(mp_event_is_set(event), 0);
    fails(MP_ETIMEDOUT, mp_event_wait(event, 0));
    fails(MP_ETIMEDOUT, mp_event_wait(event, INT64_MIN));
    fails(MP_ETIMEDOUT, mp_event_wait(event, 20)); /* it sleeps */
    for (int i = 0; i < 3; i++) {
        ok(mp_event_clear(event));
        assert_int_equal(mp_event_is_set(event), 0);
        for (int k = 0; k < 2; k++) ok(mp_event_set(event));
        assert_int_equal(mp_event_is_set(event), 1);
        ok(mp_event_wait(event, 0));
        ok(mp_event_wait(event, MP_FOREVER));
    }
    ok(mp_event_destroy(event));
    fails(MP_EBADHANDLE, mp_event_set(event));
    ok(mp_event_create(&event, &(mp_event_options){.name = "set", .set = true}));
    assert_int_equal(mp_event_is_set(event), 1);
    ok(mp_event_wait(event, 0));
    ok(mp_event_clear(event));
    fails(MP_ETIMEDOUT, mp_event_wait(event, 1));
    assert_non_null(strstr(mp_error_detail(), "\"set\""));
    ok(mp_event_destroy(event));
}

/* ---- several --------------------------------------------------------------------------------------------------- */

static int await(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    atomic_fetch_add(&board->begun, 1);
    int result = mp_event_wait(job->event, LIMIT);
    atomic_fetch_add(&board->done, 1);
    return result;
}

/* So many have come to wait, and at least one of them sleeps. */
static void await_sleepers(const struct job *job, int count)
{
    const struct board *board = mp_block_data(job->board);
    while (atomic_load(&board->begun) < count || !inside_somebody_sleeps(job->event.id)) mp_os_sleep(MS);
}

static void all_go_on(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process waiting[CROWD];
    for (int round = 1; round <= 3; round++) {
        ok(mp_event_clear(job.event));
        for (int i = 0; i < CROWD; i++) waiting[i] = start(await, &job);
        await_sleepers(&job, CROWD * round);
        assert_int_equal(atomic_load(&board->done), CROWD * (round - 1));
        ok(mp_event_set(job.event));
        if (round == 2) ok(mp_event_clear(job.event)); /* who waits has not missed it */
        for (int i = 0; i < CROWD; i++) assert_ends(waiting[i], 0);
    }
    assert_ends(start(await, &job), 0); /* who comes later does not wait */
    job_destroy(&job);
}

/* Each waits for the other; no set is lost, though it is cleared at once. */
static int answer(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < ROUNDS; i++) {
        REQUIRE(mp_event_wait(job->event, LIMIT) == 0);
        REQUIRE(mp_event_clear(job->event) == 0);
        REQUIRE(mp_event_set(job->answer) == 0);
    }
    return 0;
}

static void back_and_forth(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process other = start(answer, &job);
    for (int i = 0; i < ROUNDS; i++) {
        ok(mp_event_set(job.event));
        ok(mp_event_wait(job.answer, LIMIT));
        ok(mp_event_clear(job.answer));
    }
    assert_ends(other, 0);
    job_destroy(&job);
}

static void *answer_thread(void *args)
{
    return answer(args) == 0 ? args : NULL;
}

static void back_and_forth_threads(void **state)
{
    (void)state;
    struct job job = job_create();
    pthread_t other;
    void *result;
    assert_int_equal(pthread_create(&other, NULL, answer_thread, &job), 0);
    for (int i = 0; i < ROUNDS; i++) {
        ok(mp_event_set(job.event));
        ok(mp_event_wait(job.answer, LIMIT));
        ok(mp_event_clear(job.answer));
    }
    assert_int_equal(pthread_join(other, &result), 0);
    assert_ptr_equal(result, &job);
    job_destroy(&job);
}

static void destroyed_while_awaited(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process waiting[3];
    for (int i = 0; i < 3; i++) waiting[i] = start(await, &job);
    await_sleepers(&job, 3);
    ok(mp_event_destroy(job.event));
    for (int i = 0; i < 3; i++) assert_ends(waiting[i], MP_EBADHANDLE);
    job_destroy(&job);
}

/* Who dies waiting costs the others nothing. */
static void killed_waiters(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process waiting[CROWD];
    for (int i = 0; i < CROWD; i++) waiting[i] = start(await, &job);
    await_sleepers(&job, CROWD);
    for (int i = 0; i < CROWD; i += 2) ok(mp_process_kill(waiting[i]));
    ok(mp_event_set(job.event));
    for (int i = 1; i < CROWD; i += 2) assert_ends(waiting[i], 0);
    for (int i = 0; i < CROWD; i += 2) {
        int code = support_end(waiting[i]);
        assert_true(code == -9 || code == 0);
    }
    job_destroy(&job);
}

/* ---- signal handlers ------------------------------------------------------------------------------------------- */

#if HANDLERS_RUN

static mp_event signalled, own;
static mp_lock contended;
static mp_condition notified;
static _Atomic long handled;

static void set_both(int number)
{
    (void)number;
    int saved = errno;
    errno = 4711;
    if (mp_event_set(signalled) < 0 || mp_event_set(own) < 0 || mp_event_is_set(own) < 0) abort();
    atomic_fetch_add(&handled, 1);
    if (errno != 4711) abort();
    errno = saved;
}

static int await_often(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < 100; i++) {
        REQUIRE(mp_event_wait(job->event, LIMIT) == 0);
        REQUIRE(mp_event_clear(job->event) == 0);
    }
    return 0;
}

static int fight(void *args)
{
    mp_lock lock = *(const mp_lock *)args;
    for (int i = 0; i < 500; i++) {
        REQUIRE(mp_lock_acquire(lock, LIMIT) == 0);
        if (i % 16 == 0) mp_os_sleep(MS / 10);
        REQUIRE(mp_lock_release(lock) == 0);
    }
    return 0;
}

/* A handler interrupts every wait there is, and sets: what another process waits for, and what this one does. */
static void set_by_handler(void **state)
{
    (void)state;
    struct job job = job_create();
    struct sigaction action = {.sa_handler = set_both, .sa_flags = SA_RESTART}, before;
    mp_barrier barrier;
    ok(mp_event_create(&own, NULL));
    ok(mp_lock_create(&contended, NULL));
    ok(mp_condition_create(&notified, NULL));
    ok(mp_barrier_create(&barrier, 2, NULL));
    signalled = job.event;
    (void)mp_event_is_set(signalled);
    (void)mp_event_is_set(own);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    mp_process waiter = start(await_often, &job), fighter;
    ok(mp_process_start(&fighter, fight, &contended, sizeof contended, NULL));
    support_tick(500);
    int result = 0;
    for (int i = 0; i < 50 && result == 0; i++) {
        result = mp_event_wait(own, LIMIT); /* only the handler can end this */
        if (result == 0) result = mp_event_clear(own);
    }
    for (int i = 0; i < 500 && result == 0; i++) {
        result = mp_lock_acquire(contended, LIMIT);
        if (result == 0) result = mp_lock_release(contended);
    }
    MP_WITH_LOCK(notified) {
        for (int i = 0; i < 20 && result == 0; i++)
            if (mp_condition_wait(notified, 3) != MP_ETIMEDOUT) result = MP_ESYSTEM; /* no handler ends it */
    }
    for (int i = 0; i < 20 && result == 0; i++) {
        if (mp_barrier_wait(barrier, 3) != MP_ETIMEDOUT) result = MP_ESYSTEM;
        if (mp_barrier_reset(barrier) < 0) result = MP_ESYSTEM;
    }
    int codes[2] = {1, 1};
    mp_process both[] = {waiter, fighter};
    int joined = mp_process_join_all(both, codes, 2, LIMIT);
    support_tick(0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    ok(result);
    ok(joined);
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[1], 0);
    assert_true(atomic_load(&handled) >= 100);
    for (int i = 0; i < 2; i++) ok(mp_process_close(both[i]));
    ok(mp_event_destroy(own));
    ok(mp_lock_destroy(contended));
    ok(mp_condition_destroy(notified));
    ok(mp_barrier_destroy(barrier));
    job_destroy(&job);
}

#endif

static const struct test_case cases[] = {
    CASE_ONCE(sets_and_clears),    CASE(all_go_on),      CASE(back_and_forth), CASE_ONCE(back_and_forth_threads),
    CASE(destroyed_while_awaited), CASE(killed_waiters),
#if HANDLERS_RUN
    CASE(set_by_handler),
#endif
};

SUPPORT_MAIN("event", cases)
