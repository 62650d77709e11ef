/* SPDX-License-Identifier: MIT
 *
 * job.h - jobs: put into the queue, taken from block by block, finished, freed. All with the pool's lock held.
 */
#ifndef MP_COMPOSITES_JOB_H
#define MP_COMPOSITES_JOB_H

#include "composites/change.h"

#define MP__JOB_SMALL  UINT64_C(960) /* bytes behind a job that is kept for the next */
#define MP__JOB_SPARES 64

/* How an item ended, in a word: 0 is well. */
static inline uint64_t mp__outcome(int error, int code)
{
    return (uint64_t)(uint32_t)code << 32 | (uint32_t)error;
}
static inline mp_outcome mp__outcome_of(uint64_t word)
{
    return (mp_outcome){.error = (int)(int32_t)(uint32_t)word, .code = (int)(int32_t)(uint32_t)(word >> 32)};
}

/* A block of this process's, which becomes the pool's with this change. */
void mp__pool_adopt(struct mp__change *change, uint64_t offset);
/* After a change that has set `dropping`: that is freed. */
void mp__pool_drop(struct mp__pool *pool);

/* A small one that is to spare, to be filled and queued before the lock is let go; 0: there is none. */
static inline uint64_t mp__job_spare(const struct mp__pool *pool)
{
    return pool->spare;
}
/* In the queue from here on: that one, or a block of this process's. Without items it is finished. */
void mp__job_queue(struct mp__pool *pool, uint64_t offset);

/* The worker is done with its claim, but for what is behind `upto`; then it takes another, unless it `rests`. Returns the id of
 * the result that is there by that, or 0; who has it tells of it without the lock. */
uint64_t mp__job_report(struct mp__pool *pool, struct mp__pool_worker *worker, uint64_t upto, bool rests);
/* After a death under the lock: P6. */
void mp__job_repair(struct mp__pool *pool);

/* One item of a job has failed; it is not finished by that. */
void mp__job_fail(struct mp__pool *pool, struct mp__job *job, uint64_t index, uint64_t outcome);
/* A worker is dead: P4. The item it ran has that outcome, unless it may be tried `again`. Returns as report does. */
uint64_t mp__job_bury(struct mp__pool *pool, struct mp__pool_worker *worker, uint64_t outcome, bool again);
/* Nobody takes any more of it. Returns as report does. */
uint64_t mp__job_cancel(struct mp__pool *pool, uint64_t offset);
/* Nobody asks for it any more: it goes, now or when it is finished. `keep_flag`: whoever uses its memory next may use that. */
void mp__job_forget(struct mp__pool *pool, uint64_t offset, bool keep_flag);

static inline bool mp__job_is_finished(const struct mp__job *job)
{
    return job->finished == job->count;
}
/* Where it stands what came of an item, if that may have any size: else NULL. */
struct mp__made *mp__job_made(struct mp__job *job, uint64_t index);
/* Items of a job, or of all if that is 0, that have ended in claims which were not reported yet; and how many of these are. */
uint64_t mp__job_done(const struct mp__pool *pool, uint64_t offset, uint64_t *running);
/* How item `index` of a finished job ended. */
uint64_t mp__job_outcome(const struct mp__job *job, uint64_t index);

#endif
