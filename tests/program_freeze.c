/* SPDX-License-Identifier: MIT
 *
 * program_freeze.c - the first lines of main, in some other ways than usual, for test_freeze.c: program_freeze scenario
 * method [argument...]
 *
 *     plain      mp_freeze_support, and a start
 *     twice      again, while another thread runs
 *     late       for the first time while another thread runs
 *     variable   with the third argument in the environment
 *     member     the same, when there is a family already
 */
#include <mp/mp.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 30000

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_end(void *unused)
{
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    return unused;
}

/* One that runs until the process ends. */
static void start_thread(void)
{
    pthread_t thread;
    pthread_mutex_lock(&held);
    if (pthread_create(&thread, NULL, wait_for_end, NULL) != 0) abort();
}

static int seven(void *args)
{
    (void)args;
    return getenv("_MP_BOOTSTRAP") ? 8 : 7;
}

static int attempt(mp_start_method method)
{
    mp_process process;
    int code = -1, result = mp_process_start(&process, seven, NULL, 0, &(mp_process_options){.method = method});
    if (result == 0) result = mp_process_join(process, &code, LIMIT);
    if (result < 0)
        printf("%s: %s\n", mp_error_name(result), mp_error_detail());
    else
        printf("child: %d\n", code);
    return getenv("_MP_BOOTSTRAP") ? 9 : 0;
}

int main(int argc, char **argv)
{
    const char *scenario = argc > 2 ? argv[1] : "";
    if (strcmp(scenario, "late") == 0) start_thread();
    /* Not in a child, which has a good one. */
    if (strcmp(scenario, "variable") == 0 && !getenv("_MP_BOOTSTRAP")) putenv(argv[3]);
    mp_lock lock;
    if (strcmp(scenario, "used") == 0) MP_CHECK(mp_lock_create(&lock, NULL));
    mp_freeze_support();
    if (argc < 3) return 2;
    /* A child that is none would start children for ever. */
    static char mark[] = "MP_TEST_STARTED=1";
    if (getenv("MP_TEST_STARTED")) return 90;
    putenv(mark);
    if (strcmp(scenario, "twice") == 0) {
        mp_freeze_support();
        start_thread();
        mp_freeze_support();
    }
    if (strcmp(scenario, "member") == 0) {
        mp_stats stats;
        MP_CHECK(mp_get_stats(&stats));
        putenv(argv[3]);
        mp_freeze_support();
    }
    return attempt((mp_start_method)atoi(argv[2]));
}
