/* SPDX-License-Identifier: MIT
 *
 * job.c - jobs in a pool.
 */
#include "composites/job.h"
#include "base/error.h"
#include "composites/inbox.h"
#include "composites/pool.h"

#include <string.h>

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void mp__pool_adopt(struct mp__change *change, uint64_t offset)
{
    struct mp__pool *pool = change->pool;
    pool->adopting = offset; /* P5 */
    MP__THEN;
    mp__heap_set_ref(offset, pool->id);
    mp__change_set(change, &pool->adopting, 0);
}

void mp__pool_drop(struct mp__pool *pool)
{
    if (pool->dropping && mp__heap_ref(pool->dropping) == pool->id) mp__heap_free(pool->dropping);
    MP__THEN;
    pool->dropping = 0;
}

/* The lists of jobs change in these only. */
static void unlink_from_all(struct mp__change *change, const struct mp__job *job)
{
    struct mp__job *before = mp__job_at(job->before), *after = mp__job_at(job->after);
    mp__change_set(change, before ? &before->after : &change->pool->all, job->after);
    if (after) mp__change_set(change, &after->before, job->before);
}

static void unlink_from_queue(struct mp__change *change, uint64_t offset)
{
    struct mp__pool *pool = change->pool;
    const uint64_t *link = &pool->first;
    uint64_t before = 0;
    while (*link && *link != offset) {
        struct mp__job *job = mp__job_at(*link);
        if (!job) return;
        before = *link;
        link = &job->next;
    }
    const struct mp__job *job = mp__job_at(offset);
    if (!*link || !job) return;
    mp__change_set(change, link, job->next);
    if (pool->last == offset) mp__change_set(change, &pool->last, before);
}

/* It goes: the memory is kept, if it is small, or `dropping`. It is in no list. */
static void give_back(struct mp__change *change, uint64_t offset, const struct mp__job *job)
{
    struct mp__pool *pool = change->pool;
    if (job->capacity == MP__JOB_SMALL && pool->spares < MP__JOB_SPARES) {
        mp__change_set(change, &job->next, pool->spare);
        mp__change_set(change, &pool->spare, offset);
        mp__change_set(change, &pool->spares, pool->spares + 1);
    } else {
        mp__change_set(change, &pool->dropping, offset);
    }
}

void mp__job_queue(struct mp__pool *pool, uint64_t offset)
{
    struct mp__job *job = mp__job_at(offset), *last = mp__job_at(pool->last);
    struct mp__change change = mp__change_begin(pool);
    if (offset == pool->spare) {
        mp__change_set(&change, &pool->spare, job->next);
        mp__change_set(&change, &pool->spares, pool->spares - 1);
    } else {
        mp__pool_adopt(&change, offset);
    }
    mp__change_set(&change, &job->next, 0);
    struct mp__job *first = mp__job_at(pool->all);
    if (first) mp__change_set(&change, &first->before, offset);
    mp__change_set(&change, &job->after, pool->all);
    mp__change_set(&change, &job->before, 0);
    mp__change_set(&change, &pool->all, offset);
    if (job->count) {
        mp__change_set(&change, last ? &last->next : &pool->first, offset);
        mp__change_set(&change, &pool->last, offset);
        mp__change_set(&change, &pool->unfinished, pool->unfinished + 1);
        mp__change_set(&change, &pool->submitted, pool->submitted + job->count);
    } else if (job->inbox) {
        mp__inbox_add(&change, offset, job); /* P8 */
    }
    mp__change_commit(&change);
}

/* ---- finishing --------------------------------------------------------------------------------------------------- */

/* So many items more are finished: P3. Returns the result's id, if those were the last. A job that nobody asks for goes; what
 * hung on it went when it was forgotten. */
static uint64_t finish(struct mp__change *change, uint64_t offset, struct mp__job *job, uint64_t count)
{
    uint64_t finished = mp__change_get(change, &job->finished) + count;
    if (!count) return 0;
    mp__change_set(change, &job->finished, finished);
    mp__change_add(change, &change->pool->done, count);
    if (finished < job->count) return 0;
    mp__change_add(change, &change->pool->unfinished, UINT64_MAX);
    if (job->inbox) mp__inbox_add(change, offset, job);
    if (job->result) return job->result;
    unlink_from_all(change, job);
    give_back(change, offset, job);
    return 0;
}

/* P3: there is room for as many as there are workers, and a worker has just lost its claim. */
static void come_back(struct mp__change *change, const struct mp__range *range)
{
    struct mp__pool *pool = change->pool;
    uint64_t i = 0;
    while (pool->returned[i].job) i++;
    mp__change_set(change, &pool->returned[i].job, range->job);
    mp__change_set(change, &pool->returned[i].from, range->from);
    mp__change_set(change, &pool->returned[i].to, range->to);
    mp__change_set(change, &pool->returned[i].attempt, range->attempt);
    mp__change_set(change, &pool->returned_count, pool->returned_count + 1);
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

static void lay_claim(struct mp__change *change, struct mp__pool_worker *worker, const struct mp__range *range)
{
    mp__change_put(change, &worker->claim.job, range->job);
    mp__change_put(change, &worker->claim.from, range->from);
    mp__change_put(change, &worker->claim.to, range->to);
    mp__change_put(change, &worker->claim.attempt, range->attempt);
    /* Nobody else looks at these now without the lock. */
    mp__change_put(change, (uint64_t *)(void *)&worker->at, 0); /* P4: nothing of it has begun */
    mp__change_put(change, (uint64_t *)(void *)&worker->taken, range->from);
    mp__change_put(change, (uint64_t *)(void *)&worker->limit, range->to);
}

static bool take_returned(struct mp__change *change, struct mp__pool_worker *worker)
{
    struct mp__pool *pool = change->pool;
    uint64_t i = 0;
    if (!pool->returned_count) return false;
    while (!pool->returned[i].job) i++;
    lay_claim(change, worker, &pool->returned[i]);
    mp__change_put(change, &pool->returned[i].job, 0);
    mp__change_put(change, &pool->returned_count, pool->returned_count - 1);
    return true;
}

/* A part for each worker, in whole chunks: who is done with its own takes from others. */
static uint64_t part_of(const struct mp__pool *pool, const struct mp__job *job)
{
    uint64_t left = job->end - job->cursor, part = (left + pool->count - 1) / pool->count;
    if (job->chunk > 1)
        part = part <= left - left % job->chunk ? (part + job->chunk - 1) / job->chunk * job->chunk : left;
    return part < left ? part : left;
}

static bool take_next(struct mp__change *change, struct mp__pool_worker *worker)
{
    struct mp__pool *pool = change->pool;
    struct mp__job *job = mp__job_at(pool->first);
    if (!job) return false;
    uint64_t to = job->cursor + part_of(pool, job);
    lay_claim(change, worker, &(struct mp__range){.job = pool->first, .from = job->cursor, .to = to});
    mp__change_put(change, &job->cursor, to);
    if (to < job->end) return true;
    if (pool->last == pool->first) mp__change_put(change, &pool->last, 0);
    mp__change_put(change, &pool->first, job->next);
    return true;
}

/* What others may take of its claim: all but what it has taken, and the first item, without which it would have a claim to
 * nothing, of a job that others could finish (P3). */
static uint64_t room_of(const struct mp__pool_worker *worker)
{
    uint64_t taken = atomic_load_explicit(&worker->taken, memory_order_relaxed);
    if (taken == worker->claim.from) taken++;
    return worker->claim.job && taken < worker->claim.to ? worker->claim.to - taken : 0;
}

/* Cut so many items, which there was room for, off the end of its claim, or as many as can be had: *range; false: none. Whoever
 * does says that its claim ends there, in a change. */
static bool cut(struct mp__pool_worker *worker, uint64_t wanted, struct mp__range *range)
{
    uint64_t end = worker->claim.to, from = end - wanted;
    atomic_store_explicit(&worker->limit, from, memory_order_seq_cst);
    uint64_t taken = atomic_load_explicit(&worker->taken, memory_order_seq_cst); /* P6 */
    if (taken > from) {
        from = taken < end ? taken : end;
        atomic_store_explicit(&worker->limit, from, memory_order_seq_cst);
    }
    *range = (struct mp__range){.job = worker->claim.job, .from = from, .to = end};
    return from < end;
}

/* Half of what the one that has most has not begun. */
static bool take_from_another(struct mp__change *change, struct mp__pool_worker *worker)
{
    struct mp__pool *pool = change->pool;
    struct mp__pool_worker *victim = NULL;
    uint64_t room = 0;
    for (uint64_t i = 0; i < pool->count; i++) {
        uint64_t has = &pool->workers[i] == worker ? 0 : room_of(&pool->workers[i]);
        if (has <= room) continue;
        room = has;
        victim = &pool->workers[i];
    }
    struct mp__range range;
    if (!victim || !cut(victim, (room + 1) / 2, &range)) return false;
    mp__change_put(change, &victim->claim.to, range.from);
    lay_claim(change, worker, &range);
    return true;
}

static bool take(struct mp__change *change, struct mp__pool_worker *worker)
{
    return take_returned(change, worker) || take_next(change, worker) || take_from_another(change, worker);
}

static uint64_t report(struct mp__pool *pool, struct mp__pool_worker *worker, struct mp__job *job, uint64_t upto)
{
    struct mp__change change = mp__change_begin(pool);
    struct mp__range rest = worker->claim;
    if (upto < rest.to) {
        if (upto > rest.from) rest.attempt = 0;
        rest.from = upto;
        come_back(&change, &rest);
    }
    uint64_t told = finish(&change, worker->claim.job, job, upto - worker->claim.from);
    mp__change_put(&change, &worker->claim.job, 0);
    mp__change_commit(&change);
    if (pool->dropping) mp__pool_drop(pool);
    return told;
}

uint64_t mp__job_report(struct mp__pool *pool, struct mp__pool_worker *worker, uint64_t upto, bool rests)
{
    struct mp__job *job = mp__job_at(worker->claim.job);
    uint64_t told = job ? report(pool, worker, job, upto) : 0;
    /* Another change: what came back may be what it takes. */
    struct mp__change change = mp__change_begin(pool);
    if (!rests && pool->state < MP__POOL_TERMINATED && take(&change, worker)) mp__change_commit(&change);
    return told;
}

void mp__job_repair(struct mp__pool *pool)
{
    for (uint64_t i = 0; i < pool->count; i++)
        atomic_store_explicit(&pool->workers[i].limit, pool->workers[i].claim.to, memory_order_seq_cst); /* P6 */
}

struct mp__made *mp__job_made(struct mp__job *job, uint64_t index)
{
    if (!job->items) return job->any_size ? &job->made : NULL;
    struct mp__pool_item *items = mp__pool_at(job->items, job->count * sizeof *items);
    return items ? &items[index].made : NULL;
}

/* A block that hangs on a job goes. */
static void free_part(struct mp__pool *pool, uint64_t *part)
{
    if (!*part) return;
    struct mp__change change = mp__change_begin(pool);
    mp__change_set(&change, &pool->dropping, *part);
    mp__change_set(&change, part, 0);
    mp__change_commit(&change);
    mp__pool_drop(pool);
}

/* How many of the items of a claim have ended. */
static uint64_t done_of(const struct mp__pool_worker *worker)
{
    uint64_t at = atomic_load_explicit(&worker->at, memory_order_relaxed);
    uint64_t upto = at & MP__DONE ? at & ~MP__DONE : at ? at - 1 : worker->claim.from;
    if (!worker->claim.job || upto <= worker->claim.from) return 0;
    return (upto < worker->claim.to ? upto : worker->claim.to) - worker->claim.from;
}

uint64_t mp__job_done(const struct mp__pool *pool, uint64_t offset, uint64_t *running)
{
    uint64_t done = 0;
    *running = 0;
    for (uint64_t i = 0; i < pool->count; i++) {
        const struct mp__pool_worker *worker = &pool->workers[i];
        if (!worker->claim.job || (offset && worker->claim.job != offset)) continue;
        ++*running;
        done += done_of(worker);
    }
    return done;
}

/* ---- failing ----------------------------------------------------------------------------------------------------- */

static uint64_t *outcome_at(struct mp__job *job, uint64_t index)
{
    if (job->count == 1) return &job->outcome;
    uint64_t *outcomes = mp__pool_at(job->outcomes, job->count * sizeof *outcomes);
    return outcomes ? outcomes + index : NULL;
}

uint64_t mp__job_outcome(const struct mp__job *job, uint64_t index)
{
    if (job->broken) return mp__outcome((int)(int64_t)job->broken, 0);
    if (index >= job->end) return mp__outcome(MP_ECANCELED, 0);
    if (job->count == 1) return job->outcome;
    const uint64_t *outcomes = mp__pool_at(job->outcomes, job->count * sizeof *outcomes);
    return outcomes ? outcomes[index] : 0;
}

/* Room to note how items ended. Of a job that nobody asks for nothing is. */
static bool make_room(struct mp__pool *pool, struct mp__job *job)
{
    uint64_t offset;
    if (!job->result) return false;
    if (job->count == 1 || job->outcomes) return true;
    struct mp__change change = mp__change_begin(pool);
    bool made = mp__heap_alloc(job->count * sizeof(uint64_t), MP__HEAP_MINE, &offset) == 0;
    if (made) {
        mp__pool_adopt(&change, offset);
        mp__change_set(&change, &job->outcomes, offset);
    } else {
        mp__change_set(&change, &job->broken, (uint64_t)(int64_t)MP_ENOMEM);
    }
    mp__change_commit(&change);
    return made;
}

void mp__job_fail(struct mp__pool *pool, struct mp__job *job, uint64_t index, uint64_t outcome)
{
    uint64_t *word = make_room(pool, job) ? outcome_at(job, index) : NULL;
    if (word && *word) return; /* who noted it died before it had counted it as finished */
    struct mp__change change = mp__change_begin(pool);
    if (word) mp__change_set(&change, word, outcome);
    if (!job->failed || index < job->first_failed) mp__change_set(&change, &job->first_failed, index);
    mp__change_set(&change, &job->failed, job->failed + 1);
    mp__change_set(&change, &pool->failed, pool->failed + 1);
    mp__change_commit(&change);
}

/* So many items, one behind the other, are not run any more: so they say when this change is committed. */
static void fail_range(struct mp__change *change, struct mp__job *job, const struct mp__range *range)
{
    uint64_t count = range->to - range->from;
    if (!count) return;
    if (!job->failed || range->from < job->first_failed) mp__change_set(change, &job->first_failed, range->from);
    mp__change_set(change, &job->failed, job->failed + count);
    mp__change_add(change, &change->pool->failed, count);
}

/* And this beforehand: what is said of them. Without memory for that all of the job looks as if it was cancelled. */
static void note_cancelled(struct mp__pool *pool, struct mp__job *job, const struct mp__range *range)
{
    if (range->from == range->to || !job->result || job->broken) return;
    bool room = make_room(pool, job);
    if (!room) job->broken = (uint64_t)(int64_t)MP_ECANCELED;
    for (uint64_t i = range->from; room && i < range->to; i++) {
        uint64_t *word = outcome_at(job, i);
        if (word) *word = mp__outcome(MP_ECANCELED, 0);
    }
}

uint64_t mp__job_bury(struct mp__pool *pool, struct mp__pool_worker *worker, uint64_t outcome, bool again)
{
    struct mp__range rest = worker->claim, none = {.job = 0};
    struct mp__job *job = mp__job_at(rest.job);
    uint64_t at = atomic_load_explicit(&worker->at, memory_order_relaxed), retried = 0, told = 0;
    uint64_t done = at & MP__DONE ? at & ~MP__DONE : at ? at - 1 : rest.from; /* P4: up to there */
    if (job && done > rest.from) rest.attempt = 0;
    if (job) rest.from = done;
    if (job && at && !(at & MP__DONE)) {
        /* It may have failed already, and not come to be reported. */
        retried = again && !job->cancelled && rest.attempt < job->retries && !mp__job_outcome(job, done);
        if (retried) {
            struct mp__made *made = mp__job_made(job, done);
            if (made) {
                free_part(pool, &made->big);
                made->size = job->output_size;
            }
            rest.attempt++;
        } else {
            mp__job_fail(pool, job, done, outcome);
            rest.from++;
            rest.attempt = 0;
        }
    }
    bool ends = job && (job->cancelled || pool->state >= MP__POOL_TERMINATED);
    if (ends) note_cancelled(pool, job, &rest);
    struct mp__change change = mp__change_begin(pool);
    if (ends) {
        fail_range(&change, job, &rest);
        rest.from = rest.to;
    } else if (job && rest.from < rest.to) {
        come_back(&change, &rest);
    }
    if (job) told = finish(&change, worker->claim.job, job, rest.from - worker->claim.from);
    mp__change_set(&change, &pool->retried, pool->retried + retried);
    if (job && retried) mp__change_set(&change, &job->retried, job->retried + 1);
    lay_claim(&change, worker, &none);
    mp__change_put(&change, &worker->process, 0);
    mp__change_put(&change, &worker->verdict, 0);
    mp__change_put(&change, &worker->ready, 0);
    mp__change_commit(&change);
    mp__pool_drop(pool);
    return told;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

uint64_t mp__job_cancel(struct mp__pool *pool, uint64_t offset)
{
    struct mp__job *job = mp__job_at(offset);
    if (!job || mp__job_is_finished(job)) return 0;
    struct mp__change change = mp__change_begin(pool);
    mp__change_put(&change, &job->cancelled, 1);
    mp__change_commit(&change);
    uint64_t told = 0;
    for (uint64_t i = 0; i < pool->count; i++) { /* not finished by that: those have an item yet */
        struct mp__pool_worker *worker = &pool->workers[i];
        struct mp__range range;
        uint64_t room = worker->claim.job == offset ? room_of(worker) : 0;
        if (!room || !cut(worker, room, &range)) continue;
        note_cancelled(pool, job, &range);
        mp__change_put(&change, &worker->claim.to, range.from);
        fail_range(&change, job, &range);
        told = finish(&change, offset, job, range.to - range.from);
        mp__change_commit(&change);
    }
    uint64_t left = job->end - job->cursor;
    if (left) {
        struct mp__range range = {.job = offset, .from = job->cursor, .to = job->end};
        mp__change_put(&change, &job->end, job->cursor);
        fail_range(&change, job, &range);
        unlink_from_queue(&change, offset);
        told = finish(&change, offset, job, left);
        bool over = mp__change_get(&change, &job->finished) == job->count;
        mp__change_commit(&change);
        mp__pool_drop(pool);
        if (over) return told;
    }
    for (uint64_t i = 0; i < pool->count; i++) {
        struct mp__range range = pool->returned[i];
        if (range.job != offset) continue;
        note_cancelled(pool, job, &range);
        mp__change_put(&change, &pool->returned[i].job, 0);
        mp__change_put(&change, &pool->returned_count, pool->returned_count - 1);
        fail_range(&change, job, &range);
        told = finish(&change, offset, job, range.to - range.from);
        bool over = mp__change_get(&change, &job->finished) == job->count;
        mp__change_commit(&change);
        mp__pool_drop(pool);
        if (over) return told;
    }
    return told;
}

void mp__job_forget(struct mp__pool *pool, uint64_t offset, bool keep_flag)
{
    struct mp__job *job = mp__job_at(offset);
    if (!job) return;
    free_part(pool, &job->outcomes);
    if (job->items || job->any_size) {
        for (uint64_t i = 0; i < job->count; i++) {
            struct mp__made *made = mp__job_made(job, i);
            if (made) free_part(pool, &made->big);
        }
    }
    struct mp__change change = mp__change_begin(pool);
    bool finished = mp__job_is_finished(job);
    if (job->inbox) mp__inbox_remove(&change, offset, job);
    if (!keep_flag || !finished) mp__change_set(&change, &job->result, 0);
    if (finished) {
        unlink_from_all(&change, job);
        give_back(&change, offset, job);
    }
    mp__change_commit(&change);
    mp__pool_drop(pool);
}
