/* SPDX-License-Identifier: MIT
 *
 * test_heap.c - the allocator of the arena, through blocks: nothing overlaps, all is zero at first, and what is given back
 * is there again.
 */
#include "shared_support.h"

#include <pthread.h>
#include <stdlib.h>

#define MIB ((size_t)1 << 20)

#ifndef TEST_GIVES_BACK
#define TEST_GIVES_BACK 0 /* the system gets back what a big block had; set by CMake */
#endif

/* ---- random operations against a model ------------------------------------------------------------------------- */

enum {
    SLOTS = 200
};

struct fuzz {
    uint64_t random;
    size_t largest;
    uint32_t steps;    /* or */
    int64_t end_ms;    /* until then */
    mp_block exchange; /* slots with blocks that are anybody's; {0}: none */
};

/* Mostly small, now and then large: by orders of magnitude. */
static size_t random_size(uint64_t *random, size_t largest)
{
    uint64_t bits = random_next(random) % (random_next(random) % 16 ? 16 : 24) + 1;
    size_t size = (size_t)(random_next(random) & ((UINT64_C(1) << bits) - 1)) + 1;
    return size > largest ? largest : size;
}

static int fuzz_create(mp_block *block, uint64_t *random, size_t largest)
{
    size_t size = random_size(random, largest);
    REQUIRE(mp_block_create(block, size) == 0);
    void *data = mp_block_data(*block);
    REQUIRE(data != NULL);
    REQUIRE((uintptr_t)data % 64 == 0);
    REQUIRE(mp_block_size(*block) == size);
    REQUIRE(all_zero(data, size));
    pattern_fill(data, size, block->id);
    return 0;
}

static int fuzz_look(mp_block block)
{
    void *data = mp_block_data(block);
    REQUIRE(data != NULL);
    REQUIRE(pattern_holds(data, mp_block_size(block), block.id));
    REQUIRE(mp_block_of(data).id == block.id);
    return 0;
}

static int fuzz_destroy(mp_block block)
{
    int result = fuzz_look(block);
    REQUIRE(mp_block_destroy(block) == 0);
    REQUIRE(mp_block_data(block) == NULL);
    return result;
}

/* Lay one of mine on the table, and take what was there: somebody else frees it. */
static void fuzz_exchange(mp_block exchange, uint64_t number, mp_block *mine)
{
    _Atomic uint64_t *table = mp_block_data(exchange);
    mine->id = atomic_exchange(&table[number % SLOTS], mine->id);
}

static bool fuzz_on(const struct fuzz *fuzz, uint32_t step)
{
    return fuzz->steps ? step < fuzz->steps : step % 256 != 0 || now_ms() < fuzz->end_ms;
}

static int fuzz_run(void *args)
{
    struct fuzz *fuzz = args;
    mp_block slots[SLOTS] = {{0}};
    int result = 0;
    for (uint32_t step = 0; result == 0 && fuzz_on(fuzz, step); step++) {
        uint64_t number = random_next(&fuzz->random);
        mp_block *slot = &slots[number % SLOTS];
        unsigned act = number >> 32 & 7;
        if (act == 0 && fuzz->exchange.id)
            fuzz_exchange(fuzz->exchange, number >> 40, slot);
        else if (!slot->id)
            result = fuzz_create(slot, &fuzz->random, fuzz->largest);
        else if (act < 3)
            result = fuzz_look(*slot);
        else {
            result = fuzz_destroy(*slot);
            slot->id = 0;
        }
    }
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].id && fuzz_destroy(slots[i]) != 0) result = 99;
    return result;
}

static mp_block exchange_create(void)
{
    mp_block exchange;
    assert_ok(mp_block_create(&exchange, SLOTS * sizeof(uint64_t)));
    return exchange;
}

static void exchange_destroy(mp_block exchange)
{
    const mp_block *table = mp_block_data(exchange);
    for (int i = 0; i < SLOTS; i++)
        if (table[i].id) assert_int_equal(fuzz_destroy(table[i]), 0);
    assert_ok(mp_block_destroy(exchange));
}

static void test_fuzz(void **state)
{
    (void)state;
    struct usage before = usage_now();
    struct fuzz fuzz = {.random = 1, .largest = 2 * MIB, .steps = 20000};
    assert_int_equal(fuzz_run(&fuzz), 0);
    assert_usage(&before);
    uint64_t reserved = usage_now().stats.bytes_reserved;
    for (uint64_t i = 0; i < 5; i++) { /* the same again fits into what is there already, for ever */
        fuzz = (struct fuzz){.random = 1, .largest = 2 * MIB, .steps = 4000};
        assert_int_equal(fuzz_run(&fuzz), 0);
    }
    assert_true(usage_now().stats.bytes_reserved <= reserved + 8 * MIB);
    assert_usage(&before);
}

static void *fuzz_thread(void *args)
{
    return fuzz_run(args) == 0 ? args : NULL;
}

static void fuzz_threads(uint32_t steps, int64_t end_ms)
{
    enum {
        THREADS = 4
    };
    struct usage before = usage_now();
    pthread_t threads[THREADS];
    struct fuzz fuzz[THREADS];
    mp_block exchange = exchange_create();
    for (uint32_t i = 0; i < THREADS; i++) {
        fuzz[i] = (struct fuzz){i + 100, MIB, steps, end_ms, exchange};
        assert_int_equal(pthread_create(&threads[i], NULL, fuzz_thread, &fuzz[i]), 0);
    }
    int bad = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        bad += !result;
    }
    assert_int_equal(bad, 0);
    exchange_destroy(exchange);
    assert_usage(&before);
}

static void test_fuzz_threads(void **state)
{
    (void)state;
    fuzz_threads(4000, 0);
}

static void fuzz_processes(mp_start_method method, uint32_t steps, int64_t end_ms)
{
    enum {
        PROCESSES = 4
    };
    struct usage before = usage_now();
    mp_process children[PROCESSES];
    mp_block exchange = exchange_create();
    for (uint32_t i = 0; i < PROCESSES; i++) {
        struct fuzz fuzz = {i + 200, MIB, steps, end_ms, exchange};
        children_start(&children[i], 1, method, fuzz_run, &fuzz, sizeof fuzz);
    }
    children_join(children, PROCESSES);
    exchange_destroy(exchange);
    assert_usage(&before);
}

static void fuzz_processes_some(mp_start_method method)
{
    fuzz_processes(method, 3000, 0);
}

static void test_fuzz_processes(void **state)
{
    (void)state;
    each_method(fuzz_processes_some);
}

/* ---- big blocks ------------------------------------------------------------------------------------------------ */

/* A big block is given back to the system: the arena says so, and the system does. */
static void test_big_given_back(void **state)
{
    (void)state;
    enum {
        SIZE = 128
    };
    struct usage before = usage_now();
    int64_t memory = arena_memory();
    for (int i = 0; i < 3; i++) {
        mp_block block;
        assert_ok(mp_block_create(&block, SIZE * MIB));
        assert_true(usage_now().stats.bytes_reserved >= before.stats.bytes_reserved + (SIZE - 1) * MIB);
        if (memory >= 0) assert_true(arena_memory() >= memory + (int64_t)((SIZE - 1) * MIB));
        memset(mp_block_data(block), 1, SIZE * MIB);
        assert_ok(mp_block_destroy(block));
        struct usage after = usage_now();
        assert_usage(&before);
        if (!TEST_GIVES_BACK) {
            assert_true(after.stats.bytes_reserved <= before.stats.bytes_reserved + (SIZE + 2) * MIB); /* used again */
            continue;
        }
        assert_true(after.stats.bytes_reserved <= before.stats.bytes_reserved + MIB); /* but for page records */
        assert_true(memory >= 0);
        assert_true(arena_memory() <= memory + (int64_t)MIB);
    }
}

/* Each piece of a big block is there and zero, and somebody else's when it comes again in parts. */
static void test_big_in_parts(void **state)
{
    (void)state;
    enum {
        PARTS = 48
    };
    struct usage before = usage_now();
    for (int i = 0; i < 3; i++) {
        mp_block big, parts[PARTS];
        assert_ok(mp_block_create(&big, PARTS * MIB));
        assert_true(all_zero(mp_block_data(big), PARTS * MIB));
        memset(mp_block_data(big), 0xff, PARTS * MIB);
        assert_ok(mp_block_destroy(big));
        for (int k = 0; k < PARTS; k++) {
            size_t size = k % 3 == 0 ? 100000 : k % 3 == 1 ? MIB : 17000;
            assert_int_equal(mp_block_create(&parts[k], size), 0);
            assert_true(all_zero(mp_block_data(parts[k]), size));
            pattern_fill(mp_block_data(parts[k]), size, parts[k].id);
        }
        for (int k = 0; k < PARTS; k++) assert_int_equal(fuzz_destroy(parts[(k * 7 + i) % PARTS]), 0);
    }
    assert_usage(&before);
}

/* A block larger than memory is refused before anything is taken for it; one larger than the arena has another name. */
static void test_too_big(void **state)
{
    (void)state;
    struct usage before = usage_now();
    int64_t memory = arena_memory();
    mp_block block = {1};
    assert_fails(mp_block_create(&block, SIZE_MAX), MP_EINVAL);
    assert_fails(mp_block_create(&block, SIZE_MAX - 65536), MP_EINVAL);
    for (size_t size = SIZE_MAX / 2 + 1; size / MIB >= 256 * 1024; size /= 2) {
        int result = mp_block_create(&block, size);
        if (result == 0) { /* a large machine */
            assert_ok(mp_block_destroy(block));
            block.id = 1;
            break;
        }
        assert_true(result == MP_EINVAL || result == MP_ENOMEM);
        assert_int_equal(block.id, 1);
        assert_non_null(strstr(mp_error_detail(), "mp_block_create"));
        struct usage after = usage_now();
        assert_usage(&before);
        if (after.stats.bytes_reserved > before.stats.bytes_reserved + MIB)
            fail_msg("%zu bytes refused, and %llu taken", size,
                     (unsigned long long)(after.stats.bytes_reserved - before.stats.bytes_reserved));
        if (memory >= 0) assert_true(arena_memory() <= memory + (int64_t)MIB);
    }
    mp_value value = {1};
    mp_array array = {1};
    assert_fails(mp_value_create(&value, SIZE_MAX, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, SIZE_MAX, 1, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, SIZE_MAX, 2, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, SIZE_MAX / 16 + 2, 16, NULL), MP_EINVAL); /* would wrap around to little */
    assert_int_equal(value.id, 1);
    assert_int_equal(array.id, 1);
    assert_usage(&before);
}

static void test_gigabyte(void **state)
{
    (void)state;
    const size_t size = 1024 * MIB;
    struct usage before = usage_now();
    mp_block block;
    int result = mp_block_create(&block, size);
    if (result == MP_ENOMEM || result == MP_EINVAL) {
        print_message("no gigabyte here: %s\n", mp_error_detail());
        skip();
    }
    assert_ok(result);
    char *data = mp_block_data(block);
    assert_non_null(data);
    for (size_t i = 0; i < size; i += 4096) {
        assert_int_equal(data[i], 0);
        data[i] = (char)(i >> 12);
    }
    for (size_t i = 0; i < size; i += 4096) assert_int_equal(data[i], (char)(i >> 12));
    assert_ok(mp_block_destroy(block));
    assert_usage(&before);
    if (TEST_GIVES_BACK) assert_true(usage_now().stats.bytes_reserved <= before.stats.bytes_reserved + MIB);
}

/* ---- stress ---------------------------------------------------------------------------------------------------- */

static void stress_processes(mp_start_method method)
{
    fuzz_processes(method, 0, now_ms() + stress_ms(10));
}

static void test_stress(void **state)
{
    (void)state;
    fuzz_threads(0, now_ms() + stress_ms(10));
    each_method(stress_processes);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const struct CMUnitTest stress[] = {cmocka_unit_test(test_stress)};
    const struct CMUnitTest big[] = {
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_big_given_back),
        cmocka_unit_test(test_gigabyte),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fuzz),
        cmocka_unit_test(test_fuzz_threads),
        cmocka_unit_test(test_fuzz_processes),
        cmocka_unit_test(test_big_in_parts),
    };
    if (argc > 1 && strcmp(argv[1], "stress") == 0) return cmocka_run_group_tests(stress, warm_up, NULL);
    if (argc > 1 && strcmp(argv[1], "big") == 0) return cmocka_run_group_tests(big, warm_up, NULL);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
