/* SPDX-License-Identifier: MIT
 *
 * pool.c - pools: created, entered, closed, ended.
 */
#include "composites/pool.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/eventcount.h"
#include "base/family.h"
#include "base/recover.h"
#include "base/thread.h"
#include "base/watch.h"
#include "composites/callback.h"
#include "composites/change.h"
#include "composites/inbox.h"
#include "composites/job.h"
#include "primitives/children.h"
#include "primitives/flag.h"
#include "primitives/funcref.h"
#include "primitives/monitor.h"
#include "primitives/wait.h"

#include <string.h>

/* ---- inside ------------------------------------------------------------------------------------------------------ */

/* Somebody died in there. */
static bool repair(struct mp__pool *pool)
{
    if (!mp__change_apply(pool)) return false;
    if (pool->adopting && mp__heap_ref(pool->adopting) == pool->id) mp__heap_free(pool->adopting); /* P5 */
    pool->adopting = 0;
    mp__pool_drop(pool);
    mp__job_repair(pool);
    return true;
}

static struct mp__pool *at(const struct mp__control *control, uint64_t id)
{
    uint64_t offset = atomic_load_explicit(&control->as.pool.offset, memory_order_relaxed);
    uint64_t size = atomic_load_explicit(&control->as.pool.size, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return mp__control_alive(control, id) ? mp__pool_at(offset, size) : NULL;
}

struct mp__pool *mp__pool_of(const char *call, uint64_t id)
{
    const struct mp__control *control = mp__control_of(id, MP__POOL);
    struct mp__pool *pool = control ? at(control, id) : NULL;
    if (!pool) (void)mp__fail_handle(call, id, "pool");
    return pool;
}

int mp__pool_enter(const char *call, uint64_t id, struct mp__pool **pool)
{
    struct mp__control *control = mp__control_of(id, MP__POOL);
    if (!control) return mp__fail_handle(call, id, "pool");
    int result = mp__thread_join();
    if (result < 0) return result;
    result = mp__monitor_enter(control, id);
    if (result < 0) return mp__fail_handle(call, id, "pool");
    *pool = at(control, id);
    if (*pool && (result != MP_OWNERDEAD || repair(*pool))) return 0;
    bool gone = !atomic_load_explicit(&control->as.pool.offset, memory_order_relaxed);
    mp__monitor_leave(control, id);
    return gone ? mp__fail(MP_EBADHANDLE, "%s: the pool is being destroyed", call)
                : mp__fail(MP_ENOMEM, "%s: no address space to look at the pool", call);
}

void mp__pool_leave(const struct mp__pool *pool)
{
    uint64_t id = pool->id;
    struct mp__control *control = mp__control_of(id, MP__POOL);
    if (control) mp__monitor_leave(control, id);
}

_Atomic uint32_t *mp__pool_bell(uint64_t id)
{
    struct mp__control *control = mp__control_of(id, MP__POOL);
    return control ? &control->as.pool.bell : NULL;
}

void mp__pool_leave_and_ring(struct mp__pool *pool, uint64_t most)
{
    uint64_t id = pool->id;
    struct mp__control *control = mp__control_of(id, MP__POOL);
    /* P7: in this order. */
    atomic_fetch_add_explicit(&pool->turn, 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&pool->spinner, memory_order_relaxed)) most--;
    if (!control) return;
    mp__monitor_leave(control, id);
    atomic_thread_fence(memory_order_seq_cst); /* T1 */
    if (most && !mp__eventcount_is_quiet(&control->as.pool.bell))
        mp__eventcount_ring(&control->as.pool.bell, most < UINT32_MAX ? (uint32_t)most : UINT32_MAX);
}

bool mp__pool_is_locked(uint64_t id)
{
    const struct mp__control *control = mp__control_of(id, MP__POOL);
    return control && atomic_load_explicit(&control->state, memory_order_relaxed) & MP__LOCK_OWNER;
}

void mp__pool_kick(const struct mp__pool *pool)
{
    (void)mp__flag_set(pool->kick, MP__RESULT);
}

int mp__pool_refuse(const char *call, const struct mp__pool *pool)
{
    int code = (int)(int64_t)pool->code;
    if (pool->killed && code > -128)
        return mp__fail(MP_EINIT, "%s: workers of the pool are killed by signal %d before they have begun", call,
                        -code);
    if (pool->killed)
        return mp__fail(MP_EINIT, "%s: workers of the pool end before they have begun, with %d", call, code);
    if (pool->error == (uint64_t)(int64_t)MP_EINIT)
        return mp__fail(MP_EINIT, "%s: the pool's initializer has failed with %d", call, code);
    if (pool->error)
        return mp__fail((int)(int64_t)pool->error, "%s: the pool's workers can not be started: %s", call,
                        mp_strerror((int)(int64_t)pool->error));
    return mp__fail(MP_ECLOSED, "%s: the pool is %s", call, pool->state == MP__POOL_CLOSED ? "closed" : "terminated");
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

static bool is_same(const mp_os_module *one, const mp_os_module *other)
{
    return one->offset == other->offset && one->program == other->program &&
           memcmp(one->build, other->build, sizeof one->build) == 0 && strcmp(one->path, other->path) == 0;
}

int mp__pool_function(const char *call, struct mp__pool *pool, const mp_os_module *module, uint64_t *offset)
{
    struct mp__pool_function *function;
    for (uint64_t at = pool->functions; at; at = function->next) {
        function = mp__pool_at(at, sizeof *function);
        if (!function) return mp__fail(MP_ENOMEM, "%s: no address space to look at the pool's functions", call);
        *offset = at;
        if (is_same(&function->module, module)) return 0;
    }
    if (mp__heap_alloc(sizeof *function, MP__HEAP_MINE, offset) < 0 ||
        !(function = mp__pool_at(*offset, sizeof *function)))
        return mp__fail(MP_ENOMEM, "%s: no memory for another function", call);
    function->next = pool->functions;
    function->module = *module;
    struct mp__change change = mp__change_begin(pool);
    mp__pool_adopt(&change, *offset);
    mp__change_set(&change, &pool->functions, *offset);
    mp__change_commit(&change);
    return 0;
}

/* ---- creating ---------------------------------------------------------------------------------------------------- */

static int check(int processes, const mp_pool_options *options)
{
    static const char call[] = "mp_pool_create";
    if (processes < 0 || processes > MP_POOL_MAX)
        return mp__fail(MP_EINVAL, "%s: %d processes: 0 (as many as there are CPUs) to %d", call, processes,
                        MP_POOL_MAX);
    if (!options) return 0;
    if (options->initargs_size && !options->initargs)
        return mp__fail(MP_EINVAL, "%s: initargs is NULL, and its size is not 0", call);
    if (options->initargs && !options->initializer)
        return mp__fail(MP_EINVAL, "%s: there are initargs, and no initializer", call);
    if (options->method < MP_DEFAULT || options->method > MP_FORKSERVER)
        return mp__fail(MP_EINVAL, "%s: %d is no start method", call, (int)options->method);
    return 0;
}

struct plan {
    uint64_t offset, size;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    atomic_store_explicit(&control->as.pool.bell, 0, memory_order_relaxed);
    atomic_store_explicit(&control->as.pool.offset, plan->offset, memory_order_relaxed);
    atomic_store_explicit(&control->as.pool.size, plan->size, memory_order_relaxed);
    atomic_store_explicit(&control->as.pool.maker, mp__family_id(), memory_order_relaxed);
}

static void fill_flag(struct mp__control *control, const void *with)
{
    atomic_store_explicit(&control->as.result.pool, *(const uint64_t *)with, memory_order_relaxed);
    atomic_store_explicit(&control->as.result.job, 0, memory_order_relaxed);
    atomic_store_explicit(&control->as.result.maker, 0, memory_order_relaxed);
}

/* A block of the pool's own with a copy of that in it, while it is being made. */
static int keep(struct mp__pool *pool, const void *data, size_t size, uint64_t *offset)
{
    if (mp__heap_alloc(size, pool->id, offset) < 0) return MP_ENOMEM;
    void *copy = mp__pool_at(*offset, size);
    if (!copy) return MP_ENOMEM;
    memcpy(copy, data, size);
    return 0;
}

static int furnish(struct mp__pool *pool, const mp_pool_options *options)
{
    static const char call[] = "mp_pool_create";
    int result = mp__control_create(MP__RESULT, NULL, fill_flag, &pool->id, &pool->kick);
    if (result == 0) result = mp__control_create(MP__RESULT, NULL, fill_flag, &pool->id, &pool->ended);
    if (result < 0 || !options || !options->initializer) return result;
    struct mp__pool_function function = {.next = 0};
    result = mp__funcref_make(call, "initializer", (const void *)(uintptr_t)options->initializer, &function.module);
    if (result < 0) return result;
    pool->initargs_size = options->initargs_size;
    result = keep(pool, &function, sizeof function, &pool->initializer);
    if (result == 0 && options->initargs_size)
        result = keep(pool, options->initargs, options->initargs_size, &pool->initargs);
    if (result < 0) return mp__fail(result, "%s: no memory for the initializer", call);
    pool->functions = pool->initializer;
    return 0;
}

static void set_maker(uint64_t id, uint64_t maker)
{
    struct mp__control *control = mp__control_of(id, MP__POOL);
    if (control) atomic_store_explicit(&control->as.pool.maker, maker, memory_order_release);
}

int mp_pool_create(mp_pool *created, int processes, const mp_pool_options *options)
{
    static const char call[] = "mp_pool_create";
    if (!created) return mp__fail(MP_EINVAL, "%s: pool is NULL", call);
    int result = check(processes, options);
    if (result == 0) result = mp__thread_join();
    if (result < 0) return result;
    uint64_t count = processes ? (uint64_t)processes : (uint64_t)mp_cpu_count(), id;
    if (count > MP_POOL_MAX) count = MP_POOL_MAX;
    struct plan plan = {.size = sizeof(struct mp__pool) + count * sizeof(struct mp__pool_worker)};
    if (mp__heap_alloc(plan.size, MP__HEAP_MINE, &plan.offset) < 0)
        return mp__fail(MP_ENOMEM, "%s: no memory for a pool of %d", call, (int)count);
    result = mp__control_create(MP__POOL, options ? options->name : NULL, fill, &plan, &id);
    if (result < 0) {
        mp__heap_free(plan.offset);
        return result;
    }
    struct mp__pool *pool = mp__pool_at(plan.offset, plan.size);
    mp__heap_set_ref(plan.offset, id);
    if (pool) {
        pool->id = id;
        pool->count = count;
        pool->since = (uint64_t)mp_os_now();
        pool->method = options ? (uint64_t)options->method : 0;
        pool->most_tasks = options ? options->maxtasksperchild : 0;
        if (options && options->name) memcpy(pool->name, options->name, strnlen(options->name, sizeof pool->name - 1));
        result = furnish(pool, options);
    } else {
        result = mp__fail(MP_ENOMEM, "%s: no address space for a pool", call);
    }
    /* Complete, before anybody else looks at it: from here on it stays if this process dies, as what a user has created. */
    if (result == 0) {
        set_maker(id, 0);
        result = mp__pool_supervise(call, id, 0);
        if (result < 0) set_maker(id, mp__family_id());
    }
    if (result < 0) {
        mp__recover_pool(id);
        return result;
    }
    created->id = id;
    return 0;
}

/* ---- the supervisor, as the others see it ------------------------------------------------------------------------ */

int mp__pool_supervise(const char *call, uint64_t id, uint64_t seen)
{
    struct mp__pool *pool;
    int result = mp__pool_enter(call, id, &pool);
    if (result < 0) return result;
    if (atomic_load_explicit(&pool->supervisor, memory_order_relaxed) == seen && pool->state != MP__POOL_ENDED) {
        mp_process process;
        struct mp__supervisor_args args = {.pool = id, .previous = seen};
        mp_process_options options = {
            .name = pool->name[0] ? pool->name : "Pool", .daemon = true, .method = (mp_start_method)pool->method};
        result = mp_process_start(&process, mp__supervisor, &args, sizeof args, &options);
        if (result == 0) atomic_store_explicit(&pool->supervisor, process.id, memory_order_relaxed);
        if (result == 0 && seen) (void)mp_process_close((mp_process){seen});
    }
    mp__pool_leave(pool);
    return result;
}

int mp__pool_look_after(const char *call, uint64_t id)
{
    const struct mp__pool *pool = mp__pool_of(call, id);
    if (!pool) return MP_EBADHANDLE;
    uint64_t supervisor = atomic_load_explicit(&pool->supervisor, memory_order_relaxed);
    return mp__process_has_ended(supervisor) ? mp__pool_supervise(call, id, supervisor) : 0;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static int change_state(const char *call, uint64_t id, uint64_t state)
{
    struct mp__pool *pool;
    int result = mp__pool_enter(call, id, &pool);
    if (result < 0) return result;
    mp__pool_kick(pool);
    if (pool->state < state) pool->state = state;
    mp__pool_leave_and_ring(pool, UINT32_MAX);
    return 0;
}

int mp_pool_close(mp_pool pool)
{
    return change_state("mp_pool_close", pool.id, MP__POOL_CLOSED);
}

int mp_pool_terminate(mp_pool pool)
{
    return change_state("mp_pool_terminate", pool.id, MP__POOL_TERMINATED);
}

/* Until it has ended: 0 or an error (detail set). */
static int await_end(const char *call, uint64_t id, int64_t deadline)
{
    for (;;) {
        struct mp__pool *pool;
        int result = mp__pool_enter(call, id, &pool);
        if (result < 0) mp__callbacks_settle(id);
        if (result < 0) return result;
        mp_handle items[] = {{pool->ended}, {atomic_load_explicit(&pool->supervisor, memory_order_relaxed)}, {0}};
        bool ended = pool->state == MP__POOL_ENDED;
        mp__pool_leave(pool);
        (void)mp__callbacks_run(call, id);
        if (ended) return 0;
        size_t which = 0;
        items[2].id = mp__callbacks_flag(id);
        result = mp__wait(items, 3, &which, mp__callbacks_slice(id, deadline));
        if (result == MP_ETIMEDOUT && !mp__deadline_passed(deadline)) continue;
        if (result == MP_ETIMEDOUT) return mp__fail(result, "%s: the workers of the pool have not ended", call);
        if (result < 0 && result != MP_EBADHANDLE) return result;
        if (result < 0 || which == 1) result = mp__pool_look_after(call, id);
        if (result < 0) return result;
    }
}

/* It would wait for itself. */
static bool has_open_imap(const struct mp__pool *pool)
{
    const struct mp__inbox *inbox = mp__inbox_at(pool->inboxes);
    uint64_t process = mp__family_id(), thread = mp__self.owner;
    while (inbox && !(inbox->open && inbox->owner == process && inbox->thread == thread))
        inbox = mp__inbox_at(inbox->after);
    return inbox;
}

int mp_pool_join(mp_pool handle, int64_t timeout_ms)
{
    static const char call[] = "mp_pool_join";
    struct mp__pool *pool;
    int result = mp__pool_enter(call, handle.id, &pool);
    if (result < 0) return result;
    bool open = pool->state == MP__POOL_OPEN, mine = pool->state == MP__POOL_CLOSED && has_open_imap(pool);
    mp__pool_leave(pool);
    if (mp__worker_pool() == handle.id) return mp__fail(MP_EDEADLK, "%s: this process is one of its workers", call);
    if (mine)
        return mp__fail(MP_EDEADLK, "%s: this thread has an imap with items left: mp_imap_next() or mp_imap_destroy()",
                        call);
    if (open)
        return mp__fail(MP_EBUSY, "%s: the pool is open: mp_pool_close() or mp_pool_terminate() come first", call);
    return await_end(call, handle.id, mp__deadline(timeout_ms));
}

int mp_pool_destroy(mp_pool handle)
{
    static const char call[] = "mp_pool_destroy";
    if (handle.id && mp__worker_pool() == handle.id)
        return mp__fail(MP_EDEADLK, "%s: this process is one of its workers", call);
    int result = change_state(call, handle.id, MP__POOL_TERMINATED);
    if (result == 0) result = await_end(call, handle.id, MP_OS_NEVER);
    struct mp__pool *pool;
    if (result == 0) mp__callbacks_drain(call, handle.id);
    if (result == 0) result = mp__pool_enter(call, handle.id, &pool);
    if (result < 0) return result;
    uint64_t supervisor = atomic_load_explicit(&pool->supervisor, memory_order_relaxed), ending;
    set_maker(handle.id, mp__family_id());
    (void)mp__process_await(supervisor, MP_OS_NEVER, &ending); /* it has said that it is about to end */
    (void)mp_process_close((mp_process){supervisor});
    mp__recover_pool(handle.id); /* and the lock with it */
    mp__callbacks_forget(handle.id);
    return 0;
}
