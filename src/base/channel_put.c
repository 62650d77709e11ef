/* SPDX-License-Identifier: MIT
 *
 * channel_put.c - putting records into a channel.
 */
#include "base/channel_now.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/holders.h"
#include "base/message.h"
#include "base/park.h"

#include <string.h>

#define MEMORY_SLICE INT64_C(20000000) /* ns: so often who waits for memory looks whether there is some */

/* 0 or MP_EBADHANDLE. */
static int put_message(struct mp__side *put, struct mp__ring *ring, uint64_t id, uint64_t size)
{
    uint32_t mask = atomic_load_explicit(&put->mask, memory_order_relaxed);
    uint64_t sent;
    int result = mp__message_send(id, size, &sent);
    if (result < 0) return result;
    announce_put(put, 2, size);
    atomic_store_explicit(&put->moving, sent, memory_order_release); /* Q4 */
    end_ring(ring, mask, position_of(peek(&put->at)) + 2);
    put_down(&ring->words[(position_of(peek(&put->at)) + 1) & mask], sent);
    commit_put(put, ring, mask, header_of(RECORD_MESSAGE, size));
    MP__THEN;
    mp__message_sent(sent, mp__family_id());
    MP__THEN;
    atomic_store_explicit(&put->moving, 0, memory_order_release); /* Q4 */
    return 0;
}

/* ---- the long way ----------------------------------------------------------------------------------------------- */

/* The next item. 0, WOULD_WAIT, or an error. */
static int put_next(const struct mp__channel *channel, struct mp__parcel *parcel)
{
    struct mp__side *put = channel->put;
    uint32_t granules = parcel->message ? 2 : granules_of(parcel->size);
    struct mp__ring *ring = ring_of(put);
    if (!ring) return MP_ENOMEM;
    if (!has_room(put, channel->get, ring, granules, parcel->size)) {
        if (!count_has_room(put) || !bytes_have_room(put, channel->get, parcel->size)) return WOULD_WAIT;
        int result = mp__ring_grow(put, channel->put_id, granules);
        if (result != 0) return result;
        ring = ring_of(put);
        if (!ring) return MP_ENOMEM;
    }
    if (parcel->message) return put_message(put, ring, parcel->message, parcel->size);
    put_bytes(put, ring, (const char *)parcel->data + parcel->done * parcel->size, parcel->size);
    return 0;
}

/* As many as there is room for. */
static int put_some(const struct mp__channel *channel, struct mp__parcel *parcel)
{
    struct mp__side *put = channel->put;
    int result = is_going(put) ? MP_EBADHANDLE : look_before_put(channel); /* Q6 */
    while (result == 0 && parcel->done < parcel->count) {
        result = put_next(channel, parcel);
        if (result == 0) parcel->done++;
    }
    return result;
}

/* Whether enough was got since: something; or of a ring that was full so much that this side does not follow the other one
 * record by record, each of which has to be told from one processor to the other then. */
static bool is_worth_it(const struct mp__channel *channel, uint64_t seen)
{
    const struct mp__side *put = channel->put;
    uint64_t at = peek(&channel->get->at);
    uint32_t capacity = atomic_load_explicit(&put->mask, memory_order_relaxed) + 1;
    uint32_t used = position_of(peek(&put->at)) - position_of(at);
    return at != seen && (used <= capacity / 4 * 3 || !count_has_room(put));
}

/* Look for a while. */
static bool spin_for_room(const struct mp__channel *channel, uint64_t seen)
{
    struct mp__spin spin = mp__spin_begin();
    bool changed = false;
    while (!changed && mp__spin_again(&spin)) changed = is_worth_it(channel, seen);
    mp__spin_end(&spin, changed);
    return changed;
}

/* Until something is got, or there is another reason to look: 0; or MP_EPEERDEAD: who could get something is dead. The last
 * look is taken with the lock: the sides can not become something else then. */
static int sleep_for_room(const struct mp__channel *channel, const struct mp__parcel *parcel, int64_t deadline)
{
    struct mp__side *put = channel->put, *get = channel->get;
    mp__side_make_whole(get, channel->get_id);
    if (mp__side_enter(put, channel->put_id, deadline) < 0) return 0;
    struct mp__ring *ring = is_going(put) || look_before_put(channel) != 0 ? NULL : ring_of(put);
    uint32_t value = ring ? mp__eventcount_prepare(&get->bell) : 0,
             granules = parcel->message ? 2 : granules_of(parcel->size);
    bool sleeps = ring && !has_room(put, get, ring, granules, parcel->size);
    mp__side_leave(put, channel->put_id);
    if (!sleeps) return 0;
    const struct mp__wanted wanted = mp__channel_wanted(channel, false);
    int result = mp__holders_sleep(&wanted, &get->bell, value, deadline);
    return result == MP_EPEERDEAD ? result : 0;
}

int mp__channel_put(const struct mp__channel *channel, struct mp__parcel *parcel, int64_t deadline,
                    bool waits_for_memory)
{
    struct mp__side *put = channel->put;
    int result, dead = 0;
    if (parcel->size > peek(&put->most_bytes)) return MP_EMSGSIZE;
    for (;;) {
        uint64_t before = parcel->done, seen = peek(&channel->get->at);
        result = mp__side_enter(put, channel->put_id, deadline);
        if (result == 0) {
            result = put_some(channel, parcel);
            mp__side_leave(put, channel->put_id);
        }
        if (parcel->done > before) ring_bell(&put->bell, (uint32_t)(parcel->done - before));
        parcel->starved = result == MP_ENOMEM;
        bool waits = result == WOULD_WAIT || (result == MP_ENOMEM && waits_for_memory);
        if (!waits && result < 0)
            ring_bell(&channel->get->bell, 1); /* what woke this one is somebody else's room now */
        if (!waits) return result;
        if (dead) return dead;
        if (mp__deadline_passed(deadline)) {
            if (result == MP_ENOMEM || !mp__channel_is_lonely(channel, false)) return MP_ETIMEDOUT;
            dead = MP_EPEERDEAD;
        } else if (result == MP_ENOMEM) {
            mp_os_sleep(MEMORY_SLICE);
        } else if (!spin_for_room(channel, seen)) {
            dead = sleep_for_room(channel, parcel, deadline);
        }
    }
}
