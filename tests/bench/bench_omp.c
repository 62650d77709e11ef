/* SPDX-License-Identifier: MIT
 *
 * bench_omp.c - the peers of a pool: threads of OpenMP, which share all memory and need not survive anything.
 */
#include "bench_pool.h"

#include <omp.h>

static void dynamic(const struct bench_work *work)
{
#pragma omp parallel for num_threads(2) schedule(dynamic, 1)
    for (long i = 0; i < work->count; i++) work->task(work->in + i, work->out + i);
}

static void fixed(const struct bench_work *work)
{
#pragma omp parallel for num_threads(2) schedule(static)
    for (long i = 0; i < work->count; i++) work->task(work->in + i, work->out + i);
}

void (*const bench_omp_dynamic)(const struct bench_work *work) = dynamic;
void (*const bench_omp_static)(const struct bench_work *work) = fixed;
