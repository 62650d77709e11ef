/* SPDX-License-Identifier: MIT
 *
 * bench_no_omp.c - a compiler without OpenMP.
 */
#include "bench_pool.h"

void (*const bench_omp_dynamic)(const struct bench_work *work) = NULL;
void (*const bench_omp_static)(const struct bench_work *work) = NULL;
