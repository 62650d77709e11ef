/* SPDX-License-Identifier: MIT
 *
 * pool.h - what a pool is in the arena, and who does what with it.
 *
 *     submitter --- jobs --->  pool  <--- take, run, report --- worker, worker, ...
 *         ^                     ^                                  ^
 *         +--- results ---------+--- supervisor: starts them, buries them
 *
 * A job is one call: a function and any number of items. A worker claims a part of them, takes them out of that step by step,
 * and reports when it is done with it; who has none takes what others have not begun. The supervisor is a process that does
 * nothing else than to replace workers that have ended, and to end those that take too long or are to be stopped.
 *
 * Invariants:
 *   - P1: all of it changes under the pool's lock, the word of its control block, but what is marked as a worker's own.
 *   - P2: what changes together is written down first, and then done (change.h). So a death under the lock leaves all of a
 *     change or nothing of it.
 *   - P3: each item of an unfinished job is in one place: behind the job's cursor; in a range that came back; or in a worker's
 *     claim. `finished` counts those that are in none any more. A claim has one item at least, until it is reported: so the job
 *     is there as long as a worker has some of it.
 *   - P4: a worker says which item of its claim it runs (`at`) before it does. Should it die, those before it are done, that
 *     one has failed, and those behind it come back.
 *   - P5: memory that is the pool's has its id in the heap. A block becomes the pool's by way of `adopting`, and is freed by
 *     way of `dropping`: who finds one of those set after a death finishes that.
 *   - P6: the end of a claim may be cut off by others, under the lock, who lower `limit`; what a worker runs next it first
 *     says to have `taken`. Both store theirs, with a fence, and then look at the other's: so at least one of them sees that
 *     they want the same. A worker that does asks under the lock what is left; who cuts leaves it what it has taken.
 *   - P7: who has something new makes it another turn, fence, and then looks whether a worker looks out for that (`spinner`),
 *     which need not be woken; that one takes `spinner` away, fence, and then looks at the turn, before it sleeps. So one of
 *     them sees the other. Should it be killed as long as it is set, who buries it takes it away, and wakes all.
 *   - P8: a job that is finished, and has an inbox, is in that, until its owner takes it out or somebody forgets it. Both take
 *     its inbox away.
 */
#ifndef MP_COMPOSITES_POOL_H
#define MP_COMPOSITES_POOL_H

#include "base/control.h"
#include "base/heap.h"
#include "os/os.h"

#include <mp/pool.h>

#define MP__DONE        (UINT64_C(1) << 63) /* with the item before which it has ended */
#define MP__CHANGE_MOST 32
#define MP__JOURNALS    8

/* Some items of a job; job 0: none. */
struct mp__range {
    alignas(8) uint64_t job; /* offset */
    alignas(8) uint64_t from, to;
    alignas(8) uint64_t attempt; /* of the first of them */
};

struct mp__pool_worker {
    /* Its own: */
    alignas(64) _Atomic uint64_t at;   /* the item that it runs, + 1; 0: it has not begun; or MP__DONE: P4 */
    alignas(8) _Atomic uint64_t taken; /* it runs all before that, or has: P6 */
    alignas(8) _Atomic uint64_t since; /* when it began that item, ns, if there is a time limit */
    alignas(8) _Atomic uint64_t tasks; /* run so far */
    alignas(8) _Atomic uint64_t busy;  /* ns */
    /* Under the lock, but that it looks at it without: */
    alignas(64) _Atomic uint64_t limit; /* the end of its claim: P6 */
    /* Under the lock: */
    struct mp__range claim;
    alignas(8) uint64_t process; /* id; 0: there is none */
    alignas(8) uint64_t ready;   /* its initializer has run */
    alignas(8) uint64_t verdict; /* why it is being killed: an error, or 0 */
};

/* A function as all can find it. */
struct mp__pool_function {
    alignas(8) uint64_t next; /* offset */
    mp_os_module module;
};

/* What came of a task, where that may have any size. */
struct mp__made {
    alignas(8) uint64_t big;  /* offset of an output that did not fit, or 0 */
    alignas(8) uint64_t size; /* of the output */
};

/* One of several tasks whose inputs have any size. */
struct mp__pool_item {
    alignas(8) uint64_t input, input_size; /* offset; there is a 0 behind it */
    struct mp__made made;
};

/* Where a process finds those of its jobs that are finished: those of an imap, or all that it wants to be called back for. */
struct mp__inbox {
    alignas(8) uint64_t after; /* in the list of all: offset, or 0 */
    alignas(8) uint64_t owner; /* id of a process */
    alignas(8) uint64_t flag;  /* id: somebody has put something in */
    alignas(8) uint64_t open;  /* more will be submitted for it, by this thread of his: it is one of the unfinished */
    alignas(8) uint64_t thread;
    alignas(8) uint64_t first, last; /* jobs, as they were finished: P8 */
};

/* Inputs that lie one behind the other. */
struct mp__pool_column {
    alignas(8) uint64_t offset; /* in the arena; 0: there are none */
    alignas(8) uint64_t item_size;
};

/* Who is told of the end of a job. */
enum mp__wanted {
    MP__WANTED,         /* whoever has its result; or nobody, if there is none */
    MP__WANTED_HERE,    /* its submitter only, without whom it need not be done */
    MP__WANTED_CALLBACK /* its submitter only; it is done all the same */
};

struct mp__job {
    alignas(64) uint64_t capacity;     /* bytes behind this */
    alignas(8) uint64_t after, before; /* in the list of all */
    alignas(8) uint64_t result;        /* id of its flag; 0: nobody waits */
    /* Constant once it is in the queue. */
    alignas(8) uint64_t function;                                /* offset */
    alignas(8) uint64_t count, output_size, max_output, outputs; /* outputs: offset */
    alignas(8) uint64_t items;                                   /* offset of one mp__pool_item for each; 0: columns */
    alignas(8) uint64_t chunk;
    alignas(8) uint64_t time_limit; /* ns; 0: none */
    alignas(8) uint64_t stop;       /* id of an event, or 0 */
    alignas(8) uint64_t submitter;  /* id of a process */
    uint8_t waits;                  /* an mp__wanted */
    uint8_t fresh;                  /* its outputs are zero */
    uint8_t any_size;               /* a task of its own: `made` says what came of it */
    uint8_t column_count;
    uint32_t retries;
    alignas(8) uint64_t outcomes; /* offset of a word for each item, or 0: none has failed. Of one item: `outcome` */
    /* Under the lock. */
    alignas(64) uint64_t next;     /* in the queue, in an inbox, or of those to spare: offset, or 0 */
    alignas(8) uint64_t cursor;    /* from here on nobody has taken any */
    alignas(8) uint64_t end;       /* nor will from here on: the count, unless it was cancelled before */
    alignas(8) uint64_t cancelled; /* what comes back is not run again */
    alignas(8) uint64_t finished, failed;
    alignas(8) uint64_t first_failed; /* the lowest */
    alignas(8) uint64_t outcome;
    alignas(8) uint64_t broken; /* why it could not be run at all, or 0 */
    struct mp__made made;       /* any_size */
    alignas(8) uint64_t inbox;  /* offset; 0: it is in none, nor will be */
    alignas(8) uint64_t retried;
    alignas(8) _Atomic uint64_t took; /* ns, by who ran its `items`: read once all have reported */
    alignas(8) uint64_t base;         /* what its first item is in the imap; constant */
    alignas(8) uint64_t cookie;       /* the submitter's; constant */
    struct mp__pool_column columns[];
};

/* What changes together: change.h. There are several so that each is most often in the caches of one CPU. */
struct mp__journal {
    alignas(64) uint64_t count;
    struct {
        alignas(8) uint64_t at, value;
    } writes[MP__CHANGE_MOST];
};

enum mp__pool_state {
    MP__POOL_OPEN,
    MP__POOL_CLOSED,     /* what is submitted is done, nothing more is */
    MP__POOL_TERMINATED, /* nothing more is done */
    MP__POOL_ENDED       /* and all workers are gone */
};

struct mp__pool {
    /* Constant. */
    alignas(8) uint64_t id;
    alignas(8) uint64_t count; /* of workers */
    alignas(8) uint64_t method, most_tasks;
    alignas(8) uint64_t initializer, initargs, initargs_size; /* offsets, or 0 */
    alignas(8) uint64_t kick, ended; /* ids of flags: the supervisor has to look; there is none any more */
    alignas(8) uint64_t since;       /* ns */
    char name[MP__NAME_SIZE];
    alignas(64) _Atomic uint32_t turn;  /* grows when there is something new to look at; under the lock */
    _Atomic uint32_t spinner;           /* a worker looks out for that */
    alignas(8) _Atomic uint64_t newest; /* the job that was queued last, wherever that is now: to be fetched ahead */
    /* Under the lock. What each call and each claim looks at is one cache line. */
    alignas(64) uint64_t state;
    alignas(8) uint64_t first, last;        /* of the queue: jobs with items that nobody has taken */
    alignas(8) uint64_t unfinished;         /* jobs, and open inboxes */
    alignas(8) uint64_t returned_count;     /* ranges that came back */
    alignas(8) uint64_t submitted, done;    /* items */
    _Atomic uint32_t active, room;          /* the journal that is valid, + 1; 0: none */
    alignas(64) uint64_t all;               /* the first of all jobs */
    alignas(8) uint64_t inboxes;            /* the first of all: offset, or 0 */
    alignas(8) uint64_t spare, spares;      /* small ones, for the next */
    alignas(8) uint64_t adopting, dropping; /* P5 */
    alignas(8) uint64_t failed, retried;    /* items */
    alignas(8) uint64_t functions;          /* offset of the first */
    alignas(8) uint64_t error, code;        /* why it takes no more, and what the initializer said */
    alignas(8) uint64_t killed;             /* it has said nothing: code is how the workers ended */
    alignas(8) _Atomic uint64_t supervisor; /* id of a process */
    struct mp__journal journals[MP__JOURNALS];
    struct mp__range returned[MP_POOL_MAX];
    struct mp__pool_worker workers[];
};

/* ---- pool.c: inside a pool --------------------------------------------------------------------------------------- */

/* Inside, with the lock held: 0 and where it is; or an error (detail set). */
int mp__pool_enter(const char *call, uint64_t id, struct mp__pool **pool);
void mp__pool_leave(const struct mp__pool *pool);
/* Likewise, and those who have no work look again, at most so many: there is something new, which is done. */
void mp__pool_leave_and_ring(struct mp__pool *pool, uint64_t most);
/* Why it takes no more: an error (detail set). Inside. */
int mp__pool_refuse(const char *call, const struct mp__pool *pool);
/* Where it is, without the lock: NULL if there is none (detail set). */
struct mp__pool *mp__pool_of(const char *call, uint64_t id);

static inline void *mp__pool_at(uint64_t offset, uint64_t size)
{
    return offset ? mp__heap_near(offset, size) : NULL;
}
static inline struct mp__job *mp__job_at(uint64_t offset)
{
    return mp__pool_at(offset, sizeof(struct mp__job));
}
static inline uint64_t mp__pool_offset(const void *address)
{
    return (uint64_t)((uintptr_t)address - (uintptr_t)mp__header());
}

/* A line that is about to be changed. Any address does. */
#if defined(__GNUC__)
#define MP__FETCH_AHEAD(address) __builtin_prefetch((address), 1)
#else
#define MP__FETCH_AHEAD(address) ((void)(address))
#endif
/* What entering touches. */
static inline void mp__pool_fetch_ahead(uint64_t id, const struct mp__pool *pool)
{
    const struct mp__control *control = mp__control_near(id, MP__POOL);
    if (control) MP__FETCH_AHEAD(control);
    MP__FETCH_AHEAD(&pool->state);
}

/* Whether somebody is inside. */
bool mp__pool_is_locked(uint64_t id);

/* The supervisor has to look. Under the lock, before what it shall see is done: it waits for the lock, so it does see that,
 * and who is killed then has not left it asleep. */
void mp__pool_kick(const struct mp__pool *pool);
/* Where those sleep that have no work. */
_Atomic uint32_t *mp__pool_bell(uint64_t id);
/* See to it that there is a supervisor, unless all is over. `seen`: the one that has ended. 0 or an error (detail set). */
int mp__pool_supervise(const char *call, uint64_t id, uint64_t seen);
/* The same, if it has. */
int mp__pool_look_after(const char *call, uint64_t id);

/* The function's place in the pool; under the lock. 0, MP_ENOMEM or as mp__funcref_make (detail set). */
int mp__pool_function(const char *call, struct mp__pool *pool, const mp_os_module *module, uint64_t *offset);

/* ---- pool_supervisor.c ------------------------------------------------------------------------------------------- */

struct mp__supervisor_args {
    uint64_t pool, previous;
};
int mp__supervisor(void *args);

/* ---- pool_worker.c ----------------------------------------------------------------------------------------------- */

struct mp__worker_args {
    uint64_t pool, slot, supervisor;
};
int mp__worker(void *args);
/* The pool that this process works for; 0: none. */
uint64_t mp__worker_pool(void);
/* Whether that is memory of the task that runs here: it goes with its job, whoever else may look at it. */
bool mp__worker_runs_in(const void *data, uint64_t size);

#endif
