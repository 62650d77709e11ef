/* SPDX-License-Identifier: MIT
 *
 * family.c - the process table, and this process's place in it.
 */
#include "base/family.h"
#include "base/control.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/janitor.h"
#include "base/line.h"
#include "base/park.h"
#include "base/recover.h"
#include "base/repair.h"
#include "base/thread.h"
#include "base/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* This process as the family knows it. `id` is 0 until it is registered, and again in a copy made by fork(). */
_Atomic uint64_t mp__family_own_id;
static struct mp__process *_Atomic self_record;
static atomic_flag registering = ATOMIC_FLAG_INIT;
#define FORK_HOOKS 2
static void (*_Atomic fork_hooks[FORK_HOOKS])(void);
static _Atomic uint64_t own_space; /* of pids; 0: not asked yet */
static const char *service_name;   /* of a process that serves the family, and is no member */

/* ---- hooks ----------------------------------------------------------------------------------------------------- */

static void forked(void)
{
    /* self_record stays: the copy's parent, see mp__family_self. */
    atomic_store_explicit(&mp__family_own_id, 0, memory_order_relaxed);
    atomic_flag_clear_explicit(&registering, memory_order_relaxed);
    mp_os_life_forked();
    (void)mp__family_space(); /* a copy of this one could not see any more that it is another */
    mp__arena_forked();
    mp__thread_forget();
    for (int i = 0; i < FORK_HOOKS; i++) {
        void (*hook)(void) = atomic_load_explicit(&fork_hooks[i], memory_order_relaxed);
        if (hook) hook();
    }
}

static void thread_ended(void *record)
{
    (void)record;
    mp__line_forget();
    mp__thread_leave();
}

int mp__family_prepare(void)
{
    static bool prepared;
    if (prepared) return 0;
    int error = mp_os_on_fork(forked);
    if (!error) error = mp_os_on_thread_exit(thread_ended);
    if (error) return mp__fail_os(error, "the hooks for fork and for the end of threads could not be installed");
    prepared = true;
    return 0;
}

void mp__family_on_fork(void (*child)(void))
{
    for (int i = 0; i < FORK_HOOKS; i++) {
        void (*there)(void) = atomic_load_explicit(&fork_hooks[i], memory_order_relaxed);
        if (there == child) return; /* each page that is written to has to be copied after a fork */
        if (!there && atomic_compare_exchange_strong_explicit(&fork_hooks[i], &there, child, memory_order_relaxed,
                                                              memory_order_relaxed))
            return;
        if (there == child) return; /* another thread was quicker */
    }
}

/* ---- this process ---------------------------------------------------------------------------------------------- */

struct mp__process *mp__family_record(void)
{
    return mp__family_id() ? atomic_load_explicit(&self_record, memory_order_acquire) : NULL;
}

void mp__family_serve(const char *name)
{
    service_name = name;
}

uint64_t mp__family_space(void)
{
    uint64_t known = atomic_load_explicit(&own_space, memory_order_relaxed), space = mp_os_pid_space(known);
    if (space != known) atomic_store_explicit(&own_space, space, memory_order_relaxed);
    return space;
}

const char *mp__family_name(void)
{
    if (service_name) return service_name;
    const struct mp__process *record = mp__family_record();
    return record ? record->name : "MainProcess";
}

int64_t mp__process_pid(const struct mp__process *record, uint64_t id)
{
    if (id == mp__family_id() && id) return mp_os_pid();
    uint64_t word = atomic_load_explicit(&record->pid, memory_order_acquire); /* P1 */
    if (!mp__pid_is_of(word, id) || (uint32_t)word == MP__PID_NEVER) return -1;
    return (int64_t)(uint32_t)word;
}

static bool was_started_elsewhere(const struct mp__process *record)
{
    uint64_t own = mp__family_space(); /* 0: there is but one */
    return own && atomic_load_explicit(&record->space, memory_order_acquire) != own;
}

bool mp__process_is_elsewhere(const struct mp__process *record, uint64_t id)
{
    return mp__process_pid(record, id) == MP__PID_ELSEWHERE || (was_started_elsewhere(record) && id != mp__family_id());
}

bool mp__process_arrive(struct mp__process *record, uint64_t id, int64_t pid)
{
    /* To look before writing has the header mapped by the same fault. */
    uint64_t seen = atomic_load_explicit(&record->pid, memory_order_relaxed);
    bool elsewhere = was_started_elsewhere(record);
    uint64_t word = mp__pid_word(id, elsewhere ? MP__PID_ELSEWHERE : pid);
    do {
        if (!mp__pid_is_of(seen, id) || (uint32_t)seen == MP__PID_NEVER) return false;
        if (seen == word || (elsewhere && (uint32_t)seen)) return true;
    } while (!atomic_compare_exchange_weak_explicit(&record->pid, &seen, word, memory_order_release, /* P1 */
                                                    memory_order_relaxed));
    return true;
}

bool mp__process_give_up(struct mp__process *record, uint64_t id)
{
    uint64_t unknown = mp__pid_word(id, 0);
    return atomic_compare_exchange_strong_explicit(&record->pid, &unknown, mp__pid_word(id, MP__PID_NEVER),
                                                   memory_order_relaxed, /* P1 */
                                                   memory_order_relaxed);
}

static bool come(struct mp__process *record, uint64_t id)
{
    if (!mp__process_arrive(record, id, mp_os_pid())) return false;
    (void)mp_os_life_begin(record->life); /* without it the janitor looks at the pid */
    return true;
}

/* Should its starter be dead, its life is all that can be seen of it: so that begins before it comes. The arena's lock keeps
 * the record from being another one's meanwhile. */
static bool come_from_elsewhere(struct mp__process *record, uint64_t id)
{
    mp__arena_lock();
    bool comes = mp__process_pid(record, id) >= 0;
    bool begun = comes && mp_os_life_begin(record->life) == 0;
    if (comes) comes = mp__process_arrive(record, id, mp_os_pid());
    if (begun && !comes) mp_os_life_end(record->life);
    mp__arena_unlock();
    return comes;
}

bool mp__process_enter(struct mp__process *record, uint64_t id)
{
    if (mp__family_id() == id) return true; /* before its server answered */
    if (!(was_started_elsewhere(record) ? come_from_elsewhere(record, id) : come(record, id))) return false;
    service_name = NULL;
    atomic_store_explicit(&self_record, record, memory_order_release);
    atomic_store_explicit(&mp__family_own_id, id, memory_order_release);
    mp__janitor_ring();
    return true;
}

void mp__process_leave(void)
{
    struct mp__process *record = mp__family_record();
    if (!record || !mp_os_life_lasts(record->life)) return;
    mp_os_life_end(record->life);
}

/* A process that nobody of the family has started. */
static void found_self(uint64_t id)
{
    struct mp__process *record = mp__process_of(id);
    mp_os_process self;
    if (mp_os_process_open(&self, mp_os_pid(), 0)) /* for its birth, which nobody else will write down */
        self = (mp_os_process){.pid = mp_os_pid(), .handle = MP_OS_NO_HANDLE};
    mp__process_born(record, id, &self);
    mp_os_process_release(&self);
    (void)mp__process_enter(record, id);
}

uint64_t mp__family_self(void)
{
    uint64_t id = mp__family_id();
    if (id || mp__arena_join() < 0) return id;
    while (atomic_flag_test_and_set_explicit(&registering, memory_order_acquire)) mp_os_yield();
    id = mp__family_id();
    if (!id) {
        /* A copy made by a plain fork() still has its parent's record here. */
        const struct mp__process *parent = atomic_load_explicit(&self_record, memory_order_relaxed);
        uint32_t method = parent ? parent->default_method : 0;
        if (mp__process_create(parent ? NULL : "MainProcess", 0, 0, method, &id) == 0) found_self(id);
    }
    atomic_flag_clear_explicit(&registering, memory_order_release);
    return id;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

struct mp__process *mp__process_at(uint32_t slot)
{
    return mp__arena_at(MP__REGION_PROCESSES, (uint64_t)slot * MP__PROCESS_STRIDE, MP__PROCESS_STRIDE);
}

uint32_t mp__process_slot(const struct mp__process *record)
{
    const struct mp__region *table = &mp__header()->regions[MP__REGION_PROCESSES];
    uint64_t place = (uint64_t)((const char *)record - (const char *)mp__header());
    uint64_t offset = place < MP_OS_GRANULARITY ? place - table->offset : place - table->rest + table->first;
    return (uint32_t)(offset / MP__PROCESS_STRIDE);
}

void mp__process_born(struct mp__process *record, uint64_t id, const mp_os_process *process)
{
    uint64_t seen = mp__pid_word(id, 0), word = mp__pid_word(id, process->pid);
    while (!atomic_compare_exchange_strong_explicit(&record->pid, &seen, word, memory_order_release, /* P1 */
                                                    memory_order_relaxed) &&
           seen == mp__pid_word(id, MP__PID_ELSEWHERE)) {}
    if (process->birth) atomic_store_explicit(&record->birth, process->birth, memory_order_release);
}

void mp__process_learn_birth(struct mp__process *record, uint64_t id, uint64_t birth)
{
    mp__arena_lock();
    if (atomic_load_explicit(&record->handle, memory_order_relaxed) == id &&
        !atomic_load_explicit(&record->birth, memory_order_relaxed))
        atomic_store_explicit(&record->birth, birth, memory_order_release);
    mp__arena_unlock();
}

bool mp__process_is_gone(const struct mp__process *record, uint64_t id)
{
    if (mp__process_ending(record, id)) return true;
    if (mp_os_life_lasts(record->life)) return false;
    int64_t pid = mp__process_pid(record, id);
    if (pid <= 0) return pid < 0;
    if (mp__process_is_elsewhere(record, id)) return mp_os_life_is_over(record->life) && !mp__thread_lives_of(id);
    return mp_os_process_is_gone(pid, atomic_load_explicit(&record->birth, memory_order_acquire));
}

uint32_t mp__process_top(void)
{
    mp__arena_lock();
    uint32_t top = mp__header()->processes_top;
    mp__arena_unlock();
    return top;
}

struct mp__process *mp__process_of(uint64_t id)
{
    struct mp__control *control = mp__header() ? mp__control_of(id, MP__PROCESS) : NULL;
    if (!control) return NULL;
    uint32_t slot =
        atomic_load_explicit(&control->as.process.slot, memory_order_acquire); /* before the generation is looked at */
    return mp__control_alive(control, id) ? mp__process_at(slot) : NULL;
}

/* A free slot, cleared. pid: of who registers itself, or 0. The arena's lock is held. */
static int slot_take(uint32_t *slot, int64_t pid)
{
    struct mp__header *header = mp__header();
    bool fresh = !header->free_processes;
    uint32_t wanted = fresh ? header->processes_top : header->free_processes;
    if (fresh) {
        if (wanted > header->max_processes) return MP_ELIMIT;
        int result = mp__arena_grow(MP__REGION_PROCESSES, (uint64_t)(wanted + 1) * MP__PROCESS_STRIDE);
        if (result < 0) return result;
    }
    struct mp__process *record = mp__process_at(wanted);
    if (!record) return MP_ENOMEM;
    if (fresh)
        header->processes_top++;
    else
        header->free_processes = record->next;
    memset((void *)record, 0, MP__PROCESS_STRIDE);
    record->parent = mp__family_id();
    atomic_store_explicit(&record->pid, (uint64_t)pid, memory_order_relaxed);
    atomic_store_explicit(&record->space, mp__family_space(), memory_order_relaxed);
    atomic_store_explicit(&record->flags, MP__TAKEN, memory_order_release);
    *slot = wanted;
    return 0;
}

static void slot_give_back(uint32_t slot)
{
    struct mp__process *record = mp__process_at(slot);
    atomic_store_explicit(&record->handle, 0, memory_order_relaxed);
    atomic_store_explicit(&record->flags, 0, memory_order_release); /* from here on it is free: mp__process_repair */
    record->next = mp__header()->free_processes;
    mp__header()->free_processes = slot;
}

void mp__process_repair(void)
{
    struct mp__header *header = mp__header();
    header->free_processes = 0;
    for (uint32_t slot = header->processes_top; --slot > 0;) {
        struct mp__process *record = mp__process_at(slot);
        if (!record || atomic_load_explicit(&record->flags, memory_order_relaxed) & MP__TAKEN) continue;
        record->next = header->free_processes;
        header->free_processes = slot;
    }
}

static size_t append(char *text, size_t at, size_t most, const char *what)
{
    for (; most > 0 && *what; most--) text[at++] = *what++;
    return at;
}

static void append_number(char *text, size_t at, uint32_t number)
{
    char digits[12];
    size_t from = sizeof digits - 1;
    digits[from] = '\0';
    do digits[--from] = (char)('0' + number % 10);
    while (number /= 10);
    (void)append(text, at, sizeof digits, digits + from);
}

/* The control block of a record that does not know it yet; 0: there is none. */
static uint64_t control_of_slot(uint32_t slot)
{
    for (uint32_t index = 1; index < mp__header()->controls_top; index++) {
        const struct mp__control *control = mp__control_indexed(index);
        if (control && atomic_load_explicit(&control->type, memory_order_relaxed) == MP__PROCESS &&
            atomic_load_explicit(&control->as.process.slot, memory_order_relaxed) == slot)
            return atomic_load_explicit(&control->state, memory_order_acquire) >> 32 << 32 | mp__handle_tag() | index;
    }
    return 0;
}

/* Not complete: of its creator, or of who registers itself, which has written down its pid. */
static bool is_incomplete(const struct mp__process *record)
{
    return atomic_load_explicit(&record->flags, memory_order_acquire) & MP__TAKEN &&
           !atomic_load_explicit(&record->handle, memory_order_acquire);
}

bool mp__process_is_stray(const struct mp__process *record)
{
    uint32_t pid = (uint32_t)atomic_load_explicit(&record->pid, memory_order_relaxed);
    return pid && pid != MP__PID_NEVER && !was_started_elsewhere(record) && is_incomplete(record) &&
           mp_os_process_is_gone(pid, 0);
}

void mp__process_sweep(uint64_t creator)
{
    for (uint32_t slot = 1; slot < mp__header()->processes_top; slot++) {
        const struct mp__process *record = mp__process_at(slot);
        bool itself = record && (uint32_t)atomic_load_explicit(&record->pid, memory_order_relaxed);
        if (!record || !is_incomplete(record)) continue;
        if (itself ? !mp__process_is_stray(record) : record->parent != creator) continue;
        uint64_t id = control_of_slot(slot);
        if (id) mp__control_retire(id, MP__PROCESS);
        slot_give_back(slot);
    }
}

/* "Process-1", in a child of it "Process-1:1", as Python does. Without snprintf: its stack would be one more page that is
 * shared with a child that was forked before. The record is all zero. */
static void name_fill(struct mp__process *record, const char *name)
{
    struct mp__process *parent = atomic_load_explicit(&self_record, memory_order_relaxed);
    if (parent) {
        uint32_t number = atomic_fetch_add_explicit(&parent->children, 1, memory_order_relaxed) + 1;
        size_t length = append(record->identity, 0, MP__IDENTITY_SIZE - 16, parent->identity);
        if (length) record->identity[length++] = ':';
        append_number(record->identity, length, number);
    }
    size_t length = name ? 0 : append(record->name, 0, 8, "Process-");
    (void)append(record->name, length, sizeof record->name - 1 - length, name ? name : record->identity);
}

static void control_fill(struct mp__control *control, const void *slot)
{
    atomic_store_explicit(&control->as.process.slot, *(const uint32_t *)slot, memory_order_relaxed);
}

/* Whether one that libmp did not start has ended. */
static bool copy_has_ended(const struct mp__process *record, uint64_t id, mp_os_ending *ending)
{
    int64_t pid = mp__process_pid(record, id);
    uint64_t birth = atomic_load_explicit(&record->birth, memory_order_acquire);
    if (record->method || pid <= 0 || atomic_load_explicit(&record->handle, memory_order_acquire) != id ||
        mp_os_life_lasts(record->life))
        return false;
    mp_os_process process;
    *ending = (mp_os_ending){.known = false};
    if (mp__process_is_elsewhere(record, id)) return mp__process_is_gone(record, id);
    int error = mp_os_process_open(&process, pid, birth);
    if (error) return error == mp_os_egone;
    error = mp_os_process_wait(&process, 0, ending);
    mp_os_process_release(&process);
    return error == 0;
}

/* Who has started it is dead, too. */
static bool is_left_behind(const struct mp__process *record, uint64_t id)
{
    return record->parent && mp__process_ending(record, id) && mp__process_has_ended(record->parent);
}

bool mp__process_tidy(bool remove)
{
    bool removed = false;
    uint32_t top = mp__process_top();
    for (uint32_t slot = 1; slot < top; slot++) {
        const struct mp__process *record = mp__process_at(slot);
        uint64_t id = record ? atomic_load_explicit(&record->handle, memory_order_acquire) : 0;
        mp_os_ending ending = {.known = false};
        if (!id || id == mp__family_id()) continue;
        bool copy = copy_has_ended(record, id, &ending);
        if (copy) (void)mp__process_end(id, ending.known ? mp__ending(ending.code) : mp__ending_failed(MP_ESYSTEM));
        if (remove && (copy || is_left_behind(record, id)) && mp__process_remove(id) == 0) removed = true;
    }
    return removed;
}

static int slot_find(uint32_t *slot, int64_t pid)
{
    mp__arena_lock();
    int result = slot_take(slot, pid);
    mp__arena_unlock();
    return result;
}

int mp__process_create(const char *name, uint32_t flags, uint32_t method, uint32_t default_method, uint64_t *id)
{
    uint32_t slot = 0;
    int64_t pid = method ? 0 : mp_os_pid();
    int result = slot_find(&slot, pid);
    if (result == MP_ELIMIT && mp__process_tidy(true)) result = slot_find(&slot, pid);
    if (result == MP_ELIMIT)
        return mp__fail(result,
                        "the family has %" PRIu32
                        " process records, all in use: mp_process_close() those that have ended, "
                        "or raise max_processes with mp_configure()",
                        mp__header()->max_processes);
    if (result < 0) return mp__fail(result, "no memory for a process record");

    struct mp__process *record = mp__process_at(slot);
    struct mp__process *parent = atomic_load_explicit(&self_record, memory_order_relaxed);
    record->parent = parent ? atomic_load_explicit(&parent->handle, memory_order_relaxed) : 0;
    atomic_store_explicit(&record->flags, MP__TAKEN | (flags & MP__DAEMON), memory_order_relaxed);
    record->method = method;
    record->default_method = default_method;
    name_fill(record, name);
    result = mp__control_create(MP__PROCESS, NULL, control_fill, &slot, id);
    if (result < 0) {
        mp__arena_lock();
        slot_give_back(slot);
        mp__arena_unlock();
        return result;
    }
    atomic_store_explicit(&record->pid, mp__pid_word(*id, pid), memory_order_relaxed);
    atomic_store_explicit(&record->end, mp__end_tag(*id), memory_order_relaxed);
    atomic_store_explicit(&record->handle, *id, memory_order_release);
    return 0;
}

void mp__process_undeliver(struct mp__process *record, uint64_t id)
{
    if (!atomic_load_explicit(&record->delivery, memory_order_relaxed)) return;
    uint64_t offset = 0;
    mp__arena_lock(); /* under which slots change hands */
    if (atomic_load_explicit(&record->handle, memory_order_relaxed) == id) {
        offset = atomic_load_explicit(&record->delivery, memory_order_acquire);
        if (mp__heap_ref_locked(offset) == id)
            mp__heap_set_ref_locked(offset, MP__HEAP_MINE); /* should this process die before it is free */
        else
            offset = 0; /* who was about to deliver it died, and it is gone with that */
        MP__THEN;
        atomic_store_explicit(&record->delivery, 0, memory_order_relaxed);
    }
    mp__arena_unlock();
    if (offset) mp__heap_free(offset);
}

int mp__process_remove(uint64_t id)
{
    struct mp__control last;
    if (mp__control_destroy(id, MP__PROCESS, &last) < 0) return MP_EBADHANDLE;
    mp__process_discard(atomic_load_explicit(&last.as.process.slot, memory_order_relaxed), id);
    return 0;
}

void mp__process_discard(uint32_t slot, uint64_t id)
{
    struct mp__process *record = mp__process_at(slot);
    mp__process_undeliver(record, id);
    mp__arena_lock();
    if (atomic_load_explicit(&record->handle, memory_order_relaxed) == id && !mp__process_of(id)) slot_give_back(slot);
    mp__arena_unlock();
}

/* ---- the end of a process -------------------------------------------------------------------------------------- */

uint64_t mp__process_ending(const struct mp__process *record, uint64_t id)
{
    uint64_t end = atomic_load_explicit(&record->end, memory_order_acquire); /* E1 */
    return mp__end_is_of(end, id) && end & MP__ENDED ? end : 0;
}

bool mp__process_has_ended(uint64_t id)
{
    const struct mp__process *record = mp__process_of(id);
    return record ? mp__process_ending(record, id) != 0 : mp__control_is_over(id);
}

uint64_t mp__process_returned(const struct mp__process *record)
{
    uint64_t returned = atomic_load_explicit(&record->returned, memory_order_acquire);
    return (uint32_t)returned == MP__ENDED ? returned : 0;
}

void mp__process_expect(struct mp__process *record, uint64_t id, int code)
{
    uint64_t end = atomic_load_explicit(&record->end, memory_order_relaxed);
    do {
        if (!mp__end_is_of(end, id) || end & MP__ENDED) return;
    } while (!atomic_compare_exchange_weak_explicit(&record->end, &end, (uint64_t)(uint32_t)code << 32 | (uint32_t)end,
                                                    memory_order_relaxed, memory_order_relaxed));
}

int mp__process_expected(const struct mp__process *record, uint64_t id)
{
    uint64_t end = atomic_load_explicit(&record->end, memory_order_relaxed);
    return mp__end_is_of(end, id) && !(end & MP__ENDED) ? mp__ending_code(end) : 0;
}

bool mp__process_end(uint64_t id, uint64_t ending)
{
    struct mp__process *record = mp__process_of(id);
    if (!record) return false;
    /* First, so that who sees the end finds everything gone. */
    if (id != mp__family_id()) {
        bool orderly = mp__process_returned(record);
        mp__thread_reclaim(id);
        mp__process_undeliver(record, id);
        if (!orderly || mp__has_channels()) mp__recover_process(id);
    } else {
        mp__recover_messages(id);
    }
    mp__recover_belongings(id);
    mp__watch_tell_all(); /* X3: now, and after its end; who dies in between leaves that to those who come next */
    uint64_t end = atomic_load_explicit(&record->end, memory_order_relaxed);
    do {
        if (!mp__end_is_of(end, id) || end & MP__ENDED) return false;
    } while (!atomic_compare_exchange_weak_explicit(&record->end, &end, ending | mp__end_tag(id),
                                                    memory_order_seq_cst, /* E1: all that it did is visible */
                                                    memory_order_relaxed));
    mp__recover_places(id); /* B1 */
    /* U1: either this sees the flag, or mp__process_unname sees the end, or both. */
    bool unnamed = atomic_load_explicit(&record->flags, memory_order_seq_cst) & MP__UNNAMED;
    if (unnamed) (void)mp__process_remove(id);
    /* The record may be another's by now: a wake too many is harmless. */
    if (end & MP__AWAITED) mp__park_wake(&record->end, UINT32_MAX);
    mp_os_life_tell(record->life);
    mp__watch_tell_all(); /* X3 */
    return true;
}

void mp__process_settle(struct mp__process *record, uint64_t id)
{
    mp__process_undeliver(record, id);
    mp__recover_places(id); /* B1 */
    if (atomic_load_explicit(&record->flags, memory_order_relaxed) & MP__UNNAMED) (void)mp__process_remove(id);
}

void mp__process_unname(uint64_t id)
{
    struct mp__process *record = mp__process_of(id);
    if (!record) return;
    mp__arena_lock();
    bool is_its_own = atomic_load_explicit(&record->handle, memory_order_relaxed) == id;
    if (is_its_own) atomic_fetch_or_explicit(&record->flags, MP__UNNAMED, memory_order_seq_cst);
    bool over = is_its_own && atomic_load_explicit(&record->end, memory_order_seq_cst) & MP__ENDED; /* U1 */
    mp__arena_unlock();
    if (over) (void)mp__process_remove(id);
}

void mp__process_sleep(struct mp__process *record, uint64_t id, int64_t deadline)
{
    uint64_t end = atomic_load_explicit(&record->end, memory_order_relaxed);
    do {
        if (!mp__end_is_of(end, id) || end & MP__ENDED) return;
        if (end & MP__AWAITED) break;
    } while (!atomic_compare_exchange_weak_explicit(&record->end, &end, end | MP__AWAITED, memory_order_relaxed,
                                                    memory_order_relaxed));
    (void)mp__park_sleep(mp__word_of(&record->end), (uint32_t)(end | MP__AWAITED), deadline);
}
