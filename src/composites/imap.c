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
#include "composites/imap.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "composites/callback.h"
#include "composites/inbox.h"
#include "composites/job.h"
#include "composites/pool_call.h"
#include "primitives/flag.h"
#include "primitives/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_TIME  INT64_C(20000)    /* ns: as much as a batch shall take */
#define PAUSE_MOST  INT64_C(20000000) /* ns that a slow source is not read, for what is about to be done */
#define PAUSE_LEAST INT64_C(1000000)
#define AHEAD       ((size_t)4) /* batches for each worker */

/* ---- lists of batches -------------------------------------------------------------------------------------------- */

static void append(struct mp__batches *list, struct mp__batch *batch)
{
    batch->next = NULL;
    if (list->last)
        list->last->next = batch;
    else
        list->first = batch;
    list->last = batch;
}

static void take(struct mp__batches *list, struct mp__batch *batch)
{
    struct mp__batch **link = &list->first, *before = NULL;
    while (*link != batch) {
        before = *link;
        link = &before->next;
    }
    *link = batch->next;
    if (list->last == batch) list->last = before;
}

/* ---- the window -------------------------------------------------------------------------------------------------- */

/* How many items it has, and how many of them go together. */
static size_t window_of(const mp_imap *imap, size_t *batch)
{
    size_t ahead = imap->options.read_ahead, chunk = imap->options.chunk_size;
    *batch = chunk ? chunk : imap->batch_size;
    if (*batch > MP__BATCH_MOST) *batch = MP__BATCH_MOST;
    if (!ahead) return *batch * AHEAD * imap->workers;
    if (!chunk && *batch > ahead / (2 * imap->workers)) *batch = ahead / (2 * imap->workers);
    if (*batch > ahead) *batch = ahead;
    if (!*batch) *batch = 1;
    return ahead;
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

/* What is gathered: 0 or an error (detail set), and it is kept. */
static int submit(mp_imap *imap)
{
    struct mp__batch *batch = calloc(1, sizeof *batch);
    if (imap->options.stop.id && !mp__control_of(imap->options.stop.id, MP__EVENT)) imap->options.stop.id = 0;
    if (!batch) return mp__fail(MP_ENOMEM, "mp_imap_next: no memory");
    *batch = (struct mp__batch){.first = imap->read - imap->gathered, .count = imap->gathered};
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
    for (struct mp__batch *batch = imap->submitted.first; batch; batch = batch->next)
        if (!batch->finished) told |= mp__job_cancel(pool, batch->job);
    mp__pool_leave(pool);
    if (told) (void)mp__flag_set(imap->flag, MP__RESULT);
}

/* Whether it has just been told to stop: then it ends. */
static bool stops(mp_imap *imap)
{
    uint64_t state, stop = imap->options.stop.id;
    if (!stop || imap->stopped || !mp__flag_find(stop, MP__EVENT, &state) || !(state & MP__FLAG_SET)) return false;
    imap->stopped = true;
    if (!imap->exhausted) mp__imap_end(imap, mp__fail(MP_ECANCELED, "mp_imap_next: it was told to stop"));
    if (imap->gathered && submit(imap) < 0) imap->gathered = imap->size = 0; /* to be cancelled with the others */
    cancel_rest(imap);
    return true;
}

/* Whether something has come back. */
static bool is_told(const mp_imap *imap)
{
    uint64_t state;
    return mp__flag_find(imap->flag, MP__RESULT, &state) && state & MP__FLAG_SET;
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
    uint64_t stop = imap->stopped ? 0 : imap->options.stop.id;
    if (stop && !mp__control_of(stop, MP__EVENT)) stop = 0;
    size_t which;
    mp_handle items[] = {{imap->flag}, {stop}, {mp__callbacks_flag(imap->pool)}};
    int64_t until = mp__callbacks_slice(imap->pool, mp__progress_slice(&imap->progress, deadline));
    int result = mp__wait(items, 3, &which, until);
    if (result == MP_EBADHANDLE && mp__pool_of("mp_imap_next", imap->pool)) return 0; /* that event is no more */
    if (result == MP_ETIMEDOUT && !mp__deadline_passed(deadline)) return 0;
    return result == MP_ETIMEDOUT ? mp__fail(result, "mp_imap_next: no item is there yet") : result;
}

/* Before a slow source is asked again: most often what was submitted is done sooner. */
static void pause_for(mp_imap *imap, int64_t deadline)
{
    int64_t pause = imap->reading / 2 < PAUSE_MOST ? imap->reading / 2 : PAUSE_MOST, until = mp_os_now() + pause;
    if (imap->submitted.first && !is_told(imap)) (void)await(imap, until < deadline ? until : deadline);
}

/* Submit as much as there is room for; but a slow source is not asked again while something is there, or the time is over. 0 or
 * an error (detail set) that may pass. */
static int fill(mp_imap *imap, int64_t deadline)
{
    for (;;) {
        size_t batch, window = window_of(imap, &batch);
        size_t room = window > imap->outside ? window - imap->outside : 0;
        int result = 0;
        if (stops(imap)) return 0;
        if (imap->gathered < batch && imap->gathered < room)
            result = mp__imap_gather(imap, batch < room ? batch : room);
        if (result == MP_ENOTOWNER || result == MP_ECANCELED) return result;
        if (!imap->gathered || !room) return result;
        int submitted = submit(imap);
        if (submitted == MP_ENOMEM) return submitted;
        if (submitted < 0) {
            imap->gathered = imap->size = 0;
            mp__imap_end(imap, submitted);
            return 0;
        }
        if (result < 0 || imap->dry) return result;
        if (mp__deadline_passed(deadline)) return 0;
        if (!mp__imap_is_slow(imap)) continue;
        pause_for(imap, deadline);
        if (is_told(imap)) return 0;
    }
}

/* How many shall go together, after what that one took. */
static void adapt(mp_imap *imap, const struct mp__batch *batch, const struct mp__job *job)
{
    uint64_t each = atomic_load_explicit(&job->took, memory_order_relaxed) / batch->count + 1;
    uint64_t wanted = (uint64_t)BATCH_TIME / each;
    if (wanted > 2 * imap->batch_size) wanted = 2 * imap->batch_size;
    if (wanted > MP__BATCH_MOST) wanted = MP__BATCH_MOST;
    imap->batch_size = wanted ? (size_t)wanted : 1;
}

/* Those that have come back: 0 or an error (detail set). */
static int collect(mp_imap *imap)
{
    struct mp__pool *pool;
    if (mp__flag_clear(imap->flag, MP__RESULT) == 0) return 0;
    int result = mp__pool_enter("mp_imap_next", imap->pool, &pool);
    if (result < 0) { /* later, perhaps */
        (void)mp__flag_set(imap->flag, MP__RESULT);
        return result;
    }
    for (uint64_t offset; (offset = mp__inbox_take(pool, imap->inbox));) {
        const struct mp__job *job = mp__job_at(offset);
        struct mp__batch *batch = job ? (struct mp__batch *)(uintptr_t)job->cookie : NULL;
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
    struct mp__batch *batch = imap->current;
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
    struct mp__batches *list = imap->ordered ? &imap->submitted : &imap->finished;
    struct mp__batch *batch = list->first;
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
    if (!mp__progress_is_due(&imap->progress, mp_os_now()) || mp__pool_enter("mp_imap_next", imap->pool, &pool) < 0)
        return;
    mp_progress *now = &imap->progress.now;
    now->running = 0;
    now->workers = mp__pool_present(pool);
    for (struct mp__batch *batch = imap->submitted.first; batch; batch = batch->next) {
        if (batch->finished) continue;
        (void)mp__job_done(pool, batch->job, &running);
        now->running += (size_t)running;
    }
    mp__pool_leave(pool);
    mp__progress_show(&imap->progress);
}

/* Nothing is there: 0: look again; or an error (detail set). */
static int wait_for_more(mp_imap *imap, int filled, int64_t deadline)
{
    bool reads = !imap->exhausted && imap->dry;
    if (!imap->submitted.first && filled < 0) return filled;
    if (!imap->submitted.first) return mp__fail(MP_ETIMEDOUT, "mp_imap_next: the source has nothing yet");
    int64_t soon = mp_os_now() + (imap->reading > PAUSE_LEAST ? imap->reading : PAUSE_LEAST);
    if (!reads || deadline < soon) return await(imap, deadline);
    int result = await(imap, soon);
    return result == MP_ETIMEDOUT ? 0 : result;
}

static int next(mp_imap *imap, mp_item *item, int64_t deadline)
{
    if (imap->current && imap->at == imap->current->count) release(imap);
    for (bool asked = false;;) {
        if (imap->current) return hand_out(imap, item);
        (void)mp__callbacks_run("mp_imap_next", imap->pool);
        show(imap);
        int result = mp__imap_interrupted(imap);
        if (result == 0) result = collect(imap);
        if (result < 0) return result;
        if (stops(imap)) continue;
        size_t batch, window = window_of(imap, &batch);
        /* What is there comes first, unless workers may run out of work. */
        if ((imap->outside > window / 2 || mp__imap_is_slow(imap)) && begin_batch(imap)) continue;
        if (mp__imap_is_slow(imap) && !imap->exhausted && !asked) pause_for(imap, deadline);
        if (mp__imap_is_slow(imap) && is_told(imap)) continue;
        int filled = asked && mp__deadline_passed(deadline) ? 0 : fill(imap, deadline);
        asked = true;
        if (filled == MP_ENOTOWNER || filled == MP_ECANCELED) return filled;
        if (imap->exhausted && !imap->gathered) shut(imap);
        if (begin_batch(imap)) continue;
        bool over = imap->exhausted && !imap->gathered && !imap->submitted.first && !imap->finished.first;
        if (over) return finish(imap);
        result = wait_for_more(imap, filled, deadline);
        if (result < 0) return result;
    }
}

/* Who waits for the pool is told if it is this thread that it waits for. */
static int be_known(mp_imap *imap)
{
    struct mp__pool *pool;
    if (imap->thread == mp__self.owner) return 0;
    int result = mp__pool_enter("mp_imap_next", imap->pool, &pool);
    if (result < 0) return result;
    struct mp__inbox *inbox = mp__inbox_at(imap->inbox);
    if (inbox) inbox->thread = mp__self.owner;
    imap->thread = mp__self.owner;
    mp__pool_leave(pool);
    return 0;
}

static void destroy(mp_imap *imap);

int mp_imap_next(mp_imap *imap, mp_item *item, int64_t timeout_ms)
{
    static const char call[] = "mp_imap_next";
    if (!imap || !item) return mp__fail(MP_EINVAL, "%s: %s is NULL", call, imap ? "item" : "imap");
    if (mp__imap_is_copy(imap)) return mp__imap_interrupted(imap);
    if (imap->busy)
        return mp__fail(MP_EBUSY, "%s: a call of this imap is going on: a source, or a callback, made this one", call);
    int result = mp__thread_join();
    if (result == 0 && !mp__pool_of(call, imap->pool)) result = MP_EBADHANDLE;
    if (result == 0) result = be_known(imap);
    if (result < 0) return result;
    imap->busy = true;
    result = next(imap, item, mp__deadline(timeout_ms));
    imap->busy = imap->doomed;
    if (!imap->doomed) return result;
    destroy(imap);
    return mp__fail(MP_ECANCELED, "%s: the imap was destroyed meanwhile", call);
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
                            .count = MP__BATCH_MOST,
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
    bool needs_state = plan->source == mp_source_array || plan->source == mp_source_lines;
    if (result == 0 && needs_state && !plan->state) result = mp__fail(MP_EINVAL, "%s: state is NULL", plan->name);
    if (result == 0) result = mp__thread_join();
    if (result < 0) return result;
    const struct mp__pool *found = mp__pool_of(plan->name, pool.id);
    if (!found) return MP_EBADHANDLE;
    mp_imap *imap = malloc(sizeof *imap);
    if (!imap) return mp__fail(MP_ENOMEM, "%s: no memory", plan->name);
    *imap = *plan;
    imap->owner = mp__family_id();
    imap->pool = pool.id;
    imap->workers = found->count ? (size_t)found->count : 1; /* it may just have been destroyed */
    imap->batch_size = 1;
    imap->thread = mp__self.owner;
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

static void free_batches(struct mp__pool *pool, struct mp__batch *batch)
{
    while (batch) {
        struct mp__batch *next = batch->next;
        if (pool) {
            if (!batch->finished) (void)mp__job_cancel(pool, batch->job);
            mp__job_forget(pool, batch->job, false);
        }
        free(batch);
        batch = next;
    }
}

static void destroy(mp_imap *imap)
{
    struct mp__pool *pool = NULL;
    imap->busy = true; /* whatever is called of the caller's */
    if (imap->doomed)
        mp__progress_abandon(&imap->progress);
    else if (!mp__imap_is_copy(imap))
        mp__progress_end(&imap->progress);
    bool mine = !mp__imap_is_copy(imap);
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

void mp_imap_destroy(mp_imap *imap)
{
    if (!imap) return;
    if (imap->busy)
        imap->doomed = true;
    else
        destroy(imap);
}
