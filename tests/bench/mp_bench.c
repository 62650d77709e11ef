/* SPDX-License-Identifier: MIT
 *
 * mp_bench.c - libmp beside what one would write by hand, in the same run.
 *
 *     mp_bench [--runs N] [prefix]      prefix: of the metrics to be measured, all by default
 *
 * Each line: metric<TAB>subject<TAB>median<TAB>unit. Build it Release.
 */
#include "bench.h"
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--end") == 0) return 0; /* the child that raw posix_spawn starts */
    mp_freeze_support();
    bench_options.program = argv[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            bench_options.runs = atoi(argv[++i]);
        else if (argv[i][0] != '-')
            bench_options.prefix = argv[i];
        else
            bench_options.runs = 0;
    }
    if (bench_options.runs < 1) {
        fprintf(stderr, "usage: mp_bench [--runs N] [prefix]\n");
        return 2;
    }
    bench_start();
    bench_lock();
    bench_sync();
    bench_death();
    bench_channel();
    bench_pool();
    return 0;
}
