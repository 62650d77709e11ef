/* SPDX-License-Identifier: MIT
 *
 * test_value.c - Value: typed, zero at first, with its lock, in every process.
 */
#include "shared_support.h"

struct point {
    double x, y;
    char name[13];
};

static void test_plain(void **state)
{
    (void)state;
    struct usage before = usage_now();
    static const size_t sizes[] = {1, 2, 3, 4, 8, 16, sizeof(struct point), 100, 16384, 16385, 70000, 3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mp_value value;
        assert_ok(mp_value_create(&value, sizes[i], &(mp_shared_options){.name = "v"}));
        assert_int_equal(mp_value_size(value), sizes[i]);
        void *data = mp_value_data(value, sizes[i]);
        assert_non_null(data);
        assert_int_equal((uintptr_t)data % 64, 0);
        assert_true(all_zero(data, sizes[i]));
        pattern_fill(data, sizes[i], i);
        assert_true(pattern_holds(mp_value_data(value, sizes[i]), sizes[i], i));
        assert_ok(mp_value_destroy(value));
        assert_null(mp_value_data(value, sizes[i]));
        assert_int_equal(mp_value_size(value), 0);
        assert_int_equal(mp_value_get_lock(value).id, 0);
        assert_fails(mp_value_destroy(value), MP_EBADHANDLE);
    }
    assert_usage(&before);
}

static void test_typed(void **state)
{
    (void)state;
    mp_value number, point;
    assert_ok(mp_value_create(&number, sizeof(long long), NULL));
    assert_ok(mp_value_create(&point, sizeof(struct point), NULL));
    *MP_VALUE(long long, number) = -5;
    *MP_VALUE(struct point, point) = (struct point){1.5, 2.5, "here"};
    assert_int_equal(*MP_VALUE(long long, number), -5);
    assert_string_equal(MP_VALUE(struct point, point)->name, "here");
    assert_null(mp_value_data(number, sizeof(char)));
    assert_non_null(strstr(mp_error_detail(), "8 bytes, not 1"));
    assert_null(mp_value_data(number, 9));
    assert_null(mp_value_data(number, 0));
    assert_null(mp_value_data(number, SIZE_MAX));
    assert_ok(mp_value_destroy(number));
    assert_ok(mp_value_destroy(point));
}

static void test_arguments(void **state)
{
    (void)state;
    struct usage before;
    mp_rlock rlock;
    mp_block block;
    mp_value value = {1};
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_block_create(&block, 1));
    before = usage_now();
    assert_fails(mp_value_create(NULL, 4, NULL), MP_EINVAL);
    assert_fails(mp_value_create(&value, 0, NULL), MP_EINVAL);
    assert_fails(mp_value_create(&value, 4, &(mp_shared_options){.raw = true, .lock = rlock}), MP_EINVAL);
    assert_fails(mp_value_create(&value, 4, &(mp_shared_options){.lock = {block.id}}), MP_EBADHANDLE);
    assert_fails(mp_value_create(&value, 4, &(mp_shared_options){.lock = {mp_current_process().id}}), MP_EBADHANDLE);
    assert_int_equal(value.id, 1); /* untouched */
    assert_usage(&before);
    assert_ok(mp_rlock_destroy(rlock));
    assert_fails(mp_value_create(&value, 4, &(mp_shared_options){.lock = rlock}), MP_EBADHANDLE);
    assert_ok(mp_block_destroy(block));
}

/* ---- its lock -------------------------------------------------------------------------------------------------- */

static void test_own_lock(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_value value;
    assert_ok(mp_value_create(&value, 4, NULL));
    mp_rlock own = mp_value_get_lock(value);
    assert_string_equal(mp_handle_kind(MP_HANDLE(own)), "rlock");
    assert_int_equal(usage_now().stats.rlocks, before.stats.rlocks + 1);
    assert_ok(mp_rlock_acquire(own, 0));
    assert_ok(mp_rlock_acquire(own, 0));
    MP_WITH_LOCK(value) assert_int_equal(mp_rlock_locked(own), 1);
    assert_fails(mp_rlock_destroy(own), MP_EBUSY); /* not without its value */
    assert_ok(mp_rlock_release(own));
    assert_ok(mp_rlock_release(own));
    assert_int_equal(mp_rlock_locked(own), 0);
    assert_fails(mp_rlock_destroy(own), MP_EBUSY);
    assert_ok(mp_value_destroy(value));
    assert_fails(mp_rlock_acquire(own, 0), MP_EBADHANDLE); /* gone with it */
    assert_fails(mp_rlock_destroy(own), MP_EBADHANDLE);
    assert_usage(&before);
}

static void test_raw(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_value value;
    assert_ok(mp_value_create(&value, 4, &(mp_shared_options){.raw = true}));
    assert_int_equal(usage_now().stats.rlocks, before.stats.rlocks);
    assert_int_equal(mp_value_get_lock(value).id, 0);
    *MP_VALUE(int, value) = 1;
    assert_ok(mp_value_destroy(value));
    assert_usage(&before);
}

static void test_given_lock(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_rlock rlock;
    mp_lock lock;
    mp_value first, second, third;
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_lock_create(&lock, NULL));
    assert_ok(mp_value_create(&first, 4, &(mp_shared_options){.lock = rlock}));
    assert_ok(mp_value_create(&second, 4, &(mp_shared_options){.lock = rlock}));
    assert_ok(mp_value_create(&third, 4, &(mp_shared_options){.lock = {lock.id}}));
    assert_int_equal(mp_value_get_lock(first).id, rlock.id);
    assert_int_equal(mp_value_get_lock(second).id, rlock.id);
    assert_int_equal(mp_value_get_lock(third).id, lock.id);
    MP_WITH_LOCK(first) {
        assert_int_equal(mp_rlock_locked(rlock), 1);
        MP_WITH_LOCK(second) {
            MP_WITH_LOCK(third) assert_int_equal(mp_lock_locked(lock), 1);
        }
    }
    assert_int_equal(mp_rlock_locked(rlock), 0);
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_ok(mp_value_destroy(first));
    assert_ok(mp_value_destroy(third));
    assert_int_equal(mp_rlock_locked(rlock), 0); /* they stay */
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_ok(mp_rlock_destroy(rlock)); /* not its own: it may go first */
    assert_non_null(mp_value_data(second, 4));
    assert_ok(mp_value_destroy(second));
    assert_ok(mp_lock_destroy(lock));
    assert_usage(&before);
}

/* ---- in other processes ---------------------------------------------------------------------------------------- */

struct job {
    mp_value total, point, raw, made; /* made: the child's own, in return */
    mp_rlock lock;
    uint64_t point_lock;
};

static int use(void *args)
{
    const struct job *job = args;
    REQUIRE(mp_value_size(job->total) == sizeof(long));
    REQUIRE(mp_value_size(job->point) == sizeof(struct point));
    REQUIRE(mp_value_data(job->point, 3) == NULL);
    REQUIRE(mp_value_get_lock(job->total).id == job->lock.id);
    REQUIRE(mp_value_get_lock(job->point).id == job->point_lock);
    REQUIRE(mp_value_get_lock(job->raw).id == 0);
    REQUIRE(strcmp(MP_VALUE(struct point, job->point)->name, "parent") == 0);
    REQUIRE(mp_rlock_destroy(mp_value_get_lock(job->point)) == MP_EBUSY);
    for (int i = 0; i < 2000; i++)
        MP_WITH_LOCK(job->total) *MP_VALUE(long, job->total) += 1;
    return 0;
}

static int make(void *args)
{
    const struct job *job = args;
    mp_value made;
    REQUIRE(mp_value_create(&made, sizeof(struct point), NULL) == 0);
    *MP_VALUE(struct point, made) = (struct point){3, 4, "child"};
    *MP_VALUE(mp_value, job->raw) = made;
    return 0;
}

static void in_children(mp_start_method method)
{
    enum {
        CHILDREN = 4
    };
    struct usage before = usage_now();
    struct job job = {0};
    assert_ok(mp_rlock_create(&job.lock, NULL));
    assert_ok(mp_value_create(&job.total, sizeof(long), &(mp_shared_options){.lock = job.lock}));
    assert_ok(mp_value_create(&job.point, sizeof(struct point), NULL));
    assert_ok(mp_value_create(&job.raw, sizeof(mp_value), &(mp_shared_options){.raw = true}));
    job.point_lock = mp_value_get_lock(job.point).id;
    strcpy(MP_VALUE(struct point, job.point)->name, "parent");
    mp_process children[CHILDREN];
    children_start(children, CHILDREN, method, use, &job, sizeof job);
    children_join(children, CHILDREN);
    assert_int_equal(*MP_VALUE(long, job.total), 2000 * CHILDREN);
    assert_int_equal(child_run(method, make, &job, sizeof job), 0);
    job.made = *MP_VALUE(mp_value, job.raw);
    assert_string_equal(MP_VALUE(struct point, job.made)->name, "child");
    assert_int_equal(mp_rlock_locked(mp_value_get_lock(job.made)), 0);
    assert_ok(mp_value_destroy(job.made));
    assert_ok(mp_value_destroy(job.total));
    assert_ok(mp_value_destroy(job.point));
    assert_ok(mp_value_destroy(job.raw));
    assert_ok(mp_rlock_destroy(job.lock));
    assert_usage(&before);
}

static void test_in_children(void **state)
{
    (void)state;
    each_method(in_children);
}

/* MP_VALUE of another size, or of nothing, ends the process. */
static int wrong_size(void *args)
{
    if (stderr_capture() < 0) return 98;
    *MP_VALUE(char, *(const mp_value *)args) = 1;
    return 0;
}

static void check_dies(mp_start_method method)
{
    mp_value value;
    char text[2000];
    assert_ok(mp_value_create(&value, sizeof(long), NULL));
    assert_int_equal(child_run_captured(method, wrong_size, &value, sizeof value, text, sizeof text), 1);
    assert_non_null(strstr(text, "test_value.c"));
    assert_non_null(strstr(text, "not 1"));
    assert_ok(mp_value_destroy(value));
    assert_int_equal(child_run_captured(method, wrong_size, &value, sizeof value, text, sizeof text), 1);
    assert_non_null(strstr(text, "MP_EBADHANDLE"));
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
        cmocka_unit_test(test_plain),       cmocka_unit_test(test_typed),      cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_own_lock),    cmocka_unit_test(test_raw),        cmocka_unit_test(test_given_lock),
        cmocka_unit_test(test_in_children), cmocka_unit_test(test_check_dies),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
