/* SPDX-License-Identifier: MIT
 *
 * channel.h - messages from those at one side to those at the other: what pipes and queues are made of.
 *
 * A channel is a ring of bytes in the heap, into which records are put, and two sides (struct mp__side): where the next record
 * is put, and where the next one is got. Each side has a lock, held for as long as it takes to copy a record, so any number of
 * threads and processes may be at either. Sides are control blocks: who comes with the id of one that is over changes nothing.
 *
 *     record   a header, 64 bits:  63       4 3    0     then, in granules of 8 bytes:
 *                                  | size    | kind |    the bytes; or the id of a message
 *
 * A record is committed by one store, that of its header: until then that reads as 0. Who gets spins on that word, which
 * lies where the bytes do, so in most cases one cache line goes from one processor to the other for each message.
 *
 * A ring that is full is followed by another one, larger at first; what is put goes on there, behind a record that says so, and
 * who has got that frees the first. So there is no limit but those that are set, and nothing is ever moved.
 *
 * Invariants:
 *   - Q1: the header is stored with release, and read with acquire, by who has the lock of the other side. The header behind it
 *     is 0 by then. The get side's `at` is stored with release when a record has been copied, and read with acquire by who
 *     wants its room.
 *   - Q2: before a record is committed next_at and next_bytes say what shall be when it is. So who finds that the last
 *     one at a side has died can tell how far that came, from the header and `at`, and finishes what is committed (repair).
 *   - Q3: a get is committed by the store to the get side's `at`. What is got has been copied by then, and was nobody else's.
 *   - Q4: `moving` is a message that is being put, or got, by who has the lock; it is stored after next_at, which differs from
 *     `at` until that is committed, and it is 0 again before next_at is stored anew. So whoever recovers that process can tell
 *     whose the message is, without the lock.
 *   - Q5: rings have the put side's id as their ref. `spare` is the one that is about to be used, or done with.
 *   - Q6: who has a lock looks whether the object is still alive, and touches no ring if it is not: rings are freed by who
 *     has made it over, and then had both locks. The sides are kept until then: who sets a flag in one holds the other one's
 *     lock, or its own.
 */
#ifndef MP_BASE_CHANNEL_H
#define MP_BASE_CHANNEL_H

#include "base/control.h"
#include "base/holders.h"

#define MP__RING_LEAST  UINT64_C(4096)   /* bytes of the first ring of what may grow */
#define MP__RING_MOST   UINT64_C(262144) /* and of those that follow */
#define MP__INLINE_MOST UINT64_C(65536)  /* larger ones go as messages */

/* How a caller sees a channel. */
struct mp__channel {
    const char *call;
    struct mp__side *put, *get;
    uint64_t put_id, get_id;
    struct mp__control *object; /* what it was called with */
    struct mp__control *peer;   /* whose holders could do the other half; once it is over the channel is closed */
    uint64_t id, peer_id;
    uint64_t besides; /* a process that does not count among those, or 0 */
};

/* Whose doing a get waits for, or a put. Of a queue who waits for the same does not count. */
static inline struct mp__wanted mp__channel_wanted(const struct mp__channel *channel, bool gets)
{
    return (struct mp__wanted){.object = channel->peer,
                               .id = channel->peer_id,
                               .besides = channel->besides,
                               .idle = !channel->besides ? 0
                                       : gets            ? channel->put_id
                                                         : channel->get_id};
}

/* What is put, or to be got: a number of items of one size; or any one; or a message. */
struct mp__parcel {
    void *data;    /* only read from by a put */
    uint64_t size; /* of each; of a get: room */
    uint64_t count, done;
    uint64_t message; /* instead of bytes */
    bool exact;       /* get: the item has to have that size */
    bool as_message;  /* get: one is wanted */
    bool starved;     /* put, of MP_ETIMEDOUT: there was no memory, all the time */
};

/* ---- life ---- */

struct mp__channel_plan {
    uint64_t ring;       /* offset of one that mp__ring_create has made */
    bool fixed;          /* no other shall follow it */
    uint32_t most;       /* items at a time; 0: any number */
    uint64_t most_bytes; /* of items at a time; 0: any number */
};
/* Both sides of a channel, which are nobody's until mp__channel_join_locked. The arena's lock is held. 0, MP_ENOMEM,
 * MP_ELIMIT. */
int mp__channel_create_locked(const struct mp__channel_plan *plan, uint64_t *put, uint64_t *get);
/* Its sides belong to these objects from here on. The arena's lock is held. */
void mp__channel_join_locked(uint64_t put, uint64_t putter, uint64_t get, uint64_t getter);
/* Undo the first. The arena's lock is held. */
void mp__channel_drop_locked(uint64_t put, uint64_t get);
/* A ring of so many bytes at least, 0: of what may grow; this process's so far. 0 or MP_ENOMEM (no detail). */
int mp__ring_create(uint64_t bytes, uint64_t *offset);

/* This process makes an end of the side's object, or of both: what it leaves undone then is finished by who recovers it. */
void mp__side_claim_locked(uint64_t id, enum mp__type type);
/* Whoever waits at either side has to look: it is closed from here on (flags), or an object is over. When this returns nobody
 * is about to put something who has not seen that. */
void mp__channel_shut(uint64_t put_id, uint64_t get_id, uint32_t flags);
/* Both objects are over, and the sides claimed: free all that is in it, and the sides. */
void mp__channel_free(uint64_t put, uint64_t get);

/* ---- use: the long way, for channel_now.h; errors have no detail but MP_ENOMEM's; a thread with a record ---- */

/* 0; or MP_ETIMEDOUT, MP_ECLOSED, MP_EPEERDEAD, MP_EMSGSIZE, MP_EBADHANDLE, MP_ENOMEM, MP_EDEADLK: it interrupts itself.
 * parcel->done items were put, or got, whatever it returns. */
int mp__channel_put(const struct mp__channel *channel, struct mp__parcel *parcel, int64_t deadline,
                    bool waits_for_memory);
/* The same of bytes that are more than the ring has room for: when this returns 0 they have been got. */
int mp__channel_put_stream(const struct mp__channel *channel, const void *data, uint64_t size, int64_t deadline);
/* On MP_EMSGSIZE parcel->size is the size of what does not fit. */
int mp__channel_get(const struct mp__channel *channel, struct mp__parcel *parcel, int64_t deadline);

/* How many items are in it, now. */
uint32_t mp__channel_count(const struct mp__channel *channel, uint64_t *bytes);
/* Whether a get would not wait: 1; also if it would fail. 0; or MP_EBADHANDLE. It waits until it is so. */
int mp__channel_poll(const struct mp__channel *channel, int64_t deadline);

/* The same at once, and not whether all who could put something are dead; MP__CHANNEL_BUSY: others are at it, look again in a
 * moment. watch: a thread that watches (watch.h) is told from here on when this may have changed. */
#define MP__CHANNEL_BUSY 2
int mp__channel_look(const struct mp__channel *channel, bool watch);
/* All who could do the other half are dead. */
bool mp__channel_is_lonely(const struct mp__channel *channel, bool gets);

/* Of the get side of a queue; they change under its lock. */
static inline _Atomic uint64_t *mp__side_done(struct mp__side *get)
{
    return &get->most_bytes;
}
static inline _Atomic uint32_t *mp__side_joiners(struct mp__side *get)
{
    return &get->most;
}

/* Where a side lies, whatever it is by now; NULL: it can not be mapped. It is not looked at: somebody else may be changing
 * it. */
static inline struct mp__side *mp__side_at(uint64_t id)
{
    uint64_t index = id & MP__INDEX_MASK;
    if (index < atomic_load_explicit(&mp__arena.controls_mapped, memory_order_acquire)) /* A1 */
        return (struct mp__side *)(void *)mp__control_at(index);
    return (struct mp__side *)(void *)mp__control_indexed(index);
}

/* The lock of a side: 0; MP_ETIMEDOUT: others are at work, for long; MP_EBADHANDLE, MP_EDEADLK. */
int mp__side_enter(struct mp__side *side, uint64_t id, int64_t deadline);
void mp__side_leave(struct mp__side *side, uint64_t id);

/* ---- deaths; the arena's lock is held ---- */

/* A thread is dead that may have been at work here. */
void mp__side_after_death(struct mp__side *side);
/* A process is dead that was about to create or destroy an object, which exists: its side does, too. object 0: as it is. */
void mp__side_finish(uint64_t side, enum mp__type type, uint64_t object, uint64_t process);
/* Whether that process had not come to say whose the side is. */
bool mp__side_is_unfinished(uint64_t side, enum mp__type type, uint64_t process);
/* Whose the message is that it was moving. */
void mp__side_settle(struct mp__side *side, uint64_t process);
/* It was about to create or free it, which is finished. False: somebody has come late, and is in there yet. */
bool mp__side_sweep(struct mp__side *side, uint64_t id, uint64_t process);

#endif
