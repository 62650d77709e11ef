/* SPDX-License-Identifier: MIT
 *
 * test_soak_pool.c - one map of many items whose workers are killed again and again: what is not the item that one of them was
 * running is done, once, and right.
 *
 *     test_soak_pool [stress]      stress: 1000 kills in a map of 10^6 items
 */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKERS = 2,
    TASK_NS = 12000
};

static int kills_wanted = 60, items_wanted = 60000;

struct item {
    mp_block runs; /* _Atomic unsigned char for each */
    uint32_t value;
};

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static int64_t nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int work(mp_task *task)
{
    const struct item *item = task->input;
    _Atomic unsigned char *runs = mp_block_data(item->runs);
    for (int64_t end = nanoseconds() + TASK_NS; nanoseconds() < end;) {}
    *(uint64_t *)task->output = mixed(item->value);
    atomic_fetch_add(&runs[task->index], 1);
    return 0;
}

/* Kill a worker, any, if there is one: whether there was. */
static bool kill_one(mp_pool pool, uint64_t *random)
{
    mp_worker workers[WORKERS];
    size_t count;
    ok(mp_pool_workers(pool, workers, WORKERS, &count));
    *random = mixed(*random + 1);
    return count && mp_process_kill(workers[*random % count].process) == 0;
}

static void many_kills(void **state)
{
    (void)state;
    const size_t count = (size_t)items_wanted;
    mp_pool pool;
    mp_result result;
    mp_block runs;
    struct item *items = calloc(count, sizeof *items);
    uint64_t *outputs = calloc(count, sizeof *outputs), random = (uint64_t)nanoseconds();
    ok(mp_block_create(&runs, count));
    for (size_t i = 0; i < count; i++) items[i] = (struct item){runs, (uint32_t)i};
    printf("seed %llu\n", (unsigned long long)random);
    ok(mp_pool_create(&pool, WORKERS, NULL));
    ok(mp_pool_map_async(pool, &result, work, items, sizeof *items, sizeof *outputs, count, NULL));
    int kills = 0;
    while (kills < kills_wanted && !ok(mp_result_ready(result))) {
        kills += kill_one(pool, &random);
        (void)mp_result_wait(result, (int64_t)(mixed(random) % 5));
    }
    assert_int_equal(kills, kills_wanted); /* all of them during the map */
    int code = mp_result_get(result, outputs, count * sizeof *outputs, NULL, 10 * LIMIT);
    assert_true(code == 0 || code == MP_EWORKERDEAD);
    size_t failed = 0;
    const _Atomic unsigned char *ran = mp_block_data(runs);
    for (size_t i = 0; i < count; i++) {
        mp_outcome outcome;
        ok(mp_result_outcome(result, i, &outcome));
        if (outcome.error) {
            failed++;
            assert_int_equal(outcome.error, MP_EWORKERDEAD);
            assert_int_equal(outcome.code, -9);
            assert_in_range(ran[i], 0, 1);
            assert_true(outputs[i] == 0);
        } else {
            assert_int_equal(ran[i], 1);
            assert_true(outputs[i] == mixed(i));
        }
    }
    assert_in_range(failed, code < 0, kills);
    printf("%zu items, %d kills, %zu failed with them\n", count, kills, failed);
    mp_progress progress;
    ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.done, count);
    assert_int_equal(progress.failed, failed);
    ok(mp_result_destroy(result));
    ok(mp_pool_destroy(pool));
    ok(mp_block_destroy(runs));
    free(items);
    free(outputs);
}

static const struct test_case cases[] = {CASE_ONCE(many_kills)};

int main(int argc, char **argv)
{
    mp_freeze_support();
    if (argc == 2 && strcmp(argv[1], "stress") == 0) {
        kills_wanted = 1000;
        items_wanted = 1000000;
        argc = 1;
    }
    return support_run("soak_pool", cases, sizeof cases / sizeof *cases, argc, argv);
}
