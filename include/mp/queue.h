/* SPDX-License-Identifier: MIT
 *
 * mp/queue.h - Queue: many put, many get, in any processes.
 *
 * First in, first out. One type is Python's Queue, JoinableQueue (an option) and SimpleQueue. An item is so many bytes, any
 * flat struct with handles inside, or a message that is not copied (mp/message.h). It is in shared memory when put returns:
 * there is no thread that feeds it, so a producer may exit, and be joined, before anybody gets what it has put.
 *
 *     struct record { int number; char text[16]; };
 *
 *     static int produce(void *args)
 *     {
 *         mp_queue *queue = args;
 *         struct record record = {42, "hello"};
 *         return mp_queue_put(*queue, &record, sizeof record, MP_FOREVER);
 *     }
 *
 * Deaths. An item is in the queue once its put has done all but return, and has left it once its get has: what a process was
 * putting when it was killed never appears, and what it was getting another one gets. Nobody waits behind the dead. A get
 * that would wait when every other process that was given the queue, in its arguments, or has used it is dead, or has ended,
 * is MP_EPEERDEAD; so is a put that would wait for room, and a join. Nothing has changed then: call again if somebody new
 * will come; it returns at once then, too.
 *
 * Who counts. A process does from when it is given the queue, or has used it by any call but close and destroy, until it has
 * ended; its creator does from the beginning. It does not while all its threads wait, with MP_FOREVER, at this queue for the
 * same, or for the end of a process that does not count (mp_process_join): so of several consumers each is told when the only
 * producer is dead, and so is one whose end its parent waits for. Other threads of the caller's process do not count; those of
 * another one do that libmp knows nothing of, on Linux. A handle in the bytes of an item is not seen until its receiver uses
 * it.
 *
 * A queue keeps the memory that it had most of until it is destroyed.
 *
 * What does not end in time, in any of these, has done nothing. MP_FOREVER waits for ever; 0 and less try once: somebody who is
 * at work on the same side of the queue is waited for, though, up to a second.
 */
#ifndef MP_QUEUE_H
#define MP_QUEUE_H

#include <mp/message.h>
#include <stdbool.h>

MP_BEGIN

/** Of a queue. All zero: unbounded, not joinable. */
typedef struct mp_queue_options {
    const char *name;     /**< for people; copied, the first 31 bytes count */
    size_t maxsize;       /**< items it holds at most; 0: any number */
    size_t max_bytes;     /**< bytes of items it holds at most; 0: what the arena has */
    bool joinable;        /**< mp_queue_task_done and mp_queue_join */
    bool wait_for_memory; /**< put waits while the arena is full, too; else it is MP_ENOMEM */
} mp_queue_options;

/**
 * Create a queue.
 *
 * \param queue    receives the handle.
 * \param options  NULL: all defaults.
 * \returns 0, or
 *   MP_EINVAL  queue is NULL, or maxsize over 2^31 - 1;
 *   MP_ENOMEM  no memory;
 *   MP_ELIMIT  the family has as many objects as an arena of its size can name.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Queue(maxsize), JoinableQueue(maxsize), SimpleQueue()
 */
MP_NODISCARD MP_API int mp_queue_create(mp_queue *queue, const mp_queue_options *options);

/**
 * Put an item.
 *
 * \param queue       the queue.
 * \param data        its bytes; copied. May be NULL if size is 0.
 * \param size        how many; 0 is an item, too.
 * \param timeout_ms  milliseconds to wait for room; 0 or less: try once.
 * \returns 0, or
 *   MP_ETIMEDOUT  there was no room in that time;
 *   MP_ECLOSED    mp_queue_close was called;
 *   MP_EPEERDEAD  there is no room, and all that could make some are dead;
 *   MP_EMSGSIZE   size is over max_bytes, or over the arena's limit;
 *   MP_ENOMEM     the arena, or the machine, is full: others go on. See wait_for_memory;
 *   MP_ELIMIT     size is over 64 KiB, and the family has as many objects as it can name;
 *   MP_EINVAL     data is NULL and size is not 0; size, or count times item_size, is no size (a negative number);
 *   MP_EDEADLK    called by a signal handler that interrupts a call on the same queue.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Queue.put(item, timeout)
 */
MP_NODISCARD MP_API int mp_queue_put(mp_queue queue, const void *data, size_t size, int64_t timeout_ms);

/**
 * Get the next item.
 *
 * \param queue       the queue.
 * \param buffer      receives its bytes. May be NULL if capacity is 0.
 * \param capacity    of buffer.
 * \param size        receives its size, also with MP_EMSGSIZE; NULL: it has to be exactly `capacity`.
 * \param timeout_ms  milliseconds to wait for an item; 0 or less: try once.
 * \returns 0, or
 *   MP_ETIMEDOUT  there was none in that time;
 *   MP_ECLOSED    closed, and all has been got;
 *   MP_EPEERDEAD  there is none, and all that could put one are dead;
 *   MP_EMSGSIZE   the next item does not fit; it stays;
 *   MP_ENOMEM     this process has no address space for it; it stays;
 *   MP_EINVAL     buffer is NULL and capacity is not 0, or capacity is no size (a negative number);
 *   MP_EDEADLK    called by a signal handler that interrupts a call on the same queue.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Queue.get(timeout)
 */
MP_NODISCARD MP_API int mp_queue_get(mp_queue queue, void *buffer, size_t capacity, size_t *size, int64_t timeout_ms);

/**
 * Put a message, without a copy.
 *
 * \param queue       the queue.
 * \param message     its first `size` bytes; moved, and all zero afterwards. When this fails it is still the caller's.
 * \param timeout_ms  as of mp_queue_put.
 * \returns as mp_queue_put; and
 *   MP_EINVAL      message is NULL;
 *   MP_EBADHANDLE  it is all zero; or the message was put, sent or destroyed before: this is a stale copy of its struct;
 *   MP_ENOTOWNER   it is another process's;
 *   MP_EMSGSIZE    message->size is more than it was created with, or over max_bytes.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Queue.put, less a copy
 */
MP_NODISCARD MP_API int mp_queue_put_message(mp_queue queue, mp_message *message, int64_t timeout_ms);

/**
 * Get the next item as a message. What was put as one is not copied.
 *
 * \param queue       the queue.
 * \param message     receives it: it is this process's, until it is destroyed, put or sent.
 * \param timeout_ms  as of mp_queue_get.
 * \returns as mp_queue_get, but never MP_EMSGSIZE; and
 *   MP_EINVAL             message is NULL;
 *   MP_ENOMEM, MP_ELIMIT  also: the arena, or the machine, has no room for what was put as bytes, or the family has as many
 *                         objects as it can name; it stays.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Queue.get, less a copy
 */
MP_NODISCARD MP_API int mp_queue_get_message(mp_queue queue, mp_message *message, int64_t timeout_ms);

/**
 * Put several items of one size. Each is an item of its own; those of others may come between them.
 *
 * \param queue       the queue.
 * \param items       one behind the other.
 * \param item_size   of each.
 * \param count       how many.
 * \param done        receives how many were put, whatever this returns; NULL: all have to be.
 * \param timeout_ms  milliseconds to wait for room for all of them.
 * \returns 0: all were put; or as mp_queue_put: *done were.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        none
 */
MP_NODISCARD MP_API int mp_queue_put_many(mp_queue queue, const void *items, size_t item_size, size_t count,
                                          size_t *done, int64_t timeout_ms);

/**
 * Get several items of one size: wait for the first, then take what is there with it. They are got together: should this
 * process be killed before it has them, another one gets all of them.
 *
 * \param queue       the queue.
 * \param items       receives them, one behind the other.
 * \param item_size   of each.
 * \param capacity    how many there is room for.
 * \param done        receives how many were got.
 * \param timeout_ms  milliseconds to wait for the first; 0 or less: try once.
 * \returns 0, with *done at least 1 (0 if capacity is 0); or as mp_queue_get, with *done 0. MP_EMSGSIZE: the first has another
 *   size. MP_EINVAL also: done is NULL.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        none
 */
MP_NODISCARD MP_API int mp_queue_get_many(mp_queue queue, void *items, size_t item_size, size_t capacity, size_t *done,
                                          int64_t timeout_ms);

/**
 * How many items there are, exactly, at a moment during the call.
 *
 * \param queue  the queue.
 * \param size   receives the number.
 * \returns 0, or MP_EINVAL: size is NULL.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Queue.qsize, on every platform
 */
MP_API int mp_queue_qsize(mp_queue queue, size_t *size);

/**
 * Whether there is no item, exactly, at a moment during the call.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Queue.empty
 */
MP_API int mp_queue_empty(mp_queue queue);

/**
 * Whether there are maxsize items, or max_bytes bytes; never of an unbounded queue.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Queue.full
 */
MP_API int mp_queue_full(mp_queue queue);

/**
 * Say that an item that was got is done with. Of a joinable queue.
 *
 * \returns 0, or
 *   MP_EOVERFLOW  as many were said to be done as were ever put;
 *   MP_EINVAL     the queue is not joinable;
 *   MP_EDEADLK    called by a signal handler that interrupts a call on the same queue.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        JoinableQueue.task_done
 */
MP_API int mp_queue_task_done(mp_queue queue);

/**
 * Wait until all items that were put are done with. Of a joinable queue.
 *
 * \param queue       the queue.
 * \param timeout_ms  milliseconds; 0 or less: look once.
 * \returns 0, or
 *   MP_ETIMEDOUT  some are not;
 *   MP_EPEERDEAD  some are not, and all that could say so are dead;
 *   MP_EINVAL     the queue is not joinable;
 *   MP_EDEADLK    called by a signal handler that interrupts a call on the same queue.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        JoinableQueue.join, with a time-out
 */
MP_API int mp_queue_join(mp_queue queue, int64_t timeout_ms);

/**
 * No more puts, by anybody: they are MP_ECLOSED, also those that wait for room. Gets get what is there, then MP_ECLOSED. To
 * close again does nothing.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family; it closes for all of them, unlike Python's.
 * \python        Queue.shutdown (of queue.Queue)
 */
MP_API int mp_queue_close(mp_queue queue);

/**
 * Destroy a queue, and what is in it. Who waits there gets MP_EBADHANDLE. Optional: everything goes with the family.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_queue_destroy(mp_queue queue);

MP_END
#endif
