/* SPDX-License-Identifier: MIT
 *
 * daemon.c - at the end of main daemons are ended, then other children are joined.
 *
 *     Python: Process(target=heartbeat, args=(beats, pause), daemon=True).start()
 */
#include <mp/mp.h>
#include <stdio.h>

struct clockwork {
    mp_lock pause;  /* held by main: waiting for it is sleeping */
    mp_value beats; /* int */
};

static int heartbeat(void *args)
{
    struct clockwork *clockwork = args;
    for (;;) {
        MP_WITH_LOCK(clockwork->beats) *MP_VALUE(int, clockwork->beats) += 1;
        int result = mp_lock_acquire(clockwork->pause, 5);
        if (result != MP_ETIMEDOUT) return result;
    }
}

static int work(void *args)
{
    struct clockwork *clockwork = args;
    int seen = 0;
    while (seen < 5) {
        MP_WITH_LOCK(clockwork->beats) seen = *MP_VALUE(int, clockwork->beats);
        if (mp_lock_acquire(clockwork->pause, 1) != MP_ETIMEDOUT) return 1;
    }
    puts("the worker has seen 5 heartbeats");
    return 0;
}

static int tidy_up(void *args)
{
    (void)args;
    puts("the last child ends, and then the program");
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct clockwork clockwork;
    mp_process worker;
    MP_CHECK(mp_lock_create(&clockwork.pause, NULL));
    MP_CHECK(mp_lock_acquire(clockwork.pause, MP_FOREVER));
    MP_CHECK(mp_value_create(&clockwork.beats, sizeof(int), NULL));
    MP_CHECK(mp_process_start(NULL, heartbeat, &clockwork, sizeof clockwork, &(mp_process_options){.daemon = true}));
    MP_CHECK(mp_process_start(&worker, work, &clockwork, sizeof clockwork, NULL));
    MP_CHECK(mp_process_join(worker, NULL, MP_FOREVER)); /* here: at the end of main the heartbeat is ended first */
    MP_CHECK(mp_process_start(NULL, tidy_up, NULL, 0, NULL));
    puts("main returns");
    fflush(stdout);
    return 0; /* ends the heartbeat, which would go on for ever, and then waits for the other child */
}
