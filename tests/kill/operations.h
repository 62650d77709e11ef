/* SPDX-License-Identifier: MIT
 *
 * operations.h - what mp_kill does to processes in the middle of.
 *
 * A new operation is one entry of a table, in operations.c or one of operations_*.c: what is prepared by the
 * survivor, what the child does before, the operation itself, and what has to hold afterwards.
 */
#ifndef MP_TESTS_OPERATIONS_H
#define MP_TESTS_OPERATIONS_H

#include <mp/mp.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT 10000 /* ms: whoever waits longer hangs */

/* What an operation is done on. */
struct stage {
    mp_lock lock;
    mp_rlock rlock;
    mp_semaphore semaphore;
    mp_condition condition;
    mp_event event;
    mp_barrier barrier;
    mp_queue queue;
    mp_connection a, b;
    mp_pool pool;
    mp_result result;
    mp_imap *imap; /* the survivor's */
    mp_array array;
    mp_block block;
    mp_block board; /* struct board: what a child lets the survivor know */
    size_t size;
    mp_start_method method; /* the operation's */
};

struct board {
    mp_process waiter, other; /* waits, too */
    mp_block left;
    _Atomic int held, over;
};

struct operation {
    const char *name;
    int (*prepare)(struct stage *); /* by the survivor; may be NULL */
    int (*before)(struct stage *);  /* by the child, not stepped through; may be NULL */
    int (*operate)(struct stage *); /* by the child */
    int (*check)(
        struct stage *);    /* by the survivor, when the child is dead: what it found (MP_OWNERDEAD), or an error */
    unsigned creates;       /* objects */
    bool rlocks;            /* among these; else they are but parts of others */
    bool memory;            /* each of these has a block of memory; values, arrays and blocks always have */
    unsigned tracks;        /* blocks of memory that may stay for good: what both have recorded */
    bool exits;             /* the operation is the end of the child: it does not come back */
    bool fresh;             /* in a family of its own each time, which has not grown yet */
    bool plain;             /* the child is made by a plain fork(): the family does not know it */
    bool buried;            /* somebody else has closed its record by the time that the check is done */
    bool paired;            /* two children may do it at the same time */
    mp_start_method method; /* by which the operation starts a process */
    bool newborn;           /* that one is stepped through, not the child, which returns how it ended: 3, or KILLED */
};

#define KILLED 9

extern const struct operation operations[], operations_sync[], operations_channel[], operations_wait[],
    operations_pool[], operations_trace[];
extern const size_t operations_count, operations_sync_count, operations_channel_count, operations_wait_count,
    operations_pool_count, operations_trace_count;
/* The condition that did not hold, in a check that returned an error; or NULL. */
extern const char *operation_failed_at;

/* A condition that has to hold in the survivor. */
#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition)) return operation_failed_at = #condition, MP_ESYSTEM; \
    } while (0)

int64_t now_ms(void);

#endif
