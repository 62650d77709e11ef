/* SPDX-License-Identifier: MIT
 *
 * bench_start.c - what a process costs from start to joined, its record closed; from a small parent and from one of 2
 * GB.
 */
#include "raw.h"
#include <mp/mp.h>

static int nothing(void *args)
{
    (void)args;
    return 0;
}

static double start_join(const void *context)
{
    int exit_code;
    mp_process process;
    int64_t since = raw_now();
    if (mp_process_start(&process, nothing, NULL, 0, context) < 0) return -1;
    if (mp_process_join(process, &exit_code, MP_FOREVER) < 0 || exit_code != 0) return -1;
    if (mp_process_close(process) < 0) return -1;
    return (double)(raw_now() - since) / 1e3;
}

static const mp_process_options by_fork = {.method = MP_FORK};
static const mp_process_options by_spawn = {.method = MP_SPAWN};
static const mp_process_options by_forkserver = {.method = MP_FORKSERVER};

static bool available(mp_start_method method)
{
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    while (count > 0 && methods[count - 1] != method) count--;
    return count > 0;
}

/* Those of this platform, a peer beside its own kind. */
static size_t list_subjects(struct bench_subject *subjects)
{
    size_t count = 0;
    if (available(MP_FORK)) subjects[count++] = (struct bench_subject){"libmp fork", start_join, &by_fork};
    if (raw_fork) subjects[count++] = (struct bench_subject){"raw fork", raw_fork, NULL};
    if (available(MP_SPAWN)) subjects[count++] = (struct bench_subject){"libmp spawn", start_join, &by_spawn};
    if (raw_spawn) subjects[count++] = (struct bench_subject){"raw posix_spawn", raw_spawn, NULL};
    if (available(MP_FORKSERVER))
        subjects[count++] = (struct bench_subject){"libmp forkserver", start_join, &by_forkserver};
    return count;
}

void bench_start(void)
{
    static const struct bench_metric small = {"start_join", "us", 10, 10};
    static const struct bench_metric large = {"start_join_rss2g", "us", 2, 2};
    struct bench_subject subjects[5];
    size_t count = list_subjects(subjects), size = (size_t)1 << 31;
    if (bench_wanted(small.name)) bench_run(&small, subjects, count);
    if (!bench_wanted(large.name)) return;
    void *memory = raw_touch(size);
    if (!memory) {
        bench_note(large.name, "skipped: 2 GB of memory are not to be had here");
        return;
    }
    bench_run(&large, subjects, count);
    raw_untouch(memory, size);
}
