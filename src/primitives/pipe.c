/* SPDX-License-Identifier: MIT
 *
 * pipe.c - Pipe: a channel each way, whose sides belong to one end or the other.
 */
#include "base/channel_now.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/holders.h"
#include "base/thread.h"
#include "base/trace.h"
#include "primitives/parcel.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

#include <inttypes.h>
#include <mp/pipe.h>

#define BESIDES       16 /* bytes of a ring that a message does not have: its header, and the next one */
#define CAPACITY      (65536 - BESIDES)
#define CAPACITY_MOST (UINT64_C(1) << 30)

static const struct mp__words words = {
    .type = "connection",
    .thing = "pipe",
    .item = "message",
    .end = "the other end of pipe",
    .peers = "every process that held the other end",
};

/* ---- creation --------------------------------------------------------------------------------------------------- */

/* One end: the ids of its sides, and of the other ones of their channels; 0: it does not send, or receive. */
struct end {
    uint64_t peer, put, put_other, get, get_other;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct end *end = with;
    atomic_store_explicit(&control->as.connection.peer, end->peer, memory_order_relaxed);
    atomic_store_explicit(&control->as.connection.put, end->put, memory_order_relaxed);
    atomic_store_explicit(&control->as.connection.put_other, end->put_other, memory_order_relaxed);
    atomic_store_explicit(&control->as.connection.get, end->get, memory_order_relaxed);
    atomic_store_explicit(&control->as.connection.get_other, end->get_other, memory_order_relaxed);
}

/* Where an end writes into, and the other one reads from. */
static int create_channel(uint64_t ring, struct end *writer, struct end *reader)
{
    const struct mp__channel_plan plan = {.ring = ring, .fixed = true};
    int result = mp__channel_create_locked(&plan, &writer->put, &writer->put_other);
    reader->get = writer->put_other;
    reader->get_other = writer->put;
    return result;
}

static void drop_channels(const struct end *a, const struct end *b)
{
    mp__channel_drop_locked(b->put, b->put_other);
    mp__channel_drop_locked(a->put, a->put_other);
}

/* All of it; the arena's lock is held. rings: of b to a, and of a to b, or 0. */
static int create(const uint64_t *rings, const char *name, uint64_t *a_id, uint64_t *b_id)
{
    struct end a = {0}, b = {0};
    int result = create_channel(rings[0], &b, &a);
    if (result == 0 && rings[1]) result = create_channel(rings[1], &a, &b);
    if (result == 0) result = mp__control_take(MP__CONNECTION, name, mp__family_id(), fill, &a, a_id);
    if (result < 0) {
        drop_channels(&a, &b);
        return result;
    }
    b.peer = *a_id;
    result = mp__control_take(MP__CONNECTION, name, mp__family_id(), fill, &b, b_id);
    if (result < 0) {
        mp__control_retire(*a_id, MP__CONNECTION);
        drop_channels(&a, &b);
        return result;
    }
    /* Now it is a pipe: who recovers this process finishes the rest. */
    atomic_store_explicit(&mp__control_of(*a_id, MP__CONNECTION)->as.connection.peer, *b_id, memory_order_release);
    mp__channel_join_locked(b.put, *b_id, b.put_other, *a_id);
    if (rings[1]) mp__channel_join_locked(a.put, *a_id, a.put_other, *b_id);
    return 0;
}

int mp_pipe_create(mp_connection *a, mp_connection *b, const mp_pipe_options *options)
{
    static const mp_pipe_options defaults;
    if (!a || !b) return mp__fail(MP_EINVAL, "mp_pipe_create: %s is NULL", a ? "b" : "a");
    if (a == b) return mp__fail(MP_EINVAL, "mp_pipe_create: a and b are the same variable");
    if (!options) options = &defaults;
    if (options->capacity > CAPACITY_MOST)
        return mp__fail(MP_EINVAL, "mp_pipe_create: capacity is %zu, and may be 1 GiB at most", options->capacity);
    int result = mp__thread_join();
    if (result < 0) return result;
    uint64_t capacity = options->capacity ? options->capacity : CAPACITY, rings[2] = {0}, ids[2] = {0};
    result = mp__ring_create(capacity + BESIDES, &rings[0]);
    if (result == 0 && !options->one_way) result = mp__ring_create(capacity + BESIDES, &rings[1]);
    if (result == 0) {
        mp__arena_lock();
        result = create(rings, options->name, &ids[0], &ids[1]);
        mp__arena_unlock();
    }
    if (result == 0) {
        a->id = ids[0];
        b->id = ids[1];
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (rings[i]) mp__heap_free(rings[i]);
    if (result == MP_ELIMIT) return mp__fail(result, "mp_pipe_create: this family has room for no more objects");
    return mp__fail(result, "mp_pipe_create: no memory for a pipe of %" PRIu64 " bytes each way", capacity);
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

/* The channel that an end sends into, or receives from. False: there is none, or no such end. */
static inline bool open_channel(const char *call, mp_connection connection, bool sends, struct mp__channel *channel)
{
    struct mp__control *control = mp__control_of(connection.id, MP__CONNECTION);
    if (!control) return false;
    uint64_t put = atomic_load_explicit(sends ? &control->as.connection.put : &control->as.connection.get_other,
                                        memory_order_relaxed);
    uint64_t get = atomic_load_explicit(sends ? &control->as.connection.put_other : &control->as.connection.get,
                                        memory_order_relaxed);
    uint64_t peer = atomic_load_explicit(&control->as.connection.peer, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire); /* what was read is its, if it is alive yet */
    if (!mp__control_alive(control, connection.id) || !put) return false;
    *channel = (struct mp__channel){.call = call,
                                    .put = mp__side_at(put),
                                    .get = mp__side_at(get),
                                    .put_id = put,
                                    .get_id = get,
                                    .object = control,
                                    .peer = (struct mp__control *)(void *)mp__side_at(peer),
                                    .id = connection.id,
                                    .peer_id = peer};
    return channel->put && channel->get && channel->peer;
}

static int fail_handle(const char *call, mp_connection connection)
{
    return mp__fail_handle(call, connection.id, "connection");
}

/* The same, of a thread that has no record yet, and for any error. */
MP__RARELY static int find(const char *call, mp_connection connection, bool sends, struct mp__channel *channel)
{
    struct mp__control *control = mp__control_of(connection.id, MP__CONNECTION);
    if (!control) return fail_handle(call, connection);
    int result = mp__thread_join();
    if (result < 0) return result;
    if (!open_channel(call, connection, sends, channel)) {
        if (!mp__control_alive(control, connection.id)) return fail_handle(call, connection);
        return mp__fail(MP_EINVAL, "%s: this end of pipe \"%s\" only %s: the pipe is one_way", call, control->name,
                        sends ? "receives" : "sends");
    }
    return mp__parcel_use(channel, &words);
}

/* ---- send ------------------------------------------------------------------------------------------------------- */

/* What goes through the ring in one piece. */
static bool is_small(const struct mp__channel *channel, uint64_t size)
{
    return size <= (atomic_load_explicit(&channel->put->mask, memory_order_relaxed) + UINT64_C(1)) * 8 - BESIDES;
}

MP__RARELY static int send_slowly(mp_connection connection, const void *data, size_t size, int64_t timeout_ms)
{
    static const char call[] = "mp_connection_send";
    struct mp__channel channel;
    int result = mp__parcel_check(call, data, size, 1);
    if (result == 0) result = find(call, connection, true, &channel);
    if (result != 0) return result;
    int64_t deadline = mp__deadline(timeout_ms);
    if (is_small(&channel, size)) {
        struct mp__parcel parcel = {.data = (void *)(uintptr_t)data, .size = size, .count = 1};
        return mp__parcel_put(&channel, &words, &parcel, deadline, false);
    }
    result = mp__channel_put_stream(&channel, data, size, deadline);
    if (result == MP_ETIMEDOUT)
        return mp__fail(result, "%s: nobody has received the %zu bytes, more than pipe \"%s\" holds", call, size,
                        channel.object->name);
    return result < 0 ? mp__parcel_fail(&channel, &words, result, true, size) : 0;
}

static inline int send_bytes(mp_connection connection, const void *data, size_t size, int64_t timeout_ms)
{
    struct mp__channel channel;
    if (open_channel("mp_connection_send", connection, true, &channel) && mp__parcel_is_used(&channel) &&
        (data || !size) && mp__channel_put_now(&channel, data, size))
        return 0;
    return send_slowly(connection, data, size, timeout_ms);
}

MP__RARELY static int send_bytes_traced(mp_connection connection, const void *data, size_t size, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = send_bytes(connection, data, size, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_PUT, connection.id, result == 0, result == 0 ? size : 0);
    return result;
}

int mp_connection_send(mp_connection connection, const void *data, size_t size, int64_t timeout_ms)
{
    return mp__traces() ? send_bytes_traced(connection, data, size, timeout_ms)
                        : send_bytes(connection, data, size, timeout_ms);
}

static int send_message(mp_connection connection, mp_message *message, int64_t timeout_ms)
{
    struct mp__channel channel;
    int result = find("mp_connection_send_message", connection, true, &channel);
    return result < 0 ? result : mp__parcel_put_message(&channel, &words, message, timeout_ms, false);
}

int mp_connection_send_message(mp_connection connection, mp_message *message, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = send_message(connection, message, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_PUT, connection.id, result == 0, 0);
    return result;
}

/* ---- receive ---------------------------------------------------------------------------------------------------- */

MP__RARELY static int recv_slowly(mp_connection connection, void *buffer, size_t capacity, size_t *size,
                                  int64_t timeout_ms)
{
    static const char call[] = "mp_connection_recv";
    struct mp__channel channel;
    int result = mp__parcel_check(call, buffer, capacity, 1);
    if (result == 0) result = find(call, connection, false, &channel);
    return result < 0 ? result : mp__parcel_get_bytes(&channel, &words, buffer, capacity, size, timeout_ms);
}

static inline int recv_bytes(mp_connection connection, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms)
{
    struct mp__channel channel;
    if (open_channel("mp_connection_recv", connection, false, &channel) && mp__parcel_is_used(&channel) &&
        mp__parcel_is_memory(buffer, capacity) && is_ready_soon(channel.get, timeout_ms > 0) &&
        mp__channel_get_now(&channel, buffer, capacity, size)) {
        mp__pollable_settle(connection.id);
        return 0;
    }
    return recv_slowly(connection, buffer, capacity, size, timeout_ms);
}

MP__RARELY static int recv_bytes_traced(mp_connection connection, void *buffer, size_t capacity, size_t *size,
                                        int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = recv_bytes(connection, buffer, capacity, size, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_GET, connection.id, result == 0, result == 0 ? size ? *size : capacity : 0);
    return result;
}

int mp_connection_recv(mp_connection connection, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms)
{
    return mp__traces() ? recv_bytes_traced(connection, buffer, capacity, size, timeout_ms)
                        : recv_bytes(connection, buffer, capacity, size, timeout_ms);
}

static int recv_message(mp_connection connection, mp_message *message, int64_t timeout_ms)
{
    struct mp__channel channel;
    int result = find("mp_connection_recv_message", connection, false, &channel);
    return result < 0 ? result : mp__parcel_get_message(&channel, &words, message, timeout_ms);
}

int mp_connection_recv_message(mp_connection connection, mp_message *message, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = recv_message(connection, message, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_GET, connection.id, result == 0, 0);
    return result;
}

int mp_connection_poll(mp_connection connection, int64_t timeout_ms)
{
    struct mp__channel channel;
    int result = find("mp_connection_poll", connection, false, &channel);
    if (result < 0) return result;
    result = mp__channel_poll(&channel, mp__deadline(timeout_ms));
    if (result == 0) mp__pollable_settle(connection.id);
    return result < 0 ? mp__parcel_fail(&channel, &words, result, false, 0) : result;
}

int mp__connection_look(const char *call, uint64_t id, bool watch)
{
    struct mp__channel channel;
    int result = find(call, (mp_connection){id}, false, &channel);
    if (result < 0) return result;
    result = mp__channel_look(&channel, watch);
    if (result < 0) return mp__parcel_fail(&channel, &words, result, false, 0);
    if (result == MP__CHANNEL_BUSY) return MP__READY_SOON;
    return result || mp__channel_is_lonely(&channel, true) ? MP__READY : MP__NOT_READY;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

/* The end is no more. True: the other one is not either, and the rest is this process's to free. The arena's lock is held. */
static bool retire(const struct end *end, uint64_t id)
{
    bool last = mp__control_is_over(end->peer);
    if (last) {
        mp__side_claim_locked(end->put, MP__PUT_SIDE);
        mp__side_claim_locked(end->put_other, MP__GET_SIDE);
        mp__side_claim_locked(end->get, MP__GET_SIDE);
        mp__side_claim_locked(end->get_other, MP__PUT_SIDE);
    }
    mp__control_retire(id, MP__CONNECTION);
    return last;
}

int mp_connection_close(mp_connection connection)
{
    static const char call[] = "mp_connection_close";
    struct mp__control *control = mp__control_of(connection.id, MP__CONNECTION);
    if (!control) return fail_handle(call, connection);
    int result = mp__thread_join();
    if (result < 0) return result;
    mp__arena_lock();
    bool mine = mp__control_alive(control, connection.id), last = false;
    struct end end = {.peer = atomic_load_explicit(&control->as.connection.peer, memory_order_relaxed),
                      .put = atomic_load_explicit(&control->as.connection.put, memory_order_relaxed),
                      .put_other = atomic_load_explicit(&control->as.connection.put_other, memory_order_relaxed),
                      .get = atomic_load_explicit(&control->as.connection.get, memory_order_relaxed),
                      .get_other = atomic_load_explicit(&control->as.connection.get_other, memory_order_relaxed)};
    if (mine) last = retire(&end, connection.id);
    mp__arena_unlock();
    if (!mine) return fail_handle(call, connection);
    mp__channel_shut(end.put, end.put_other, 0);
    mp__channel_shut(end.get_other, end.get, 0);
    if (last) {
        mp__channel_free(end.put, end.put_other);
        mp__channel_free(end.get_other, end.get);
    }
    mp__pollable_end(connection.id);
    return 0;
}
