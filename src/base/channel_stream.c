/* SPDX-License-Identifier: MIT
 *
 * channel_stream.c - messages that are larger than the ring: they go through it while they are received.
 *
 *     STREAM (the size of all of it), CHUNK, CHUNK, ..., LAST
 *
 * Both sides have their locks from its beginning to its end, and the sender stays until all of it has been received. So nothing
 * of it is anywhere else than with the sender, and should the receiver die, or give up, it begins anew for the next one.
 *
 * Invariants:
 *   - R1: MP__SIDE_STREAM is set on the put side while a sender is at it. A receiver in the middle of a message, who finds no
 *     record and that flag not set, or another record than a CHUNK or LAST, drops what it has: the sender died, or gave up.
 *   - R2: `most` of the get side grows when a receiver leaves a message it had begun; what is left of that is skipped, and the
 *     sender begins anew.
 *   - R3: that it was received is decided by compare-and-swap of the header of LAST: to TAKEN by the receiver, who commits
 *     then, or to CUT by the sender who gives up.
 *   - R4: a STREAM counts as an item when it is put, and when it is got, however that ends.
 */
#include "base/channel_now.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/holders.h"
#include "base/message.h"

#include <mp/error.h>

#define CHUNKS   4                   /* that fit into a ring */
#define PATIENCE INT64_C(1000000000) /* ns: so long at least who looks only once waits for the next chunk */
#define NAP      INT64_C(100000)     /* ns */
#define ANEW     1

/* ---- the sender -------------------------------------------------------------------------------------------------- */

static uint32_t begun_anew(const struct mp__side *get)
{
    return atomic_load_explicit(&get->most, memory_order_acquire); /* R2 */
}

static bool all_is_got(const struct mp__channel *channel)
{
    uint64_t got = atomic_load_explicit(&channel->get->at, memory_order_acquire); /* Q1 */
    return position_of(got) == position_of(peek(&channel->put->at));
}

/* What a sender waits for: room for so many granules; 0: that all has been got. */
static bool is_so(const struct mp__channel *channel, uint32_t granules)
{
    if (!granules) return all_is_got(channel);
    struct mp__ring *ring = ring_of(channel->put);
    return ring && has_room(channel->put, channel->get, ring, granules, 0);
}

/* Wait until it is so: 0; ANEW; or an error. */
static int await(const struct mp__channel *channel, uint32_t granules, uint32_t since, int64_t deadline)
{
    struct mp__side *get = channel->get;
    const struct mp__wanted wanted = mp__channel_wanted(channel, false);
    for (int dead = 0;;) {
        struct mp__spin spin = mp__spin_begin_long();
        bool so = is_so(channel, granules);
        while (!so && mp__spin_again(&spin)) so = is_so(channel, granules);
        mp__spin_end(&spin, so);
        if (begun_anew(get) != since) return ANEW; /* first: to skip is to get, too */
        if (so) return 0;
        int result = look_before_put(channel);
        if (result < 0) return result;
        if (dead) return dead;
        if (mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        uint32_t value = mp__eventcount_prepare(&get->bell);
        if (is_so(channel, granules) || begun_anew(get) != since || look_before_put(channel) < 0) continue;
        if (mp__holders_sleep(&wanted, &get->bell, value, deadline) == MP_EPEERDEAD) dead = MP_EPEERDEAD;
    }
}

/* What was put, or got, was a store, and the lock is held on: that is no fence. */
static void tell_other_side(_Atomic uint32_t *bell, uint32_t count)
{
    atomic_thread_fence(memory_order_seq_cst); /* T1 */
    ring_bell(bell, count);
}

/* A record, for which there is room. */
static void put_record(const struct mp__channel *channel, enum record kind, uint64_t says, const void *data,
                       uint64_t size)
{
    struct mp__side *put = channel->put;
    struct mp__ring *ring = ring_of(put);
    uint32_t mask = atomic_load_explicit(&put->mask, memory_order_relaxed), position = position_of(peek(&put->at));
    uint32_t granules = granules_of(size);
    put_down(&put->next_at, advanced(peek(&put->at), kind == RECORD_STREAM, granules)); /* Q2, R4 */
    put_down(&put->next_bytes, peek(&put->bytes) + size);
    MP__THEN;
    end_ring(ring, mask, position + granules);
    if (size) write_bytes(ring, mask, position + 1, data, size);
    commit_put(put, ring, mask, header_of(kind, says));
    tell_other_side(&put->bell,
                    kind == RECORD_STREAM ? 1 : UINT32_MAX); /* a receiver at it sleeps beside those who wait */
}

/* One attempt to send all of it. */
struct attempt {
    uint32_t since;         /* R2: what that said when it began */
    _Atomic uint64_t *last; /* where LAST is, if it was put */
};

/* 0; ANEW; or an error. */
static int put_all(const struct mp__channel *channel, const char *data, uint64_t size, int64_t deadline,
                   struct attempt *attempt)
{
    struct mp__side *put = channel->put;
    uint64_t chunk = ((uint64_t)atomic_load_explicit(&put->mask, memory_order_relaxed) + 1) * sizeof(uint64_t) / CHUNKS;
    uint32_t since = begun_anew(channel->get);
    *attempt = (struct attempt){.since = since, .last = NULL};
    int result = await(channel, 1, since, deadline);
    if (result != 0) return result;
    put_record(channel, RECORD_STREAM, size, NULL, 0);
    for (uint64_t done = 0, now; done < size; done += now) {
        now = size - done < chunk ? size - done : chunk;
        result = await(channel, granules_of(now), since, deadline);
        if (result != 0) return result;
        bool is_last = done + now == size;
        struct mp__ring *ring = ring_of(put);
        uint32_t mask = atomic_load_explicit(&put->mask, memory_order_relaxed);
        if (is_last) attempt->last = &ring->words[position_of(peek(&put->at)) & mask];
        put_record(channel, is_last ? RECORD_LAST : RECORD_CHUNK, now, data + done, now);
    }
    return await(channel, 0, since, deadline);
}

/* It gives up; unless a receiver has just taken it: true. */
static bool is_taken(_Atomic uint64_t *last)
{
    uint64_t header = last ? atomic_load_explicit(last, memory_order_relaxed) : 0;
    if (!last || kind_of(header) != RECORD_LAST) return last != NULL;
    return !atomic_compare_exchange_strong_explicit(last, &header, header_of(RECORD_CUT, size_of(header)),
                                                    memory_order_acq_rel, memory_order_acquire); /* R3 */
}

/* Who has taken the last part commits before long, and all is received; or dies, or has died, and it is not. */
static bool is_received(const struct mp__channel *channel, uint32_t since)
{
    for (;;) {
        bool got = all_is_got(channel);
        if (begun_anew(channel->get) != since) return false; /* R2 */
        if (got) return true;
        mp__side_make_whole(channel->get, channel->get_id);
        mp_os_sleep(NAP);
    }
}

int mp__channel_put_stream(const struct mp__channel *channel, const void *data, uint64_t size, int64_t deadline)
{
    struct mp__side *put = channel->put;
    struct attempt attempt;
    int result = mp__side_enter(put, channel->put_id, deadline);
    if (result < 0) return result;
    result = is_going(put) ? MP_EBADHANDLE : look_before_put(channel); /* Q6 */
    if (result == 0) {
        (void)atomic_fetch_or_explicit(&put->flags, MP__SIDE_STREAM, memory_order_relaxed); /* R1 */
        do {
            result = put_all(channel, data, size, deadline, &attempt);
            if (result < 0 && is_taken(attempt.last) && is_received(channel, attempt.since)) result = 0;
        } while (result == ANEW);
        (void)atomic_fetch_and_explicit(&put->flags, ~(uint32_t)MP__SIDE_STREAM, memory_order_release); /* R1 */
    }
    mp__side_leave(put, channel->put_id);
    ring_bell(&put->bell, UINT32_MAX);
    return result;
}

/* ---- the receiver: has the lock of the get side -------------------------------------------------------------------- */

/* A record that is not copied; it counts as so many items. */
static void skip(struct mp__side *get, uint64_t header)
{
    uint32_t granules = kind_of(header) == RECORD_STREAM ? 1 : granules_in(header);
    uint64_t size = kind_of(header) == RECORD_STREAM ? 0 : size_of(header);
    put_down(&get->next_at, advanced(peek(&get->at), kind_of(header) == RECORD_STREAM, granules)); /* Q2, R4 */
    put_down(&get->next_bytes, peek(&get->bytes) + size);
    MP__THEN;
    commit_get(get);
}

static bool somebody_sends(const struct mp__channel *channel)
{
    return atomic_load_explicit(&channel->put->flags, memory_order_acquire) & MP__SIDE_STREAM; /* R1 */
}

bool mp__stream_skip_rest(const struct mp__channel *channel, uint64_t header)
{
    enum record kind = kind_of(header);
    bool rest = kind == RECORD_CHUNK || kind == RECORD_LAST || kind == RECORD_TAKEN || kind == RECORD_CUT ||
                (kind == RECORD_STREAM && !somebody_sends(channel));
    if (!rest) return false;
    skip(channel->get, header);
    tell_other_side(&channel->get->bell, UINT32_MAX);
    return true;
}

void mp__stream_leave(struct mp__side *get)
{
    (void)atomic_fetch_add_explicit(&get->most, 1, memory_order_release); /* R2 */
    MP__THEN;
    (void)atomic_fetch_and_explicit(&get->flags, ~(uint32_t)MP__SIDE_STREAM, memory_order_relaxed);
    ring_bell(&get->bell, UINT32_MAX);
}

/* The next record. 0: *header, ANEW: the sender is at it no more; or an error. */
static int await_record(const struct mp__channel *channel, int64_t deadline, uint64_t *header)
{
    struct mp__side *put = channel->put, *get = channel->get;
    const struct mp__ring *ring = ring_of(get);
    if (!ring) return mp__fail(MP_ENOMEM, "%s: no address space for what is next", channel->call);
    const struct mp__wanted wanted = mp__channel_wanted(channel, true);
    for (int dead = 0;;) {
        bool sends = somebody_sends(channel); /* in this order: what it put before it left is seen */
        struct mp__spin spin = mp__spin_begin_long();
        while ((*header = next_header(get, ring)) == 0 && mp__spin_again(&spin)) {}
        mp__spin_end(&spin, *header != 0);
        if (*header) return 0;
        if (!sends) return ANEW;
        if (!mp__control_alive(channel->object, channel->id)) return MP_EBADHANDLE;
        if (dead) return dead;
        if (mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        mp__side_make_whole(put, channel->put_id); /* the sender may be dead */
        uint32_t value = mp__eventcount_prepare(&put->bell);
        if (next_header(get, ring) || !somebody_sends(channel) || !mp__control_alive(channel->object, channel->id))
            continue;
        if (mp__holders_sleep(&wanted, &put->bell, value, deadline) == MP_EPEERDEAD) dead = MP_EPEERDEAD;
    }
}

/* Behind its STREAM, which has been skipped. 0; ANEW: it was cut, and the next record is something else; or an error. */
static int get_all(const struct mp__channel *channel, char *data, uint64_t size, int64_t deadline)
{
    struct mp__side *get = channel->get;
    struct mp__ring *ring = ring_of(get);
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed);
    for (uint64_t done = 0;;) {
        uint64_t header;
        int64_t patience = mp_os_now() + PATIENCE;
        int result = await_record(channel, deadline < patience ? patience : deadline, &header);
        if (result != 0) return result;
        bool last = kind_of(header) == RECORD_LAST;
        if ((!last && kind_of(header) != RECORD_CHUNK) || size_of(header) > size - done) return ANEW; /* R1 */
        uint32_t position = position_of(peek(&get->at));
        read_bytes(ring, mask, position + 1, data + done, size_of(header));
        done += size_of(header);
        if (last && !atomic_compare_exchange_strong_explicit(&ring->words[position & mask], &header,
                                                             header_of(RECORD_TAKEN, size_of(header)),
                                                             memory_order_acq_rel, memory_order_relaxed)) /* R3 */
            return ANEW;
        skip(get, header);
        if (last) return 0;
        tell_other_side(&get->bell, UINT32_MAX);
    }
}

int mp__channel_get_stream(const struct mp__channel *channel, struct mp__parcel *parcel, uint64_t header,
                           int64_t deadline)
{
    struct mp__side *get = channel->get;
    uint64_t size = size_of(header);
    void *data = parcel->data;
    int result = 0;
    if (parcel->as_message) result = mp__message_create(channel->call, size, &parcel->message, &data);
    if (result < 0) {
        parcel->size = size;
        return result;
    }
    (void)atomic_fetch_or_explicit(&get->flags, MP__SIDE_STREAM, memory_order_relaxed); /* R2 */
    MP__THEN;
    skip(get, header);
    result = get_all(channel, data, size, deadline);
    if (result >= 0) /* all, or as much as there will ever be */
        (void)atomic_fetch_and_explicit(&get->flags, ~(uint32_t)MP__SIDE_STREAM, memory_order_relaxed);
    else
        mp__stream_leave(get);
    if (result == 0 && (parcel->as_message || !parcel->exact)) parcel->size = size;
    if (result != 0 && parcel->as_message) (void)mp__message_free(parcel->message);
    return result;
}
