/* SPDX-License-Identifier: MIT
 *
 * test_exit.c - what happens at the end of a process, in what order, and what it has printed by then. Looked at from
 * outside: program_exit.c is the one that ends.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

static struct outcome outcome;

/* Run a scenario by the start method of the moment. */
static const char *run(const char *scenario)
{
    char method[8];
    snprintf(method, sizeof method, "%d", (int)mp_get_start_method());
    support_program(&outcome, "program_exit", (const char *const[]){scenario, method, NULL});
    assert_false(outcome.timed_out);
    /* Text mode. */
    char *to = outcome.text;
    for (const char *from = outcome.text; *from; from++)
        if (*from != '\r') *to++ = *from;
    *to = '\0';
    return outcome.text;
}

static bool is_new_program(void)
{
    return mp_get_start_method() == MP_SPAWN;
}

static void daemons_first(void **state)
{
    (void)state;
    const char *wanted = is_new_program() ? "main returns\nchild: daemon 0 -15\nearly handler in child\nhandler\n"
                                            "early handler in parent\n"
                                          : "main returns\nchild: daemon 0 -15\nhandler\nearly handler in parent\n";
    assert_string_equal(run("daemons"), wanted);
    assert_int_equal(outcome.code, 5);
    assert_string_equal(run("exit"), wanted);
    assert_int_equal(outcome.code, 9);
}

static void unjoined_children_are_joined(void **state)
{
    (void)state;
    const char *text = run("unjoined"); /* children by spawn may be through before main is */
    assert_int_equal(outcome.code, 0);
    text = strstr(text, "main returns\n");
    assert_non_null(text);
    assert_non_null(strstr(text, "total 100\n"));
}

static void stubborn_daemon_is_killed(void **state)
{
    int64_t before = support_now();
    (void)state;
    const char *text = run("stubborn");
    assert_memory_equal(text, "main returns\n", 13);
    assert_int_equal(outcome.code, 0);
    assert_true(support_now() - before < LIMIT / 2);
}

static void failure_of_a_child_is_its_own(void **state)
{
    (void)state;
    run("failing");
    assert_int_equal(outcome.code, 0);
}

/* A child by spawn is a program with handlers of its own. Copies have none, whatever their original registered; after
 * exit() that is so where the C library tells handlers the exit code (TEST_EXIT_TELLS). */
static void handlers_after_return(void **state)
{
    (void)state;
    const char *text = run("return");
    assert_int_equal(outcome.code, 0);
    assert_non_null(strstr(text, "child ended with 4\n"));
    assert_string_equal(strstr(text, "child ended"), "child ended with 4\nlate handler\nearly handler in parent\n");
    if (is_new_program())
        assert_memory_equal(text, "own handler\nearly handler in child\nchild ended", 46);
    else
        assert_null(strstr(text, "early handler in child"));
}

static void handlers_after_exit(void **state)
{
    (void)state;
    const char *text = run("call_exit");
    assert_int_equal(outcome.code, 0);
    assert_memory_equal(text, "own handler\n", 12);
    assert_non_null(strstr(text, "child ended with 4\n"));
    assert_string_equal(strstr(text, "child ended"), "child ended with 4\nlate handler\nearly handler in parent\n");
    if (is_new_program())
        assert_memory_equal(text, "own handler\nearly handler in child\nchild ended", 46);
    else if (TEST_EXIT_TELLS)
        assert_string_equal(text, "own handler\nchild ended with 4\nlate handler\nearly handler in parent\n");
}

static void output_is_neither_lost_nor_doubled(void **state)
{
    (void)state;
    char plain[512];
    const char *text = run("buffers");
    size_t size = 0;
    /* Without what the early handlers of spawned children say. */
    for (const char *from = text; *from && size + 1 < sizeof plain;) {
        if (strncmp(from, "early handler in child\n", 23) == 0)
            from += 23;
        else
            plain[size++] = *from++;
    }
    plain[size] = '\0';
    assert_string_equal(plain, "[parent][child 0][child 1][child 2][end]early handler in parent\n");
}

static void names(void **state)
{
    char plain[1024];
    size_t size = 0;
    (void)state;
    const char *text = run("names");
    for (const char *from = text; *from && size + 1 < sizeof plain;) {
        if (strncmp(from, "early handler", 13) == 0)
            from = strchr(from, '\n') + 1;
        else
            plain[size++] = *from++;
    }
    plain[size] = '\0';
    assert_string_equal(plain, "MainProcess\n"
                               "Process-1 of MainProcess\nProcess-1:1 of Process-1\nProcess-1:2 of Process-1\n"
                               "Process-2 of MainProcess\nProcess-2:1 of Process-2\nProcess-2:2 of Process-2\n");
}

static void failed_check_ends_all(void **state)
{
    int64_t before = support_now();
    (void)state;
    const char *text = run("check");
    assert_int_equal(outcome.code, 1);
    assert_non_null(strstr(text, "before\n"));
    assert_null(strstr(text, "after\n"));
    assert_non_null(strstr(text, "MP_EDEADLK"));
    assert_non_null(strstr(text, "program_exit.c"));
    assert_true(support_now() - before < LIMIT / 2);
}

static const struct test_case cases[] = {
    CASE(daemons_first),
    CASE(unjoined_children_are_joined),
    CASE(stubborn_daemon_is_killed),
    CASE(failure_of_a_child_is_its_own),
    CASE(handlers_after_return),
    CASE(handlers_after_exit),
    CASE(output_is_neither_lost_nor_doubled),
    CASE(names),
    CASE(failed_check_ends_all),
};

SUPPORT_MAIN("exit", cases)
