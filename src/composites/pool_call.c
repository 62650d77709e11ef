/* SPDX-License-Identifier: MIT
 *
 * pool_call.c - submitting: apply, map, starmap, and their async kinds.
 */
#include "composites/pool_call.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "composites/inbox.h"
#include "composites/job.h"
#include "composites/pool.h"
#include "primitives/flag.h"
#include "primitives/funcref.h"

#include <mp/shared.h>
#include <string.h>

#define ALIGNED(size) (((size) + 63) / 64 * 64)

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static bool overflows(uint64_t one, uint64_t other)
{
    return one && other > INT64_MAX / one;
}

static int check_options(const char *call, const mp_call_options *options)
{
    if (options->retries < 0) return mp__fail(MP_EINVAL, "%s: options.retries is %d", call, options->retries);
    if (options->time_limit_ms < 0)
        return mp__fail(MP_EINVAL, "%s: options.time_limit_ms is %lld", call, (long long)options->time_limit_ms);
    if (options->chunk_size > INT64_MAX || options->max_output > INT64_MAX)
        return mp__fail(MP_EINVAL, "%s: an option is no size (a negative number)", call);
    if (options->stop.id && !mp__control_of(options->stop.id, MP__EVENT))
        return mp__fail_handle(call, options->stop.id, "event");
    return 0;
}

static int check_columns(const struct mp__call *call)
{
    const char *name = call->name;
    if (!call->columns) return mp__fail(MP_EINVAL, "%s: columns is NULL", name);
    if (!call->column_count || call->column_count > MP_COLUMNS_MAX)
        return mp__fail(MP_EINVAL, "%s: %zu columns: 1 to %d", name, call->column_count, MP_COLUMNS_MAX);
    for (size_t i = 0; i < call->column_count; i++) {
        const mp_column *column = &call->columns[i];
        if (column->item_size > INT64_MAX || overflows(column->item_size, call->count))
            return mp__fail(MP_EINVAL, "%s: %zu inputs of %zu bytes", name, call->count, column->item_size);
        if (!column->items && column->item_size && call->count)
            return mp__fail(MP_EINVAL, "%s: inputs is NULL, and their size is not 0", name);
        if (column->items && !column->item_size && call->count > 1)
            return mp__fail(MP_EINVAL, "%s: the size of an input is 0, and inputs is not NULL", name);
    }
    return 0;
}

int mp__call_check(const struct mp__call *call)
{
    const char *name = call->name;
    if (!call->function) return mp__fail(MP_EINVAL, "%s: function is NULL", name);
    if (call->count > (size_t)(INT64_MAX / 64)) return mp__fail(MP_EINVAL, "%s: %zu items", name, call->count);
    int result = call->inputs ? 0 : check_columns(call);
    if (result < 0) return result;
    if (call->output_size > INT64_MAX || overflows(call->output_size, call->count))
        return mp__fail(MP_EINVAL, "%s: %zu outputs of %zu bytes", name, call->count, call->output_size);
    if (call->wanted == MP__WANTED_HERE && !call->inputs && !call->outputs && call->output_size && call->count)
        return mp__fail(MP_EINVAL, "%s: output is NULL, and its size is not 0", name);
    return check_options(name, &call->options);
}

/* ---- functions ----------------------------------------------------------------------------------------------------- */

/* Those that this thread has submitted lately. */
static _Thread_local struct {
    uint64_t pool, offset;
    mp_task_function function;
} lately[4];

static int function_of(const struct mp__call *call, struct mp__pool *pool, const mp_os_module *module, uint64_t *offset)
{
    static _Thread_local unsigned next;
    int result = mp__pool_function(call->name, pool, module, offset);
    if (result < 0) return result;
    unsigned place = next++ % 4;
    lately[place].pool = pool->id;
    lately[place].function = call->function;
    lately[place].offset = *offset;
    return 0;
}

static uint64_t known_function(const struct mp__call *call)
{
    for (int i = 0; i < 4; i++)
        if (lately[i].function == call->function && lately[i].pool == call->pool) return lately[i].offset;
    return 0;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Where it lies, if that is in the arena's heap; else 0. */
static uint64_t shared_offset(const void *data, uint64_t size)
{
    uint64_t offset = mp__pool_offset(data);
    uint64_t mapped = atomic_load_explicit(&mp__arena.mapped[MP__REGION_HEAP], memory_order_acquire);
    bool inside =
        offset >= MP__HEAD_SIZE && offset - MP__HEAD_SIZE < mapped && size <= mapped - (offset - MP__HEAD_SIZE);
    return data && inside && !mp__worker_runs_in(data, size) ? offset : 0;
}

/* What a call needs: of each column, or 0 if it lies in the arena already. */
struct plan {
    uint64_t columns[MP_COLUMNS_MAX], outputs; /* offsets in the arena, or 0 */
    uint64_t size;                             /* bytes behind the job */
    uint64_t function;
    mp_os_module module; /* if that is 0 */
};

/* What a job begins with: what is copied lies behind that. */
static uint64_t head_of(const struct mp__call *call)
{
    return ALIGNED(call->column_count * sizeof(struct mp__pool_column) + sizeof(struct mp__job));
}

static void plan_memory(const struct mp__call *call, struct plan *plan)
{
    plan->size = head_of(call) - sizeof(struct mp__job);
    if (call->inputs) plan->size += ALIGNED(call->count * sizeof(struct mp__pool_item)) + ALIGNED(call->inputs->size);
    for (size_t i = 0; i < call->column_count; i++) {
        uint64_t size = call->columns[i].item_size * call->count;
        plan->columns[i] = size ? shared_offset(call->columns[i].items, size) : 0;
        if (!plan->columns[i]) plan->size += ALIGNED(size);
    }
    uint64_t size = call->output_size * call->count;
    plan->outputs = size ? shared_offset(call->outputs, size) : 0;
    if (!plan->outputs) plan->size += ALIGNED(size);
}

/* In a job that is used again most is as it was: it stays in the caches of who looks at it. */
static void set(uint64_t *word, uint64_t value)
{
    if (*word != value) *word = value;
}

/* Inputs of any size. Returns where what follows them lies. */
static uint64_t fill_inputs(struct mp__job *job, uint64_t offset, const struct mp__call *call)
{
    const struct mp__inputs *inputs = call->inputs;
    uint64_t at = offset + head_of(call), bytes = at + ALIGNED(call->count * sizeof(struct mp__pool_item));
    struct mp__pool_item *items = (struct mp__pool_item *)(void *)((char *)job + (at - offset));
    for (size_t i = 0; i < call->count; i++)
        items[i] = (struct mp__pool_item){.input = bytes + inputs->items[i].input,
                                          .input_size = inputs->items[i].input_size,
                                          .made.size = call->output_size};
    if (inputs->size) memcpy((char *)job + (bytes - offset), inputs->bytes, inputs->size);
    job->base = inputs->first;
    job->items = at;
    return bytes + ALIGNED(inputs->size);
}

/* All but what the pool's lock protects, and the copies of the inputs. */
static void fill(struct mp__job *job, uint64_t offset, const struct mp__call *call, const struct plan *plan, bool fresh)
{
    uint64_t at = offset + head_of(call);
    const mp_call_options *options = &call->options;
    set(&job->items, 0);
    set(&job->base, 0);
    if (call->inputs) at = fill_inputs(job, offset, call);
    for (size_t i = 0; i < call->column_count; i++) {
        uint64_t size = call->columns[i].item_size * call->count;
        set(&job->columns[i].item_size, call->columns[i].item_size);
        set(&job->columns[i].offset, size ? plan->columns[i] ? plan->columns[i] : at : 0);
        if (!size || plan->columns[i]) continue;
        memcpy((char *)job + (at - offset), call->columns[i].items, size);
        at += ALIGNED(size);
    }
    uint64_t outputs = call->output_size * call->count;
    set(&job->outputs, outputs ? plan->outputs ? plan->outputs : at : 0);
    set(&job->count, call->count);
    set(&job->output_size, call->output_size);
    set(&job->made.size, call->output_size);
    set(&job->inbox, call->inbox);
    set(&job->cookie, (uint64_t)(uintptr_t)call->cookie);
    set(&job->retried, 0);
    atomic_store_explicit(&job->took, 0, memory_order_relaxed);
    set(&job->max_output, options->max_output);
    set(&job->chunk, options->chunk_size);
    set(&job->time_limit,
        options->time_limit_ms >= INT64_MAX / 4000000 ? 0 : (uint64_t)options->time_limit_ms * 1000000);
    set(&job->stop, options->stop.id);
    set(&job->submitter, mp__family_id());
    if (job->waits != (uint8_t)call->wanted) job->waits = (uint8_t)call->wanted;
    if (job->retries != (uint32_t)options->retries) job->retries = (uint32_t)options->retries;
    if (job->fresh != (fresh && !plan->outputs)) job->fresh = fresh && !plan->outputs;
    if (job->column_count != call->column_count) job->column_count = (uint8_t)call->column_count;
    if (job->any_size != call->any_size) job->any_size = call->any_size;
    job->end = call->count;
    job->cursor = job->cancelled = job->finished = job->failed = job->first_failed = 0;
    job->outcome = 0;
    set(&job->outcomes, 0);
    set(&job->broken, 0);
    set(&job->made.big, 0);
}

/* ---- submitting -------------------------------------------------------------------------------------------------- */

struct made {
    uint64_t pool, maker;
};

static void fill_result(struct mp__control *control, const void *with)
{
    const struct made *made = with;
    atomic_store_explicit(&control->as.result.pool, made->pool, memory_order_relaxed);
    atomic_store_explicit(&control->as.result.job, 0, memory_order_relaxed);
    atomic_store_explicit(&control->as.result.maker, made->maker, memory_order_relaxed);
}

static int create_result(const struct mp__call *call, uint64_t *id)
{
    struct made made = {call->pool, mp__family_id()};
    return mp__control_create(MP__RESULT, NULL, fill_result, &made, id);
}

/* Inside. The job is filled and queued, if all is well. */
static int queue(const struct mp__call *call, struct mp__pool *pool, struct plan *plan, uint64_t *offset,
                 uint64_t *result_id)
{
    bool fresh = *offset != 0;
    const struct mp__inbox *inbox = mp__inbox_at(call->inbox);
    bool open = pool->state == MP__POOL_OPEN || (pool->state == MP__POOL_CLOSED && inbox && inbox->open);
    if (!open) return mp__pool_refuse(call->name, pool);
    int result = plan->function ? 0 : function_of(call, pool, &plan->module, &plan->function);
    if (result < 0) return result;
    if (!fresh) *offset = mp__job_spare(pool);
    struct mp__job *job = mp__job_at(*offset);
    if (!job) return mp__fail(MP_ENOMEM, "%s: no address space for a job", call->name);
    uint64_t flag = fresh ? 0 : job->result;
    /* A flag that was used before may be set once more by somebody who is late: only who waits for that alone looks twice. */
    bool again = flag && call->wanted == MP__WANTED_HERE && call->wants && !call->inputs &&
                 mp__flag_clear(flag, MP__RESULT) >= 0;
    if (flag && !again) (void)mp__control_destroy(flag, MP__RESULT, NULL);
    if (!again) flag = 0;
    if (call->inputs) {
        flag = call->inbox_flag;
    } else if (call->wants && !flag) {
        result = create_result(call, &flag);
        if (result < 0) {
            if (!fresh) job->result = 0;
            return result;
        }
    }
    if (!fresh) fill(job, *offset, call, plan, false);
    set(&job->function, plan->function);
    job->result = flag;
    struct mp__control *control = flag && !call->inputs ? mp__control_of(flag, MP__RESULT) : NULL;
    if (control) atomic_store_explicit(&control->as.result.job, *offset, memory_order_release);
    if (call->options.time_limit_ms) mp__pool_kick(pool);
    mp__job_queue(pool, *offset);
    atomic_store_explicit(&pool->newest, *offset, memory_order_relaxed);
    if (control) atomic_store_explicit(&control->as.result.maker, 0, memory_order_relaxed);
    *result_id = call->inputs ? *offset : flag;
    return 0;
}

/* A large one is made and filled before, without the lock. */
static int make(const struct mp__call *call, const struct plan *plan, uint64_t *offset)
{
    uint64_t size = plan->size <= MP__JOB_SMALL ? MP__JOB_SMALL : plan->size;
    struct mp__job *job = NULL;
    if (mp__heap_alloc(sizeof *job + size, MP__HEAP_MINE, offset) == 0) job = mp__pool_at(*offset, sizeof *job + size);
    if (!job)
        return mp__fail(MP_ENOMEM, "%s: the arena or the machine has not %llu bytes more", call->name,
                        (unsigned long long)size);
    job->capacity = size;
    fill(job, *offset, call, plan, true);
    return 0;
}

/* As many workers as can have a part in it. */
static uint64_t workers_for(const struct mp__call *call)
{
    uint64_t chunk = call->options.chunk_size;
    return chunk ? call->count / chunk + (call->count % chunk != 0) : call->count;
}

int mp__call_submit(const struct mp__call *call, uint64_t *result_id)
{
    struct plan plan = {.function = 0};
    struct mp__pool *pool;
    uint64_t offset = 0;
    int result = mp__call_check(call);
    if (result == 0) result = mp__thread_join();
    if (result < 0) return result;
    pool = mp__pool_of(call->name, call->pool);
    if (!pool) return MP_EBADHANDLE;
    if (!call->wants && !call->count) return 0;
    plan.function = known_function(call);
    if (!plan.function)
        result = mp__funcref_make(call->name, "function", (const void *)(uintptr_t)call->function, &plan.module);
    if (result < 0) return result;
    plan_memory(call, &plan);
    _Atomic uint32_t *bell = mp__pool_bell(call->pool);
    if (!bell) return mp__fail_handle(call->name, call->pool, "pool");
    mp__thread_intend(bell); /* should it die before it has rung */
    for (bool again = true; again;) {
        bool small = plan.size <= MP__JOB_SMALL && !offset;
        again = false;
        if (!small && !offset) result = make(call, &plan, &offset);
        if (result == 0) result = mp__pool_enter(call->name, call->pool, &pool);
        if (result < 0) break;
        if (small && !mp__job_spare(pool)) { /* none to spare */
            mp__pool_leave(pool);
            result = make(call, &plan, &offset);
            again = result == 0;
            continue;
        }
        uint64_t place = offset;
        result = queue(call, pool, &plan, &place, result_id);
        if (result == 0 && call->count)
            mp__pool_leave_and_ring(pool, workers_for(call));
        else
            mp__pool_leave(pool);
        if (result == 0 && !call->count) (void)mp__flag_set(*result_id, MP__RESULT);
        if (result == 0) offset = 0;
    }
    mp__thread_done();
    if (offset) mp__heap_free(offset);
    /* It is submitted, whatever comes of this: who waits for it looks again. */
    if (result == 0) (void)mp__pool_look_after(call->name, call->pool);
    return result;
}
