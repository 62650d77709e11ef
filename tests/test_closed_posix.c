/* SPDX-License-Identifier: MIT
 *
 * test_closed_posix.c - programs that were started without standard streams, and such that close what they did not open.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

static struct outcome outcome;

static const char *run(const char *scenario, const char *descriptors)
{
    char method[8];
    snprintf(method, sizeof method, "%d", (int)mp_get_start_method());
    support_program(&outcome, "program_closed_posix", (const char *const[]){scenario, method, descriptors, NULL});
    assert_false(outcome.timed_out);
    if (outcome.code != 0) print_error("%s %s: %s\n", scenario, descriptors ? descriptors : "", outcome.text);
    assert_int_equal(outcome.code, 0);
    return outcome.text;
}

static int lines_of(const char *line)
{
    int count = 0;
    for (const char *at = outcome.text; (at = strstr(at, line)); at++) count++;
    return count;
}

static void started_without_streams(void **state)
{
    static const char *const closed[] = {"", "0", "1", "2", "01", "02", "12", "012"};
    (void)state;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) run("started", closed[i]);
}

static void no_arguments(void **state)
{
    (void)state;
    run("empty", NULL);
    assert_int_equal(lines_of("child: 0"), 1);
}

static void closed_before_the_first_use(void **state)
{
    (void)state;
    run("early", NULL);
    assert_int_equal(lines_of("child: 0"), 2);
}

/* The arena can not be handed to a program any more. A copy has it. */
static void refused_but_by_fork(const char *scenario, int before)
{
    run(scenario, NULL);
    bool copies = mp_get_start_method() == MP_FORK;
    int good = lines_of("child: 0"), refused = lines_of("MP_ESYSTEM: mp_process_start");
    if (good != before + 2 * copies || refused != 2 * !copies || !lines_of("nothing left"))
        fail_msg("%s: %s", scenario, outcome.text);
    if (!copies) assert_int_equal(lines_of("closed a descriptor that is libmp's"), 2);
}

static void closed_later(void **state)
{
    (void)state;
    refused_but_by_fork("founded", 0);
    refused_but_by_fork("warm", 1);
    refused_but_by_fork("reused", 1);
}

static const struct test_case cases[] = {
    CASE(started_without_streams),
    CASE(no_arguments),
    CASE(closed_before_the_first_use),
    CASE(closed_later),
};

SUPPORT_MAIN("closed", cases)
