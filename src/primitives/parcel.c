/* SPDX-License-Identifier: MIT
 *
 * parcel.c - what queues and pipes share: from arguments to a parcel and back, and from errors to texts.
 */
#include "primitives/parcel.h"
#include "base/deadline.h"
#include "base/error.h"
#include "primitives/pollable.h"

#include <inttypes.h>

/* ---- errors ----------------------------------------------------------------------------------------------------- */

int mp__parcel_fail(const struct mp__channel *channel, const struct mp__words *words, int result, bool puts,
                    uint64_t size)
{
    const char *call = channel->call, *name = channel->object->name, *full = puts ? "full" : "empty";
    switch (result) {
    case MP_EBADHANDLE:
        return mp__fail_handle(call, channel->id, words->type);
    case MP_ETIMEDOUT:
        return mp__fail(result, "%s: %s \"%s\" is %s", call, words->thing, name, full);
    case MP_ECLOSED:
        return mp__fail(result, "%s: %s \"%s\" was closed%s", call, words->end, name,
                        puts ? "" : ", and nothing is left in it");
    case MP_EPEERDEAD:
        return mp__fail(result, "%s: %s \"%s\" is %s, and %s is dead", call, words->thing, name, full, words->peers);
    case MP_EMSGSIZE:
        if (puts)
            return mp__fail(result, "%s: %" PRIu64 " bytes are more than %s \"%s\" may hold (max_bytes)", call, size,
                            words->thing, name);
        return mp__fail(result, "%s: the next %s of %s \"%s\" has %" PRIu64 " bytes", call, words->item, words->thing,
                        name, size);
    case MP_EDEADLK:
        return mp__fail(result, "%s: %s \"%s\" is used by the call that this signal handler interrupts", call,
                        words->thing, name);
    case MP_ENOMEM:
        if (!puts) return result; /* it has said what there was no room for */
        return mp__fail(result, "%s: the arena or the machine has no room for another %" PRIu64 " bytes", call, size);
    default:
        return result;
    }
}

int mp__message_fail(const char *call, uint64_t id, int result)
{
    if (result == MP_ENOTOWNER)
        return mp__fail(result, "%s: the message is another process's: it was received there, or put by this one",
                        call);
    if (result == MP_EBADHANDLE && !mp__control_any(id))
        return mp__fail(result, "%s: the message was put, sent or destroyed before: this is a copy of its struct",
                        call);
    return mp__fail_handle(call, id, "message");
}

/* ---- use -------------------------------------------------------------------------------------------------------- */

int mp__parcel_use(const struct mp__channel *channel, const struct mp__words *words)
{
    int result = mp__hold(channel->object, channel->id);
    if (result == MP_EBADHANDLE) return mp__fail_handle(channel->call, channel->id, words->type);
    if (result < 0) return mp__fail(result, "%s: no memory to note who uses the %s", channel->call, words->thing);
    return 0;
}

int mp__parcel_check(const char *call, const void *data, size_t size, size_t count)
{
    if (size > PTRDIFF_MAX || count > PTRDIFF_MAX)
        return mp__fail(MP_EINVAL, "%s: %zu is no size: a negative number", call, size > PTRDIFF_MAX ? size : count);
    if (size && count > PTRDIFF_MAX / size)
        return mp__fail(MP_EINVAL, "%s: no memory has %zu times %zu bytes", call, count, size);
    if (!data && size && count) return mp__fail(MP_EINVAL, "%s: bytes at NULL", call);
    return 0;
}

int mp__parcel_put(const struct mp__channel *channel, const struct mp__words *words, struct mp__parcel *parcel,
                   int64_t deadline, bool waits_for_memory)
{
    int result = mp__channel_put(channel, parcel, deadline, waits_for_memory);
    /* The message was put by another thread, meanwhile. */
    if (result == MP_EBADHANDLE && parcel->message && mp__control_alive(channel->object, channel->id))
        return mp__message_fail(channel->call, parcel->message, result);
    if (result == MP_ETIMEDOUT && parcel->starved) return mp__parcel_starve(channel, parcel->size);
    return result < 0 ? mp__parcel_fail(channel, words, result, true, parcel->size) : 0;
}

int mp__parcel_starve(const struct mp__channel *channel, uint64_t size)
{
    return mp__fail(MP_ETIMEDOUT,
                    "%s: the arena or the machine had no room for another %" PRIu64 " bytes, all the time",
                    channel->call, size);
}

int mp__parcel_get(const struct mp__channel *channel, const struct mp__words *words, struct mp__parcel *parcel,
                   int64_t timeout_ms)
{
    int result = mp__channel_get(channel, parcel, mp__deadline(timeout_ms));
    if (result == 0 || result == MP_ETIMEDOUT) mp__pollable_settle(channel->id);
    return result < 0 ? mp__parcel_fail(channel, words, result, false, parcel->size) : 0;
}

int mp__parcel_get_bytes(const struct mp__channel *channel, const struct mp__words *words, void *buffer,
                         size_t capacity, size_t *size, int64_t timeout_ms)
{
    struct mp__parcel parcel = {.data = buffer, .size = capacity, .count = 1, .exact = !size};
    int result = mp__parcel_get(channel, words, &parcel, timeout_ms);
    if (size && (result == 0 || result == MP_EMSGSIZE)) *size = (size_t)parcel.size;
    return result;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static int check_message(const char *call, const mp_message *message)
{
    uint64_t size;
    if (!message) return mp__fail(MP_EINVAL, "%s: message is NULL", call);
    int result = message->id ? mp__message_is_mine(message->id) : MP_EBADHANDLE;
    if (result == 0 && !mp__message_at(message->id, &size)) result = MP_EBADHANDLE;
    if (result != 0) return mp__message_fail(call, message->id, result);
    if (message->size <= size) return 0;
    return mp__fail(MP_EMSGSIZE, "%s: message->size is %zu; it was created with %" PRIu64 " bytes", call, message->size,
                    size);
}

int mp__parcel_put_message(const struct mp__channel *channel, const struct mp__words *words, mp_message *message,
                           int64_t timeout_ms, bool waits_for_memory)
{
    int result = check_message(channel->call, message);
    if (result < 0) return result;
    struct mp__parcel parcel = {.size = message->size, .count = 1, .message = message->id};
    result = mp__parcel_put(channel, words, &parcel, mp__deadline(timeout_ms), waits_for_memory);
    if (result == 0) *message = (mp_message){0};
    return result;
}

int mp__parcel_get_message(const struct mp__channel *channel, const struct mp__words *words, mp_message *message,
                           int64_t timeout_ms)
{
    struct mp__parcel parcel = {.count = 1, .as_message = true};
    uint64_t size;
    if (!message) return mp__fail(MP_EINVAL, "%s: message is NULL", channel->call);
    int result = mp__parcel_get(channel, words, &parcel, timeout_ms);
    if (result < 0) return result;
    message->data = mp__message_at(parcel.message, &size);
    message->size = (size_t)parcel.size;
    message->id = parcel.message;
    return 0;
}
