/* SPDX-License-Identifier: MIT
 *
 * bench.c - taking turns, medians, and the lines printed.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench_options bench_options = {.runs = 5, .prefix = "", .program = ""};

bool bench_wanted(const char *metric)
{
    return strncmp(metric, bench_options.prefix, strlen(bench_options.prefix)) == 0;
}

void bench_note(const char *metric, const char *text)
{
    fprintf(stderr, "%s: %s\n", metric, text);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_value);
    return count % 2 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

/* One turn of one subject; false if it failed. */
static bool take_turn(const struct bench_subject *subject, size_t turn, double *samples)
{
    bool works = subject->sample(subject->context) >= 0;
    for (size_t i = 0; works && i < turn; i++) works = (samples[i] = subject->sample(subject->context)) >= 0;
    return works;
}

void bench_run(const struct bench_metric *metric, const struct bench_subject *subjects, size_t count)
{
    size_t turns = (size_t)bench_options.runs * metric->rounds, each = turns * metric->turn;
    double *samples = count > 0 ? calloc(count * each, sizeof *samples) : NULL;
    bool *failed = count > 0 ? calloc(count, sizeof *failed) : NULL;
    if (!samples || !failed) {
        bench_note(metric->name, "no subject, or no memory");
        count = 0;
    }
    for (size_t turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < count; i++) {
            size_t who = (turn + i) % count;
            double *room = samples + who * each + turn * metric->turn;
            if (!failed[who]) failed[who] = !take_turn(&subjects[who], metric->turn, room);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (failed[i])
            fprintf(stderr, "%s: %s failed\n", metric->name, subjects[i].name);
        else
            printf("%s\t%s\t%.2f\t%s\n", metric->name, subjects[i].name, median(samples + i * each, each),
                   metric->unit);
    }
    fflush(stdout);
    free(samples);
    free(failed);
}
