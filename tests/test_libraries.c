/* SPDX-License-Identifier: MIT
 *
 * test_libraries.c - targets in shared libraries: linked ones, loaded ones, and ones whose file is not any more what is
 * loaded here.
 */
#include "files.h"
#include "libraries.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

/* Which builds of library_loaded. */
#ifndef TEST_KIND
#define TEST_KIND ""
#endif
#define LOADED       "library_loaded" TEST_KIND LIBRARY_SUFFIX
#define LOADED_OTHER "library_loaded_other" TEST_KIND LIBRARY_SUFFIX

static const int seven = 7;

static mp_process start_at(const char *directory, mp_target target)
{
    mp_process process = {0};
    const mp_process_options options = {.working_directory = directory};
    ok(mp_process_start(&process, target, &seven, sizeof seven, &options));
    return process;
}

static mp_process start(mp_target target)
{
    return start_at(NULL, target);
}

/* The start is refused, and nothing comes of it. */
static void refuse(int wanted, const char *word, mp_target target)
{
    struct support_counts before, after;
    mp_process process = {4711};
    support_count(&before);
    fails(wanted, mp_process_start(&process, target, &seven, sizeof seven, NULL));
    assert_non_null(strstr(mp_error_detail(), "mp_process_start"));
    assert_non_null(strstr(mp_error_detail(), word));
    assert_int_equal(process.id, 4711);
    support_count(&after);
    assert_true(support_balanced(&before, &after));
}

/* The start goes well; then the child finds that it can not. */
static void fails_in_child(int wanted, mp_target target)
{
    int code = 4711;
    mp_process process = start(target);
    fails(wanted, mp_process_join(process, &code, LIMIT));
    fails(wanted, mp_process_join(process, NULL, LIMIT));
    fails(wanted, mp_process_exitcode(process, &code));
    assert_int_equal(mp_process_is_alive(process), 0);
    assert_int_equal(code, 4711);
    ok(mp_process_close(process));
}

static bool copies(void)
{
    return mp_get_start_method() == MP_FORK;
}

/* ---- linked ------------------------------------------------------------------------------------------------------- */

static void linked_functions(void **state)
{
    (void)state;
    assert_ends(start(linked_add), 207);
    assert_ends(start(linked_static()), 307);
    assert_ends(start_at("/", linked_static()), 307);
}

static void preload_of_linked(void **state)
{
    (void)state;
    assert_ends(start(linked_number), 0);
    if (mp_get_start_method() != MP_FORKSERVER) skip();
    ok(mp_set_forkserver_preload(linked_preload));
    assert_ends(start(linked_number), 77);
    assert_ends(start(linked_number), 77);
    ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(linked_number), 0);
}

/* ---- loaded ------------------------------------------------------------------------------------------------------- */

/* A copy of library_loaded that may be maltreated, and what is in it. */
struct copy {
    char folder[PATH_SIZE], path[PATH_SIZE], other[PATH_SIZE];
    void *library;
    mp_target build, number;
    struct loaded_functions functions;
};

static void look_into(struct copy *copy, void *library)
{
    copy->library = library;
    copy->build = library_target(library, "loaded_build");
    copy->number = library_target(library, "loaded_number");
    library_target(library, "loaded_functions")(&copy->functions);
}

static void copy_create(struct copy *copy)
{
    char original[PATH_SIZE];
    folder_create(copy->folder);
    path_in(copy->path, copy->folder, "copy" LIBRARY_SUFFIX);
    path_built(copy->other, LOADED_OTHER);
    file_copy(path_built(original, LOADED), copy->path);
    look_into(copy, library_load(NULL, copy->path));
}

static void copy_reload(struct copy *copy)
{
    library_unload(copy->library);
    look_into(copy, library_load(NULL, copy->path));
}

static void copy_destroy(struct copy *copy)
{
    library_unload(copy->library);
    folder_remove(copy->folder);
}

static void loaded_functions_run(void **state)
{
    struct copy copy;
    (void)state;
    copy_create(&copy);
    assert_ends(start(copy.build), 1);
    assert_ends(start(copy.functions.add_static), 17);
    assert_ends(start_at("/", copy.functions.add_static), 17);
    copy_destroy(&copy);
}

/* A path that is relative to where this process was then. */
static void loaded_by_relative_path(void **state)
{
    struct copy copy;
    (void)state;
    copy_create(&copy);
    library_unload(copy.library);
    look_into(&copy, library_load(copy.folder, "./copy" LIBRARY_SUFFIX));
    assert_ends(start(copy.functions.add_static), 17);
    assert_ends(start_at("/", copy.build), 1);
    copy_destroy(&copy);
}

/* Which of two that are alike but for a number. */
static void two_builds_at_once(void **state)
{
    struct copy copy;
    void *library;
    (void)state;
    copy_create(&copy);
    library = library_load(NULL, copy.other);
    assert_ends(start(library_target(library, "loaded_build")), 2);
    assert_ends(start(copy.build), 1);
    library_unload(library);
    copy_destroy(&copy);
}

static int start_in_child(void *args)
{
    const char *path = args;
    mp_process process;
    int code;
    void *library = library_load(NULL, path);
    if (mp_process_start(&process, library_target(library, "loaded_build"), NULL, 0, NULL) < 0) return 50;
    if (mp_process_join(process, &code, LIMIT) < 0 || mp_process_close(process) < 0) return 51;
    library_unload(library);
    return code;
}

/* Loaded in a child only, started by it. */
static void loaded_in_child(void **state)
{
    struct copy copy;
    mp_process process;
    (void)state;
    copy_create(&copy);
    ok(mp_process_start(&process, start_in_child, copy.path, sizeof copy.path, NULL));
    assert_ends(process, 1);
    copy_destroy(&copy);
}

static void preload_of_loaded(void **state)
{
    struct copy copy;
    mp_process process = {4711};
    (void)state;
    if (mp_get_start_method() != MP_FORKSERVER) skip();
    copy_create(&copy);
    ok(mp_set_forkserver_preload(copy.functions.preload));
    assert_ends(start(copy.number), 1);

    /* The server that has it goes on, without the file. */
    file_hide(copy.path);
    fails(MP_ESTALE, mp_set_forkserver_preload(copy.functions.preload));
    assert_non_null(strstr(mp_error_detail(), "mp_set_forkserver_preload"));
    assert_ends(start(linked_add), 207);
    /* Another one would have to load it. */
    ok(mp_set_executable(NULL));
    fails(MP_ESTALE, mp_process_start(&process, linked_add, &seven, sizeof seven, NULL));
    assert_int_equal(process.id, 4711);
    refuse(MP_ESTALE, "preload", linked_add);
    ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(linked_add), 207);
    copy_destroy(&copy);
}

/* ---- the file is another one, or none ----------------------------------------------------------------------------- */

static void refused_but_by_fork(struct copy *copy)
{
    if (!copies()) {
        refuse(MP_ESTALE, "copy" LIBRARY_SUFFIX, copy->build);
        refuse(MP_ESTALE, "build", copy->functions.add_static);
    } else {
        assert_ends(start(copy->build), 1);
        assert_ends(start(copy->functions.add_static), 17);
    }
    assert_ends(start(linked_add), 207); /* others are well */
}

static void deleted(void **state)
{
    struct copy copy;
    char original[PATH_SIZE];
    (void)state;
    copy_create(&copy);
    assert_ends(start(copy.build), 1);
    file_delete(copy.path);
    refused_but_by_fork(&copy);
    /* The same build again, though another file. */
    file_copy(path_built(original, LOADED), copy.path);
    assert_ends(start(copy.build), 1);
    assert_ends(start(copy.functions.add_static), 17);
    copy_destroy(&copy);
}

static void replaced(void **state)
{
    struct copy copy;
    (void)state;
    copy_create(&copy);
    assert_ends(start(copy.build), 1);
    file_replace(copy.path, copy.other);
    refused_but_by_fork(&copy);
    copy_reload(&copy);
    assert_ends(start(copy.build), 2);
    assert_ends(start(copy.functions.add_static), 27);
    copy_destroy(&copy);
}

static void replaced_by_no_library(void **state)
{
    struct copy copy;
    (void)state;
    copy_create(&copy);
    file_hide(copy.path);
    file_write(copy.path, "not a library\n");
    refused_but_by_fork(&copy);
    file_hide(copy.path);
    file_write(copy.path, "");
    refused_but_by_fork(&copy);
    file_hide(copy.path);
    file_write(copy.path, "\x7f"
                          "ELF\2\1\1");
    refused_but_by_fork(&copy);
    copy_destroy(&copy);
}

/* What the server has preloaded is another build than what its client has loaded since. */
static void child_has_another_build(void **state)
{
    struct copy copy;
    (void)state;
    if (mp_get_start_method() != MP_FORKSERVER) skip();
    copy_create(&copy);
    ok(mp_set_forkserver_preload(copy.functions.preload));
    assert_ends(start(copy.number), 1);
    file_replace(copy.path, copy.other);
    copy_reload(&copy);
    fails_in_child(MP_ESTALE, copy.build);
    fails_in_child(MP_ESTALE, copy.functions.add_static);
    ok(mp_set_forkserver_preload(NULL));
    assert_ends(start(copy.build), 2);
    copy_destroy(&copy);
}

/* The file is there, but the one that it needs is not. */
static void child_can_not_load(void **state)
{
    char folder[PATH_SIZE], path[PATH_SIZE], needed[PATH_SIZE], original[PATH_SIZE];
    (void)state;
    folder_create(folder);
    file_copy(path_built(original, "library_dependent" LIBRARY_SUFFIX),
              path_in(path, folder, "dependent" LIBRARY_SUFFIX));
    file_copy(path_built(original, "library_needed" LIBRARY_SUFFIX),
              path_in(needed, folder, "library_needed" LIBRARY_SUFFIX));
    void *library = library_load(NULL, path);
    mp_target target = library_target(library, "dependent_add");
    assert_ends(start(target), 207);
    file_delete(needed);
    if (copies())
        assert_ends(start(target), 207);
    else
        fails_in_child(MP_ENOTARGET, target);
    file_copy(original, needed);
    assert_ends(start(target), 207);
    library_unload(library);
    folder_remove(folder);
}

static const struct test_case cases[] = {
    CASE(linked_functions),
    CASE(preload_of_linked),
    CASE(loaded_functions_run),
    CASE(loaded_by_relative_path),
    CASE(two_builds_at_once),
    CASE(loaded_in_child),
    CASE(preload_of_loaded),
    CASE(deleted),
    CASE(replaced),
    CASE(replaced_by_no_library),
    CASE(child_has_another_build),
    CASE(child_can_not_load),
};

SUPPORT_MAIN("libraries", cases)
