/* SPDX-License-Identifier: MIT
 *
 * bench.h - the harness: a metric is measured for several subjects in turn, and printed as medians.
 *
 * What else a machine does changes from second to second. So the subjects of a metric take turns of a few samples each,
 * A A B B C C, B B C C A A, ..., and a slow second hits all of them alike.
 */
#ifndef MP_BENCH_H
#define MP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Something to be measured, beside others, for one metric. */
struct bench_subject {
    const char *name;
    double (*sample)(const void *context); /* one measurement in the metric's unit; negative: it failed */
    const void *context;
};

/** What is measured, and how. */
struct bench_metric {
    const char *name, *unit;
    size_t rounds; /* in each run, so many turns of each subject */
    size_t turn;   /* samples in a row; one more before them does not count: it pays for the subject before it */
};

/** From the command line. */
struct bench_options {
    int runs;
    const char *prefix; /* of the metrics to be measured */
    const char *program;
};

extern struct bench_options bench_options;

/** Whether the command line asks for a metric. */
bool bench_wanted(const char *metric);

/** Measure all subjects and print a line for each: "metric<TAB>subject<TAB>median<TAB>unit". */
void bench_run(const struct bench_metric *metric, const struct bench_subject *subjects, size_t count);

/** A note on stderr: something is not measured, or went wrong. */
void bench_note(const char *metric, const char *text);

/* The groups. */
void bench_start(void);
void bench_lock(void);
void bench_sync(void);
void bench_death(void);
void bench_channel(void);
void bench_pool(void);

#endif
