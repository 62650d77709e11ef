/* SPDX-License-Identifier: MIT
 *
 * trace.c - a timeline of what the processes did, to be opened in Perfetto (ui.perfetto.dev) or chrome://tracing: a producer
 * that fills a queue faster than the pool works it off, and a lock that everybody wants.
 *
 *     trace [file]        writes trace.json unless told otherwise
 *
 *     Python: nothing like it; viztracer
 */
#include <mp/mp.h>
#include <stdio.h>

#define JOBS 200

struct shared {
    mp_queue jobs;
    mp_lock ledger;
};

static int produce(void *args)
{
    const struct shared *shared = args;
    for (int job = 1; job <= JOBS; job++) MP_CHECK(mp_queue_put(shared->jobs, &job, sizeof job, MP_FOREVER));
    return 0;
}

static long slowly(long number)
{
    for (int i = 0; i < 20000; i++) number = (number * 48271 + 11) % 2147483647;
    return number;
}

/* A task takes a job, works on it, and writes that down where only one can at a time. */
static int work(mp_task *task)
{
    const struct shared *shared = task->input;
    int job;
    MP_CHECK(mp_queue_get(shared->jobs, &job, sizeof job, NULL, MP_FOREVER));
    *(long *)task->output = slowly(job);
    MP_WITH_LOCK(shared->ledger) (void)slowly(job);
    return 0;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "trace.json";
    mp_freeze_support();
    MP_CHECK(mp_trace_start(&(mp_trace_options){.path = path}));

    static struct shared inputs[JOBS];
    static long results[JOBS];
    struct shared shared;
    mp_process producer;
    mp_pool pool;
    MP_CHECK(mp_queue_create(&shared.jobs, &(mp_queue_options){.name = "jobs", .maxsize = 8}));
    MP_CHECK(mp_lock_create(&shared.ledger, &(mp_lock_options){.name = "ledger"}));
    for (int i = 0; i < JOBS; i++) inputs[i] = shared;
    MP_CHECK(mp_pool_create(&pool, 3, &(mp_pool_options){.name = "workers"}));
    MP_CHECK(mp_process_start(&producer, produce, &shared, sizeof shared, &(mp_process_options){.name = "producer"}));
    MP_CHECK(mp_pool_map(pool, work, inputs, sizeof *inputs, results, sizeof *results, JOBS, NULL));
    MP_CHECK(mp_process_join(producer, NULL, MP_FOREVER));
    MP_CHECK(mp_pool_destroy(pool));
    printf("the timeline is in %s: open it in Perfetto\n", path);
    return 0; /* it is written when main has returned */
}
