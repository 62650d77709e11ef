/* SPDX-License-Identifier: MIT
 *
 * channel_inside.h - what the files of the channel share: positions, records, and the lock of a side.
 */
#ifndef MP_BASE_CHANNEL_INSIDE_H
#define MP_BASE_CHANNEL_INSIDE_H

#include "base/channel.h"
#include "base/eventcount.h"
#include "base/heap.h"
#include "base/lockword.h"
#include "base/repair.h"
#include "base/thread.h"

enum record {
    RECORD_NONE,
    RECORD_BYTES,
    RECORD_MESSAGE, /* its id follows; the size is that of the message */
    RECORD_RING,    /* goes on in the following ring */
    RECORD_STREAM,  /* a message that comes in chunks: channel_stream.c; the size is that of all of it */
    RECORD_CHUNK,
    RECORD_LAST,
    RECORD_TAKEN, /* a LAST that was received */
    RECORD_CUT,   /* one that is not to be */
    RECORD_KINDS = 16
};

/* What a put or a get found, beside MP_E...: */
enum {
    WOULD_WAIT = 1
};

static inline uint64_t header_of(enum record kind, uint64_t size)
{
    return size * RECORD_KINDS | (uint64_t)kind;
}
static inline enum record kind_of(uint64_t header)
{
    return (enum record)(header % RECORD_KINDS);
}
static inline uint64_t size_of(uint64_t header)
{
    return header / RECORD_KINDS;
}
/* How many granules it takes, with its header. */
static inline uint32_t granules_of(uint64_t size)
{
    return 1 + (uint32_t)((size + 7) / 8);
}
static inline uint32_t granules_in(uint64_t header)
{
    switch (kind_of(header)) {
    case RECORD_MESSAGE:
        return 2;
    case RECORD_RING:
    case RECORD_STREAM:
        return 1;
    default:
        return granules_of(size_of(header));
    }
}

static inline uint32_t position_of(uint64_t at)
{
    return (uint32_t)at;
}
static inline uint32_t count_of(uint64_t at)
{
    return (uint32_t)(at >> 32);
}
static inline uint64_t advanced(uint64_t at, uint32_t items, uint32_t granules)
{
    return ((at >> 32) + items) << 32 | (uint32_t)(position_of(at) + granules);
}

static inline uint64_t peek(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}
static inline void put_down(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static inline uint64_t ring_size(uint32_t mask)
{
    return sizeof(struct mp__ring) + ((uint64_t)mask + 1) * sizeof(uint64_t);
}
/* The ring that a side is at; NULL: it can not be mapped. */
static inline struct mp__ring *ring_of(const struct mp__side *side)
{
    return mp__heap_near(peek(&side->ring), ring_size(atomic_load_explicit(&side->mask, memory_order_relaxed)));
}

/* ---- the lock ---- */

static inline bool try_to_enter(struct mp__side *side, uint64_t id)
{
    if (!mp__self.owner || !mp__lockword_try(&side->state, mp__state_of(id), mp__self.owner)) return false;
    mp__self.took = true;
    return true;
}

/* Rings are not to be touched: Q6. A maker whose object is alive died before it came to that. */
static inline bool is_going(const struct mp__side *side)
{
    return peek(&side->maker) && mp__control_is_over(peek(&side->object));
}

static inline void leave(struct mp__side *side, uint64_t id)
{
    if (!mp__lockword_free(&side->state, mp__state_of(id), mp__self.owner)) mp__side_leave(side, id);
}

/* Something was put, or got, and the lock is free again. */
static inline void ring_bell(_Atomic uint32_t *bell, uint32_t count)
{
    mp__fence_after_change(); /* T1 */
    if (!mp__eventcount_is_quiet(bell)) mp__eventcount_ring(bell, count);
}

/* ---- following rings ---- */

/* The put side goes on in a ring that has room for so many granules. 0, WOULD_WAIT: it has one only; or MP_ENOMEM. */
int mp__ring_grow(struct mp__side *put, uint64_t put_id, uint32_t granules);
/* The get side goes on behind a RECORD_RING. False: it can not be mapped. */
bool mp__ring_follow(struct mp__side *get);

/* ---- messages larger than the ring ---- */

/* The head of the channel, if it is what is left of a message that somebody has begun to send or to receive: it is skipped, and
 * this is true. */
bool mp__stream_skip_rest(const struct mp__channel *channel, uint64_t header);
/* The message that begins with this STREAM: 0; 1: it was cut, and is gone; or an error: it will be sent anew. The lock of the
 * get side is held. */
int mp__channel_get_stream(const struct mp__channel *channel, struct mp__parcel *parcel, uint64_t header,
                           int64_t deadline);
/* Somebody who was receiving one does not any more. */
void mp__stream_leave(struct mp__side *get);

/* Who had the lock may be dead, and have committed what does not show yet: that is finished. */
void mp__side_make_whole(struct mp__side *side, uint64_t id);

/* The last owner of the lock has died: finish what is committed, undo the rest. */
void mp__side_repair(struct mp__side *side, uint64_t id);

#endif
