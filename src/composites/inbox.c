/* SPDX-License-Identifier: MIT
 *
 * inbox.c - inboxes of a pool.
 */
#include "composites/inbox.h"
#include "base/error.h"
#include "base/family.h"
#include "composites/job.h"
#include "composites/pool.h"
#include "primitives/flag.h"

/* ---- its life ---------------------------------------------------------------------------------------------------- */

struct place {
    uint64_t pool, offset;
};

/* Its flag is the pool's, and this process's until the inbox is. */
static void fill(struct mp__control *control, const void *with)
{
    const struct place *place = with;
    atomic_store_explicit(&control->as.result.pool, place->pool, memory_order_relaxed);
    atomic_store_explicit(&control->as.result.job, place->offset, memory_order_relaxed);
    atomic_store_explicit(&control->as.result.maker, mp__family_id(), memory_order_relaxed);
}

int mp__inbox_create(const char *call, uint64_t pool_id, bool open, uint64_t *offset, uint64_t *flag)
{
    struct mp__pool *pool;
    if (mp__heap_alloc(sizeof(struct mp__inbox), MP__HEAP_MINE, offset) < 0)
        return mp__fail(MP_ENOMEM, "%s: no memory for what is told of finished tasks", call);
    struct mp__inbox *inbox = mp__inbox_at(*offset);
    int result = inbox ? 0 : mp__fail(MP_ENOMEM, "%s: no address space", call);
    bool made = false, entered = false;
    if (result == 0) result = mp__control_create(MP__RESULT, NULL, fill, &(struct place){pool_id, *offset}, flag);
    made = result == 0;
    if (made) result = mp__pool_enter(call, pool_id, &pool);
    entered = made && result == 0;
    if (entered && open && pool->state != MP__POOL_OPEN) result = mp__pool_refuse(call, pool);
    if (result == 0) {
        inbox->after = pool->inboxes;
        inbox->owner = mp__family_id();
        inbox->flag = *flag;
        inbox->open = open;
        inbox->thread = mp__self.owner;
        struct mp__change change = mp__change_begin(pool);
        mp__pool_adopt(&change, *offset);
        mp__change_set(&change, &pool->inboxes, *offset);
        mp__change_add(&change, &pool->unfinished, open);
        mp__change_commit(&change);
        struct mp__control *control = mp__control_of(*flag, MP__RESULT);
        if (control) atomic_store_explicit(&control->as.result.maker, 0, memory_order_relaxed);
    }
    if (entered) mp__pool_leave(pool);
    if (result == 0) return 0;
    if (made) (void)mp__control_destroy(*flag, MP__RESULT, NULL);
    mp__heap_free(*offset);
    return result;
}

bool mp__inbox_close(struct mp__pool *pool, uint64_t offset)
{
    struct mp__inbox *inbox = mp__inbox_at(offset);
    if (!inbox || !inbox->open) return false;
    struct mp__change change = mp__change_begin(pool);
    mp__change_set(&change, &inbox->open, 0);
    mp__change_add(&change, &pool->unfinished, UINT64_MAX);
    mp__change_commit(&change);
    return pool->state != MP__POOL_OPEN;
}

void mp__inbox_destroy(struct mp__pool *pool, uint64_t offset)
{
    struct mp__inbox *inbox = mp__inbox_at(offset);
    const uint64_t *link = &pool->inboxes;
    while (*link && *link != offset) {
        const struct mp__inbox *other = mp__inbox_at(*link);
        if (!other) return;
        link = &other->after;
    }
    if (!*link || !inbox) return;
    (void)mp__control_destroy(inbox->flag, MP__RESULT, NULL);
    struct mp__change change = mp__change_begin(pool);
    mp__change_set(&change, link, inbox->after);
    if (inbox->open) mp__change_add(&change, &pool->unfinished, UINT64_MAX);
    mp__change_set(&change, &pool->dropping, offset);
    mp__change_commit(&change);
    mp__pool_drop(pool);
}

/* ---- what is in it ----------------------------------------------------------------------------------------------- */

void mp__inbox_add(struct mp__change *change, uint64_t job_offset, struct mp__job *job)
{
    struct mp__inbox *inbox = mp__inbox_at(job->inbox);
    if (!inbox) return;
    struct mp__job *last = mp__job_at(inbox->last);
    mp__change_set(change, last ? &last->next : &inbox->first, job_offset);
    mp__change_set(change, &inbox->last, job_offset);
    mp__change_set(change, &job->next, 0);
    /* Under the lock, before that is so: the owner waits for the lock, and does see it. */
    if (inbox->flag != job->result) (void)mp__flag_set(inbox->flag, MP__RESULT);
}

void mp__inbox_remove(struct mp__change *change, uint64_t job_offset, struct mp__job *job)
{
    struct mp__inbox *inbox = mp__inbox_at(job->inbox);
    if (!inbox) return;
    const uint64_t *link = &inbox->first;
    uint64_t before = 0;
    while (*link && *link != job_offset) {
        const struct mp__job *other = mp__job_at(*link);
        if (!other) return;
        before = *link;
        link = &other->next;
    }
    if (*link) {
        mp__change_set(change, link, job->next);
        if (inbox->last == job_offset) mp__change_set(change, &inbox->last, before);
    }
    mp__change_set(change, &job->inbox, 0);
}

uint64_t mp__inbox_take(struct mp__pool *pool, uint64_t offset)
{
    const struct mp__inbox *inbox = mp__inbox_at(offset);
    uint64_t first = inbox ? inbox->first : 0;
    struct mp__job *job = mp__job_at(first);
    if (!job) return 0;
    struct mp__change change = mp__change_begin(pool);
    mp__inbox_remove(&change, first, job);
    mp__change_commit(&change);
    return first;
}

/* ---- after a death ----------------------------------------------------------------------------------------------- */

bool mp__inbox_bury(struct mp__pool *pool)
{
    uint64_t offset = pool->inboxes;
    while (offset) {
        const struct mp__inbox *inbox = mp__inbox_at(offset);
        if (!inbox) return false;
        if (mp__process_has_ended(inbox->owner)) break;
        offset = inbox->after;
    }
    if (!offset) return false;
    for (struct mp__job *job = mp__job_at(pool->all); job; job = mp__job_at(job->after)) {
        if (job->inbox != offset) continue;
        struct mp__change change = mp__change_begin(pool);
        mp__inbox_remove(&change, mp__pool_offset(job), job);
        mp__change_commit(&change);
    }
    mp__inbox_destroy(pool, offset);
    return true;
}

void mp__inbox_tell_all(const struct mp__pool *pool)
{
    uint64_t state;
    const struct mp__inbox *inbox;
    for (uint64_t offset = pool->inboxes; (inbox = mp__inbox_at(offset)); offset = inbox->after)
        if (inbox->first && mp__flag_find(inbox->flag, MP__RESULT, &state) && !(state & MP__FLAG_SET))
            (void)mp__flag_set(inbox->flag, MP__RESULT);
}
