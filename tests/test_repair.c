/* SPDX-License-Identifier: MIT
 *
 * test_repair.c - processes that die under the arena's lock, or at any other moment: the others go on.
 */
#include "base/arena.h"
#include "base/layout.h"
#include "base/thread.h"
#include "support.h"

#include <string.h>

/* ---- everything derived is lost ----------------------------------------------------------------------------------- */

/* What a death may leave half done, at its worst. */
static int scramble(void *args)
{
    const struct gate locked = {.semaphore = {~*(const uint64_t *)args}};
    struct mp__header *header = mp__header();
    if (mp__thread_join() < 0) return 1; /* which nobody can who has the lock */
    mp__arena_lock();
    memset(header->heap.bins, 0xff, sizeof header->heap.bins);
    memset(header->heap.slabs, 0xff, sizeof header->heap.slabs);
    memset(header->counts, 0xff, sizeof header->counts);
    header->heap.blocks = header->heap.bytes_used = 12345;
    header->free_controls = header->free_processes = header->free_threads = UINT32_MAX;
    gate_open(locked);
    mp_os_sleep(LIMIT * INT64_C(1000000));
    mp_os_exit_now(1);
}

enum {
    SIZES = 6
};
static const size_t sizes[SIZES] = {1, 64, 1000, 16384, 70000, 3 << 20};

/* Blocks of all sizes, and gaps between them. */
static void blocks_create(mp_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) ok(mp_block_create(&blocks[i], sizes[i % SIZES]));
}

static void blocks_fill(const mp_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) memset(mp_block_data(blocks[i]), (int)i + 1, sizes[i % SIZES]);
}

static void blocks_check(const mp_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const unsigned char *data = mp_block_data(blocks[i]);
        assert_non_null(data);
        for (size_t k = 0; k < sizes[i % SIZES]; k += 61) assert_int_equal(data[k], (unsigned char)(i + 1));
    }
}

static void blocks_destroy(const mp_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) ok(mp_block_destroy(blocks[i]));
}

static void tables_are_made_anew(void **state)
{
    enum {
        KEPT = 60,
        GAPS = 30
    };
    mp_block kept[KEPT], gaps[GAPS], more[KEPT];
    struct support_counts before, after;
    (void)state;
    struct gate locked = gate_create();
    blocks_create(kept, KEPT / 2);
    blocks_create(gaps, GAPS);
    blocks_create(kept + KEPT / 2, KEPT / 2);
    blocks_destroy(gaps, GAPS);
    blocks_fill(kept, KEPT);
    support_count(&before);
    mp_process process;
    /* Not as a handle: who gives one takes the arena's lock when the process runs. */
    uint64_t hidden = ~locked.semaphore.id;
    ok(mp_process_start(&process, scramble, &hidden, sizeof hidden, NULL));
    /* Not by gate_take: it may wait for nothing that takes the arena's lock. */
    ok(mp_semaphore_acquire(locked.semaphore, LIMIT));
    ok(mp_process_kill(process));
    int code;
    ok(mp_process_join(process, &code, LIMIT));
    assert_int_not_equal(code, 0);
    ok(mp_process_close(process));

    support_count(&after);
    assert_true(support_balanced(&before, &after));
    blocks_check(kept, KEPT);
    blocks_create(more, KEPT);
    blocks_fill(more, KEPT);
    blocks_check(kept, KEPT);
    blocks_check(more, KEPT);
    blocks_destroy(more, KEPT);
    support_count(&after);
    assert_true(support_balanced(&before, &after));
    blocks_destroy(kept, KEPT);
    gate_destroy(locked);
}

/* ---- at any moment ------------------------------------------------------------------------------------------------ */

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* All that takes the arena's lock, until it is killed. Windows starts processes in two steps: one whose starter is killed
 * between them is stuck for ever. */
static int churn(void *args)
{
    const struct gate *begun = args;
    gate_open(*begun);
    for (unsigned i = 0;; i++) {
        mp_lock lock;
        mp_value value;
        mp_block block;
        if (mp_lock_create(&lock, NULL) < 0 || mp_value_create(&value, sizeof(int), NULL) < 0 ||
            mp_block_create(&block, sizes[i % SIZES]) < 0)
            return 1;
        if (HAS_SIGNALS && i % 8 == 0 && mp_process_start(NULL, nothing, NULL, 0, NULL) < 0) return 2;
        if (mp_block_destroy(block) < 0 || mp_value_destroy(value) < 0 || mp_lock_destroy(lock) < 0) return 3;
    }
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    mp_block kept[SIZES];
    blocks_create(kept, SIZES);
    blocks_fill(kept, SIZES);
    uint32_t random = 12345;
    for (int round = 0; round < 40; round++) {
        struct gate begun = gate_create();
        mp_process process;
        ok(mp_process_start(&process, churn, &begun, sizeof begun, NULL));
        assert_true(gate_take(begun));
        random = random * 1664525 + 1013904223;
        mp_os_sleep((int64_t)(random >> 12)); /* up to a millisecond: so that it is killed at different places */
        ok(mp_process_kill(process));
        int code;
        ok(mp_process_join(process, &code, LIMIT));
        assert_int_not_equal(code, 1);
        assert_int_not_equal(code, 2);
        assert_int_not_equal(code, 3);
        ok(mp_process_close(process));
        gate_destroy(begun);
        mp_block fresh[SIZES];
        blocks_create(fresh, SIZES);
        for (int i = 0; i < SIZES; i++) {
            const unsigned char *data = mp_block_data(fresh[i]);
            for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(data[k], 0);
        }
        blocks_fill(fresh, SIZES);
        blocks_check(kept, SIZES);
        blocks_destroy(fresh, SIZES);
    }
    blocks_destroy(kept, SIZES);
}

static const struct test_case cases[] = {
    CASE(tables_are_made_anew),
    CASE_LEAVES(killed_at_any_moment),
};

SUPPORT_MAIN("repair", cases)
