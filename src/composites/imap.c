/* SPDX-License-Identifier: MIT
 *
 * imap.c - imap and imap_unordered: a window of batches that runs over the inputs.
 *
 * A batch is a job of some items that were read one after the other. As many are submitted as the window has room for; they
 * come back by way of an inbox (inbox.h), and are handed out item by item, in order or as they come. While tasks are short
 * batches grow, as far as they take a moment, so that what is done once for each does not count.
 *
 * All of it is this process's and is lost with it: its jobs are the supervisor's then.
 */
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "composites/inbox.h"
#include "composites/job.h"
#include "composites/pool_call.h"
#include "composites/progress.h"
#include "primitives/flag.h"
#include "primitives/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNED(size) (((size) + 1 + 15) / 16 * 16) /* with the 0 behind it */
#define BATCH_TIME    INT64_C(20000)                /* ns: as much as a batch shall take, */
#define BATCH_MOST    ((size_t)256)                 /* items that it has at most */
#define BATCH_BYTES   ((size_t)65536)               /* and bytes, if there are several */
#define GATHER_TIME   INT64_C(50000)                /* ns that its first item waits for others */
#define AHEAD         ((size_t)4)                   /* batches for each worker */

struct batch {
    struct batch *next; /* as they were submitted, in order; or as they came back */
    uint64_t job;       /* offset */
    uint64_t first;
    size_t count;
    bool finished;
};

struct list {
    struct batch *first, *last;
};

struct mp_imap {
    const char *name; /* of the call that has made it */
    uint64_t owner, pool, inbox, flag;
    mp_task_function function;
    mp_source source;
    void *state;
    size_t output_size, workers;
    bool ordered;
    mp_call_options options;
    /* The inputs. */
    size_t read; /* items */
    bool exhausted, is_shut;
    int failure;           /* why it ends early, or 0 */
    char detail[256];      /* of that */
    size_t batch_size;     /* items */
    char *bytes;           /* of those that are gathered */
    size_t size, capacity; /* bytes there */
    size_t gathered;
    struct mp__pool_item items[BATCH_MOST];
    /* The window. */
    size_t outside; /* items that are submitted, and not handed out */
    struct list submitted, finished;
    struct batch *current; /* its items are being handed out */
    size_t at;             /* up to that one */
    struct mp__progress progress;
};

/* ---- lists of batches -------------------------------------------------------------------------------------------- */

static void append(struct list *list, struct batch *batch)
{
    batch->next = NULL;
    if (list->last)
        list->last->next = batch;
    else
        list->first = batch;
    list->last = batch;
}

static void take(struct list *list, struct batch *batch)
{
    struct batch **link = &list->first, *before = NULL;
    while (*link != batch) {
        before = *link;
        link = &before->next;
    }
    *link = batch->next;
    if (list->last == batch) list->last = before;
}

/* ---- the inputs -------------------------------------------------------------------------------------------------- */

int mp_source_array(void *items, mp_bytes *input)
{
    mp_items *left = items;
    if (!left->count) return 0;
    *input = (mp_bytes){left->items, left->item_size};
    if (left->items) left->items = (const char *)left->items + left->item_size;
    left->count--;
    return 1;
}

int mp_source_lines(void *file, mp_bytes *input)
{
    const char *line;
    size_t size;
    int error = mp_os_read_line(file, &line, &size);
    if (error) return mp__fail_os(error, "mp_source_lines: can not read");
    if (!line) return 0;
    *input = (mp_bytes){line, size};
    return 1;
}

/* Nothing more is read. It ends when what is submitted has been handed out, with that failure, if it is one (detail set). */
static void end(mp_imap *imap, int failure)
{
    imap->exhausted = true;
    if (imap->failure || !failure) return;
    imap->failure = failure;
    (void)snprintf(imap->detail, sizeof imap->detail, "%s", mp_error_detail());
}

/* Nothing more is submitted: a pool that is closed need not wait for that. */
static void shut(mp_imap *imap)
{
    struct mp__pool *pool;
    if (imap->is_shut || mp__pool_enter("mp_imap_next", imap->pool, &pool) < 0) return;
    imap->is_shut = true;
    if (mp__inbox_close(pool, imap->inbox))
        mp__pool_leave_and_ring(pool, UINT32_MAX);
    else
        mp__pool_leave(pool);
}

/* 0 or an error (detail set). */
static int keep(mp_imap *imap, const mp_bytes *input)
{
    if ((!input->data && input->size) || input->size > INT64_MAX / 4)
        return mp__fail(MP_EINVAL, "mp_imap_next: the source gave %zu bytes at %p", input->size, input->data);
    size_t needed = imap->size + ALIGNED(input->size);
    if (needed > imap->capacity) {
        size_t capacity = needed < 4096 ? 4096 : 2 * needed;
        char *bytes = realloc(imap->bytes, capacity);
        if (!bytes) return mp__fail(MP_ENOMEM, "mp_imap_next: no memory for an input of %zu bytes", input->size);
        imap->bytes = bytes;
        imap->capacity = capacity;
    }
    if (input->size) memcpy(imap->bytes + imap->size, input->data, input->size);
    memset(imap->bytes + imap->size + input->size, 0, needed - imap->size - input->size);
    imap->items[imap->gathered++] = (struct mp__pool_item){.input = imap->size, .input_size = input->size};
    imap->size = needed;
    imap->read++;
    return 0;
}

/* Read until there is a batch. */
static void gather(mp_imap *imap, size_t most)
{
    int64_t begun = most > 1 ? mp_os_now() : 0;
    while (!imap->exhausted && imap->gathered < most && imap->size < BATCH_BYTES) {
        mp_bytes input = {NULL, 0};
        int more = imap->source(imap->state, &input);
        if (more < 0 && imap->source != mp_source_lines)
            more = mp__fail(more, "mp_imap_next: the source has failed with %d: %s", more, mp_strerror(more));
        int kept = more > 0 ? keep(imap, &input) : 0;
        if (more <= 0 || kept < 0) end(imap, more < 0 ? more : kept);
        if (most > 1 && mp_os_now() - begun > GATHER_TIME) break;
    }
}

/* ---- the window -------------------------------------------------------------------------------------------------- */

/* How many items it has, and how many of them go together. */
static size_t window_of(const mp_imap *imap, size_t *batch)
{
    size_t ahead = imap->options.read_ahead, chunk = imap->options.chunk_size;
    *batch = chunk ? chunk : imap->batch_size;
    if (*batch > BATCH_MOST) *batch = BATCH_MOST;
    if (!ahead) return *batch * AHEAD * imap->workers;
    if (!chunk && *batch > ahead / (2 * imap->workers)) *batch = ahead / (2 * imap->workers);
    if (*batch > ahead) *batch = ahead;
    if (!*batch) *batch = 1;
    return ahead;
}

/* What is gathered: 0 or an error (detail set), and it is kept. */
static int submit(mp_imap *imap)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return mp__fail(MP_ENOMEM, "mp_imap_next: no memory");
    *batch = (struct batch){.first = imap->read - imap->gathered, .count = imap->gathered};
    struct mp__inputs inputs = {imap->bytes, imap->size, imap->items, batch->first};
    struct mp__call call = {.name = "mp_imap_next",
                            .pool = imap->pool,
                            .function = imap->function,
                            .output_size = imap->output_size,
                            .count = imap->gathered,
                            .inputs = &inputs,
                            .wanted = MP__WANTED_HERE,
                            .wants = true,
                            .inbox = imap->inbox,
                            .inbox_flag = imap->flag,
                            .cookie = batch,
                            .options = imap->options};
    call.options.chunk_size = call.count;
    int result = mp__call_submit(&call, &batch->job);
    if (result < 0) {
        free(batch);
        return result;
    }
    append(&imap->submitted, batch);
    imap->outside += imap->gathered;
    imap->gathered = imap->size = 0;
    return 0;
}

static void cancel_rest(mp_imap *imap)
{
    struct mp__pool *pool;
    if (mp__pool_enter("mp_imap_next", imap->pool, &pool) < 0) return;
    mp__pool_kick(pool);
    uint64_t told = 0;
    for (struct batch *batch = imap->submitted.first; batch; batch = batch->next)
        if (!batch->finished) told |= mp__job_cancel(pool, batch->job);
    mp__pool_leave(pool);
    if (told) (void)mp__flag_set(imap->flag, MP__RESULT);
}

/* Whether it was told to stop: then it ends. */
static bool stops(mp_imap *imap)
{
    uint64_t state;
    uint64_t stop = imap->options.stop.id;
    if (!stop || imap->failure || !mp__flag_find(stop, MP__EVENT, &state) || !(state & MP__FLAG_SET)) return false;
    imap->gathered = imap->size = 0;
    end(imap, mp__fail(MP_ECANCELED, "mp_imap_next: it was told to stop"));
    cancel_rest(imap);
    return true;
}

/* Submit as much as there is room for: 0 or an error (detail set) that may pass. */
static int fill(mp_imap *imap)
{
    for (;;) {
        size_t batch, window = window_of(imap, &batch);
        size_t room = window > imap->outside ? window - imap->outside : 0;
        if (stops(imap)) return 0;
        if (imap->gathered < batch && imap->gathered < room) gather(imap, batch < room ? batch : room);
        if (!imap->gathered) return 0;
        if (!room) return 0;
        int result = submit(imap);
        if (result == MP_ENOMEM) return result;
        if (result < 0) {
            imap->gathered = imap->size = 0;
            end(imap, result);
            return 0;
        }
    }
}

/* How many shall go together, after what that one took. */
static void adapt(mp_imap *imap, const struct batch *batch, const struct mp__job *job)
{
    uint64_t each = atomic_load_explicit(&job->took, memory_order_relaxed) / batch->count + 1;
    uint64_t wanted = (uint64_t)BATCH_TIME / each;
    if (wanted > 2 * imap->batch_size) wanted = 2 * imap->batch_size;
    if (wanted > BATCH_MOST) wanted = BATCH_MOST;
    imap->batch_size = wanted ? (size_t)wanted : 1;
}

/* Those that have come back: 0 or an error (detail set). */
static int collect(mp_imap *imap)
{
    struct mp__pool *pool;
    if (mp__flag_clear(imap->flag, MP__RESULT) == 0) return 0;
    int result = mp__pool_enter("mp_imap_next", imap->pool, &pool);
    if (result < 0) return result;
    for (uint64_t offset; (offset = mp__inbox_take(pool, imap->inbox));) {
        const struct mp__job *job = mp__job_at(offset);
        struct batch *batch = job ? (struct batch *)(uintptr_t)job->cookie : NULL;
        if (!batch) continue;
        batch->finished = true;
        adapt(imap, batch, job);
        imap->progress.now.done += batch->count;
        imap->progress.now.failed += job->broken ? batch->count : (size_t)job->failed;
        imap->progress.now.retried += (size_t)job->retried;
        if (!imap->ordered) {
            take(&imap->submitted, batch);
            append(&imap->finished, batch);
        }
    }
    mp__pool_leave(pool);
    return 0;
}

/* All items of the current one are handed out. */
static void release(mp_imap *imap)
{
    struct mp__pool *pool;
    struct batch *batch = imap->current;
    imap->current = NULL;
    if (mp__pool_enter("mp_imap_next", imap->pool, &pool) == 0) {
        mp__job_forget(pool, batch->job, false);
        mp__pool_leave(pool);
    }
    free(batch);
}

/* The next one that is there. */
static bool begin_batch(mp_imap *imap)
{
    struct list *list = imap->ordered ? &imap->submitted : &imap->finished;
    struct batch *batch = list->first;
    if (!batch || !batch->finished) return false;
    take(list, batch);
    imap->current = batch;
    imap->at = 0;
    return true;
}

/* ---- handing out ------------------------------------------------------------------------------------------------- */

/* 1 or an error (detail set). */
static int hand_out(mp_imap *imap, mp_item *item)
{
    static const char nothing[1] = "";
    struct mp__job *job = mp__job_at(imap->current->job);
    size_t at = imap->at, count = imap->current->count;
    const struct mp__pool_item *items = job ? mp__pool_at(job->items, count * sizeof *items) : NULL;
    if (!items) return mp__fail(MP_ENOMEM, "mp_imap_next: no address space to look at an item");
    struct mp__pool_item one = items[at];
    mp_outcome outcome = mp__outcome_of(mp__job_outcome(job, at));
    uint64_t size = outcome.error ? 0 : one.made.size;
    uint64_t output = outcome.error || !size ? 0 : one.made.big ? one.made.big : job->outputs + at * imap->output_size;
    if (!mp__pool_of("mp_imap_next", imap->pool)) return MP_EBADHANDLE; /* still what that says */
    *item = (mp_item){.index = imap->current->first + at,
                      .input = {mp__pool_at(one.input, one.input_size + 1), one.input_size},
                      .output = {outcome.error ? NULL : nothing, 0},
                      .outcome = outcome};
    if (output) item->output = (mp_bytes){mp__pool_at(output, size), size};
    if (!item->input.data || (!item->output.data && !outcome.error))
        return mp__fail(MP_ENOMEM, "mp_imap_next: no address space to look at an item");
    imap->at++;
    imap->outside--;
    return 1;
}

/* It is over. */
static int finish(mp_imap *imap)
{
    mp__progress_end(&imap->progress);
    return imap->failure ? mp__fail(imap->failure, "%s", imap->detail) : 0;
}

static void show(mp_imap *imap)
{
    uint64_t running;
    struct mp__pool *pool;
    if (!mp__progress_is_due(&imap->progress) || mp__pool_enter("mp_imap_next", imap->pool, &pool) < 0) return;
    mp_progress *now = &imap->progress.now;
    now->running = 0;
    now->workers = mp__pool_present(pool);
    for (struct batch *batch = imap->submitted.first; batch; batch = batch->next) {
        if (batch->finished) continue;
        (void)mp__job_done(pool, batch->job, &running);
        now->running += (size_t)running;
    }
    mp__pool_leave(pool);
    mp__progress_show(&imap->progress);
}

/* Until something has come back: 0, or an error (detail set). */
static int await(mp_imap *imap, int64_t deadline)
{
    uint64_t state;
    struct mp__control *control = mp__flag_find(imap->flag, MP__RESULT, &state);
    if (!control) return mp__fail_handle("mp_imap_next", imap->pool, "pool");
    bool there = state & MP__FLAG_SET;
    if (!there && !mp__deadline_passed(deadline)) there = mp__flag_spin(control, state);
    if (there) return 0;
    uint64_t stop = imap->failure ? 0 : imap->options.stop.id;
    if (stop && !mp__control_of(stop, MP__EVENT)) stop = 0;
    size_t which;
    mp_handle items[] = {{imap->flag}, {stop}};
    int64_t until = mp__progress_slice(&imap->progress, deadline);
    int result = mp__wait(items, 2, &which, until);
    if (result == MP_EBADHANDLE && mp__pool_of("mp_imap_next", imap->pool)) return 0; /* that event is no more */
    if (result == MP_ETIMEDOUT && !mp__deadline_passed(deadline)) return 0;
    return result == MP_ETIMEDOUT ? mp__fail(result, "mp_imap_next: no item is there yet") : result;
}

static int next(mp_imap *imap, mp_item *item, int64_t deadline)
{
    if (imap->current && imap->at == imap->current->count) release(imap);
    for (;;) {
        if (imap->current) return hand_out(imap, item);
        int result = collect(imap);
        if (result < 0) return result;
        if (stops(imap)) continue;
        show(imap);
        size_t batch, window = window_of(imap, &batch);
        /* What is there comes first, unless workers may run out of work. */
        if (imap->outside > window / 2 && begin_batch(imap)) continue;
        int filled = fill(imap);
        if (imap->exhausted && !imap->gathered) shut(imap);
        if (begin_batch(imap)) continue;
        if (!imap->submitted.first && !imap->finished.first) return filled < 0 ? filled : finish(imap);
        result = await(imap, deadline);
        if (result < 0) return result;
    }
}

int mp_imap_next(mp_imap *imap, mp_item *item, int64_t timeout_ms)
{
    static const char call[] = "mp_imap_next";
    if (!imap || !item) return mp__fail(MP_EINVAL, "%s: %s is NULL", call, imap ? "item" : "imap");
    if (imap->owner != mp__family_id()) return mp__fail(MP_ENOTOWNER, "%s: the imap is another process's", call);
    int result = mp__thread_join();
    struct mp__inbox *inbox = result == 0 && mp__pool_of(call, imap->pool) ? mp__inbox_at(imap->inbox) : NULL;
    if (!inbox) return result < 0 ? result : MP_EBADHANDLE;
    atomic_store_explicit(&inbox->thread, mp__self.owner, memory_order_relaxed);
    return next(imap, item, mp__deadline(timeout_ms));
}

/* ---- its life ---------------------------------------------------------------------------------------------------- */

static int check(const mp_imap *imap, mp_imap **created)
{
    const mp_call_options *options = &imap->options;
    struct mp__inputs inputs = {.bytes = NULL};
    if (!created) return mp__fail(MP_EINVAL, "%s: imap is NULL", imap->name);
    if (!imap->source) return mp__fail(MP_EINVAL, "%s: source is NULL", imap->name);
    if (options->callback || options->error_callback)
        return mp__fail(MP_EINVAL, "%s: callbacks are of the async calls; mp_imap_next returns items", imap->name);
    if (options->read_ahead > INT64_MAX)
        return mp__fail(MP_EINVAL, "%s: options.read_ahead is no size (a negative number)", imap->name);
    struct mp__call call = {.name = imap->name,
                            .function = imap->function,
                            .output_size = imap->output_size,
                            .count = BATCH_MOST,
                            .inputs = &inputs,
                            .options = *options};
    return mp__call_check(&call);
}

/* What array it is, if it is one, and how long. */
static size_t total_of(mp_source source, const void *state)
{
    return source == mp_source_array && state ? ((const mp_items *)state)->count : 0;
}

static int create(const mp_imap *plan, mp_pool pool, mp_imap **created)
{
    int result = check(plan, created);
    if (result == 0 && plan->source == mp_source_array && !plan->state)
        result = mp__fail(MP_EINVAL, "%s: state is NULL", plan->name);
    if (result == 0) result = mp__thread_join();
    if (result < 0) return result;
    const struct mp__pool *found = mp__pool_of(plan->name, pool.id);
    if (!found) return MP_EBADHANDLE;
    mp_imap *imap = malloc(sizeof *imap);
    if (!imap) return mp__fail(MP_ENOMEM, "%s: no memory", plan->name);
    *imap = *plan;
    imap->owner = mp__family_id();
    imap->pool = pool.id;
    imap->workers = (size_t)found->count;
    imap->batch_size = 1;
    result = mp__inbox_create(plan->name, pool.id, true, &imap->inbox, &imap->flag);
    if (result < 0) {
        free(imap);
        return result;
    }
    mp__progress_begin(&imap->progress, &imap->options, total_of(plan->source, plan->state));
    *created = imap;
    return 0;
}

int mp_pool_imap(mp_pool pool, mp_imap **imap, mp_task_function function, mp_source source, void *state,
                 size_t output_size, const mp_call_options *options)
{
    mp_imap plan = {.name = "mp_pool_imap",
                    .function = function,
                    .source = source,
                    .state = state,
                    .output_size = output_size,
                    .ordered = true};
    if (options) plan.options = *options;
    return create(&plan, pool, imap);
}

int mp_pool_imap_unordered(mp_pool pool, mp_imap **imap, mp_task_function function, mp_source source, void *state,
                           size_t output_size, const mp_call_options *options)
{
    mp_imap plan = {.name = "mp_pool_imap_unordered",
                    .function = function,
                    .source = source,
                    .state = state,
                    .output_size = output_size};
    if (options) plan.options = *options;
    return create(&plan, pool, imap);
}

static void free_batches(struct mp__pool *pool, struct batch *batch)
{
    while (batch) {
        struct batch *next = batch->next;
        if (pool) {
            if (!batch->finished) (void)mp__job_cancel(pool, batch->job);
            mp__job_forget(pool, batch->job, false);
        }
        free(batch);
        batch = next;
    }
}

void mp_imap_destroy(mp_imap *imap)
{
    struct mp__pool *pool = NULL;
    if (!imap) return;
    bool mine = imap->owner == mp__family_id();
    if (mine) mp__progress_end(&imap->progress);
    if (mine && mp__pool_enter("mp_imap_destroy", imap->pool, &pool) < 0) pool = NULL;
    if (pool) mp__pool_kick(pool);
    if (imap->current) imap->current->next = NULL;
    free_batches(pool, imap->current);
    free_batches(pool, imap->submitted.first);
    free_batches(pool, imap->finished.first);
    if (pool) {
        mp__inbox_destroy(pool, imap->inbox);
        mp__pool_leave_and_ring(pool, UINT32_MAX);
    }
    free(imap->bytes);
    free(imap);
}
