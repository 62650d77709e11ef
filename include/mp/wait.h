/* SPDX-License-Identifier: MIT
 *
 * mp/wait.h - wait for any of many.
 *
 * What can be waited for, and when it is ready:
 *
 *     process       it has ended: mp_process_join returns at once
 *     connection    there is something to receive; or the other end is closed, or all who held it are dead: recv says which
 *     queue         there is an item to get; or it is closed and empty
 *     event         it is set
 *     semaphore     its value is above 0; no unit is taken
 *
 * A queue that is empty, and which nobody is left to put anything into, is ready, too, but only if nothing else is: who waits
 * for the processes that put into it as well hears of their ends first.
 *
 * Ready means that a call with a timeout of 0 would have been successful just then. Another thread or process may be
 * quicker: so use a timeout of 0, and go on waiting on MP_ETIMEDOUT.
 */
#ifndef MP_WAIT_H
#define MP_WAIT_H

#include <mp/error.h>
#include <mp/handle.h>

MP_BEGIN

/**
 * Wait until one of several objects is ready.
 *
 *     mp_handle items[] = {MP_HANDLE(queue), MP_HANDLE(stop), MP_HANDLE(child)};
 *     size_t index;
 *     MP_CHECK(mp_wait(items, 3, &index, MP_FOREVER));
 *
 * There may be any number of them, more than 64 on Windows, too, in any mix, and the same one twice. Of several that are ready
 * all get their turn: who calls again with the same array is given the next one. Many may wait for the same; all of them are
 * woken. To wait takes nothing: a process that waits for a queue or a connection uses it, though, as by mp_queue_get
 * (mp/queue.h: death).
 *
 * \param items       handles; those that are {0} are skipped, so that one can be taken out of the array by that.
 * \param count       how many.
 * \param index       receives the place of one that is ready.
 * \param timeout_ms  ms; 0 or less: look once; MP_FOREVER.
 * \returns 0; MP_ETIMEDOUT: none is ready; MP_EINVAL: items or index is NULL, all are {0}, one is of a type that can not be
 *   waited for, or an end of a one_way pipe that only sends; MP_EDEADLK: one is this process; MP_EBADHANDLE: one names nothing,
 *   or was destroyed meanwhile; MP_ENOMEM. The detail says which. *index is untouched then.
 *
 * \threadsafety  any thread; not a signal handler. That may set an event that is waited for.
 * \processes     any process of the family. That the child of another process has ended is known when that has noticed, or
 *   within 100 ms.
 * \python        multiprocessing.connection.wait(object_list, timeout)
 */
MP_NODISCARD MP_API int mp_wait(const mp_handle *items, size_t count, size_t *index, int64_t timeout_ms);

MP_END
#endif
