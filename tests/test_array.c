/* SPDX-License-Identifier: MIT
 *
 * test_array.c - Array: items of one size, none of them too, with its lock, in every process.
 */
#include "shared_support.h"

struct item {
    char letter[3];
};

static void test_plain(void **state)
{
    (void)state;
    struct usage before = usage_now();
    static const size_t lengths[] = {1, 2, 10, 1000, 100000, 0}, item_sizes[] = {1, 3, 4, 8, 24, 100};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t k = 0; k < sizeof item_sizes / sizeof *item_sizes; k++) {
            size_t size = lengths[i] * item_sizes[k];
            mp_array array;
            assert_ok(mp_array_create(&array, lengths[i], item_sizes[k], &(mp_shared_options){.name = "array"}));
            assert_int_equal(mp_array_length(array), lengths[i]);
            assert_int_equal(mp_array_item_size(array), item_sizes[k]);
            void *data = mp_array_data(array, item_sizes[k]);
            assert_non_null(data);
            assert_int_equal((uintptr_t)data % 64, 0);
            assert_true(all_zero(data, size));
            pattern_fill(data, size, k);
            assert_true(pattern_holds(mp_array_data(array, item_sizes[k]), size, k));
            assert_null(mp_array_data(array, item_sizes[k] + 1));
            assert_null(mp_array_data(array, 0));
            assert_null(mp_array_data(array, SIZE_MAX));
            assert_ok(mp_array_destroy(array));
            assert_null(mp_array_data(array, item_sizes[k]));
            assert_int_equal(mp_array_length(array), 0);
            assert_int_equal(mp_array_item_size(array), 0);
            assert_int_equal(mp_array_get_lock(array).id, 0);
            assert_fails(mp_array_destroy(array), MP_EBADHANDLE);
        }
    }
    assert_usage(&before);
}

static void test_typed(void **state)
{
    (void)state;
    mp_array array;
    assert_ok(mp_array_create(&array, 26, sizeof(struct item), NULL));
    for (int i = 0; i < 26; i++) MP_ARRAY(struct item, array)[i].letter[0] = (char)('a' + i);
    assert_memory_equal(MP_ARRAY(struct item, array), "a\0\0b\0\0c\0\0d", 10);
    assert_null(mp_array_data(array, sizeof(int)));
    assert_non_null(strstr(mp_error_detail(), "3 bytes, not 4"));
    assert_ok(mp_array_destroy(array));
}

static void test_empty(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_array array, other;
    assert_ok(mp_array_create(&array, 0, 8, NULL));
    assert_ok(mp_array_create(&other, 0, 8, &(mp_shared_options){.raw = true}));
    assert_int_equal(usage_now().stats.blocks, before.stats.blocks); /* no memory for nothing */
    assert_int_equal(usage_now().stats.arrays, before.stats.arrays + 2);
    assert_non_null(mp_array_data(array, 8));
    assert_null(mp_array_data(array, 4));
    int inside = 0;
    MP_WITH_LOCK(array) inside++;
    assert_int_equal(inside, 1);
    assert_int_equal(mp_block_of(mp_array_data(array, 8)).id, 0);
    assert_ok(mp_array_destroy(array));
    assert_ok(mp_array_destroy(other));
    assert_usage(&before);
}

static void test_arguments(void **state)
{
    (void)state;
    mp_lock lock;
    mp_value value;
    mp_array array = {1};
    assert_ok(mp_lock_create(&lock, NULL));
    assert_ok(mp_value_create(&value, 1, NULL));
    struct usage before = usage_now();
    assert_fails(mp_array_create(NULL, 4, 4, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, 4, 0, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, 0, 0, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, SIZE_MAX, SIZE_MAX, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, SIZE_MAX / 2 + 1, 2, NULL), MP_EINVAL);
    assert_fails(mp_array_create(&array, 4, 4, &(mp_shared_options){.raw = true, .lock = {lock.id}}), MP_EINVAL);
    assert_fails(mp_array_create(&array, 4, 4, &(mp_shared_options){.lock = {value.id}}), MP_EBADHANDLE);
    assert_int_equal(array.id, 1); /* untouched */
    assert_usage(&before);
    assert_ok(mp_lock_destroy(lock));
    assert_ok(mp_value_destroy(value));
}

static void test_locks(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_array own, raw, given;
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, NULL));
    assert_ok(mp_array_create(&own, 2, 2, NULL));
    assert_ok(mp_array_create(&raw, 2, 2, &(mp_shared_options){.raw = true}));
    assert_ok(mp_array_create(&given, 2, 2, &(mp_shared_options){.lock = {lock.id}}));
    mp_rlock rlock = mp_array_get_lock(own);
    assert_string_equal(mp_handle_kind(MP_HANDLE(rlock)), "rlock");
    assert_int_equal(mp_array_get_lock(raw).id, 0);
    assert_int_equal(mp_array_get_lock(given).id, lock.id);
    assert_fails(mp_rlock_destroy(rlock), MP_EBUSY);
    MP_WITH_LOCK(own) {
        assert_int_equal(mp_rlock_locked(rlock), 1);
        MP_WITH_LOCK(own) assert_int_equal(mp_rlock_locked(rlock), 1);
        MP_WITH_LOCK(given) assert_int_equal(mp_lock_locked(lock), 1);
    }
    assert_int_equal(mp_rlock_locked(rlock), 0);
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_ok(mp_array_destroy(own));
    assert_ok(mp_array_destroy(raw));
    assert_ok(mp_array_destroy(given));
    assert_fails(mp_rlock_locked(rlock), MP_EBADHANDLE);
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_ok(mp_lock_destroy(lock));
    assert_usage(&before);
}

/* ---- in other processes ---------------------------------------------------------------------------------------- */

struct job {
    mp_array numbers, empty;
    mp_rlock lock;
    size_t length;
};

static int use(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_array_length(job->numbers) == job->length);
    REQUIRE(mp_array_item_size(job->numbers) == sizeof(int));
    REQUIRE(mp_array_length(job->empty) == 0);
    REQUIRE(mp_array_item_size(job->empty) == 24);
    REQUIRE(mp_array_data(job->empty, 24) != NULL);
    REQUIRE(mp_array_data(job->empty, 23) == NULL);
    REQUIRE(mp_array_get_lock(job->numbers).id == job->lock.id);
    REQUIRE(mp_rlock_destroy(job->lock) == MP_EBUSY);
    int *numbers = MP_ARRAY(int, job->numbers);
    for (int round = 0; round < 5; round++)
        MP_WITH_LOCK(job->numbers)
            for (size_t i = 0; i < job->length; i++) numbers[i] += (int)i;
    return 0;
}

static void in_children(mp_start_method method)
{
    enum {
        CHILDREN = 4
    };
    struct usage before = usage_now();
    struct job job = {.length = 50000};
    assert_ok(mp_array_create(&job.numbers, job.length, sizeof(int), NULL));
    assert_ok(mp_array_create(&job.empty, 0, 24, NULL));
    job.lock = mp_array_get_lock(job.numbers);
    mp_process children[CHILDREN];
    children_start(children, CHILDREN, method, use, &job, sizeof job);
    children_join(children, CHILDREN);
    const int *numbers = MP_ARRAY(int, job.numbers);
    for (size_t i = 0; i < job.length; i++) assert_int_equal(numbers[i], 5 * CHILDREN * (int)i);
    assert_ok(mp_array_destroy(job.numbers));
    assert_ok(mp_array_destroy(job.empty));
    assert_usage(&before);
}

static void test_in_children(void **state)
{
    (void)state;
    each_method(in_children);
}

/* MP_ARRAY of another type ends the process. */
static int wrong_size(void *args)
{
    if (stderr_capture() < 0) return 98;
    MP_ARRAY(char, *(const mp_array *)args)[0] = 1;
    return 0;
}

static void check_dies(mp_start_method method)
{
    mp_array array;
    char text[2000];
    assert_ok(mp_array_create(&array, 5, sizeof(int), NULL));
    assert_int_equal(child_run_captured(method, wrong_size, &array, sizeof array, text, sizeof text), 1);
    assert_non_null(strstr(text, "test_array.c"));
    assert_non_null(strstr(text, "4 bytes, not 1"));
    assert_ok(mp_array_destroy(array));
}

static void test_check_dies(void **state)
{
    (void)state;
    each_method(check_dies);
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),      cmocka_unit_test(test_typed), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_arguments),  cmocka_unit_test(test_locks), cmocka_unit_test(test_in_children),
        cmocka_unit_test(test_check_dies),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
