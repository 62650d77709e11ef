/* SPDX-License-Identifier: MIT
 *
 * test_wait.c - waiting for any of many.
 */
#include "base/watch.h"
#include "inside.h"
#include "items.h"
#include "require.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    MANY = 300,
    CROWD = 3,
    EACH = 2000,
    QUEUES = 3
};

struct job {
    struct items items;
    mp_process process, waiter;
    mp_block board; /* struct board */
    struct gate ready, never;
    int what, number;
};

struct board {
    _Atomic int got[CROWD][EACH], done;
};

enum {
    PROCESS = ITEM_KINDS, /* one more kind */
    KINDS
};

static struct job job_create(void)
{
    struct job job = {.items = items_create(), .ready = gate_create(), .never = gate_create()};
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.waiter = mp_current_process();
    return job;
}

static void job_destroy(const struct job *job)
{
    items_destroy(&job->items);
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

/* Lives until its gate is opened. */
static int live(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_open(job->ready));
    return gate_take(job->never) ? 0 : 1;
}

static mp_handle handle_of(const struct job *job, int kind)
{
    return kind == PROCESS ? MP_HANDLE(job->process) : items_handle(&job->items, kind);
}

static int make_ready(const struct job *job, int kind)
{
    if (kind != PROCESS) return items_make_ready(&job->items, kind);
    return gate_open(job->never) ? 0 : MP_ESYSTEM;
}

static int make_unready(const struct job *job, int kind)
{
    return kind == PROCESS ? mp_process_join(job->process, NULL, 0) : items_make_unready(&job->items, kind);
}

static size_t wait_for(const mp_handle *items, size_t count)
{
    size_t index = SIZE_MAX;
    ok(mp_wait(items, count, &index, LIMIT));
    return index;
}

static void assert_none(const mp_handle *items, size_t count)
{
    size_t index = 77;
    fails(MP_ETIMEDOUT, mp_wait(items, count, &index, 0));
    fails(MP_ETIMEDOUT, mp_wait(items, count, &index, -1));
    assert_int_equal(index, 77);
}

/* Until a thread of that process sleeps, waiting for many. */
static bool sees_watcher(mp_process process)
{
    int64_t deadline = support_now() + LIMIT;
    while (!inside_waiting_for(MP__WATCHES, process.id))
        if (support_now() > deadline)
            return false;
        else
            mp_os_sleep(1000000);
    return true;
}

/* ---- ready at once ----------------------------------------------------------------------------------------------- */

static void each_is_ready(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_handle items[KINDS];
    job.process = start(live, &job);
    assert_true(gate_take(job.ready));
    for (int kind = 0; kind < KINDS; kind++) items[kind] = handle_of(&job, kind);
    assert_none(items, KINDS);
    for (int kind = 0; kind < KINDS; kind++) {
        ok(make_ready(&job, kind));
        assert_int_equal(wait_for(items, KINDS), kind);
        assert_int_equal(wait_for(items, KINDS), kind); /* nothing is taken */
        ok(make_unready(&job, kind));
        if (kind != PROCESS) assert_none(items, KINDS);
    }
    ok(mp_process_close(job.process));
    job_destroy(&job);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_handle items[3] = {{0}};
    mp_lock lock;
    mp_connection in, out;
    size_t index = 77;
    ok(mp_lock_create(&lock, &(mp_lock_options){.name = "door"}));
    fails(MP_EINVAL, mp_wait(NULL, 3, &index, 0));
    fails(MP_EINVAL, mp_wait(items, 3, NULL, 0));
    fails(MP_EINVAL, mp_wait(items, 3, &index, MP_FOREVER));
    fails(MP_EINVAL, mp_wait(items, 0, &index, MP_FOREVER));
    fails(MP_EINVAL, mp_wait(NULL, 0, &index, MP_FOREVER));
    items[1] = MP_HANDLE(lock);
    fails(MP_EINVAL, mp_wait(items, 3, &index, MP_FOREVER));
    assert_non_null(strstr(mp_error_detail(), "items[1]: \"door\" is a lock"));
    ok(mp_event_set(job.items.event)); /* also where another one is ready */
    items[0] = items[2] = MP_HANDLE(job.items.event);
    for (int i = 0; i < 20; i++) fails(MP_EINVAL, mp_wait(items, 3, &index, 0));
    items[0] = items[2] = (mp_handle){0};
    ok(mp_lock_destroy(lock));
    fails(MP_EBADHANDLE, mp_wait(items, 3, &index, MP_FOREVER));
    items[1] = mp_handle_of(UINT64_C(0x123456789abcdef));
    fails(MP_EBADHANDLE, mp_wait(items, 3, &index, MP_FOREVER));
    items[1] = MP_HANDLE(job.waiter);
    fails(MP_EDEADLK, mp_wait(items, 3, &index, MP_FOREVER));
    ok(mp_pipe_create(&in, &out, &(mp_pipe_options){.one_way = true}));
    items[1] = MP_HANDLE(out);
    fails(MP_EINVAL, mp_wait(items, 3, &index, MP_FOREVER));
    ok(mp_connection_send(out, NULL, 0, 0));
    items[1] = MP_HANDLE(in);
    assert_int_equal(wait_for(items, 3), 1);
    ok(mp_connection_close(in));
    fails(MP_EBADHANDLE, mp_wait(items, 3, &index, MP_FOREVER));
    ok(mp_connection_close(out));
    assert_int_equal(index, 77);
    job_destroy(&job);
}

static void all_get_their_turn(void **state)
{
    (void)state;
    mp_event events[5];
    mp_handle items[6] = {{0}};
    int given[6] = {0}, other[6] = {0};
    for (int i = 0; i < 5; i++) {
        ok(mp_event_create(&events[i], &(mp_event_options){.set = true}));
        items[i < 2 ? i : i + 1] = MP_HANDLE(events[i]);
    }
    for (int i = 0; i < 50; i++) given[wait_for(items, 6)]++;
    for (int i = 0; i < 6; i++) assert_int_equal(given[i], i == 2 ? 0 : 10);
    /* Two loops at the same time. */
    for (int i = 0; i < 400; i++) {
        assert_int_equal(wait_for(items + 1, 1), 0);
        other[wait_for(items, 6)]++;
    }
    for (int i = 0; i < 6; i++) assert_true(i == 2 ? other[i] == 0 : other[i] > 20);
    for (int i = 0; i < 5; i++) ok(mp_event_destroy(events[i]));
}

static void one_of_many(void **state)
{
    (void)state;
    mp_event events[MANY];
    mp_handle items[MANY];
    for (int i = 0; i < MANY; i++) {
        ok(mp_event_create(&events[i], NULL));
        items[i] = MP_HANDLE(events[i]);
    }
    assert_none(items, MANY);
    for (int i = 0; i < MANY; i += 37) {
        ok(mp_event_set(events[i]));
        assert_int_equal(wait_for(items, MANY), i);
        ok(mp_event_clear(events[i]));
    }
    for (int i = 0; i < MANY; i++) ok(mp_event_destroy(events[i]));
}

/* ---- made ready by others, when the waiter sleeps ------------------------------------------------------------------ */

static int make_ready_later(void *args)
{
    const struct job *job = args;
    if (job->what == OWNED) REQUIRE(mp_semaphore_acquire(job->items.owned, LIMIT) == 0);
    REQUIRE(gate_open(job->ready));
    REQUIRE(sees_watcher(job->waiter));
    REQUIRE(make_ready(job, job->what) == 0);
    return 0;
}

static void each_becomes_ready(void **state)
{
    (void)state;
    struct job job = job_create();
    for (int kind = 0; kind < KINDS; kind++) {
        mp_handle items[KINDS];
        if (kind == OWNED) ok(mp_semaphore_release(job.items.owned));
        job.process = start(live, &job);
        assert_true(gate_take(job.ready));
        job.what = kind;
        mp_process other = start(make_ready_later, &job);
        assert_true(gate_take(job.ready));
        for (int i = 0; i < KINDS; i++) items[i] = handle_of(&job, i);
        assert_int_equal(wait_for(items, KINDS), kind);
        assert_ends(other, 0);
        ok(make_unready(&job, kind));
        if (kind != PROCESS) assert_true(gate_open(job.never));
        assert_ends(job.process, 0);
    }
    job_destroy(&job);
}

enum end {
    CLOSE_QUEUE,
    DESTROY_QUEUE,
    CLOSE_OTHER_END,
    CLOSE_THIS_END,
    DESTROY_EVENT,
    DESTROY_SEMAPHORE,
    DESTROY_OWNED,
    ENDS
};

static int end_later(void *args)
{
    const struct job *job = args;
    REQUIRE(sees_watcher(job->waiter));
    switch (job->what) {
    case CLOSE_QUEUE:
        return mp_queue_close(job->items.queue);
    case DESTROY_QUEUE:
        return mp_queue_destroy(job->items.queue);
    case CLOSE_OTHER_END:
        return mp_connection_close(job->items.far);
    case CLOSE_THIS_END:
        return mp_connection_close(job->items.near);
    case DESTROY_EVENT:
        return mp_event_destroy(job->items.event);
    case DESTROY_SEMAPHORE:
        return mp_semaphore_destroy(job->items.semaphore);
    default:
        return mp_semaphore_destroy(job->items.owned);
    }
}

static void ends_are_told(void **state)
{
    (void)state;
    static const int kinds[ENDS] = {QUEUE, QUEUE, CONNECTION, CONNECTION, EVENT, SEMAPHORE, OWNED};
    for (int end = 0; end < ENDS; end++) {
        struct job job = job_create();
        mp_handle items[2] = {{0}, handle_of(&job, kinds[end])};
        size_t index = 77;
        job.what = end;
        mp_process other = start(end_later, &job);
        int result = mp_wait(items, 2, &index, LIMIT);
        bool ready = end == CLOSE_QUEUE || end == CLOSE_OTHER_END;
        assert_int_equal(result, ready ? 0 : MP_EBADHANDLE);
        assert_int_equal(index, ready ? 1 : 77);
        assert_ends(other, 0);
        /* What the other one has ended is made anew, for the end. */
        if (end == DESTROY_QUEUE) ok(mp_queue_create(&job.items.queue, NULL));
        if (end == CLOSE_OTHER_END) ok(mp_connection_close(job.items.near));
        if (end == CLOSE_THIS_END) ok(mp_connection_close(job.items.far));
        if (end == CLOSE_OTHER_END || end == CLOSE_THIS_END) ok(mp_pipe_create(&job.items.near, &job.items.far, NULL));
        if (end == DESTROY_EVENT) ok(mp_event_create(&job.items.event, NULL));
        if (end == DESTROY_SEMAPHORE) ok(mp_semaphore_create(&job.items.semaphore, 0, NULL));
        if (end == DESTROY_OWNED) ok(mp_semaphore_create(&job.items.owned, 1, NULL));
        job_destroy(&job);
    }
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

/* Uses what it was given, and lives on. */
static int hold_on(void *args)
{
    struct job *job = args;
    REQUIRE(mp_connection_poll(job->items.far, 0) == 0);
    return live(job);
}

static void killed_ones_are_told_of(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind != QUEUE && kind != CONNECTION && kind != PROCESS) continue;
        struct job job = job_create();
        ok(mp_connection_close(job.items.near));
        ok(mp_connection_close(job.items.far));
        ok(mp_pipe_create(&job.items.near, &job.items.far, NULL)); /* this process does not use that end */
        mp_process other = start(hold_on, &job);
        job.process = other;
        assert_true(gate_take(job.ready));
        const mp_handle item = handle_of(&job, kind);
        assert_none(&item, 1);
        ok(mp_process_kill(other));
        assert_int_equal(wait_for(&item, 1), 0);
        char bytes[8];
        if (kind == QUEUE) fails(MP_EPEERDEAD, mp_queue_get(job.items.queue, bytes, sizeof bytes, NULL, 0));
        if (kind == CONNECTION) fails(MP_EPEERDEAD, mp_connection_recv(job.items.near, bytes, sizeof bytes, NULL, 0));
        int code = 0;
        ok(mp_process_join(other, &code, LIMIT));
        assert_int_equal(code, -9);
        ok(mp_process_close(other));
        job_destroy(&job);
    }
}

/* It owns the unit when it is killed. */
static int own_unit(void *args)
{
    struct job *job = args;
    REQUIRE(mp_semaphore_acquire(job->items.owned, LIMIT) == 0);
    return live(job);
}

static void unit_of_the_dead_is_ready(void **state)
{
    (void)state;
    struct job job = job_create();
    const mp_handle item = MP_HANDLE(job.items.owned);
    ok(mp_semaphore_release(job.items.owned));
    mp_process other = start(own_unit, &job);
    assert_true(gate_take(job.ready));
    assert_none(&item, 1);
    ok(mp_process_kill(other));
    assert_int_equal(wait_for(&item, 1), 0);
    assert_ends(other, -9);
    job_destroy(&job);
}

static int put_one(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_queue_put(job->items.queue, &job->number, sizeof job->number, LIMIT) == 0);
    return 0;
}

/* The queue is empty, and all who could put something are dead; first the ends of these are told. */
static void dead_producers_come_before_their_queue(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_handle items[1 + CROWD] = {MP_HANDLE(job.items.queue)};
    mp_process processes[CROWD];
    int got = 0;
    for (int i = 0; i < CROWD; i++) {
        processes[i] = start(put_one, &job);
        items[1 + i] = MP_HANDLE(processes[i]);
    }
    for (int left = CROWD; left;) {
        int number;
        size_t index = wait_for(items, 1 + CROWD);
        if (index == 0) {
            ok(mp_queue_get(job.items.queue, &number, sizeof number, NULL, 0));
            got++;
        } else {
            assert_ends(processes[index - 1], 0);
            items[index] = (mp_handle){0};
            left--;
        }
    }
    for (; got < CROWD; got++) {
        int number;
        assert_int_equal(wait_for(items, 1 + CROWD), 0);
        ok(mp_queue_get(job.items.queue, &number, sizeof number, NULL, 0));
    }
    assert_int_equal(wait_for(items, 1 + CROWD), 0); /* now it is ready: get will say why */
    int number;
    fails(MP_EPEERDEAD, mp_queue_get(job.items.queue, &number, sizeof number, NULL, 0));
    job_destroy(&job);
}

/* Its target has returned, and it waits for its own child: it ends, for long. */
static int leave_one_behind(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_process_start(NULL, live, job, sizeof *job, NULL) == 0);
    return 0;
}

static void long_ending_hides_nothing(void **state)
{
    (void)state;
    struct job job = job_create();
    struct job other = job_create();
    mp_process leaver = start(leave_one_behind, &other);
    assert_true(gate_take(other.ready));
    assert_ends(start(put_one, &job), 0);
    char bytes[8];
    ok(mp_queue_get(job.items.queue, bytes, sizeof bytes, &(size_t){0}, 0));
    const mp_handle items[2] = {MP_HANDLE(leaver), MP_HANDLE(job.items.queue)}; /* which nobody else uses now */
    assert_int_equal(wait_for(items, 2), 1);
    assert_true(gate_open(other.never));
    assert_ends(leaver, 0);
    job_destroy(&other);
    job_destroy(&job);
}

/* ---- many waiters -------------------------------------------------------------------------------------------------- */

static int wait_for_event(void *args)
{
    const struct job *job = args;
    const mp_handle items[2] = {MP_HANDLE(job->items.event), MP_HANDLE(job->items.queue)};
    size_t index;
    REQUIRE(mp_wait(items, 2, &index, LIMIT) == 0);
    return (int)index;
}

static void *wait_in_thread(void *args)
{
    return (void *)(intptr_t)wait_for_event(args);
}

static void all_waiters_are_woken(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process processes[CROWD];
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++) processes[i] = start(wait_for_event, &job);
    for (int i = 0; i < CROWD; i++) assert_int_equal(pthread_create(&threads[i], NULL, wait_in_thread, &job), 0);
    while (inside_waiting_for(MP__WATCHES, 0) < 2 * CROWD) mp_os_sleep(1000000);
    ok(mp_process_kill(processes[0])); /* whose death concerns nobody */
    assert_ends(processes[0], -9);
    ok(mp_event_set(job.items.event));
    for (int i = 1; i < CROWD; i++) assert_ends(processes[i], 0);
    for (int i = 0; i < CROWD; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((intptr_t)result, 0);
    }
    job_destroy(&job);
}

/* Producers fill several queues; consumers wait for all of them. Each item is got once, and nobody sleeps through one. */
struct traffic {
    mp_queue queues[QUEUES];
    mp_event stop;
    mp_block board;
    int number;
};

static int produce(void *args)
{
    const struct traffic *traffic = args;
    for (int i = 0; i < EACH; i++) {
        const int item[2] = {traffic->number, i};
        REQUIRE(mp_queue_put(traffic->queues[(i + traffic->number) % QUEUES], item, sizeof item, LIMIT) == 0);
    }
    return 0;
}

static int consume(void *args)
{
    const struct traffic *traffic = args;
    struct board *board = mp_block_data(traffic->board);
    mp_handle items[QUEUES + 1] = {[QUEUES] = MP_HANDLE(traffic->stop)};
    for (int i = 0; i < QUEUES; i++) items[i] = MP_HANDLE(traffic->queues[i]);
    for (;;) {
        size_t index;
        int item[2];
        REQUIRE(mp_wait(items, QUEUES + 1, &index, LIMIT) == 0);
        if (index == QUEUES) return 0;
        int result = mp_queue_get(traffic->queues[index], item, sizeof item, NULL, 0);
        if (result == MP_ETIMEDOUT || result == MP_EPEERDEAD) continue; /* another one was quicker, and has ended */
        REQUIRE(result == 0);
        atomic_fetch_add(&board->got[item[0]][item[1]], 1);
        if (atomic_fetch_add(&board->done, 1) + 1 == CROWD * EACH) REQUIRE(mp_event_set(traffic->stop) == 0);
    }
}

static void nothing_is_slept_through(void **state)
{
    (void)state;
    struct traffic traffic = {.number = 0};
    mp_process producers[CROWD], consumers[2];
    for (int i = 0; i < QUEUES; i++) ok(mp_queue_create(&traffic.queues[i], &(mp_queue_options){.maxsize = 10}));
    ok(mp_event_create(&traffic.stop, NULL));
    ok(mp_block_create(&traffic.board, sizeof(struct board)));
    for (int i = 0; i < 2; i++) ok(mp_process_start(&consumers[i], consume, &traffic, sizeof traffic, NULL));
    for (; traffic.number < CROWD; traffic.number++)
        ok(mp_process_start(&producers[traffic.number], produce, &traffic, sizeof traffic, NULL));
    for (int i = 0; i < CROWD; i++) assert_ends(producers[i], 0);
    for (int i = 0; i < 2; i++) assert_ends(consumers[i], 0);
    struct board *board = mp_block_data(traffic.board);
    for (int i = 0; i < CROWD; i++)
        for (int k = 0; k < EACH; k++) assert_int_equal(atomic_load(&board->got[i][k]), 1);
    for (int i = 0; i < QUEUES; i++) ok(mp_queue_destroy(traffic.queues[i]));
    ok(mp_event_destroy(traffic.stop));
    ok(mp_block_destroy(traffic.board));
}

/* ---- signal handlers ----------------------------------------------------------------------------------------------- */

#if HANDLERS_RUN

static mp_event own, others;

static void set_both(int number)
{
    (void)number;
    if (mp_event_set(own) < 0 || mp_event_set(others) < 0) abort();
}

static int count_events(void *args)
{
    const struct job *job = args;
    const mp_handle items[2] = {MP_HANDLE(job->items.queue), MP_HANDLE(job->items.event)};
    for (int i = 0; i < 100; i++) {
        size_t index;
        REQUIRE(mp_wait(items, 2, &index, LIMIT) == 0);
        REQUIRE(index == 1);
        REQUIRE(mp_event_clear(job->items.event) == 0);
    }
    return 0;
}

/* A handler interrupts the wait, and sets what its own thread waits for, and what another process does. */
static void set_by_handler(void **state)
{
    (void)state;
    struct job job = job_create();
    struct sigaction action = {.sa_handler = set_both, .sa_flags = SA_RESTART}, before;
    mp_semaphore own_semaphore;
    ok(mp_semaphore_create(&own_semaphore, 0, NULL));
    ok(mp_event_create(&own, NULL));
    others = job.items.event;
    const mp_handle items[2] = {MP_HANDLE(own_semaphore), MP_HANDLE(own)}; /* what no death makes ready */
    assert_int_equal(mp_event_is_set(own), 0);
    assert_int_equal(mp_event_is_set(others), 0);
    mp_process waiter = start(count_events, &job);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    support_tick(500);
    int result = 0, code = 1;
    for (int i = 0; i < 200 && result == 0; i++) {
        size_t index = 77;
        result = mp_wait(items, 2, &index, LIMIT);
        if (result == 0 && index != 1) result = MP_ESYSTEM;
        if (result == 0) result = mp_event_clear(own);
    }
    int joined = mp_process_join(waiter, &code, LIMIT);
    support_tick(0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    ok(result);
    ok(joined);
    assert_int_equal(code, 0);
    ok(mp_process_close(waiter));
    ok(mp_event_destroy(own));
    ok(mp_semaphore_destroy(own_semaphore));
    job_destroy(&job);
}

#endif

static const struct test_case cases[] = {
    CASE(each_is_ready),
    CASE_ONCE(bad_input_is_refused),
    CASE_ONCE(all_get_their_turn),
    CASE_ONCE(one_of_many),
    CASE(each_becomes_ready),
    CASE(ends_are_told),
    CASE(killed_ones_are_told_of),
    CASE(unit_of_the_dead_is_ready),
    CASE(dead_producers_come_before_their_queue),
    CASE(long_ending_hides_nothing),
    CASE(all_waiters_are_woken),
    CASE(nothing_is_slept_through),
#if HANDLERS_RUN
    CASE(set_by_handler),
#endif
};

SUPPORT_MAIN("wait", cases)
