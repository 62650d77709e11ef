/* SPDX-License-Identifier: MIT
 *
 * test_soak_queue.c - four put, four get, and every 50 ms one of the eight is killed and replaced: what was put is got once.
 *
 *     test_soak_queue                     a sample
 *     test_soak_queue stress [seconds]    until 10^9 have been got, or the time is over: 120 s
 *
 * Round by round, so that each item can be looked at. An item that is missing was being put by one who was killed then, or was
 * got by one who was killed before he could write that down: of these there is one call at most for each who was killed.
 */
#include "require.h"
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUTTERS 4
#define GETTERS 4
#define WORKERS (PUTTERS + GETTERS)
#define BATCH   16
#define MOST    ((uint32_t)1 << 23) /* items of one putter in one round */
#define WORDS   (MOST / 64)
#define TARGET  UINT64_C(1000000000)
#define KILLS   64 /* of putters, in one round */

static bool all_of_it;
static int64_t seconds = 120;

struct item {
    uint32_t putter, number;
    char room[56];
};

struct large {
    struct item item;
    char room[8000];
};

/* How far a putter has come: what is below `put` is in, what is below `trying` may be. */
struct putter {
    _Alignas(64) _Atomic uint32_t put, trying;
};

struct board {
    _Atomic int stop; /* 1: put no more; 2: nobody will */
    struct putter putters[PUTTERS];
    uint64_t got[GETTERS][PUTTERS][WORDS]; /* each is written by one process at a time */
};

struct job {
    mp_queue queue;
    mp_connection near, far; /* or through a pipe */
    bool piped;
    mp_block board;
    int number;
    uint32_t random;
};

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

/* ---- putting ------------------------------------------------------------------------------------------------------- */

static int put_large(const struct job *job, const struct item *item)
{
    mp_message message;
    int result = mp_message_create(&message, sizeof(struct large));
    if (result < 0) return result;
    memcpy(message.data, item, sizeof *item);
    result = job->piped ? mp_connection_send_message(job->far, &message, LIMIT)
                        : mp_queue_put_message(job->queue, &message, LIMIT);
    if (result < 0) (void)mp_message_destroy(&message);
    return result;
}

static int put_some(struct job *job, const struct item *items, uint32_t count)
{
    if (job->piped) return mp_connection_send(job->far, items, sizeof *items, LIMIT);
    if (count > 1) return mp_queue_put_many(job->queue, items, sizeof *items, count, NULL, LIMIT);
    return mp_queue_put(job->queue, items, sizeof *items, LIMIT);
}

static int put_all(void *args)
{
    struct job *job = args;
    struct board *board = mp_block_data(job->board);
    struct putter *self = &board->putters[job->number];
    struct item items[BATCH] = {{0}};
    uint32_t next = atomic_load(&self->trying);
    while (!atomic_load(&board->stop) && next + BATCH <= MOST) {
        uint32_t random = next_random(&job->random) % 1024, count = random < 32 && !job->piped ? BATCH : 1;
        for (uint32_t i = 0; i < count; i++) items[i] = (struct item){(uint32_t)job->number, next + i, {0}};
        atomic_store(&self->trying, next + count);
        int result = random == 1000 ? put_large(job, items) : put_some(job, items, count);
        REQUIRE(result == 0);
        next += count;
        atomic_store(&self->put, next);
    }
    return 3;
}

/* ---- getting ------------------------------------------------------------------------------------------------------- */

struct getter {
    uint64_t (*got)[WORDS];
    int64_t last[PUTTERS];
};

/* Of one putter they come in their order. */
static int note(struct getter *self, const struct item *item)
{
    REQUIRE(item->putter < PUTTERS && item->number < MOST);
    uint64_t *word = &self->got[item->putter][item->number / 64], bit = UINT64_C(1) << item->number % 64;
    REQUIRE((int64_t)item->number > self->last[item->putter]);
    REQUIRE(!(*word & bit));
    self->last[item->putter] = item->number;
    *word |= bit;
    return 0;
}

static int get_as_message(const struct job *job, struct item *item)
{
    mp_message message;
    int result =
        job->piped ? mp_connection_recv_message(job->near, &message, 0) : mp_queue_get_message(job->queue, &message, 0);
    if (result < 0) return result;
    memcpy(item, message.data, sizeof *item);
    return mp_message_destroy(&message);
}

static int get_some(struct job *job, struct item *items, size_t *count)
{
    int result;
    *count = 1;
    if (job->piped)
        result = mp_connection_recv(job->near, items, sizeof *items, NULL, 20);
    else if (next_random(&job->random) % 32 == 0)
        result = mp_queue_get_many(job->queue, items, sizeof *items, BATCH, count, 20);
    else
        result = mp_queue_get(job->queue, items, sizeof *items, NULL, 20);
    if (result != MP_EMSGSIZE) return result;
    *count = 1;
    return get_as_message(job, items);
}

static int get_all(void *args)
{
    struct job *job = args;
    struct board *board = mp_block_data(job->board);
    struct getter self = {.got = board->got[job->number - PUTTERS], .last = {-1, -1, -1, -1}};
    struct item items[BATCH];
    for (;;) {
        size_t count;
        bool over = atomic_load(&board->stop) == 2;
        int result = get_some(job, items, &count);
        if (result == MP_ETIMEDOUT && over) return 3;
        REQUIRE(result == 0 || result == MP_ETIMEDOUT);
        for (size_t i = 0; result == 0 && i < count; i++) REQUIRE(note(&self, &items[i]) == 0);
    }
}

/* ---- rounds -------------------------------------------------------------------------------------------------------- */

/* What who was killed was putting. */
struct doubt {
    int putter;
    uint32_t from, to;
};

struct round {
    struct job job;
    mp_process workers[WORKERS];
    struct doubt doubts[KILLS];
    int doubt_count, getters_killed;
};

static void hire(struct round *round, int number)
{
    round->job.number = number;
    next_random(&round->job.random);
    ok(mp_process_start(&round->workers[number], number < PUTTERS ? put_all : get_all, &round->job, sizeof round->job,
                        NULL));
}

static void kill_and_replace(struct round *round, int number)
{
    struct board *board = mp_block_data(round->job.board);
    int code = 0;
    ok(mp_process_kill(round->workers[number]));
    ok(mp_process_join(round->workers[number], &code, LIMIT));
    ok(mp_process_close(round->workers[number]));
    assert_true(code == -9 || code == 3); /* it has put all it may */
    if (number >= PUTTERS) round->getters_killed++;
    if (number < PUTTERS) {
        struct putter *putter = &board->putters[number];
        assert_true(round->doubt_count < KILLS);
        round->doubts[round->doubt_count++] = (struct doubt){number, putter->put, putter->trying};
    }
    hire(round, number);
}

static bool in_doubt(const struct round *round, int putter, uint32_t number)
{
    for (int i = 0; i < round->doubt_count; i++) {
        const struct doubt *doubt = &round->doubts[i];
        if (doubt->putter == putter && number >= doubt->from && number < doubt->to) return true;
    }
    return false;
}

/* How many are missing that were put; none is there twice. */
static uint32_t missing_of(const struct round *round, const struct board *board, int putter)
{
    uint32_t missing = 0, all = board->putters[putter].trying;
    for (uint32_t word = 0; word * 64 < all; word++) {
        uint64_t some = 0;
        for (int getter = 0; getter < GETTERS; getter++) {
            uint64_t got = board->got[getter][putter][word];
            if (some & got) fail_msg("an item of %u to %u was got twice", word * 64, word * 64 + 63);
            some |= got;
        }
        if (some == UINT64_MAX) continue;
        for (uint32_t number = word * 64; number < word * 64 + 64 && number < all; number++)
            missing += !(some >> number % 64 & 1) && !in_doubt(round, putter, number);
    }
    return missing;
}

static uint64_t run_round(struct round *round, int64_t milliseconds, uint64_t *missing)
{
    struct board *board = mp_block_data(round->job.board);
    struct gate never = gate_create();
    memset((void *)board, 0, sizeof *board);
    round->doubt_count = round->getters_killed = 0;
    for (int i = 0; i < WORKERS; i++) hire(round, i);
    int64_t end = support_now() + milliseconds;
    while (support_now() < end) {
        assert_int_equal(mp_semaphore_acquire(never.semaphore, 50), MP_ETIMEDOUT);
        kill_and_replace(round, (int)(next_random(&round->job.random) % WORKERS));
    }
    gate_destroy(never);
    atomic_store(&board->stop, 1);
    for (int i = 0; i < PUTTERS; i++) assert_ends(round->workers[i], 3);
    atomic_store(&board->stop, 2);
    for (int i = PUTTERS; i < WORKERS; i++) assert_ends(round->workers[i], 3);
    uint64_t lost = 0, all = 0;
    for (int i = 0; i < PUTTERS; i++) {
        lost += missing_of(round, board, i);
        all += board->putters[i].trying;
    }
    assert_true(lost <= (uint64_t)round->getters_killed * BATCH);
    *missing += lost;
    return all;
}

static void create_channel(struct job *job, int kind)
{
    char byte;
    job->piped = kind == 1;
    const mp_queue_options options = {.maxsize = kind == 2 ? 100 : 0, .max_bytes = kind == 2 ? 0 : (size_t)1 << 20};
    if (job->piped) {
        ok(mp_pipe_create(&job->near, &job->far, NULL));
        assert_int_equal(mp_connection_poll(job->near, 0), 0);
        assert_int_equal(mp_connection_poll(job->far, 0), 0);
    } else {
        ok(mp_queue_create(&job->queue, &options));
        fails(MP_ETIMEDOUT, mp_queue_get(job->queue, &byte, 1, NULL, 0)); /* a holder that lives */
    }
}

static void destroy_channel(const struct job *job)
{
    if (job->piped) {
        ok(mp_connection_close(job->near));
        ok(mp_connection_close(job->far));
    } else {
        ok(mp_queue_destroy(job->queue));
    }
}

static void each_is_got_once(void **state)
{
    (void)state;
    static struct round round;
    uint64_t all = 0, missing = 0, killed = 0;
    int64_t end = support_now() + (all_of_it ? seconds * 1000 : 0);
    round = (struct round){.job.random = 20261122};
    ok(mp_block_create(&round.job.board, sizeof(struct board)));
    for (int i = 0; i < 3 || (support_now() < end && all < TARGET); i++) {
        create_channel(&round.job, i % 3);
        all += run_round(&round, all_of_it ? 1000 : 150, &missing);
        killed += (uint64_t)(round.doubt_count + round.getters_killed);
        mp_stats stats;
        ok(mp_get_stats(&stats));
        assert_int_equal(stats.messages, 0);
        destroy_channel(&round.job);
    }
    print_message("%llu items, %llu processes killed, %llu items lost with who had got them\n", (unsigned long long)all,
                  (unsigned long long)killed, (unsigned long long)missing);
    assert_true(all > 1000);
    ok(mp_block_destroy(round.job.board));
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {CASE_WITH(each_is_got_once, ONCE | LEAVES)};
    mp_freeze_support();
    all_of_it = argc > 1 && strcmp(argv[1], "stress") == 0;
    if (all_of_it) {
        if (argc > 2 && atoi(argv[2]) > 0) {
            seconds = atoi(argv[2]);
            argv++, argc--;
        }
        argv[1] = argv[0]; /* what is left is a choice of cases */
        argv++, argc--;
    }
    return support_run("soak_queue", cases, 1, argc, argv);
}
