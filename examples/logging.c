/* SPDX-License-Identifier: MIT
 *
 * logging.c - libmp tells on stderr what it does, if asked to, and counts what the family uses.
 *
 *     Python: log_to_stderr(logging.INFO)
 */
#include <mp/mp.h>
#include <stdio.h>

static int work(void *args)
{
    (void)args;
    return 0;
}

int main(void)
{
    mp_freeze_support();
    mp_log_to_stderr(MP_LOG_INFO); /* from now on, in every process of the family */
    mp_process process;
    mp_array array;
    mp_stats stats;
    MP_CHECK(mp_array_create(&array, 1000, sizeof(double), NULL));
    MP_CHECK(mp_process_start(&process, work, NULL, 0, &(mp_process_options){.name = "worker"}));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    MP_CHECK(mp_get_stats(&stats));
    printf("libmp %s: %llu bytes in %llu blocks; processes: %u alive, %u ended and not closed; arrays: %u\n",
           mp_version(), (unsigned long long)stats.bytes_used, (unsigned long long)stats.blocks, stats.processes,
           stats.records, stats.arrays);
    mp_process_close(process);
    return stats.arrays == 1 && stats.records == 1 ? 0 : 1;
}
