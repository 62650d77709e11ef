/* SPDX-License-Identifier: MIT
 *
 * locked_printing.c - a lock keeps the lines of several processes apart.
 *
 *     Python: lock.acquire(); try: print('hello world', i); finally: lock.release()
 */
#include <mp/mp.h>
#include <stdio.h>

struct job { /* a child's arguments are bytes: handles may stand in them, pointers may not */
    mp_lock lock;
    int number;
};

static int print(void *args)
{
    struct job *job = args;
    MP_WITH_LOCK(job->lock) {
        for (int i = 0; i < 8; i++) fputs("hello ", stdout);
        printf("from number %d\n", job->number);
        fflush(stdout); /* while we hold the lock: another process has a buffer of its own */
    }
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct job job = {0};
    MP_CHECK(mp_lock_create(&job.lock, NULL));
    for (job.number = 0; job.number < 10; job.number++)
        MP_CHECK(mp_process_start(NULL, print, &job, sizeof job, NULL)); /* NULL: joined when main returns */
    return 0;
}
