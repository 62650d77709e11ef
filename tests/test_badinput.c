/* SPDX-License-Identifier: MIT
 *
 * test_badinput.c - starts that can not be meant: a named error, a detail that says what is wrong, and nothing changed.
 * Bad handles are test_handle.c's, bad functions test_functions.c's, what the system refuses test_limits.c's.
 */
#include "support.h"

#include <string.h>

static int nothing(void *args)
{
    (void)args;
    return 0;
}

static mp_target target = nothing;

/* Refused, with that error and a detail in which `word` stands. */
static void refused(int error, const char *word, const void *args, size_t size, const mp_process_options *options)
{
    const uint64_t before = 4711;
    mp_process process = {before};
    int result = mp_process_start(&process, target, args, size, options);
    if (result != error || !strstr(mp_error_detail(), word) || !strstr(mp_error_detail(), "mp_process_start"))
        fail_msg("%s instead of %s, and the detail, which should have \"%s\" in it, is: %s", mp_error_name(result),
                 mp_error_name(error), word, mp_error_detail());
    assert_int_equal(process.id, before);
    assert_int_equal(mp_process_start(NULL, target, args, size, options), error);
}

static void no_target(void **state)
{
    (void)state;
    target = NULL;
    refused(MP_EINVAL, "target is NULL", NULL, 0, NULL);
    refused(MP_EINVAL, "target is NULL", "x", 1, NULL);
    target = nothing;
}

static void size_without_data(void **state)
{
    (void)state;
    refused(MP_EINVAL, "args is NULL", NULL, 1, NULL);
    refused(MP_EINVAL, "args is NULL", NULL, SIZE_MAX, NULL);
}

/* Sizes that would wrap around when something is added to them. */
static void more_data_than_there_can_be(void **state)
{
    (void)state;
    if (mp_get_start_method() == MP_FORK) skip(); /* a copy has them */
    for (size_t less = 0; less < 10000; less = less * 2 + 1)
        refused(MP_ENOMEM, "arguments", "x", SIZE_MAX - less, NULL);
    refused(MP_ENOMEM, "arguments", "x", SIZE_MAX / 2, NULL);
    refused(MP_ENOMEM, "arguments", "x", SIZE_MAX / 2 + 1, NULL);
}

static void bad_options(void **state)
{
    (void)state;
    for (int method = -3; method < 8; method++)
        if (method < MP_DEFAULT || method > MP_FORKSERVER)
            refused(MP_EINVAL, "start method", NULL, 0, &(mp_process_options){.method = (mp_start_method)method});
    refused(MP_EINVAL, "options.name", NULL, 0, &(mp_process_options){.name = ""});
    refused(MP_EINVAL, "options.name", NULL, 0, &(mp_process_options){.name = "two\nlines"});
    static const char *const without_name[] = {"GOOD=1", "=bad", NULL}, *const empty[] = {"", NULL};
    refused(MP_EINVAL, "environment", NULL, 0, &(mp_process_options){.environment = without_name});
    refused(MP_EINVAL, "environment", NULL, 0, &(mp_process_options){.environment = empty});
    refused(MP_EINVAL, "options.keep", NULL, 0, &(mp_process_options){.keep_count = 1});
    static const mp_fd closed[] = {(mp_fd)-1, (mp_fd)1000000};
    refused(MP_EINVAL, "options.keep", NULL, 0, &(mp_process_options){.keep = closed, .keep_count = 1});
    refused(MP_EINVAL, "options.keep", NULL, 0, &(mp_process_options){.keep = closed + 1, .keep_count = 1});
}

/* Time-outs are clamped: below 0 polls, and the largest is not past. */
static void timeouts(void **state)
{
    static const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1000000000000, -1, 0};
    static const int64_t future[] = {MP_FOREVER, INT64_MAX, INT64_MAX - 1, INT64_MAX / 1000, INT64_MAX / 1000000};
    (void)state;
    struct gate gate = gate_create();
    mp_process process;
    ok(mp_process_start(&process, nothing, NULL, 0, NULL));
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        int code = 0;
        fails(MP_ETIMEDOUT, mp_semaphore_acquire(gate.semaphore, past[i]));
        if (past[i] < 0 && mp_process_join(mp_current_process(), &code, past[i]) != MP_EDEADLK) fail();
    }
    for (size_t i = 0; i < sizeof future / sizeof *future; i++) {
        int code = -1;
        ok(mp_process_join(process, &code, future[i]));
        assert_int_equal(code, 0);
        ok(mp_process_join_all(&process, &code, 1, future[i]));
        gate_open(gate);
        ok(mp_semaphore_acquire(gate.semaphore, future[i]));
    }
    ok(mp_process_close(process));
    gate_destroy(gate);
}

static const struct test_case cases[] = {
    CASE(no_target), CASE(size_without_data), CASE(more_data_than_there_can_be), CASE(bad_options), CASE(timeouts),
};

SUPPORT_MAIN("badinput", cases)
