/* SPDX-License-Identifier: MIT
 *
 * test_queue.c - items put and got, by processes and threads, some of which are killed.
 */
#include "inside.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PRODUCERS = 3,
    CONSUMERS = 2,
    EACH = 3000
};

struct job {
    mp_queue queue, other;
    mp_block board; /* struct board */
    struct gate ready, never;
    int number;
};

struct board {
    _Atomic int got[PRODUCERS][EACH], last[CONSUMERS][PRODUCERS];
    _Atomic int out_of_order, done;
    _Atomic long total;
};

struct item {
    int producer, number;
    char text[40];
};

static struct job job_create(const mp_queue_options *options)
{
    struct job job = {.number = 0};
    ok(mp_queue_create(&job.queue, options));
    ok(mp_queue_create(&job.other, NULL));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.ready = gate_create();
    job.never = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_queue_destroy(job->queue));
    ok(mp_queue_destroy(job->other));
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

static size_t size_of(mp_queue queue)
{
    size_t size = SIZE_MAX;
    ok(mp_queue_qsize(queue, &size));
    return size;
}

static void wait_for_waiter(mp_queue queue, bool for_room)
{
    while (!inside_somebody_sleeps_at(queue.id, for_room)) mp_os_sleep(1000000);
}

/* ---- one process ------------------------------------------------------------------------------------------------ */

static void puts_and_gets(void **state)
{
    (void)state;
    mp_queue queue;
    int number = 0;
    ok(mp_queue_create(&queue, &(mp_queue_options){.name = "numbers"}));
    assert_int_equal(mp_queue_empty(queue), 1);
    assert_int_equal(mp_queue_full(queue), 0);
    assert_string_equal(mp_handle_kind(MP_HANDLE(queue)), "queue");
    fails(MP_ETIMEDOUT, mp_queue_get(queue, &number, sizeof number, NULL, 0));
    fails(MP_ETIMEDOUT, mp_queue_get(queue, &number, sizeof number, NULL, -1));
    fails(MP_ETIMEDOUT, mp_queue_get(queue, &number, sizeof number, NULL, 5));
    for (int i = 0; i < 5000; i++) {
        ok(mp_queue_put(queue, &i, sizeof i, 0));
        if (i % 500 == 0) assert_int_equal(size_of(queue), i + 1);
    }
    for (int i = 0; i < 5000; i++) {
        ok(mp_queue_get(queue, &number, sizeof number, NULL, 0));
        assert_int_equal(number, i);
    }
    assert_int_equal(size_of(queue), 0);
    assert_int_equal(mp_queue_empty(queue), 1);
    ok(mp_queue_destroy(queue));
    fails(MP_EBADHANDLE, mp_queue_put(queue, &number, sizeof number, 0));
    fails(MP_EBADHANDLE, mp_queue_get(queue, &number, sizeof number, NULL, 0));
    fails(MP_EBADHANDLE, mp_queue_empty(queue));
    fails(MP_EBADHANDLE, mp_queue_destroy(queue));
}

static unsigned char byte_at(size_t size, size_t i)
{
    return (unsigned char)(size * 31 + i * 7 + i / 251);
}

static void fill(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at(size, i);
}

static void assert_filled(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_at(size, i)) fail_msg("byte %zu of %zu is another one", i, size);
}

/* Of any size, also larger than all rings, again and again, so that they wrap at every place. */
static void sizes(void **state)
{
    (void)state;
    static const size_t all[] = {0,    1,    7,     8,     9,     63,    64,    65,     511,
                                 4000, 4096, 20000, 65535, 65536, 65537, 70000, 300000, 3000000};
    enum {
        SIZES = sizeof all / sizeof *all
    };
    mp_queue queue;
    unsigned char *bytes = malloc(3000000), *other = malloc(3000000);
    assert_true(bytes && other);
    ok(mp_queue_create(&queue, NULL));
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < SIZES; i++) {
            fill(bytes, all[i]);
            ok(mp_queue_put(queue, all[i] ? bytes : NULL, all[i], MP_FOREVER));
        }
        assert_int_equal(size_of(queue), SIZES);
        for (int i = 0; i < SIZES; i++) {
            size_t size = 42;
            ok(mp_queue_get(queue, other, 3000000, &size, 0));
            assert_int_equal(size, all[i]);
            assert_filled(other, size);
        }
    }
    /* One by one, with each size to 200: every place of the ring. */
    for (size_t i = 0; i < 20000; i++) {
        size_t size = 42, wanted = i % 200;
        fill(bytes, wanted);
        ok(mp_queue_put(queue, bytes, wanted, 0));
        ok(mp_queue_get(queue, other, 200, &size, 0));
        assert_int_equal(size, wanted);
        assert_filled(other, size);
    }
    ok(mp_queue_destroy(queue));
    free(bytes);
    free(other);
}

/* What does not fit stays, and its size is told. Without a size it has to be exact. */
static void too_small(void **state)
{
    (void)state;
    static const size_t all[] = {10, 100000};
    mp_queue queue;
    char *buffer = calloc(1, 100001);
    ok(mp_queue_create(&queue, NULL));
    for (int i = 0; i < 2; i++) {
        size_t size = 42;
        buffer[all[i] - 1] = 7;
        ok(mp_queue_put(queue, buffer, all[i], 0));
        memset(buffer, 0, 100001);
        fails(MP_EMSGSIZE, mp_queue_get(queue, buffer, all[i] - 1, &size, 0));
        assert_int_equal(size, all[i]);
        fails(MP_EMSGSIZE, mp_queue_get(queue, buffer, all[i] - 1, NULL, 0));
        fails(MP_EMSGSIZE, mp_queue_get(queue, buffer, all[i] + 1, NULL, 0));
        fails(MP_EMSGSIZE, mp_queue_get(queue, NULL, 0, &size, 0));
        assert_int_equal(buffer[all[i] - 1], 0);
        assert_int_equal(size_of(queue), 1);
        ok(mp_queue_get(queue, buffer, all[i], NULL, 0));
        assert_int_equal(buffer[all[i] - 1], 7);
        memset(buffer, 0, 100001);
    }
    ok(mp_queue_destroy(queue));
    free(buffer);
}

static void bounded(void **state)
{
    (void)state;
    mp_queue queue;
    int number = 1;
    char text[100] = {0};
    ok(mp_queue_create(&queue, &(mp_queue_options){.maxsize = 3}));
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(mp_queue_full(queue), 0);
            ok(mp_queue_put(queue, &i, sizeof i, 0));
        }
        assert_int_equal(mp_queue_full(queue), 1);
        fails(MP_ETIMEDOUT, mp_queue_put(queue, &number, sizeof number, 0));
        for (int i = 0; i < 3; i++) ok(mp_queue_get(queue, &number, sizeof number, NULL, 0));
        assert_int_equal(number, 2);
    }
    fails(MP_ETIMEDOUT, mp_queue_get(queue, &number, sizeof number, NULL, 0));
    ok(mp_queue_destroy(queue));
    ok(mp_queue_create(&queue, &(mp_queue_options){.max_bytes = 250}));
    fails(MP_EMSGSIZE, mp_queue_put(queue, text, 251, 0));
    for (int round = 0; round < 1000; round++) {
        ok(mp_queue_put(queue, text, 100, 0));
        ok(mp_queue_put(queue, text, 100, 0));
        fails(MP_ETIMEDOUT, mp_queue_put(queue, text, 51, 0));
        assert_int_equal(mp_queue_full(queue), 0);
        ok(mp_queue_put(queue, text, 50, 0));
        assert_int_equal(mp_queue_full(queue), 1);
        ok(mp_queue_put(queue, text, 0, 0)); /* an item of no bytes */
        for (int i = 0; i < 4; i++) ok(mp_queue_get(queue, text, sizeof text, &(size_t){0}, 0));
    }
    ok(mp_queue_destroy(queue));
}

static void many_at_once(void **state)
{
    (void)state;
    enum {
        COUNT = 10000
    };
    static int items[COUNT], others[COUNT];
    mp_queue queue, small;
    size_t done = 42;
    ok(mp_queue_create(&queue, NULL));
    ok(mp_queue_create(&small, &(mp_queue_options){.maxsize = 10}));
    for (int i = 0; i < COUNT; i++) items[i] = i;
    ok(mp_queue_put_many(queue, items, sizeof *items, COUNT, &done, 0));
    assert_int_equal(done, COUNT);
    assert_int_equal(size_of(queue), COUNT);
    for (size_t got = 0; got < COUNT; got += done) {
        ok(mp_queue_get_many(queue, others + got, sizeof *others, 777, &done, 0));
        assert_in_range(done, 1, 777);
    }
    assert_memory_equal(items, others, sizeof items);
    fails(MP_ETIMEDOUT, mp_queue_get_many(queue, others, sizeof *others, 5, &done, 0));
    assert_int_equal(done, 0);
    ok(mp_queue_get_many(queue, others, sizeof *others, 0, &done, 0));
    assert_int_equal(done, 0);
    fails(MP_ETIMEDOUT, mp_queue_put_many(small, items, sizeof *items, 25, &done, 0));
    assert_int_equal(done, 10);
    fails(MP_ETIMEDOUT, mp_queue_put_many(small, items, sizeof *items, 25, NULL, 0));
    ok(mp_queue_get_many(small, others, sizeof *others, 25, &done, 0));
    assert_int_equal(done, 10);
    /* Large ones. */
    enum {
        LARGE = 70000
    };
    static char large[3 * LARGE], copies[3 * LARGE];
    for (int i = 0; i < 3 * LARGE; i++) large[i] = (char)(i % 251);
    ok(mp_queue_put_many(queue, large, LARGE, 3, &done, 0));
    assert_int_equal(done, 3);
    for (size_t got = 0; got < 3; got += done) ok(mp_queue_get_many(queue, copies + got * LARGE, LARGE, 3, &done, 0));
    assert_memory_equal(large, copies, sizeof large);
    /* One of another size ends it; as the first it does not fit. */
    ok(mp_queue_put(queue, items, sizeof *items, 0));
    ok(mp_queue_put(queue, "abc", 3, 0));
    ok(mp_queue_get_many(queue, others, sizeof *others, 25, &done, 0));
    assert_int_equal(done, 1);
    fails(MP_EMSGSIZE, mp_queue_get_many(queue, others, sizeof *others, 25, &done, 0));
    assert_int_equal(size_of(queue), 1);
    ok(mp_queue_destroy(queue));
    ok(mp_queue_destroy(small));
}

static void closed(void **state)
{
    (void)state;
    mp_queue queue;
    int number = 7;
    ok(mp_queue_create(&queue, NULL));
    ok(mp_queue_put(queue, &number, sizeof number, 0));
    ok(mp_queue_close(queue));
    ok(mp_queue_close(queue));
    fails(MP_ECLOSED, mp_queue_put(queue, &number, sizeof number, MP_FOREVER));
    ok(mp_queue_get(queue, &number, sizeof number, NULL, MP_FOREVER));
    fails(MP_ECLOSED, mp_queue_get(queue, &number, sizeof number, NULL, MP_FOREVER));
    fails(MP_ECLOSED, mp_queue_get(queue, &number, sizeof number, NULL, 0));
    assert_int_equal(size_of(queue), 0);
    ok(mp_queue_destroy(queue));
}

static void bad_input(void **state)
{
    (void)state;
    mp_queue queue, none = {0}, garbage = {0x123456789abcdef1};
    mp_lock lock;
    int number = 1;
    size_t done;
    fails(MP_EINVAL, mp_queue_create(NULL, NULL));
    fails(MP_EINVAL, mp_queue_create(&queue, &(mp_queue_options){.maxsize = (size_t)1 << 31}));
    ok(mp_queue_create(&queue, NULL));
    ok(mp_lock_create(&lock, NULL));
    fails(MP_EINVAL, mp_queue_put(queue, NULL, 1, 0));
    fails(MP_EINVAL, mp_queue_put(queue, &number, (size_t)-1, 0));
    fails(MP_EINVAL, mp_queue_get(queue, NULL, 1, NULL, 0));
    fails(MP_EINVAL, mp_queue_qsize(queue, NULL));
    fails(MP_EINVAL, mp_queue_get_many(queue, &number, 4, 1, NULL, 0));
    fails(MP_EINVAL, mp_queue_get_many(queue, NULL, 4, 1, &done, 0));
    fails(MP_EINVAL, mp_queue_put_many(queue, NULL, 4, 1, &done, 0));
    fails(MP_EINVAL, mp_queue_put_many(queue, &number, sizeof number, (size_t)-1, &done, 0));
    fails(MP_EINVAL, mp_queue_put_many(queue, &number, (size_t)-4, 1, &done, 0));
    fails(MP_EINVAL, mp_queue_put_many(queue, &number, SIZE_MAX / 4, 3, &done, 0));
    fails(MP_EINVAL, mp_queue_get_many(queue, &number, (size_t)-4, 1, &done, 0));
    fails(MP_EINVAL, mp_queue_get(queue, &number, (size_t)-4, NULL, 0));
    fails(MP_EINVAL, mp_queue_task_done(queue));
    fails(MP_EINVAL, mp_queue_join(queue, 0));
    fails(MP_EBADHANDLE, mp_queue_put(none, &number, sizeof number, 0));
    fails(MP_EBADHANDLE, mp_queue_put(garbage, &number, sizeof number, 0));
    fails(MP_EBADHANDLE, mp_queue_get((mp_queue){lock.id}, &number, sizeof number, NULL, 0));
    fails(MP_EBADHANDLE, mp_queue_close(none));
    fails(MP_EBADHANDLE, mp_queue_destroy((mp_queue){lock.id}));
    assert_int_equal(size_of(queue), 0);
    ok(mp_lock_destroy(lock));
    ok(mp_queue_destroy(queue));
}

/* What is in it goes with it. */
static void destroyed_with_items(void **state)
{
    (void)state;
    mp_queue queue;
    char *bytes = calloc(1, 200000);
    ok(mp_queue_create(&queue, NULL));
    for (int i = 0; i < 5000; i++) ok(mp_queue_put(queue, bytes, (size_t)i, 0));
    for (int i = 0; i < 5; i++) ok(mp_queue_put(queue, bytes, 200000, 0));
    for (int i = 0; i < 100; i++) ok(mp_queue_get(queue, bytes, 200000, &(size_t){0}, 0));
    ok(mp_queue_destroy(queue));
    free(bytes);
}

/* ---- several ---------------------------------------------------------------------------------------------------- */

static int produce(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < EACH; i++) {
        struct item item = {.producer = job->number, .number = i};
        snprintf(item.text, sizeof item.text, "item %d of %d", i, job->number);
        REQUIRE(mp_queue_put(job->queue, &item, sizeof item, LIMIT) == 0);
    }
    return 0;
}

/* Each item once; of each producer in order. */
static int consume(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    struct item item;
    char text[sizeof item.text];
    int result, next[PRODUCERS] = {0};
    while ((result = mp_queue_get(job->queue, &item, sizeof item, NULL, LIMIT)) == 0) {
        REQUIRE(item.producer >= 0 && item.producer < PRODUCERS && item.number >= 0 && item.number < EACH);
        snprintf(text, sizeof text, "item %d of %d", item.number, item.producer);
        REQUIRE(strcmp(text, item.text) == 0);
        REQUIRE(atomic_fetch_add(&board->got[item.producer][item.number], 1) == 0);
        REQUIRE(item.number >= next[item.producer]);
        next[item.producer] = item.number + 1;
        atomic_fetch_add(&board->total, 1);
    }
    REQUIRE(result == MP_ECLOSED);
    return 0;
}

static void run_several(const mp_queue_options *options)
{
    struct job job = job_create(options);
    const struct board *board = mp_block_data(job.board);
    mp_process producers[PRODUCERS], consumers[CONSUMERS];
    for (job.number = 0; job.number < CONSUMERS; job.number++) consumers[job.number] = start(consume, &job);
    for (job.number = 0; job.number < PRODUCERS; job.number++) producers[job.number] = start(produce, &job);
    for (int i = 0; i < PRODUCERS; i++) assert_ends(producers[i], 0);
    ok(mp_queue_close(job.queue));
    for (int i = 0; i < CONSUMERS; i++) assert_ends(consumers[i], 0);
    assert_int_equal(atomic_load(&board->total), PRODUCERS * EACH);
    job_destroy(&job);
}

static void several(void **state)
{
    (void)state;
    run_several(NULL);
}

static void several_bounded(void **state)
{
    (void)state;
    run_several(&(mp_queue_options){.maxsize = 5});
    run_several(&(mp_queue_options){.max_bytes = 300});
}

static void *produce_in_thread(void *args)
{
    return produce(args) == 0 ? args : NULL;
}

static void *consume_in_thread(void *args)
{
    return consume(args) == 0 ? args : NULL;
}

static void several_threads(void **state)
{
    (void)state;
    struct job job = job_create(&(mp_queue_options){.maxsize = 100}), jobs[PRODUCERS];
    const struct board *board = mp_block_data(job.board);
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];
    void *result;
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, consume_in_thread, &job), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        jobs[i] = job;
        jobs[i].number = i;
        assert_int_equal(pthread_create(&producers[i], NULL, produce_in_thread, &jobs[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(producers[i], &result), 0);
        assert_non_null(result);
    }
    ok(mp_queue_close(job.queue));
    for (int i = 0; i < CONSUMERS; i++) {
        assert_int_equal(pthread_join(consumers[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(atomic_load(&board->total), PRODUCERS * EACH);
    job_destroy(&job);
}

/* A producer may end, and be joined, before anybody gets what it has put. */
static int put_a_lot(void *args)
{
    const struct job *job = args;
    size_t size = (size_t)20 << 20;
    unsigned char *bytes = malloc(size);
    REQUIRE(bytes);
    fill(bytes, size);
    REQUIRE(mp_queue_put(job->queue, bytes, size, LIMIT) == 0);
    REQUIRE(mp_queue_put(job->queue, bytes, 1000, LIMIT) == 0);
    free(bytes);
    return 0;
}

static void joined_first(void **state)
{
    (void)state;
    struct job job = job_create(NULL);
    size_t size = 0, room = (size_t)20 << 20;
    unsigned char *bytes = malloc(room);
    assert_non_null(bytes);
    assert_ends(start(put_a_lot, &job), 0);
    ok(mp_queue_get(job.queue, bytes, room, &size, 0));
    assert_int_equal(size, room);
    assert_filled(bytes, size);
    ok(mp_queue_get(job.queue, bytes, room, &size, 0));
    assert_int_equal(size, 1000);
    free(bytes);
    job_destroy(&job);
}

/* Who waits for items or for room is woken by what comes; by the end of the queue; and by its being closed. */
static int get_one(void *args)
{
    const struct job *job = args;
    int number;
    return mp_queue_get(job->queue, &number, sizeof number, NULL, LIMIT);
}

static int put_one(void *args)
{
    const struct job *job = args;
    int number = 1;
    return mp_queue_put(job->queue, &number, sizeof number, LIMIT);
}

#define EXIT_OF(result) (int)((unsigned)(result)&EXIT_BITS)

static void waiters_are_told(void **state)
{
    (void)state;
    int number = 1;
    for (int how = 0; how < 3; how++) {
        for (int for_room = 0; for_room < 2; for_room++) {
            struct job job = job_create(&(mp_queue_options){.maxsize = 1});
            if (for_room) ok(mp_queue_put(job.queue, &number, sizeof number, 0));
            mp_process process = start(for_room ? put_one : get_one, &job);
            wait_for_waiter(job.queue, for_room);
            int wanted = 0;
            if (how == 0 && for_room) ok(mp_queue_get(job.queue, &number, sizeof number, NULL, 0));
            if (how == 0 && !for_room) ok(mp_queue_put(job.queue, &number, sizeof number, 0));
            if (how == 1) {
                ok(mp_queue_close(job.queue));
                wanted = MP_ECLOSED;
            }
            if (how == 2) {
                ok(mp_queue_destroy(job.queue));
                ok(mp_queue_create(&job.queue, NULL));
                wanted = MP_EBADHANDLE;
            }
            assert_ends(process, wanted);
            job_destroy(&job);
        }
    }
}

/* ---- joining ---------------------------------------------------------------------------------------------------- */

static int work(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int number, result;
    while ((result = mp_queue_get(job->queue, &number, sizeof number, NULL, LIMIT)) == 0) {
        atomic_fetch_add(&board->total, number);
        REQUIRE(mp_queue_task_done(job->queue) == 0);
    }
    REQUIRE(result == MP_ECLOSED);
    return 0;
}

static void joins(void **state)
{
    (void)state;
    struct job job = job_create(&(mp_queue_options){.joinable = true});
    const struct board *board = mp_block_data(job.board);
    mp_process workers[CONSUMERS];
    long sum = 0;
    ok(mp_queue_join(job.queue, 0));
    fails(MP_EOVERFLOW, mp_queue_task_done(job.queue));
    for (int i = 0; i < CONSUMERS; i++) workers[i] = start(work, &job);
    for (int round = 0; round < 20; round++) {
        for (int i = 1; i <= 100; i++) {
            ok(mp_queue_put(job.queue, &i, sizeof i, 0));
            sum += i;
        }
        ok(mp_queue_join(job.queue, LIMIT));
        assert_int_equal(atomic_load(&board->total), sum);
    }
    ok(mp_queue_close(job.queue));
    for (int i = 0; i < CONSUMERS; i++) assert_ends(workers[i], 0);
    fails(MP_EOVERFLOW, mp_queue_task_done(job.queue));
    job_destroy(&job);
    /* Alone. */
    job = job_create(&(mp_queue_options){.joinable = true});
    ok(mp_queue_put(job.queue, &sum, sizeof sum, 0));
    fails(MP_ETIMEDOUT, mp_queue_join(job.queue, 0));
    fails(MP_ETIMEDOUT, mp_queue_join(job.queue, 5));
    ok(mp_queue_task_done(job.queue)); /* as in Python: that it was got nobody looks at */
    ok(mp_queue_join(job.queue, 0));
    job_destroy(&job);
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static int wait_to_be_killed(void *args)
{
    const struct job *job = args;
    (void)gate_open(job->ready);
    (void)gate_pass(job->never);
    return 1;
}

static int crash(void *args)
{
    (void)args;
    abort();
}

/* Nobody is left who could: Python waits for ever. */
static void nobody_is_left(void **state)
{
    (void)state;
    struct job job = job_create(&(mp_queue_options){.maxsize = 1, .joinable = true});
    int number = 1;
    fails(MP_ETIMEDOUT, mp_queue_get(job.queue, &number, sizeof number, NULL, 0)); /* nobody was there yet */
    assert_ends(start(crash, &job), ABORT_CODE);
    fails(MP_EPEERDEAD, mp_queue_get(job.queue, &number, sizeof number, NULL, MP_FOREVER));
    ok(mp_queue_put(job.queue, &number, sizeof number, MP_FOREVER)); /* no need to wait */
    fails(MP_EPEERDEAD, mp_queue_put(job.queue, &number, sizeof number, MP_FOREVER));
    fails(MP_EPEERDEAD, mp_queue_join(job.queue, MP_FOREVER));
    ok(mp_queue_get(job.queue, &number, sizeof number, NULL, MP_FOREVER));
    /* Somebody new. */
    mp_process other = start(put_one, &job);
    ok(mp_queue_get(job.queue, &number, sizeof number, NULL, LIMIT));
    assert_ends(other, 0);
    /* Killed while this one waits. */
    other = start(wait_to_be_killed, &job);
    assert_true(gate_take(job.ready));
    ok(mp_process_kill(other));
    fails(MP_EPEERDEAD, mp_queue_get(job.queue, &number, sizeof number, NULL, MP_FOREVER));
    assert_int_not_equal(support_end(other), 0);
    job_destroy(&job);
}

/* 3: told that nobody is left. */
static int wait_until_told(void *args)
{
    const struct job *job = args;
    int number = 0;
    REQUIRE(gate_open(job->ready));
    int result = job->number ? mp_queue_put(job->queue, &number, sizeof number, MP_FOREVER)
                             : mp_queue_get(job->queue, &number, sizeof number, NULL, MP_FOREVER);
    return result == MP_EPEERDEAD ? 3 : 1;
}

/* With a time-out this process would count. */
static void assert_ends_unlimited(mp_process process, int wanted)
{
    int code = -1;
    ok(mp_process_join(process, &code, MP_FOREVER));
    assert_int_equal(code, wanted);
    ok(mp_process_close(process));
}

/* Others that wait for the same do not count, nor does who waits for their ends. */
static void waiters_do_not_count(void **state)
{
    (void)state;
    for (int puts = 0; puts < 2; puts++) {
        struct job job = job_create(&(mp_queue_options){.maxsize = 1});
        mp_process waiters[PRODUCERS];
        job.number = puts;
        if (puts) ok(mp_queue_put(job.queue, &puts, sizeof puts, 0));
        mp_process other = start(wait_to_be_killed, &job);
        assert_true(gate_take(job.ready));
        for (int i = 0; i < PRODUCERS; i++) waiters[i] = start(wait_until_told, &job);
        for (int i = 0; i < PRODUCERS; i++) assert_true(gate_take(job.ready));
        wait_for_waiter(job.queue, puts);
        ok(mp_process_kill(other));
        assert_int_not_equal(support_end(other), 0);
        for (int i = 0; i < PRODUCERS; i++) assert_ends_unlimited(waiters[i], 3);
        job_destroy(&job);
    }
}

static void *put_later(void *args)
{
    const struct job *job = args;
    while (!inside_somebody_sleeps_at(job->queue.id, false)) sched_yield(); /* nothing that gives it a record */
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    ok(mp_queue_put(job->queue, &job->number, sizeof job->number, 0));
    return NULL;
}

static int get_forever(void *args)
{
    const struct job *job = args;
    int number;
    return mp_queue_get(job->queue, &number, sizeof number, NULL, MP_FOREVER);
}

/* A thread that has not used libmp yet may put something. */
static void unknown_threads_count(void **state)
{
    (void)state;
    if (!mp_os_process_threads(mp_os_pid())) skip(); /* the system does not tell */
    struct job job = job_create(NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, put_later, &job), 0);
    assert_ends_unlimited(start(get_forever, &job), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    job_destroy(&job);
}

static int get_two(void *args)
{
    const struct job *job = args;
    int number;
    for (int i = 0; i < 2; i++) REQUIRE(mp_queue_get(job->queue, &number, sizeof number, NULL, LIMIT) == 0);
    return 0;
}

/* It may start more that put: nobody is told before. */
static void creator_counts(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct job job = job_create(NULL);
        mp_process consumer = start(get_two, &job);
        assert_ends(start(put_one, &job), 0);
        wait_for_waiter(job.queue, false); /* it has the first, and nobody else lives */
        assert_ends(start(put_one, &job), 0);
        assert_ends(consumer, 0);
        job_destroy(&job);
    }
}

/* ---- handles ----------------------------------------------------------------------------------------------------- */

struct parcel {
    mp_lock lock;
    mp_queue answers;
    mp_value value;
};

static int use_parcel(void *args)
{
    const struct job *job = args;
    struct parcel parcel;
    REQUIRE(mp_queue_get(job->queue, &parcel, sizeof parcel, NULL, LIMIT) == 0);
    REQUIRE(mp_lock_acquire(parcel.lock, 0) == MP_ETIMEDOUT);
    int *value = mp_value_data(parcel.value, sizeof(int));
    REQUIRE(value && *value == 42);
    *value = 43;
    REQUIRE(mp_queue_put(parcel.answers, &parcel, sizeof parcel, LIMIT) == 0);
    REQUIRE(mp_lock_acquire(parcel.lock, LIMIT) == 0);
    return mp_lock_release(parcel.lock);
}

static void handles_travel(void **state)
{
    (void)state;
    struct job job = job_create(NULL);
    struct parcel parcel, answer;
    ok(mp_lock_create(&parcel.lock, NULL));
    ok(mp_queue_create(&parcel.answers, NULL));
    ok(mp_value_create(&parcel.value, sizeof(int), NULL));
    ok(mp_lock_acquire(parcel.lock, 0));
    *MP_VALUE(int, parcel.value) = 42;
    mp_process other = start(use_parcel, &job);
    ok(mp_queue_put(job.queue, &parcel, sizeof parcel, 0));
    ok(mp_queue_get(parcel.answers, &answer, sizeof answer, NULL, LIMIT));
    assert_memory_equal(&parcel, &answer, sizeof parcel);
    assert_int_equal(*MP_VALUE(int, parcel.value), 43);
    ok(mp_lock_release(parcel.lock));
    assert_ends(other, 0);
    ok(mp_lock_destroy(parcel.lock));
    ok(mp_queue_destroy(parcel.answers));
    ok(mp_value_destroy(parcel.value));
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE_ONCE(puts_and_gets),
    CASE_ONCE(sizes),
    CASE_ONCE(too_small),
    CASE_ONCE(bounded),
    CASE_ONCE(many_at_once),
    CASE_ONCE(closed),
    CASE_ONCE(bad_input),
    CASE_ONCE(destroyed_with_items),
    CASE(several),
    CASE(several_bounded),
    CASE_ONCE(several_threads),
    CASE(joined_first),
    CASE(waiters_are_told),
    CASE(joins),
    CASE(nobody_is_left),
    CASE(waiters_do_not_count),
    CASE(unknown_threads_count),
    CASE(creator_counts),
    CASE(handles_travel),
};

SUPPORT_MAIN("queue", cases)
