/* SPDX-License-Identifier: MIT
 *
 * test_message.c - messages that are not copied: who owns them, and who does not any more.
 */
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct job {
    mp_queue there, back;
    mp_message message;
    struct gate ready, never;
};

static struct job job_create(void)
{
    struct job job = {.message = {0}};
    ok(mp_queue_create(&job.there, NULL));
    ok(mp_queue_create(&job.back, NULL));
    job.ready = gate_create();
    job.never = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_queue_destroy(job->there));
    ok(mp_queue_destroy(job->back));
    gate_destroy(job->ready);
    gate_destroy(job->never);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

static void assert_none(const mp_message *message)
{
    assert_null(message->data);
    assert_int_equal(message->size, 0);
    assert_int_equal(message->id, 0);
}

static void created_and_destroyed(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 64, 5000, 100000, (size_t)5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mp_message message;
        ok(mp_message_create(&message, sizes[i]));
        assert_non_null(message.data);
        assert_int_equal((uintptr_t)message.data % 64, 0);
        assert_int_equal(message.size, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(((char *)message.data)[k], 0);
        memset(message.data, 1, sizes[i]);
        assert_string_equal(mp_handle_kind(mp_handle_of(message.id)), "message");
        const mp_message copy = message;
        ok(mp_message_destroy(&message));
        assert_none(&message);
        ok(mp_message_destroy(&message)); /* nothing */
        mp_message stale = copy;
        fails(MP_EBADHANDLE, mp_message_destroy(&stale));
        assert_memory_equal(&stale, &copy, sizeof copy);
    }
    ok(mp_message_destroy(NULL));
}

static void bad_input(void **state)
{
    (void)state;
    mp_message message = {0};
    mp_lock lock;
    mp_stats stats;
    ok(mp_lock_create(&lock, NULL));
    fails(MP_EINVAL, mp_message_create(NULL, 1));
    fails(MP_EINVAL, mp_message_create(&message, (size_t)-1));
    fails(MP_EMSGSIZE, mp_message_create(&message, PTRDIFF_MAX));
    assert_none(&message);
    message.id = lock.id;
    fails(MP_EBADHANDLE, mp_message_destroy(&message));
    message.id = UINT64_C(0x123456789abcdef1);
    fails(MP_EBADHANDLE, mp_message_destroy(&message));
    ok(mp_get_stats(&stats));
    assert_int_equal(stats.messages, 0);
    ok(mp_lock_destroy(lock));
}

/* It moves: what the sender has left is nothing, and copies of that are stale. */
static void moves(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_message message, got = {0};
    ok(mp_message_create(&message, 1000));
    memset(message.data, 7, 1000);
    const mp_message stale = message;
    void *data = message.data;
    message.size = 600;
    ok(mp_queue_put_message(job.there, &message, 0));
    assert_none(&message);
    mp_message again = stale;
    fails(MP_EBADHANDLE, mp_queue_put_message(job.there, &again, 0));
    fails(MP_EBADHANDLE, mp_message_destroy(&again));
    assert_memory_equal(&again, &stale, sizeof stale);
    fails(MP_EBADHANDLE, mp_queue_put_message(job.there, &message, 0)); /* none */
    ok(mp_queue_get_message(job.there, &got, 0));
    assert_ptr_equal(got.data, data);
    assert_int_equal(got.size, 600);
    assert_int_equal(((char *)got.data)[599], 7);
    fails(MP_EBADHANDLE, mp_queue_put_message(job.there, &again, 0)); /* it is this process's again, by another name */
    got.size = 601;
    fails(MP_EMSGSIZE, mp_queue_put_message(job.there, &got, 0));
    got.size = 600;
    for (int i = 0; i < 1000; i++) {
        ok(mp_queue_put_message(job.there, &got, 0));
        ok(mp_queue_get_message(job.there, &got, 0));
        assert_ptr_equal(got.data, data);
    }
    ok(mp_message_destroy(&got));
    fails(MP_ETIMEDOUT, mp_queue_get_message(job.there, &got, 0));
    fails(MP_EINVAL, mp_queue_get_message(job.there, NULL, 0));
    fails(MP_EINVAL, mp_queue_put_message(job.there, NULL, 0));
    job_destroy(&job);
}

/* What is put as bytes can be got as a message, and the other way round. */
static void bytes_and_messages(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, 3000, 100000};
    static unsigned char bytes[100000];
    struct job job = job_create();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mp_message message;
        size_t size = 42;
        memset(bytes, (int)i + 1, sizes[i]);
        ok(mp_queue_put(job.there, bytes, sizes[i], 0));
        ok(mp_queue_get_message(job.there, &message, 0));
        assert_int_equal(message.size, sizes[i]);
        assert_memory_equal(message.data, bytes, sizes[i]);
        ok(mp_queue_put_message(job.there, &message, 0));
        memset(bytes, 0, sizeof bytes);
        ok(mp_queue_get(job.there, bytes, sizeof bytes, &size, 0));
        assert_int_equal(size, sizes[i]);
        if (size) assert_int_equal(bytes[size - 1], i + 1);
    }
    job_destroy(&job);
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static int destroy_anothers(void *args)
{
    const struct job *job = args;
    mp_message message = job->message;
    REQUIRE(mp_message_destroy(&message) == MP_ENOTOWNER);
    REQUIRE(mp_queue_put_message(job->back, &message, 0) == MP_ENOTOWNER);
    REQUIRE(message.id == job->message.id);
    return 0;
}

static void anothers(void **state)
{
    (void)state;
    struct job job = job_create();
    ok(mp_message_create(&job.message, 100));
    memset(job.message.data, 3, 100);
    assert_ends(start(destroy_anothers, &job), 0);
    assert_int_equal(((char *)job.message.data)[99], 3);
    ok(mp_message_destroy(&job.message));
    job_destroy(&job);
}

/* Each adds 1 to each byte. */
static int add(void *args)
{
    const struct job *job = args;
    mp_message message;
    int result;
    while ((result = mp_queue_get_message(job->there, &message, LIMIT)) == 0) {
        for (size_t i = 0; i < message.size; i++) ((unsigned char *)message.data)[i]++;
        REQUIRE(mp_queue_put_message(job->back, &message, LIMIT) == 0);
    }
    REQUIRE(result == MP_ECLOSED);
    REQUIRE(mp_queue_close(job->back) == 0);
    return 0;
}

static void through_a_pipeline(void **state)
{
    (void)state;
    enum {
        STAGES = 3,
        ROUNDS = 200
    };
    mp_queue queues[STAGES + 1];
    mp_process stages[STAGES];
    for (int i = 0; i <= STAGES; i++) ok(mp_queue_create(&queues[i], NULL));
    for (int i = 0; i < STAGES; i++) {
        struct job job = {.there = queues[i], .back = queues[i + 1]};
        stages[i] = start(add, &job);
    }
    for (int i = 0; i < ROUNDS; i++) {
        mp_message message;
        ok(mp_message_create(&message, (size_t)i * 100));
        ok(mp_queue_put_message(queues[0], &message, LIMIT));
    }
    for (int i = 0; i < ROUNDS; i++) {
        mp_message message;
        ok(mp_queue_get_message(queues[STAGES], &message, LIMIT));
        assert_int_equal(message.size, i * 100);
        for (size_t k = 0; k < message.size; k++) assert_int_equal(((unsigned char *)message.data)[k], STAGES);
        ok(mp_message_destroy(&message));
    }
    ok(mp_queue_close(queues[0]));
    for (int i = 0; i < STAGES; i++) assert_ends(stages[i], 0);
    for (int i = 0; i <= STAGES; i++) ok(mp_queue_destroy(queues[i]));
}

/* Nobody puts it, and it is freed with its process: leftovers are counted after the test. */
static int keep_some(void *args)
{
    const struct job *job = args;
    mp_message message, other;
    REQUIRE(mp_message_create(&message, 100) == 0 && mp_message_create(&other, 3 << 20) == 0);
    REQUIRE(mp_queue_get_message(job->there, &message, LIMIT) == 0);
    REQUIRE(gate_open(job->ready));
    if (job->message.size) (void)gate_pass(job->never);
    return 0;
}

static void freed_with_their_process(void **state)
{
    (void)state;
    for (size_t killed = 0; killed < 2; killed++) {
        struct job job = job_create();
        mp_message message;
        ok(mp_message_create(&message, 5000));
        ok(mp_queue_put_message(job.there, &message, 0));
        job.message.size = killed;
        mp_process process = start(keep_some, &job);
        assert_true(gate_take(job.ready));
        if (killed) ok(mp_process_kill(process));
        assert_int_equal(support_end(process) == 0, !killed);
        job_destroy(&job);
    }
}

/* Of all threads that put the same one succeeds. */
struct contest {
    struct job job;
    mp_message message;
    _Atomic int begun, won, lost;
};

static void *put_it(void *args)
{
    struct contest *contest = args;
    mp_message mine = contest->message;
    atomic_fetch_add(&contest->begun, 1);
    while (atomic_load(&contest->begun) < 2) {}
    int result = mp_queue_put_message(contest->job.there, &mine, LIMIT);
    if (result == 0)
        atomic_fetch_add(&contest->won, 1);
    else if (result == MP_EBADHANDLE || result == MP_ENOTOWNER)
        atomic_fetch_add(&contest->lost, 1);
    return NULL;
}

static void put_by_two(void **state)
{
    (void)state;
    struct contest contest = {.job = job_create()};
    for (int round = 0; round < 200; round++) {
        pthread_t threads[2];
        atomic_store(&contest.begun, 0);
        ok(mp_message_create(&contest.message, 64));
        for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, put_it, &contest), 0);
        for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&contest.won), round + 1);
        assert_int_equal(atomic_load(&contest.lost), round + 1);
        mp_message message;
        ok(mp_queue_get_message(contest.job.there, &message, 0));
        ok(mp_message_destroy(&message));
        fails(MP_ETIMEDOUT, mp_queue_get_message(contest.job.there, &message, 0));
    }
    job_destroy(&contest.job);
}

static const struct test_case cases[] = {
    CASE_ONCE(created_and_destroyed),
    CASE_ONCE(bad_input),
    CASE_ONCE(moves),
    CASE_ONCE(bytes_and_messages),
    CASE(anothers),
    CASE(through_a_pipeline),
    CASE_ONCE(put_by_two),
    CASE(freed_with_their_process),
};

SUPPORT_MAIN("message", cases)
