/* SPDX-License-Identifier: MIT
 *
 * children.c - the children of this process, and waiting for processes in general.
 *
 * A child of the operating system's own making has to be reaped by this process: by whoever of its threads notices the
 * end first, after the family was told. That order matters: as long as its record does not say that it has ended, its
 * pid is its own, and others may open it by that.
 */
#include "primitives/children.h"
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/holders.h"
#include "base/park.h"
#include "primitives/local.h"

#include <stdlib.h>

#define MS             INT64_C(1000000)
#define DAEMON_GRACE   (1000 * MS) /* between terminate and kill, at the parent's exit */
#define STATUS_GRACE   (500 * MS)  /* for the one who knows how a process ended to say so */
#define SLICE          (50 * MS)   /* between looks whether a process that somebody else watches is still there */
#define TIDY_AT_A_TIME 4
#define KILLED         (-9) /* the exit code of what was */

struct mp__child {
    struct mp__child *next;
    uint64_t id;
    mp_os_process process; /* .child: to be reaped by this process */
    unsigned users;        /* threads that wait for it just now */
    bool daemon, over;
    bool taken; /* from the pool */
};

/* Protected by `guard`: the list, in the order of starting, and all fields of its members but id and process. */
static struct mp__local_lock guard;
static struct mp__child *first, **last; /* last: NULL if there is none */
/* The first few: in pages that are written to anyway, since after a fork each more has to be copied. */
static struct mp__child pool[16];
static struct mp__child *forgotten; /* of this process's original, kept so that no leak checker stumbles over them */

/* ---- the list -------------------------------------------------------------------------------------------------- */

struct mp__child *mp__child_prepare(void)
{
    mp__local_acquire(&guard);
    for (size_t i = 0; i < sizeof pool / sizeof *pool; i++) {
        if (pool[i].taken) continue;
        pool[i] = (struct mp__child){.taken = true};
        mp__local_release(&guard);
        return &pool[i];
    }
    mp__local_release(&guard);
    struct mp__child *child = calloc(1, sizeof *child);
    if (!child) (void)mp__fail(MP_ENOMEM, "mp_process_start: no memory for another child");
    return child;
}

void mp__child_cancel(struct mp__child *child)
{
    if (!child->taken) {
        free(child);
        return;
    }
    mp__local_acquire(&guard);
    child->taken = false;
    mp__local_release(&guard);
}

void mp__child_add(struct mp__child *child, uint64_t id, const mp_os_process *process, bool daemon)
{
    child->id = id;
    child->process = *process;
    child->daemon = daemon;
    mp__local_acquire(&guard);
    *(last ? last : &first) = child;
    last = &child->next;
    mp__local_release(&guard);
}

void mp__children_forget(void)
{
    mp__local_release(&guard);
    if (first) forgotten = first;
    for (size_t i = 0; i < sizeof pool / sizeof *pool; i++)
        if (pool[i].taken) pool[i].taken = false;
    first = NULL;
    last = NULL;
}

static struct mp__child *hold(uint64_t id)
{
    mp__local_acquire(&guard);
    struct mp__child *child = first;
    while (child && child->id != id) child = child->next;
    if (child) child->users++;
    mp__local_release(&guard);
    return child;
}

/* The last user of a child that is over takes it out of the list, and reaps it. */
static void drop(struct mp__child *child, bool over)
{
    mp__local_acquire(&guard);
    child->over |= over;
    bool gone = --child->users == 0 && child->over;
    if (gone) {
        struct mp__child **link = &first;
        while (*link != child) link = &(*link)->next;
        *link = child->next;
        if (last == &child->next) last = link;
    }
    mp__local_release(&guard);
    if (!gone) return;
    mp_os_process_release(&child->process);
    mp__child_cancel(child);
}

/* ---- how a process ended --------------------------------------------------------------------------------------- */

/* A program that knows nothing of being a child, or could not be one: its exit code is not the target's. */
static bool never_began(const struct mp__process *record, const mp_os_ending *ending)
{
    return atomic_load_explicit(&record->flags, memory_order_acquire) & MP__DOUBTFUL && ending->known &&
           ending->code >= 0;
}

/* A daemon that the end of its parent has ended is one that was killed. */
static bool was_leashed(const struct mp__process *record, const mp_os_ending *ending)
{
    uint32_t flags = atomic_load_explicit(&record->flags, memory_order_acquire);
    if (!ending->known || ending->code != mp_os_leash_code || (flags & (MP__DAEMON | MP__EXITS)) != MP__DAEMON)
        return false;
    const struct mp__process *parent = mp__process_of(record->parent);
    return parent ? mp__process_is_gone(parent, record->parent) : mp__control_is_over(record->parent);
}

/* What the record shall say: what its target returned, all 32 bits, if that is what the system saw the low 8 of. */
static uint64_t ending_of(const struct mp__process *record, uint64_t id, const mp_os_ending *ending)
{
    uint64_t returned = mp__process_returned(record);
    bool fits = ending->code >= 0 && (ending->code & 0xff) == (mp__ending_code(returned) & 0xff);
    if (returned && (!ending->known || fits)) return returned;
    if (was_leashed(record, ending)) return mp__ending(KILLED);
    if (never_began(record, ending)) return mp__ending_failed(MP_ENOFREEZE);
    if (ending->known) return mp__ending(ending->code);
    int expected = mp__process_expected(record, id);
    return expected ? mp__ending(expected) : mp__ending_failed(MP_ESYSTEM);
}

static void tell(uint64_t id, struct mp__process *record, const mp_os_ending *ending)
{
    if (ending->known && ending->code < 0 && !mp__process_ending(record, id))
        mp__log(MP_LOG_INFO, "%s was ended by signal %d", record->name, -ending->code);
    (void)mp__process_end(id, ending_of(record, id, ending));
}

void mp__process_report(uint64_t id, const mp_os_ending *ending)
{
    struct mp__process *record = mp__process_of(id);
    if (record) tell(id, record, ending);
}

/* How long to wait at a time. Where only this process can see that a child of it has ended, it has to look at all of them
 * while it waits: others may wait for those. */
static int64_t step(int64_t deadline)
{
    return mp_os_end_is_visible() ? deadline : mp__deadline_slice(deadline, SLICE);
}

void mp__children_look(void)
{
    if (!mp_os_end_is_visible()) (void)mp__children_alive(NULL, 0);
}

/* One of this process's own. 0: it has ended, and the record says so. */
static int await_child(struct mp__child *child, struct mp__process *record, int64_t deadline)
{
    mp_os_ending ending = {.known = false};
    const _Atomic uint32_t *word = mp__word_of(&record->end);
    int error;
    for (;;) {
        bool sleeps = !mp__deadline_passed(deadline);
        struct mp__span span = {0, 0};
        if (sleeps) span = mp__park_asleep(word);
        error = mp_os_process_wait(&child->process, step(deadline), &ending);
        if (sleeps) mp__park_awake(&span, word, error);
        if (error != mp_os_etimedout) break;
        if (!sleeps || mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        mp__children_look();
    }
    if (error && error != mp_os_egone) return mp__fail_os(error, "a child could not be waited for");
    tell(child->id, record, &ending);
    return 0;
}

/* It has ended, but this process was not told how: whoever was will say so soon. */
static void await_status(uint64_t id, struct mp__process *record, const mp_os_ending *ending)
{
    int64_t patience = record->method ? mp_os_now() + STATUS_GRACE : 0; /* of a plain copy nobody tells */
    while (!ending->known && !mp__process_ending(record, id) && !mp__deadline_passed(patience))
        mp__process_sleep(record, id, mp__deadline_slice(patience, SLICE));
    tell(id, record, ending);
}

/* Open it by its pid, if that means anything here: else mp_os_enotsup. As long as its record does not say that it has ended,
 * that pid has not been given to another process; unless somebody else than libmp has reaped it, hence the birth, which who
 * comes first writes down; not who is about to signal it: that takes the arena's lock, which it may have. */
static int open_other(struct mp__process *record, uint64_t id, int64_t pid, mp_os_process *process, bool learns)
{
    if (mp__process_is_elsewhere(record, id)) return mp_os_enotsup;
    uint64_t birth = atomic_load_explicit(&record->birth, memory_order_acquire);
    int error = mp_os_process_open(process, pid, birth);
    if (!error && !birth && learns && !mp__process_ending(record, id))
        mp__process_learn_birth(record, id, process->birth);
    return error;
}

/* One whose pid means nothing here: its record says when it has ended, or its threads' lives do. */
static int await_elsewhere(struct mp__process *record, uint64_t id, int64_t deadline)
{
    mp__process_sleep(record, id, mp__deadline_slice(deadline, SLICE));
    return mp__process_is_gone(record, id) ? 0 : mp_os_etimedout;
}

/* Somebody else's. Its record says when it has ended, and the system does if nobody is left who would write that. */
static int await_other(uint64_t id, struct mp__process *record, int64_t deadline)
{
    bool told = record->method == MP_FORKSERVER; /* its server will, at once */
    mp_os_process process;
    bool open = false;
    int result = MP_ETIMEDOUT;
    for (;;) {
        if (told && !mp__deadline_passed(deadline)) mp__process_sleep(record, id, mp__deadline_slice(deadline, SLICE));
        if (mp__process_ending(record, id) || !mp__process_of(id)) {
            result = 0;
            break;
        }
        int64_t pid = mp__process_pid(record, id);
        mp_os_ending ending = {.known = false};
        int error = 0;
        if (!pid) { /* just being started */
            mp_os_sleep(MS / 10);
            error = mp_os_etimedout;
        } else if (!open) {
            error = open_other(record, id, pid, &process, true);
            open = !error;
        }
        if (error == mp_os_enotsup) error = await_elsewhere(record, id, deadline);
        if (open && mp__process_ending(record, id)) continue;
        if (open && !error) error = mp_os_process_wait(&process, told ? 0 : step(deadline), &ending);
        if (!error || error == mp_os_egone) {
            await_status(id, record, &ending);
            result = 0;
            break;
        }
        if (mp__deadline_passed(deadline)) break;
        if (error != mp_os_etimedout) {
            result = mp__fail_os(error, "a process could not be waited for");
            break;
        }
        mp__children_look();
    }
    if (open) mp_os_process_release(&process);
    return result;
}

/* Its record is gone, so it has ended; but it may still have to be reaped. */
static void reap_closed(struct mp__child *child)
{
    mp_os_ending ending;
    if (!child) return;
    if (child->process.child) (void)mp_os_process_wait(&child->process, MP_OS_NEVER, &ending);
    drop(child, true);
}

int mp__process_await(uint64_t id, int64_t deadline, uint64_t *ending)
{
    struct mp__child *child = hold(id);
    struct mp__process *record = mp__process_of(id);
    if (!record) {
        reap_closed(child);
        return MP_EBADHANDLE;
    }
    int result = 0;
    bool forever = deadline == MP_OS_NEVER && !mp__process_ending(record, id);
    if (forever) mp__holders_join_begins(id);
    if (child && child->process.child)
        result = await_child(child, record, deadline);
    else if (!mp__process_ending(record, id))
        result = await_other(id, record, deadline);
    if (forever) mp__holders_join_begins(0);
    *ending = mp__process_ending(record, id);
    if (*ending) mp__process_settle(record, id);
    if (child) drop(child, result == 0);
    if (result < 0) return result;
    return *ending && mp__process_of(id) ? 0 : MP_EBADHANDLE;
}

/* Should nobody be told how it ended, this is what was done to it. Its pid is its own, if its record is still: whoever gives
 * that up has told of its end before. */
static int deliver_signal(struct mp__process *record, uint64_t id, mp_os_process *process, enum mp_os_signal signal)
{
    if (mp__process_ending(record, id) || mp__process_of(id) != record) return mp_os_egone;
    if (signal == MP_OS_KILL) mp__process_expect(record, id, KILLED);
    int error = mp_os_process_signal(process, signal);
    if (error && error != mp_os_egone && signal == MP_OS_KILL) mp__process_expect(record, id, 0);
    return error;
}

static int signal_other(struct mp__process *record, uint64_t id, enum mp_os_signal signal)
{
    int64_t pid = 0;
    while (!mp__process_ending(record, id) && !(pid = mp__process_pid(record, id))) mp_os_sleep(MS / 10);
    mp_os_process process;
    int error = pid ? open_other(record, id, pid, &process, false) : mp_os_egone;
    if (error) return error;
    error = deliver_signal(record, id, &process, signal);
    mp_os_process_release(&process);
    return error;
}

int mp__process_signal(uint64_t id, enum mp_os_signal signal)
{
    struct mp__child *child = hold(id);
    struct mp__process *record = mp__process_of(id);
    int error = mp_os_egone;
    if (record && child && child->process.child) /* as long as somebody holds it, it is not reaped */
        error = deliver_signal(record, id, &child->process, signal);
    else if (record)
        error = signal_other(record, id, signal);
    if (child) drop(child, false);
    return error;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

/* The id of the child that stands at that place of the list; 0 beyond its end. */
static uint64_t child_at(size_t place, bool *daemon)
{
    mp__local_acquire(&guard);
    struct mp__child *child = first;
    while (child && place--) child = child->next;
    uint64_t id = child ? child->id : 0;
    if (child && daemon) *daemon = child->daemon;
    mp__local_release(&guard);
    return id;
}

/* Whether it still runs, and it is reaped if not. */
static bool alive(uint64_t id)
{
    uint64_t ending;
    return mp__process_await(id, 0, &ending) == MP_ETIMEDOUT;
}

void mp__children_tidy(void)
{
    static _Atomic size_t cursor;
    for (int i = 0; i < TIDY_AT_A_TIME; i++) {
        size_t place = atomic_fetch_add_explicit(&cursor, 1, memory_order_relaxed);
        uint64_t id = child_at(place, NULL);
        if (!id) {
            atomic_store_explicit(&cursor, 0, memory_order_relaxed);
            return;
        }
        if (!alive(id)) atomic_fetch_sub_explicit(&cursor, 1, memory_order_relaxed);
    }
}

size_t mp__children_alive(uint64_t *ids, size_t capacity)
{
    size_t count = 0, place = 0;
    uint64_t id;
    while ((id = child_at(place, NULL)) != 0) {
        if (alive(id)) {
            if (count < capacity) ids[count] = id;
            count++;
            place++;
        } else if (child_at(place, NULL) == id) {
            place++; /* another thread holds it, and takes it out */
        }
    }
    return count;
}

static void signal_all(bool daemons_only, enum mp_os_signal signal)
{
    bool daemon = false;
    uint64_t id;
    for (size_t place = 0; (id = child_at(place, &daemon)) != 0; place++)
        if (daemon || !daemons_only) (void)mp__process_signal(id, signal);
}

/* Wait for all of them, or for the daemons among them. False if time was up. */
static bool await_all(bool daemons_only, int64_t deadline)
{
    bool daemon = false;
    uint64_t id, ending;
    size_t place = 0;
    while ((id = child_at(place, &daemon)) != 0) {
        if (daemons_only && !daemon) {
            place++;
            continue;
        }
        int result = mp__process_await(id, deadline, &ending);
        if (result == MP_ETIMEDOUT) return false;
        if (result < 0 && result != MP_EBADHANDLE) place++; /* can not be waited for: leave it */
    }
    return true;
}

void mp__children_finish(void)
{
    if (!child_at(0, NULL)) return;
    signal_all(true, MP_OS_TERMINATE);
    if (!await_all(true, mp_os_now() + DAEMON_GRACE)) {
        signal_all(true, MP_OS_KILL);
        (void)await_all(true, mp_os_now() + DAEMON_GRACE);
    }
    (void)await_all(false, MP_OS_NEVER);
}

void mp__children_kill(void)
{
    signal_all(false, MP_OS_TERMINATE);
    if (await_all(false, mp_os_now() + DAEMON_GRACE)) return;
    signal_all(false, MP_OS_KILL);
    (void)await_all(false, mp_os_now() + DAEMON_GRACE);
}
