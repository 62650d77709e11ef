/* SPDX-License-Identifier: MIT
 *
 * test_error.c - results: their numbers, names and sentences, the detail of each thread, and MP_CHECK.
 */
#include "shared_support.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

/* Written out: they never change. */
static const struct {
    int code;
    const char *name;
} codes[] = {
    {-1001, "MP_EINVAL"},    {-1002, "MP_EBADHANDLE"}, {-1003, "MP_ENOMEM"},    {-1004, "MP_ETIMEDOUT"},
    {-1005, "MP_ECLOSED"},   {-1006, "MP_EPEERDEAD"},  {-1007, "MP_EMSGSIZE"},  {-1008, "MP_ENOTOWNER"},
    {-1009, "MP_EDEADLK"},   {-1010, "MP_EOVERFLOW"},  {-1011, "MP_EBROKEN"},   {-1012, "MP_EBUSY"},
    {-1013, "MP_ENOTSUP"},   {-1014, "MP_ESTALE"},     {-1015, "MP_ENOTARGET"}, {-1016, "MP_ENOFREEZE"},
    {-1017, "MP_ELIMIT"},    {-1018, "MP_EPERM"},      {-1019, "MP_ETASK"},     {-1020, "MP_EWORKERDEAD"},
    {-1021, "MP_ECANCELED"}, {-1022, "MP_EEXIT"},      {-1023, "MP_EINIT"},     {-1024, "MP_ESYSTEM"},
    {1, "MP_OWNERDEAD"},
};
enum {
    CODES = sizeof codes / sizeof *codes
};

/* Runs first. */
static void test_nothing_yet(void **state)
{
    (void)state;
    assert_string_equal(mp_error_detail(), "");
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < CODES; i++) {
        assert_string_equal(mp_error_name(codes[i].code), codes[i].name);
        assert_string_not_equal(mp_strerror(codes[i].code), mp_strerror(12345));
        for (int k = 0; k < i; k++) assert_string_not_equal(mp_strerror(codes[i].code), mp_strerror(codes[k].code));
    }
    assert_string_equal(mp_strerror(MP_ETIMEDOUT), "the time ended first");
    assert_string_equal(mp_strerror(0), "success");
    assert_int_equal(MP_EINVAL, -1001);
    assert_int_equal(MP_ESYSTEM, -1024);
    assert_int_equal(MP_OWNERDEAD, 1);
}

static bool is_code(int number)
{
    for (int i = 0; i < CODES; i++)
        if (codes[i].code == number) return true;
    return number == 0;
}

static void test_unknown(void **state)
{
    (void)state;
    assert_string_equal(mp_strerror(INT_MIN), "an unknown result");
    assert_string_equal(mp_error_name(INT_MAX), "?");
    for (int number = -70000; number < 70000; number++) {
        assert_int_equal(strcmp(mp_error_name(number), "?") == 0, !is_code(number));
        assert_int_equal(strcmp(mp_strerror(number), "an unknown result") == 0, !is_code(number));
    }
}

/* One line, which names the call; what succeeds does not change it. */
static void test_detail(void **state)
{
    (void)state;
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, &(mp_lock_options){.name = "printer"}));
    assert_fails(mp_lock_release(lock), MP_EOVERFLOW);
    char kept[1000];
    (void)snprintf(kept, sizeof kept, "%s", mp_error_detail());
    assert_non_null(strstr(kept, "mp_lock_release"));
    assert_non_null(strstr(kept, "\"printer\""));
    assert_null(strchr(kept, '\n'));
    assert_ok(mp_lock_acquire(lock, 0));
    assert_ok(mp_lock_release(lock));
    (void)mp_strerror(MP_EINVAL);
    assert_string_equal(mp_error_detail(), kept);
    assert_fails(mp_lock_acquire((mp_lock){0}, 0), MP_EBADHANDLE);
    assert_string_not_equal(mp_error_detail(), kept);
    assert_ok(mp_lock_destroy(lock));
}

/* Names as long as they may be, of characters that formats know. */
static void test_detail_long(void **state)
{
    (void)state;
    char name[300];
    memset(name, '%', sizeof name);
    name[sizeof name - 1] = 0;
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, &(mp_lock_options){.name = name}));
    assert_fails(mp_lock_release(lock), MP_EOVERFLOW);
    assert_true(strlen(mp_error_detail()) < 1000);
    assert_non_null(strstr(mp_error_detail(), "%%%%"));
    assert_ok(mp_lock_destroy(lock));
}

static void *other_thread(void *args)
{
    if (mp_error_detail()[0]) return NULL; /* the other's */
    if (mp_lock_release((mp_lock){UINT64_C(0x9999)}) != MP_EBADHANDLE) return NULL;
    return strstr(mp_error_detail(), "0x9999") ? args : NULL;
}

static void test_detail_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *result;
    assert_fails(mp_lock_release((mp_lock){UINT64_C(0x7777)}), MP_EBADHANDLE);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, state), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_non_null(strstr(mp_error_detail(), "0x7777"));
}

/* ---- MP_CHECK -------------------------------------------------------------------------------------------------- */

static void test_check_passes(void **state)
{
    (void)state;
    mp_lock lock;
    int calls = 0;
    assert_int_equal(MP_CHECK((calls++, 0)), 0);
    assert_int_equal(MP_CHECK((calls++, 17)), 17);
    assert_int_equal(MP_CHECK((calls++, (int)MP_OWNERDEAD)), 1);
    assert_int_equal(calls, 3);
    MP_CHECK(mp_lock_create(&lock, NULL));
    assert_int_equal(MP_CHECK(mp_lock_locked(lock)), 0);
    MP_CHECK(mp_lock_destroy(lock));
}

static int check_fails(void *args)
{
    (void)args;
    if (stderr_capture() < 0) return 98;
    MP_CHECK(mp_lock_release((mp_lock){UINT64_C(0x4711)}));
    return 97;
}

static int check_fails_bare(void *args)
{
    (void)args;
    if (stderr_capture() < 0) return 98;
    MP_CHECK(MP_EPEERDEAD); /* of no call at all */
    return 97;
}

static void check_message(mp_start_method method)
{
    char text[2000];
    assert_int_equal(child_run_captured(method, check_fails, NULL, 0, text, sizeof text), 1);
    static const char *const parts[] = {"test_error.c:", "mp_lock_release((mp_lock){UINT64_C(0x4711)})",
                                        "MP_EBADHANDLE", "0x4711", "Process-"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i])) fail_msg("it lacks \"%s\": %s", parts[i], text);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_int_equal(child_run_captured(method, check_fails_bare, NULL, 0, text, sizeof text), 1);
    assert_non_null(strstr(text, "MP_EPEERDEAD"));
    assert_non_null(strstr(text, mp_strerror(MP_EPEERDEAD)));
}

static void test_check_message(void **state)
{
    (void)state;
    each_method(check_message);
}

struct family {
    mp_lock never; /* held by the parent */
    mp_block shared;
    mp_start_method method;
};

struct shared {
    _Atomic uint32_t running;
    mp_process grandchildren[2];
};

static int grandchild(void *args)
{
    const struct family *family = args;
    struct shared *shared = mp_block_data(family->shared);
    atomic_fetch_add(&shared->running, 1);
    return mp_lock_acquire(family->never, MP_FOREVER) == 0 ? 0 : 5;
}

static int parent_that_fails(void *args)
{
    const struct family *family = args;
    struct shared *shared = mp_block_data(family->shared);
    mp_process_options options = {.method = family->method};
    if (stderr_capture() < 0) return 98;
    for (int i = 0; i < 2; i++) {
        options.daemon = i == 1;
        REQUIRE(mp_process_start(&shared->grandchildren[i], grandchild, family, sizeof *family, &options) == 0);
    }
    REQUIRE(await_count(&shared->running, 2));
    MP_CHECK(MP_EINVAL);
    return 97;
}

/* Its own children are ended with it, daemons or not, and the rest of the family is not. */
static void check_ends_children(mp_start_method method)
{
    struct usage before = usage_now();
    char text[2000];
    struct family family = {.method = method};
    mp_process sibling;
    assert_ok(mp_lock_create(&family.never, NULL));
    assert_ok(mp_lock_acquire(family.never, 0));
    assert_ok(mp_block_create(&family.shared, sizeof(struct shared)));
    struct shared *shared = mp_block_data(family.shared);
    assert_int_equal(child_run_captured(method, parent_that_fails, &family, sizeof family, text, sizeof text), 1);
    assert_non_null(strstr(text, "MP_EINVAL"));
    for (int i = 0; i < 2; i++) {
        int code = 0;
        assert_ok(mp_process_join(shared->grandchildren[i], &code, PATIENCE_MS));
        assert_true(code == -15 || code == -9);
        assert_ok(mp_process_close(shared->grandchildren[i]));
    }
    /* A child of this process outlives a brother's failure. */
    atomic_store(&shared->running, 0);
    children_start(&sibling, 1, method, grandchild, &family, sizeof family);
    assert_true(await_count(&shared->running, 1));
    assert_int_equal(child_run_captured(method, check_fails, NULL, 0, text, sizeof text), 1);
    assert_int_equal(mp_process_is_alive(sibling), 1);
    assert_ok(mp_lock_release(family.never));
    children_join(&sibling, 1);
    assert_ok(mp_lock_destroy(family.never));
    assert_ok(mp_block_destroy(family.shared));
    assert_usage(&before);
}

static void test_check_ends_children(void **state)
{
    (void)state;
    each_method(check_ends_children);
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest first[] = {cmocka_unit_test(test_nothing_yet)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_detail),        cmocka_unit_test(test_detail_long),
        cmocka_unit_test(test_detail_thread), cmocka_unit_test(test_check_passes),
        cmocka_unit_test(test_check_message), cmocka_unit_test(test_check_ends_children),
    };
    int failed = cmocka_run_group_tests(first, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, warm_up, NULL);
}
