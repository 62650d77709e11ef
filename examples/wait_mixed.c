/* SPDX-License-Identifier: MIT
 *
 * wait_mixed.c - results, a stop sign, and workers some of which crash, in one wait.
 *
 *     wait_mixed [workers]
 *
 *     Python: for ready in multiprocessing.connection.wait([queue._reader, stop_reader, *(w.sentinel for w in workers)]): ...
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUEUE, /* what is waited for: these two, and the workers from there on */
    STOP,
    WORKERS
};

struct job {
    mp_queue results;
    int number;
};

static int work(void *args)
{
    struct job *job = args;
    if (job->number % 10 == 7) MP_CHECK(mp_process_kill(mp_current_process())); /* a bug */
    return mp_queue_put(job->results, &job->number, sizeof job->number, MP_FOREVER);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    int count = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 20, alive = count, results = 0, crashed = 0;
    struct job job = {.number = 0};
    mp_event stop;
    mp_process *workers = calloc((size_t)count, sizeof *workers);
    mp_handle *items = calloc((size_t)count + WORKERS, sizeof *items);
    if (!workers || !items) return 1;
    MP_CHECK(mp_queue_create(&job.results, NULL));
    MP_CHECK(mp_event_create(&stop, NULL)); /* for a signal handler, or a menu */
    items[QUEUE] = MP_HANDLE(job.results);
    items[STOP] = MP_HANDLE(stop);
    for (; job.number < count; job.number++) {
        MP_CHECK(mp_process_start(&workers[job.number], work, &job, sizeof job, NULL));
        items[WORKERS + job.number] = MP_HANDLE(workers[job.number]);
    }

    for (;;) {
        size_t index;
        MP_CHECK(mp_wait(items, (size_t)count + WORKERS, &index, MP_FOREVER));
        if (index == STOP) break;
        if (index == QUEUE) {
            int number, result = mp_queue_get(job.results, &number, sizeof number, NULL, 0);
            if (result == MP_ECLOSED) break;
            MP_CHECK(result);
            results++;
        } else {
            int exit_code;
            MP_CHECK(mp_process_join(workers[index - WORKERS], &exit_code, 0));
            crashed += exit_code != 0;
            items[index] = (mp_handle){0};                           /* not to be waited for any more */
            if (--alive == 0) MP_CHECK(mp_queue_close(job.results)); /* what is in it is got yet, then MP_ECLOSED */
        }
    }
    printf("%d results, %d of %d workers crashed\n", results, crashed, count);

    mp_queue_destroy(job.results);
    mp_event_destroy(stop);
    free(items);
    free(workers);
    return results + crashed == count ? 0 : 1;
}
