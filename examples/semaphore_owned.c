/* SPDX-License-Identifier: MIT
 *
 * semaphore_owned.c - a process is killed while it has units of a semaphore: they come back, because they are owned.
 *
 *     Python: the units are gone, and whoever needs them waits for ever
 */
#include <mp/mp.h>
#include <stdio.h>

struct job {
    mp_semaphore licences;
    mp_event taken, never;
};

/* Is killed before it gives them back. */
static int work(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < 2; i++) MP_CHECK(mp_semaphore_acquire(job->licences, MP_FOREVER));
    mp_event_set(job->taken);
    return mp_event_wait(job->never, MP_FOREVER);
}

int main(void)
{
    mp_freeze_support();
    struct job job;
    mp_process process;
    int exit_code;
    MP_CHECK(mp_semaphore_create(&job.licences, 3, &(mp_semaphore_options){.name = "licences", .owned = true}));
    MP_CHECK(mp_event_create(&job.taken, NULL));
    MP_CHECK(mp_event_create(&job.never, NULL));

    MP_CHECK(mp_process_start(&process, work, &job, sizeof job, NULL));
    MP_CHECK(mp_event_wait(job.taken, MP_FOREVER));
    printf("of 3 licences %d is left\n", MP_CHECK(mp_semaphore_get_value(job.licences)));
    int result = mp_semaphore_release(job.licences);
    printf("released by who has none: %s\n", mp_error_name(result)); /* MP_ENOTOWNER */

    MP_CHECK(mp_process_kill(process));
    for (int i = 0; i < 3; i++) MP_CHECK(mp_semaphore_acquire(job.licences, MP_FOREVER));
    printf("killed, and all 3 are ours\n");
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    printf("exit code %d\n", exit_code);
    return 0;
}
