/* SPDX-License-Identifier: MIT
 *
 * raw.h - the hand-written peers, and what else the benches ask of the system: raw_<system>.c implements it.
 *
 * A peer that a system lacks is left out there: a NULL, a shorter table.
 */
#ifndef MP_BENCH_RAW_H
#define MP_BENCH_RAW_H

#include "bench.h"

/** Whether a started process has this one's descriptors if it is started as a copy. */
extern const bool raw_inherits;

/** Nanoseconds of a clock that all processes share. */
int64_t raw_now(void);

/** Get memory and touch each of its 4 KiB pages, huge pages avoided; NULL where that much is not to be had. */
void *raw_touch(size_t size);
void raw_untouch(void *memory, size_t size);

/** Start a child that ends at once, and wait for it; the microseconds that took, or -1. NULL: not here. */
extern double (*const raw_fork)(const void *unused);
extern double (*const raw_spawn)(const void *unused);

/** A lock and a number that it protects, in memory of any process that is shared. */
struct bench_lock_kind {
    const char *name;
    int (*init)(void *memory);            /* memory of BENCH_LOCK_SIZE, zeroed and aligned to 64; 0 or -1 */
    int (*add)(void *memory, long times); /* lock, add 1, unlock: so often; 0 or -1 */
    long (*number)(const void *memory);
};

enum {
    BENCH_LOCK_SIZE = 256
};

extern const struct bench_lock_kind raw_locks[];
extern const size_t raw_lock_count;

/** What two processes wait for each other with. */
enum bench_pair {
    BENCH_CONDITION,
    BENCH_EVENT,
    BENCH_BARRIER,
    BENCH_PAIRS
};

/** Such a thing and a number that counts what both have done, in memory of any process that is shared. */
struct bench_pair_kind {
    const char *name;                                 /* NULL: not here */
    int (*init)(void *memory);                        /* memory of BENCH_PAIR_SIZE, zeroed and aligned to 64; 0 or -1 */
    int (*play)(void *memory, int side, long rounds); /* sides 0 and 1 at once, each adds 1 a round; 0 or -1 */
    long (*number)(const void *memory);
};

enum {
    BENCH_PAIR_SIZE = 512
};

extern const struct bench_pair_kind raw_pairs[BENCH_PAIRS];

/** What messages go through from one process to another. Each call handles so many of that size, numbered on from the first;
 * who gets them looks at the number in each. 0 or -1. */
struct bench_channel_kind {
    const char *name;
    int (*init)(void *memory, size_t size); /* memory of BENCH_CHANNEL_SIZE, zeroed and aligned to 64; 0 or -1 */
    void (*fini)(void *memory);             /* may be NULL */
    int (*put)(void *memory, size_t size, uint64_t first, long count);
    int (*get)(void *memory, size_t size, uint64_t first, long count);
    int (*ping)(void *memory, size_t size, long rounds); /* send one, and get one back; NULL: it can not */
    int (*pong)(void *memory, size_t size, long rounds); /* the other side of that, at once with it */
    size_t least, most;                                  /* sizes it can do; 0: any */
    bool limit;                                          /* one producer and one consumer only */
};

enum {
    BENCH_CHANNEL_SIZE = 1 << 20
};

extern const struct bench_channel_kind raw_channels[];
extern const size_t raw_channel_count;

/** Keep this thread on one CPU, the same for all who ask; 0 or -1. NULL: not here. */
extern int (*const raw_one_cpu)(void);

#endif
