/* SPDX-License-Identifier: MIT
 *
 * pools.c - pools, as far as they can be told from outside: composites/pool.h.
 */
#include "tools/family.h"

#include <stdlib.h>
#include <string.h>

#define WORKERS_MOST 65536 /* of all pools */

/* How much of its claim a worker has done. */
static uint64_t done_of(const struct mp__pool_worker *worker)
{
    uint64_t at = atomic_load_explicit(&worker->at, memory_order_relaxed);
    if (!worker->claim.job || worker->claim.to < worker->claim.from) return 0;
    uint64_t upto = at & MP__DONE ? at & ~MP__DONE : at ? at - 1 : 0;
    if (upto < worker->claim.from) return 0;
    return (upto < worker->claim.to ? upto : worker->claim.to) - worker->claim.from;
}

static struct top_worker worker_of(const struct mp__pool_worker *worker)
{
    uint64_t at = atomic_load_explicit(&worker->at, memory_order_relaxed);
    bool runs = worker->claim.job && at && !(at & MP__DONE);
    return (struct top_worker){.process = worker->process,
                               .tasks = atomic_load_explicit(&worker->tasks, memory_order_relaxed),
                               .busy = atomic_load_explicit(&worker->busy, memory_order_relaxed),
                               .item = runs ? at : 0,
                               .verdict = worker->verdict,
                               .share = -1};
}

/* False: no memory. One that makes no sense is left out. */
static bool look(const struct top_peek *peek, const struct top_object *object, size_t *workers, struct top_pool *pool)
{
    /* All but its journals, which are of no use here. */
    enum {
        HEAD = offsetof(struct mp__pool, journals)
    };
    static struct mp__pool head;
    uint64_t place = atomic_load_explicit(&object->block.as.pool.offset, memory_order_relaxed);
    uint64_t size = atomic_load_explicit(&object->block.as.pool.size, memory_order_relaxed);
    *pool = (struct top_pool){.id = 0};
    if (!place || size < sizeof head || !top_peek_at(peek, place, &head, HEAD)) return true;
    if (head.id != object->id || head.count > MP_POOL_MAX) return true;
    if (head.count > (size - sizeof head) / sizeof(struct mp__pool_worker) || *workers + head.count > WORKERS_MOST)
        return true;
    pool->workers = calloc(head.count ? (size_t)head.count : 1, sizeof *pool->workers);
    if (!pool->workers) return false;
    pool->id = head.id;
    pool->state = head.state;
    pool->submitted = head.submitted;
    pool->done = head.done;
    pool->failed = head.failed;
    pool->retried = head.retried;
    pool->unfinished = head.unfinished;
    pool->since = head.since;
    pool->supervisor = atomic_load_explicit(&head.supervisor, memory_order_relaxed);
    for (uint64_t i = 0; i < head.count; i++) {
        struct mp__pool_worker worker;
        if (!top_peek_at(peek, place + sizeof head + i * sizeof worker, &worker, sizeof worker)) break;
        pool->workers[pool->count++] = worker_of(&worker);
        pool->done += done_of(&worker);
        if (worker.process) pool->alive++;
    }
    *workers += pool->count;
    return true;
}

bool top_pools_look(const struct top_peek *peek, struct top_family *family)
{
    size_t count = 0, workers = 0;
    for (size_t i = 0; i < family->object_count; i++) count += top_type(&family->objects[i]) == MP__POOL;
    if (!count) return true;
    family->pools = calloc(count, sizeof *family->pools);
    if (!family->pools) return false;
    for (size_t i = 0; i < family->object_count; i++) {
        if (top_type(&family->objects[i]) != MP__POOL || family->pool_count == count) continue;
        struct top_pool *pool = &family->pools[family->pool_count];
        if (!look(peek, &family->objects[i], &workers, pool)) return false;
        if (pool->id) family->pool_count++;
    }
    return true;
}
