/* SPDX-License-Identifier: MIT
 *
 * change.h - words of a pool that change together, or not at all.
 *
 *     struct mp__change change = mp__change_begin(pool);      with the lock held
 *     mp__change_set(&change, &word, value); ...
 *     mp__change_commit(&change);
 *
 * The words are written down with what they shall be, in one of the pool's journals; then that is named `active`, which is the
 * moment of the change; then it is done, and the name taken back. Who gets the lock after a death does again what the active
 * journal says. Until the commit the words are what they were: mp__change_get tells what they will be.
 */
#ifndef MP_COMPOSITES_CHANGE_H
#define MP_COMPOSITES_CHANGE_H

#include "base/repair.h"
#include "base/thread.h"
#include "composites/pool.h"

#include <assert.h>

struct mp__change {
    struct mp__pool *pool;
    struct mp__journal *journal;
    uint32_t count;
};

static inline struct mp__change mp__change_begin(struct mp__pool *pool)
{
    return (struct mp__change){pool, &pool->journals[mp__self.owner % MP__JOURNALS], 0};
}

static inline uint64_t mp__change_get(const struct mp__change *change, const uint64_t *word)
{
    uint64_t at = mp__pool_offset(word);
    for (uint32_t i = 0; i < change->count; i++)
        if (change->journal->writes[i].at == at) return change->journal->writes[i].value;
    return *word;
}

/* One that has not been set in this change, and is not asked for. */
static inline void mp__change_put(struct mp__change *change, const uint64_t *word, uint64_t value)
{
    assert(change->count < MP__CHANGE_MOST);
    change->journal->writes[change->count].at = mp__pool_offset(word);
    change->journal->writes[change->count].value = value;
    change->count++;
}

static inline void mp__change_set(struct mp__change *change, const uint64_t *word, uint64_t value)
{
    uint64_t at = mp__pool_offset(word);
    uint32_t i = 0;
    while (i < change->count && change->journal->writes[i].at != at) i++;
    if (i == change->count)
        mp__change_put(change, word, value);
    else
        change->journal->writes[i].value = value;
}

static inline void mp__change_add(struct mp__change *change, const uint64_t *word, uint64_t more)
{
    mp__change_set(change, word, mp__change_get(change, word) + more);
}

/* What the active journal says is done; once more, if need be. False: some of it can not be mapped. */
static inline bool mp__change_apply(struct mp__pool *pool)
{
    uint32_t active = atomic_load_explicit(&pool->active, memory_order_relaxed);
    const struct mp__journal *journal = active ? &pool->journals[active - 1] : NULL;
    for (uint64_t i = 0; journal && i < journal->count; i++) {
        uint64_t *word = mp__heap_near(journal->writes[i].at, sizeof *word);
        if (!word) return false;
        *word = journal->writes[i].value;
    }
    MP__THEN;
    atomic_store_explicit(&pool->active, 0, memory_order_relaxed);
    return true;
}

static inline void mp__change_commit(struct mp__change *change)
{
    change->journal->count = change->count;
    MP__THEN;
    atomic_store_explicit(&change->pool->active, (uint32_t)(change->journal - change->pool->journals) + 1,
                          memory_order_relaxed);
    MP__THEN;
    (void)mp__change_apply(change->pool);
    change->count = 0;
}

#endif
