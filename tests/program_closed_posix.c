/* SPDX-License-Identifier: MIT
 *
 * program_closed_posix.c - a program that has closed descriptors, for test_closed_posix.c: program_closed_posix scenario
 * method [descriptors]
 *
 *     started   with those of the descriptors (a string of their numbers) closed from the first; ends with 0 if all is well
 *     early     all above 2 closed before the first use of libmp
 *     founded   after the family was founded
 *     warm      after a start
 *     reused    the same, and the numbers are other files' now
 *     empty     with no arguments at all
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* What a child shall have: the null device, and of the other two what its parent has. */
static int look(void *args)
{
    const int *closed = args;
    struct stat input, null;
    if (fstat(STDIN_FILENO, &input) != 0 || stat("/dev/null", &null) != 0) return 21;
    if (input.st_rdev != null.st_rdev) return 22;
    for (int fd = 1; fd <= 2; fd++)
        if (is_open(fd) == closed[fd]) return 22 + fd;
    return 0;
}

static int attempt(const int closed[3])
{
    /* A child that is none would start children for ever. */
    static bool original;
    if (!original && getenv("MP_TEST_STARTED")) _exit(90);
    original = true;
    setenv("MP_TEST_STARTED", "1", 1);
    mp_process process = {4711};
    int code = 0, result = mp_process_start(&process, look, closed, 3 * sizeof *closed, NULL);
    if (result < 0) {
        printf("%s: %s\n", mp_error_name(result), mp_error_detail());
        return process.id == 4711 ? 30 : 31;
    }
    if (mp_process_join(process, &code, LIMIT) < 0 || mp_process_close(process) < 0) return 32;
    if (code == 0) puts("child: 0");
    return code;
}

static void close_above(void)
{
    for (int fd = 3; fd < 1024; fd++) close(fd);
}

/* The program anew, so that it never had them. */
static void run_without(const char *descriptors, char **argv)
{
    char *const list[] = {argv[0], argv[1], argv[2], argv[3], "again", NULL};
    for (const char *at = descriptors; *at; at++) close(*at - '0');
    execve("/proc/self/exe", list, environ);
    _exit(40);
}

static int started(int argc, char **argv)
{
    int closed[3] = {0};
    if (argc < 5) run_without(argv[3], argv);
    for (const char *at = argv[3]; *at; at++) closed[*at - '0'] = 1;
    for (int fd = 0; fd < 3; fd++)
        if (is_open(fd) == closed[fd]) return 41;
    int code = attempt(closed);
    if (code == 0) code = attempt(closed);
    for (int fd = 0; fd < 3 && code == 0; fd++)
        if (is_open(fd) == closed[fd]) return 42; /* nothing of libmp's took their places */
    return code;
}

static int closing(const char *scenario)
{
    const int none[3] = {0};
    mp_stats before, after;
    if (strcmp(scenario, "early") == 0) {
        close_above();
        return attempt(none) || attempt(none);
    }
    MP_CHECK(mp_get_stats(&before));
    if (strcmp(scenario, "founded") != 0 && attempt(none) != 0) return 43;
    mp_value value;
    MP_CHECK(mp_value_create(&value, sizeof(int), NULL));
    close_above();
    if (strcmp(scenario, "reused") == 0)
        while (open("/dev/null", O_RDONLY) < 64) {}
    (void)attempt(none);
    (void)attempt(none);
    MP_WITH_LOCK(value) *MP_VALUE(int, value) += 1;
    MP_CHECK(mp_value_destroy(value));
    MP_CHECK(mp_get_stats(&after));
    bool same = before.blocks == after.blocks && before.processes == after.processes && before.records == after.records;
    puts(same ? "nothing left" : "left over");
    return 0;
}

static int empty(const char *method)
{
    char *const none[] = {NULL};
    setenv("MP_TEST_EMPTY", method, 1);
    execve("/proc/self/exe", none, environ);
    return 44;
}

int main(int argc, char **argv)
{
    const int none[3] = {0};
    const char *from_nothing = getenv("MP_TEST_EMPTY");
    mp_freeze_support();
    if (from_nothing) {
        MP_CHECK(mp_set_start_method((mp_start_method)atoi(from_nothing)));
        return attempt(none);
    }
    if (argc < 3) return 45;
    MP_CHECK(mp_set_start_method((mp_start_method)atoi(argv[2])));
    if (strcmp(argv[1], "empty") == 0) return empty(argv[2]);
    return strcmp(argv[1], "started") == 0 ? started(argc, argv) : closing(argv[1]);
}
