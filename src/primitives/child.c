/* SPDX-License-Identifier: MIT
 *
 * child.c - what a child does between its first and its last instruction.
 *
 * A copy of the parent (fork, fork server) leaves by _exit, so that the parent's exit handlers do not run in it. If its
 * target calls exit() the same must hold: a handler registered at the very start of the child runs after all those that
 * the child registered, and before those that it inherited; there it leaves. It has to know the exit code for that,
 * which C libraries other than glibc do not tell a handler: there the inherited ones do run after exit().
 */
#include "primitives/child.h"
#include "base/error.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/trace.h"
#include "base/watch.h"
#include "primitives/children.h"
#include "primitives/config.h"
#include "primitives/delivery.h"
#include "primitives/funcref.h"
#include "primitives/janitor_main.h"
#include "primitives/start.h"

#include <stdlib.h>
#include <string.h>

/* What this process is; copies that a plain fork() makes of it are not (their id is another). */
static struct {
    uint64_t id;
    enum mp__child_kind kind;
} self;
static bool watched, prepared;

static bool is_self(void)
{
    return self.id && self.id == mp__family_id();
}

/* Tell the family before the system does, where that helps:
 *   - A child of the fork server: who joins it need not wait for its memory to be torn down. With other threads in it,
 *     though, it is not over before they are: then its server tells.
 *   - Where others than the parent can not see an end, and the parent may be busy; unless another thread still uses
 *     libmp.
 * A copy closes its descriptors before, so that locks, ports and pipes are free. If who joins was woken on this CPU, it
 * goes first. */
static void tell_end(const struct mp__process *record, int code)
{
    uint64_t id = self.id;
    bool early = mp_os_end_is_visible() ? self.kind == MP__CHILD_SERVED && !mp_os_threaded()
                                        : record && mp__thread_count(id) == 0;
    if (!early) return;
    if (self.kind != MP__CHILD_PROGRAM) mp_os_close_all(&mp__arena.segment);
    mp__process_leave(); /* the record may be another one's before this has ended */
    if (mp__process_end(id, mp__ending(code))) mp_os_yield();
}

/* Who waits for its end among other things looks at it from here on until it is there. */
static void say_ready(struct mp__process *record)
{
    if (record) mp__watch_tell(mp__word_of(&record->end));
}

/* The last act of a copy; or of a copy that it made itself by a plain fork(), which speaks for itself only. */
static _Noreturn void leave(int code)
{
    bool mine = is_self();
    mp__log(MP_LOG_INFO, "ends with %d", code);
    mp__children_finish();
    mp__trace_finish();
    mp_os_flush();
    struct mp__process *record = mp__family_record();
    if (record) atomic_store_explicit(&record->returned, mp__ending(code), memory_order_release);
    mp__thread_leave();
    say_ready(record);
    if (mine) tell_end(record, code);
    mp_os_exit_now(code);
}

static void at_exit(int code)
{
    if (is_self() && self.kind != MP__CHILD_PROGRAM && code != -1) leave(code);
    mp__children_finish();
    mp__trace_finish();
    if (self.id && !is_self()) return;
    struct mp__process *record = mp__family_record();
    if (record) atomic_fetch_or_explicit(&record->flags, MP__EXITS, memory_order_release);
    uint64_t returned = record ? atomic_load_explicit(&record->returned, memory_order_relaxed) : 0;
    mp__thread_leave();
    say_ready(record);
    if (!self.id || !returned || mp_os_end_is_visible()) return;
    mp_os_flush();
    tell_end(record, mp__ending_code(returned));
}

void mp__child_watch_exit(void)
{
    if (watched) return;
    watched = true;
    (void)mp_os_on_exit(at_exit);
}

void mp__child_get_ready(void)
{
    watched = false;
    mp__child_watch_exit();
    prepared = true;
}

static _Noreturn void finish(int code)
{
    if (self.kind != MP__CHILD_PROGRAM) leave(code);
    struct mp__process *record = mp__family_record();
    if (record) atomic_store_explicit(&record->returned, mp__ending(code), memory_order_release);
    exit(code);
}

_Noreturn void mp__child_fail(uint64_t id, int failure)
{
    mp__log(MP_LOG_ERROR, "ends before its target: %s: %s", mp_error_name(failure), mp_error_detail());
    (void)mp__process_end(id, mp__ending_failed(failure));
    mp_os_exit_now(1);
}

static void begin(struct mp__process *record, uint64_t id, enum mp__child_kind kind)
{
    self.id = id;
    self.kind = kind;
    mp__janitor_launch_by(mp__janitor_launch);
    if (!mp__process_enter(record, id)) mp_os_exit_now(1); /* nobody waits for it any more */
    if (!prepared) mp__child_get_ready();
    prepared = false;
    if (mp__traces()) (void)mp__thread_join(); /* its life is to be seen, whatever it does */
}

/* Memory of its own for the arguments, aligned for any type. */
static void *copy(const void *args, size_t size)
{
    static alignas(64) char small[1024];
    static char *room; /* for good: where a leak checker finds it */
    if (!size) return NULL;
    room = size <= sizeof small ? small : malloc(size);
    if (room) memmove(room, args, size); /* they may be a part of this process's own, which a copy has here, too */
    return room;
}

_Noreturn void mp__child_run(struct mp__process *record, uint64_t id, enum mp__child_kind kind, mp_target target,
                             const void *args, size_t args_size)
{
    begin(record, id, kind);
    void *own = copy(args, args_size);
    if (args_size && !own) mp__child_fail(id, mp__fail(MP_ENOMEM, "no memory for the arguments"));
    mp__log(MP_LOG_INFO, "begins");
    finish(target(own));
}

_Noreturn void mp__child_receive(struct mp__process *record, uint64_t id, enum mp__child_kind kind)
{
    begin(record, id, kind);
    if (atomic_load_explicit(&record->flags, memory_order_relaxed) & MP__DOUBTFUL)
        atomic_fetch_and_explicit(&record->flags, ~(uint32_t)MP__DOUBTFUL, memory_order_release);
    struct mp__delivery *delivery = mp__delivery_of(record);
    if (!delivery) mp__child_fail(id, mp__fail(MP_ENOMEM, "the target and its arguments could not be mapped"));
    mp__method_inherit((mp_start_method)record->default_method);
    mp__server_inherit(delivery);
    mp_os_leash_obey((intptr_t)delivery->lead);
    union {
        void *address;
        mp_target target;
    } found;
    int result = mp__funcref_resolve(&delivery->target, &found.address);
    if (result < 0) mp__child_fail(id, result);
    size_t size = (size_t)delivery->args_size;
    void *own = copy(mp__delivery_args(delivery), size);
    if (size && !own) mp__child_fail(id, mp__fail(MP_ENOMEM, "no memory for the arguments"));
    if (delivery->total > MP__DELIVERY_LARGE) mp__process_undeliver(record, id);
    mp__log(MP_LOG_INFO, "begins");
    finish(found.target(own));
}
