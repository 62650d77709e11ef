/* SPDX-License-Identifier: MIT
 *
 * program_file.c - a program whose own file changes while it runs, for test_program_file.c: program_file method change path
 * other. Two are built of this, with another BUILD; in the second one nothing lies where it does in the first.
 */
#include "files.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int build(void *args)
{
    return BUILD * 100 + *(int *)args;
}

#if BUILD == 2
int padding(void *args);
int padding(void *args)
{
    for (char *at = args; *at; at++) *at = (char)(*at ^ BUILD);
    return (int)strlen(args);
}
#endif

/* A child has children of its own by the same file. */
static int child(void *args)
{
    mp_process process;
    int code;
    if (mp_process_start(&process, build, args, sizeof(int), NULL) < 0) return 50;
    if (mp_process_join(process, &code, LIMIT) < 0 || mp_process_close(process) < 0) return 51;
    return code + 1;
}

static void change_file(const char *change, const char *path, const char *other)
{
    if (strcmp(change, "delete") == 0) file_delete(path);
    if (strcmp(change, "rename") == 0) file_hide(path);
    if (strcmp(change, "replace") == 0) file_replace(path, other);
    if (strcmp(change, "text") == 0) {
        file_hide(path);
        file_write(path, "no program\n");
    }
}

/* Says how a start goes, and what it leaves; the first one may leave a fork server. */
static void attempt(bool first)
{
    const int number = 7;
    struct support_counts before, after;
    mp_process process = {4711};
    int code = 4711;
    support_count(&before);
    int result = mp_process_start(&process, child, &number, sizeof number, NULL);
    if (result == 0) {
        result = mp_process_join(process, &code, LIMIT);
        (void)mp_process_close(process);
    } else if (process.id != 4711) {
        puts("the handle was touched");
    }
    if (result < 0)
        printf("%s: %s\n", mp_error_name(result), mp_error_detail());
    else
        printf("child: %d\n", code);
    support_count(&after);
    if (!first && !support_balanced(&before, &after)) puts("left over");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    if (argc < 5) return 2;
    /* A child that is none would start children for ever. */
    static char mark[] = "MP_TEST_STARTED=1";
    if (getenv("MP_TEST_STARTED")) return 90;
    putenv(mark);
    MP_CHECK(mp_set_start_method((mp_start_method)atoi(argv[1])));
    /* Once before, so that what a first start leaves is there: a fork server of the file as it was. */
    if (strncmp(argv[2], "late-", 5) == 0) {
        attempt(true);
        change_file(argv[2] + 5, argv[3], argv[4]);
        attempt(false);
    } else {
        change_file(argv[2], argv[3], argv[4]);
        attempt(true);
    }
    attempt(false);
    return 0;
}
