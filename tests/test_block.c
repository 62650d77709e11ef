/* SPDX-License-Identifier: MIT
 *
 * test_block.c - blocks: address and handle, size, contents, in every process.
 */
#include "shared_support.h"

#include <stdlib.h>

#define MIB ((size_t)1 << 20)

static const size_t sizes[] = {1,     2,     7,         8,       63,    64,      65,          100,
                               1000,  4095,  4096,      4097,    16383, 16384,   16385,       65535,
                               65536, 65537, 3 * 65536, MIB - 1, MIB,   MIB + 1, 5 * MIB + 3, 64 * MIB};
enum {
    SIZES = sizeof sizes / sizeof *sizes
};

static void test_sizes(void **state)
{
    (void)state;
    struct usage before = usage_now();
    for (int again = 0; again < 2; again++) { /* the second time in used memory */
        for (int i = 0; i < SIZES; i++) {
            mp_block block;
            assert_ok(mp_block_create(&block, sizes[i]));
            assert_int_equal(mp_block_size(block), sizes[i]);
            unsigned char *data = mp_block_data(block);
            assert_non_null(data);
            assert_int_equal((uintptr_t)data % 64, 0);
            assert_true(all_zero(data, sizes[i]));
            memset(data, 0xa5, sizes[i]);
            assert_ptr_equal(mp_block_data(block), data);
            assert_int_equal(mp_block_of(data).id, block.id);
            assert_int_equal(usage_now().stats.shared_blocks, before.stats.shared_blocks + 1);
            assert_true(usage_now().stats.bytes_used >= before.stats.bytes_used + sizes[i]);
            assert_ok(mp_block_destroy(block));
            assert_null(mp_block_data(block));
            assert_int_equal(mp_block_size(block), 0);
            assert_int_equal(mp_block_of(data).id, 0);
            assert_fails(mp_block_destroy(block), MP_EBADHANDLE);
        }
    }
    assert_usage(&before);
}

static void test_arguments(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_block block = {4711};
    assert_fails(mp_block_create(NULL, 1), MP_EINVAL);
    assert_fails(mp_block_create(&block, 0), MP_EINVAL);
    assert_fails(mp_block_create(&block, SIZE_MAX), MP_EINVAL);
    assert_fails(mp_block_create(&block, SIZE_MAX / 2), MP_EINVAL);
    assert_int_equal(block.id, 4711); /* untouched */
    assert_usage(&before);
}

static void test_block_of(void **state)
{
    (void)state;
    int here = 0;
    int *heap = malloc(sizeof *heap);
    mp_block block, large, other;
    mp_value value;
    assert_ok(mp_block_create(&block, 300));
    assert_ok(mp_block_create(&other, 300));
    assert_ok(mp_block_create(&large, 3 * MIB));
    assert_ok(mp_value_create(&value, 300, NULL));
    char *data = mp_block_data(block), *big = mp_block_data(large);
    assert_int_equal(mp_block_of(data).id, block.id);
    assert_int_equal(mp_block_of(mp_block_data(other)).id, other.id);
    assert_int_equal(mp_block_of(big).id, large.id);
    for (size_t i = 1; i < 300; i++) assert_int_equal(mp_block_of(data + i).id, 0); /* inside */
    for (size_t i = 1; i < 3 * MIB; i += i < 1000 ? 1 : 997) assert_int_equal(mp_block_of(big + i).id, 0);
    for (size_t i = 65536; i < 3 * MIB; i += 65536) assert_int_equal(mp_block_of(big + i).id, 0); /* page by page */
    assert_int_equal(mp_block_of(mp_value_data(value, 300)).id, 0); /* a block of memory, but no mp_block */
    assert_non_null(strstr(mp_error_detail(), "mp_block_of"));
    assert_int_equal(mp_block_of(NULL).id, 0);
    assert_int_equal(mp_block_of(&here).id, 0);
    assert_int_equal(mp_block_of(heap).id, 0);
    assert_int_equal(mp_block_of((const void *)(uintptr_t)test_block_of).id, 0);
    assert_int_equal(mp_block_of((const void *)UINTPTR_MAX).id, 0);
    assert_int_equal(mp_block_of((const void *)1).id, 0);
    uint64_t random = 5;
    for (int i = 0; i < 200000; i++) { /* anywhere near, and anywhere */
        uintptr_t near = (uintptr_t)data + (uintptr_t)(random_next(&random) & 0xffffffff) - 0x80000000;
        mp_block found = mp_block_of((const void *)near);
        if (found.id) assert_ptr_equal(mp_block_data(found), near);
        found = mp_block_of((const void *)(uintptr_t)random_next(&random));
        if (found.id) assert_true(found.id == block.id || found.id == other.id || found.id == large.id);
    }
    free(heap);
    assert_ok(mp_block_destroy(block));
    assert_ok(mp_block_destroy(other));
    assert_ok(mp_block_destroy(large));
    assert_ok(mp_value_destroy(value));
}

/* ---- in other processes ---------------------------------------------------------------------------------------- */

struct job {
    mp_block in, out; /* out: an array of handles that the child makes */
    size_t size;
};

static int look_and_make(void *args)
{
    const struct job *job = args;
    void *in = mp_block_data(job->in);
    mp_block *out = mp_block_data(job->out);
    REQUIRE(in && out);
    REQUIRE(mp_block_size(job->in) == job->size);
    REQUIRE(mp_block_size(job->out) == SIZES * sizeof *out);
    REQUIRE(pattern_holds(in, job->size, job->in.id));
    REQUIRE(mp_block_of(in).id == job->in.id);
    REQUIRE(mp_block_of((char *)in + 1).id == 0);
    pattern_fill(in, job->size, ~job->in.id);
    for (int i = 0; i < SIZES; i++) {
        mp_block made;
        REQUIRE(mp_block_create(&made, sizes[i]) == 0);
        REQUIRE(all_zero(mp_block_data(made), sizes[i]));
        pattern_fill(mp_block_data(made), sizes[i], made.id);
        out[i] = made;
    }
    return 0;
}

/* The parent has not seen as much of the arena as its child: it reads what the child made all the same. */
static void child_makes(mp_start_method method)
{
    struct usage before = usage_now();
    struct job job = {.size = 2 * MIB + 77};
    assert_ok(mp_block_create(&job.in, job.size));
    assert_ok(mp_block_create(&job.out, SIZES * sizeof(mp_block)));
    pattern_fill(mp_block_data(job.in), job.size, job.in.id);
    assert_int_equal(child_run(method, look_and_make, &job, sizeof job), 0);
    assert_true(pattern_holds(mp_block_data(job.in), job.size, ~job.in.id));
    const mp_block *out = mp_block_data(job.out);
    for (int i = SIZES - 1; i >= 0; i--) {
        assert_int_equal(mp_block_size(out[i]), sizes[i]);
        void *data = mp_block_data(out[i]);
        assert_non_null(data);
        assert_true(pattern_holds(data, sizes[i], out[i].id));
        assert_int_equal(mp_block_of(data).id, out[i].id);
        assert_ok(mp_block_destroy(out[i]));
    }
    assert_ok(mp_block_destroy(job.in));
    assert_ok(mp_block_destroy(job.out));
    assert_usage(&before);
}

static void test_child_makes(void **state)
{
    (void)state;
    each_method(child_makes);
}

/* It reads far beyond its window first in its second half. */
static int make_big(void *args)
{
    const mp_block *report = args;
    mp_block big;
    REQUIRE(mp_block_create(&big, 200 * MIB) == 0);
    char *data = mp_block_data(big);
    REQUIRE(data != NULL);
    data[0] = 1;
    data[100 * MIB] = 2;
    data[200 * MIB - 1] = 3;
    *(mp_block *)mp_block_data(*report) = big;
    return 0;
}

static void window(mp_start_method method)
{
    struct usage before = usage_now();
    mp_block report;
    assert_ok(mp_block_create(&report, sizeof(mp_block)));
    assert_int_equal(child_run(method, make_big, &report, sizeof report), 0);
    mp_block big = *(mp_block *)mp_block_data(report);
    const char *data = mp_block_data(big);
    assert_non_null(data);
    assert_int_equal(data[0], 1);
    assert_int_equal(data[100 * MIB], 2);
    assert_int_equal(data[200 * MIB - 1], 3);
    assert_ok(mp_block_destroy(big));
    assert_ok(mp_block_destroy(report));
    assert_usage(&before);
}

static void test_window(void **state)
{
    (void)state;
    each_method(window);
}

static int destroy_it(void *args)
{
    REQUIRE(mp_block_destroy(*(const mp_block *)args) == 0);
    REQUIRE(mp_block_destroy(*(const mp_block *)args) == MP_EBADHANDLE);
    return 0;
}

static void child_destroys(mp_start_method method)
{
    struct usage before = usage_now();
    mp_block block;
    assert_ok(mp_block_create(&block, 5000));
    const char *data = mp_block_data(block);
    assert_int_equal(child_run(method, destroy_it, &block, sizeof block), 0);
    assert_null(mp_block_data(block));
    assert_int_equal(mp_block_of(data).id, 0);
    (void)*(const volatile char *)data; /* it stays mapped */
    assert_fails(mp_block_destroy(block), MP_EBADHANDLE);
    assert_usage(&before);
}

static void test_child_destroys(void **state)
{
    (void)state;
    each_method(child_destroys);
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window), /* while the window is small */
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_arguments),      cmocka_unit_test(test_block_of),
        cmocka_unit_test(test_child_makes), cmocka_unit_test(test_child_destroys),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
