/* SPDX-License-Identifier: MIT
 *
 * test_pipe.c - messages through pipes, between processes and threads, some of which are killed.
 */
#include "inside.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1 << 20)

enum {
    LEAST = 4096, /* a capacity, small and not rounded */
    CROWD = 3
};

/* What a child is given: of a pipe one end, for it holds what is among its arguments. */
struct job {
    mp_connection end;
    mp_block board; /* struct board */
    struct gate ready, begin;
    int what, number;
};

enum {
    NUMBERS = 4000
};

struct board {
    _Atomic int received;
    _Atomic unsigned char seen[2 * CROWD][NUMBERS]; /* how often each message of each sender was */
    mp_connection end;                              /* for who was not given it */
    mp_message message;
};

static struct job job_create(void)
{
    struct job job = {.what = 0};
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.ready = gate_create();
    job.begin = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_block_destroy(job->board));
    gate_destroy(job->ready);
    gate_destroy(job->begin);
}

static mp_process start_with(mp_target target, struct job job, mp_connection end, int what, int number)
{
    mp_process process;
    job.end = end;
    job.what = what;
    job.number = number;
    ok(mp_process_start(&process, target, &job, sizeof job, NULL));
    return process;
}

static mp_process start(mp_target target, const struct job *job, mp_connection end)
{
    return start_with(target, *job, end, 0, 0);
}

static void wait_for_waiter(mp_connection end, bool for_room)
{
    while (!inside_somebody_sleeps_at(end.id, for_room)) mp_os_sleep(1000000);
}

static mp_stats stats_now(void)
{
    mp_stats stats;
    ok(mp_get_stats(&stats));
    return stats;
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

static unsigned char byte_at(size_t i, size_t seed)
{
    return (unsigned char)(i * 7 + (i >> 8) + seed * 31 + 1);
}

static void *fill(void *data, size_t size, size_t seed)
{
    unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at(i, seed);
    return data;
}

static bool holds(const void *data, size_t size, size_t seed)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != byte_at(i, seed)) return false;
    return true;
}

static void *must_have(size_t size)
{
    void *memory = malloc(size ? size : 1);
    assert_non_null(memory);
    return memory;
}

static void send_number(mp_connection end, int number)
{
    ok(mp_connection_send(end, &number, sizeof number, LIMIT));
}

static void assert_next(mp_connection end, int number)
{
    int got = -1;
    ok(mp_connection_recv(end, &got, sizeof got, NULL, LIMIT));
    assert_int_equal(got, number);
}

static int recv_fails(mp_connection end, int64_t timeout_ms)
{
    char buffer[64];
    size_t size = 77;
    int result = mp_connection_recv(end, buffer, sizeof buffer, &size, timeout_ms);
    assert_int_equal(size, 77);
    return result;
}

/* Numbers from 0 on until there is no room; how many. */
static int fill_up(mp_connection end)
{
    int count = 0, result;
    while ((result = mp_connection_send(end, &count, sizeof count, 0)) == 0) assert_true(++count < (int)MIB);
    assert_int_equal(result, MP_ETIMEDOUT);
    assert_true(count > 0);
    return count;
}

/* ---- one process ----------------------------------------------------------------------------------------------- */

static void both_ways(void **state)
{
    (void)state;
    uint32_t connections = stats_now().connections;
    mp_connection a, b;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.name = "both ways"}));
    assert_int_equal(stats_now().connections, connections + 2);
    assert_true(a.id != b.id);
    assert_string_equal(mp_handle_kind(MP_HANDLE(a)), "connection");
    assert_string_equal(mp_handle_kind(MP_HANDLE(b)), "connection");
    for (int i = 0; i < 3; i++) send_number(a, i), send_number(b, 100 + i);
    for (int i = 0; i < 3; i++) assert_next(b, i), assert_next(a, 100 + i);
    fails(MP_ETIMEDOUT, recv_fails(a, 0)); /* its own are not there */
    assert_non_null(strstr(mp_error_detail(), "\"both ways\""));
    ok(mp_connection_close(a));
    assert_int_equal(stats_now().connections, connections + 1);
    ok(mp_connection_close(b));
    assert_int_equal(stats_now().connections, connections);
    assert_null(mp_handle_kind(MP_HANDLE(a)));
}

static void one_way(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_message message = {0}, none = {0};
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.name = "one way", .one_way = true}));
    send_number(b, 5);
    assert_int_equal(mp_connection_poll(a, 0), 1);
    fails(MP_EINVAL, mp_connection_send(a, "", 1, 0));
    assert_non_null(strstr(mp_error_detail(), "\"one way\""));
    fails(MP_EINVAL, mp_connection_send(a, NULL, 0, MP_FOREVER));
    fails(MP_EINVAL, recv_fails(b, MP_FOREVER));
    fails(MP_EINVAL, mp_connection_recv_message(b, &none, MP_FOREVER));
    assert_null(none.data);
    fails(MP_EINVAL, mp_connection_poll(b, MP_FOREVER));
    ok(mp_message_create(&message, 8));
    fails(MP_EINVAL, mp_connection_send_message(a, &message, MP_FOREVER));
    ok(mp_connection_send_message(b, &message, LIMIT)); /* it was still ours */
    assert_next(a, 5);
    ok(mp_connection_recv_message(a, &message, LIMIT));
    ok(mp_message_destroy(&message));
    ok(mp_connection_close(b));
    fails(MP_ECLOSED, recv_fails(a, MP_FOREVER));
    ok(mp_connection_close(a));
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.one_way = true})); /* the other one first */
    ok(mp_connection_close(a));
    fails(MP_ECLOSED, mp_connection_send(b, "", 1, 0));
    ok(mp_connection_close(b));
}

/* A message that does not fit stays. */
static void assert_too_small(mp_connection end, size_t size, size_t seed)
{
    unsigned char *buffer = must_have(size + 8), untouched = buffer[0] = 0xa5;
    const size_t capacities[] = {0, 1, size / 2, size - 1};
    for (int i = 0; i < 4; i++) {
        size_t told = 0;
        fails(MP_EMSGSIZE, mp_connection_recv(end, i ? buffer : NULL, capacities[i], &told, i % 2 ? LIMIT : 0));
        assert_int_equal(told, size);
        fails(MP_EMSGSIZE, mp_connection_recv(end, i ? buffer : NULL, capacities[i], NULL, i % 2 ? 0 : LIMIT));
        assert_int_equal(buffer[0], untouched);
    }
    fails(MP_EMSGSIZE, mp_connection_recv(end, buffer, size + 1, NULL, 0)); /* NULL: exactly so many */
    fails(MP_EMSGSIZE, mp_connection_recv(end, buffer, size + 8, NULL, LIMIT));
    assert_int_equal(buffer[0], untouched);
    assert_int_equal(mp_connection_poll(end, 0), 1);
    if (seed % 2) {
        ok(mp_connection_recv(end, buffer, size, NULL, 0));
    } else {
        size_t told = 0;
        ok(mp_connection_recv(end, buffer, size + 8, &told, 0));
        assert_int_equal(told, size);
    }
    assert_true(holds(buffer, size, seed));
    free(buffer);
}

static void too_small(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_message message;
    char bytes[1000];
    ok(mp_pipe_create(&a, &b, NULL));
    for (size_t seed = 0; seed < 2; seed++) {
        ok(mp_connection_send(a, fill(bytes, 1000, seed), 1000, LIMIT));
        ok(mp_connection_send(a, fill(bytes, 4, seed), 4, LIMIT));
        ok(mp_message_create(&message, 3000));
        fill(message.data, 3000, seed);
        ok(mp_connection_send_message(a, &message, LIMIT));
        assert_too_small(b, 1000, seed);
        assert_too_small(b, 4, seed);
        assert_too_small(b, 3000, seed);
    }
    for (int i = 0; i < 2; i++) ok(mp_connection_send(a, NULL, 0, LIMIT)); /* empty ones */
    fails(MP_EMSGSIZE, mp_connection_recv(b, bytes, 1, NULL, 0));
    ok(mp_connection_recv(b, NULL, 0, NULL, 0));
    size_t size = 77;
    ok(mp_connection_recv(b, NULL, 0, &size, 0));
    assert_int_equal(size, 0);
    fails(MP_ETIMEDOUT, recv_fails(b, 0));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static void times_out(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_message message = {0};
    const int64_t times[] = {0, -1, INT64_MIN, 1, 20};
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST}));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mp_connection_poll(a, times[i]), 0);
        fails(MP_ETIMEDOUT, recv_fails(a, times[i]));
        fails(MP_ETIMEDOUT, mp_connection_recv(a, NULL, 0, NULL, times[i]));
        fails(MP_ETIMEDOUT, mp_connection_recv_message(a, &message, times[i]));
        assert_null(message.data);
    }
    int count = fill_up(b);
    ok(mp_message_create(&message, 100));
    const mp_message copy = message;
    for (int i = 0; i < 5; i++) {
        fails(MP_ETIMEDOUT, mp_connection_send(b, &count, sizeof count, times[i]));
        fails(MP_ETIMEDOUT, mp_connection_send_message(b, &message, times[i]));
        assert_memory_equal(&message, &copy, sizeof copy);
    }
    for (int i = 0; i < count; i++) assert_next(a, i); /* and nothing that timed out */
    fails(MP_ETIMEDOUT, recv_fails(a, 0));
    ok(mp_connection_send_message(b, &message, 0));
    ok(mp_connection_recv_message(a, &message, 0));
    ok(mp_message_destroy(&message));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static void polls(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_message message;
    const int64_t times[] = {0, -1, INT64_MIN, 20, MP_FOREVER};
    ok(mp_pipe_create(&a, &b, NULL));
    for (int i = 0; i < 4; i++) assert_int_equal(mp_connection_poll(b, times[i]), 0);
    ok(mp_connection_send(a, NULL, 0, LIMIT)); /* empty ones are messages, too */
    send_number(a, 1);
    ok(mp_message_create(&message, 0));
    ok(mp_connection_send_message(a, &message, LIMIT));
    for (int left = 3; left > 0; left--) {
        for (int i = 0; i < 5; i++) assert_int_equal(mp_connection_poll(b, times[i]), 1);
        if (left == 2)
            assert_next(b, 1);
        else
            ok(mp_connection_recv(b, NULL, 0, NULL, 0));
    }
    for (int i = 0; i < 4; i++) assert_int_equal(mp_connection_poll(b, times[i]), 0);
    send_number(a, 2);
    ok(mp_connection_close(a));
    for (int i = 0; i < 5; i++) assert_int_equal(mp_connection_poll(b, times[i]), 1);
    assert_next(b, 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(mp_connection_poll(b, times[i]), 1); /* there is none, and never will be */
    fails(MP_ECLOSED, recv_fails(b, MP_FOREVER));
    ok(mp_connection_close(b));
    fails(MP_EBADHANDLE, mp_connection_poll(b, MP_FOREVER));
}

/* "bytes on their way, before send waits": nobody receives, and nobody wants to wait; so much is taken, and no more. */
static void assert_limited(size_t size, size_t most)
{
    mp_connection a, b;
    char *bytes = must_have(size);
    size_t sent = 0;
    int result;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST}));
    fill(bytes, size, 3);
    while ((result = mp_connection_send(a, bytes, size, 0)) == 0 && sent <= most) sent += size;
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    free(bytes);
    if (result == 0)
        print_error("of %lu bytes each more than %lu were sent\n", (unsigned long)size, (unsigned long)most);
    assert_int_equal(result, MP_ETIMEDOUT);
    if (most) assert_true(sent > 0);
}

static void small_ones_fill_it(void **state)
{
    (void)state;
    assert_limited(1, 2 * (size_t)LEAST); /* it is rounded up */
    assert_limited(8, 2 * (size_t)LEAST);
    assert_limited(100, 2 * (size_t)LEAST);
    assert_limited(LEAST / 2, 2 * (size_t)LEAST);
}

static void large_ones_fill_it(void **state)
{
    (void)state;
    assert_limited(LEAST / 2 + 1, 2 * (size_t)LEAST);
    assert_limited(LEAST, 2 * (size_t)LEAST);
}

/* "A message that is larger goes through as it is received". */
static void larger_ones_wait(void **state)
{
    (void)state;
    assert_limited(4 * (size_t)LEAST, 0);
}

/* ---- sizes and order, through another process ------------------------------------------------------------------- */

#define LARGEST (16 * MIB)

static int echo(void *args)
{
    const struct job *job = args;
    void *buffer = malloc(LARGEST);
    size_t size;
    int result;
    REQUIRE(buffer);
    while ((result = mp_connection_recv(job->end, buffer, LARGEST, &size, LIMIT)) == 0)
        REQUIRE(mp_connection_send(job->end, buffer, size, LIMIT) == 0);
    free(buffer);
    REQUIRE(result == MP_ECLOSED);
    return 0;
}

static void there_and_back(mp_connection end, char *bytes, size_t size, size_t seed)
{
    size_t told = 0;
    ok(mp_connection_send(end, fill(bytes, size, seed), size, LIMIT));
    memset(bytes, 0, size);
    ok(mp_connection_recv(end, bytes, seed % 2 ? size : LARGEST, seed % 2 ? NULL : &told, LIMIT));
    if (seed % 2 == 0) assert_int_equal(told, size);
    assert_true(holds(bytes, size, seed));
}

static void echo_sizes(size_t capacity)
{
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, MIB};
    struct job job = job_create();
    mp_connection a, b;
    char *bytes = must_have(LARGEST);
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = capacity}));
    mp_process child = start(echo, &job, b);
    size_t seed = 0, real = 4096;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) there_and_back(a, bytes, sizes[i], seed++);
    while (real < (capacity ? capacity : 64 * KIB)) real *= 2;
    for (size_t around = real / 2; around <= real; around += real / 2)
        for (size_t size = around - 25; size <= around + 17; size++) there_and_back(a, bytes, size, seed++);
    if (!capacity)
        for (int i = 0; i < 2; i++) there_and_back(a, bytes, LARGEST - seed % 2, seed), seed++;
    ok(mp_connection_close(a));
    assert_ends(child, 0);
    ok(mp_connection_close(b));
    free(bytes);
    job_destroy(&job);
}

static void sizes(void **state)
{
    (void)state;
    echo_sizes(0);
    echo_sizes(1);
    echo_sizes(5000);
}

/* The size of each message of a sequence: small as a rule, of any alignment, some larger than the pipe. */
static size_t size_of_number(int number)
{
    return number % 100 == 99 ? 3 * (size_t)LEAST + (size_t)number : (size_t)number * 37 % 1500;
}

#define SEQUENCE_LARGEST (3 * (size_t)LEAST + NUMBERS)

static int send_sequence(void *args)
{
    const struct job *job = args;
    char *bytes = malloc(SEQUENCE_LARGEST);
    REQUIRE(bytes);
    for (int i = 0; i < NUMBERS; i++) {
        size_t size = size_of_number(i);
        REQUIRE(mp_connection_send(job->end, fill(bytes, size, (size_t)i), size, LIMIT) == 0);
    }
    free(bytes);
    return 0;
}

/* It goes round the ring again and again; the sender waits for room, the receiver for messages. */
static void order_and_boundaries(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    char *bytes = must_have(SEQUENCE_LARGEST);
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST, .one_way = true}));
    mp_process child = start(send_sequence, &job, b);
    for (int i = 0; i < NUMBERS; i++) {
        size_t size;
        if (i % 3 == 0) assert_int_equal(mp_connection_poll(a, LIMIT), 1);
        ok(mp_connection_recv(a, bytes, SEQUENCE_LARGEST, &size, i % 3 == 0 ? 0 : LIMIT));
        assert_int_equal(size, size_of_number(i));
        assert_true(holds(bytes, size, (size_t)i));
    }
    assert_ends(child, 0);
    fails(MP_EPEERDEAD, recv_fails(a, LIMIT));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    free(bytes);
    job_destroy(&job);
}

/* ---- waiting: in any of these calls ----------------------------------------------------------------------------- */

enum what {
    RECV,
    RECV_MESSAGE,
    POLL,
    SEND,
    SEND_MESSAGE,
    WHATS
};

static bool is_send(int what)
{
    return what == SEND || what == SEND_MESSAGE;
}

/* What such a call returns where others fail like that. */
static int wanted(int what, int result)
{
    return what == POLL && result != MP_EBADHANDLE ? 1 : result;
}

static int wait_in(mp_connection end, int what)
{
    mp_message message = {0};
    int number = -1, result;
    switch (what) {
    case RECV:
        return mp_connection_recv(end, &number, sizeof number, NULL, LIMIT);
    case RECV_MESSAGE:
        return mp_connection_recv_message(end, &message, LIMIT);
    case POLL:
        return mp_connection_poll(end, LIMIT);
    case SEND:
        return mp_connection_send(end, &number, sizeof number, LIMIT);
    default:
        break;
    }
    REQUIRE(mp_message_create(&message, sizeof number) == 0);
    *(int *)message.data = number;
    result = mp_connection_send_message(end, &message, LIMIT);
    REQUIRE((result == 0) == (message.data == NULL)); /* otherwise it is still ours */
    REQUIRE(mp_message_destroy(&message) == 0);
    return result;
}

static int waiter(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_open(job->ready));
    return wait_in(job->end, job->what);
}

static void *waiter_thread(void *args)
{
    return (void *)(intptr_t)waiter(args);
}

/* A process and a thread in each of those calls at one end. */
struct waiters {
    struct job jobs[WHATS];
    mp_process processes[WHATS];
    pthread_t threads[WHATS];
    int count;
};

static void waiters_start(struct waiters *waiters, const struct job *job, mp_connection end, bool sends)
{
    waiters->count = 0;
    for (int what = 0; what < WHATS; what++) {
        if (is_send(what) != sends) continue;
        int i = waiters->count++;
        waiters->jobs[i] = *job;
        waiters->jobs[i].end = end;
        waiters->jobs[i].what = what;
        ok(mp_process_start(&waiters->processes[i], waiter, &waiters->jobs[i], sizeof *job, NULL));
    }
    for (int i = 0; i < waiters->count; i++) assert_true(gate_take(job->ready));
}

/* After the last fork. */
static void waiters_add_threads(struct waiters *waiters)
{
    for (int i = 0; i < waiters->count; i++)
        assert_int_equal(pthread_create(&waiters->threads[i], NULL, waiter_thread, &waiters->jobs[i]), 0);
    for (int i = 0; i < waiters->count; i++) assert_true(gate_take(waiters->jobs[i].ready));
    wait_for_waiter(waiters->jobs[0].end, is_send(waiters->jobs[0].what));
}

static void waiters_end(const struct waiters *waiters, int result)
{
    for (int i = 0; i < waiters->count; i++) {
        void *got;
        assert_int_equal(pthread_join(waiters->threads[i], &got), 0);
        assert_int_equal((int)(intptr_t)got, wanted(waiters->jobs[i].what, result));
        assert_ends(waiters->processes[i], wanted(waiters->jobs[i].what, result));
    }
}

/* ---- a full pipe ------------------------------------------------------------------------------------------------ */

static void full_pipe_goes_on(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    for (int what = SEND; what <= SEND_MESSAGE; what++) {
        ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST}));
        int count = fill_up(a);
        mp_process senders[CROWD];
        for (int i = 0; i < CROWD; i++) senders[i] = start_with(waiter, job, a, what, 0);
        for (int i = 0; i < CROWD; i++) assert_true(gate_take(job.ready));
        wait_for_waiter(a, true);
        for (int i = 0; i < CROWD; i++) assert_int_equal(mp_process_is_alive(senders[i]), 1); /* there is no room */
        for (int i = 0; i < count; i++) assert_next(b, i);
        for (int i = 0; i < CROWD; i++) assert_next(b, -1); /* theirs, behind */
        for (int i = 0; i < CROWD; i++) assert_ends(senders[i], 0);
        fails(MP_ETIMEDOUT, recv_fails(b, 0));
        ok(mp_connection_close(a));
        ok(mp_connection_close(b));
    }
    job_destroy(&job);
}

/* ---- closing ---------------------------------------------------------------------------------------------------- */

static void assert_end_is_gone(mp_connection end)
{
    mp_message message = {0};
    const int64_t times[] = {0, MP_FOREVER};
    for (int i = 0; i < 2; i++) {
        fails(MP_EBADHANDLE, mp_connection_send(end, "x", 1, times[i]));
        fails(MP_EBADHANDLE, mp_connection_send(end, NULL, 0, times[i]));
        fails(MP_EBADHANDLE, recv_fails(end, times[i]));
        fails(MP_EBADHANDLE, mp_connection_recv_message(end, &message, times[i]));
        fails(MP_EBADHANDLE, mp_connection_poll(end, times[i]));
        assert_null(message.data);
        ok(mp_message_create(&message, 10));
        const mp_message copy = message;
        fails(MP_EBADHANDLE, mp_connection_send_message(end, &message, times[i]));
        assert_memory_equal(&message, &copy, sizeof copy);
        ok(mp_message_destroy(&message));
    }
    fails(MP_EBADHANDLE, mp_connection_close(end));
}

static void received_after_close(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_message message;
    ok(mp_pipe_create(&a, &b, NULL));
    send_number(a, 1);
    ok(mp_message_create(&message, sizeof(int)));
    *(int *)message.data = 2;
    ok(mp_connection_send_message(a, &message, LIMIT));
    send_number(a, 3);
    send_number(b, 99); /* nobody will receive that */
    ok(mp_message_create(&message, 3 * MIB));
    ok(mp_connection_send_message(b, &message, LIMIT));
    ok(mp_connection_close(a));
    assert_end_is_gone(a);
    fails(MP_ECLOSED, mp_connection_send(b, "x", 1, 0));
    fails(MP_ECLOSED, mp_connection_send(b, "x", 1, MP_FOREVER));
    char *large = must_have(MIB);
    fails(MP_ECLOSED, mp_connection_send(b, fill(large, MIB, 1), MIB, MP_FOREVER));
    free(large);
    ok(mp_message_create(&message, 10));
    fails(MP_ECLOSED, mp_connection_send_message(b, &message, MP_FOREVER));
    assert_int_equal(message.size, 10);
    ok(mp_message_destroy(&message));
    for (int i = 1; i <= 3; i++) assert_next(b, i);
    for (int i = 0; i < 3; i++) {
        fails(MP_ECLOSED, recv_fails(b, i ? MP_FOREVER : 0));
        fails(MP_ECLOSED, mp_connection_recv_message(b, &message, i ? MP_FOREVER : 0));
        assert_int_equal(mp_connection_poll(b, i ? MP_FOREVER : 0), 1);
    }
    ok(mp_connection_close(b));
    assert_end_is_gone(b);
}

static int use_closed(void *args)
{
    const struct job *job = args;
    int number = 0;
    REQUIRE(mp_connection_send(job->end, &number, sizeof number, LIMIT) == 0);
    REQUIRE(gate_take(job->begin)); /* closed meanwhile, by the parent */
    REQUIRE(mp_connection_send(job->end, &number, sizeof number, LIMIT) == MP_EBADHANDLE);
    REQUIRE(mp_connection_recv(job->end, &number, sizeof number, NULL, LIMIT) == MP_EBADHANDLE);
    REQUIRE(mp_connection_poll(job->end, LIMIT) == MP_EBADHANDLE);
    REQUIRE(mp_connection_close(job->end) == MP_EBADHANDLE);
    return 0;
}

/* By one process for another one; and both ends by a child, for the parent. */
static void closed_for_everybody(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    ok(mp_pipe_create(&a, &b, NULL));
    mp_process child = start(use_closed, &job, b);
    assert_next(a, 0);
    ok(mp_connection_close(b));
    assert_true(gate_open(job.begin));
    fails(MP_ECLOSED, recv_fails(a, LIMIT));
    assert_ends(child, 0);
    ok(mp_connection_close(a));
    job_destroy(&job);
}

static int close_both(void *args)
{
    const struct job *job = args;
    const struct board *board = mp_block_data(job->board);
    REQUIRE(mp_connection_close(job->end) == 0);
    REQUIRE(mp_connection_close(board->end) == 0);
    return 0;
}

static void closed_by_a_child(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    mp_connection a;
    mp_message message;
    ok(mp_pipe_create(&a, &board->end, NULL));
    ok(mp_message_create(&message, MIB));
    ok(mp_connection_send_message(a, &message, LIMIT));
    for (int i = 0; i < 100; i++) send_number(board->end, i);
    assert_ends(start(close_both, &job, a), 0);
    assert_end_is_gone(a);
    assert_end_is_gone(board->end);
    job_destroy(&job);
}

enum closing {
    THIS_END,
    OTHER_END,
    BOTH
};

static void closed_while_others_wait(bool sends, enum closing closing)
{
    struct job job = job_create();
    struct waiters here, there = {.count = 0};
    mp_connection a, b, c, d;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST}));
    if (sends) fill_up(a);
    if (sends && closing == BOTH) fill_up(b);
    if (closing == BOTH) waiters_start(&there, &job, b, sends);
    waiters_start(&here, &job, a, sends);
    waiters_add_threads(&here);
    if (closing != OTHER_END) ok(mp_connection_close(a));
    if (closing != THIS_END) ok(mp_connection_close(b));
    ok(mp_pipe_create(&c, &d, &(mp_pipe_options){.capacity = LEAST})); /* where that was */
    waiters_end(&here, closing == OTHER_END ? MP_ECLOSED : MP_EBADHANDLE);
    for (int i = 0; i < there.count; i++) { /* they may have seen the one or the other */
        int code = support_end(there.processes[i]);
        if (code != MP_EBADHANDLE) assert_int_equal(code, wanted(there.jobs[i].what, MP_ECLOSED));
    }
    int count = fill_up(c);
    for (int i = 0; i < count; i++) assert_next(d, i);
    assert_int_equal(mp_connection_poll(c, 0), 0);
    ok(mp_connection_close(c));
    ok(mp_connection_close(d));
    if (closing == THIS_END) ok(mp_connection_close(b));
    if (closing == OTHER_END) ok(mp_connection_close(a));
    job_destroy(&job);
}

static void this_end_closed_while_receiving(void **state)
{
    (void)state;
    closed_while_others_wait(false, THIS_END);
}

static void this_end_closed_while_sending(void **state)
{
    (void)state;
    closed_while_others_wait(true, THIS_END);
}

static void other_end_closed_while_receiving(void **state)
{
    (void)state;
    closed_while_others_wait(false, OTHER_END);
}

static void other_end_closed_while_sending(void **state)
{
    (void)state;
    closed_while_others_wait(true, OTHER_END);
}

static void both_closed_while_receiving(void **state)
{
    (void)state;
    closed_while_others_wait(false, BOTH);
}

static void both_closed_while_sending(void **state)
{
    (void)state;
    closed_while_others_wait(true, BOTH);
}

/* ---- ends of processes ------------------------------------------------------------------------------------------ */

static int hold(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_open(job->ready));
    return gate_take(job->begin) ? 0 : 99;
}

static void end_holder(const struct job *job, mp_process holder, bool kill)
{
    if (kill)
        ok(mp_process_kill(holder));
    else
        assert_true(gate_open(job->begin));
    assert_ends(holder, kill ? -9 : 0);
}

/* Its other end's only holder ends while others wait; also who comes later is told. */
static void ends_while_others_wait(bool sends, bool kill)
{
    struct job job = job_create();
    struct waiters waiters;
    mp_connection a, b;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST, .name = "lonely"}));
    int count = sends ? fill_up(a) : 0;
    mp_process holder = start(hold, &job, b);
    assert_true(gate_take(job.ready));
    waiters_start(&waiters, &job, a, sends);
    waiters_add_threads(&waiters);
    end_holder(&job, holder, kill);
    waiters_end(&waiters, MP_EPEERDEAD);
    for (int i = 0; i < 2; i++)
        for (int what = 0; what < WHATS; what++)
            if (is_send(what) == sends) assert_int_equal(wait_in(a, what), wanted(what, MP_EPEERDEAD));
    fails(MP_EPEERDEAD, sends ? mp_connection_send(a, "x", 1, LIMIT) : recv_fails(a, LIMIT));
    assert_non_null(strstr(mp_error_detail(), "\"lonely\""));
    /* Nothing has changed; and there is hope again when somebody uses it. */
    if (sends) {
        for (int i = 0; i < count; i++) assert_next(b, i);
        fails(MP_ETIMEDOUT, recv_fails(b, 0));
        send_number(a, 7);
        assert_next(b, 7);
    } else {
        send_number(b, 7);
        assert_next(a, 7);
        fails(MP_ETIMEDOUT, recv_fails(a, 20));
    }
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    job_destroy(&job);
}

static void killed_while_others_receive(void **state)
{
    (void)state;
    ends_while_others_wait(false, true);
}

static void killed_while_others_send(void **state)
{
    (void)state;
    ends_while_others_wait(true, true);
}

static void exits_while_others_receive(void **state)
{
    (void)state;
    ends_while_others_wait(false, false);
}

static void exits_while_others_send(void **state)
{
    (void)state;
    ends_while_others_wait(true, false);
}

/* Also who does not want to wait is told, by the same results. */
static void dead_and_no_time(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    mp_message message = {0};
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST}));
    mp_process holder = start(hold, &job, b);
    assert_true(gate_take(job.ready));
    fails(MP_ETIMEDOUT, recv_fails(a, 0));
    fill_up(a);
    end_holder(&job, holder, true);
    assert_int_equal(mp_connection_poll(a, 0), 1);
    fails(MP_EPEERDEAD, recv_fails(a, 0));
    fails(MP_EPEERDEAD, recv_fails(a, -1));
    fails(MP_EPEERDEAD, mp_connection_recv_message(a, &message, 0));
    fails(MP_EPEERDEAD, mp_connection_send(a, "x", 1, 0)); /* it is full */
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    job_destroy(&job);
}

/* As long as one of several lives there is hope. */
static void last_of_several(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    mp_process holders[CROWD];
    ok(mp_pipe_create(&a, &b, NULL));
    for (int i = 0; i < CROWD; i++) holders[i] = start(hold, &job, b);
    for (int i = 0; i < CROWD; i++) assert_true(gate_take(job.ready));
    for (int i = 0; i < CROWD; i++) {
        fails(MP_ETIMEDOUT, recv_fails(a, 20));
        assert_int_equal(mp_connection_poll(a, 0), 0);
        ok(mp_process_kill(holders[i]));
        assert_ends(holders[i], -9);
    }
    fails(MP_EPEERDEAD, recv_fails(a, LIMIT));
    assert_int_equal(mp_connection_poll(a, LIMIT), 1);
    holders[0] = start(hold, &job, b); /* somebody new */
    assert_true(gate_take(job.ready));
    fails(MP_ETIMEDOUT, recv_fails(a, 20));
    assert_true(gate_open(job.begin));
    fails(MP_EPEERDEAD, recv_fails(a, LIMIT));
    assert_ends(holders[0], 0);
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    job_destroy(&job);
}

static int send_and_end(void *args)
{
    const struct job *job = args;
    mp_message message, kept;
    for (int i = 0; i < 100; i++) {
        if (i % 10 == 0) {
            REQUIRE(mp_message_create(&message, sizeof i) == 0);
            *(int *)message.data = i;
            REQUIRE(mp_connection_send_message(job->end, &message, LIMIT) == 0);
        } else {
            REQUIRE(mp_connection_send(job->end, &i, sizeof i, LIMIT) == 0);
        }
    }
    REQUIRE(mp_message_create(&kept, 2 * MIB) == 0); /* it goes with this process */
    if (job->what) mp_process_kill(mp_current_process());
    return 0;
}

/* What was sent is received when the sender is no more. */
static void received_after_the_end(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    mp_message message;
    for (int killed = 0; killed < 2; killed++) {
        ok(mp_pipe_create(&a, &b, NULL));
        assert_ends(start_with(send_and_end, job, b, killed, 0), killed ? -9 : 0);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(mp_connection_poll(a, 0), 1);
            if (i % 20 < 10) {
                assert_next(a, i);
            } else {
                ok(mp_connection_recv_message(a, &message, 0));
                assert_int_equal(message.size, sizeof i);
                assert_int_equal(*(int *)message.data, i);
                ok(mp_message_destroy(&message));
            }
        }
        fails(MP_EPEERDEAD, recv_fails(a, LIMIT));
        assert_int_equal(mp_connection_poll(a, 0), 1);
        ok(mp_connection_close(a));
        ok(mp_connection_close(b));
    }
    job_destroy(&job);
}

static int recv_one_and_be_killed(void *args)
{
    const struct job *job = args;
    mp_message message;
    REQUIRE(mp_connection_recv_message(job->end, &message, LIMIT) == 0);
    return mp_process_kill(mp_current_process());
}

/* What a process had received goes with it, what it had not received another one gets. */
static void receivers_end(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    mp_message message;
    ok(mp_pipe_create(&a, &b, NULL));
    for (int i = 0; i < 4; i++) {
        ok(mp_message_create(&message, MIB));
        *(int *)message.data = i;
        ok(mp_connection_send_message(a, &message, LIMIT));
    }
    for (int i = 0; i < 2; i++) assert_ends(start(recv_one_and_be_killed, &job, b), -9);
    for (int i = 2; i < 4; i++) {
        ok(mp_connection_recv_message(b, &message, LIMIT));
        assert_int_equal(*(int *)message.data, i);
        ok(mp_message_destroy(&message));
    }
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    job_destroy(&job);
}

/* ---- crowds ----------------------------------------------------------------------------------------------------- */

enum {
    EACH = 400
};

struct letter {
    uint32_t sender, number, size; /* of all of it */
    unsigned char bytes[];
};

static size_t letter_size(uint32_t sender, uint32_t number)
{
    size_t size = number % 50 == 49 ? 2 * (size_t)LEAST + number : (size_t)(number * 61 + sender * 17) % 700;
    return sizeof(struct letter) + size;
}

#define LETTER_LARGEST (4 * (size_t)LEAST)

static void letter_write(struct letter *letter, uint32_t sender, uint32_t number)
{
    *letter = (struct letter){.sender = sender, .number = number, .size = (uint32_t)letter_size(sender, number)};
    fill(letter->bytes, letter->size - sizeof *letter, sender * 1000 + number);
}

static bool letter_is_whole(const struct letter *letter, size_t size)
{
    return size >= sizeof *letter && letter->size == size && letter->sender < 2 * CROWD && letter->number < NUMBERS &&
           size == letter_size(letter->sender, letter->number) &&
           holds(letter->bytes, size - sizeof *letter, letter->sender * 1000 + letter->number);
}

static int send_letter(mp_connection end, uint32_t sender, uint32_t number, struct letter *buffer)
{
    mp_message message;
    if (number % 8) {
        letter_write(buffer, sender, number);
        return mp_connection_send(end, buffer, buffer->size, LIMIT);
    }
    REQUIRE(mp_message_create(&message, letter_size(sender, number)) == 0);
    letter_write(message.data, sender, number);
    return mp_connection_send_message(end, &message, LIMIT);
}

/* Into the buffer; *size 0 is an empty one. */
static int recv_letter(mp_connection end, uint32_t how, struct letter *buffer, size_t *size)
{
    mp_message message;
    if (how % 3 == 1) REQUIRE(mp_connection_poll(end, LIMIT) == 1);
    if (how % 3) return mp_connection_recv(end, buffer, LETTER_LARGEST, size, LIMIT);
    int result = mp_connection_recv_message(end, &message, LIMIT);
    if (result < 0) return result;
    *size = message.size;
    REQUIRE(message.size <= LETTER_LARGEST);
    memcpy(buffer, message.data, message.size);
    return mp_message_destroy(&message);
}

static int send_letters(void *args)
{
    const struct job *job = args;
    struct letter *buffer = malloc(LETTER_LARGEST);
    REQUIRE(buffer);
    for (uint32_t i = 0; i < EACH; i++) REQUIRE(send_letter(job->end, (uint32_t)job->number, i, buffer) == 0);
    free(buffer);
    return 0;
}

/* Until an empty one comes. */
static int recv_letters(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    struct letter *buffer = malloc(LETTER_LARGEST);
    int64_t last[2 * CROWD];
    size_t size;
    for (int i = 0; i < 2 * CROWD; i++) last[i] = -1;
    REQUIRE(board && buffer);
    for (uint32_t i = 0;; i++) {
        REQUIRE(recv_letter(job->end, i, buffer, &size) == 0);
        if (!size) break;
        REQUIRE(letter_is_whole(buffer, size));
        REQUIRE(last[buffer->sender] < (int64_t)buffer->number);
        last[buffer->sender] = buffer->number;
        atomic_fetch_add(&board->seen[buffer->sender][buffer->number], 1);
        atomic_fetch_add(&board->received, 1);
    }
    free(buffer);
    return 0;
}

static void assert_all_seen_once(const struct job *job, int senders)
{
    const struct board *board = mp_block_data(job->board);
    for (int sender = 0; sender < senders; sender++)
        for (int number = 0; number < EACH; number++) assert_int_equal(atomic_load(&board->seen[sender][number]), 1);
    assert_int_equal(atomic_load(&board->received), senders * EACH);
}

/* Both ways at a time: who sends at one end, and who receives at the other. */
static void crowds_of_processes(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection ends[2];
    mp_process senders[2][CROWD], receivers[2][CROWD];
    ok(mp_pipe_create(&ends[0], &ends[1], &(mp_pipe_options){.capacity = LEAST}));
    for (int way = 0; way < 2; way++) assert_int_equal(mp_connection_poll(ends[way], 0), 0); /* we hold both, too */
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < CROWD; i++) {
            senders[way][i] = start_with(send_letters, job, ends[way], 0, way * CROWD + i);
            receivers[way][i] = start_with(recv_letters, job, ends[!way], 0, 0);
        }
    for (int way = 0; way < 2; way++) {
        for (int i = 0; i < CROWD; i++) assert_ends(senders[way][i], 0);
        for (int i = 0; i < CROWD; i++) ok(mp_connection_send(ends[way], NULL, 0, LIMIT));
        for (int i = 0; i < CROWD; i++) assert_ends(receivers[way][i], 0);
    }
    assert_all_seen_once(&job, 2 * CROWD);
    for (int way = 0; way < 2; way++) ok(mp_connection_close(ends[way]));
    job_destroy(&job);
}

static void *send_letters_thread(void *args)
{
    return send_letters(args) == 0 ? args : NULL;
}

static void *recv_letters_thread(void *args)
{
    return recv_letters(args) == 0 ? args : NULL;
}

static void crowds_of_threads(void **state)
{
    (void)state;
    struct job job = job_create(), jobs[2][CROWD];
    mp_connection ends[2];
    pthread_t senders[2][CROWD], receivers[2][CROWD];
    void *result;
    ok(mp_pipe_create(&ends[0], &ends[1], &(mp_pipe_options){.capacity = LEAST}));
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < CROWD; i++) {
            jobs[way][i] = job;
            jobs[way][i].end = ends[way];
            jobs[way][i].number = way * CROWD + i;
        }
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < CROWD; i++) {
            assert_int_equal(pthread_create(&senders[way][i], NULL, send_letters_thread, &jobs[way][i]), 0);
            assert_int_equal(pthread_create(&receivers[way][i], NULL, recv_letters_thread, &jobs[!way][i]), 0);
        }
    for (int way = 0; way < 2; way++) {
        for (int i = 0; i < CROWD; i++) {
            assert_int_equal(pthread_join(senders[way][i], &result), 0);
            assert_non_null(result);
        }
        for (int i = 0; i < CROWD; i++) ok(mp_connection_send(ends[way], NULL, 0, LIMIT));
        for (int i = 0; i < CROWD; i++) {
            assert_int_equal(pthread_join(receivers[way][i], &result), 0);
            assert_non_null(result);
        }
    }
    assert_all_seen_once(&job, 2 * CROWD);
    for (int way = 0; way < 2; way++) ok(mp_connection_close(ends[way]));
    job_destroy(&job);
}

static int send_until_killed(void *args)
{
    const struct job *job = args;
    struct letter *buffer = malloc(LETTER_LARGEST);
    REQUIRE(buffer);
    for (uint32_t i = 0; i < NUMBERS; i++) REQUIRE(send_letter(job->end, (uint32_t)job->number, i, buffer) == 0);
    free(buffer);
    return 99; /* that was too many */
}

/* Senders are killed in the midst of it: what comes of each is a beginning of what it sends, and whole. */
static void killed_senders(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_connection a, b;
    mp_process senders[CROWD];
    struct letter *buffer = must_have(LETTER_LARGEST);
    uint32_t next[CROWD] = {0};
    int killed = 0, result;
    size_t size;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST, .one_way = true}));
    for (int i = 0; i < CROWD; i++) senders[i] = start_with(send_until_killed, job, b, 0, i);
    for (uint32_t count = 0; (result = recv_letter(a, killed == CROWD ? 2 : count, buffer, &size)) == 0; count++) {
        assert_true(letter_is_whole(buffer, size));
        assert_true(buffer->sender < CROWD);
        assert_int_equal(buffer->number, next[buffer->sender]++);
        if (next[buffer->sender] != 100 + buffer->sender * 50) continue;
        ok(mp_process_kill(senders[buffer->sender]));
        killed++;
    }
    assert_int_equal(result, MP_EPEERDEAD);
    assert_int_equal(killed, CROWD);
    for (int i = 0; i < CROWD; i++) assert_ends(senders[i], -9);
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    free(buffer);
    job_destroy(&job);
}

/* Receivers are killed: each may take with it the one that it had received and not counted yet, and no more. */
static void killed_receivers(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_connection a, b;
    mp_process receivers[CROWD];
    struct letter *buffer = must_have(LETTER_LARGEST);
    int missing = 0;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST, .one_way = true}));
    for (int i = 0; i < CROWD; i++) receivers[i] = start_with(recv_letters, job, a, 0, i);
    for (uint32_t number = 0, killed = 0; number < 3 * EACH; number++) {
        ok(send_letter(b, 0, number, buffer));
        if (killed < CROWD - 1 && atomic_load(&board->received) > 100 * (int)(killed + 1))
            ok(mp_process_kill(receivers[killed++]));
        if (number == 3 * EACH - 1) assert_int_equal(killed, CROWD - 1); /* no more is on its way than the pipe holds */
    }
    ok(mp_connection_send(b, NULL, 0, LIMIT));
    for (int i = 0; i < CROWD; i++) assert_ends(receivers[i], i < CROWD - 1 ? -9 : 0);
    for (int number = 0; number < 3 * EACH; number++) {
        assert_in_range(atomic_load(&board->seen[0][number]), 0, 1);
        missing += !atomic_load(&board->seen[0][number]);
    }
    assert_in_range(missing, 0, CROWD - 1);
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    free(buffer);
    job_destroy(&job);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static mp_message message_of(size_t size, size_t seed)
{
    mp_message message = {0};
    ok(mp_message_create(&message, size));
    assert_int_equal(message.size, size);
    assert_int_equal((uintptr_t)message.data % 64, 0);
    fill(message.data, size, seed);
    return message;
}

static void assert_none(const mp_message *message)
{
    assert_null(message->data);
    assert_int_equal(message->size, 0);
    assert_int_equal(message->id, 0);
}

/* The next one, as a message or as bytes. */
static void assert_next_is(mp_connection end, bool as_message, size_t size, size_t seed)
{
    if (!as_message) {
        char *bytes = must_have(size);
        ok(mp_connection_recv(end, bytes, size, NULL, LIMIT));
        assert_true(holds(bytes, size, seed));
        free(bytes);
        return;
    }
    mp_message message = {0};
    ok(mp_connection_recv_message(end, &message, LIMIT));
    assert_int_equal(message.size, size);
    assert_non_null(message.data);
    assert_int_equal((uintptr_t)message.data % 64, 0);
    assert_true(holds(message.data, size, seed));
    ok(mp_message_destroy(&message));
    assert_none(&message);
}

static void messages_and_bytes(void **state)
{
    (void)state;
    static const size_t sizes_of[] = {0, 1, 64, 65, 1000, LEAST / 2, LEAST, MIB};
    mp_connection a, b;
    uint32_t messages = stats_now().messages;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST}));
    for (size_t i = 0; i < sizeof sizes_of / sizeof *sizes_of; i++)
        for (int how = 0; how < 4; how++) {
            size_t size = sizes_of[i], seed = i * 4 + (size_t)how;
            if (how & 1 || size > LEAST / 2) { /* larger bytes would wait for who receives them */
                mp_message message = message_of(size, seed);
                ok(mp_connection_send_message(a, &message, LIMIT));
                assert_none(&message);
                ok(mp_message_destroy(&message)); /* there is none */
            } else {
                char *bytes = must_have(size);
                ok(mp_connection_send(a, fill(bytes, size, seed), size, LIMIT));
                free(bytes);
            }
            assert_next_is(b, how & 2, size, seed);
        }
    assert_int_equal(stats_now().messages, messages);
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static void shrunk(void **state)
{
    (void)state;
    mp_connection a, b;
    ok(mp_pipe_create(&a, &b, NULL));
    for (int as_message = 0; as_message < 2; as_message++) {
        mp_message message = message_of(3 * MIB, 5);
        message.size = 3 * MIB + 1; /* it can not be larger than it is */
        fails(MP_EMSGSIZE, mp_connection_send_message(a, &message, LIMIT));
        message.size = SIZE_MAX;
        fails(MP_EMSGSIZE, mp_connection_send_message(a, &message, LIMIT));
        assert_non_null(message.data);
        message.size = 1001;
        ok(mp_connection_send_message(a, &message, LIMIT));
        message = message_of(100, 6);
        message.size = 0;
        ok(mp_connection_send_message(a, &message, LIMIT));
        assert_next_is(b, as_message, 1001, 5);
        assert_next_is(b, as_message, 0, 6);
    }
    /* Smaller at each station. */
    mp_message message = message_of(1000, 7);
    for (size_t size = 1000; size > 0; size /= 10) {
        message.size = size;
        ok(mp_connection_send_message(size == 100 ? b : a, &message, LIMIT));
        ok(mp_connection_recv_message(size == 100 ? a : b, &message, LIMIT));
        assert_int_equal(message.size, size);
        assert_true(holds(message.data, size, 7));
    }
    ok(mp_message_destroy(&message));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

/* Copies of the struct of a message are no copies of it. */
static void stale_structs(void **state)
{
    (void)state;
    mp_connection a, b;
    ok(mp_pipe_create(&a, &b, NULL));
    mp_message message = message_of(100, 1), copy = message, next = {0};
    ok(mp_connection_send_message(a, &message, LIMIT));
    for (int i = 0; i < 3; i++) {
        if (i == 1) ok(mp_connection_recv_message(b, &next, LIMIT)); /* ours again, by another id */
        const mp_message before = copy;
        fails(MP_EBADHANDLE, mp_connection_send_message(a, &copy, LIMIT));
        if (!strstr(mp_error_detail(), "copy of its struct")) print_error("%s\n", mp_error_detail());
        assert_non_null(strstr(mp_error_detail(), "copy of its struct"));
        assert_memory_equal(&copy, &before, sizeof before);
        fails(MP_EBADHANDLE, mp_message_destroy(&copy));
        assert_memory_equal(&copy, &before, sizeof before);
    }
    assert_true(holds(next.data, 100, 1));
    copy = next;
    ok(mp_message_destroy(&next));
    fails(MP_EBADHANDLE, mp_connection_send_message(a, &copy, LIMIT)); /* destroyed */
    fails(MP_EBADHANDLE, mp_message_destroy(&copy));
    fails(MP_EBADHANDLE, mp_connection_send_message(a, &next, LIMIT)); /* all zero */
    mp_message garbage = {.data = &garbage, .size = 8, .id = UINT64_C(0xdeadbeef00000003)};
    fails(MP_EBADHANDLE, mp_connection_send_message(a, &garbage, LIMIT));
    garbage.id = a.id; /* something else's */
    fails(MP_EBADHANDLE, mp_connection_send_message(a, &garbage, LIMIT));
    fails(MP_EBADHANDLE, mp_message_destroy(&garbage));
    assert_int_equal(mp_connection_poll(b, 0), 0); /* none of these was sent */
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static void *send_the_message(void *args)
{
    const struct job *job = args;
    const struct board *board = mp_block_data(job->board);
    mp_message copy = board->message;
    if (!gate_pass(job->begin)) return NULL;
    return (void *)(intptr_t)mp_connection_send_message(job->end, &copy, LIMIT);
}

/* Of several threads that send copies of one struct one succeeds. */
static void sent_by_several_threads(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    mp_connection b;
    ok(mp_pipe_create(&job.end, &b, NULL));
    for (int round = 0; round < 50; round++) {
        pthread_t threads[CROWD];
        int sent = 0;
        board->message = message_of(100, (size_t)round);
        for (int i = 0; i < CROWD; i++) assert_int_equal(pthread_create(&threads[i], NULL, send_the_message, &job), 0);
        assert_true(gate_open(job.begin));
        for (int i = 0; i < CROWD; i++) {
            void *result;
            assert_int_equal(pthread_join(threads[i], &result), 0);
            if (result) assert_int_equal((int)(intptr_t)result, MP_EBADHANDLE);
            sent += !result;
        }
        assert_int_equal(sent, 1);
        assert_true(gate_take(job.begin));
        assert_next_is(b, round % 2, 100, (size_t)round);
        assert_int_equal(mp_connection_poll(b, 0), 0);
    }
    ok(mp_connection_close(job.end));
    ok(mp_connection_close(b));
    job_destroy(&job);
}

static int use_somebody_elses(void *args)
{
    const struct job *job = args;
    const struct board *board = mp_block_data(job->board);
    mp_message message = board->message; /* the parent's */
    message.data = NULL;
    REQUIRE(mp_connection_send_message(job->end, &message, LIMIT) == MP_ENOTOWNER);
    REQUIRE(mp_message_destroy(&message) == MP_ENOTOWNER);
    REQUIRE(message.id == board->message.id);
    REQUIRE(gate_open(job->ready));
    REQUIRE(mp_connection_recv_message(job->end, &message, LIMIT) == 0); /* now it is ours */
    REQUIRE(message.size == 100 && holds(message.data, 100, 9));
    fill(message.data, 100, 10);
    REQUIRE(mp_connection_send_message(job->end, &message, LIMIT) == 0);
    return 0;
}

static void somebody_elses(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    mp_connection a, b;
    ok(mp_pipe_create(&a, &b, NULL));
    board->message = message_of(100, 9);
    mp_message message = board->message;
    mp_process child = start(use_somebody_elses, &job, b);
    assert_true(gate_take(job.ready));
    assert_true(holds(message.data, 100, 9));
    ok(mp_connection_send_message(a, &message, LIMIT));
    fails(MP_EBADHANDLE, mp_message_destroy(&board->message)); /* it is gone, wherever it is */
    assert_next_is(a, true, 100, 10);
    assert_ends(child, 0);
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    job_destroy(&job);
}

static int forward(void *args)
{
    const struct job *job = args;
    const struct board *board = mp_block_data(job->board);
    mp_message message;
    for (int i = 0; i < 20; i++) {
        REQUIRE(mp_connection_recv_message(job->end, &message, LIMIT) == 0);
        ((unsigned char *)message.data)[0]++;
        REQUIRE(mp_connection_send_message(board->end, &message, LIMIT) == 0);
    }
    return 0;
}

/* From one pipe into another one; larger messages than either. */
static void forwarded(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    mp_connection a, b, c;
    ok(mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = LEAST, .one_way = true}));
    ok(mp_pipe_create(&c, &board->end, &(mp_pipe_options){.capacity = LEAST, .one_way = true}));
    mp_process child = start(forward, &job, a);
    for (int i = 0; i < 20; i++) {
        mp_message message = message_of(MIB, (size_t)i);
        ok(mp_connection_send_message(b, &message, LIMIT));
        ok(mp_connection_recv_message(c, &message, LIMIT));
        assert_int_equal(message.size, MIB);
        assert_int_equal(--((unsigned char *)message.data)[0], byte_at(0, (size_t)i));
        assert_true(holds(message.data, MIB, (size_t)i));
        ok(mp_message_destroy(&message));
    }
    assert_ends(child, 0);
    fails(MP_EPEERDEAD, recv_fails(c, LIMIT));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    ok(mp_connection_close(c));
    ok(mp_connection_close(board->end));
    job_destroy(&job);
}

/* ---- handles ---------------------------------------------------------------------------------------------------- */

struct handles {
    mp_lock lock;
    mp_queue queue;
    mp_connection end;
};

static int use_handles(void *args)
{
    const struct job *job = args;
    struct handles handles;
    int number = 1;
    REQUIRE(mp_connection_recv(job->end, &handles, sizeof handles, NULL, LIMIT) == 0);
    REQUIRE(mp_lock_acquire(handles.lock, 0) == MP_ETIMEDOUT); /* the parent has it */
    REQUIRE(mp_connection_send(job->end, &number, sizeof number, LIMIT) == 0);
    REQUIRE(mp_lock_acquire(handles.lock, LIMIT) == 0);
    number = 2;
    REQUIRE(mp_queue_put(handles.queue, &number, sizeof number, LIMIT) == 0);
    number = 3;
    REQUIRE(mp_connection_send(handles.end, &number, sizeof number, LIMIT) == 0);
    REQUIRE(mp_connection_recv(handles.end, &number, sizeof number, NULL, LIMIT) == 0);
    return number == 4 ? mp_lock_release(handles.lock) : 98;
}

static void handles_through(void **state)
{
    (void)state;
    struct job job = job_create();
    struct handles handles;
    mp_connection a, b, c;
    int number = 0;
    ok(mp_pipe_create(&a, &b, NULL));
    ok(mp_pipe_create(&c, &handles.end, NULL));
    ok(mp_queue_create(&handles.queue, NULL));
    ok(mp_lock_create(&handles.lock, NULL));
    ok(mp_lock_acquire(handles.lock, 0));
    mp_process child = start(use_handles, &job, b);
    ok(mp_connection_send(a, &handles, sizeof handles, LIMIT));
    assert_next(a, 1);
    ok(mp_lock_release(handles.lock));
    ok(mp_queue_get(handles.queue, &number, sizeof number, NULL, LIMIT));
    assert_int_equal(number, 2);
    assert_next(c, 3);
    send_number(c, 4);
    fails(MP_EPEERDEAD, recv_fails(c, LIMIT)); /* it has used that end, and has ended */
    assert_ends(child, 0);
    ok(mp_lock_acquire(handles.lock, 0));
    ok(mp_lock_destroy(handles.lock));
    ok(mp_queue_destroy(handles.queue));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
    ok(mp_connection_close(c));
    ok(mp_connection_close(handles.end));
    job_destroy(&job);
}

/* ---- bad input -------------------------------------------------------------------------------------------------- */

static void bad_creation(void **state)
{
    (void)state;
    mp_connection a = {5}, b = {6};
    fails(MP_EINVAL, mp_pipe_create(NULL, &b, NULL));
    fails(MP_EINVAL, mp_pipe_create(&a, NULL, NULL));
    fails(MP_EINVAL, mp_pipe_create(NULL, NULL, NULL));
    fails(MP_EINVAL, mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = 1024 * MIB + 1}));
    fails(MP_EINVAL, mp_pipe_create(&a, &b, &(mp_pipe_options){.capacity = SIZE_MAX, .one_way = true}));
    assert_int_equal(a.id, 5);
    assert_int_equal(b.id, 6);
}

static void bad_arguments(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_message message = {0};
    char buffer[8];
    size_t size = 77;
    ok(mp_pipe_create(&a, &b, NULL));
    send_number(a, 1);
    fails(MP_EINVAL, mp_connection_send(a, NULL, 1, LIMIT));
    fails(MP_EINVAL, mp_connection_send(a, buffer, SIZE_MAX, LIMIT));
    fails(MP_EINVAL, mp_connection_send(a, buffer, (size_t)-8, LIMIT));
    fails(MP_EINVAL, mp_connection_send(a, buffer, (size_t)PTRDIFF_MAX + 1, LIMIT));
    fails(MP_EINVAL, mp_connection_recv(b, NULL, 1, NULL, LIMIT));
    fails(MP_EINVAL, mp_connection_recv(b, NULL, 8, &size, LIMIT));
    assert_int_equal(size, 77);
    fails(MP_EINVAL, mp_connection_send_message(a, NULL, LIMIT));
    fails(MP_EINVAL, mp_connection_recv_message(b, NULL, LIMIT));
    assert_next(b, 1);
    fails(MP_ETIMEDOUT, recv_fails(b, 0));
    ok(mp_message_destroy(&message));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static void bad_handles(void **state)
{
    (void)state;
    mp_connection a, b;
    mp_lock lock;
    mp_queue queue;
    ok(mp_pipe_create(&a, &b, NULL));
    ok(mp_lock_create(&lock, NULL));
    ok(mp_queue_create(&queue, NULL));
    const uint64_t ids[] = {0,
                            1,
                            2,
                            UINT64_MAX,
                            UINT64_C(1) << 63,
                            UINT64_C(0xdeadbeefdeadbeef),
                            a.id ^ UINT64_C(1) << 32,   /* never alive */
                            a.id + (UINT64_C(2) << 32), /* to be */
                            a.id ^ UINT64_C(1) << 24,   /* another family's */
                            a.id | UINT64_C(0xffffff),  /* beyond the table */
                            lock.id,
                            queue.id,
                            mp_current_process().id};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) assert_end_is_gone((mp_connection){ids[i]});
    uint64_t random = 11;
    for (int i = 0; i < 20000; i++) { /* anywhere near: also the pipe's own parts are no ends */
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        mp_connection near = {a.id + (random >> 50 & 15) - 8 + ((random >> 40 & 7) << 32)};
        if (near.id == a.id || near.id == b.id) continue;
        fails(MP_EBADHANDLE, mp_connection_send(near, &i, sizeof i, 0));
        fails(MP_EBADHANDLE, recv_fails(near, 0));
        fails(MP_EBADHANDLE, mp_connection_poll(near, 0));
        fails(MP_EBADHANDLE, mp_connection_close(near));
    }
    send_number(a, 3);
    assert_next(b, 3);
    ok(mp_queue_destroy(queue));
    ok(mp_lock_destroy(lock));
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static const struct test_case cases[] = {
    CASE_ONCE(both_ways),
    CASE_ONCE(one_way),
    CASE_ONCE(too_small),
    CASE_ONCE(times_out),
    CASE_ONCE(polls),
    CASE_ONCE(small_ones_fill_it),
    CASE_ONCE(large_ones_fill_it),
    CASE_ONCE(larger_ones_wait),
    CASE(sizes),
    CASE(order_and_boundaries),
    CASE(full_pipe_goes_on),
    CASE_ONCE(received_after_close),
    CASE(closed_for_everybody),
    CASE(closed_by_a_child),
    CASE(this_end_closed_while_receiving),
    CASE(this_end_closed_while_sending),
    CASE(other_end_closed_while_receiving),
    CASE(other_end_closed_while_sending),
    CASE(both_closed_while_receiving),
    CASE(both_closed_while_sending),
    CASE(killed_while_others_receive),
    CASE(killed_while_others_send),
    CASE(exits_while_others_receive),
    CASE(exits_while_others_send),
    CASE(dead_and_no_time),
    CASE(last_of_several),
    CASE(received_after_the_end),
    CASE(receivers_end),
    CASE(crowds_of_processes),
    CASE_ONCE(crowds_of_threads),
    CASE(killed_senders),
    CASE(killed_receivers),
    CASE_ONCE(messages_and_bytes),
    CASE_ONCE(shrunk),
    CASE_ONCE(stale_structs),
    CASE_ONCE(sent_by_several_threads),
    CASE(somebody_elses),
    CASE(forwarded),
    CASE(handles_through),
    CASE_ONCE(bad_creation),
    CASE_ONCE(bad_arguments),
    CASE_ONCE(bad_handles),
};

SUPPORT_MAIN("pipe", cases)
