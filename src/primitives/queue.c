/* SPDX-License-Identifier: MIT
 *
 * queue.c - Queue: a channel whose both sides belong to one handle.
 */
#include "base/channel_now.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/eventcount.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/holders.h"
#include "base/thread.h"
#include "base/trace.h"
#include "primitives/parcel.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

#include <inttypes.h>
#include <mp/queue.h>
#include <string.h>

static const struct mp__words words = {
    .type = "queue",
    .thing = "queue",
    .item = "item",
    .end = "queue",
    .peers = "every other process that was given it, or used it,",
};

#define MEMORY_SLICE INT64_C(20000000) /* ns: so often who waits for memory tries again */

/* ---- creation --------------------------------------------------------------------------------------------------- */

struct plan {
    uint64_t put, get;
    bool joinable, waits;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    atomic_store_explicit(&control->as.queue.put, plan->put, memory_order_relaxed);
    atomic_store_explicit(&control->as.queue.get, plan->get, memory_order_relaxed);
    atomic_store_explicit(&control->as.queue.joinable, plan->joinable, memory_order_relaxed);
    atomic_store_explicit(&control->as.queue.waits, plan->waits, memory_order_relaxed);
}

static int create(const struct mp__channel_plan *channel, struct plan *plan, const char *name, uint64_t *id)
{
    mp__arena_lock();
    int result = mp__channel_create_locked(channel, &plan->put, &plan->get);
    if (result == 0) {
        result = mp__control_take(MP__QUEUE, name, mp__family_id(), fill, plan, id);
        if (result == 0)
            mp__channel_join_locked(plan->put, *id, plan->get, *id);
        else
            mp__channel_drop_locked(plan->put, plan->get);
    }
    mp__arena_unlock();
    return result;
}

int mp_queue_create(mp_queue *queue, const mp_queue_options *options)
{
    static const mp_queue_options defaults;
    if (!queue) return mp__fail(MP_EINVAL, "mp_queue_create: queue is NULL");
    if (!options) options = &defaults;
    if (options->maxsize > INT32_MAX)
        return mp__fail(MP_EINVAL, "mp_queue_create: maxsize is %zu, and may be %d at most", options->maxsize,
                        INT32_MAX);
    int result = mp__thread_join();
    if (result < 0) return result;
    struct mp__channel_plan channel = {.most = (uint32_t)options->maxsize, .most_bytes = options->max_bytes};
    struct plan plan = {.joinable = options->joinable, .waits = options->wait_for_memory};
    uint64_t id = 0;
    result = mp__ring_create(0, &channel.ring);
    if (result == 0) {
        result = create(&channel, &plan, options->name, &id);
        if (result < 0) mp__heap_free(channel.ring);
    }
    if (result == MP_ELIMIT) return mp__fail(result, "mp_queue_create: this family has room for no more objects");
    if (result < 0) return mp__fail(result, "mp_queue_create: no memory for another queue");
    queue->id = id;
    return 0;
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

/* The channel of a queue. False: there is none. */
static inline bool open_channel(const char *call, mp_queue queue, struct mp__channel *channel)
{
    struct mp__control *control = mp__control_of(queue.id, MP__QUEUE);
    if (!control) return false;
    uint64_t put = atomic_load_explicit(&control->as.queue.put, memory_order_relaxed);
    uint64_t get = atomic_load_explicit(&control->as.queue.get, memory_order_relaxed);
    *channel = (struct mp__channel){.call = call,
                                    .put = mp__side_at(put),
                                    .get = mp__side_at(get),
                                    .put_id = put,
                                    .get_id = get,
                                    .object = control,
                                    .peer = control,
                                    .id = queue.id,
                                    .peer_id = queue.id,
                                    .besides = mp__family_id()};
    atomic_thread_fence(memory_order_acquire); /* what was read is its, if it is alive yet */
    return channel->put && channel->get && mp__control_alive(control, queue.id);
}

/* The same, of a thread that has no record yet, and for any error. */
MP__RARELY static int find(const char *call, mp_queue queue, struct mp__channel *channel, bool uses)
{
    if (!mp__control_of(queue.id, MP__QUEUE)) return mp__fail_handle(call, queue.id, "queue");
    int result = mp__thread_join();
    if (result < 0) return result;
    if (!open_channel(call, queue, channel)) return mp__fail_handle(call, queue.id, "queue");
    return uses ? mp__parcel_use(channel, &words) : 0;
}

/* ---- put -------------------------------------------------------------------------------------------------------- */

static bool waits_for_memory(const struct mp__channel *channel)
{
    return atomic_load_explicit(&channel->object->as.queue.waits, memory_order_relaxed);
}

/* A copy of them that is not. The message is freed if it is not put. */
static int put_large(const struct mp__channel *channel, const void *data, uint64_t size, int64_t deadline)
{
    struct mp__parcel parcel = {.size = size, .count = 1};
    bool waits = waits_for_memory(channel);
    void *copy = NULL;
    int result;
    if (size > atomic_load_explicit(&channel->put->most_bytes, memory_order_relaxed))
        return mp__parcel_fail(channel, &words, MP_EMSGSIZE, true, size);
    while ((result = mp__message_create(channel->call, size, &parcel.message, &copy)) == MP_ENOMEM && waits &&
           !mp__deadline_passed(deadline))
        mp_os_sleep(MEMORY_SLICE);
    if (result == MP_ENOMEM && waits) return mp__parcel_starve(channel, size);
    if (result != 0) return result;
    memcpy(copy, data, size);
    result = mp__parcel_put(channel, &words, &parcel, deadline, waits);
    if (result < 0) (void)mp__message_free(parcel.message);
    return result;
}

MP__RARELY static int put_slowly(mp_queue queue, const void *data, size_t size, int64_t timeout_ms)
{
    static const char call[] = "mp_queue_put";
    struct mp__channel channel;
    int result = mp__parcel_check(call, data, size, 1);
    if (result == 0) result = find(call, queue, &channel, true);
    if (result != 0) return result;
    if (size > MP__INLINE_MOST) return put_large(&channel, data, size, mp__deadline(timeout_ms));
    struct mp__parcel parcel = {.data = (void *)(uintptr_t)data, .size = size, .count = 1};
    return mp__parcel_put(&channel, &words, &parcel, mp__deadline(timeout_ms), waits_for_memory(&channel));
}

static inline int put(mp_queue queue, const void *data, size_t size, int64_t timeout_ms)
{
    struct mp__channel channel;
    if (open_channel("mp_queue_put", queue, &channel) && mp__parcel_is_used(&channel) && (data || !size) &&
        mp__channel_put_now(&channel, data, size))
        return 0;
    return put_slowly(queue, data, size, timeout_ms);
}

MP__RARELY static int put_traced(mp_queue queue, const void *data, size_t size, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = put(queue, data, size, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_PUT, queue.id, result == 0, result == 0 ? size : 0);
    return result;
}

int mp_queue_put(mp_queue queue, const void *data, size_t size, int64_t timeout_ms)
{
    return mp__traces() ? put_traced(queue, data, size, timeout_ms) : put(queue, data, size, timeout_ms);
}

static int put_message(mp_queue queue, mp_message *message, int64_t timeout_ms)
{
    struct mp__channel channel;
    int result = find("mp_queue_put_message", queue, &channel, true);
    if (result < 0) return result;
    return mp__parcel_put_message(&channel, &words, message, timeout_ms, waits_for_memory(&channel));
}

int mp_queue_put_message(mp_queue queue, mp_message *message, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = put_message(queue, message, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_PUT, queue.id, result == 0, 0);
    return result;
}

/* Each for itself. */
static int put_many_large(const struct mp__channel *channel, struct mp__parcel *parcel, int64_t deadline)
{
    int result = 0;
    while (result == 0 && parcel->done < parcel->count) {
        result = put_large(channel, (const char *)parcel->data + parcel->done * parcel->size, parcel->size, deadline);
        if (result == 0) parcel->done++;
    }
    return result;
}

static int put_many(mp_queue queue, const void *items, size_t item_size, size_t count, size_t *done, int64_t timeout_ms)
{
    static const char call[] = "mp_queue_put_many";
    struct mp__channel channel;
    int result = mp__parcel_check(call, items, item_size, count);
    if (result == 0) result = find(call, queue, &channel, true);
    if (result != 0) return result;
    struct mp__parcel parcel = {.data = (void *)(uintptr_t)items, .size = item_size, .count = count};
    int64_t deadline = mp__deadline(timeout_ms);
    result = item_size > MP__INLINE_MOST
                 ? put_many_large(&channel, &parcel, deadline)
                 : mp__parcel_put(&channel, &words, &parcel, deadline, waits_for_memory(&channel));
    *done = (size_t)parcel.done;
    return result;
}

int mp_queue_put_many(mp_queue queue, const void *items, size_t item_size, size_t count, size_t *done,
                      int64_t timeout_ms)
{
    size_t put = 0;
    struct mp__span span = mp__trace_open_call();
    int result = put_many(queue, items, item_size, count, &put, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_PUT, queue.id, put, put * item_size);
    if (done) *done = put;
    return result;
}

/* ---- get -------------------------------------------------------------------------------------------------------- */

MP__RARELY static int get_slowly(mp_queue queue, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms)
{
    static const char call[] = "mp_queue_get";
    struct mp__channel channel;
    int result = mp__parcel_check(call, buffer, capacity, 1);
    if (result == 0) result = find(call, queue, &channel, true);
    return result < 0 ? result : mp__parcel_get_bytes(&channel, &words, buffer, capacity, size, timeout_ms);
}

static inline int get(mp_queue queue, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms)
{
    struct mp__channel channel;
    if (open_channel("mp_queue_get", queue, &channel) && mp__parcel_is_used(&channel) &&
        mp__parcel_is_memory(buffer, capacity) && is_ready_soon(channel.get, timeout_ms > 0) &&
        mp__channel_get_now(&channel, buffer, capacity, size)) {
        mp__pollable_settle(queue.id);
        return 0;
    }
    return get_slowly(queue, buffer, capacity, size, timeout_ms);
}

MP__RARELY static int get_traced(mp_queue queue, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = get(queue, buffer, capacity, size, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_GET, queue.id, result == 0, result == 0 ? size ? *size : capacity : 0);
    return result;
}

int mp_queue_get(mp_queue queue, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms)
{
    return mp__traces() ? get_traced(queue, buffer, capacity, size, timeout_ms)
                        : get(queue, buffer, capacity, size, timeout_ms);
}

static int get_message(mp_queue queue, mp_message *message, int64_t timeout_ms)
{
    struct mp__channel channel;
    int result = find("mp_queue_get_message", queue, &channel, true);
    return result < 0 ? result : mp__parcel_get_message(&channel, &words, message, timeout_ms);
}

int mp_queue_get_message(mp_queue queue, mp_message *message, int64_t timeout_ms)
{
    struct mp__span span = mp__trace_open_call();
    int result = get_message(queue, message, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_GET, queue.id, result == 0, 0);
    return result;
}

static int get_many(mp_queue queue, void *items, size_t item_size, size_t capacity, size_t *done, int64_t timeout_ms)
{
    static const char call[] = "mp_queue_get_many";
    struct mp__channel channel;
    int result = mp__parcel_check(call, items, item_size, capacity);
    if (result == 0) result = find(call, queue, &channel, true);
    if (result != 0) return result;
    struct mp__parcel parcel = {.data = items, .size = item_size, .count = capacity, .exact = true};
    result = mp__parcel_get(&channel, &words, &parcel, timeout_ms);
    *done = (size_t)parcel.done;
    return result;
}

int mp_queue_get_many(mp_queue queue, void *items, size_t item_size, size_t capacity, size_t *done, int64_t timeout_ms)
{
    size_t got = 0;
    if (!done) return mp__fail(MP_EINVAL, "mp_queue_get_many: done is NULL");
    struct mp__span span = mp__trace_open_call();
    int result = get_many(queue, items, item_size, capacity, &got, timeout_ms);
    mp__trace_moved(&span, MP__TRACE_GET, queue.id, got, got * item_size);
    *done = got;
    return result;
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

static int count(const char *call, mp_queue queue, uint32_t *items, uint64_t *bytes, struct mp__channel *channel)
{
    if (!open_channel(call, queue, channel) || !mp__parcel_is_used(channel)) {
        int result = find(call, queue, channel, true);
        if (result < 0) return result;
    }
    *items = mp__channel_count(channel, bytes);
    if (!*items) mp__pollable_settle(queue.id);
    return mp__control_alive(channel->object, queue.id) ? 0 : mp__fail_handle(call, queue.id, "queue");
}

int mp_queue_qsize(mp_queue queue, size_t *size)
{
    struct mp__channel channel;
    uint32_t items = 0;
    if (!size) return mp__fail(MP_EINVAL, "mp_queue_qsize: size is NULL");
    int result = count("mp_queue_qsize", queue, &items, NULL, &channel);
    if (result == 0) *size = items;
    return result;
}

int mp_queue_empty(mp_queue queue)
{
    struct mp__channel channel;
    uint32_t items = 0;
    int result = count("mp_queue_empty", queue, &items, NULL, &channel);
    return result < 0 ? result : items == 0;
}

int mp_queue_full(mp_queue queue)
{
    struct mp__channel channel;
    uint32_t items = 0;
    uint64_t bytes = 0;
    int result = count("mp_queue_full", queue, &items, &bytes, &channel);
    if (result < 0) return result;
    return items >= atomic_load_explicit(&channel.put->most, memory_order_relaxed) ||
           bytes >= atomic_load_explicit(&channel.put->most_bytes, memory_order_relaxed);
}

int mp__queue_look(const char *call, uint64_t id, bool watch)
{
    struct mp__channel channel;
    int result = find(call, (mp_queue){id}, &channel, true);
    if (result < 0) return result;
    result = mp__channel_look(&channel, watch);
    if (result < 0) return mp__parcel_fail(&channel, &words, result, false, 0);
    if (result == MP__CHANNEL_BUSY) return MP__READY_SOON;
    if (result == 0) return mp__channel_is_lonely(&channel, true) ? MP__READY_AT_LAST : MP__NOT_READY;
    return MP__READY;
}

/* ---- joining: items that were put, less those that are done, are unfinished --------------------------------------- */

static int find_joinable(const char *call, mp_queue queue, struct mp__channel *channel)
{
    int result = find(call, queue, channel, true);
    if (result < 0) return result;
    if (atomic_load_explicit(&channel->object->as.queue.joinable, memory_order_relaxed)) return 0;
    return mp__fail(MP_EINVAL, "%s: queue \"%s\" is not joinable: mp_queue_options.joinable", call,
                    channel->object->name);
}

static uint32_t items_put(const struct mp__channel *channel)
{
    (void)mp__channel_count(channel, NULL); /* what a dead one has put is counted from here on */
    return (uint32_t)(atomic_load_explicit(&channel->put->at, memory_order_acquire) >> 32);
}

/* Whether something is unfinished. One that somebody has got, and said to be done, may not have been counted as put yet. */
static bool is_unfinished(const struct mp__channel *channel)
{
    uint32_t done = (uint32_t)atomic_load_explicit(mp__side_done(channel->get), memory_order_acquire);
    return (int32_t)(items_put(channel) - done) > 0;
}

/* The lock of the get side, under which all of that changes. */
static int enter(const struct mp__channel *channel)
{
    int result = mp__side_enter(channel->get, channel->get_id, MP_OS_NEVER);
    if (result < 0) return mp__parcel_fail(channel, &words, result, false, 0);
    if (mp__control_alive(channel->object, channel->id)) return 0;
    mp__side_leave(channel->get, channel->get_id);
    return mp__parcel_fail(channel, &words, MP_EBADHANDLE, false, 0);
}

/* One more, unless all that were put are done; of what was got that is known, though who put it may not have counted it yet.
 * The lock of the get side is held. */
static bool count_done(const struct mp__channel *channel)
{
    _Atomic uint64_t *done = mp__side_done(channel->get);
    uint32_t now = (uint32_t)atomic_load_explicit(done, memory_order_relaxed);
    uint32_t got = (uint32_t)(atomic_load_explicit(&channel->get->at, memory_order_relaxed) >> 32);
    uint32_t all = (uint32_t)(atomic_load_explicit(&channel->put->at, memory_order_acquire) >> 32);
    if ((int32_t)(got - all) > 0) all = got;
    if (now == all) return false;
    atomic_store_explicit(done, (uint32_t)(now + 1), memory_order_release); /* read with acquire by is_unfinished */
    return true;
}

int mp_queue_task_done(mp_queue queue)
{
    struct mp__channel channel;
    int result = find_joinable("mp_queue_task_done", queue, &channel);
    if (result == 0) result = enter(&channel);
    if (result < 0) return result;
    bool counted = count_done(&channel);
    mp__side_leave(channel.get, channel.get_id);
    if (!counted)
        return mp__fail(MP_EOVERFLOW, "mp_queue_task_done: all items of queue \"%s\" were done before",
                        channel.object->name);
    mp__fence_after_change(); /* T1 */
    if (!mp__eventcount_is_quiet(mp__side_joiners(channel.get)) && !is_unfinished(&channel))
        mp__eventcount_ring(mp__side_joiners(channel.get), UINT32_MAX);
    return 0;
}

/* Until something was done: 0; or MP_EPEERDEAD, MP_EBADHANDLE. */
static int sleep_until_done(const struct mp__channel *channel, int64_t deadline)
{
    int result = enter(channel);
    if (result < 0) return result;
    uint32_t value = mp__eventcount_prepare(mp__side_joiners(channel->get));
    bool sleeps = is_unfinished(channel);
    mp__side_leave(channel->get, channel->get_id);
    if (!sleeps) return 0;
    const struct mp__wanted wanted = {channel->peer, channel->peer_id, channel->besides, 0};
    result = mp__holders_sleep(&wanted, mp__side_joiners(channel->get), value, deadline);
    return result == MP_EPEERDEAD ? result : 0;
}

static bool somebody_lives(const struct mp__channel *channel)
{
    const struct mp__wanted wanted = {channel->peer, channel->peer_id, channel->besides, 0};
    struct mp__process *peer;
    return mp__holders_look(&wanted, &peer) != MP__PEERS_DEAD;
}

int mp_queue_join(mp_queue queue, int64_t timeout_ms)
{
    static const char call[] = "mp_queue_join";
    struct mp__channel channel;
    int64_t deadline = mp__deadline(timeout_ms);
    int result = find_joinable(call, queue, &channel), dead = 0;
    while (result == 0 && is_unfinished(&channel) && mp__control_alive(channel.object, queue.id)) {
        if (dead)
            return mp__fail(dead, "%s: items of queue \"%s\" are not done, and nobody lives who could", call,
                            channel.object->name);
        bool waits = !mp__deadline_passed(deadline);
        if (!waits && somebody_lives(&channel))
            return mp__fail(MP_ETIMEDOUT, "%s: items of queue \"%s\" are not done", call, channel.object->name);
        result = waits ? sleep_until_done(&channel, deadline) : MP_EPEERDEAD;
        dead = result == MP_EPEERDEAD ? result : 0;
        if (dead) result = 0;
    }
    if (result < 0) return result;
    return mp__control_alive(channel.object, queue.id) ? 0 : mp__fail_handle(call, queue.id, "queue");
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

int mp_queue_close(mp_queue queue)
{
    struct mp__channel channel;
    int result = find("mp_queue_close", queue, &channel, false);
    if (result < 0) return result;
    mp__channel_shut(channel.put_id, channel.get_id, MP__SIDE_CLOSED);
    return 0;
}

/* From here on, should this process die, who recovers it frees the rest. */
static void claim(const struct mp__control *control)
{
    mp__side_claim_locked(atomic_load_explicit(&control->as.queue.put, memory_order_relaxed), MP__PUT_SIDE);
    mp__side_claim_locked(atomic_load_explicit(&control->as.queue.get, memory_order_relaxed), MP__GET_SIDE);
}

int mp_queue_destroy(mp_queue queue)
{
    static const char call[] = "mp_queue_destroy";
    struct mp__channel channel;
    int result = find(call, queue, &channel, false);
    if (result < 0) return result;
    if (mp__control_destroy_with(queue.id, MP__QUEUE, NULL, claim) < 0) return mp__fail_handle(call, queue.id, "queue");
    mp__eventcount_ring(mp__side_joiners(channel.get), UINT32_MAX);
    mp__channel_shut(channel.put_id, channel.get_id, 0);
    mp__channel_free(channel.put_id, channel.get_id);
    mp__pollable_end(queue.id);
    return 0;
}
