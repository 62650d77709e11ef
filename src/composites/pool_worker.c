/* SPDX-License-Identifier: MIT
 *
 * pool_worker.c - a worker: take, run, report.
 */
#include "base/error.h"
#include "base/eventcount.h"
#include "base/family.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/trace.h"
#include "composites/job.h"
#include "composites/pool.h"
#include "primitives/flag.h"
#include "primitives/funcref.h"

#include <mp/sync.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STEP_TIME   INT64_C(5000) /* ns: what to take at once, as far as one can know before */
#define FUNCTIONS   64
#define WOKEN_SOON  10 /* times as long as a spin lasts */
#define LOOK_LONGER 5

/* Of this process: it runs one task at a time. */
static struct {
    uint64_t self, id; /* this process's, and the pool's */
    struct mp__pool *pool;
    struct mp__pool_worker *worker;
    struct mp__job *job;
    mp_task *task;
    struct mp__made *made; /* NULL: its output has its place among the others */
    uint64_t big;          /* offset of a larger output; 0: there is none */
    uint64_t room;         /* bytes of the output */
} now;

/* Functions that it has found already. */
static struct {
    uint64_t offset;
    void *function;
} known[FUNCTIONS];

static int find_function(uint64_t offset, void **function)
{
    size_t place = (size_t)(offset / sizeof(struct mp__pool_function)) % FUNCTIONS;
    if (known[place].offset != offset) {
        const struct mp__pool_function *described = mp__pool_at(offset, sizeof *described);
        if (!described) return MP_ENOMEM;
        int result = mp__funcref_resolve(&described->module, function);
        if (result < 0) return result;
        known[place].offset = offset;
        known[place].function = *function;
    }
    *function = known[place].function;
    return 0;
}

/* ---- one task ---------------------------------------------------------------------------------------------------- */

static void free_big(void)
{
    if (now.big) mp__heap_free(now.big);
    now.big = 0;
}

uint64_t mp__worker_pool(void)
{
    return now.pool && now.self == mp__family_id() ? now.id : 0;
}

bool mp__worker_runs_in(const void *data, uint64_t size)
{
    uint64_t begin = mp__pool_offset(data), job = mp__pool_offset(now.job);
    if (!now.task) return false;
    if (begin < job + sizeof *now.job + now.job->capacity && begin + size > job) return true;
    return now.big && begin < now.big + now.room && begin + size > now.big;
}

int mp_task_reserve(mp_task *task, size_t size)
{
    static const char call[] = "mp_task_reserve";
    const struct mp__job *job = now.job;
    uint64_t offset;
    if (!task || task != now.task) return mp__fail(MP_EINVAL, "%s: this is not the task that runs here", call);
    if (now.made && job->max_output && size > job->max_output)
        return mp__fail(MP_EMSGSIZE, "%s: %zu bytes, and options.max_output is %zu", call, size,
                        (size_t)job->max_output);
    if (size <= now.room) {
        if (task->output) memset(task->output, 0, (size_t)now.room);
        task->output_size = size;
        return 0;
    }
    if (!now.made)
        return mp__fail(MP_EMSGSIZE, "%s: %zu bytes, and the outputs of a map have %zu each", call, size,
                        (size_t)now.room);
    void *output = mp__heap_alloc(size, MP__HEAP_MINE, &offset) == 0 ? mp__heap_at(offset, size) : NULL;
    if (!output) return mp__fail(MP_ENOMEM, "%s: the arena or the machine has not %zu bytes more", call, size);
    free_big();
    now.big = offset;
    now.room = size;
    task->output = output;
    task->output_size = size;
    return 0;
}

static void fail_item(uint64_t index, int error, int code)
{
    struct mp__pool *pool;
    free_big();
    if (mp__pool_enter("a worker", now.pool->id, &pool) < 0) return;
    mp__job_fail(pool, now.job, index, mp__outcome(error, code));
    mp__pool_leave(pool);
}

/* Its output may have any size that there is room for. */
static void keep_output(const mp_task *task, uint64_t index)
{
    struct mp__pool *pool;
    if (task->output_size == now.job->output_size && !now.big) return; /* as it was said beforehand */
    if (task->output_size > now.room) {
        fail_item(index, MP_EMSGSIZE, 0);
        return;
    }
    if (mp__pool_enter("a worker", now.pool->id, &pool) < 0) return;
    struct mp__change change = mp__change_begin(pool);
    if (now.big && now.job->result) {
        mp__pool_adopt(&change, now.big);
        mp__change_set(&change, &now.made->big, now.big);
        now.big = 0;
    }
    mp__change_set(&change, &now.made->size, task->output_size);
    mp__change_commit(&change);
    mp__pool_leave(pool);
    free_big(); /* nobody asks for it */
}

/* ---- a claim ----------------------------------------------------------------------------------------------------- */

struct run {
    const struct mp__job *job;
    struct mp__range range;
    mp_task_function function;
    void (*some)(struct run *run, uint64_t from, uint64_t to); /* items, which it has taken */
    char *output;
    const void *inputs[MP_COLUMNS_MAX];
    struct mp__pool_item *items; /* or NULL */
    mp_task task;
};

static bool prepare(struct run *run)
{
    const struct mp__job *job = run->job;
    uint64_t from = run->range.from;
    for (uint32_t i = 0; i < job->column_count; i++) {
        const struct mp__pool_column *column = &job->columns[i];
        const char *items = mp__pool_at(column->offset, job->count * column->item_size);
        if (!items && column->offset) return false;
        run->inputs[i] = items ? items + from * column->item_size : NULL;
    }
    run->items = mp__pool_at(job->items, job->count * sizeof *run->items);
    if (!run->items && job->items) return false;
    now.made = job->any_size ? &now.job->made : NULL;
    char *outputs = mp__pool_at(job->outputs, job->count * job->output_size);
    if (!outputs && job->outputs) return false;
    run->output = outputs ? outputs + from * job->output_size : NULL;
    run->task.inputs = run->inputs;
    run->task.attempt = (int)run->range.attempt;
    return true;
}

/* So many items more, which it has taken. */
static void run_columns(struct run *run, uint64_t from, uint64_t to)
{
    const struct mp__job *job = run->job;
    const size_t output_size = job->output_size;
    mp_task *task = &run->task;
    for (uint64_t i = from; i < to; i++) {
        if (job->time_limit) atomic_store_explicit(&now.worker->since, (uint64_t)mp_os_now(), memory_order_relaxed);
        atomic_store_explicit(&now.worker->at, i + 1, memory_order_release); /* P4 */
        task->input = run->inputs[0];
        task->input_size = job->columns[0].item_size;
        task->output = run->output;
        task->output_size = output_size;
        task->index = i;
        now.room = output_size;
        int code = run->function(task);
        if (code)
            fail_item(i, MP_ETASK, code);
        else if (now.made)
            keep_output(task, i);
        for (uint32_t c = 0; c < job->column_count; c++)
            if (run->inputs[c]) run->inputs[c] = (const char *)run->inputs[c] + job->columns[c].item_size;
        if (run->output) run->output += output_size;
        task->attempt = 0;
    }
}

/* Likewise of one column, outputs each in its place, and no time limit, as most are. Most tasks are short, too: all that
 * stands in here counts. */
static void run_plain(struct run *run, uint64_t from, uint64_t to)
{
    _Atomic uint64_t *const now_at = &now.worker->at;
    const struct mp__job *job = run->job;
    const size_t input_size = job->columns[0].item_size, output_size = job->output_size;
    const mp_task_function function = run->function;
    const char *input = run->inputs[0];
    char *output = run->output;
    int attempt = run->task.attempt;
    now.room = output_size;
    for (uint64_t i = from; i < to; i++) {
        atomic_store_explicit(now_at, i + 1, memory_order_release); /* P4 */
        run->inputs[0] = input;
        run->task.input = input;
        run->task.input_size = input_size;
        run->task.output = output;
        run->task.output_size = output_size;
        run->task.index = i;
        run->task.attempt = attempt;
        attempt = 0;
        int code = function(&run->task);
        if (code) fail_item(i, MP_ETASK, code);
        if (input) input += input_size;
        if (output) output += output_size;
    }
    run->inputs[0] = input;
    run->output = output;
    run->task.attempt = 0;
}

/* Likewise where each input has its size. */
static void run_listed(struct run *run, uint64_t from, uint64_t to)
{
    const struct mp__job *job = run->job;
    const size_t output_size = job->output_size;
    for (uint64_t i = from; i < to; i++) {
        struct mp__pool_item *item = &run->items[i];
        const void *input = mp__pool_at(item->input, item->input_size + 1);
        if (job->time_limit) atomic_store_explicit(&now.worker->since, (uint64_t)mp_os_now(), memory_order_relaxed);
        atomic_store_explicit(&now.worker->at, i + 1, memory_order_release); /* P4 */
        run->inputs[0] = input;
        run->task.input = input;
        run->task.input_size = item->input_size;
        run->task.output = run->output;
        run->task.output_size = output_size;
        run->task.index = job->base + i;
        now.made = &item->made;
        now.room = output_size;
        int code = run->function(&run->task);
        if (code)
            fail_item(i, MP_ETASK, code);
        else
            keep_output(&run->task, i);
        if (run->output) run->output += output_size;
        run->task.attempt = 0;
    }
}

/* Somebody may have cut off the end of what it is about to take: as much as is left, up to that. */
static uint64_t settle(uint64_t next)
{
    struct mp__pool *pool;
    if (mp__pool_enter("a worker", now.pool->id, &pool) < 0) return 0;
    uint64_t limit = atomic_load_explicit(&now.worker->limit, memory_order_relaxed);
    if (limit < next) next = limit;
    atomic_store_explicit(&now.worker->taken, next, memory_order_relaxed);
    mp__pool_leave(pool);
    return next;
}

static bool is_to_stop(const struct mp__job *job)
{
    uint64_t state;
    return job->stop && mp__flag_find(job->stop, MP__EVENT, &state) && state & MP__FLAG_SET;
}

/* How many to take at once: of a chunk's size, or as many as take a moment. */
static uint64_t adapt(uint64_t step, int64_t took)
{
    return took < STEP_TIME / 2 ? 2 * step : took > STEP_TIME && step > 1 ? step / 2 : step;
}

/* Returns where it has ended: at the end of the claim, or after `most` items. */
static uint64_t run_items(struct run *run, uint64_t most)
{
    struct mp__pool_worker *worker = now.worker;
    const uint64_t chunk = run->job->count == 1 ? 1 : run->job->chunk,
                   stop = most < UINT64_MAX - run->range.from ? run->range.from + most : UINT64_MAX;
    uint64_t at = run->range.from, step = chunk ? chunk : 1;
    int64_t time = chunk ? 0 : mp_os_now();
    struct mp__trace_tasks traced = mp__trace_tasks_begin(now.id, run->job->base, at);
    now.task = &run->task;
    for (;;) {
        uint64_t limit = atomic_load_explicit(&worker->limit, memory_order_relaxed), next = at + step;
        if (limit > stop) limit = stop;
        if (at >= limit || (run->job->stop && is_to_stop(run->job))) break;
        if (next > limit || next < at) next = limit;
        atomic_store_explicit(&worker->taken, next, memory_order_seq_cst);
        if (atomic_load_explicit(&worker->limit, memory_order_seq_cst) < next) next = settle(next); /* P6 */
        if (next <= at) break;
        if (run->output && (!run->job->fresh || run->task.attempt))
            memset(run->output, 0, (next - at) * run->job->output_size);
        run->some(run, at, next);
        at = next;
        if (at >= traced.next) mp__trace_tasks_look(&traced, at);
        if (chunk) continue;
        int64_t then = mp_os_now();
        step = adapt(step, then - time);
        time = then;
    }
    mp__trace_tasks_end(&traced, at);
    now.task = NULL;
    return at;
}

/* It can not be run here, or shall not be. Returns up to where this worker is done with it. */
static uint64_t break_job(uint64_t offset, int error)
{
    struct mp__pool *pool;
    if (mp__pool_enter("a worker", now.pool->id, &pool) < 0) return 0;
    struct mp__change change = mp__change_begin(pool);
    if (error != MP_ECANCELED) mp__change_put(&change, &now.job->broken, (uint64_t)(int64_t)error);
    mp__change_commit(&change);
    (void)mp__job_cancel(pool, offset); /* it is not finished by that: this worker has some of it */
    uint64_t end = now.worker->claim.to;
    for (uint64_t i = now.worker->claim.from; i < end; i++) mp__job_fail(pool, now.job, i, mp__outcome(error, 0));
    mp__pool_leave(pool);
    atomic_store_explicit(&now.worker->at, end | MP__DONE, memory_order_release);
    return end;
}

/* Returns up to where it is done. */
static uint64_t run_claim(const struct mp__range *range, uint64_t most)
{
    struct run run = {.job = now.job, .range = *range};
    struct mp__pool_worker *worker = now.worker;
    void *function;
    int result = is_to_stop(now.job) ? MP_ECANCELED : find_function(now.job->function, &function);
    if (result == 0 && !prepare(&run)) result = MP_ENOMEM;
    if (result < 0) return break_job(range->job, result);
    run.function = (mp_task_function)(uintptr_t)function;
    bool plain = run.job->column_count == 1 && !now.made && !run.job->time_limit;
    run.some = run.items ? run_listed : plain ? run_plain : run_columns;
    int64_t since = run.items ? mp_os_now() : 0;
    uint64_t end = run_items(&run, most);
    if (run.items) atomic_fetch_add_explicit(&now.job->took, (uint64_t)(mp_os_now() - since), memory_order_relaxed);
    uint64_t tasks = atomic_load_explicit(&worker->tasks, memory_order_relaxed) + end - range->from;
    atomic_store_explicit(&worker->at, end | MP__DONE, memory_order_release); /* P4 */
    atomic_store_explicit(&worker->tasks, tasks, memory_order_relaxed);
    return end;
}

/* ---- between them ------------------------------------------------------------------------------------------------ */

/* What it is about to look at, all at once: most of it is in another CPU's caches. */
static void fetch_ahead(const struct mp__pool *pool)
{
    uint64_t newest = atomic_load_explicit(&pool->newest, memory_order_relaxed);
    const char *job = newest ? (const char *)mp__header() + newest : NULL;
    mp__pool_fetch_ahead(pool->id, pool);
    for (size_t at = 0; job && at < sizeof(struct mp__job) + 128; at += 64) MP__FETCH_AHEAD(job + at);
}

/* Whether there is something at another turn, looked for by one worker at a time. Who submits one thing after the other, and is
 * asleep when it is there, takes longer to come than a spin lasts, which is why both would fall asleep each time, for ever: so
 * who was woken soon looks out longer. */
static bool look_out(struct mp__pool *pool, uint32_t turn, int64_t slept)
{
    uint32_t nobody = 0;
    if (!atomic_compare_exchange_strong_explicit(&pool->spinner, &nobody, 1, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    struct mp__spin spin = mp__spin_begin_long();
    if (slept < WOKEN_SOON * spin.limit) spin.limit *= LOOK_LONGER;
    bool paid = false, seen = false;
    /* Who has made it another turn lets go of the lock right then. */
    while (!paid && mp__spin_again_soon(&spin)) {
        if (atomic_load_explicit(&pool->turn, memory_order_relaxed) == turn) continue;
        if (!seen) fetch_ahead(pool);
        seen = true;
        paid = !mp__pool_is_locked(pool->id);
    }
    atomic_store_explicit(&pool->spinner, 0, memory_order_relaxed); /* P7: the fence is that of who prepares to sleep */
    return paid;
}

/* There was nothing at that turn. */
static void rest(struct mp__pool *pool, uint32_t turn)
{
    static int64_t slept = INT64_MAX;
    fflush(stdout);
    if (look_out(pool, turn, slept)) return;
    _Atomic uint32_t *bell = mp__pool_bell(pool->id);
    if (!bell) return;
    uint32_t value = mp__eventcount_prepare(bell); /* P7 */
    atomic_thread_fence(memory_order_seq_cst);
    int64_t since = mp_os_now();
    if (atomic_load_explicit(&pool->turn, memory_order_acquire) == turn) mp__janitor_sleep(bell, value, MP_OS_NEVER);
    slept = mp_os_now() - since;
}

/* It was, since then, unless that is 0. */
static void add_busy(int64_t *since)
{
    _Atomic uint64_t *busy = &now.worker->busy;
    if (!*since) return;
    uint64_t more = (uint64_t)(mp_os_now() - *since);
    atomic_store_explicit(busy, atomic_load_explicit(busy, memory_order_relaxed) + more, memory_order_relaxed);
    *since = 0;
}

/* Until there is nothing more to do. */
static void work(struct mp__pool *pool)
{
    const uint64_t most = pool->most_tasks ? pool->most_tasks : UINT64_MAX;
    int64_t since = 0;
    for (uint64_t upto = 0;;) {
        if (mp__pool_enter("a worker", pool->id, &pool) < 0) return;
        uint32_t turn = atomic_load_explicit(&pool->turn, memory_order_relaxed);
        uint64_t tasks = atomic_load_explicit(&now.worker->tasks, memory_order_relaxed);
        uint64_t told = mp__job_report(pool, now.worker, upto, tasks >= most);
        struct mp__range range = now.worker->claim;
        bool over = pool->state >= MP__POOL_TERMINATED || (pool->state == MP__POOL_CLOSED && !pool->unfinished);
        if (over)
            mp__pool_leave_and_ring(pool, UINT32_MAX);
        else
            mp__pool_leave(pool);
        if (told) (void)mp__flag_set(told, MP__RESULT);
        add_busy(&since); /* who waits for the result does not wait for this */
        if (over || tasks >= most) return;
        now.job = mp__job_at(range.job);
        if (now.job) since = mp_os_now();
        if (now.job)
            upto = run_claim(&range, most - tasks);
        else
            rest(pool, turn);
    }
}

/* ---- the process ------------------------------------------------------------------------------------------------- */

/* The pool knows this one, if who started it still is the supervisor. */
static bool enrol(const struct mp__worker_args *args, uint64_t self)
{
    struct mp__pool *pool;
    if (mp__pool_enter("a worker", args->pool, &pool) < 0) return false;
    struct mp__pool_worker *worker = &pool->workers[args->slot];
    bool wanted = atomic_load_explicit(&pool->supervisor, memory_order_relaxed) == args->supervisor &&
                  (!worker->process || worker->process == self);
    if (wanted) {
        struct mp__change change = mp__change_begin(pool);
        mp__change_set(&change, &worker->process, self);
        mp__change_commit(&change);
        atomic_store_explicit(&worker->tasks, 0, memory_order_relaxed);
        atomic_store_explicit(&worker->busy, 0, memory_order_relaxed);
        now.self = self;
        now.id = args->pool;
        now.pool = pool;
        now.worker = worker;
    }
    mp__pool_leave(pool);
    if (!wanted) mp__process_unname(self); /* nobody knows of it any more */
    return wanted;
}

static int initialize(struct mp__pool *pool)
{
    void *function;
    if (!pool->initializer) return 0;
    int result = find_function(pool->initializer, &function);
    if (result < 0) return result;
    void *args = pool->initargs_size ? mp__pool_at(pool->initargs, pool->initargs_size) : NULL;
    return ((mp_target)(uintptr_t)function)(args);
}

int mp__worker(void *arguments)
{
    const struct mp__worker_args *args = arguments;
    signal(SIGINT, SIG_IGN);
    /* A copy of a worker of another pool. */
    memset(&now, 0, sizeof now);
    memset(known, 0, sizeof known);
    if (!enrol(args, mp__family_id())) return 0;
    struct mp__pool *pool = now.pool;
    int result = initialize(pool);
    if (mp__pool_enter("a worker", args->pool, &pool) < 0) return 0;
    if (result) {
        pool->error = (uint64_t)(int64_t)MP_EINIT;
        pool->code = (uint64_t)(int64_t)result;
        pool->killed = 0;
    } else {
        now.worker->ready = 1;
    }
    mp__pool_leave(pool);
    if (!result) work(pool);
    return result;
}
