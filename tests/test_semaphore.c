/* SPDX-License-Identifier: MIT
 *
 * test_semaphore.c - units, taken and given back, by processes, threads and signal handlers, some of which are killed.
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

struct job {
    mp_semaphore semaphore;
    mp_block board; /* struct board */
    struct gate ready, never;
};

struct board {
    _Atomic int inside, most, done;
};

static struct job job_create(uint32_t value)
{
    struct job job;
    ok(mp_semaphore_create(&job.semaphore, value, &(mp_semaphore_options){.name = "units"}));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.ready = gate_create();
    job.never = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_semaphore_destroy(job->semaphore));
    ok(mp_block_destroy(job->board));
    gate_destroy(job->ready);
    gate_destroy(job->never);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

/* ---- one process ----------------------------------------------------------------------------------------------- */

static void counts(void **state)
{
    (void)state;
    mp_semaphore semaphore;
    ok(mp_semaphore_create(&semaphore, 2, NULL));
    for (int i = 2; i > 0; i--) {
        assert_int_equal(mp_semaphore_get_value(semaphore), i);
        ok(mp_semaphore_acquire(semaphore, i));
    }
    assert_int_equal(mp_semaphore_get_value(semaphore), 0);
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, 0));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, -1));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, INT64_MIN));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, 20)); /* it sleeps */
    for (int i = 1; i <= 5; i++) {
        ok(mp_semaphore_release(semaphore)); /* more than it was created with */
        assert_int_equal(mp_semaphore_get_value(semaphore), i);
    }
    ok(mp_semaphore_destroy(semaphore));
}

static void bounds(void **state)
{
    (void)state;
    mp_semaphore semaphore = {0};
    fails(MP_EINVAL, mp_semaphore_create(NULL, 1, NULL));
    fails(MP_EINVAL, mp_semaphore_create(&semaphore, (uint32_t)MP_SEMAPHORE_MAX + 1, NULL));
    fails(MP_EINVAL, mp_semaphore_create(&semaphore, UINT32_MAX, NULL));
    assert_int_equal(semaphore.id, 0);
    ok(mp_semaphore_create(&semaphore, MP_SEMAPHORE_MAX, NULL));
    assert_int_equal(mp_semaphore_get_value(semaphore), MP_SEMAPHORE_MAX);
    fails(MP_EOVERFLOW, mp_semaphore_release(semaphore));
    assert_int_equal(mp_semaphore_get_value(semaphore), MP_SEMAPHORE_MAX);
    ok(mp_semaphore_acquire(semaphore, 0));
    ok(mp_semaphore_release(semaphore));
    ok(mp_semaphore_destroy(semaphore));
    ok(mp_semaphore_create(&semaphore, 1, &(mp_semaphore_options){.name = "one", .bounded = true}));
    fails(MP_EOVERFLOW, mp_semaphore_release(semaphore));
    assert_non_null(strstr(mp_error_detail(), "\"one\""));
    ok(mp_semaphore_acquire(semaphore, 0));
    ok(mp_semaphore_release(semaphore));
    ok(mp_semaphore_destroy(semaphore));
    ok(mp_semaphore_create(&semaphore, 0, &(mp_semaphore_options){.bounded = true}));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, 0));
    fails(MP_EOVERFLOW, mp_semaphore_release(semaphore));
    ok(mp_semaphore_destroy(semaphore));
    fails(MP_EBADHANDLE, mp_semaphore_get_value(semaphore));
}

static void with_lock(void **state)
{
    (void)state;
    mp_semaphore semaphore;
    ok(mp_semaphore_create(&semaphore, 2, NULL));
    MP_WITH_LOCK(semaphore) {
        assert_int_equal(mp_semaphore_get_value(semaphore), 1);
        MP_WITH_LOCK(semaphore) assert_int_equal(mp_semaphore_get_value(semaphore), 0);
        assert_int_equal(mp_semaphore_get_value(semaphore), 1);
    }
    assert_int_equal(mp_semaphore_get_value(semaphore), 2);
    ok(mp_semaphore_destroy(semaphore));
}

/* ---- several --------------------------------------------------------------------------------------------------- */

enum {
    UNITS = 3,
    CROWD = 8,
    ROUNDS = 300
};

static int crowd_in(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    for (int i = 0; i < ROUNDS; i++) {
        REQUIRE(mp_semaphore_acquire(job->semaphore, LIMIT) == 0);
        int inside = atomic_fetch_add(&board->inside, 1) + 1, most = atomic_load(&board->most);
        while (inside > most && !atomic_compare_exchange_weak(&board->most, &most, inside)) {}
        if (i % 16 == 0) mp_os_yield();
        atomic_fetch_sub(&board->inside, 1);
        REQUIRE(mp_semaphore_release(job->semaphore) == 0);
        atomic_fetch_add(&board->done, 1);
    }
    return 0;
}

static void assert_never_too_many(struct job job)
{
    const struct board *board = mp_block_data(job.board);
    mp_process crowd[CROWD];
    for (int i = 0; i < CROWD; i++) crowd[i] = start(crowd_in, &job);
    for (int i = 0; i < CROWD; i++) assert_ends(crowd[i], 0);
    assert_int_equal(atomic_load(&board->done), CROWD * ROUNDS);
    assert_in_range(atomic_load(&board->most), 1, UNITS);
    assert_int_equal(mp_semaphore_get_value(job.semaphore), UNITS);
    job_destroy(&job);
}

static void never_too_many(void **state)
{
    (void)state;
    assert_never_too_many(job_create(UNITS));
}

static void *crowd_in_thread(void *args)
{
    return crowd_in(args) == 0 ? args : NULL;
}

static void never_too_many_threads(void **state)
{
    (void)state;
    struct job job = job_create(UNITS);
    const struct board *board = mp_block_data(job.board);
    pthread_t crowd[CROWD];
    for (int i = 0; i < CROWD; i++) assert_int_equal(pthread_create(&crowd[i], NULL, crowd_in_thread, &job), 0);
    for (int i = 0; i < CROWD; i++) {
        void *result;
        assert_int_equal(pthread_join(crowd[i], &result), 0);
        assert_ptr_equal(result, &job);
    }
    assert_int_equal(atomic_load(&board->done), CROWD * ROUNDS);
    assert_in_range(atomic_load(&board->most), 1, UNITS);
    job_destroy(&job);
}

static int take_one(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    atomic_fetch_add(&board->inside, 1);
    int result = mp_semaphore_acquire(job->semaphore, LIMIT);
    atomic_fetch_add(&board->done, 1);
    return result;
}

/* So many have come to wait, and at least one of them sleeps. */
static void await_sleepers(const struct job *job, int count)
{
    const struct board *board = mp_block_data(job->board);
    while (atomic_load(&board->inside) < count || !inside_somebody_sleeps(job->semaphore.id)) mp_os_sleep(MS);
}

/* As many as units are added go on, and no more. */
static void each_unit_lets_one_go(void **state)
{
    (void)state;
    struct job job = job_create(0);
    const struct board *board = mp_block_data(job.board);
    mp_process waiting[CROWD];
    for (int i = 0; i < CROWD; i++) waiting[i] = start(take_one, &job);
    await_sleepers(&job, CROWD);
    for (int i = 1; i <= CROWD; i++) {
        assert_true(atomic_load(&board->done) < i);
        ok(mp_semaphore_release(job.semaphore));
        while (atomic_load(&board->done) < i) mp_os_sleep(MS / 10);
    }
    for (int i = 0; i < CROWD; i++) assert_ends(waiting[i], 0);
    /* And all at once. */
    for (int i = 0; i < CROWD; i++) waiting[i] = start(take_one, &job);
    await_sleepers(&job, 2 * CROWD);
    for (int i = 0; i < CROWD; i++) ok(mp_semaphore_release(job.semaphore));
    for (int i = 0; i < CROWD; i++) assert_ends(waiting[i], 0);
    assert_int_equal(mp_semaphore_get_value(job.semaphore), 0);
    job_destroy(&job);
}

static void destroyed_while_awaited(void **state)
{
    (void)state;
    struct job job = job_create(0);
    mp_process waiting[3];
    for (int i = 0; i < 3; i++) waiting[i] = start(take_one, &job);
    await_sleepers(&job, 3);
    ok(mp_semaphore_destroy(job.semaphore));
    ok(mp_semaphore_create(&job.semaphore, 1, NULL)); /* where that was */
    for (int i = 0; i < 3; i++) assert_ends(waiting[i], MP_EBADHANDLE);
    job_destroy(&job);
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

static int take_and_be_killed(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_semaphore_acquire(job->semaphore, 0) == 0);
    return mp_process_kill(mp_current_process());
}

static void unit_of_the_dead_is_lost(void **state)
{
    (void)state;
    struct job job = job_create(2);
    assert_ends(start(take_and_be_killed, &job), -9);
    assert_int_equal(mp_semaphore_get_value(job.semaphore), 1);
    ok(mp_semaphore_acquire(job.semaphore, 0));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(job.semaphore, 50));
    ok(mp_semaphore_release(job.semaphore)); /* whoever knows better puts it right */
    ok(mp_semaphore_release(job.semaphore));
    job_destroy(&job);
}

/* A sleeper that dies takes no wake with it. */
static void killed_sleepers(void **state)
{
    (void)state;
    struct job job = job_create(0);
    const struct board *board = mp_block_data(job.board);
    for (int round = 0; round < 10; round++) {
        mp_process waiting[3];
        for (int i = 0; i < 3; i++) waiting[i] = start(take_one, &job);
        await_sleepers(&job, 3 * (round + 1));
        ok(mp_process_kill(waiting[round % 3]));
        if (round & 1) assert_ends(waiting[round % 3], -9);
        /* The one that is killed may have got one of these. */
        for (int i = 0; i < 2; i++) ok(mp_semaphore_release(job.semaphore));
        int done = 0;
        for (int i = 0; i < 3; i++) {
            if (i == round % 3) continue;
            int code = 0;
            if (mp_process_join(waiting[i], &code, 2000) == MP_ETIMEDOUT) {
                assert_false(round & 1);
                assert_int_equal(mp_semaphore_get_value(job.semaphore), 0); /* or it would sleep where there is one */
                ok(mp_semaphore_release(job.semaphore));
                ok(mp_process_join(waiting[i], &code, LIMIT));
            }
            assert_int_equal(code, 0);
            ok(mp_process_close(waiting[i]));
            done++;
        }
        assert_int_equal(done, 2);
        if (!(round & 1)) {
            int code = support_end(waiting[round % 3]);
            assert_true(code == -9 || code == 0);
        }
        while (mp_semaphore_acquire(job.semaphore, 0) == 0) {}
    }
    assert_true(atomic_load(&board->done) >= 20);
    job_destroy(&job);
}

/* ---- owned ----------------------------------------------------------------------------------------------------- */

static void owned_counts(void **state)
{
    (void)state;
    mp_semaphore semaphore = {0};
    const mp_semaphore_options options = {.name = "slots", .owned = true};
    fails(MP_EINVAL, mp_semaphore_create(&semaphore, 0, &options));
    fails(MP_EINVAL, mp_semaphore_create(&semaphore, MP_SEMAPHORE_OWNED_MAX + 1, &options));
    assert_int_equal(semaphore.id, 0);
    ok(mp_semaphore_create(&semaphore, MP_SEMAPHORE_OWNED_MAX, &options));
    assert_int_equal(mp_semaphore_get_value(semaphore), MP_SEMAPHORE_OWNED_MAX);
    ok(mp_semaphore_destroy(semaphore));
    ok(mp_semaphore_create(&semaphore, 2, &options));
    assert_string_equal(mp_handle_kind(MP_HANDLE(semaphore)), "semaphore");
    fails(MP_ENOTOWNER, mp_semaphore_release(semaphore));
    assert_non_null(strstr(mp_error_detail(), "\"slots\""));
    for (int i = 2; i > 0; i--) {
        assert_int_equal(mp_semaphore_get_value(semaphore), i);
        ok(mp_semaphore_acquire(semaphore, i == 2 ? 0 : MP_FOREVER));
    }
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, 0));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, -1));
    fails(MP_ETIMEDOUT, mp_semaphore_acquire(semaphore, 20)); /* it sleeps */
    for (int i = 0; i < 2; i++) ok(mp_semaphore_release(semaphore));
    fails(MP_ENOTOWNER, mp_semaphore_release(semaphore));
    MP_WITH_LOCK(semaphore) assert_int_equal(mp_semaphore_get_value(semaphore), 1);
    assert_int_equal(mp_semaphore_get_value(semaphore), 2);
    ok(mp_semaphore_destroy(semaphore));
    fails(MP_EBADHANDLE, mp_semaphore_acquire(semaphore, 0));
    fails(MP_EBADHANDLE, mp_semaphore_release(semaphore));
}

static struct job owned_create(uint32_t value)
{
    struct job job = job_create(0);
    ok(mp_semaphore_destroy(job.semaphore));
    ok(mp_semaphore_create(&job.semaphore, value, &(mp_semaphore_options){.owned = true}));
    return job;
}

static void owned_never_too_many(void **state)
{
    (void)state;
    assert_never_too_many(owned_create(UNITS));
}

static int take_two_and_wait(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < 2; i++) REQUIRE(mp_semaphore_acquire(job->semaphore, 0) == 0);
    REQUIRE(gate_open(job->ready));
    return gate_take(job->never) ? 0 : 99;
}

/* Killed, or just gone: those who wait get them. */
static void units_come_back(void **state)
{
    (void)state;
    struct job job = owned_create(3);
    const struct board *board = mp_block_data(job.board);
    for (int how = 0; how < 2; how++) {
        mp_process owner = start(take_two_and_wait, &job), waiting[3];
        assert_true(gate_take(job.ready));
        assert_int_equal(mp_semaphore_get_value(job.semaphore), 1);
        fails(MP_ENOTOWNER, mp_semaphore_release(job.semaphore)); /* they are that one's */
        ok(mp_semaphore_acquire(job.semaphore, 0));
        for (int i = 0; i < 3; i++) waiting[i] = start(take_one, &job);
        while (inside_waiting_for(job.semaphore.id, 0) < 3) mp_os_sleep(MS);
        assert_int_equal(atomic_load(&board->done), 3 * how);
        if (how)
            ok(mp_process_kill(owner));
        else
            assert_true(gate_open(job.never));
        assert_ends(owner, how ? -9 : 0);
        for (int i = 0; i < 3; i++) assert_ends(waiting[i], 0); /* who ends with one passes it on */
        ok(mp_semaphore_release(job.semaphore));
        assert_int_equal(mp_semaphore_get_value(job.semaphore), 3);
    }
    job_destroy(&job);
}

static void owned_destroyed_while_awaited(void **state)
{
    (void)state;
    struct job job = owned_create(1);
    mp_process waiting[3];
    ok(mp_semaphore_acquire(job.semaphore, 0));
    for (int i = 0; i < 3; i++) waiting[i] = start(take_one, &job);
    while (inside_waiting_for(job.semaphore.id, 0) < 3) mp_os_sleep(MS);
    ok(mp_semaphore_destroy(job.semaphore));
    ok(mp_semaphore_create(&job.semaphore, 1, NULL)); /* where that was */
    for (int i = 0; i < 3; i++) assert_ends(waiting[i], MP_EBADHANDLE);
    job_destroy(&job);
}

/* ---- signal handlers ------------------------------------------------------------------------------------------- */

#if HANDLERS_RUN

static mp_semaphore signalled, own;
static mp_lock contended;
static _Atomic long given;

static void give(int number)
{
    (void)number;
    int saved = errno;
    errno = 4711;
    if (mp_semaphore_release(signalled) == 0) atomic_fetch_add(&given, 1);
    (void)mp_semaphore_release(own);
    if (errno != 4711) abort();
    errno = saved;
}

/* What others wait for, and what the interrupted one waits for itself. */
static int take_many(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < 200; i++) REQUIRE(mp_semaphore_acquire(job->semaphore, LIMIT) == 0);
    return 0;
}

static int fight(void *args)
{
    mp_lock lock = *(const mp_lock *)args;
    for (int i = 0; i < 2000; i++) {
        REQUIRE(mp_lock_acquire(lock, LIMIT) == 0);
        if (i % 64 == 0) mp_os_sleep(MS / 10);
        REQUIRE(mp_lock_release(lock) == 0);
    }
    return 0;
}

/* A handler interrupts every wait there is, and releases: what another process waits for, and what this one does. */
static void released_by_handler(void **state)
{
    (void)state;
    struct job job = job_create(0);
    struct sigaction action = {.sa_handler = give, .sa_flags = SA_RESTART}, before;
    ok(mp_semaphore_create(&own, 0, NULL));
    ok(mp_lock_create(&contended, NULL));
    signalled = job.semaphore;
    atomic_store(&given, 0);
    (void)mp_semaphore_get_value(own);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    mp_process taker = start(take_many, &job), fighter;
    ok(mp_process_start(&fighter, fight, &contended, sizeof contended, NULL));
    support_tick(500);
    for (int i = 0; i < 50; i++) ok(mp_semaphore_acquire(own, LIMIT)); /* only the handler can end this */
    int result = 0;
    for (int i = 0; i < 2000 && result == 0; i++) {
        result = mp_lock_acquire(contended, LIMIT);
        if (result == 0) result = mp_lock_release(contended);
    }
    int codes[2] = {1, 1};
    mp_process both[] = {taker, fighter};
    int joined = mp_process_join_all(both, codes, 2, LIMIT);
    support_tick(0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    ok(result);
    ok(joined);
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[1], 0);
    assert_int_equal(mp_semaphore_get_value(job.semaphore), atomic_load(&given) - 200);
    for (int i = 0; i < 2; i++) ok(mp_process_close(both[i]));
    ok(mp_semaphore_destroy(own));
    ok(mp_lock_destroy(contended));
    job_destroy(&job);
}

#endif

static const struct test_case cases[] = {
    CASE_ONCE(counts),
    CASE_ONCE(bounds),
    CASE_ONCE(with_lock),
    CASE(never_too_many),
    CASE_ONCE(never_too_many_threads),
    CASE(each_unit_lets_one_go),
    CASE(destroyed_while_awaited),
    CASE(unit_of_the_dead_is_lost),
    CASE(killed_sleepers),
    CASE_ONCE(owned_counts),
    CASE(owned_never_too_many),
    CASE(units_come_back),
    CASE(owned_destroyed_while_awaited),
#if HANDLERS_RUN
    CASE(released_by_handler),
#endif
};

SUPPORT_MAIN("semaphore", cases)
