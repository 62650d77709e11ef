/* SPDX-License-Identifier: MIT
 *
 * test_log.c - the log: off at first, a line at a time, for the whole family.
 */
#include "shared_support.h"

#include <inttypes.h>
#include <stdio.h>

static int fails_three_times(void *args)
{
    (void)args;
    if (stderr_capture() < 0) return 98;
    for (uint64_t i = 1; i <= 3; i++) REQUIRE(mp_lock_release((mp_lock){i}) == MP_EBADHANDLE);
    return 0;
}

/* The number of lines; each looks like "[LEVEL/name pid] text", with that level if there is one. */
static int lines_of(const char *text, const char *level)
{
    int lines = 0;
    while (*text) {
        char found[32], name[64];
        int64_t pid;
        int end = 0;
        const char *line_end = strchr(text, '\n');
        assert_non_null(line_end);
        if (sscanf(text, "[%31[A-Z]/%63[^] ] %" SCNd64 "] %n", found, name, &pid, &end) != 3 || !end)
            fail_msg("no line of a log: %s", text);
        assert_true(pid > 0);
        assert_true(line_end > text + end);
        if (!level || strcmp(found, level) == 0) lines++;
        text = line_end + 1;
    }
    return lines;
}

static void levels(mp_start_method method)
{
    char text[4000];
    mp_log_to_stderr(MP_LOG_OFF);
    assert_int_equal(child_run_captured(method, fails_three_times, NULL, 0, text, sizeof text), 0);
    assert_string_equal(text, "");
    static const mp_log_level quiet[] = {MP_LOG_ERROR, MP_LOG_WARNING};
    for (int i = 0; i < 2; i++) {
        mp_log_to_stderr(quiet[i]);
        assert_int_equal(child_run_captured(method, fails_three_times, NULL, 0, text, sizeof text), 0);
        mp_log_to_stderr(MP_LOG_OFF);
        assert_string_equal(text, ""); /* nothing went wrong that nobody was told */
    }
    mp_log_to_stderr(MP_LOG_DEBUG); /* this process says so, and that one hears */
    assert_int_equal(child_run_captured(method, fails_three_times, NULL, 0, text, sizeof text), 0);
    mp_log_to_stderr(MP_LOG_OFF);
    assert_true(lines_of(text, NULL) >= 3);
    assert_int_equal(lines_of(text, "DEBUG"), 3);
    assert_non_null(strstr(text, "/Process-"));
    assert_non_null(strstr(text, "MP_EBADHANDLE"));
    assert_non_null(strstr(text, "mp_lock_release"));
    mp_log_to_stderr((mp_log_level)1000); /* that much is all there is */
    assert_int_equal(child_run_captured(method, fails_three_times, NULL, 0, text, sizeof text), 0);
    mp_log_to_stderr(MP_LOG_OFF);
    assert_int_equal(lines_of(text, "DEBUG"), 3);
}

static void test_levels(void **state)
{
    (void)state;
    each_method(levels);
}

static int sets_level(void *args)
{
    if (stderr_capture() < 0) return 98;
    mp_log_to_stderr(*(const mp_log_level *)args);
    return fails_three_times(NULL);
}

/* A child sets it for its family, too. */
static void set_by_child(mp_start_method method)
{
    char text[4000];
    mp_log_level level = MP_LOG_DEBUG;
    assert_int_equal(child_run_captured(method, sets_level, &level, sizeof level, text, sizeof text), 0);
    assert_int_equal(lines_of(text, "DEBUG"), 3);
    assert_int_equal(child_run_captured(method, fails_three_times, NULL, 0, text, sizeof text), 0);
    assert_int_equal(lines_of(text, "DEBUG"), 3);
    level = MP_LOG_OFF;
    assert_int_equal(child_run_captured(method, sets_level, &level, sizeof level, text, sizeof text), 0);
    assert_int_equal(lines_of(text, NULL), 0);
}

static void test_set_by_child(void **state)
{
    (void)state;
    each_method(set_by_child);
    mp_log_to_stderr(MP_LOG_OFF);
}

/* INFO: processes coming and going. */
static int grandchild(void *args)
{
    (void)args;
    return 0;
}

static int starts_one(void *args)
{
    mp_process_options options = {.method = *(const mp_start_method *)args, .name = "the grandchild"};
    mp_process process;
    if (stderr_capture() < 0) return 98;
    REQUIRE(mp_process_start(&process, grandchild, NULL, 0, &options) == 0);
    REQUIRE(mp_process_join(process, NULL, PATIENCE_MS) == 0);
    REQUIRE(mp_process_close(process) == 0);
    return 0;
}

static void coming_and_going(mp_start_method method)
{
    char text[4000];
    mp_log_to_stderr(MP_LOG_INFO);
    int code = child_run_captured(method, starts_one, &method, sizeof method, text, sizeof text);
    mp_log_to_stderr(MP_LOG_OFF);
    assert_int_equal(code, 0);
    if (!strstr(text, "INFO/")) fail_msg("nobody came or went: %s", text);
    if (!strstr(text, "the grandchild")) fail_msg("it is not named: %s", text);
    assert_null(strstr(text, "DEBUG/"));
}

static void test_coming_and_going(void **state)
{
    (void)state;
    each_method(coming_and_going);
}

/* A line is written at once: those of many processes do not mix. */
static int fails_often(void *args)
{
    const char *name = args;
    for (int i = 0; i < 200; i++) {
        mp_lock lock;
        REQUIRE(mp_lock_create(&lock, &(mp_lock_options){.name = name}) == 0);
        REQUIRE(mp_lock_release(lock) == MP_EOVERFLOW);
        REQUIRE(mp_lock_destroy(lock) == 0);
    }
    return 0;
}

static int starts_many(void *args)
{
    enum {
        CHILDREN = 4
    };
    static const char name[] = "abcdefghijklmnopqrstuvwxyz";
    mp_process_options options = {.method = *(const mp_start_method *)args};
    mp_process children[CHILDREN];
    if (stderr_capture() < 0) return 98;
    mp_log_to_stderr(MP_LOG_DEBUG);
    for (int i = 0; i < CHILDREN; i++)
        REQUIRE(mp_process_start(&children[i], fails_often, name, sizeof name, &options) == 0);
    REQUIRE(mp_process_join_all(children, NULL, CHILDREN, PATIENCE_MS) == 0);
    mp_log_to_stderr(MP_LOG_OFF);
    for (int i = 0; i < CHILDREN; i++) REQUIRE(mp_process_close(children[i]) == 0);
    return 0;
}

static void whole_lines(mp_start_method method)
{
    static char text[1000000];
    assert_int_equal(child_run_captured(method, starts_many, &method, sizeof method, text, sizeof text), 0);
    mp_log_to_stderr(MP_LOG_OFF);
    (void)lines_of(text, NULL);
    int named = 0;
    for (const char *at = text; (at = strstr(at, "\"abcdefghijklmnopqrstuvwxyz\"")); at++) named++;
    assert_int_equal(named, 800);
}

static void test_whole_lines(void **state)
{
    (void)state;
    each_method(whole_lines);
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_set_by_child),
        cmocka_unit_test(test_coming_and_going),
        cmocka_unit_test(test_whole_lines),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
