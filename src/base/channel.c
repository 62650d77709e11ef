/* SPDX-License-Identifier: MIT
 *
 * channel.c - the life of channels, their locks, and what deaths leave.
 */
#include "base/channel_inside.h"
#include "base/deadline.h"
#include "base/family.h"
#include "base/holders.h"
#include "base/message.h"
#include "base/park.h"
#include "base/recover.h"

#include <mp/error.h>

#define PATIENCE INT64_C(1000000000) /* ns: so long at least who looks only once waits for one who is at work */
#define STEP     8                   /* a ring that follows another is so much larger */

static struct mp__side *side_of(uint64_t id, enum mp__type type)
{
    return (struct mp__side *)(void *)mp__control_of(id, type);
}

/* ---- rings ------------------------------------------------------------------------------------------------------ */

int mp__ring_create(uint64_t bytes, uint64_t *offset)
{
    uint64_t size = MP__RING_LEAST;
    while (size < bytes) size *= 2;
    uint32_t mask = (uint32_t)(size / sizeof(uint64_t) - 1);
    if (mp__heap_alloc(ring_size(mask), MP__HEAP_MINE, offset) < 0) return MP_ENOMEM;
    struct mp__ring *ring = mp__heap_at(*offset, ring_size(mask));
    if (ring) {
        atomic_store_explicit(&ring->mask, mask, memory_order_relaxed);
        return 0;
    }
    mp__heap_free(*offset);
    return MP_ENOMEM;
}

static uint32_t mask_of(uint64_t offset)
{
    const struct mp__ring *ring = mp__heap_at(offset, sizeof *ring);
    return ring ? atomic_load_explicit(&ring->mask, memory_order_relaxed) : 0;
}

/* A ring that is of no use any more. Q5: it is this process's, then nobody's. */
static void ring_free(_Atomic uint64_t *spare)
{
    uint64_t offset = peek(spare);
    mp__heap_set_ref(offset, MP__HEAP_MINE);
    put_down(spare, 0);
    MP__THEN;
    mp__heap_free(offset);
}

/* The ring that was to follow does: its record is committed. That is seen from `at` before the ring changes. */
static void adopt_ring(struct mp__side *put)
{
    uint64_t spare = peek(&put->spare), at = peek(&put->next_at);
    atomic_store_explicit(&put->at, at, memory_order_release);
    MP__THEN;
    put_down(&put->ring, spare);
    atomic_store_explicit(&put->mask, mask_of(spare), memory_order_relaxed);
    put_down(&put->seen, (uint64_t)count_of(peek(&put->seen)) << 32 | position_of(at));
    MP__THEN;
    put_down(&put->spare, 0);
}

int mp__ring_grow(struct mp__side *put, uint64_t put_id, uint32_t granules)
{
    uint64_t at = peek(&put->at), offset, bytes = (uint64_t)granules * sizeof(uint64_t) * 4;
    const struct mp__side *get = side_of(peek(&put->other), MP__GET_SIDE);
    struct mp__ring *ring = ring_of(put);
    uint32_t mask = atomic_load_explicit(&put->mask, memory_order_relaxed);
    uint64_t next = ((uint64_t)mask + 1) * sizeof(uint64_t) * STEP;
    if (atomic_load_explicit(&put->flags, memory_order_relaxed) & MP__SIDE_FIXED) return WOULD_WAIT;
    /* Positions are compared. */
    if (!ring || !get || position_of(at) - position_of(peek(&get->at)) > UINT32_MAX / 4) return MP_ENOMEM;
    if (next > MP__RING_MOST) next = MP__RING_MOST;
    int result = mp__ring_create(bytes > next ? bytes : next, &offset);
    if (result < 0) return result;
    struct mp__ring *following = mp__heap_at(offset, sizeof *following);
    put_down(&put->next_at, advanced(at, 0, 1)); /* Q2 */
    put_down(&put->next_bytes, peek(&put->bytes));
    MP__THEN;
    put_down(&put->spare, offset); /* Q5 */
    atomic_store_explicit(&following->base, position_of(at) + 1, memory_order_relaxed);
    mp__heap_set_ref(offset, put_id);
    put_down(&ring->following, offset);
    atomic_store_explicit(&ring->words[position_of(at) & mask], header_of(RECORD_RING, 0),
                          memory_order_release); /* Q1 */
    MP__THEN;
    adopt_ring(put);
    return 0;
}

/* The get side has `spare`, and goes on in the ring that follows that. */
static bool leave_ring(struct mp__side *get)
{
    const struct mp__ring *ring = mp__heap_at(peek(&get->spare), sizeof *ring);
    uint64_t following = ring ? peek(&ring->following) : 0;
    uint32_t mask = mask_of(following);
    if (!mask) return false;
    put_down(&get->ring, following);
    atomic_store_explicit(&get->mask, mask, memory_order_relaxed);
    MP__THEN;
    atomic_store_explicit(&get->at, peek(&get->next_at), memory_order_release); /* Q1 */
    MP__THEN;
    ring_free(&get->spare);
    return true;
}

bool mp__ring_follow(struct mp__side *get)
{
    put_down(&get->next_at, advanced(peek(&get->at), 0, 1)); /* Q2 */
    put_down(&get->next_bytes, peek(&get->bytes));
    MP__THEN;
    put_down(&get->spare, peek(&get->ring));
    MP__THEN;
    return leave_ring(get);
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

static void fill(struct mp__control *control, const void *with)
{
    const struct mp__channel_plan *plan = with;
    struct mp__side *side = (struct mp__side *)(void *)control;
    uint32_t most = plan->most ? plan->most : UINT32_MAX / 2;
    put_down(&side->ring, plan->ring);
    atomic_store_explicit(&side->mask, mask_of(plan->ring), memory_order_relaxed);
    put_down(&side->maker, mp__family_id());
    atomic_store_explicit(&side->most, most, memory_order_relaxed);
    put_down(&side->most_bytes, plan->most_bytes ? plan->most_bytes : UINT64_MAX);
    atomic_store_explicit(&side->flags, plan->fixed ? MP__SIDE_FIXED : 0, memory_order_relaxed);
}

static void fill_get(struct mp__control *control, const void *with)
{
    struct mp__side *side = (struct mp__side *)(void *)control;
    fill(control, with);
    atomic_store_explicit(&side->most, 0, memory_order_relaxed);
    put_down(&side->most_bytes, 0);
}

int mp__channel_create_locked(const struct mp__channel_plan *plan, uint64_t *put, uint64_t *get)
{
    int result = mp__control_take(MP__PUT_SIDE, NULL, 0, fill, plan, put);
    if (result < 0) return result;
    result = mp__control_take(MP__GET_SIDE, NULL, 0, fill_get, plan, get);
    if (result < 0) {
        mp__control_retire(*put, MP__PUT_SIDE);
        return result;
    }
    put_down(&side_of(*put, MP__PUT_SIDE)->other, *get);
    put_down(&side_of(*get, MP__GET_SIDE)->other, *put);
    return 0;
}

static void join(struct mp__side *side, uint64_t object)
{
    put_down(&side->object, object);
    MP__THEN;
    put_down(&side->maker, 0);
}

void mp__channel_join_locked(uint64_t put, uint64_t putter, uint64_t get, uint64_t getter)
{
    struct mp__side *side = side_of(put, MP__PUT_SIDE);
    mp__heap_set_ref_locked(peek(&side->ring), put); /* Q5 */
    join(side, putter);
    join(side_of(get, MP__GET_SIDE), getter);
}

void mp__channel_drop_locked(uint64_t put, uint64_t get)
{
    mp__control_retire(put, MP__PUT_SIDE);
    mp__control_retire(get, MP__GET_SIDE);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

void mp__side_claim_locked(uint64_t id, enum mp__type type)
{
    struct mp__side *side = side_of(id, type);
    if (side) put_down(&side->maker, mp__family_id());
}

void mp__channel_shut(uint64_t put_id, uint64_t get_id, uint32_t flags)
{
    struct mp__side *put = side_of(put_id, MP__PUT_SIDE), *get = side_of(get_id, MP__GET_SIDE);
    if (!put || !get) return;
    ring_bell(&get->bell, UINT32_MAX); /* first: who puts a long message waits there with the lock */
    if (mp__side_enter(put, put_id, MP_OS_NEVER) < 0) return;
    if (flags) (void)atomic_fetch_or_explicit(&put->flags, flags, memory_order_release);
    mp__side_leave(put, put_id);
    atomic_thread_fence(memory_order_seq_cst);
    ring_bell(&put->bell, UINT32_MAX);
    ring_bell(&get->bell, UINT32_MAX);
}

/* One record less. False: there is none. */
static bool drop_record(struct mp__side *get)
{
    const struct mp__ring *ring = ring_of(get);
    if (!ring) return false;
    uint32_t mask = atomic_load_explicit(&get->mask, memory_order_relaxed), position = position_of(peek(&get->at));
    uint64_t header = atomic_load_explicit(&ring->words[position & mask], memory_order_acquire); /* Q1 */
    if (!header) return false;
    if (kind_of(header) == RECORD_RING) return mp__ring_follow(get);
    uint64_t message = kind_of(header) == RECORD_MESSAGE ? peek(&ring->words[(position + 1) & mask]) : 0;
    if (message) {
        mp__message_receive(message);
        (void)mp__message_free(message);
    }
    put_down(&get->at, advanced(peek(&get->at), 1, granules_in(header)));
    return true;
}

/* What one who died was about to use, or to free. */
static void free_spare(struct mp__side *side, uint64_t put_id, uint64_t last)
{
    uint64_t spare = peek(&side->spare);
    if (spare && spare != last && mp__heap_ref(spare) == put_id) ring_free(&side->spare);
}

void mp__channel_free(uint64_t put_id, uint64_t get_id)
{
    struct mp__side *put = side_of(put_id, MP__PUT_SIDE), *get = side_of(get_id, MP__GET_SIDE);
    if (!put || !get || mp__side_enter(put, put_id, MP_OS_NEVER) < 0) return;
    if (mp__side_enter(get, get_id, MP_OS_NEVER) < 0) {
        mp__side_leave(put, put_id);
        return;
    }
    /* Whether or not somebody has died here: on what is whole it changes nothing. */
    mp__side_repair(put, put_id);
    mp__side_repair(get, get_id);
    while (drop_record(get)) {}
    uint64_t ring = peek(&get->ring);
    free_spare(put, put_id, ring);
    free_spare(get, put_id, ring);
    mp__heap_set_ref(ring, MP__HEAP_MINE);
    (void)mp__control_destroy(get_id, MP__GET_SIDE, NULL);
    (void)mp__control_destroy(put_id, MP__PUT_SIDE, NULL);
    mp__heap_free(ring);
}

/* ---- the lock --------------------------------------------------------------------------------------------------- */

int mp__side_enter(struct mp__side *side, uint64_t id, int64_t deadline)
{
    if (try_to_enter(side, id)) return 0;
    if (mp__lockword_is(&side->state, mp__state_of(id), mp__self.owner)) return MP_EDEADLK;
    int64_t patience = mp_os_now() + PATIENCE;
    bool long_work = atomic_load_explicit(&side->flags, memory_order_relaxed) & MP__SIDE_STREAM;
    if (!long_work && deadline < patience) deadline = patience;
    int result = mp__lockword_wait(&side->state, mp__state_of(id), mp__self.owner, deadline, NULL);
    if (result < 0) return result;
    mp__self.took = true;
    if (result == MP_OWNERDEAD && !is_going(side)) {
        mp__side_repair(side, id);
        /* What is whole now may be what others wait for. */
        struct mp__side *other = mp__side_at(peek(&side->other));
        ring_bell(&side->bell, UINT32_MAX);
        if (other) ring_bell(&other->bell, UINT32_MAX);
    }
    return 0;
}

void mp__side_leave(struct mp__side *side, uint64_t id)
{
    uint64_t free_state = mp__state_of(id);
    if (!mp__lockword_free(&side->state, free_state, mp__self.owner))
        (void)mp__lockword_release(&side->state, free_state, mp__self.owner);
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

/* Not for long: the caller may have the other side's lock, and who has this one want it. */
void mp__side_make_whole(struct mp__side *side, uint64_t id)
{
    uint32_t owner = (uint32_t)peek(&side->state) & MP__LOCK_OWNER;
    if (owner && owner != mp__self.owner) (void)mp__recover_if_dead(owner, false);
    if (!(peek(&side->state) & MP__LOCK_DIED) || mp__thread_join() < 0) return;
    if (mp__side_enter(side, id, 0) == 0) mp__side_leave(side, id);
}

uint32_t mp__channel_count(const struct mp__channel *channel, uint64_t *bytes)
{
    uint64_t got, put, in, out;
    mp__side_make_whole(channel->put, channel->put_id);
    mp__side_make_whole(channel->get, channel->get_id);
    do { /* nothing was got between the two: then what was put is what there is */
        got = atomic_load_explicit(&channel->get->at, memory_order_acquire);
        out = atomic_load_explicit(&channel->get->bytes, memory_order_acquire);
        put = atomic_load_explicit(&channel->put->at, memory_order_acquire);
        in = atomic_load_explicit(&channel->put->bytes, memory_order_acquire);
    } while (atomic_load_explicit(&channel->get->at, memory_order_acquire) != got || peek(&channel->get->bytes) != out);
    if (bytes) *bytes = in > out ? in - out : 0;
    int32_t count = (int32_t)(count_of(put) - count_of(got));
    return count > 0 ? (uint32_t)count : 0;
}

bool mp__channel_is_lonely(const struct mp__channel *channel, bool gets)
{
    const struct mp__wanted wanted = mp__channel_wanted(channel, gets);
    struct mp__process *peer;
    return mp__holders_look(&wanted, &peer) == MP__PEERS_DEAD;
}

/* ---- deaths ----------------------------------------------------------------------------------------------------- */

/* Whether the record that was being put is committed, though `at` may not say so yet: it is there, or has been got, and its
 * ring may be something else by now. */
static bool is_committed(const struct mp__side *side)
{
    uint64_t at = peek(&side->at);
    if (at == peek(&side->next_at)) return true;
    if (atomic_load_explicit(&side->type, memory_order_relaxed) == MP__GET_SIDE) return false;
    const struct mp__ring *ring = ring_of(side);
    const struct mp__side *get = side_of(peek(&side->other), MP__GET_SIDE);
    uint32_t mask = atomic_load_explicit(&side->mask, memory_order_relaxed);
    if (!ring || !get) return false;
    if (atomic_load_explicit(&ring->words[position_of(at) & mask], memory_order_acquire)) return true; /* Q1 */
    uint64_t got = atomic_load_explicit(&get->at, memory_order_acquire);
    return (int32_t)(position_of(got) - position_of(at)) > 0;
}

/* To whom the message belongs that the process was moving which died. */
static void settle(struct mp__side *side, uint64_t moving, bool committed, uint64_t process)
{
    bool puts = atomic_load_explicit(&side->type, memory_order_relaxed) == MP__PUT_SIDE;
    if (puts && committed) mp__message_sent(moving, process);
    if (!puts && !committed) mp__message_return(moving, process);
}

void mp__side_settle(struct mp__side *side, uint64_t process)
{
    uint64_t moving = atomic_load_explicit(&side->moving, memory_order_acquire); /* Q4 */
    if (!moving) return; /* who frees the rings has taken the lock before, and repaired */
    bool committed = is_committed(side);
    atomic_thread_fence(memory_order_acquire);
    if (peek(&side->moving) == moving) settle(side, moving, committed, process);
}

static void repair_put(struct mp__side *put, uint64_t id)
{
    (void)atomic_fetch_and_explicit(&put->flags, ~(uint32_t)MP__SIDE_STREAM, memory_order_release); /* R1 */
    bool committed = is_committed(put);
    uint64_t spare = peek(&put->spare), moving = peek(&put->moving);
    if (moving) {
        if (committed)
            mp__message_settle(moving);
        else
            (void)mp__message_free(moving);
        atomic_store_explicit(&put->moving, 0, memory_order_release);
        atomic_thread_fence(memory_order_release); /* Q4 */
    }
    if (committed && spare) {
        adopt_ring(put);
        return;
    }
    if (committed) {
        atomic_store_explicit(&put->at, peek(&put->next_at), memory_order_release);
        MP__THEN;
        put_down(&put->bytes, peek(&put->next_bytes));
        return;
    }
    /* The ring first: that there is one, and nothing else is about to be, means that it was committed. */
    if (spare && mp__heap_ref(spare) == id)
        ring_free(&put->spare);
    else if (spare)
        put_down(&put->spare, 0); /* it was its process's yet, which is recovered */
    MP__THEN;
    put_down(&put->next_bytes, peek(&put->bytes));
    MP__THEN;
    put_down(&put->next_at, peek(&put->at));
}

static void repair_get(struct mp__side *get)
{
    uint64_t spare = peek(&get->spare), moving = peek(&get->moving);
    bool committed = is_committed(get);
    if (moving) {
        if (!committed) mp__message_return(moving, mp__message_owner(moving));
        atomic_store_explicit(&get->moving, 0, memory_order_release);
        atomic_thread_fence(memory_order_release); /* Q4 */
    }
    if (spare) {
        /* It may have been freed, and be another ring by now; which is not followed by the one that is in use. */
        const struct mp__ring *ring = mp__heap_at(spare, sizeof *ring);
        bool is_ours = mp__heap_ref(spare) == peek(&get->other) && ring;
        if (!is_ours || (committed && peek(&ring->following) != peek(&get->ring)))
            put_down(&get->spare, 0);
        else if (committed)
            ring_free(&get->spare);
        else
            (void)leave_ring(get);
    } else if (committed) {
        put_down(&get->bytes, peek(&get->next_bytes));
    } else {
        put_down(&get->next_bytes, peek(&get->bytes));
        MP__THEN;
        put_down(&get->next_at, peek(&get->at));
    }
    if (atomic_load_explicit(&get->flags, memory_order_relaxed) & MP__SIDE_STREAM) mp__stream_leave(get);
}

void mp__side_repair(struct mp__side *side, uint64_t id)
{
    if (atomic_load_explicit(&side->type, memory_order_relaxed) == MP__PUT_SIDE)
        repair_put(side, id);
    else
        repair_get(side);
}

void mp__side_after_death(struct mp__side *side)
{
    bool gets = atomic_load_explicit(&side->type, memory_order_relaxed) == MP__GET_SIDE;
    mp__eventcount_after_death(&side->bell);
    if (gets && !(atomic_load_explicit(&side->flags, memory_order_relaxed) & MP__SIDE_FIXED))
        mp__eventcount_after_death(mp__side_joiners(side));
}

void mp__side_finish(uint64_t id, enum mp__type type, uint64_t object, uint64_t process)
{
    struct mp__side *side = side_of(id, type);
    if (!side || peek(&side->maker) != process) return;
    if (type == MP__PUT_SIDE && mp__heap_ref_locked(peek(&side->ring)) == process)
        mp__heap_set_ref_locked(peek(&side->ring), id);
    join(side, object ? object : peek(&side->object));
}

bool mp__side_is_unfinished(uint64_t id, enum mp__type type, uint64_t process)
{
    const struct mp__side *side = side_of(id, type);
    return side && peek(&side->maker) == process && !peek(&side->object);
}

/* ---- what a dead process has not finished to free; the arena's lock is held --------------------------------------- */

static bool somebody_is_in(const struct mp__side *side)
{
    return peek(&side->state) & MP__LOCK_OWNER;
}

static void give_ring(uint64_t ring, uint64_t put_id, uint64_t process)
{
    if (ring && mp__heap_ref_locked(ring) == put_id) mp__heap_set_ref_locked(ring, process);
}

/* The messages in a ring, from that position on, or its beginning; where they end. */
static uint32_t sweep_ring(const struct mp__ring *ring, uint32_t mask, uint32_t position, uint64_t process)
{
    uint32_t base = atomic_load_explicit(&ring->base, memory_order_relaxed);
    uint64_t header;
    if ((int32_t)(position - base) < 0) position = base; /* the side was about to go on there */
    while ((header = atomic_load_explicit(&ring->words[position & mask], memory_order_acquire)) != 0) { /* Q1 */
        uint64_t id = peek(&ring->words[(position + 1) & mask]);
        struct mp__control *message = kind_of(header) == RECORD_MESSAGE ? mp__control_of(id, MP__MESSAGE) : NULL;
        if (message) {
            put_down(&message->as.message.owner, process);
            mp__message_sweep(message, id, process);
        }
        position += granules_in(header);
        if (kind_of(header) == RECORD_RING) break;
    }
    return position;
}

bool mp__side_sweep(struct mp__side *side, uint64_t id, uint64_t process)
{
    uint64_t maker = peek(&side->maker);
    if (!maker || (maker != process && !mp__process_has_ended(maker))) return true;
    uint64_t get_id = peek(&side->other), object = peek(&side->object), following;
    struct mp__side *get = side_of(get_id, MP__GET_SIDE);
    if (atomic_load_explicit(&side->type, memory_order_relaxed) != MP__PUT_SIDE) {
        /* Its put side has gone before it, or was never there. */
        if (mp__control_is_over(get_id)) mp__control_retire(id, MP__GET_SIDE);
        return true;
    }
    uint64_t getter = get ? peek(&get->object) : 0;
    if ((object && !mp__control_is_over(object)) || (getter && !mp__control_is_over(getter))) return true;
    if (object && (somebody_is_in(side) || (get && somebody_is_in(get)))) return false;
    uint32_t position = get ? position_of(peek(&get->at)) : 0;
    if (get && peek(&get->spare) != peek(&get->ring)) give_ring(peek(&get->spare), id, process);
    for (uint64_t offset = get && object ? peek(&get->ring) : 0; offset; offset = following) {
        uint32_t mask = mask_of(offset);
        const struct mp__ring *ring =
            mp__heap_ref_locked(offset) == id && mask ? mp__heap_at(offset, ring_size(mask)) : NULL;
        following = ring ? peek(&ring->following) : 0;
        if (ring) position = sweep_ring(ring, mask, position, process);
        /* Should this one die, too, the next one begins there. */
        put_down(&get->spare, offset);
        MP__THEN;
        if (following) put_down(&get->ring, following);
        MP__THEN;
        give_ring(offset, id, process);
    }
    give_ring(peek(&side->spare), id, process);
    mp__control_retire(id, MP__PUT_SIDE);
    if (get) mp__control_retire(get_id, MP__GET_SIDE);
    return true;
}
