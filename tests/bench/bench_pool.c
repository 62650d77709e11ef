/* SPDX-License-Identifier: MIT
 *
 * bench_pool.c - a pool of two workers beside a plain loop in one process, and beside two threads of OpenMP.
 */
#include "bench_pool.h"
#include "raw.h"
#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKERS = 2,
    MANY = 4000000,
    SOME = 1000000,
    SLOW = 1000 /* tasks of TASK_NS */
};
#define TASK_NS 100000
#define CALLS   20000

/* What all of it needs; made by the first sample that does. */
static struct {
    mp_pool pool;
    mp_block memory;
    long *in, *out;
    long steps; /* that take TASK_NS */
} scene;

/* ---- tasks ---- */

static void add_one(const long *in, long *out)
{
    *out = *in + 1;
}

static void compute(long steps, long *out)
{
    unsigned long x = (unsigned long)steps | 1;
    for (long i = 0; i < steps; i++) x = x * 6364136223846793005u + 1442695040888963407u;
    *out = (long)(x >> 1);
}

static void slow(const long *in, long *out)
{
    compute(*in, out);
}

static int pool_add_one(mp_task *task)
{
    add_one(task->input, task->output);
    return 0;
}

static int pool_slow(mp_task *task)
{
    slow(task->input, task->output);
    return 0;
}

static int crash(mp_task *task)
{
    *(int64_t *)mp_block_data(*(const mp_block *)task->input) = raw_now();
    return mp_process_kill(mp_current_process());
}

static int pool_meet(mp_task *task)
{
    return mp_barrier_wait(*(const mp_barrier *)task->input, MP_FOREVER) < 0;
}

/* ---- what is measured ---- */

static bool prepare(void)
{
    if (scene.in) return true;
    if (mp_block_create(&scene.memory, 2 * MANY * sizeof(long)) < 0) return false;
    scene.in = mp_block_data(scene.memory);
    scene.out = scene.in + MANY;
    for (long i = 0; i < MANY; i++) scene.in[i] = i;
    long steps = 1000000, out;
    int64_t since = raw_now();
    compute(steps, &out);
    scene.out[0] = out;
    scene.steps = (long)((double)steps * TASK_NS / (double)(raw_now() - since));
    return mp_pool_create(&scene.pool, WORKERS, NULL) == 0;
}

/* Each has added one to each, and all of it anew. */
static bool is_done(long count)
{
    for (long i = 0; i < count; i += 997)
        if (scene.out[i] != i + 1) return false;
    return count == 0 || scene.out[count - 1] == count;
}

static double rate(int64_t since, long count)
{
    double seconds = (double)(raw_now() - since) / 1e9;
    bool done = is_done(count);
    memset(scene.out, 0, (size_t)count * sizeof(long));
    return done ? (double)count / seconds : -1;
}

static double by_loop(const void *unused)
{
    (void)unused;
    if (!prepare()) return -1;
    void (*volatile task)(const long *, long *) = add_one; /* called, as a pool's is */
    int64_t since = raw_now();
    for (long i = 0; i < MANY; i++) task(scene.in + i, scene.out + i);
    return rate(since, MANY);
}

static double by_threads(const void *how)
{
    if (!prepare()) return -1;
    const struct bench_work work = {add_one, scene.in, scene.out, MANY};
    int64_t since = raw_now();
    (*(void (*const *)(const struct bench_work *))how)(&work);
    return rate(since, MANY);
}

static double by_map(const void *chunk)
{
    if (!prepare()) return -1;
    const mp_call_options options = {.chunk_size = *(const size_t *)chunk};
    int64_t since = raw_now();
    if (mp_pool_map(scene.pool, pool_add_one, scene.in, sizeof(long), scene.out, sizeof(long), MANY, &options) < 0)
        return -1;
    return rate(since, MANY);
}

static double by_map_recorded(const void *chunk)
{
    if (!prepare() || mp_trace_start(NULL) < 0) return -1;
    double result = by_map(chunk);
    return mp_trace_stop() < 0 ? -1 : result;
}

static double by_imap(const void *unused)
{
    (void)unused;
    mp_imap *imap;
    mp_item item;
    if (!prepare()) return -1;
    mp_items items = {scene.in, sizeof(long), SOME};
    int64_t since = raw_now();
    int result = mp_pool_imap_unordered(scene.pool, &imap, pool_add_one, mp_source_array, &items, sizeof(long), NULL);
    if (result < 0) return -1;
    while ((result = mp_imap_next(imap, &item, MP_FOREVER)) == 1)
        if (item.output.data) scene.out[item.index] = *(const long *)item.output.data;
    mp_imap_destroy(imap);
    return result < 0 ? -1 : rate(since, SOME);
}

static double by_apply(const void *unused)
{
    (void)unused;
    if (!prepare()) return -1;
    int64_t since = raw_now();
    for (long i = 0; i < CALLS; i++) {
        long out = 0;
        if (mp_pool_apply(scene.pool, pool_add_one, &i, sizeof i, &out, sizeof out, NULL) < 0 || out != i + 1)
            return -1;
    }
    return (double)(raw_now() - since) / CALLS;
}

/* The time of one process through that of two. */
static double speedup(const void *how)
{
    if (!prepare()) return -1;
    long in[SLOW], out[SLOW];
    for (long i = 0; i < SLOW; i++) in[i] = scene.steps;
    const struct bench_work work = {slow, in, out, SLOW};
    int64_t since = raw_now();
    for (long i = 0; i < SLOW; i++) slow(&in[i], &out[i]);
    int64_t alone = raw_now() - since;
    since = raw_now();
    if (how)
        (*(void (*const *)(const struct bench_work *))how)(&work);
    else if (mp_pool_map(scene.pool, pool_slow, in, sizeof *in, out, sizeof *out, SLOW, NULL) < 0)
        return -1;
    return (double)alone / (double)(raw_now() - since);
}

/* Microseconds from the kill to the report; or, likewise, until two tasks run at once again. */
static double recovery(const void *whole)
{
    mp_block moment;
    mp_barrier barrier;
    if (!prepare() || mp_block_create(&moment, sizeof(int64_t)) < 0) return -1;
    int result = mp_pool_apply(scene.pool, crash, &moment, sizeof moment, NULL, 0, NULL);
    int64_t now = raw_now(), since = *(const int64_t *)mp_block_data(moment);
    bool works = result == MP_EWORKERDEAD && mp_barrier_create(&barrier, WORKERS, NULL) == 0;
    if (works) {
        const mp_barrier barriers[WORKERS] = {barrier, barrier};
        works = mp_pool_map(scene.pool, pool_meet, barriers, sizeof barrier, NULL, 0, WORKERS,
                            &(mp_call_options){.chunk_size = 1}) == 0;
        if (whole) now = raw_now();
        (void)mp_barrier_destroy(barrier);
    }
    (void)mp_block_destroy(moment);
    return works ? (double)(now - since) / 1e3 : -1;
}

/* ---- four processes that meet, as a pool and without ---- */

enum {
    PARTY = 4
};

static int meet(void *args)
{
    return mp_barrier_wait(*(mp_barrier *)args, MP_FOREVER) < 0;
}

/* Microseconds until all of them are there. */
static double create_pool(const void *unused)
{
    (void)unused;
    mp_pool pool;
    mp_barrier barrier, barriers[PARTY];
    if (mp_barrier_create(&barrier, PARTY, NULL) < 0) return -1;
    for (int i = 0; i < PARTY; i++) barriers[i] = barrier;
    int64_t since = raw_now();
    if (mp_pool_create(&pool, PARTY, NULL) < 0) return -1;
    int result =
        mp_pool_map(pool, pool_meet, barriers, sizeof barrier, NULL, 0, PARTY, &(mp_call_options){.chunk_size = 1});
    double us = (double)(raw_now() - since) / 1e3;
    (void)mp_pool_destroy(pool);
    (void)mp_barrier_destroy(barrier);
    return result < 0 ? -1 : us;
}

static double start_processes(const void *unused)
{
    (void)unused;
    mp_process processes[PARTY];
    mp_barrier barrier;
    if (mp_barrier_create(&barrier, PARTY + 1, NULL) < 0) return -1;
    int64_t since = raw_now();
    for (int i = 0; i < PARTY; i++)
        if (mp_process_start(&processes[i], meet, &barrier, sizeof barrier, NULL) < 0) return -1;
    int result = mp_barrier_wait(barrier, MP_FOREVER);
    double us = (double)(raw_now() - since) / 1e3;
    (void)mp_process_join_all(processes, NULL, PARTY, MP_FOREVER);
    for (int i = 0; i < PARTY; i++) (void)mp_process_close(processes[i]);
    (void)mp_barrier_destroy(barrier);
    return result < 0 ? -1 : us;
}

void bench_pool(void)
{
    static const size_t one = 1, automatic = 0;
    const struct bench_subject chunk1[] = {{"libmp Pool(2)", by_map, &one},
                                           {"libmp Pool(2), recorded", by_map_recorded, &one},
                                           {"loop in one process", by_loop, NULL},
                                           {"OpenMP dynamic,1 (2 threads)", by_threads, &bench_omp_dynamic}};
    const struct bench_subject auto_[] = {{"libmp Pool(2)", by_map, &automatic},
                                          {"loop in one process", by_loop, NULL},
                                          {"OpenMP static (2 threads)", by_threads, &bench_omp_static}};
    const struct bench_subject imap[] = {{"libmp Pool(2)", by_imap, NULL}, {"loop in one process", by_loop, NULL}};
    const struct bench_subject apply[] = {{"libmp Pool(2)", by_apply, NULL}};
    const struct bench_subject speed[] = {{"libmp Pool(2)", speedup, NULL},
                                          {"OpenMP dynamic,1 (2 threads)", speedup, &bench_omp_dynamic}};
    const struct bench_subject create[] = {{"libmp Pool(4)", create_pool, NULL},
                                           {"libmp, 4 processes", start_processes, NULL}};
    const struct bench_subject crashes[] = {{"libmp Pool(2)", recovery, NULL}, {"libmp Pool(2)", recovery, &one}};
    const size_t omp = bench_omp_dynamic ? 1 : 0;
    const struct {
        struct bench_metric metric;
        const struct bench_subject *subjects;
        size_t count;
    } all[] = {
        {{"pool_map_chunk1", "tasks/s", 3, 3}, chunk1, 3 + omp}, {{"pool_map_auto", "tasks/s", 3, 3}, auto_, 2 + omp},
        {{"pool_imap_unordered", "tasks/s", 3, 3}, imap, 2},     {{"pool_apply_rtt", "ns", 3, 3}, apply, 1},
        {{"pool_speedup_100us", "x", 3, 1}, speed, 1 + omp},     {{"pool_crash_recovery", "us", 3, 3}, crashes, 1},
        {{"pool_whole_again", "us", 3, 3}, &crashes[1], 1},      {{"pool_create_4", "us", 5, 3}, create, 2}};
    if (!bench_omp_dynamic) bench_note("pool", "no OpenMP here: the plain loop is its only peer");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (bench_wanted(all[i].metric.name)) bench_run(&all[i].metric, all[i].subjects, all[i].count);
    if (!scene.in) return;
    (void)mp_pool_destroy(scene.pool);
    (void)mp_block_destroy(scene.memory);
}
