/* SPDX-License-Identifier: MIT
 *
 * program_janitor.c - for test_janitor: a family that says which processes there are, and ends.
 *
 * program_janitor <start method> leave|killed
 * program_janitor <start method> orphans
 */
#include "base/arena.h"
#include "require.h"

#include <mp/mp.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMIT 30000

static int wait_forever(void *args)
{
    return mp_lock_acquire(*(const mp_lock *)args, LIMIT);
}

static int start_daemon(mp_lock lock, mp_process *process)
{
    return mp_process_start(process, wait_forever, &lock, sizeof lock, &(mp_process_options){.daemon = true});
}

static int pass_by(void *args)
{
    return args ? 1 : 0;
}

static int leave_orphan(void *args)
{
    mp_process orphan;
    (void)args;
    REQUIRE(mp_process_start(&orphan, pass_by, NULL, 0, NULL) == 0);
    return mp_process_kill(mp_current_process());
}

/* Far more than there are records: whoever could have closed them is dead. */
static int leave_orphans(void)
{
    for (int i = 0; i < 20; i++) {
        mp_process parent;
        mp_stats stats;
        int code = 0;
        REQUIRE(mp_process_start(&parent, leave_orphan, NULL, 0, NULL) == 0);
        REQUIRE(mp_process_join(parent, &code, LIMIT) == 0 && code == -9);
        REQUIRE(mp_process_close(parent) == 0);
        do REQUIRE(mp_get_stats(&stats) == 0);
        while (stats.processes > 1);
        REQUIRE(stats.records < 6);
    }
    return 0;
}

int main(int argc, char **argv)
{
    mp_lock lock;
    mp_process daemons[2];
    int64_t janitor = 0;
    mp_freeze_support();
    REQUIRE(argc == 3);
    REQUIRE(mp_configure(&(mp_config){.max_processes = 6}) == 0);
    for (int method = MP_FORK; method <= MP_FORKSERVER; method++)
        if (strcmp(mp_start_method_name((mp_start_method)method), argv[1]) == 0)
            REQUIRE(mp_set_start_method((mp_start_method)method) == 0);
    if (strcmp(argv[2], "orphans") == 0) return leave_orphans();
    REQUIRE(mp_lock_create(&lock, NULL) == 0);
    REQUIRE(mp_lock_acquire(lock, 0) == 0);
    for (int i = 0; i < 2; i++) REQUIRE(start_daemon(lock, &daemons[i]) == 0);
    for (int i = 0; !janitor && i < LIMIT; i++) {
        janitor = atomic_load(&mp__header()->janitor.pid);
        if (!janitor) mp_os_sleep(1000000);
    }
    REQUIRE(janitor);
    printf("pid %" PRId64 "\n", janitor);
    for (int i = 0; i < 2; i++) printf("pid %" PRId64 "\n", mp_process_pid(daemons[i]));
    fflush(stdout);
    if (strcmp(argv[2], "killed") == 0) (void)mp_process_kill(mp_current_process());
    return 0;
}
