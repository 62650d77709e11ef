/* SPDX-License-Identifier: MIT
 *
 * bench_pool.h - what a pool and its peers do, each in its way.
 */
#ifndef MP_BENCH_POOL_H
#define MP_BENCH_POOL_H

#include "bench.h"

/** So many tasks, with an item each. */
struct bench_work {
    void (*task)(const long *in, long *out);
    const long *in;
    long *out;
    long count;
};

/** By two threads: one item after the other to whoever is free, or half of them to each. NULL: not here. */
extern void (*const bench_omp_dynamic)(const struct bench_work *work);
extern void (*const bench_omp_static)(const struct bench_work *work);

#endif
