/* SPDX-License-Identifier: MIT
 *
 * test_program_file.c - the file of the program: deleted, renamed or replaced while it runs, and other ones chosen by
 * mp_set_executable.
 */
#include "files.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* ---- the program's own file ---------------------------------------------------------------------------------------- */

static struct outcome outcome;

/* A copy of the program, its file changed: three starts, or two. */
static void run(const char *change)
{
    char folder[PATH_SIZE], path[PATH_SIZE], original[PATH_SIZE], other[PATH_SIZE], method[8];
    folder_create(folder);
    path_in(path, folder, "program" PROGRAM_SUFFIX);
    file_copy(path_built(original, "program_file" PROGRAM_SUFFIX), path);
    path_built(other, "program_file_other" PROGRAM_SUFFIX);
    snprintf(method, sizeof method, "%d", (int)mp_get_start_method());
    support_program_at(&outcome, path, (const char *const[]){method, change, path, other, NULL});
    folder_remove(folder);
    assert_false(outcome.timed_out);
    if (outcome.code != 0) print_error("%s\n", outcome.text);
    assert_int_equal(outcome.code, 0);
}

static int lines_of(const char *line)
{
    int count = 0;
    size_t length = strlen(line);
    for (const char *at = outcome.text; (at = strstr(at, line)); at += length) count++;
    return count;
}

/* The image is what it was, whatever has become of its file: starts work where the system can run it, and are refused
 * elsewhere. */
static void goes_on(const char *change, int starts)
{
    run(change);
    int good = lines_of("child: 108"), refused = lines_of("MP_ESTALE: mp_process_start");
    int before = strncmp(change, "late-", 5) == 0;
    if (!HAS_SIGNALS && good == before && refused == starts - before) good = starts;
    if (good != starts || lines_of("left over") || lines_of("touched")) fail_msg("%s: %s", change, outcome.text);
}

static void unchanged(void **state)
{
    (void)state;
    goes_on("nothing", 2);
    goes_on("late-nothing", 3);
}

static void deleted(void **state)
{
    (void)state;
    goes_on("delete", 2);
    goes_on("late-delete", 3);
}

static void renamed(void **state)
{
    (void)state;
    goes_on("rename", 2);
    goes_on("late-rename", 3);
}

static void replaced(void **state)
{
    (void)state;
    goes_on("replace", 2);
    goes_on("late-replace", 3);
}

static void replaced_by_text(void **state)
{
    (void)state;
    goes_on("text", 2);
    goes_on("late-text", 3);
}

/* ---- another program ---------------------------------------------------------------------------------------------- */

static void works_again(void)
{
    mp_process process;
    ok(mp_set_executable(NULL));
    ok(mp_process_start(&process, nothing, NULL, 0, NULL));
    assert_ends(process, 0);
}

static void can_not_be_chosen(void **state)
{
    char folder[PATH_SIZE], path[PATH_SIZE];
    (void)state;
    folder_create(folder);
    fails(MP_ESYSTEM, mp_set_executable(path_in(path, folder, "none")));
    assert_non_null(strstr(mp_error_detail(), path));
    file_write(path, "");
    file_make_unexecutable(path);
    int result = mp_set_executable(path);
    assert_true(result == MP_EPERM || result == MP_ESYSTEM);
    assert_non_null(strstr(mp_error_detail(), path));
    result = mp_set_executable(folder);
    assert_true(result == MP_EPERM || result == MP_ESYSTEM);
    works_again();
    folder_remove(folder);
}

static void target_is_not_in_it(void **state)
{
    char path[PATH_SIZE];
    mp_process process = {4711};
    (void)state;
    ok(mp_set_executable(path_built(path, "program_file_other" PROGRAM_SUFFIX)));
    fails(MP_ENOTARGET, mp_process_start(&process, nothing, NULL, 0, NULL));
    assert_non_null(strstr(mp_error_detail(), "mp_set_executable"));
    assert_int_equal(process.id, 4711);
    works_again();
}

#if TEST_LIBRARIES
static const int seven = 7;

static void *library;

static mp_target target_elsewhere(void)
{
    char path[PATH_SIZE];
    library = library_load(NULL, path_built(path, "library_loaded" LIBRARY_SUFFIX));
    return library_target(library, "loaded_build");
}

static void another_program(void **state)
{
    char path[PATH_SIZE];
    mp_process process;
    mp_target target = target_elsewhere();
    (void)state;
    ok(mp_set_executable(path_built(path, "program_file_other" PROGRAM_SUFFIX)));
    for (int i = 0; i < 3; i++) {
        ok(mp_process_start(&process, target, &seven, sizeof seven, NULL));
        assert_ends(process, 1);
    }
    works_again();
    library_unload(library);
}

/* Its own file is there when it is chosen, and is not when it is to be run. */
static void chosen_and_gone(void **state)
{
    char folder[PATH_SIZE], path[PATH_SIZE], original[PATH_SIZE];
    struct support_counts before, after;
    mp_process process = {4711};
    mp_target target = target_elsewhere();
    (void)state;
    folder_create(folder);
    path_in(path, folder, "program" PROGRAM_SUFFIX);
    file_copy(path_built(original, "program_file_other" PROGRAM_SUFFIX), path);
    ok(mp_set_executable(path));
    file_delete(path);
    /* The first one gives up the fork server that there was. */
    fails(MP_ESYSTEM, mp_process_start(&process, target, &seven, sizeof seven, NULL));
    support_count(&before);
    fails(MP_ESYSTEM, mp_process_start(&process, target, &seven, sizeof seven, NULL));
    assert_int_equal(process.id, 4711);
    support_count(&after);
    assert_true(support_balanced(&before, &after));
    works_again();
    folder_remove(folder);
    library_unload(library);
}

/* A program that knows nothing of being a child: it runs, and what comes of it is no success of the target. */
static void is_no_child(const char *path)
{
    int code = 4711;
    mp_process process = {4711};
    mp_target target = target_elsewhere();
    ok(mp_set_executable(path));
    int result = mp_process_start(&process, target, &seven, sizeof seven, NULL);
    if (mp_get_start_method() == MP_FORKSERVER) {
        assert_int_equal(result, MP_ENOFREEZE);
        assert_non_null(strstr(mp_error_detail(), "fork server"));
        assert_int_equal(process.id, 4711);
    } else {
        ok(result);
        fails(MP_ENOFREEZE, mp_process_join(process, &code, LIMIT));
        fails(MP_ENOFREEZE, mp_process_join(process, NULL, LIMIT));
        fails(MP_ENOFREEZE, mp_process_exitcode(process, &code));
        assert_int_equal(code, 4711);
        ok(mp_process_close(process));
    }
    works_again();
    library_unload(library);
}

static void program_without_freeze_support(void **state)
{
    char path[PATH_SIZE];
    (void)state;
    is_no_child(path_built(path, "program_bare" PROGRAM_SUFFIX));
}

#if HAS_SIGNALS
static void program_of_the_system(void **state)
{
    (void)state;
    is_no_child("/bin/sh"); /* reads a script from its standard input, which is empty */
    is_no_child("/bin/true");
    is_no_child("/bin/false");
}

/* May be executed, says the file's mode. */
static void file_that_is_no_program(void **state)
{
    char folder[PATH_SIZE], path[PATH_SIZE], copy[PATH_SIZE];
    mp_process process = {4711};
    (void)state;
    mp_target target = target_elsewhere();
    folder_create(folder);
    file_write(path_in(path, folder, "text"), "no program\n");
    file_copy(path, path_in(copy, folder, "copy"));
    ok(mp_set_executable(copy));
    fails(MP_ESYSTEM, mp_process_start(&process, target, &seven, sizeof seven, NULL));
    assert_int_equal(process.id, 4711);
    works_again();
    folder_remove(folder);
    library_unload(library);
}
#endif
#endif

static const struct test_case cases[] = {
    CASE(unchanged),
    CASE(deleted),
    CASE(renamed),
    CASE(replaced),
    CASE(replaced_by_text),
    CASE_CLEAN(can_not_be_chosen),
    CASE_CLEAN(target_is_not_in_it),
#if TEST_LIBRARIES
    CASE_CLEAN(another_program),
    CASE_CLEAN(chosen_and_gone),
    CASE_CLEAN(program_without_freeze_support),
#if HAS_SIGNALS
    CASE_CLEAN(program_of_the_system),
    CASE_CLEAN(file_that_is_no_program),
#endif
#endif
};

SUPPORT_MAIN("program_file", cases)
