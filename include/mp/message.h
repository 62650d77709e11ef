/* SPDX-License-Identifier: MIT
 *
 * mp/message.h - messages that are not copied.
 *
 * A message is memory that the family shares, with exactly one owner at a time. It is created, filled, and put into a queue
 * or sent through a pipe, which moves it: from then on it is not the sender's any more, and its struct is all zero. Who
 * gets it owns it, reads it in place, and puts it on or destroys it. A gigabyte goes from one process to another, or through
 * many, in a microsecond, and no queue is blocked while it is filled. The messages of a process that ends are freed.
 *
 *     mp_message message;
 *     MP_CHECK(mp_message_create(&message, 1000 * sizeof(double)));
 *     ((double *)message.data)[0] = 1.5;
 *     MP_CHECK(mp_queue_put_message(queue, &message, MP_FOREVER)); // message.data is NULL now
 *
 * What is put as bytes can be got as a message, and the other way round.
 */
#ifndef MP_MESSAGE_H
#define MP_MESSAGE_H

#include <mp/error.h>
#include <mp/handle.h>

MP_BEGIN

/** Bytes that somebody else owns. */
typedef struct mp_bytes {
    const void *data; /**< the first one; NULL: none */
    size_t size;      /**< how many */
} mp_bytes;

/** A message that belongs to this process; all zero: none. A copy of the struct is no copy of the message. */
typedef struct mp_message {
    void *data;  /**< in this process; aligned to 64 bytes */
    size_t size; /**< bytes; may be made smaller before it is put or sent */
    uint64_t id; /**< libmp's: of this message while it is this process's, and of nothing once it has moved */
} mp_message;

/**
 * Create a message; its bytes are zero.
 *
 * \param message  receives it.
 * \param size     bytes, 0 is allowed.
 * \returns 0, or
 *   MP_EINVAL    message is NULL, or size is no size (a negative number);
 *   MP_EMSGSIZE  size is over the arena's limit;
 *   MP_ENOMEM    the arena, or the machine, has not that much;
 *   MP_ELIMIT    the family has as many objects as an arena of its size can name.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family; the message is that process's, not the thread's.
 * \python        none: Python copies
 */
MP_NODISCARD MP_API int mp_message_create(mp_message *message, size_t size);

/**
 * Free a message. NULL, and one that is all zero, are nothing to be freed.
 *
 * \param message  all zero afterwards.
 * \returns 0, or, with the message as it was,
 *   MP_EBADHANDLE  it was destroyed, put or sent before: this is a stale copy of its struct;
 *   MP_ENOTOWNER   it is another process's.
 *
 * \threadsafety  any thread.
 * \processes     its owner.
 * \python        none
 */
MP_API int mp_message_destroy(mp_message *message);

MP_END
#endif
