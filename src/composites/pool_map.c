/* SPDX-License-Identifier: MIT
 *
 * pool_map.c - the calls that submit: apply, map, starmap, and their async kinds; and what a pool tells of itself.
 */
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "composites/callback.h"
#include "composites/job.h"
#include "composites/pool_call.h"
#include "composites/progress.h"
#include "primitives/flag.h"

#include <stdio.h>
#include <string.h>

#define DETAIL_SIZE 512
#define SOON        64 /* items; of more the workers, who need the CPU, make more than a moment's work */

/* ---- waiting for it ---------------------------------------------------------------------------------------------- */

static void tell_outcomes(const struct mp__call *call, const struct mp__job *job)
{
    if (call->options.outcomes)
        for (size_t i = 0; i < call->count; i++) call->options.outcomes[i] = mp__outcome_of(mp__job_outcome(job, i));
}

/* It is finished. */
static int collect(const struct mp__call *call, const struct mp__job *job)
{
    tell_outcomes(call, job);
    int result = mp__job_failure(call->name, job);
    if (result == 0 && job->any_size && job->made.size != call->output_size)
        return mp__fail(MP_EMSGSIZE, "%s: the output has %zu bytes, and %zu are there for it", call->name,
                        (size_t)job->made.size, call->output_size);
    if (job->count == 1 && result < 0) return result;
    if (!mp__job_copy_outputs(job, call->outputs))
        return mp__fail(MP_ENOMEM, "%s: no address space to look at the outputs", call->name);
    return result;
}

/* The job of a call's result; under the lock. */
static struct mp__job *job_of(uint64_t id, uint64_t *offset)
{
    const struct mp__control *control = mp__control_of(id, MP__RESULT);
    *offset = control ? atomic_load_explicit(&control->as.result.job, memory_order_relaxed) : 0;
    return mp__job_at(*offset);
}

/* What is looked at then, all at once: a worker has changed it. */
static void fetch_ahead(const struct mp__call *call, uint64_t id)
{
    uint64_t offset;
    const struct mp__pool *pool = mp__pool_of(call->name, call->pool);
    const struct mp__job *job = job_of(id, &offset);
    if (pool) mp__pool_fetch_ahead(call->pool, pool);
    for (size_t at = 0; job && at < sizeof *job + 192; at += 64) MP__FETCH_AHEAD((const char *)job + at);
}

/* Until it is finished: 0, or the error that waiting for it ended with, *waited; and inside then. Else an error. The flag of a
 * small one was used before, and somebody may have been late with that. */
static int await_finish(const struct mp__call *call, uint64_t id, struct mp__progress *progress, struct mp__pool **pool,
                        int *waited)
{
    for (;;) {
        uint64_t offset;
        *waited =
            mp__result_await(call->name, id, call->options.stop.id,
                             progress ? mp__progress_slice(progress, MP_OS_NEVER) : MP_OS_NEVER, call->count <= SOON);
        if (*waited == MP_ETIMEDOUT && progress) {
            if (mp__result_count(call->name, call->pool, id, &progress->now) == 1) mp__progress_show(progress);
            mp__progress_put_off(progress);
            continue;
        }
        fetch_ahead(call, id);
        int entered = mp__pool_enter(call->name, call->pool, pool);
        if (entered < 0) return entered;
        const struct mp__job *job = job_of(id, &offset);
        if (*waited < 0 || !job || mp__job_is_finished(job)) return 0;
        (void)mp__flag_clear(id, MP__RESULT);
        mp__pool_leave(*pool);
    }
}

/* It is this call's alone, as long as there is the pool: under the lock. True: the flag stays with its memory; unless
 * somebody else has seen it. */
static bool put_away(struct mp__pool *pool, uint64_t id, bool seen)
{
    uint64_t offset;
    const struct mp__job *job = job_of(id, &offset);
    bool finished = job && mp__job_is_finished(job);
    if (job && !finished) (void)mp__job_cancel(pool, offset); /* it could not be waited for */
    bool keep = finished && job->capacity == MP__JOB_SMALL && !seen;
    (void)mp__result_forget(pool, id, keep);
    return keep && pool->spare == offset && job->result == id;
}

/* The job is finished, or could not be waited for: inside. What takes long, and what is the caller's, is done outside: inside
 * again then. 0 or an error (detail set), and not inside. */
static int conclude(const struct mp__call *call, uint64_t id, struct mp__progress *progress, struct mp__pool **pool,
                    int *result)
{
    uint64_t offset;
    const struct mp__job *job = job_of(id, &offset);
    const mp_call_options *options = &call->options;
    if (*result < 0) return 0;
    if (!job) {
        *result = mp__fail_handle(call->name, id, "result");
        return 0;
    }
    if (progress) mp__job_count(*pool, offset, job, &progress->now);
    bool outside = job->capacity > MP__JOB_SMALL || progress || options->callback || options->error_callback;
    if (!outside) {
        *result = collect(call, job);
        return 0;
    }
    struct mp__job copy; /* somebody may destroy the pool meanwhile */
    memcpy(&copy, job, sizeof copy);
    mp__pool_leave(*pool); /* the others shall not wait for that */
    *result = collect(call, &copy);
    bool failed = copy.failed || copy.broken || *result < 0;
    char detail[DETAIL_SIZE] = "";
    if (*result < 0) (void)snprintf(detail, sizeof detail, "%s", mp_error_detail());
    if (progress) mp__progress_end(progress);
    mp__callback_call(options, id, failed);
    int entered = mp__pool_enter(call->name, call->pool, pool);
    if (entered == 0 && *result < 0) *result = mp__fail(*result, "%s", detail);
    return entered;
}

/* At last, however it has ended: what was said of that stays said. */
static void end_progress(struct mp__progress *progress, int *result)
{
    char detail[DETAIL_SIZE] = "";
    if (progress->over) return;
    if (*result < 0) (void)snprintf(detail, sizeof detail, "%s", mp_error_detail());
    mp__progress_end(progress);
    if (*result < 0) *result = mp__fail(*result, "%s", detail);
}

static int run(struct mp__call *call)
{
    const mp_call_options *options = &call->options;
    struct mp__progress shown, *progress = NULL;
    uint64_t id = 0, self = mp__family_id();
    struct mp__pool *pool;
    if (options->progress || options->progress_callback) progress = &shown;
    call->wanted = MP__WANTED_HERE;
    call->wants = call->count > 0 || progress || options->callback || options->error_callback;
    if (progress) mp__progress_begin(progress, options, call->count);
    int result = mp__call_submit(call, &id);
    if (result < 0 || !call->wants) return result;
    int entered = await_finish(call, id, progress, &pool, &result);
    if (entered == 0) entered = conclude(call, id, progress, &pool, &result);
    if (entered == 0 && mp__family_id() != self) { /* a copy, made in a callback: the call is that one's */
        mp__pool_leave(pool);
        result = mp__fail(MP_ENOTOWNER, "%s: it was called by another process", call->name);
    } else if (entered == 0) {
        bool kept = put_away(pool, id, options->callback || options->error_callback);
        mp__pool_leave(pool);
        if (!kept) (void)mp__control_destroy(id, MP__RESULT, NULL);
    } else {
        result = entered;
    }
    if (progress) end_progress(progress, &result);
    return result;
}

static int start(struct mp__call *call, mp_result *result)
{
    uint64_t id = 0;
    call->wants = result != NULL;
    int error = mp__callback_prepare(call);
    if (error < 0) return error;
    error = mp__call_submit(call, &id);
    if (error < 0) (void)mp__callback_unlink(call->cookie); /* it is used: it goes with that */
    mp__callback_submitted(call, id);
    if (error == 0 && result) result->id = id;
    return error;
}

static struct mp__call plain(const char *name, mp_pool pool, mp_task_function function, const mp_column *columns,
                             const mp_call_options *options)
{
    struct mp__call call = {.name = name, .pool = pool.id, .function = function, .columns = columns, .column_count = 1};
    if (options) call.options = *options;
    return call;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

int mp_pool_apply(mp_pool pool, mp_task_function function, const void *input, size_t input_size, void *output,
                  size_t output_size, const mp_call_options *options)
{
    const mp_column column = {input, input_size};
    struct mp__call call = plain("mp_pool_apply", pool, function, &column, options);
    call.outputs = output;
    call.output_size = output_size;
    call.count = 1;
    call.any_size = true;
    return run(&call);
}

int mp_pool_map(mp_pool pool, mp_task_function function, const void *inputs, size_t input_size, void *outputs,
                size_t output_size, size_t count, const mp_call_options *options)
{
    const mp_column column = {inputs, input_size};
    struct mp__call call = plain("mp_pool_map", pool, function, &column, options);
    call.outputs = outputs;
    call.output_size = output_size;
    call.count = count;
    return run(&call);
}

int mp_pool_starmap(mp_pool pool, mp_task_function function, const mp_column *columns, size_t column_count,
                    void *outputs, size_t output_size, size_t count, const mp_call_options *options)
{
    struct mp__call call = plain("mp_pool_starmap", pool, function, columns, options);
    call.column_count = column_count;
    call.outputs = outputs;
    call.output_size = output_size;
    call.count = count;
    return run(&call);
}

int mp_pool_apply_async(mp_pool pool, mp_result *result, mp_task_function function, const void *input,
                        size_t input_size, size_t output_size, const mp_call_options *options)
{
    const mp_column column = {input, input_size};
    struct mp__call call = plain("mp_pool_apply_async", pool, function, &column, options);
    call.output_size = output_size;
    call.count = 1;
    call.any_size = true;
    return start(&call, result);
}

int mp_pool_map_async(mp_pool pool, mp_result *result, mp_task_function function, const void *inputs, size_t input_size,
                      size_t output_size, size_t count, const mp_call_options *options)
{
    const mp_column column = {inputs, input_size};
    struct mp__call call = plain("mp_pool_map_async", pool, function, &column, options);
    call.output_size = output_size;
    call.count = count;
    return start(&call, result);
}

int mp_pool_starmap_async(mp_pool pool, mp_result *result, mp_task_function function, const mp_column *columns,
                          size_t column_count, size_t output_size, size_t count, const mp_call_options *options)
{
    struct mp__call call = plain("mp_pool_starmap_async", pool, function, columns, options);
    call.column_count = column_count;
    call.output_size = output_size;
    call.count = count;
    return start(&call, result);
}

/* ---- what a pool tells ------------------------------------------------------------------------------------------- */

int mp_pool_poll(mp_pool handle)
{
    static const char call[] = "mp_pool_poll";
    int result = mp__thread_join();
    mp__callbacks_settle(handle.id);
    if (result == 0) result = mp__pool_look_after(call, handle.id);
    return result < 0 ? result : mp__callbacks_run(call, handle.id);
}

int mp__pool_present(const struct mp__pool *pool)
{
    int workers = 0;
    for (uint64_t i = 0; i < pool->count; i++) workers += pool->workers[i].process != 0;
    return workers;
}

void mp__job_count(const struct mp__pool *pool, uint64_t offset, const struct mp__job *job, mp_progress *progress)
{
    uint64_t running, done = mp__job_done(pool, offset, &running);
    progress->total = (size_t)job->count;
    progress->done = (size_t)(job->finished + done);
    progress->failed = (size_t)job->failed;
    progress->running = (size_t)running;
    progress->retried = (size_t)job->retried;
    progress->workers = mp__pool_present(pool);
}

int mp__result_count(const char *call, uint64_t pool_id, uint64_t result, mp_progress *progress)
{
    struct mp__pool *pool;
    uint64_t offset;
    int entered = mp__pool_enter(call, pool_id, &pool);
    if (entered < 0) return entered;
    const struct mp__job *job = job_of(result, &offset);
    bool there = job && job->result == result;
    if (there) mp__job_count(pool, offset, job, progress);
    mp__pool_leave(pool);
    return there;
}

int mp_pool_progress(mp_pool handle, mp_progress *progress)
{
    static const char call[] = "mp_pool_progress";
    struct mp__pool *pool;
    if (!progress) return mp__fail(MP_EINVAL, "%s: progress is NULL", call);
    int result = mp__pool_enter(call, handle.id, &pool);
    if (result < 0) return result;
    uint64_t running, done = mp__job_done(pool, 0, &running);
    *progress = (mp_progress){.total = (size_t)pool->submitted,
                              .done = (size_t)(pool->done + done),
                              .failed = (size_t)pool->failed,
                              .running = (size_t)running,
                              .retried = (size_t)pool->retried,
                              .workers = mp__pool_present(pool),
                              .seconds = (double)(mp_os_now() - (int64_t)pool->since) / 1e9};
    mp__pool_leave(pool);
    return 0;
}

int mp_pool_workers(mp_pool handle, mp_worker *workers, size_t capacity, size_t *count)
{
    static const char call[] = "mp_pool_workers";
    struct mp__pool *pool;
    if (!count || (!workers && capacity))
        return mp__fail(MP_EINVAL, "%s: %s is NULL", call, count ? "workers" : "count");
    int result = mp__pool_enter(call, handle.id, &pool);
    if (result < 0) return result;
    size_t found = 0;
    for (uint64_t i = 0; i < pool->count; i++) {
        const struct mp__pool_worker *worker = &pool->workers[i];
        if (!worker->process) continue;
        uint64_t busy = atomic_load_explicit(&worker->busy, memory_order_relaxed);
        if (found < capacity)
            workers[found] = (mp_worker){.process = {worker->process},
                                         .tasks = (size_t)atomic_load_explicit(&worker->tasks, memory_order_relaxed),
                                         .busy_seconds = (double)busy / 1e9};
        found++;
    }
    mp__pool_leave(pool);
    *count = found;
    return 0;
}
