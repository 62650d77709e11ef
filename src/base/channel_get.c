/* SPDX-License-Identifier: MIT
 *
 * channel_get.c - getting records out of a channel.
 */
#include "base/channel_now.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/holders.h"
#include "base/message.h"
#include "base/park.h"
#include "base/watch.h"

#include <string.h>

#define LOST 2

/* ---- the long way ----------------------------------------------------------------------------------------------- */

static int no_address_space(const struct mp__channel *channel)
{
    return mp__fail(MP_ENOMEM, "%s: no address space for what is next", channel->call);
}

/* Whether an item of that size is what is wanted. */
static bool fits(const struct mp__parcel *parcel, uint64_t size)
{
    return parcel->as_message || (parcel->exact ? size == parcel->size : size <= parcel->size);
}

/* Bytes, as a message. */
static int bytes_to_message(const struct mp__channel *channel, const struct mp__ring *ring, struct mp__parcel *parcel,
                            uint64_t size)
{
    void *data;
    int result = mp__message_create(channel->call, size, &parcel->message, &data);
    if (result == 0) get_bytes(channel->get, ring, data, size);
    parcel->size = size;
    return result;
}

/* It becomes this process's. */
static void get_message(struct mp__side *get, uint64_t id, uint64_t size)
{
    announce_get(get, 2, size);
    atomic_store_explicit(&get->moving, id, memory_order_release); /* Q4 */
    mp__message_receive(id);
    commit_get(get);
    MP__THEN;
    atomic_store_explicit(&get->moving, 0, memory_order_release); /* Q4 */
}

/* A record that is a message. *used: it is to be freed when the lock is. */
static int get_message_record(const struct mp__channel *channel, const struct mp__ring *ring, struct mp__parcel *parcel,
                              uint64_t *used)
{
    struct mp__side *get = channel->get;
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed);
    uint64_t id = peek(&ring->words[(position_of(peek(&get->at)) + 1) & mask]), size;
    const void *data = mp__message_at(id, &size);
    if (!data && mp__control_is_over(id)) { /* which should not be: it is lost, and nothing else shall be */
        announce_get(get, 2, 0);
        commit_get(get);
        return LOST;
    }
    if (!data) return no_address_space(channel);
    if (parcel->as_message) {
        parcel->message = id;
        parcel->size = size;
    } else {
        if (size) memcpy(parcel->data, data, size);
        *used = id;
        if (!parcel->exact) parcel->size = size;
    }
    get_message(get, id, size);
    return 0;
}

/* The next item: 0, WOULD_WAIT: there is none; or an error. */
static int get_next(const struct mp__channel *channel, struct mp__parcel *parcel, uint64_t *used, int64_t deadline)
{
    struct mp__side *get = channel->get;
    for (;;) {
        const struct mp__ring *ring = ring_of(get);
        if (!ring) return no_address_space(channel);
        uint64_t header = next_header(get, ring), size = size_of(header);
        if (!header) return WOULD_WAIT;
        if (kind_of(header) == RECORD_RING) {
            if (!mp__ring_follow(get)) return no_address_space(channel);
            continue;
        }
        if (mp__stream_skip_rest(channel, header)) continue;
        if (!fits(parcel, size)) {
            parcel->size = size;
            return MP_EMSGSIZE;
        }
        if (kind_of(header) == RECORD_MESSAGE) {
            int result = get_message_record(channel, ring, parcel, used);
            if (result != LOST) return result;
            continue;
        }
        if (kind_of(header) == RECORD_STREAM) {
            int result = mp__channel_get_stream(channel, parcel, header, deadline);
            if (result <= 0) return result;
            continue;
        }
        if (parcel->as_message) return bytes_to_message(channel, ring, parcel, size);
        get_bytes(get, ring, parcel->data, size);
        if (!parcel->exact) parcel->size = size;
        return 0;
    }
}

/* Several records of bytes that lie in one ring, committed together: all of them are got, or none. How many. */
static uint64_t get_together(struct mp__side *get, const struct mp__parcel *parcel)
{
    const struct mp__ring *ring = ring_of(get);
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed), granules = granules_of(parcel->size);
    uint32_t position = position_of(peek(&get->at));
    const uint64_t wanted = header_of(RECORD_BYTES, parcel->size);
    uint64_t count = 0;
    while (ring && count < parcel->count &&
           atomic_load_explicit(&ring->words[position & mask], memory_order_acquire) == wanted) { /* Q1 */
        if (parcel->size)
            read_bytes(ring, mask, position + 1, (char *)parcel->data + count * parcel->size, parcel->size);
        position += granules;
        count++;
    }
    if (!count) return 0;
    put_down(&get->next_at, advanced(peek(&get->at), (uint32_t)count, position - position_of(peek(&get->at)))); /* Q2 */
    put_down(&get->next_bytes, peek(&get->bytes) + count * parcel->size);
    MP__THEN;
    commit_get(get);
    return count;
}

/* Whether nothing more will be put, but by who is at it. */
static bool is_closed(const struct mp__channel *channel)
{
    return atomic_load_explicit(&channel->put->flags, memory_order_acquire) & MP__SIDE_CLOSED ||
           !mp__control_alive(channel->peer, channel->peer_id);
}

/* One; or as many as go together. *used: a message that was copied, to be freed when others may go on. */
static int get_some(const struct mp__channel *channel, struct mp__parcel *parcel, uint64_t *used, int64_t deadline)
{
    if (is_going(channel->get) || !mp__control_alive(channel->object, channel->id)) return MP_EBADHANDLE; /* Q6 */
    if (parcel->count > 1) parcel->done = get_together(channel->get, parcel);
    if (parcel->done || !parcel->count) return 0;
    int result = get_next(channel, parcel, used, deadline);
    if (result == 0) parcel->done = 1;
    return result;
}

/* There is nothing, and it is closed: whoever was at it has put what it puts when this returns. */
static bool all_is_put(const struct mp__channel *channel)
{
    if (!is_closed(channel)) return false;
    if (mp__side_enter(channel->put, channel->put_id, MP_OS_NEVER) == 0) mp__side_leave(channel->put, channel->put_id);
    return true;
}

/* Look for a while. */
static bool spin_for_item(const struct mp__side *get)
{
    struct mp__spin spin = mp__spin_begin();
    bool ready = false;
    while (!ready && mp__spin_again(&spin)) ready = seems_ready(get);
    mp__spin_end(&spin, ready);
    return ready;
}

/* Until something is put, or there is another reason to look: 0; or MP_EPEERDEAD: who could put something is dead. The last
 * look is taken with the lock: the sides can not become something else then, and no other getter be on its way to the next
 * ring. */
static int sleep_for_item(const struct mp__channel *channel, int64_t deadline)
{
    struct mp__side *put = channel->put, *get = channel->get;
    if (mp__side_enter(get, channel->get_id, deadline) < 0) return 0;
    bool going = is_going(get) || !mp__control_alive(channel->object, channel->id);
    const struct mp__ring *ring = going ? NULL : ring_of(get);
    uint32_t value = ring ? mp__eventcount_prepare(&put->bell) : 0;
    bool sleeps = ring && !next_header(get, ring) && !is_closed(channel);
    mp__side_leave(get, channel->get_id);
    if (!sleeps) return 0;
    const struct mp__wanted wanted = mp__channel_wanted(channel, true);
    int result = mp__holders_sleep(&wanted, &put->bell, value, deadline);
    return result == MP_EPEERDEAD ? result : 0;
}

int mp__channel_get(const struct mp__channel *channel, struct mp__parcel *parcel, int64_t deadline)
{
    struct mp__side *get = channel->get;
    for (int last = 0;;) {
        uint64_t used = 0;
        int result = mp__side_enter(get, channel->get_id, deadline);
        if (result == 0) {
            result = get_some(channel, parcel, &used, deadline);
            mp__side_leave(get, channel->get_id);
        }
        if (result < 0) ring_bell(&channel->put->bell, 1); /* what woke this one is somebody else's now */
        if (parcel->done) ring_bell(&get->bell, UINT32_MAX);
        if (used) (void)mp__message_free(used);
        if (result != WOULD_WAIT) return result;
        if (last == MP_EPEERDEAD && is_closed(channel)) last = MP_ECLOSED; /* the last one closed it, and ended */
        if (last) return last;
        bool waits = !mp__deadline_passed(deadline);
        if (waits && spin_for_item(get)) continue;
        if (all_is_put(channel))
            last = MP_ECLOSED;
        else if (!waits && !mp__channel_is_lonely(channel, true))
            return MP_ETIMEDOUT;
        else if (!waits)
            last = MP_EPEERDEAD;
        else
            last = sleep_for_item(channel, deadline);
    }
}

/* Whether there is an item; what is left of messages that were cut is none. 1, 0, or MP_EBADHANDLE. The lock is held. */
static int look_at_head(const struct mp__channel *channel)
{
    struct mp__side *get = channel->get;
    if (is_going(get) || !mp__control_alive(channel->object, channel->id)) return MP_EBADHANDLE; /* Q6 */
    for (;;) {
        const struct mp__ring *ring = ring_of(get);
        uint64_t header = ring ? next_header(get, ring) : 0;
        bool skipped =
            header && (kind_of(header) == RECORD_RING ? mp__ring_follow(get) : mp__stream_skip_rest(channel, header));
        if (!skipped) return header != 0 || !ring;
    }
}

static int look_for_item(const struct mp__channel *channel)
{
    int result = mp__side_enter(channel->get, channel->get_id, 0);
    if (result == MP_ETIMEDOUT) return 0; /* somebody is receiving it */
    if (result < 0) return result;
    result = look_at_head(channel);
    mp__side_leave(channel->get, channel->get_id);
    return result;
}

int mp__channel_poll(const struct mp__channel *channel, int64_t deadline)
{
    for (bool slept = false;; slept = true) {
        int ready = look_for_item(channel);
        if (slept && ready) ring_bell(&channel->put->bell, 1); /* what woke this one it does not take */
        if (ready == 0) ready = is_closed(channel) || mp__channel_is_lonely(channel, true);
        if (ready || mp__deadline_passed(deadline)) return ready;
        if (!spin_for_item(channel->get)) (void)sleep_for_item(channel, deadline);
    }
}

/* ---- watching --------------------------------------------------------------------------------------------------- */

#define TRIES  64
#define YIELDS 8

/* The lock, if it is free, or a dead one's, or will be in the moment that others are there who only get. */
static bool enter_now(struct mp__side *get, uint64_t id)
{
    for (int i = 0; i < TRIES + YIELDS; i++) {
        if (try_to_enter(get, id)) return true;
        if (atomic_load_explicit(&get->flags, memory_order_relaxed) & MP__SIDE_STREAM) break;
        if (i < TRIES)
            mp__pause();
        else
            mp_os_yield();
    }
    mp__side_make_whole(get, id);
    return try_to_enter(get, id);
}

int mp__channel_look(const struct mp__channel *channel, bool watch)
{
    struct mp__side *put = channel->put, *get = channel->get;
    if (!mp__control_alive(channel->object, channel->id)) return MP_EBADHANDLE;
    if (!enter_now(get, channel->get_id)) return is_closed(channel) ? 1 : MP__CHANNEL_BUSY;
    int ready = look_at_head(channel);
    if (ready == 0 && watch) {
        mp__watch(&put->bell); /* X1 */
        (void)mp__eventcount_prepare(&put->bell);
        ready = look_at_head(channel);
    }
    mp__side_leave(get, channel->get_id);
    return ready == 0 && is_closed(channel) ? 1 : ready;
}
