/* SPDX-License-Identifier: MIT
 *
 * test_functions.c - what can be a target: functions of the program, and no address that is none. Those of libraries are
 * in test_libraries.c.
 */
#include "files.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static mp_process start(mp_target target, const void *args, size_t size)
{
    mp_process process = {0};
    ok(mp_process_start(&process, target, args, size, NULL));
    return process;
}

/* ---- functions of the program ------------------------------------------------------------------------------------ */

/* Not alike, so that nothing makes one of them. */
#define NUMBERED(number)                     \
    static int function_##number(void *args) \
    {                                        \
        return number * 100 + *(int *)args;  \
    }
NUMBERED(1)
NUMBERED(2)
NUMBERED(3)
NUMBERED(4)
NUMBERED(5)

static void static_functions(void **state)
{
    const mp_target targets[] = {function_1, function_2, function_3, function_4, function_5};
    (void)state;
    for (int i = 0; i < 5; i++) assert_ends(start(targets[i], &i, sizeof i), (i + 1) * 100 + i);
}

int seen_from_everywhere(void *args);
int seen_from_everywhere(void *args)
{
    return *(int *)args + 1;
}

static void external_function(void **state)
{
    const int number = 41;
    (void)state;
    assert_ends(start(seen_from_everywhere, &number, sizeof number), 42);
}

static int last(void *args)
{
    (void)args;
    return mp_cpu_count() > 0 ? 11 : 12;
}

static int starts_another(void *args)
{
    static const mp_target next[] = {last, starts_another};
    int depth = *(int *)args, code = -1;
    mp_process process;
    depth--;
    if (mp_process_start(&process, next[depth > 0], &depth, sizeof depth, NULL) < 0) return 50;
    if (mp_process_join(process, &code, LIMIT) < 0 || mp_process_close(process) < 0) return 51;
    return code;
}

static void from_child_to_child(void **state)
{
    const int depth = 3;
    (void)state;
    assert_ends(start(starts_another, &depth, sizeof depth), 11);
}

/* ---- what is none ------------------------------------------------------------------------------------------------- */

static const char constant[64] = "not a function";
static char variable[64];

static mp_target as_target(const void *address)
{
    union {
        const void *address;
        mp_target target;
    } same = {.address = address};
    return same.target;
}

static void refuse(int wanted, const char *word, mp_target target)
{
    struct support_counts before, after;
    const int argument = 5;
    mp_process process = {4711};
    support_count(&before);
    fails(wanted, mp_process_start(&process, target, &argument, sizeof argument, NULL));
    assert_non_null(strstr(mp_error_detail(), "mp_process_start"));
    assert_non_null(strstr(mp_error_detail(), word));
    assert_int_equal(process.id, 4711);
    fails(wanted, mp_process_start(NULL, target, NULL, 0, &(mp_process_options){.name = "none"}));
    support_count(&after);
    assert_true(support_balanced(&before, &after));
}

static void addresses_that_are_no_functions(void **state)
{
    char local[64] = "";
    char *heap = malloc(64);
    (void)state;
    assert_non_null(heap);
    refuse(MP_EINVAL, "target is NULL", NULL);
    refuse(MP_ENOTARGET, "no module", as_target((const void *)1));
    refuse(MP_ENOTARGET, "no module", as_target((const void *)UINTPTR_MAX));
    refuse(MP_ENOTARGET, "no module", as_target((const void *)(UINTPTR_MAX / 2 + 1)));
    refuse(MP_ENOTARGET, "no module", as_target(heap));
    refuse(MP_ENOTARGET, "no module", as_target(local));
    refuse(MP_ENOTARGET, "no module", as_target(variable));
    refuse(MP_ENOTARGET, "no module", as_target(constant));
    refuse(MP_ENOTARGET, "no module", as_target(memory_executable()));
    if (memory_of_kernel()) refuse(MP_ENOTARGET, "no module", as_target(memory_of_kernel()));
    free(heap);
    const int argument = 1; /* and it goes on as if nothing had been */
    assert_ends(start(function_1, &argument, sizeof argument), 101);
}

/* ---- preload ------------------------------------------------------------------------------------------------------ */

static int prepared;

static int prepare(void)
{
    prepared = 23;
    return 0;
}

static int tell_prepared(void *args)
{
    (void)args;
    return prepared;
}

static void preload(void **state)
{
    union {
        const void *address;
        int (*function)(void);
    } none = {.address = memory_executable()};
    (void)state;
    if (mp_get_start_method() != MP_FORKSERVER) skip();
    ok(mp_set_forkserver_preload(prepare));
    assert_ends(start(tell_prepared, NULL, 0), 23);
    fails(MP_ENOTARGET, mp_set_forkserver_preload(none.function));
    assert_non_null(strstr(mp_error_detail(), "mp_set_forkserver_preload"));
    assert_ends(start(tell_prepared, NULL, 0), 23);
    ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(tell_prepared, NULL, 0), 0);
}

static int break_down(void)
{
    return 1;
}

static void failing_preload(void **state)
{
    mp_process process = {4711};
    (void)state;
    if (mp_get_start_method() != MP_FORKSERVER) skip();
    ok(mp_set_forkserver_preload(break_down));
    for (int i = 0; i < 3; i++) {
        fails(MP_EINIT, mp_process_start(&process, function_1, NULL, 0, NULL));
        assert_int_equal(process.id, 4711);
    }
    ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(tell_prepared, NULL, 0), 0);
}

static const struct test_case cases[] = {
    CASE(static_functions),
    CASE(external_function),
    CASE(from_child_to_child),
    CASE_CLEAN(addresses_that_are_no_functions),
    CASE(preload),
    CASE(failing_preload),
};

SUPPORT_MAIN("functions", cases)
