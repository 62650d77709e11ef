/* SPDX-License-Identifier: MIT
 *
 * test_start.c - start methods and the options of a start that are the same on every platform.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mp_process start_with(mp_target target, const void *args, size_t size, const mp_process_options *options)
{
    mp_process process = {0};
    ok(mp_process_start(&process, target, args, size, options));
    return process;
}

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* ---- start methods ---------------------------------------------------------------------------------------------- */

static void methods(void **state)
{
    size_t count = 0;
    const mp_start_method *all = mp_get_all_start_methods(&count);
    bool has[4] = {false};
    (void)state;
    assert_in_range(count, 1, 3);
    assert_ptr_equal(mp_get_all_start_methods(NULL), all);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(all[i], MP_FORK, MP_FORKSERVER);
        assert_false(has[all[i]]);
        has[all[i]] = true;
    }
    assert_true(has[MP_SPAWN]);
    assert_int_equal(has[MP_FORK], HAS_SIGNALS);
    ok(mp_set_start_method(MP_DEFAULT));
    assert_int_equal(mp_get_start_method(), all[0]);
    for (int method = MP_FORK; method <= MP_FORKSERVER; method++) {
        mp_process process = {0};
        const mp_process_options options = {.method = (mp_start_method)method};
        if (has[method]) {
            ok(mp_set_start_method((mp_start_method)method));
            assert_int_equal(mp_get_start_method(), method);
            continue;
        }
        mp_start_method before = mp_get_start_method();
        fails(MP_ENOTSUP, mp_set_start_method((mp_start_method)method));
        assert_int_equal(mp_get_start_method(), before);
        fails(MP_ENOTSUP, mp_process_start(&process, nothing, NULL, 0, &options));
        assert_int_equal(process.id, 0);
    }
    fails(MP_EINVAL, mp_set_start_method((mp_start_method)4));
    fails(MP_EINVAL, mp_set_start_method((mp_start_method)-1));
    assert_string_equal(mp_start_method_name(MP_DEFAULT), "default");
    assert_string_equal(mp_start_method_name(MP_FORK), "fork");
    assert_string_equal(mp_start_method_name(MP_SPAWN), "spawn");
    assert_string_equal(mp_start_method_name(MP_FORKSERVER), "forkserver");
    assert_string_equal(mp_start_method_name((mp_start_method)99), "?");
    if (!has[MP_FORKSERVER]) fails(MP_ENOTSUP, mp_set_forkserver_preload(NULL));
}

static int variable_of_ours;

static int look_at_memory(void *args)
{
    (void)args;
    return variable_of_ours;
}

/* A copy has what its parent had; a program anew has not. */
static void methods_differ(void **state)
{
    (void)state;
    variable_of_ours = 8;
    int code = support_end(start_with(look_at_memory, NULL, 0, NULL));
    variable_of_ours = 0;
    assert_int_equal(code, mp_get_start_method() == MP_FORK ? 8 : 0);
}

/* The option overrides the default, for that start only. */
static void method_option(void **state)
{
    mp_start_method before = mp_get_start_method();
    (void)state;
    variable_of_ours = 8;
    assert_ends(start_with(look_at_memory, NULL, 0, &(mp_process_options){.method = MP_SPAWN}), 0);
    variable_of_ours = 0;
    assert_int_equal(mp_get_start_method(), before);
}

/* ---- the environment -------------------------------------------------------------------------------------------- */

/* What stands before the first colon is the variable, behind it what it has to be; nothing there: not set. */
static int check_variables(void *args)
{
    int number = 1;
    for (char *line = args; *line; line += strlen(line) + 1, number++) {
        char *colon = strchr(line, ':');
        *colon = '\0';
        const char *value = getenv(line), *wanted = colon + 1;
        *colon = ':';
        if (strcmp(wanted, "(none)") == 0 ? value != NULL : !value || strcmp(value, wanted) != 0) return number;
    }
    return getenv("_MP_BOOTSTRAP") ? 99 : 0;
}

#define assert_variables(text, ...)                                                                   \
    assert_ends(start_with(check_variables, text "\0", sizeof(text "\0"),                             \
                           &(mp_process_options){.environment = (const char *const[]){__VA_ARGS__}}), \
                0)

static void environment(void **state)
{
    static char old[] = "MP_TEST_OLD=old", older[] = "MP_TEST_OLDER=older", removed[] = "MP_TEST_REMOVED=there";
    (void)state;
    putenv(old);
    putenv(older);
    putenv(removed);
    assert_variables("MP_TEST_OLD:old\0MP_TEST_OLDER:older\0MP_TEST_REMOVED:there\0MP_TEST_NEW:(none)", NULL);
    assert_variables("MP_TEST_OLD:new=er\0MP_TEST_OLDER:older\0MP_TEST_REMOVED:(none)\0MP_TEST_NEW:1", "MP_TEST_NEW=1",
                     "MP_TEST_OLD=new=er", "MP_TEST_REMOVED", "MP_TEST_NEVER_THERE", NULL);
    assert_variables("MP_TEST_NEW:2\0MP_TEST_OLD:(none)\0MP_TEST_REMOVED:back", "MP_TEST_NEW=1", "MP_TEST_NEW=2",
                     "MP_TEST_OLD=1", "MP_TEST_OLD", "MP_TEST_REMOVED", "MP_TEST_REMOVED=back", NULL);
    assert_variables("MP_TEST_O:1\0MP_TEST_OLD:old", "MP_TEST_O=1", NULL); /* the beginning of a name is another name */
    assert_string_equal(getenv("MP_TEST_OLD"), "old");
    assert_string_equal(getenv("MP_TEST_REMOVED"), "there");
    assert_null(getenv("MP_TEST_NEW"));
}

/* The one of the moment, not that of the time when a fork server was launched. */
static void environment_of_the_moment(void **state)
{
    static char first[] = "MP_TEST_MOMENT=1", second[] = "MP_TEST_MOMENT=2";
    (void)state;
    putenv(first);
    assert_variables("MP_TEST_MOMENT:1", NULL);
    putenv(second);
    assert_variables("MP_TEST_MOMENT:2", NULL);
}

static int count_variables(void *args)
{
    int found = 0;
    (void)args;
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "MP_TEST_MANY_%d", i);
        const char *value = getenv(name);
        found += value && strlen(value) == 100;
    }
    return found;
}

static void large_environment(void **state)
{
    static char texts[500][140];
    static const char *list[501];
    (void)state;
    for (int i = 0; i < 500; i++) {
        snprintf(texts[i], sizeof texts[i], "MP_TEST_MANY_%d=%0100d", i, i);
        list[i] = texts[i];
    }
    assert_ends(start_with(count_variables, NULL, 0, &(mp_process_options){.environment = list}), 500);
    assert_ends(start_with(count_variables, NULL, 0, NULL), 0);
}

static int tell_inner(void *args)
{
    mp_process inner;
    int code;
    if (mp_process_start(&inner, check_variables, args, 64, NULL) < 0) return 50;
    return mp_process_join(inner, &code, LIMIT) < 0 || mp_process_close(inner) < 0 ? 51 : code;
}

/* What a child was given it passes on. */
static void environment_is_passed_on(void **state)
{
    static const char text[64] = "MP_TEST_INNER:yes\0MP_TEST_OLD:(none)\0";
    (void)state;
    const mp_process_options options = {.environment = (const char *const[]){"MP_TEST_INNER=yes", "MP_TEST_OLD", NULL}};
    assert_ends(start_with(tell_inner, text, sizeof text, &options), 0);
}

/* ---- the working directory --------------------------------------------------------------------------------------- */

static int can_open(void *args)
{
    FILE *file = fopen(args, "rb");
    if (file) fclose(file);
    return file != NULL;
}

/* The folder of the programs, as it is called from the one above; and one of the programs in it. */
static void place_of_program(char *path, size_t size)
{
    const char *folder = support_folder(), *last = folder;
    for (const char *at = folder; *at; at++)
        if (*at == '/' || *at == '\\') last = at + 1;
    snprintf(path, size, "%s/program_exit%s", last, HAS_SIGNALS ? "" : ".exe");
}

static void working_directory(void **state)
{
    char name[512], above[4096];
    (void)state;
    memset(name, 0, sizeof name);
    place_of_program(name, sizeof name);
    snprintf(above, sizeof above, "%s/..", support_folder());
    mp_process_options options = {.working_directory = above};
    assert_ends(start_with(can_open, name, sizeof name, &options), 1);
    assert_ends(start_with(can_open, name, sizeof name, NULL), can_open(name));
    options.working_directory = support_folder();
    assert_ends(start_with(can_open, name, sizeof name, &options), 0);
    options.working_directory = ".";
    assert_ends(start_with(can_open, name, sizeof name, &options), can_open(name));
}

static void missing_working_directory(void **state)
{
    char file[4096];
    mp_process process = {42};
    size_t count;
    (void)state;
    snprintf(file, sizeof file, "%s/program_exit%s", support_folder(), HAS_SIGNALS ? "" : ".exe");
    const char *const paths[] = {"/no/such/directory/anywhere", file, ""};
    for (int i = 0; i < 3; i++) {
        const mp_process_options options = {.working_directory = paths[i]};
        int result = mp_process_start(&process, nothing, NULL, 0, &options);
        assert_in_range(-result, -MP_EINVAL, -MP_ESYSTEM);
        assert_non_null(strstr(mp_error_detail(), "directory"));
        assert_int_equal(process.id, 42);
        ok(mp_active_children(NULL, 0, &count));
        assert_int_equal(count, 0);
    }
}

/* ---- standard input ---------------------------------------------------------------------------------------------- */

static int read_input(void *args)
{
    (void)args;
    return getchar() == EOF && feof(stdin) && !ferror(stdin) ? 0 : 1;
}

static void standard_input_is_empty(void **state)
{
    (void)state;
    assert_ends(start_with(read_input, NULL, 0, NULL), 0);
}

static int cpu_count(void *args)
{
    (void)args;
    return mp_cpu_count();
}

static void child_counts_the_same_cpus(void **state)
{
    (void)state;
    assert_true(mp_cpu_count() >= 1);
    assert_ends(start_with(cpu_count, NULL, 0, NULL), mp_cpu_count());
}

/* ---- another program --------------------------------------------------------------------------------------------- */

static void set_executable(void **state)
{
    static char endless[5000];
    char path[4096], missing[4096];
    mp_process process = {0};
    (void)state;
    if (mp_get_start_method() == MP_FORK) skip();
    memset(endless, 'x', sizeof endless - 1);
    snprintf(path, sizeof path, "%s/program_exit%s", support_folder(), HAS_SIGNALS ? "" : ".exe");
    snprintf(missing, sizeof missing, "%s/no_such_program", support_folder());
    fails(MP_EINVAL, mp_set_executable(""));
    fails(MP_EINVAL, mp_set_executable(endless));
    assert_true(mp_set_executable(missing) < 0);
    assert_true(mp_set_executable(support_folder()) < 0);
    ok(mp_set_executable(path));
    /* A target of this program can not be found there. */
    fails(MP_ENOTARGET, mp_process_start(&process, nothing, NULL, 0, NULL));
    ok(mp_set_executable(NULL));
    assert_ends(start_with(nothing, NULL, 0, NULL), 0);
}

static const struct test_case cases[] = {
    CASE_ONCE(methods),
    CASE(methods_differ),
    CASE(method_option),
    CASE(environment),
    CASE(environment_of_the_moment),
    CASE(large_environment),
    CASE(environment_is_passed_on),
    CASE(working_directory),
    CASE(missing_working_directory),
    CASE(standard_input_is_empty),
    CASE(child_counts_the_same_cpus),
    CASE(set_executable),
};

SUPPORT_MAIN("start", cases)
