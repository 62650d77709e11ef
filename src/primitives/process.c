/* SPDX-License-Identifier: MIT
 *
 * process.c - processes after they were started: waiting, asking, signalling, forgetting.
 */
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/holders.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/watch.h"
#include "primitives/children.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

#include <inttypes.h>
#include <mp/process.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

static int bad_handle(const char *call, mp_process process)
{
    return mp__fail_handle(call, process.id, "process");
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

/* What an ending means to who joins: 0 and the code, or the error that took the place of one. */
static int outcome(const char *call, mp_process process, uint64_t ending, int *code)
{
    int value = mp__ending_code(ending);
    if (!(ending & MP__FAILED)) {
        *code = value;
        return 0;
    }
    const char *name = mp_process_name(process);
    if (value == MP_ESYSTEM)
        return mp__fail(value,
                        "%s: process \"%s\" has ended, and how is lost: something else than libmp reaped it, or it "
                        "could not change its directory or open the null device",
                        call, name ? name : "?");
    if (value == MP_ENOFREEZE)
        return mp__fail(
            value,
            "%s: process \"%s\" has ended without running its target: the program that was started does not "
            "begin with mp_freeze_support(), or could not be a child, and said why on stderr",
            call, name ? name : "?");
    return mp__fail(value, "%s: process \"%s\" could not run its target: %s", call, name ? name : "?",
                    mp_strerror(value));
}

/* MP_EEXIT, with the whole story. */
static int plain_exit(const char *call, mp_process process, int code)
{
    if (code == 0) return 0;
    const char *name = mp_process_name(process);
    int64_t pid = mp_process_pid(process);
    if (!name) name = "?";
    if (code < 0 && code > -128)
        return mp__fail(MP_EEXIT, "%s: process \"%s\" (pid %" PRId64 ") was killed by signal %d", call, name, pid,
                        -code);
    if (code <= MP_EINVAL && code >= MP_ESYSTEM)
        return mp__fail(MP_EEXIT, "%s: process \"%s\" (pid %" PRId64 ") ended with %s", call, name, pid,
                        mp_error_name(code));
    return mp__fail(MP_EEXIT, "%s: process \"%s\" (pid %" PRId64 ") ended with exit code %d", call, name, pid, code);
}

/* 0 and the code; or an error, with a detail but for MP_ETIMEDOUT. */
static int join_until(const char *call, mp_process process, int64_t deadline, int *code)
{
    uint64_t ending;
    if (process.id && process.id == mp__family_id())
        return mp__fail(MP_EDEADLK, "%s: a process can not wait for its own end", call);
    int result = mp__process_await(process.id, deadline, &ending);
    if (result == MP_EBADHANDLE) return bad_handle(call, process);
    return result < 0 ? result : outcome(call, process, ending, code);
}

static int still_runs(int error, const char *call, mp_process process, const char *hint)
{
    const char *name = mp_process_name(process);
    return mp__fail(error, "%s: process \"%s\" still runs%s", call, name ? name : "?", hint);
}

int mp_process_join(mp_process process, int *exit_code, int64_t timeout_ms)
{
    int code = 0;
    int result = join_until("mp_process_join", process, mp__deadline(timeout_ms), &code);
    if (result == MP_ETIMEDOUT) return still_runs(result, "mp_process_join", process, "");
    if (result < 0) return result;
    if (!exit_code) return plain_exit("mp_process_join", process, code);
    *exit_code = code;
    return 0;
}

/* All must end with 0: one that has not ends the wait. Looks at all of them in turn, sleeping at one that runs. */
static int join_all_in_turn(const mp_process *processes, size_t count, int64_t deadline)
{
    static const char call[] = "mp_process_join_all";
    const mp_process *awaited = NULL;
    for (int64_t slice = MS;; slice = slice < 16 * MS ? 2 * slice : slice) {
        const mp_process *running = NULL;
        for (size_t i = 0; i < count; i++) {
            int code = 0, result = join_until(call, processes[i], 0, &code);
            if (result == 0) result = plain_exit(call, processes[i], code);
            if (result < 0 && result != MP_ETIMEDOUT) return result;
            if (result < 0) running = &processes[i];
        }
        if (!running) return 0;
        if (mp__deadline_passed(deadline)) return still_runs(MP_ETIMEDOUT, call, *running, "");
        if (deadline == MP_OS_NEVER && awaited != running) mp__holders_join_begins((awaited = running)->id);
        uint64_t ending;
        (void)mp__process_await(running->id, mp__deadline_slice(deadline, slice), &ending);
    }
}

static int join_all_plain(const mp_process *processes, size_t count, int64_t deadline)
{
    int result = join_all_in_turn(processes, count, deadline);
    mp__holders_join_begins(0);
    return result;
}

static int join_all_codes(const mp_process *processes, int *codes, size_t count, int64_t deadline)
{
    static const char call[] = "mp_process_join_all";
    int *found = calloc(count, sizeof *found);
    if (!found) return mp__fail(MP_ENOMEM, "%s: no memory for %zu exit codes", call, count);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = join_until(call, processes[i], deadline, &found[i]);
        if (result == MP_ETIMEDOUT) (void)still_runs(result, call, processes[i], "");
    }
    if (result == 0) memcpy(codes, found, count * sizeof *found);
    free(found);
    return result;
}

int mp_process_join_all(const mp_process *processes, int *exit_codes, size_t count, int64_t timeout_ms)
{
    if (!count) return 0;
    if (!processes) return mp__fail(MP_EINVAL, "mp_process_join_all: processes is NULL");
    int64_t deadline = mp__deadline(timeout_ms);
    return exit_codes ? join_all_codes(processes, exit_codes, count, deadline)
                      : join_all_plain(processes, count, deadline);
}

int mp_process_is_alive(mp_process process)
{
    uint64_t ending;
    if (process.id && process.id == mp__family_id()) return 1;
    int result = mp__process_await(process.id, 0, &ending);
    if (result == MP_EBADHANDLE) return bad_handle("mp_process_is_alive", process);
    return result == MP_ETIMEDOUT ? 1 : result;
}

/* It has told that it ends, or is seen to be ending: it may have to be reaped yet. */
static bool is_ending(const struct mp__process *record, uint64_t id)
{
    return mp__process_ending(record, id) || mp__process_returned(record) ||
           atomic_load_explicit(&record->flags, memory_order_relaxed) & MP__EXITS || mp_os_life_is_over(record->life);
}

int mp__process_look(const char *call, uint64_t id, bool watch)
{
    struct mp__process *record = mp__process_of(id);
    uint64_t ending;
    if (!record) return mp__fail_handle(call, id, "process");
    if (id == mp__family_id()) return mp__fail(MP_EDEADLK, "%s: a process can not wait for its own end", call);
    if (watch) mp__watch(mp__word_of(&record->end)); /* X1 */
    bool ends = is_ending(record, id);
    if (!ends && mp_os_life_lasts(record->life)) return MP__NOT_READY;
    int result = mp__process_await(id, 0, &ending);
    if (result == MP_EBADHANDLE) return mp__fail_handle(call, id, "process");
    if (result == MP_ETIMEDOUT) return ends ? MP__READY_SOON : MP__NOT_READY;
    return result < 0 ? result : MP__READY;
}

int mp_process_exitcode(mp_process process, int *exit_code)
{
    if (!exit_code) return mp__fail(MP_EINVAL, "mp_process_exitcode: exit_code is NULL");
    int alive = mp_process_is_alive(process);
    if (alive < 0) return alive == MP_EBADHANDLE ? bad_handle("mp_process_exitcode", process) : alive;
    if (alive) return still_runs(MP_EBUSY, "mp_process_exitcode", process, "");
    int code = 0, result = join_until("mp_process_exitcode", process, 0, &code);
    if (result == 0) *exit_code = code;
    return result;
}

/* ---- signalling ------------------------------------------------------------------------------------------------ */

static int send_signal(const char *call, mp_process process, enum mp_os_signal signal)
{
    if (!mp__process_of(process.id)) return bad_handle(call, process);
    int error = mp__process_signal(process.id, signal);
    if (!error || error == mp_os_egone) return 0;
    return mp__fail_os(error, "%s: pid %" PRId64, call, mp_process_pid(process));
}

int mp_process_interrupt(mp_process process)
{
    return send_signal("mp_process_interrupt", process, MP_OS_INTERRUPT);
}

int mp_process_terminate(mp_process process)
{
    return send_signal("mp_process_terminate", process, MP_OS_TERMINATE);
}

int mp_process_kill(mp_process process)
{
    return send_signal("mp_process_kill", process, MP_OS_KILL);
}

/* ---- asking, and forgetting ------------------------------------------------------------------------------------ */

int mp_process_close(mp_process process)
{
    int alive = mp_process_is_alive(process);
    if (alive > 0) return still_runs(MP_EBUSY, "mp_process_close", process, "; join it first");
    if (alive < 0) return alive == MP_EBADHANDLE ? bad_handle("mp_process_close", process) : alive;
    if (mp__process_remove(process.id) < 0) return bad_handle("mp_process_close", process);
    mp__pollable_end(process.id);
    return 0;
}

int64_t mp_process_pid(mp_process process)
{
    const struct mp__process *record = mp__process_of(process.id);
    if (!record) return bad_handle("mp_process_pid", process);
    if (mp__process_is_elsewhere(record, process.id)) return 0;
    int64_t pid = mp__process_pid(record, process.id);
    return pid < 0 ? 0 : pid;
}

const char *mp_process_name(mp_process process)
{
    const struct mp__process *record = mp__process_of(process.id);
    if (record) return record->name;
    (void)bad_handle("mp_process_name", process);
    return NULL;
}

mp_process mp_process_parent(mp_process process)
{
    const struct mp__process *record = mp__process_of(process.id);
    if (!record) (void)bad_handle("mp_process_parent", process);
    uint64_t parent = record ? record->parent : 0;
    return (mp_process){mp__process_of(parent) ? parent : 0};
}

int mp_process_is_daemon(mp_process process)
{
    const struct mp__process *record = mp__process_of(process.id);
    if (!record) return bad_handle("mp_process_is_daemon", process);
    return (atomic_load_explicit(&record->flags, memory_order_relaxed) & MP__DAEMON) != 0;
}

mp_process mp_current_process(void)
{
    return (mp_process){mp__family_self()};
}

mp_process mp_parent_process(void)
{
    return mp_process_parent(mp_current_process());
}

int mp_active_children(mp_process *children, size_t capacity, size_t *count)
{
    if (!count || (capacity && !children))
        return mp__fail(MP_EINVAL, "mp_active_children: %s is NULL", count ? "children" : "count");
    _Static_assert(sizeof *children == sizeof(uint64_t), "a handle is 8 bytes");
    *count = mp__children_alive((uint64_t *)children, capacity);
    return 0;
}
