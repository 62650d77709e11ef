/* SPDX-License-Identifier: MIT
 *
 * parcel.h - what queues and pipes share: from arguments to a parcel (base/channel.h) and back, and from errors to texts.
 *
 * By a thread with a record, on a channel that was opened for this call. All that fail have set the detail.
 */
#ifndef MP_PRIMITIVES_PARCEL_H
#define MP_PRIMITIVES_PARCEL_H

#include "base/channel.h"
#include "base/holders.h"
#include "base/message.h"

#include <mp/message.h>

/* What it is called in texts. */
struct mp__words {
    const char *type;  /* of the handle: "connection" */
    const char *thing; /* "pipe" */
    const char *item;  /* "message" */
    const char *end;   /* what is closed: "the other end of pipe" */
    const char *peers; /* who is dead: "every process that held the other end" */
};

/* This process uses what the channel was opened with: 0, or an error. The second: whether it is known to. */
int mp__parcel_use(const struct mp__channel *channel, const struct mp__words *words);
static inline bool mp__parcel_is_used(const struct mp__channel *channel)
{
    return mp__hold(channel->object, channel->id) == 0;
}

/* Whether these are `count` times so many bytes, to be put or to be overwritten: 0 or MP_EINVAL. The second: whether one
 * time. */
int mp__parcel_check(const char *call, const void *data, size_t size, size_t count);
static inline bool mp__parcel_is_memory(const void *data, size_t size)
{
    return (data || !size) && size <= PTRDIFF_MAX;
}

int mp__parcel_put(const struct mp__channel *channel, const struct mp__words *words, struct mp__parcel *parcel,
                   int64_t deadline, bool waits_for_memory);
/* MP_ETIMEDOUT: there was no memory. */
int mp__parcel_starve(const struct mp__channel *channel, uint64_t size);
int mp__parcel_put_message(const struct mp__channel *channel, const struct mp__words *words, mp_message *message,
                           int64_t timeout_ms, bool waits_for_memory);
int mp__parcel_get(const struct mp__channel *channel, const struct mp__words *words, struct mp__parcel *parcel,
                   int64_t timeout_ms);
/* size NULL: it has to be exactly `capacity`. */
int mp__parcel_get_bytes(const struct mp__channel *channel, const struct mp__words *words, void *buffer,
                         size_t capacity, size_t *size, int64_t timeout_ms);
int mp__parcel_get_message(const struct mp__channel *channel, const struct mp__words *words, mp_message *message,
                           int64_t timeout_ms);

/* The detail of a result of the channel; size: of what was to be put, or is next. */
int mp__parcel_fail(const struct mp__channel *channel, const struct mp__words *words, int result, bool puts,
                    uint64_t size);
/* Of a message that is not what it should be. */
int mp__message_fail(const char *call, uint64_t id, int result);

#endif
