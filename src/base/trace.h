/* SPDX-License-Identifier: MIT
 *
 * trace.h - the timeline: what threads did, and when; recorded in the arena, written as a file by trace_file.c.
 *
 * Each thread has a track of its own in the heap, made when it begins to use libmp or when recording begins, which stays when
 * it ends: a ring of spans, of which the oldest are overwritten. Only its thread writes to a track, so to record takes no lock,
 * and a death in it loses one span.
 *
 *     struct mp__span span = mp__trace_open();                   // all zero where nothing is recorded
 *     ...
 *     if (span.begin) mp__trace_close(&span, MP__TRACE_PUT, mp__trace_named(id), size);
 *
 * Spans of a thread nest: each lies within the one that was opened before it and is closed after it. Several of a kind, of the
 * same object and with nothing between them, become one as long as that is short; but none that was closed before the
 * innermost open one was opened (its `floor`), which it would reach into.
 *
 * All the hooks are where a thread waits, or is about to call a function of its user's: not in signal handlers.
 */
#ifndef MP_BASE_TRACE_H
#define MP_BASE_TRACE_H

#include "base/arena.h"
#include "base/thread.h"

enum mp__trace_kind {
    MP__TRACE_SLEEP, /* of what it waits for */
    MP__TRACE_LOCK,  /* it waits for a lock, asleep or not */
    MP__TRACE_PUT,   /* value: bytes */
    MP__TRACE_GET,
    MP__TRACE_TASKS, /* of a pool; value: the index of the first */
    MP__TRACE_START, /* of a process; value: its id */
    MP__TRACE_KINDS
};

struct mp__trace_event {
    alignas(8) _Atomic uint64_t begin, end; /* mp_os_now */
    alignas(8) _Atomic uint64_t what;       /* its kind << 32 | place of the object's name in the track, + 1; or 0 */
    alignas(8) _Atomic uint64_t count;      /* how many have become one */
    alignas(8) _Atomic uint64_t value;
};

/* Objects are named when they are used: they may be gone when the file is written. Those of one type and one name are one here;
 * there is room for so many. */
#define MP__TRACE_NAMES 256
struct mp__trace_name {
    uint32_t type; /* enum mp__type */
    char name[MP__NAME_SIZE];
};

struct mp__track {
    /* Under the arena's lock: */
    alignas(8) _Atomic uint64_t following; /* offset of the next one; constant once it is not 0 */
    alignas(8) uint64_t stamp;             /* of its thread */
    alignas(8) uint64_t process;
    alignas(8) int64_t pid, begin, end; /* end: when it was seen to be over; or 0 */
    uint32_t method, capacity;          /* enum mp_start_method; events: a power of two, constant */
    char process_name[64];
    /* By its thread.
     * E1: next and name_count are stored with release after what they count, and read with acquire before that.
     * E2: begun is stored, and then a release fence, before the event is written to: who has read some of that, and looks at
     *     this behind an acquire fence, knows it. */
    alignas(64) _Atomic uint64_t next; /* events ever recorded */
    alignas(8) _Atomic uint64_t begun;
    _Atomic uint32_t name_count;
    struct mp__trace_name names[MP__TRACE_NAMES];
    struct mp__trace_event events[];
};

/* A span that is open. */
struct mp__span {
    int64_t begin; /* 0: nothing is recorded */
    int64_t floor; /* where the one around it began */
};

/* Whether the family records. E3: stored with release after what a track needs, for which whoever makes one has an acquire
 * fence. */
static inline bool mp__traces(void)
{
    const struct mp__header *header = mp__header();
    return header && atomic_load_explicit(&header->tracing, memory_order_relaxed);
}

struct mp__span mp__trace_open_now(void);
static inline struct mp__span mp__trace_open(void)
{
    return mp__traces() ? mp__trace_open_now() : (struct mp__span){0, 0};
}
/* By a call of a user's, which may be the first that this thread makes. */
static inline struct mp__span mp__trace_open_call(void)
{
    return mp__traces() && mp__thread_join() == 0 ? mp__trace_open_now() : (struct mp__span){0, 0};
}
/* `object`: what mp__trace_named or mp__trace_of_word said; 0: none. */
void mp__trace_close(const struct mp__span *span, enum mp__trace_kind kind, uint32_t object, uint64_t value);
/* Likewise, of so many at once. */
void mp__trace_close_many(const struct mp__span *span, enum mp__trace_kind kind, uint32_t object, uint64_t value,
                          uint64_t count);

/* The name of an object in this thread's track: its own, or that of what has this word in it. */
uint32_t mp__trace_named(uint64_t id);
uint32_t mp__trace_of_word(const void *word);

/* Close it: so many items went into, or out of, what that id names. */
static inline void mp__trace_moved(const struct mp__span *span, enum mp__trace_kind kind, uint64_t id, uint64_t items,
                                   uint64_t bytes)
{
    if (span->begin) mp__trace_close_many(span, kind, mp__trace_named(id), bytes, items);
}

/* Tasks one after the other: short ones become one span, without a look at the clock for each.
 *
 *     struct mp__trace_tasks tasks = mp__trace_tasks_begin(pool, base, first);   // base: what the index 0 is called
 *     for each: { ...; if (at >= tasks.next) mp__trace_tasks_look(&tasks, at); }          // at: all before that are done
 *     mp__trace_tasks_end(&tasks, at);                                                                               */
struct mp__trace_tasks {
    uint64_t next;        /* when to look; also whether recording has begun, or has ended */
    uint64_t base, first; /* of the open span */
    uint64_t every, pool;
    struct mp__span span; /* zero: nothing is recorded */
    uint32_t object;
};
struct mp__trace_tasks mp__trace_tasks_begin(uint64_t pool, uint64_t base, uint64_t first);
void mp__trace_tasks_look(struct mp__trace_tasks *tasks, uint64_t at);
void mp__trace_tasks_end(struct mp__trace_tasks *tasks, uint64_t at);

/* The calling thread has a record now: as long as the family records it has a track from here on, and a life in the file. */
void mp__trace_join(void);
/* Its record is given up: it has ended, however. The arena's lock is held. */
void mp__trace_leave(struct mp__thread *thread);
/* It waits for several things, of which this is one; 0: not any more. */
void mp__trace_waits(uint64_t id);

/* From here on the family records; so many events of each thread are kept (0: the default). */
void mp__trace_begin(uint64_t events);
void mp__trace_end(void);

/* Visit all tracks there are: each is copied, and freed when `visit` returns. 0, MP_ENOMEM (no detail set), or what `visit`
 * returned that is not 0. */
struct mp__track_copy {
    const struct mp__track *track;        /* all but its events */
    const struct mp__trace_event *events; /* the oldest first */
    uint64_t count, lost;
};
int mp__trace_visit(int (*visit)(const struct mp__track_copy *copy, void *context), void *context);

/* Events that were lost with tracks that others have taken. */
uint64_t mp__trace_lost(void);

/* ---- trace_file.c ------------------------------------------------------------------------------------------------ */

#define MP__TRACE_VARIABLE "MP_TRACE"

/* This process has founded its family: that records if the environment says so, and this process writes it when it ends. */
void mp__trace_found(void);
/* Write all that was recorded. `call` is for errors: 0, or as mp_trace_write. */
int mp__trace_write(const char *call, const char *path);
/* When this process ends, to that path: 0, or as mp_trace_start. */
int mp__trace_write_at_end(const char *call, const char *path);
/* This process ends, and its children have: what it was to write it writes, once. */
void mp__trace_finish(void);

#endif
