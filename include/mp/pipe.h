/* SPDX-License-Identifier: MIT
 *
 * mp/pipe.h - Pipe: two ends, messages both ways.
 *
 * Each end is a connection, used by any number of threads and processes: a message is never mixed with another one, and two
 * are never one. What is sent at one end is received at the other, in order.
 *
 *     static int answer(void *args)
 *     {
 *         mp_connection *end = args;
 *         int number;
 *         int result = mp_connection_recv(*end, &number, sizeof number, NULL, MP_FOREVER);
 *         if (result < 0) return result;
 *         number *= 2;
 *         return mp_connection_send(*end, &number, sizeof number, MP_FOREVER);
 *     }
 *
 * Deaths. An end is held by its creator, until it is handed over: by standing in the arguments of a child, or by being used in
 * another process. When all who hold it are dead, or have ended, the other side receives what was sent, then MP_EPEERDEAD, and
 * so does who sends to it and would have to wait. So hand a child the end that it is to use, not both. What was being sent, or
 * received, by who was killed: as of a queue (mp/queue.h).
 *
 * mp_connection_close closes an end for everybody. Do not translate the line in which a Python parent closes the child's end:
 * it would cut the child off. Nothing has to be closed for the other side to see the end of a process.
 *
 * What does not end in time has done nothing. MP_FOREVER waits for ever; 0 and less try once: somebody who is at work on the
 * same side is waited for, though, up to a second. A message that is larger than the pipe's capacity, once it has begun to
 * arrive, is received to its end, whatever the time, as long as its parts come within a second of each other.
 */
#ifndef MP_PIPE_H
#define MP_PIPE_H

#include <mp/message.h>
#include <stdbool.h>

MP_BEGIN

/** Of a pipe. All zero: both ways. */
typedef struct mp_pipe_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    bool one_way;     /**< duplex=False: the first end receives, the second one sends */
    /** Bytes on their way, in each direction, before send waits; rounded up; 0: 64 KiB, almost. A message that is larger goes
     * through as it is received, and send returns when it has been. */
    size_t capacity;
} mp_pipe_options;

/**
 * Create a pipe.
 *
 * \param a        receives one end; with one_way that which receives.
 * \param b        receives the other one.
 * \param options  NULL: all defaults.
 * \returns 0, or
 *   MP_EINVAL  a or b is NULL, or both are the same variable, or capacity over 1 GiB;
 *   MP_ENOMEM  no memory;
 *   MP_ELIMIT  the family has as many objects as an arena of its size can name.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Pipe(duplex)
 */
MP_NODISCARD MP_API int mp_pipe_create(mp_connection *a, mp_connection *b, const mp_pipe_options *options);

/**
 * Send a message.
 *
 * \param connection  an end that sends.
 * \param data        its bytes; copied. May be NULL if size is 0.
 * \param size        how many; 0 is a message, too.
 * \param timeout_ms  milliseconds to wait for room, or, if it is larger than the pipe's capacity, until it is received.
 * \returns 0, or
 *   MP_ETIMEDOUT   not in that time;
 *   MP_ECLOSED     the other end was closed;
 *   MP_EPEERDEAD   it would have to wait, and all who hold the other end are dead;
 *   MP_EBADHANDLE  no connection, or this end was closed;
 *   MP_EINVAL      data is NULL, size is no size (a negative number), or this end only receives;
 *   MP_ENOMEM      this process has no address space for it;
 *   MP_EDEADLK     called by a signal handler that interrupts a call on the same end.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Connection.send_bytes
 */
MP_NODISCARD MP_API int mp_connection_send(mp_connection connection, const void *data, size_t size, int64_t timeout_ms);

/**
 * Receive the next message.
 *
 * \param connection  an end that receives.
 * \param buffer      receives its bytes. May be NULL if capacity is 0.
 * \param capacity    of buffer.
 * \param size        receives its size, also with MP_EMSGSIZE; NULL: it has to be exactly `capacity`.
 * \param timeout_ms  milliseconds to wait for one; 0 or less: try once.
 * \returns 0, or
 *   MP_ETIMEDOUT   there was none in that time. (What buffer contains then is not defined);
 *   MP_ECLOSED     the other end was closed, and all has been received;
 *   MP_EPEERDEAD   there is none, and all who hold the other end are dead;
 *   MP_EMSGSIZE    the next message does not fit; it stays;
 *   MP_EBADHANDLE  no connection, or this end was closed;
 *   MP_EINVAL      buffer is NULL and capacity is not 0, capacity is no size (a negative number), or this end only sends;
 *   MP_ENOMEM      this process has no address space for it; it stays;
 *   MP_EDEADLK     called by a signal handler that interrupts a call on the same end.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Connection.recv_bytes, recv_bytes_into; EOFError is MP_ECLOSED or MP_EPEERDEAD
 */
MP_NODISCARD MP_API int mp_connection_recv(mp_connection connection, void *buffer, size_t capacity, size_t *size,
                                           int64_t timeout_ms);

/**
 * Send a message that is not copied.
 *
 * \param connection  an end that sends.
 * \param message     its first `size` bytes; moved, and all zero afterwards. When this fails it is still the caller's.
 * \param timeout_ms  milliseconds to wait for room.
 * \returns as mp_connection_send; and
 *   MP_EINVAL      message is NULL;
 *   MP_EBADHANDLE  it is all zero; or the message was put, sent or destroyed before: this is a stale copy of its struct;
 *   MP_ENOTOWNER   it is another process's;
 *   MP_EMSGSIZE    message->size is more than it was created with.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Connection.send_bytes, less a copy
 */
MP_NODISCARD MP_API int mp_connection_send_message(mp_connection connection, mp_message *message, int64_t timeout_ms);

/**
 * Receive the next one as a message. What was sent as one is not copied.
 *
 * \param connection  an end that receives.
 * \param message     receives it: it is this process's, until it is destroyed, put or sent.
 * \param timeout_ms  milliseconds; 0 or less: try once.
 * \returns as mp_connection_recv, but
 *   MP_EINVAL             message is NULL, or this end only sends;
 *   MP_EMSGSIZE           what was sent as bytes is over the arena's limit; it stays;
 *   MP_ENOMEM, MP_ELIMIT  also: the arena, or the machine, has no room for what was sent as bytes, or the family has as many
 *                         objects as it can name; it stays.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Connection.recv_bytes, less a copy
 */
MP_NODISCARD MP_API int mp_connection_recv_message(mp_connection connection, mp_message *message, int64_t timeout_ms);

/**
 * Whether a receive would not wait: there is a message, or there will never be one. Nothing is received.
 *
 * \param connection  an end that receives.
 * \param timeout_ms  milliseconds to wait until it is so; 0 or less: look once.
 * \returns 1, 0, or an error: MP_EINVAL, this end only sends; MP_EDEADLK, called by a signal handler that interrupts a call on
 *   the same end.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Connection.poll(timeout)
 */
MP_NODISCARD MP_API int mp_connection_poll(mp_connection connection, int64_t timeout_ms);

/**
 * Close an end, for all who hold it. The other side receives what was sent, then MP_ECLOSED; it can send no more, and what
 * nobody has received here is gone. Who waits at this end gets MP_EBADHANDLE. When both ends are closed the pipe is gone.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        Connection.close, but for everybody
 */
MP_API int mp_connection_close(mp_connection connection);

MP_END
#endif
