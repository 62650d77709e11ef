/* SPDX-License-Identifier: MIT
 *
 * mp/wait.h - wait for any of many.
 *
 *     mp_handle items[] = {MP_HANDLE(queue), MP_HANDLE(process)};
 *     size_t index;
 *     int number;
 *     MP_CHECK(mp_wait(items, 2, &index, MP_FOREVER));
 *     if (index == 0) MP_CHECK(mp_queue_get(queue, &number, sizeof number, NULL, 0));
 *
 * What can be waited for, and when it is ready:
 *
 *   - a process: it has ended, mp_process_join returns at once
 *   - a connection: there is something to receive; or the other end is closed, or all who held it are dead, recv says which
 *   - a queue: there is an item to get; or it is closed and empty
 *   - an event: it is set
 *   - a result of a pool: it is there
 *   - a semaphore: its value is above 0; no unit is taken
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
 * There may be any number of them, more than 64 on Windows, too, in any mix, and the same one twice. Of several that are ready
 * all get their turn: who calls again with the same array is given the next one. Many may wait for the same; all of them are
 * woken. To wait takes nothing: a process that waits for a queue or a connection uses it, though, as by mp_queue_get
 * (mp/queue.h: deaths).
 *
 * \param items       handles; those that are {0} are skipped, so that one can be taken out of the array by that.
 * \param count       how many.
 * \param index       receives the place of one that is ready.
 * \param timeout_ms  milliseconds; 0 or less: look once; MP_FOREVER.
 * \returns 0, or, with *index untouched and a detail that says which,
 *   MP_ETIMEDOUT   none is ready;
 *   MP_EINVAL      items or index is NULL, all are {0}, one is of a type that can not be waited for, or an end of a one_way
 *                  pipe that only sends;
 *   MP_EDEADLK     one is this process;
 *   MP_EBADHANDLE  one names nothing, or was destroyed meanwhile;
 *   MP_ENOMEM, MP_ELIMIT  there is not enough to wait with;
 *   of a result what mp_result_wait returns.
 *
 * \threadsafety  any thread. A signal handler may set an event that is waited for.
 * \processes     any process of the family. That the child of another process has ended is known when that has noticed, or
 *   within 100 ms.
 * \python        multiprocessing.connection.wait(object_list, timeout)
 */
MP_NODISCARD MP_API int mp_wait(const mp_handle *items, size_t count, size_t *index, int64_t timeout_ms);

/**
 * A descriptor for an event loop: readable while the object is ready.
 *
 *     mp_fd fd;
 *     MP_CHECK(mp_wait_fd(MP_HANDLE(queue), &fd));
 *     struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
 *     while (poll(polled, 2, -1) >= 0) ...                  // mp_queue_get(queue, ..., 0), until MP_ETIMEDOUT or once
 *
 * On Windows it is an event, for WaitForMultipleObjects. It is level-triggered: what this process takes by which the object is
 * not ready any more makes it unreadable before that call returns. When another process takes it this one's descriptor follows
 * within 250 ms, or when this one tries in vain, or looks: so use timeouts of 0. On MP_ECLOSED and MP_EPEERDEAD it stays
 * readable: take it out of the loop. Do not read from it, write to it or close it.
 *
 * An object has one descriptor in each process that asks; to ask again returns the same. Until then, and for those who do
 * not ask, nothing costs more. While a process has any, a thread of libmp's serves them, which runs no code of the program's
 * and no signal handler. A process made by fork has none; a plain fork() closes the copies that it would have.
 *
 * It is libmp's, which closes it in mp_wait_fd_close, or when this process destroys or closes the object. If another process
 * does, it stays readable until mp_wait_fd_close.
 *
 * \param item  as for mp_wait.
 * \param fd    receives the descriptor; untouched on failure.
 * \returns 0; MP_EINVAL: fd is NULL, or item is of a type that can not be waited for, or an end of a one_way pipe that only
 *   sends; MP_EDEADLK: item is this process; MP_EBADHANDLE; MP_ENOMEM; MP_ELIMIT: no more descriptors, or no thread, are to be
 *   had.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family; the descriptor is this process's.
 * \python        connection.fileno(), process.sentinel, queue._reader.fileno()
 */
MP_NODISCARD MP_API int mp_wait_fd(mp_handle item, mp_fd *fd);

/**
 * Close this process's descriptor for an object. Take it out of the event loop before.
 *
 * \param item  what mp_wait_fd was given; it may be destroyed.
 * \returns 0; MP_EBADHANDLE: this process has none for it.
 *
 * \threadsafety  any thread.
 * \processes     the one that has called mp_wait_fd.
 * \python        none
 */
MP_API int mp_wait_fd_close(mp_handle item);

MP_END
#endif
