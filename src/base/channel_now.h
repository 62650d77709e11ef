/* SPDX-License-Identifier: MIT
 *
 * channel_now.h - the way that most messages go: a record of bytes is put, or got, at once. Inline, for queues and pipes.
 */
#ifndef MP_BASE_CHANNEL_NOW_H
#define MP_BASE_CHANNEL_NOW_H

#include "base/channel_inside.h"
#include "base/park.h"

#include <string.h>

/* ---- room ------------------------------------------------------------------------------------------------------- */

/* Behind the record there has to be a header. */
static inline bool ring_has_room(const struct mp__side *put, uint32_t granules)
{
    uint32_t used = position_of(peek(&put->at)) - position_of(peek(&put->seen));
    return used + granules <= atomic_load_explicit(&put->mask, memory_order_relaxed);
}

static inline bool count_has_room(const struct mp__side *put)
{
    uint32_t most = atomic_load_explicit(&put->most, memory_order_relaxed);
    return count_of(peek(&put->at)) - count_of(peek(&put->seen)) < most;
}

static inline bool bytes_have_room(const struct mp__side *put, const struct mp__side *get, uint64_t size)
{
    uint64_t most = peek(&put->most_bytes);
    return most == UINT64_MAX || peek(&put->bytes) - peek(&get->bytes) + size <= most;
}

/* How far the other side has come; as seen from this ring. */
static inline void look_at_other_side(struct mp__side *put, const struct mp__side *get, struct mp__ring *ring)
{
    uint64_t at = atomic_load_explicit(&get->at, memory_order_acquire); /* Q1 */
    uint32_t base = atomic_load_explicit(&ring->base, memory_order_relaxed), position = position_of(at);
    if ((int32_t)(position - base) < 0) position = base;
    atomic_store_explicit(&ring->base, position, memory_order_relaxed); /* it follows: positions come round */
    put_down(&put->seen, (uint64_t)count_of(at) << 32 | position);
}

static inline bool has_room(struct mp__side *put, const struct mp__side *get, struct mp__ring *ring, uint32_t granules,
                            uint64_t size)
{
    if (!ring_has_room(put, granules) || !count_has_room(put)) look_at_other_side(put, get, ring);
    return ring_has_room(put, granules) && count_has_room(put) && bytes_have_room(put, get, size);
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

#define LINE 64u
#define FEW  UINT64_C(8)

/* Of a small one what lies in the header's cache line is written last: who looks at that, spinning, takes the line away between
 * two stores to it. */
static inline void write_bytes(struct mp__ring *ring, uint32_t mask, uint32_t position, const void *data, uint64_t size)
{
    uint32_t index = position & mask;
    uint64_t room = ((uint64_t)mask + 1 - index) * sizeof *ring->words;
    char *to = (char *)(void *)(ring->words + index);
    uint64_t first = LINE - index * sizeof *ring->words % LINE;
    if (size > room) {
        memcpy(to, data, room);
        memcpy((char *)(void *)ring->words, (const char *)data + room, size - room);
    } else if (size > first && size <= FEW * LINE) {
        memcpy(to + first, (const char *)data + first, size - first);
        MP__THEN;
        memcpy(to, data, first);
    } else {
        memcpy(to, data, size);
    }
}

/* What shall be when the record is committed. */
static inline void announce_put(struct mp__side *put, uint32_t granules, uint64_t size)
{
    put_down(&put->next_at, advanced(peek(&put->at), 1, granules)); /* Q2 */
    MP__THEN;
    put_down(&put->next_bytes, peek(&put->bytes) + size);
    MP__THEN;
}

/* There is no record behind the one that is about to be put. */
static inline void end_ring(struct mp__ring *ring, uint32_t mask, uint32_t position)
{
    atomic_store_explicit(&ring->words[position & mask], 0, memory_order_relaxed); /* Q1 */
    MP__THEN;
}

/* There is room for it, it is announced, and what it says is written. */
static inline void commit_put(struct mp__side *put, struct mp__ring *ring, uint32_t mask, uint64_t header)
{
    uint32_t position = position_of(peek(&put->at));
    atomic_store_explicit(&ring->words[position & mask], header, memory_order_release); /* Q1 */
    MP__THEN;
    atomic_store_explicit(&put->at, peek(&put->next_at), memory_order_release);
    MP__THEN;
    put_down(&put->bytes, peek(&put->next_bytes));
}

#define AHEAD 64u /* granules: as far as records are written while one cache line is fetched */

/* What the other side has read is in its cache. The locks wait for all that was written before: so what will be written is
 * fetched in time. */
static inline void fetch_ahead(struct mp__ring *ring, uint32_t mask, uint32_t position)
{
#if defined(__GNUC__)
    __builtin_prefetch((const void *)&ring->words[(position + AHEAD) & mask], 1);
    __builtin_prefetch((const void *)&ring->words[(position + AHEAD + 8) & mask], 1);
#else
    (void)ring, (void)mask, (void)position;
#endif
}

static inline void put_bytes(struct mp__side *put, struct mp__ring *ring, const void *data, uint64_t size)
{
    uint32_t mask = atomic_load_explicit(&put->mask, memory_order_relaxed), granules = granules_of(size);
    uint32_t position = position_of(peek(&put->at));
    fetch_ahead(ring, mask, position + granules);
    announce_put(put, granules, size);
    end_ring(ring, mask, position + granules);
    if (size) write_bytes(ring, mask, position + 1, data, size);
    commit_put(put, ring, mask, header_of(RECORD_BYTES, size));
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static inline void read_bytes(const struct mp__ring *ring, uint32_t mask, uint32_t position, void *data, uint64_t size)
{
    uint32_t index = position & mask;
    uint64_t room = ((uint64_t)mask + 1 - index) * sizeof *ring->words;
    const char *from = (const char *)(const void *)(ring->words + index);
    if (size <= room) {
        memcpy(data, from, size);
    } else {
        memcpy(data, from, room);
        memcpy((char *)data + room, (const char *)(const void *)ring->words, size - room);
    }
}

static inline void announce_get(struct mp__side *get, uint32_t granules, uint64_t size)
{
    put_down(&get->next_at, advanced(peek(&get->at), 1, granules)); /* Q2 */
    MP__THEN;
    put_down(&get->next_bytes, peek(&get->bytes) + size);
    MP__THEN;
}

static inline void commit_get(struct mp__side *get)
{
    MP__THEN;
    atomic_store_explicit(&get->at, peek(&get->next_at), memory_order_release); /* Q1, Q3 */
    MP__THEN;
    put_down(&get->bytes, peek(&get->next_bytes));
}

/* The header of the next record; 0: there is none. */
static inline uint64_t next_header(const struct mp__side *get, const struct mp__ring *ring)
{
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed);
    return atomic_load_explicit(&ring->words[position_of(peek(&get->at)) & mask], memory_order_acquire); /* Q1 */
}

static inline void get_bytes(struct mp__side *get, const struct mp__ring *ring, void *data, uint64_t size)
{
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed);
    announce_get(get, granules_of(size), size);
    if (size) read_bytes(ring, mask, position_of(peek(&get->at)) + 1, data, size);
    commit_get(get);
}

/* Whether there is a record, as it seems without the lock: the ring may be another one by now, or what is read be in the middle
 * of being written. So it is a hint, and a race that ThreadSanitizer shall not look at: not an atomic load, which it always
 * does. */
#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("thread")))
#endif
static inline bool
seems_ready(const struct mp__side *get)
{
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed); /* once: it may be another one's already */
    const struct mp__ring *ring = mp__heap_near(peek(&get->ring), ring_size(mask));
    if (!ring) return true;
    return *(const volatile uint64_t *)(const volatile void *)&ring->words[position_of(peek(&get->at)) & mask] != 0;
}

#define LOOKS 24

/* The same, looking again and again for a moment, before anything else is done that takes time: an answer may be about to
 * come. */
static inline bool is_ready_soon(const struct mp__side *get, bool waits)
{
    if (seems_ready(get)) return true;
    if (!waits || mp__header()->spin_ns < 0) return false;
    for (int i = 0; i < LOOKS; i++) {
        mp__pause();
        if (seems_ready(get)) return true;
    }
    return false;
}

/* 0: something may be put; MP_EBADHANDLE, MP_ECLOSED. */
static inline int look_before_put(const struct mp__channel *channel)
{
    if (!mp__control_alive(channel->object, channel->id)) return MP_EBADHANDLE;
    if (atomic_load_explicit(&channel->put->flags, memory_order_relaxed) & MP__SIDE_CLOSED) return MP_ECLOSED;
    return mp__control_alive(channel->peer, channel->peer_id) ? 0 : MP_ECLOSED;
}

/* ---- at once; false: go the long way --------------------------------------------------------------------------- */

static inline bool mp__channel_put_now(const struct mp__channel *channel, const void *data, uint64_t size)
{
    struct mp__side *put = channel->put, *get = channel->get;
    if (size > MP__INLINE_MOST || !try_to_enter(put, channel->put_id)) return false;
    bool done = look_before_put(channel) == 0; /* Q6 */
    struct mp__ring *ring = done ? ring_of(put) : NULL;
    done = ring && has_room(put, get, ring, granules_of(size), size);
    if (done) put_bytes(put, ring, data, size);
    leave(put, channel->put_id);
    if (done) ring_bell(&put->bell, 1);
    return done;
}

static inline bool mp__channel_get_now(const struct mp__channel *channel, void *data, uint64_t capacity, size_t *size)
{
    struct mp__side *get = channel->get;
    if (!try_to_enter(get, channel->get_id)) return false;
    const struct mp__ring *ring = mp__control_alive(channel->object, channel->id) ? ring_of(get) : NULL; /* Q6 */
    uint64_t header = ring ? next_header(get, ring) : 0, bytes = size_of(header);
    bool done = kind_of(header) == RECORD_BYTES && (size ? bytes <= capacity : bytes == capacity);
    if (done) {
        get_bytes(get, ring, data, bytes);
        if (size) *size = bytes;
    }
    leave(get, channel->get_id);
    if (done) ring_bell(&get->bell, UINT32_MAX);
    return done;
}

#endif
