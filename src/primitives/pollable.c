/* SPDX-License-Identifier: MIT
 *
 * pollable.c - descriptors for event loops.
 *
 * One thread per process, while there are any, waits for all that have a descriptor and are not ready (base/watch.h), and
 * raises those that become ready. Who takes something out of one that is raised lowers it, if it is not ready any more, and has
 * that thread wait for it again. So an event loop finds it readable exactly while it is ready, as far as this process's calls
 * go; what others take that thread sees before long.
 *
 * Invariants:
 *   - F1: what is raised, and what is not, changes with `guard` held, after a look with it held: the last look is right.
 *   - F2: what is not raised is watched, or the thread has been told, by `poke`, to look at all again.
 *   - F3: `guard` is held for looks only. A signal handler does not wait for it where it interrupts its owner: it tells the
 *     thread. `changing` is held while the list and the thread change, and is taken before `guard`.
 */
#include "primitives/pollable.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "base/watch.h"
#include "primitives/local.h"
#include "primitives/wait.h"

#include <mp/wait.h>
#include <signal.h>
#include <stdlib.h>

/* ns between looks at what is raised, or may be ready soon: at first, and at most. */
#define NAP_LEAST INT64_C(100000)
#define NAP_MOST  INT64_C(250000000)

struct pollable {
    struct pollable *next;
    uint64_t id;
    mp_os_pollable os;
    bool raised;
};

_Atomic uint32_t mp__pollables;

static struct mp__local_lock guard, changing;
static struct pollable *first;
static struct pollable *forgotten; /* of this process's original: no leak checker stumbles over them */
static _Atomic uint32_t poke;      /* of the thread */
static intptr_t thread;            /* there is one if there are pollables; under changing */
static bool over;                  /* it shall end; under guard */
static _Atomic int begun;          /* 1: it serves; or an error */

static _Thread_local volatile sig_atomic_t inside;

static void enter(void)
{
    inside = 1; /* F3 */
    atomic_signal_fence(memory_order_seq_cst);
    mp__local_acquire(&guard);
}

static void leave(void)
{
    mp__local_release(&guard);
    atomic_signal_fence(memory_order_seq_cst);
    inside = 0;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static void set(struct pollable *pollable, bool raised)
{
    if (pollable->raised == raised) return;
    pollable->raised = raised;
    if (raised)
        mp_os_pollable_raise(&pollable->os);
    else
        mp_os_pollable_lower(&pollable->os);
}

/* One that is destroyed is raised for good: any call says so. What may be ready soon stays as it is. True: it is to be looked
 * at again before long. */
static bool look(struct pollable *pollable, bool watch)
{
    int ready = mp__look("mp_wait_fd", pollable->id, watch && !pollable->raised);
    if (ready != MP__READY_SOON) set(pollable, ready != MP__NOT_READY);
    return ready != MP__NOT_READY && ready != MP_EBADHANDLE;
}

/* F1. False: it is over. */
static bool look_at_all(bool *again)
{
    *again = false;
    enter();
    for (struct pollable *pollable = first; pollable; pollable = pollable->next) {
        bool was_raised = pollable->raised;
        *again |= look(pollable, true);
        if (was_raised && !pollable->raised) *again |= look(pollable, true); /* F2 */
    }
    bool goes_on = !over;
    leave();
    return goes_on;
}

static void serve(void)
{
    int64_t nap = NAP_LEAST;
    bool again;
    int result = mp__thread_join();
    atomic_store_explicit(&begun, result < 0 ? result : 1, memory_order_release);
    if (result < 0) return;
    mp__watch_begin();
    for (;;) {
        mp__watch(&poke);
        if (!look_at_all(&again)) break;
        mp__watch_wait(again ? mp__deadline_slice(MP_OS_NEVER, nap) : MP_OS_NEVER);
        nap = !again ? NAP_LEAST : nap < NAP_MOST / 2 ? 2 * nap : NAP_MOST;
    }
    mp__watch_end();
}

static struct pollable *find(uint64_t id)
{
    struct pollable *pollable = first;
    while (pollable && pollable->id != id) pollable = pollable->next;
    return pollable;
}

void mp__pollable_settle_slowly(uint64_t id)
{
    bool tells = inside;
    if (!inside) {
        enter();
        struct pollable *pollable = find(id);
        if (pollable && pollable->raised) tells = !look(pollable, false); /* F2 */
        leave();
    }
    if (tells) mp__watch_tell(&poke);
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

/* In a copy of this process there is no such thread, and the descriptors are the original's. */
static void forget(void)
{
    leave();
    mp__local_release(&changing);
    if (!first) return;
    for (struct pollable *pollable = first; pollable; pollable = pollable->next) mp_os_pollable_close(&pollable->os);
    forgotten = first;
    first = NULL;
    atomic_store_explicit(&mp__pollables, 0, memory_order_relaxed);
}

static int start_thread(void)
{
    over = false;
    atomic_store_explicit(&begun, 0, memory_order_relaxed);
    int error = mp_os_thread_start(serve, &thread), result;
    if (error) return mp__fail_os(error, "mp_wait_fd: no thread could be started to serve the descriptor");
    while ((result = atomic_load_explicit(&begun, memory_order_acquire)) == 0) mp_os_yield();
    if (result > 0) return 0;
    mp_os_thread_join(thread);
    return mp__fail(result, "mp_wait_fd: the thread that was to serve the descriptor can not use libmp");
}

/* changing is held. */
static int get_ready(void)
{
    static bool prepared;
    int error = prepared ? 0 : mp_os_on_fork(forget);
    if (error) return mp__fail_os(error, "mp_wait_fd: the hook for fork could not be installed");
    prepared = true;
    return first ? 0 : start_thread();
}

static void add(struct pollable *pollable)
{
    enter();
    (void)look(pollable, false);
    pollable->next = first;
    first = pollable;
    leave();
    (void)atomic_fetch_add_explicit(&mp__pollables, 1, memory_order_relaxed);
    mp__watch_tell(&poke); /* F2 */
}

/* NULL: there is none. With the last one the thread ends. changing is held. */
static struct pollable *take(uint64_t id)
{
    enter();
    struct pollable **link = &first;
    while (*link && (*link)->id != id) link = &(*link)->next;
    struct pollable *pollable = *link;
    if (pollable) *link = pollable->next;
    over = pollable && !first;
    bool last = over;
    leave();
    if (pollable) (void)atomic_fetch_sub_explicit(&mp__pollables, 1, memory_order_relaxed);
    if (last) {
        mp__watch_tell(&poke);
        mp_os_thread_join(thread);
    }
    return pollable;
}

static bool end(uint64_t id)
{
    mp__local_acquire(&changing);
    struct pollable *pollable = take(id);
    mp__local_release(&changing);
    if (!pollable) return false;
    mp_os_pollable_close(&pollable->os);
    free(pollable);
    return true;
}

void mp__pollable_end_slowly(uint64_t id)
{
    (void)end(id);
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

/* changing is held. */
static int create(uint64_t id, mp_fd *fd)
{
    struct pollable *pollable = find(id);
    if (!pollable) {
        pollable = calloc(1, sizeof *pollable);
        if (!pollable) return mp__fail(MP_ENOMEM, "mp_wait_fd: no memory for another descriptor");
        pollable->id = id;
        int error = mp_os_pollable_create(&pollable->os);
        if (error) {
            free(pollable);
            return mp__fail_os(error, "mp_wait_fd: no descriptor could be made");
        }
        int result = get_ready();
        if (result < 0) {
            mp_os_pollable_close(&pollable->os);
            free(pollable);
            return result;
        }
        add(pollable);
    }
    *fd = pollable->os.fd;
    return 0;
}

int mp_wait_fd(mp_handle item, mp_fd *fd)
{
    if (!fd) return mp__fail(MP_EINVAL, "mp_wait_fd: fd is NULL");
    int result = mp__thread_join();
    if (result == 0) result = mp__look("mp_wait_fd", item.id, false); /* whether it is something to wait for */
    if (result < 0) return result;
    mp__local_acquire(&changing);
    result = create(item.id, fd);
    mp__local_release(&changing);
    return result;
}

int mp_wait_fd_close(mp_handle item)
{
    if (end(item.id)) return 0;
    return mp__fail(MP_EBADHANDLE, "mp_wait_fd_close: this process has no descriptor for that");
}
