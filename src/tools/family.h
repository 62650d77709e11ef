/* SPDX-License-Identifier: MIT
 *
 * family.h - what a family's arena says at one moment, copied, and looked over.
 *
 * The family goes on meanwhile, and may be crashing: a look copies table by table, and takes nothing for granted. Every number
 * that leads somewhere is compared with what there is; a record that makes no sense is left out. The tables are copied in an
 * order that matters: objects first, then threads, so that an owner that has taken no lock since one look has still what it had
 * when that began.
 */
#ifndef MP_TOOLS_FAMILY_H
#define MP_TOOLS_FAMILY_H

#include "base/layout.h"
#include "composites/pool.h"
#include "os/look.h"

enum top_state {
    TOP_STARTING, /* its pid is not known yet */
    TOP_ALIVE,    /* the system says no more */
    TOP_RUNNING,
    TOP_ASLEEP,
    TOP_STOPPED,
    TOP_DEAD, /* its family has not been told */
    TOP_ENDED
};

struct top_process {
    uint64_t id, parent;
    uint64_t birth;
    int64_t pid; /* 0: not known here */
    int64_t cpu; /* ns; -1: not known */
    double load; /* of a CPU, since the look before; -1: not known */
    uint32_t method, flags;
    uint32_t threads, asleep, thread; /* that use libmp: how many, how many wait, and the number of one */
    enum top_state state;
    uint64_t pool;  /* that it works for, or supervises; 0: none */
    bool elsewhere; /* it lives in another space of pids */
    bool failed;    /* to start: code is an error */
    bool returned;  /* its target has: code says what, before it has ended */
    int code;
    char name[MP__PROCESS_NAME_SIZE];
};

/* What a thread waits for. */
enum top_wait {
    TOP_AWAKE,
    TOP_WAITS_LOCK, /* of a lock, an rlock; or to go on inside something else, for a moment */
    TOP_WAITS_ITEM,
    TOP_WAITS_ROOM,
    TOP_WAITS_DONE, /* all items of a queue */
    TOP_WAITS_UNIT,
    TOP_WAITS_SET,
    TOP_WAITS_NOTIFY,
    TOP_WAITS_PARTIES,
    TOP_WAITS_RESULT,
    TOP_WAITS_WORK, /* a worker of a pool */
    TOP_WAITS_END,  /* of a process */
    TOP_WAITS_START,
    TOP_WAITS_ANY, /* of several things */
    TOP_WAITS_OTHER
};

struct top_thread {
    uint32_t number;
    uint64_t stamp, process, taken;
    uint64_t asleep_on, waits_for, idles, intent; /* intent: where the word of a lock lies that it waits for */
    int64_t asleep_since;
    uint64_t record; /* it sleeps on a word in the record of that process; or 0 */
    bool starts;     /* which is about to start */
    enum top_wait wait;
    uint64_t object; /* that it waits for: id of an object or a process; 0: none */
    int64_t since;   /* mp_os_now; 0: not known */
};

/* A control block that is alive. */
struct top_object {
    uint64_t id;
    struct mp__control block;
    /* From here on: relate.c. */
    uint64_t whose; /* id of what it is a part of: a side's queue, a value's lock; or 0 */
    uint32_t waiters, putters, getters;
    int64_t longest;        /* since when the first of them has waited; 0: not known */
    uint64_t holder, taken; /* of a lock: the owner's stamp and its `taken`; 0: nobody */
    int64_t held_since;     /* for certain */
    int64_t seen_since;     /* whenever it was looked at, it was that one's */
    bool certain;
    double put_rate, get_rate; /* items a second */
    uint32_t units;            /* of a semaphore with owners: that are to be had */
};

struct top_worker {
    uint64_t process, tasks, busy, item, verdict; /* item + 1; 0: none */
    double share;                                 /* busy; -1: not known */
};

struct top_pool {
    uint64_t id, state, submitted, done, failed, retried, unfinished, supervisor, since;
    uint32_t count, alive;
    struct top_worker *workers;
    double rate;
};

struct top_region {
    uint64_t offset, first, rest, limit, committed;
};

enum top_kind {
    TOP_NONE, /* it is being founded, or damaged, or gone */
    TOP_LIBMP,
    TOP_FOREIGN /* another layout: not looked into */
};

struct top_family {
    enum top_kind kind;
    uint32_t layout, tag;
    bool cut;            /* there was more than is shown */
    int64_t begun, when; /* mp_os_now: before and after the tables were copied */
    uint64_t size, janitor;
    struct top_region regions[MP__REGION_COUNT];
    uint32_t counts[MP__TYPE_COUNT];
    uint64_t bytes_used, blocks, backed;
    struct top_process *processes; /* by index in the table of objects: see id */
    struct top_thread *threads;    /* by number */
    struct top_object *objects;    /* by index */
    struct top_pool *pools;
    size_t process_count, thread_count, object_count, pool_count;
};

/* What the port finds segments by. */
extern const mp_os_mark top_mark;

/* Copy what there is to see. False: no memory. To be freed. */
bool top_family_look(const mp_os_view *view, struct top_family *family);
void top_family_free(struct top_family *family);

/* What one look says of itself, and, if there was one before, both together: who waits for what, who has it, rates. */
void top_family_relate(const struct top_family *before, struct top_family *now);

/* NULL: there is none. */
const struct top_process *top_process_of(const struct top_family *family, uint64_t id);
const struct top_thread *top_thread_of(const struct top_family *family, uint32_t number);
struct top_object *top_object_of(const struct top_family *family, uint64_t id);
const struct top_pool *top_pool_of(const struct top_family *family, uint64_t id);
/* The first process: the one that nobody has started, or the first there is. NULL: there is none. */
const struct top_process *top_leader(const struct top_family *family);
/* Whether any of its processes lives. */
bool top_is_alive(const struct top_family *family);
/* Whose lock it is. */
const struct top_thread *top_owner(const struct top_family *family, const struct top_object *object);
/* The other side of a channel, of which this is one; NULL: that makes no sense. */
struct top_object *top_other_side(const struct top_family *family, const struct top_object *side);
/* Items that were put, or got, so far. */
uint32_t top_items(const struct top_object *side);

/* Threads that wait for each other: each for a lock that the next one has, or for the end of its process. How many, the one
 * with the lowest number first; 0: there is no such circle, or it is another one's to tell. */
#define TOP_CIRCLE_MOST 64
size_t top_circle(const struct top_family *before, const struct top_family *now, const struct top_thread *first,
                  const struct top_thread **circle);

static inline enum mp__type top_type(const struct top_object *object)
{
    return (enum mp__type)atomic_load_explicit(&object->block.type, memory_order_relaxed);
}
static inline uint32_t top_word(const struct top_object *object)
{
    return (uint32_t)atomic_load_explicit(&object->block.state, memory_order_relaxed);
}
static inline const struct mp__side *top_side(const struct top_object *object)
{
    return (const struct mp__side *)(const void *)&object->block;
}
/* What one calls it: "lock". */
const char *top_type_name(enum mp__type type);

/* ---- peek.c: the arena, read place by place ---------------------------------------------------------------------- */

struct top_peek {
    const mp_os_view *view;
    const struct top_family *family; /* its regions */
};
/* Part of a region that is committed. */
bool top_peek(const struct top_peek *peek, enum mp__region_name region, uint64_t offset, void *buffer, size_t size);
/* What lies so many bytes behind the header's beginning. */
bool top_peek_at(const struct top_peek *peek, uint64_t place, void *buffer, size_t size);
/* The region, and where in it; MP__REGION_COUNT: in none. */
enum mp__region_name top_region_of(const struct top_family *family, uint64_t place, uint64_t *offset);

/* ---- pools.c ----------------------------------------------------------------------------------------------------- */

/* All of the family's. False: no memory. */
bool top_pools_look(const struct top_peek *peek, struct top_family *family);

#endif
