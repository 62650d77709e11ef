/* SPDX-License-Identifier: MIT
 *
 * pollable.c - descriptors for event loops.
 *
 * One thread per process, while there are any, waits for all that have a descriptor and are not ready (base/watch.h), and
 * raises those that become ready. Who takes something out of one that is raised lowers it, if it is not ready any more, and has
 * that thread wait for it again. So an event loop finds it readable exactly while it is ready, as far as this process's calls
 * go; what others take that thread sees before long.
 *
 * Locks, in this order: `changing`, while the list and the thread change; `guard`, while something is looked at, which may take
 * other locks; `leaf`, under which nothing else is taken: an event needs no more to be looked at, as signal handlers do.
 *
 * Invariants:
 *   - F1: what is raised, and what is not, changes under guard, of an event under leaf, after a look under the same: the last
 *     look is right.
 *   - F2: what is not raised is watched, or the thread has been told, by `poke`, to look at all again.
 *   - F3: the list changes under all three, and is read under any. A signal handler takes leaf only, and not where it
 *     interrupts its owner: then it tells the thread.
 */
#include "primitives/pollable.h"
#include "base/control.h"
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

/* ns between looks at what may be ready soon, at first and at most; and at what is raised, and may be ready no more. */
#define SOON_LEAST   INT64_C(100000)
#define SOON_MOST    INT64_C(20000000)
#define RAISED_LEAST INT64_C(1000000)
#define RAISED_MOST  INT64_C(250000000)

struct pollable {
    struct pollable *next;
    uint64_t id;
    mp_os_pollable os;
    bool raised;
    bool is_event, is_process;
};

_Atomic uint64_t mp__pollables;

static struct mp__local_lock changing, guard, leaf;
static struct pollable *first;
static struct pollable *in_transit; /* one that is being made, or ended: not in the list. Under changing */
/* Those that were ended last: fork() copies descriptors first, and memory a while later. */
#define RECENT 16
static mp_os_pollable recent[RECENT];
static size_t ended;               /* how many were; under changing */
static struct pollable *forgotten; /* of this process's original: no leak checker stumbles over them */
static _Atomic uint32_t poke;      /* of the thread */
static intptr_t thread;            /* there is one if there are pollables; under changing */
static bool over;                  /* it shall end; under guard */
static _Atomic int begun;          /* 1: it serves; or an error */

static _Thread_local volatile sig_atomic_t has_leaf;

static void enter_leaf(void)
{
    has_leaf = 1; /* F3 */
    atomic_signal_fence(memory_order_seq_cst);
    mp__local_acquire(&leaf);
}

static void leave_leaf(void)
{
    mp__local_release(&leaf);
    atomic_signal_fence(memory_order_seq_cst);
    has_leaf = 0;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

enum prospect {
    STEADY, /* it stays as it is, or the thread is told */
    SOON,   /* it may become ready, and nobody will tell */
    RAISED  /* it may become unready, and nobody will tell */
};

static void set(struct pollable *pollable, bool raised)
{
    if (pollable->raised == raised) return;
    pollable->raised = raised;
    if (raised)
        mp_os_pollable_raise(&pollable->os);
    else
        mp_os_pollable_lower(&pollable->os);
}

/* One that is destroyed is raised for good: any call says so. What may be ready soon stays as it is. The lock is held: F1. */
static enum prospect look_inside(struct pollable *pollable, bool watch)
{
    int ready = mp__look("mp_wait_fd", pollable->id, watch && !pollable->raised);
    if (ready == MP__READY_SOON) return SOON;
    set(pollable, ready != MP__NOT_READY);
    bool stays = ready == MP__NOT_READY || ready == MP_EBADHANDLE || pollable->is_process;
    return stays ? STEADY : RAISED;
}

/* The same, and have it watched if it is not raised then: F2. *changed: it was lowered, or raised. */
static enum prospect look_and_watch(struct pollable *pollable, bool *changed)
{
    bool was_raised = pollable->raised;
    enum prospect prospect = look_inside(pollable, true);
    if (was_raised && !pollable->raised) prospect = look_inside(pollable, true);
    *changed |= pollable->raised != was_raised;
    return prospect;
}

/* guard is held; changed NULL: it is not watched. */
static enum prospect look(struct pollable *pollable, bool *changed)
{
    if (pollable->is_event) enter_leaf();
    enum prospect prospect = changed ? look_and_watch(pollable, changed) : look_inside(pollable, false);
    if (pollable->is_event) leave_leaf();
    return prospect;
}

static struct pollable *find(uint64_t id)
{
    struct pollable *pollable = first;
    while (pollable && pollable->id != id) pollable = pollable->next;
    return pollable;
}

void mp__pollable_settle_slowly(uint64_t id)
{
    mp__local_acquire(&guard);
    struct pollable *pollable = find(id);
    bool lowered = pollable && !pollable->is_event && pollable->raised && look(pollable, NULL) != RAISED;
    mp__local_release(&guard);
    if (lowered) mp__watch_tell(&poke); /* F2 */
}

void mp__pollable_settle_event_slowly(uint64_t id)
{
    bool lowered = has_leaf;
    if (!has_leaf) {
        enter_leaf();
        struct pollable *pollable = find(id);
        lowered = pollable && pollable->is_event && pollable->raised && look_inside(pollable, false) != RAISED;
        leave_leaf();
    }
    if (lowered) mp__watch_tell(&poke); /* F2 */
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

struct round {
    bool some_soon, some_raised, changed;
};

/* False: it is over. */
static bool look_at_all(struct round *round)
{
    *round = (struct round){.changed = false};
    mp__local_acquire(&guard);
    for (struct pollable *pollable = first; pollable; pollable = pollable->next) {
        enum prospect prospect = look(pollable, &round->changed);
        round->some_soon |= prospect == SOON;
        round->some_raised |= prospect == RAISED;
    }
    bool goes_on = !over;
    mp__local_release(&guard);
    return goes_on;
}

static int64_t longer(int64_t nap, int64_t most)
{
    return nap < most / 2 ? 2 * nap : most;
}

static void serve(void)
{
    int64_t soon = SOON_LEAST, raised = RAISED_LEAST;
    struct round round;
    int result = mp__thread_join();
    atomic_store_explicit(&begun, result < 0 ? result : 1, memory_order_release);
    if (result < 0) return;
    mp__watch_begin();
    for (;;) {
        mp__watch(&poke);
        if (!look_at_all(&round)) break;
        soon = round.some_soon ? longer(soon, SOON_MOST) : SOON_LEAST;
        raised = round.some_raised && !round.changed ? longer(raised, RAISED_MOST) : RAISED_LEAST;
        int64_t nap = round.some_soon && (!round.some_raised || soon < raised) ? soon : raised;
        mp__watch_wait(round.some_soon || round.some_raised ? mp__deadline_slice(MP_OS_NEVER, nap) : MP_OS_NEVER);
    }
    mp__watch_end();
}

/* changing is held. */
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

/* ---- the list ---------------------------------------------------------------------------------------------------- */

/* In a copy of this process there is no such thread, and the descriptors are the original's. */
static void forget(void)
{
    leave_leaf();
    mp__local_release(&guard);
    mp__local_release(&changing);
    atomic_store_explicit(&mp__pollables, 0, memory_order_relaxed);
    if (in_transit) mp_os_pollable_close(&in_transit->os);
    for (size_t i = 0; i < RECENT && i < ended; i++) mp_os_pollable_close(&recent[i]);
    for (struct pollable *pollable = first; pollable; pollable = pollable->next) mp_os_pollable_close(&pollable->os);
    if (first) forgotten = first;
    first = NULL;
    in_transit = NULL;
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

/* F3. */
static void enter_list(void)
{
    mp__local_acquire(&guard);
    enter_leaf();
}

static void leave_list(void)
{
    uint64_t bits = 0;
    for (const struct pollable *pollable = first; pollable; pollable = pollable->next)
        bits |= mp__pollable_bit(pollable->id);
    atomic_store_explicit(&mp__pollables, bits, memory_order_relaxed);
    leave_leaf();
    mp__local_release(&guard);
}

static void add(struct pollable *pollable)
{
    enter_list();
    pollable->next = first;
    first = pollable;
    leave_list();
    mp__local_acquire(&guard);
    (void)look(pollable, NULL); /* what is ready already is readable when the call returns */
    mp__local_release(&guard);
    mp__watch_tell(&poke); /* F2 */
}

/* NULL: there is none. With the last one the thread ends. changing is held. */
static struct pollable *take(uint64_t id)
{
    enter_list();
    struct pollable **link = &first;
    while (*link && (*link)->id != id) link = &(*link)->next;
    struct pollable *pollable = *link;
    if (pollable) *link = pollable->next;
    in_transit = pollable;
    over = pollable && !first;
    bool last = over;
    leave_list();
    if (last) {
        mp__watch_tell(&poke);
        mp_os_thread_join(thread);
    }
    return pollable;
}

/* changing is held: what is not in the list is in transit. */
static void destroy(struct pollable *pollable)
{
    recent[ended++ % RECENT] = pollable->os;
    mp_os_pollable_close(&pollable->os);
    in_transit = NULL;
    free(pollable);
}

static bool end(uint64_t id)
{
    mp__local_acquire(&changing);
    struct pollable *pollable = take(id);
    if (pollable) destroy(pollable);
    mp__local_release(&changing);
    return pollable != NULL;
}

void mp__pollable_end_slowly(uint64_t id)
{
    (void)end(id);
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

/* changing is held. NULL: an error. */
static struct pollable *create(uint64_t id)
{
    struct pollable *pollable = calloc(1, sizeof *pollable); /* no descriptors: 0 is none */
    if (!pollable) {
        (void)mp__fail(MP_ENOMEM, "mp_wait_fd: no memory for another descriptor");
        return NULL;
    }
    pollable->id = id;
    pollable->is_event = mp__control_of(id, MP__EVENT) != NULL;
    pollable->is_process = mp__control_of(id, MP__PROCESS) != NULL;
    in_transit = pollable;
    int error = mp_os_pollable_create(&pollable->os);
    if (error) {
        in_transit = NULL;
        free(pollable);
        (void)mp__fail_os(error, "mp_wait_fd: no descriptor could be made");
        return NULL;
    }
    if (get_ready() < 0) {
        destroy(pollable);
        return NULL;
    }
    add(pollable);
    in_transit = NULL;
    return pollable;
}

int mp_wait_fd(mp_handle item, mp_fd *fd)
{
    if (!fd) return mp__fail(MP_EINVAL, "mp_wait_fd: fd is NULL");
    int result = mp__thread_join();
    if (result == 0) result = mp__look("mp_wait_fd", item.id, false); /* whether it is something to wait for */
    if (result < 0) return result;
    mp__local_acquire(&changing);
    const struct pollable *pollable = find(item.id);
    if (!pollable) pollable = create(item.id);
    if (pollable) *fd = pollable->os.fd;
    mp__local_release(&changing);
    return pollable ? 0 : mp__fail_code();
}

int mp_wait_fd_close(mp_handle item)
{
    if (end(item.id)) return 0;
    return mp__fail(MP_EBADHANDLE, "mp_wait_fd_close: this process has no descriptor for that");
}
