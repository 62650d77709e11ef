/* SPDX-License-Identifier: MIT
 *
 * test_freeze.c - mp_freeze_support: missing, late, called more than once, told nonsense; and threads in who came by it.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct outcome outcome;

static const char *run(const char *program, const char *scenario, const char *argument)
{
    char method[8];
    snprintf(method, sizeof method, "%d", (int)mp_get_start_method());
    support_program(&outcome, program, (const char *const[]){scenario, method, argument, NULL});
    assert_false(outcome.timed_out);
    return outcome.text;
}

static bool copies(void)
{
    return mp_get_start_method() == MP_FORK;
}

static void runs(const char *scenario, const char *argument)
{
    const char *text = run("program_freeze", scenario, argument);
    if (outcome.code != 0 || !strstr(text, "child: 7")) fail_msg("%s: code %d: %s", scenario, outcome.code, text);
}

/* ---- whether it was called ----------------------------------------------------------------------------------------- */

static void called(void **state)
{
    (void)state;
    runs("plain", NULL);
}

static void missing(void **state)
{
    char method[8];
    (void)state;
    snprintf(method, sizeof method, "%d", (int)mp_get_start_method());
    support_program(&outcome, "program_bare", (const char *const[]){method, method, NULL});
    assert_false(outcome.timed_out);
    assert_int_equal(outcome.code, 3);
    assert_null(strstr(outcome.text, "left over"));
    assert_null(strstr(outcome.text, "touched"));
    int found = 0;
    for (const char *at = outcome.text; (at = strstr(at, copies() ? "fork: 42" : "MP_ENOFREEZE mp_process_start"));
         at++)
        found++;
    assert_int_equal(found, 4);
    if (!copies()) assert_non_null(strstr(outcome.text, "mp_freeze_support();"));
}

static void called_again_with_threads(void **state)
{
    (void)state;
    runs("twice", NULL);
}

/* Refused where threads can be counted; elsewhere it goes well, and the child has the thread, too. */
static void called_late(void **state)
{
    (void)state;
#if TEST_COUNTS_THREADS
    if (!copies()) {
        assert_non_null(strstr(run("program_freeze", "late", NULL), "MP_ENOFREEZE: mp_process_start"));
        assert_non_null(strstr(outcome.text, "threads"));
        return;
    }
#endif
    runs("late", NULL);
}

/* A child would not know yet what it is when it uses libmp there. */
static void called_second(void **state)
{
    (void)state;
    if (copies()) {
        runs("used", NULL);
        return;
    }
    assert_non_null(strstr(run("program_freeze", "used", NULL), "MP_ENOFREEZE: mp_process_start"));
    assert_non_null(strstr(outcome.text, "used already"));
}

static void odd_arguments(void **state)
{
    static char longest[1000];
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    runs("plain", longest);
    runs("plain", "_MP_BOOTSTRAP=0,1,2,3,4");
    runs("plain", "--help");
#if HAS_SIGNALS
    runs("plain", "");
    runs("plain", "\xff\xfe \n\t");
#endif
}

/* ---- what it is told ---------------------------------------------------------------------------------------------- */

static void gives_up(const char *scenario, const char *variable)
{
    const char *text = run("program_freeze", scenario, variable);
    if (outcome.code != 1 || !strstr(text, "libmp: this program was started as a child, and can not be one: "))
        fail_msg("%s %s: code %d: %s", scenario, variable, outcome.code, text);
}

static void nonsense(void **state)
{
    static const char *const variables[] = {
        "_MP_BOOTSTRAP=x",
        "_MP_BOOTSTRAP=,,,,",
        "_MP_BOOTSTRAP=0",
        "_MP_BOOTSTRAP=0,1,2,3",
        "_MP_BOOTSTRAP=0,1,2,3,4,5",
        "_MP_BOOTSTRAP=0,1,2,3,4x",
        "_MP_BOOTSTRAP=-1,-1,-1,-1,-1",
        "_MP_BOOTSTRAP=0,3,2,100000000,4",
        "_MP_BOOTSTRAP=0,fffffffffffffffffffffffff,2,3,4",
        "_MP_BOOTSTRAP=%s%n%d,1,2,3,4",
    };
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) gives_up("variable", variables[i]);
}

/* Numbers as they should be, but for what they mean: any descriptor, in a process with a family and in one without. */
static void no_arena(void **state)
{
    (void)state;
    for (unsigned segment = 0; segment < 16; segment++) {
        char variable[80];
        unsigned role = segment % 3;
        snprintf(variable, sizeof variable, "_MP_BOOTSTRAP=%x,%x,%x,1,%x", role, segment, segment * 7, segment + 1);
        gives_up("variable", variable);
        gives_up("member", variable);
    }
    gives_up("variable", "_MP_BOOTSTRAP=0,ffffffffffffffff,1,1,1");
    gives_up("variable", "_MP_BOOTSTRAP=1,7fffffff,ffffffffffffffff,ffffffffffffffff,ffffffffffffffff");
}

/* Longer than libmp's own ever is: none of libmp's. It is removed all the same. */
static void too_long(void **state)
{
    static char variable[600] = "_MP_BOOTSTRAP=";
    (void)state;
    memset(variable + 14, '1', sizeof variable - 15);
    runs("variable", variable);
}

/* ---- threads ------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static int there;

static void *wait_for_end(void *unused)
{
    mp_stats stats;
    (void)mp_get_stats(&stats); /* has a record of its own, then */
    pthread_mutex_lock(&guard);
    there++;
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&guard);
    pthread_mutex_lock(&held);
    return unused;
}

/* They are out of libmp by then: a process that ends while another of its threads holds the arena's lock is not yet put
 * up with. */
static bool start_threads(int count)
{
    pthread_mutex_lock(&held);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, wait_for_end, NULL) != 0) return false;
    }
    pthread_mutex_lock(&guard);
    while (there < count) pthread_cond_wait(&came, &guard);
    pthread_mutex_unlock(&guard);
    return true;
}

static int return_with_threads(void *args)
{
    return start_threads(4) ? *(int *)args : 50;
}

static void *call_exit(void *code)
{
    exit(*(int *)code);
}

static int thread_calls_exit(void *args)
{
    pthread_t thread;
    if (!start_threads(2) || pthread_create(&thread, NULL, call_exit, args) != 0) return 50;
    pthread_mutex_lock(&held); /* for ever */
    return 51;
}

static void child_with_threads(void **state)
{
    const int code = 5;
    mp_process process;
    (void)state;
    ok(mp_process_start(&process, return_with_threads, &code, sizeof code, NULL));
    assert_ends(process, 5);
    ok(mp_process_start(&process, thread_calls_exit, &code, sizeof code, NULL));
    assert_ends(process, 5);
}

/* With threads of its own, a child that was started cleanly starts others as cleanly. */
static int start_with_threads(void *args)
{
    mp_process process;
    int code;
    if (!start_threads(2)) return 50;
    if (mp_process_start(&process, return_with_threads, args, sizeof(int), NULL) < 0) return 51;
    if (mp_process_join(process, &code, LIMIT) < 0 || mp_process_close(process) < 0) return 52;
    return code + 1;
}

static void child_with_threads_starts_another(void **state)
{
    const int code = 5;
    mp_process process;
    (void)state;
    ok(mp_process_start(&process, start_with_threads, &code, sizeof code, NULL));
    assert_ends(process, 6);
}

static const struct test_case cases[] = {
    CASE(called),
    CASE(missing),
    CASE(called_again_with_threads),
    CASE(called_late),
    CASE(called_second),
    CASE(odd_arguments),
    CASE_ONCE(nonsense),
    CASE_ONCE(no_arena),
    CASE_ONCE(too_long),
    CASE(child_with_threads),
    CASE_CLEAN(child_with_threads_starts_another),
};

SUPPORT_MAIN("freeze", cases)
