/* SPDX-License-Identifier: MIT
 *
 * program_family.c - for test_family_posix: a plain fork() before the first use of libmp, so that there are two families.
 *
 * program_family <start method>
 */
#include "require.h"

#include <mp/mp.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int count_up(void *args)
{
    mp_value value = *(const mp_value *)args;
    MP_WITH_LOCK(value) *MP_VALUE(int, value) += 1;
    return 70000;
}

/* `here` is told by the other, `there` tells it: both families live at the same time. */
static int live(int here, int there)
{
    mp_value value;
    mp_process process;
    mp_stats stats;
    char byte = 0;
    int code;
    REQUIRE(mp_value_create(&value, sizeof(int), NULL) == 0);
    REQUIRE(write(there, &byte, 1) == 1 && read(here, &byte, 1) == 1);
    for (int i = 0; i < 5; i++) {
        REQUIRE(mp_process_start(&process, count_up, &value, sizeof value, NULL) == 0);
        REQUIRE(mp_process_join(process, &code, 30000) == 0 && code == 70000);
        REQUIRE(mp_process_close(process) == 0);
    }
    REQUIRE(*MP_VALUE(int, value) == 5);
    REQUIRE(mp_get_stats(&stats) == 0);
    REQUIRE(stats.processes == 1 && stats.records == 0 && stats.values == 1);
    REQUIRE(mp_parent_process().id == 0);
    REQUIRE(strcmp(mp_process_name(mp_current_process()), "MainProcess") == 0);
    REQUIRE(mp_value_destroy(value) == 0);
    return 0;
}

/* Many more copies than there is room for at a time; each uses libmp, and ends without a word. */
static int many_copies(void)
{
    mp_lock lock;
    mp_stats stats;
    REQUIRE(mp_configure(&(mp_config){.max_processes = 8}) == 0);
    REQUIRE(mp_lock_create(&lock, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            if (mp_lock_acquire(lock, 30000) < 0 || mp_lock_release(lock) < 0) _exit(1);
            _exit(0);
        }
        REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
    }
    REQUIRE(mp_get_stats(&stats) == 0);
    REQUIRE(stats.processes == 1 && stats.records < 8 && stats.threads == 1);
    return 0;
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    if (argc > 1 && strcmp(argv[1], "copies") == 0) return many_copies();
    int one[2], two[2], status = -1;
    mp_start_method method = MP_DEFAULT;
    for (int i = MP_FORK; i <= MP_FORKSERVER; i++)
        if (argc > 1 && strcmp(argv[1], mp_start_method_name((mp_start_method)i)) == 0) method = (mp_start_method)i;
    REQUIRE(method != MP_DEFAULT && mp_set_start_method(method) == 0);
    REQUIRE(pipe(one) == 0 && pipe(two) == 0);
    pid_t pid = fork();
    if (pid == 0) return live(one[0], two[1]);
    int result = live(two[0], one[1]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
    return result;
}
