/* SPDX-License-Identifier: MIT
 *
 * message.c - messages that are not copied.
 */
#include "base/error.h"
#include "primitives/parcel.h"

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
