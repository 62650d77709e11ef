/* SPDX-License-Identifier: MIT
 *
 * program_bare.c - a program without mp_freeze_support, for test_freeze.c and test_program_file.c: program_bare [method...]
 *
 * It starts one child by each method, and says how that went.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

static int forty_two(void *args)
{
    (void)args;
    return 42;
}

static void attempt(mp_start_method method)
{
    struct support_counts before, after;
    mp_process process = {4711};
    int code = 0;
    support_count(&before);
    int result = mp_process_start(&process, forty_two, NULL, 0, &(mp_process_options){.method = method});
    if (result < 0) {
        printf("%s: %s %s\n", mp_start_method_name(method), mp_error_name(result), mp_error_detail());
        if (process.id != 4711) puts("the handle was touched");
    } else {
        MP_CHECK(mp_process_join(process, &code, LIMIT));
        MP_CHECK(mp_process_close(process));
        printf("%s: %d\n", mp_start_method_name(method), code);
    }
    support_count(&after);
    if (!support_balanced(&before, &after)) puts("left over");
}

int main(int argc, char **argv)
{
    mp_stats stats;
    if (argc < 2) return 0;
    /* A child that is none would start children for ever. */
    static char mark[] = "MP_TEST_STARTED=1";
    if (getenv("MP_TEST_STARTED")) return 90;
    putenv(mark);
    MP_CHECK(mp_get_stats(&stats));
    for (int i = 1; i < argc; i++) attempt((mp_start_method)atoi(argv[i]));
    for (int i = 1; i < argc; i++) attempt((mp_start_method)atoi(argv[i]));
    return 3;
}
