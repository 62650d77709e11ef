/* SPDX-License-Identifier: MIT
 *
 * pool_result.c - results: waited for, got, cancelled, forgotten.
 */
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "composites/callback.h"
#include "composites/job.h"
#include "composites/pool_call.h"
#include "primitives/flag.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

#include <stdio.h>
#include <string.h>

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* The pool and the job that a result is of, whether that is there or not: 0 or MP_EBADHANDLE (detail set). */
static int find(const char *call, uint64_t id, uint64_t *pool, uint64_t *job, bool *ready)
{
    uint64_t state;
    const struct mp__control *control = mp__flag_find(id, MP__RESULT, &state);
    *pool = *job = 0;
    *ready = false;
    if (!control) return mp__fail_handle(call, id, "result");
    *pool = atomic_load_explicit(&control->as.result.pool, memory_order_relaxed);
    *job = atomic_load_explicit(&control->as.result.job, memory_order_relaxed);
    *ready = state & MP__FLAG_SET;
    atomic_thread_fence(memory_order_acquire);
    return mp__control_alive(control, id) && *job ? 0 : mp__fail_handle(call, id, "result");
}

static int cancel_rest(const char *call, uint64_t pool_id, uint64_t job)
{
    struct mp__pool *pool;
    int result = mp__pool_enter(call, pool_id, &pool);
    if (result < 0) return result;
    mp__pool_kick(pool); /* it tells of the result, should this process die before it does */
    uint64_t told = mp__job_cancel(pool, job);
    mp__pool_leave(pool);
    if (told) (void)mp__flag_set(told, MP__RESULT);
    return 0;
}

/* Sleeping: until it is there, or somebody has to do something for that. */
static int sleep_for(const char *call, uint64_t id, uint64_t pool, uint64_t *stop, int64_t deadline)
{
    uint64_t callbacks = mp__callbacks_flag(pool);
    deadline = mp__callbacks_slice(pool, deadline);
    uint64_t job;
    bool ready;
    size_t which = 0;
    mp_handle items[] = {{id}, {*stop}, {callbacks}}; /* to wait for a result is to look after its pool, too */
    int result = mp__wait(items, 3, &which, deadline);
    if (result == MP_EBADHANDLE) {
        if (*stop && !mp__control_of(*stop, MP__EVENT)) *stop = 0;
        return find(call, id, &pool, &job, &ready);
    }
    if (result == 0 && which == 1) {
        *stop = 0;
        result = find(call, id, &pool, &job, &ready);
        if (result == 0) result = cancel_rest(call, pool, job);
    }
    return result;
}

int mp__result_look(const char *call, uint64_t id, bool watch)
{
    int result = mp__flag_look(id, MP__RESULT, watch);
    const struct mp__control *control = mp__control_of(id, MP__RESULT);
    if (result < 0 || !control) return mp__fail_handle(call, id, "result");
    if (result != MP__NOT_READY || !atomic_load_explicit(&control->as.result.job, memory_order_relaxed)) return result;
    int error = mp__pool_look_after(call, atomic_load_explicit(&control->as.result.pool, memory_order_relaxed));
    return error < 0 ? error : result;
}

int mp__result_await(const char *call, uint64_t id, uint64_t stop, int64_t deadline, bool soon)
{
    uint64_t state;
    struct mp__control *control = mp__flag_find(id, MP__RESULT, &state);
    if (!control) return mp__fail_handle(call, id, "result");
    uint64_t pool = atomic_load_explicit(&control->as.result.pool, memory_order_relaxed);
    int result = state & MP__FLAG_SET ? 0 : mp__thread_join();
    bool there = state & MP__FLAG_SET;
    if (!there && soon && !mp__deadline_passed(deadline)) (void)mp__flag_spin(control, state);
    while (result == 0) {
        bool found = mp__flag_find(id, MP__RESULT, &state);
        (void)mp__callbacks_run(call,
                                pool); /* before who waits for what they are told of: its inbox was told before it */
        mp__callbacks_settle(pool);
        if (!found) return mp__fail_handle(call, id, "result");
        if (state & MP__FLAG_SET) return 0;
        if (mp__deadline_passed(deadline)) {
            result = mp__pool_look_after(call, pool);
            return result < 0 ? result : mp__fail(MP_ETIMEDOUT, "%s: the result is not there yet", call);
        }
        result = sleep_for(call, id, pool, &stop, deadline);
        if (result == MP_ETIMEDOUT) result = 0;
    }
    return result;
}

int mp_result_wait(mp_result result, int64_t timeout_ms)
{
    return mp__result_await("mp_result_wait", result.id, 0, mp__deadline(timeout_ms), true);
}

int mp_result_wait_all(const mp_result *results, size_t count, int64_t timeout_ms)
{
    static const char call[] = "mp_result_wait_all";
    if (!results && count) return mp__fail(MP_EINVAL, "%s: results is NULL", call);
    int64_t deadline = mp__deadline(timeout_ms);
    for (size_t i = 0; i < count; i++) {
        int result = mp__result_await(call, results[i].id, 0, deadline, true);
        if (result < 0) return result;
    }
    return 0;
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/* What the job of a result that is there says, as it was while it was that: 0; MP_EBUSY: it is not there (no detail set); or
 * MP_EBADHANDLE. */
static int finished_job(const char *call, uint64_t id, struct mp__job *job)
{
    uint64_t pool, offset;
    bool ready;
    int result = find(call, id, &pool, &offset, &ready);
    if (result < 0) return result;
    if (!ready) return MP_EBUSY;
    const struct mp__job *there = mp__job_at(offset);
    if (!there) return mp__fail(MP_ENOMEM, "%s: no address space to look at the result", call);
    memcpy(job, there, sizeof *job);
    atomic_thread_fence(memory_order_acquire);
    return find(call, id, &pool, &offset, &ready);
}

int mp__job_failure(const char *call, const struct mp__job *job)
{
    if (!job->failed && !job->broken) return 0;
    uint64_t index = job->broken ? 0 : job->first_failed;
    mp_outcome outcome = mp__outcome_of(mp__job_outcome(job, index));
    char which[40] = "the task";
    if (job->count > 1) (void)snprintf(which, sizeof which, "item %llu", (unsigned long long)index);
    switch (outcome.error) {
    case MP_ETASK:
        return mp__fail(MP_ETASK, "%s: %s returned %d", call, which, outcome.code);
    case MP_EWORKERDEAD:
        if (outcome.code < 0 && outcome.code > -128)
            return mp__fail(MP_EWORKERDEAD, "%s: the worker that ran %s was killed by signal %d", call, which,
                            -outcome.code);
        return mp__fail(MP_EWORKERDEAD, "%s: the worker that ran %s ended with exit code %d", call, which,
                        outcome.code);
    case MP_ETIMEDOUT:
        return mp__fail(MP_ETIMEDOUT, "%s: %s took longer than %lld ms", call, which,
                        (long long)(job->time_limit / 1000000));
    case MP_ECANCELED:
        return mp__fail(MP_ECANCELED, "%s: %s was cancelled", call, which);
    case MP_EMSGSIZE:
        return mp__fail(MP_EMSGSIZE, "%s: %s has put out more bytes than it had room for", call, which);
    case MP_EINIT:
        return mp__fail(MP_EINIT, "%s: the pool's initializer has failed, and %s was not run", call, which);
    default:
        return mp__fail(outcome.error, "%s: %s could not be run: %s", call, which, mp_strerror(outcome.error));
    }
}

bool mp__job_copy_outputs(const struct mp__job *job, void *outputs)
{
    const uint64_t size = job->any_size ? job->made.size : job->output_size;
    const char *from = mp__pool_at(job->made.big ? job->made.big : job->outputs, job->count * size);
    if (!size || !job->count) return true;
    if (!from) return false;
    if (from == outputs) return true; /* there already */
    if (!job->failed && !job->broken) {
        memcpy(outputs, from, job->count * size);
        return true;
    }
    for (uint64_t i = 0; i < job->count; i++)
        if (!mp__job_outcome(job, i)) memcpy((char *)outputs + i * size, from + i * size, size);
    return true;
}

int mp_result_get(mp_result handle, void *outputs, size_t capacity, size_t *size, int64_t timeout_ms)
{
    static const char call[] = "mp_result_get";
    struct mp__job job;
    uint64_t pool, offset;
    bool ready;
    if (!outputs && capacity) return mp__fail(MP_EINVAL, "%s: outputs is NULL, and capacity is not 0", call);
    int result = mp__result_await(call, handle.id, 0, mp__deadline(timeout_ms), true);
    if (result == 0) result = finished_job(call, handle.id, &job);
    if (result != 0) return result;
    uint64_t has = job.any_size ? job.made.size : job.count * job.output_size;
    int failure = mp__job_failure(call, &job);
    if (!failure && (has > capacity || (has < capacity && !size))) {
        if (size) *size = (size_t)has;
        return mp__fail(MP_EMSGSIZE, "%s: the outputs have %llu bytes, and %zu are there for them", call,
                        (unsigned long long)has, capacity);
    }
    if (has <= capacity && !mp__job_copy_outputs(&job, outputs))
        return mp__fail(MP_ENOMEM, "%s: no address space to look at the outputs", call);
    result = find(call, handle.id, &pool, &offset, &ready); /* still */
    if (result < 0) return result;
    if (!failure && size) *size = (size_t)has;
    return failure;
}

int mp_result_ready(mp_result handle)
{
    static const char call[] = "mp_result_ready";
    uint64_t pool, job;
    bool ready;
    int result = find(call, handle.id, &pool, &job, &ready);
    if (result == 0 && !ready) result = mp__pool_look_after(call, pool);
    return result < 0 ? result : ready;
}

static int not_there(const char *call, int result)
{
    return result == MP_EBUSY ? mp__fail(result, "%s: the result is not there yet", call) : result;
}

int mp_result_successful(mp_result handle)
{
    struct mp__job job;
    int result = finished_job("mp_result_successful", handle.id, &job);
    return result < 0 ? not_there("mp_result_successful", result) : !job.failed && !job.broken;
}

int mp_result_outcome(mp_result handle, size_t index, mp_outcome *outcome)
{
    static const char call[] = "mp_result_outcome";
    struct mp__job job;
    if (!outcome) return mp__fail(MP_EINVAL, "%s: outcome is NULL", call);
    int result = finished_job(call, handle.id, &job);
    if (result < 0) return not_there(call, result);
    if (index >= job.count)
        return mp__fail(MP_EINVAL, "%s: there are %zu items, and no number %zu", call, (size_t)job.count, index);
    *outcome = mp__outcome_of(mp__job_outcome(&job, index));
    return 0;
}

/* ---- the end of it ----------------------------------------------------------------------------------------------- */

/* Who runs some of it is to be replaced; the supervisor sees to that, should this process die in between. */
static void condemn(struct mp__pool *pool, uint64_t job)
{
    for (uint64_t i = 0; i < pool->count; i++) {
        struct mp__pool_worker *worker = &pool->workers[i];
        if (!worker->process || worker->claim.job != job || worker->verdict) continue;
        worker->verdict = (uint64_t)(int64_t)MP_ECANCELED;
        MP__THEN;
        (void)mp_process_kill((mp_process){worker->process});
    }
}

/* Inside the pool of a result: 0 or an error (detail set). */
static int enter(const char *call, uint64_t id, struct mp__pool **pool, uint64_t *job, bool *ready)
{
    uint64_t pool_id;
    int result = find(call, id, &pool_id, job, ready);
    return result < 0 ? result : mp__pool_enter(call, pool_id, pool);
}

int mp_result_cancel(mp_result handle)
{
    static const char call[] = "mp_result_cancel";
    uint64_t offset;
    bool ready;
    struct mp__pool *pool;
    int result = enter(call, handle.id, &pool, &offset, &ready);
    if (result < 0) return result;
    const struct mp__job *job = mp__job_at(offset);
    bool some = job && job->result == handle.id && !mp__job_is_finished(job);
    if (some) mp__pool_kick(pool);
    uint64_t told = some ? mp__job_cancel(pool, offset) : 0;
    if (some && !told) condemn(pool, offset);
    mp__pool_leave(pool);
    if (told) (void)mp__flag_set(told, MP__RESULT);
    return some;
}

bool mp__result_forget(struct mp__pool *pool, uint64_t id, bool keep_flag)
{
    struct mp__control *control = mp__control_of(id, MP__RESULT);
    uint64_t offset = control ? atomic_load_explicit(&control->as.result.job, memory_order_relaxed) : 0;
    const struct mp__job *job = mp__job_at(offset);
    if (!job || job->result != id) return false;
    if (!keep_flag) { /* it names nothing from here on, and goes with this process, should that die now */
        atomic_store_explicit(&control->as.result.maker, mp__family_id(), memory_order_relaxed);
        atomic_store_explicit(&control->as.result.job, 0, memory_order_relaxed);
    }
    mp__job_forget(pool, offset, keep_flag);
    return true;
}

int mp_result_destroy(mp_result handle)
{
    static const char call[] = "mp_result_destroy";
    uint64_t offset;
    bool ready;
    struct mp__pool *pool;
    int result = enter(call, handle.id, &pool, &offset, &ready);
    if (result < 0) return result;
    const struct mp__job *job = mp__job_at(offset);
    bool called_back = job && job->result == handle.id && job->inbox && job->submitter == mp__family_id();
    void *pending = called_back ? (void *)(uintptr_t)job->cookie : NULL;
    bool mine = mp__result_forget(pool, handle.id, false);
    pending = mp__callback_unlink(pending); /* as long as nobody can forget all of the pool's */
    mp__pool_leave(pool);
    mp__callback_dispose(pending);
    if (!mine || mp__control_destroy(handle.id, MP__RESULT, NULL) < 0)
        return mp__fail_handle(call, handle.id, "result");
    mp__pollable_end(handle.id);
    return 0;
}
