/* SPDX-License-Identifier: MIT
 *
 * test_wait_fd.c - descriptors that event loops watch.
 */
#include "items.h"
#include "require.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS = 2000,
    CROWD = 3
};

struct job {
    struct items items;
    struct gate ready, never;
    int kind;
};

static struct job job_create(void)
{
    return (struct job){.items = items_create(), .ready = gate_create(), .never = gate_create()};
}

static void job_destroy(const struct job *job)
{
    items_destroy(&job->items);
    gate_destroy(job->ready);
    gate_destroy(job->never);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

static mp_fd fd_of(mp_handle item)
{
    mp_fd fd;
    ok(mp_wait_fd(item, &fd));
    return fd;
}

static void becomes_unreadable(mp_fd fd)
{
    int64_t deadline = support_now() + LIMIT;
    while (support_readable(fd, 0)) assert_true(support_now() < deadline);
}

/* ---- this process's own calls -------------------------------------------------------------------------------------- */

static void readable_while_ready(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_fd fds[ITEM_KINDS];
    for (int kind = 0; kind < ITEM_KINDS; kind++) fds[kind] = fd_of(items_handle(&job.items, kind));
    for (int i = 0; i < 200; i++) {
        int kind = i % ITEM_KINDS;
        assert_false(support_readable(fds[kind], 0));
        ok(items_make_ready(&job.items, kind));
        assert_true(support_readable(fds[kind], LIMIT));
        assert_true(support_readable(fds[kind], 0)); /* level-triggered */
        if (kind == QUEUE) {                         /* one is left */
            ok(items_make_ready(&job.items, kind));
            ok(items_make_unready(&job.items, kind));
            assert_true(support_readable(fds[kind], 0));
        }
        for (int other = 0; other < ITEM_KINDS; other++)
            if (other != kind) assert_false(support_readable(fds[other], 0));
        ok(items_make_unready(&job.items, kind)); /* at once: */
        assert_false(support_readable(fds[kind], 0));
    }
    for (int kind = 0; kind < ITEM_KINDS; kind++) ok(mp_wait_fd_close(items_handle(&job.items, kind)));
    ok(mp_semaphore_release(job.items.owned));
    job_destroy(&job);
}

static void ready_before(void **state)
{
    (void)state;
    struct job job = job_create();
    ok(items_make_ready(&job.items, QUEUE));
    mp_fd fd = fd_of(MP_HANDLE(job.items.queue));
    assert_true(support_readable(fd, 0));
    assert_true(fd == fd_of(MP_HANDLE(job.items.queue))); /* there is one */
    ok(mp_wait_fd_close(MP_HANDLE(job.items.queue)));
    fails(MP_EBADHANDLE, mp_wait_fd_close(MP_HANDLE(job.items.queue)));
    job_destroy(&job);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    mp_lock lock;
    mp_connection in, out;
    mp_fd fd;
    memset(&fd, 0x55, sizeof fd);
    const mp_fd before = fd;
    ok(mp_lock_create(&lock, NULL));
    ok(mp_pipe_create(&in, &out, &(mp_pipe_options){.one_way = true}));
    fails(MP_EINVAL, mp_wait_fd(MP_HANDLE(in), NULL));
    fails(MP_EINVAL, mp_wait_fd(MP_HANDLE(out), &fd));
    fails(MP_EINVAL, mp_wait_fd(MP_HANDLE(lock), &fd));
    fails(MP_EDEADLK, mp_wait_fd(MP_HANDLE(mp_current_process()), &fd));
    fails(MP_EBADHANDLE, mp_wait_fd(mp_handle_of(0), &fd));
    fails(MP_EBADHANDLE, mp_wait_fd_close(mp_handle_of(0)));
    fails(MP_EBADHANDLE, mp_wait_fd_close(MP_HANDLE(in)));
    ok(mp_connection_close(in));
    fails(MP_EBADHANDLE, mp_wait_fd(MP_HANDLE(in), &fd));
    ok(mp_connection_close(out));
    ok(mp_lock_destroy(lock));
    assert_true(fd == before);
}

/* The descriptor goes with the object: nothing is left over. */
static void destroyed_here(void **state)
{
    (void)state;
    struct job job = job_create();
    for (int kind = 0; kind < ITEM_KINDS; kind++) (void)fd_of(items_handle(&job.items, kind));
    job_destroy(&job);
    for (int kind = 0; kind < ITEM_KINDS; kind++)
        fails(MP_EBADHANDLE, mp_wait_fd_close(items_handle(&job.items, kind)));
}

/* ---- other processes ----------------------------------------------------------------------------------------------- */

static int make_ready_and_unready(void *args)
{
    const struct job *job = args;
    if (job->kind == OWNED) REQUIRE(mp_semaphore_acquire(job->items.owned, LIMIT) == 0);
    REQUIRE(gate_open(job->ready));
    REQUIRE(items_make_ready(&job->items, job->kind) == 0);
    REQUIRE(gate_take(job->never));
    if (job->kind == CONNECTION) return 0; /* its end is the other one */
    REQUIRE(items_make_unready(&job->items, job->kind) == 0);
    REQUIRE(gate_take(job->never));
    return 0;
}

static void others_are_followed(void **state)
{
    (void)state;
    struct job job = job_create();
    for (job.kind = 0; job.kind < ITEM_KINDS; job.kind++) {
        if (job.kind == OWNED) ok(mp_semaphore_release(job.items.owned));
        mp_process process = start(make_ready_and_unready, &job);
        assert_true(gate_take(job.ready));
        mp_fd fd = fd_of(items_handle(&job.items, job.kind)), end = fd_of(MP_HANDLE(process));
        assert_true(support_readable(fd, LIMIT));
        assert_false(support_readable(end, 0));
        assert_true(gate_open(job.never));
        if (job.kind == CONNECTION) ok(items_make_unready(&job.items, job.kind));
        becomes_unreadable(fd);
        assert_true(gate_open(job.never));
        assert_true(support_readable(end, LIMIT));
        int code = 1;
        ok(mp_process_join(process, &code, 0));
        assert_int_equal(code, 0);
        assert_true(support_readable(end, 0));
        ok(mp_process_close(process)); /* and its descriptor is closed */
        if (job.kind == CONNECTION) assert_true(gate_take(job.never));
        ok(mp_wait_fd_close(items_handle(&job.items, job.kind)));
    }
    job_destroy(&job);
}

static int destroy_it(void *args)
{
    const struct job *job = args;
    return mp_queue_destroy(job->items.queue);
}

static void destroyed_elsewhere(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_fd fd = fd_of(MP_HANDLE(job.items.queue));
    assert_false(support_readable(fd, 0));
    assert_ends(start(destroy_it, &job), 0);
    assert_true(support_readable(fd, LIMIT));
    char byte;
    fails(MP_EBADHANDLE, mp_queue_get(job.items.queue, &byte, 1, NULL, 0));
    assert_true(support_readable(fd, 0));
    ok(mp_wait_fd_close(MP_HANDLE(job.items.queue)));
    ok(mp_queue_create(&job.items.queue, NULL));
    job_destroy(&job);
}

static int live(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_open(job->ready));
    return gate_take(job->never) ? 0 : 1;
}

static void killed_ones_are_told_of(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process process = start(live, &job);
    assert_true(gate_take(job.ready));
    mp_fd end = fd_of(MP_HANDLE(process)), queue = fd_of(MP_HANDLE(job.items.queue));
    assert_false(support_readable(end, 0));
    assert_false(support_readable(queue, 0));
    ok(mp_process_kill(process));
    assert_true(support_readable(end, LIMIT));
    assert_true(support_readable(queue, LIMIT)); /* nobody is left who could put something */
    ok(mp_wait_fd_close(MP_HANDLE(process)));
    assert_ends(process, -9);
    job_destroy(&job);
}

/* Another process has descriptors of its own. */
static int has_its_own(void *args)
{
    const struct job *job = args;
    mp_fd fd;
    REQUIRE(mp_wait_fd_close(MP_HANDLE(job->items.queue)) == MP_EBADHANDLE);
    REQUIRE(mp_wait_fd(MP_HANDLE(job->items.queue), &fd) == 0);
    REQUIRE(!support_readable(fd, 0));
    REQUIRE(mp_queue_put(job->items.queue, "item", 4, 0) == 0);
    REQUIRE(support_readable(fd, LIMIT));
    REQUIRE(mp_wait_fd_close(MP_HANDLE(job->items.queue)) == 0);
    return 0;
}

static void each_process_has_its_own(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_fd fd = fd_of(MP_HANDLE(job.items.queue));
    assert_ends(start(has_its_own, &job), 0);
    assert_true(support_readable(fd, LIMIT));
    ok(items_make_unready(&job.items, QUEUE));
    ok(items_make_ready(&job.items, QUEUE)); /* now that nobody else is left it is readable in any case */
    assert_true(support_readable(fd, LIMIT));
    job_destroy(&job);
}

/* ---- loops --------------------------------------------------------------------------------------------------------- */

static int produce(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < ITEMS; i++) REQUIRE(mp_queue_put(job->items.queue, &i, sizeof i, LIMIT) == 0);
    return 0;
}

/* One item each time it is readable: none is slept through. */
static void loop_gets_all(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_fd fd = fd_of(MP_HANDLE(job.items.queue));
    mp_process producers[CROWD];
    int next[CROWD] = {0}, vain = 0;
    (void)next;
    for (int i = 0; i < CROWD; i++) producers[i] = start(produce, &job);
    for (int got = 0; got < CROWD * ITEMS;) {
        int item;
        assert_true(support_readable(fd, LIMIT));
        int result = mp_queue_get(job.items.queue, &item, sizeof item, NULL, 0);
        assert_true(result == 0 || result == MP_ETIMEDOUT);
        got += result == 0;
        vain += result != 0;
    }
    assert_int_equal(vain, 0); /* nobody else gets */
    for (int i = 0; i < CROWD; i++) assert_ends(producers[i], 0);
    job_destroy(&job);
}

static const struct job *shared;
static _Atomic int taken;

static void *take_some(void *fd)
{
    while (atomic_load(&taken) < ITEMS) {
        int item;
        if (!support_readable(*(mp_fd *)fd, 10)) continue;
        if (mp_queue_get(shared->items.queue, &item, sizeof item, NULL, 0) == 0) atomic_fetch_add(&taken, 1);
    }
    return NULL;
}

/* Several threads watch the same one, while others come and go. */
static void threads_share_it(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_fd fd = fd_of(MP_HANDLE(job.items.queue));
    pthread_t threads[CROWD];
    shared = &job;
    atomic_store(&taken, 0);
    mp_process producer = start(produce, &job);
    for (int i = 0; i < CROWD; i++) assert_int_equal(pthread_create(&threads[i], NULL, take_some, &fd), 0);
    while (atomic_load(&taken) < ITEMS / 2) {
        mp_fd event = fd_of(MP_HANDLE(job.items.event));
        assert_false(support_readable(event, 0));
        ok(mp_event_set(job.items.event));
        assert_true(support_readable(event, LIMIT));
        ok(mp_event_clear(job.items.event));
        ok(mp_wait_fd_close(MP_HANDLE(job.items.event)));
    }
    for (int i = 0; i < CROWD; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_ends(producer, 0);
    job_destroy(&job);
}

/* ---- signal handlers ----------------------------------------------------------------------------------------------- */

#if HANDLERS_RUN

static mp_event handled;

static void clear_and_look(int number)
{
    (void)number;
    if (mp_event_clear(handled) < 0 || mp_event_is_set(handled) != 0) abort();
}

/* A handler interrupts a thread that has locks which the thread needs that serves the descriptors. */
static void handlers_wait_for_nobody(void **state)
{
    (void)state;
    struct job job = job_create();
    struct sigaction action = {.sa_handler = clear_and_look, .sa_flags = SA_RESTART}, before;
    mp_event event;
    ok(mp_event_create(&handled, NULL));
    mp_fd fds[3] = {fd_of(MP_HANDLE(handled)), fd_of(MP_HANDLE(job.items.queue))};
    assert_int_equal(mp_event_is_set(handled), 0);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    for (int i = 0; i < 20; i++) {
        mp_process process = start(live, &job);
        bool ready = gate_take(job.ready);
        support_tick(200);
        int result = mp_wait_fd(MP_HANDLE(process), &fds[2]);
        ready = ready && gate_open(job.never);
        while (result == 0 && mp_process_is_alive(process) == 1) {
            size_t count;
            result = mp_event_create(&event, NULL);
            if (result == 0) result = mp_event_set(handled);
            if (result == 0) result = mp_event_destroy(event);
            if (result == 0) result = mp_active_children(NULL, 0, &count);
            if (result == 0) result = mp_queue_put(job.items.queue, "item", 4, 0);
            if (result == 0) result = mp_queue_get(job.items.queue, &(int){0}, 4, NULL, 0);
        }
        support_tick(0);
        ok(result);
        assert_true(ready);
        assert_ends(process, 0);
    }
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    ok(mp_event_destroy(handled));
    job_destroy(&job);
}

#endif

static const struct test_case cases[] = {
    CASE_ONCE(readable_while_ready),
    CASE_ONCE(ready_before),
    CASE_ONCE(bad_input_is_refused),
    CASE_ONCE(destroyed_here),
    CASE(others_are_followed),
    CASE(destroyed_elsewhere),
    CASE(killed_ones_are_told_of),
    CASE_THREADS(each_process_has_its_own),
    CASE(loop_gets_all),
    CASE(threads_share_it),
#if HANDLERS_RUN
    CASE(handlers_wait_for_nobody),
#endif
};

SUPPORT_MAIN("wait_fd", cases)
