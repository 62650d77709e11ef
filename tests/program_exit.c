/* SPDX-License-Identifier: MIT
 *
 * program_exit.c - a program whose end is watched by test_exit.c: program_exit scenario method
 */
#include <mp/mp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 30000

static int64_t started_as; /* pid of who went on in main; 0: in a child that is this program anew */
static mp_value total;

/* At once, so that the order of what several processes say is that of saying it. */
static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* ---- the end of main -------------------------------------------------------------------------------------------- */

struct family {
    mp_process daemon;
    mp_lock gate, ready; /* both held */
};

static void family_create(struct family *family)
{
    MP_CHECK(mp_lock_create(&family->gate, NULL));
    MP_CHECK(mp_lock_create(&family->ready, NULL));
    MP_CHECK(mp_lock_acquire(family->gate, 0));
    MP_CHECK(mp_lock_acquire(family->ready, 0));
    family->daemon.id = 0;
}

static int wait_for_ever(void *args)
{
    return mp_lock_acquire(*(const mp_lock *)args, MP_FOREVER);
}

/* Ends when the daemon has: so it has to be ended before this is joined. */
static int wait_for_daemon(void *args)
{
    const struct family *family = args;
    int code = 0;
    int result = mp_process_join(family->daemon, &code, LIMIT);
    printf("child: daemon %d %d\n", result, code);
    return 3;
}

static void after_all(void)
{
    if (started_as && mp_process_pid(mp_current_process()) == started_as) puts("handler");
}

static int daemons(void)
{
    struct family family;
    family_create(&family);
    MP_CHECK(mp_process_start(&family.daemon, wait_for_ever, &family.gate, sizeof family.gate,
                              &(mp_process_options){.daemon = true}));
    MP_CHECK(mp_process_start(NULL, wait_for_daemon, &family, sizeof family, NULL));
    say("main returns");
    return 5;
}

static int add_one(void *args)
{
    mp_value value = *(const mp_value *)args;
    MP_WITH_LOCK(value) *MP_VALUE(int, value) += 1;
    return 0;
}

static void print_total(void)
{
    if (started_as && mp_process_pid(mp_current_process()) == started_as) printf("total %d\n", *MP_VALUE(int, total));
}

static int hundred_unjoined(void)
{
    MP_CHECK(mp_value_create(&total, sizeof(int), NULL));
    for (int i = 0; i < 100; i++) MP_CHECK(mp_process_start(NULL, add_one, &total, sizeof total, NULL));
    say("main returns");
    return 0;
}

static int call_exit(void)
{
    (void)daemons();
    exit(9);
}

/* ---- exit handlers ---------------------------------------------------------------------------------------------- */

/* Registered before anything else, in every run of main. */
static void early(void)
{
    printf("early handler in %s\n",
           started_as && mp_process_pid(mp_current_process()) == started_as ? "parent" : "child");
}

static void late(void)
{
    puts("late handler");
}

static void own(void)
{
    puts("own handler");
}

static int with_own_handler(void *args)
{
    atexit(own);
    if (*(const int *)args) exit(4);
    return 4;
}

static int handlers(int calls_exit)
{
    mp_process process;
    int code;
    atexit(late);
    MP_CHECK(mp_process_start(&process, with_own_handler, &calls_exit, sizeof calls_exit, NULL));
    MP_CHECK(mp_process_join(process, &code, LIMIT));
    printf("child ended with %d\n", code);
    return 0;
}

/* ---- output ----------------------------------------------------------------------------------------------------- */

static int print_unfinished(void *args)
{
    printf("[child %d]", *(const int *)args);
    return 0;
}

static int buffers(void)
{
    printf("[parent]");
    for (int i = 0; i < 3; i++) {
        mp_process process;
        MP_CHECK(mp_process_start(&process, print_unfinished, &i, sizeof i, NULL));
        MP_CHECK(mp_process_join(process, NULL, LIMIT));
    }
    printf("[end]");
    return 0;
}

static int print_names(void *args)
{
    int depth = *(const int *)args;
    printf("%s of %s\n", mp_process_name(mp_current_process()), mp_process_name(mp_parent_process()));
    if (!depth--) return 0;
    for (int i = 0; i < 2; i++) {
        mp_process process;
        MP_CHECK(mp_process_start(&process, print_names, &depth, sizeof depth, NULL));
        MP_CHECK(mp_process_join(process, NULL, LIMIT));
    }
    return 0;
}

static int names(void)
{
    const int depth = 1;
    puts(mp_process_name(mp_current_process()));
    for (int i = 0; i < 2; i++) {
        mp_process process;
        MP_CHECK(mp_process_start(&process, print_names, &depth, sizeof depth, NULL));
        MP_CHECK(mp_process_join(process, NULL, LIMIT));
    }
    return 0;
}

/* ---- failures --------------------------------------------------------------------------------------------------- */

static int failing_check(void)
{
    struct family family;
    family_create(&family);
    MP_CHECK(mp_process_start(NULL, wait_for_ever, &family.gate, sizeof family.gate, NULL));
    say("before");
    MP_CHECK(mp_process_join(mp_current_process(), NULL, 0));
    puts("after");
    return 0;
}

/* A daemon that does not mind being asked to end: SIGTERM is ignored where there are signals. */
#ifdef _WIN32
static void ignore_termination(void)
{
}
#else
#include <signal.h>
static void ignore_termination(void)
{
    signal(SIGTERM, SIG_IGN);
}
#endif

static int stubborn(void *args)
{
    const struct family *family = args;
    ignore_termination();
    (void)mp_lock_release(family->ready);
    return mp_lock_acquire(family->gate, MP_FOREVER);
}

static int stubborn_daemon(void)
{
    struct family family;
    family_create(&family);
    MP_CHECK(mp_process_start(NULL, stubborn, &family, sizeof family, &(mp_process_options){.daemon = true}));
    MP_CHECK(mp_lock_acquire(family.ready, LIMIT));
    say("main returns");
    return 0;
}

static int failing_child(void)
{
    MP_CHECK(mp_process_start(NULL, wait_for_daemon, &(struct family){.daemon = {0}}, sizeof(struct family), NULL));
    return 0;
}

int main(int argc, char **argv)
{
    atexit(early);
    mp_freeze_support();
    if (argc < 3) return 2;
    MP_CHECK(mp_set_start_method((mp_start_method)atoi(argv[2])));
    started_as = mp_process_pid(mp_current_process());
    const char *scenario = argv[1];
    if (strcmp(scenario, "daemons") == 0) return atexit(after_all), daemons();
    if (strcmp(scenario, "exit") == 0) return atexit(after_all), call_exit();
    if (strcmp(scenario, "unjoined") == 0) return atexit(print_total), hundred_unjoined();
    if (strcmp(scenario, "return") == 0) return handlers(0);
    if (strcmp(scenario, "call_exit") == 0) return handlers(1);
    if (strcmp(scenario, "buffers") == 0) return buffers();
    if (strcmp(scenario, "names") == 0) return names();
    if (strcmp(scenario, "check") == 0) return failing_check();
    if (strcmp(scenario, "stubborn") == 0) return stubborn_daemon();
    if (strcmp(scenario, "failing") == 0) return failing_child();
    if (strcmp(scenario, "nothing") == 0) return nothing(NULL);
    return 2;
}
