/* SPDX-License-Identifier: MIT
 *
 * test_full_arena.c - queues, pipes and messages where there is no memory left: who puts is told, or waits; others go on.
 */
#include "require.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1 << 20)

enum {
    ITEM = 2000,
    LARGE = 100000
};

struct job {
    mp_queue queue;
    mp_block block;
    struct gate begin, ready;
    bool large;
};

/* Blocks until there is not one more of so many bytes; how many. */
static size_t fill_arena(mp_block *blocks, size_t most, size_t size)
{
    size_t count = 0;
    int result = 0;
    while (count < most && (result = mp_block_create(&blocks[count], size)) == 0) count++;
    assert_int_equal(result, MP_ENOMEM);
    return count;
}

static void free_blocks(const mp_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) ok(mp_block_destroy(blocks[i]));
}

static void fill_all(mp_block *large, size_t *larges, mp_block *small, size_t *smalls)
{
    *larges = fill_arena(large, 64, 64 * KIB - 100);
    *smalls = fill_arena(small, 2048, 100);
}

/* ---- told ---------------------------------------------------------------------------------------------------------- */

static void put_is_told(void **state)
{
    (void)state;
    static char item[ITEM], large[LARGE];
    mp_queue queue, other;
    mp_message message = {0};
    mp_connection a, b;
    int count = 0, result;
    ok(mp_queue_create(&queue, NULL));
    ok(mp_queue_create(&other, NULL));
    do {
        memset(item, count, sizeof item);
        result = mp_queue_put(queue, item, sizeof item, MP_FOREVER);
    } while (result == 0 && ++count < 10000);
    fails(MP_ENOMEM, result);
    assert_true(count > 10);
    static mp_block large_blocks[64], small_blocks[2048];
    size_t larges, smalls;
    fill_all(large_blocks, &larges, small_blocks, &smalls);
    fails(MP_ENOMEM, mp_queue_put(queue, item, sizeof item, LIMIT));
    fails(MP_ENOMEM, mp_queue_put(queue, large, sizeof large, LIMIT));
    size_t done = 77;
    fails(MP_ENOMEM, mp_queue_put_many(queue, item, 200, 10, &done, 0));
    fails(MP_ENOMEM, mp_message_create(&message, 1000));
    assert_null(message.data);
    fails(MP_ENOMEM, mp_pipe_create(&a, &b, NULL));
    /* Others go on, and nothing is lost. */
    for (int i = 0; i < 1000; i++) {
        int number = -1;
        ok(mp_queue_put(other, &i, sizeof i, 0));
        ok(mp_queue_get(other, &number, sizeof number, NULL, 0));
        assert_int_equal(number, i);
    }
    for (int i = 0; i < count + (int)done; i++) {
        size_t size;
        ok(mp_queue_get(queue, item, sizeof item, &size, 0));
        if (i < count) assert_int_equal(size, sizeof item);
        if (i < count) assert_int_equal((unsigned char)item[size - 1], i % 256);
    }
    fails(MP_ETIMEDOUT, mp_queue_get(queue, item, sizeof item, NULL, 0));
    free_blocks(large_blocks, larges);
    free_blocks(small_blocks, smalls);
    ok(mp_queue_put(queue, large, sizeof large, 0));
    ok(mp_queue_destroy(queue));
    ok(mp_queue_destroy(other));
}

/* ---- waiting ------------------------------------------------------------------------------------------------------- */

static int put_when_there_is_memory(void *args)
{
    const struct job *job = args;
    static char bytes[LARGE];
    size_t size = job->large ? sizeof bytes : ITEM;
    REQUIRE(gate_take(job->begin));
    REQUIRE(mp_queue_put(job->queue, bytes, size, 20) == MP_ETIMEDOUT);
    REQUIRE(strstr(mp_error_detail(), "room for another"));
    REQUIRE(gate_open(job->ready));
    REQUIRE(mp_queue_put(job->queue, bytes, size, LIMIT) == 0);
    return 0;
}

/* It waits while the arena is full; and goes on when another process has freed something. */
static void put_waits(void **state)
{
    (void)state;
    static char item[LARGE];
    static mp_block large_blocks[64], small_blocks[2048];
    for (int large = 0; large < 2; large++) {
        struct job job = {.begin = gate_create(), .ready = gate_create(), .large = large};
        size_t larges, smalls, size = 0;
        ok(mp_queue_create(&job.queue, &(mp_queue_options){.wait_for_memory = true}));
        fails(MP_ETIMEDOUT, mp_queue_get(job.queue, item, sizeof item, NULL, 0));
        mp_process process;
        int result;
        ok(mp_process_start(&process, put_when_there_is_memory, &job, sizeof job, NULL));
        fill_all(large_blocks, &larges, small_blocks, &smalls);
        while ((result = mp_queue_put(job.queue, item, ITEM, 0)) == 0) {}
        fails(MP_ETIMEDOUT, result);
        assert_true(gate_open(job.begin));
        assert_true(gate_take(job.ready));
        free_blocks(large_blocks, larges);
        assert_ends(process, 0);
        while ((result = mp_queue_get(job.queue, item, sizeof item, &size, 0)) == 0) {}
        assert_int_equal(size, large ? LARGE : ITEM);
        free_blocks(small_blocks, smalls);
        ok(mp_queue_destroy(job.queue));
        gate_destroy(job.begin);
        gate_destroy(job.ready);
    }
}

/* ---- what is larger than all of it --------------------------------------------------------------------------------- */

static int send_large(void *args)
{
    static char bytes[3 * MIB];
    REQUIRE(mp_connection_send(*(const mp_connection *)args, bytes, sizeof bytes, LIMIT) == 0);
    return 0;
}

/* It can go through a pipe, but not as a message. */
static void larger_than_the_arena(void **state)
{
    (void)state;
    static char bytes[3 * MIB];
    mp_connection a, b;
    mp_message message = {0};
    mp_process process;
    ok(mp_pipe_create(&a, &b, NULL));
    ok(mp_process_start(&process, send_large, &a, sizeof a, NULL));
    for (int i = 0; i < 2; i++) {
        fails(MP_EMSGSIZE, mp_connection_recv_message(b, &message, LIMIT));
        assert_non_null(strstr(mp_error_detail(), "has 3145728 bytes"));
        assert_null(message.data);
    }
    ok(mp_connection_recv(b, bytes, sizeof bytes, NULL, LIMIT)); /* it stayed */
    assert_ends(process, 0);
    ok(mp_connection_close(a));
    ok(mp_connection_close(b));
}

static const struct test_case cases[] = {
    CASE_ONCE(put_is_told),
    CASE(put_waits),
    CASE(larger_than_the_arena),
};

int main(int argc, char **argv)
{
    mp_freeze_support();
    if (mp_configure(&(mp_config){.arena_bytes = 2 * MIB}) < 0) return 1;
    return support_run("full_arena", cases, sizeof cases / sizeof *cases, argc, argv);
}
