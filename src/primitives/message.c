/* SPDX-License-Identifier: MIT
 *
 * message.c - messages that are not copied.
 */
#include "base/error.h"
#include "primitives/parcel.h"

#include <inttypes.h>

int mp_message_create(mp_message *message, size_t size)
{
    uint64_t id;
    void *data;
    if (!message) return mp__fail(MP_EINVAL, "mp_message_create: message is NULL");
    if (size > PTRDIFF_MAX) return mp__fail(MP_EINVAL, "mp_message_create: size is %zu: a negative number", size);
    int result = mp__message_create("mp_message_create", size, &id, &data);
    if (result == 0) *message = (mp_message){.data = data, .size = size, .id = id};
    return result;
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

int mp_message_destroy(mp_message *message)
{
    if (!message || !message->id) return 0;
    int result = mp__message_is_mine(message->id);
    if (result < 0) return mp__message_fail("mp_message_destroy", message->id, result);
    result = mp__message_free(message->id);
    if (result < 0) return mp__message_fail("mp_message_destroy", message->id, result);
    *message = (mp_message){0};
    return 0;
}

int mp__parcel_of_message(const char *call, const mp_message *message, struct mp__parcel *parcel)
{
    if (!message) return mp__fail(MP_EINVAL, "%s: message is NULL", call);
    uint64_t size;
    int result = message->id ? mp__message_is_mine(message->id) : MP_EBADHANDLE;
    if (result < 0) return mp__message_fail(call, message->id, result);
    if (!mp__message_at(message->id, &size)) return mp__message_fail(call, message->id, MP_EBADHANDLE);
    if (message->size > size)
        return mp__fail(MP_EMSGSIZE, "%s: message->size is %zu; it was created with %" PRIu64 " bytes", call,
                        message->size, size);
    *parcel = (struct mp__parcel){.size = message->size, .count = 1, .message = message->id};
    return 0;
}

int mp__message_of_parcel(const struct mp__parcel *parcel, mp_message *message)
{
    uint64_t size;
    message->data = mp__message_at(parcel->message, &size);
    message->size = (size_t)parcel->size;
    message->id = parcel->message;
    return 0;
}
