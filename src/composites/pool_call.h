/* SPDX-License-Identifier: MIT
 *
 * pool_call.h - from what a caller wants to a job in the queue; and from a finished job to what it is told.
 */
#ifndef MP_COMPOSITES_POOL_CALL_H
#define MP_COMPOSITES_POOL_CALL_H

#include "composites/pool.h"

/* Inputs of any size: one behind the other in `bytes`, each with a 0 behind it. */
struct mp__inputs {
    const char *bytes;
    size_t size;                       /* of all, padding included */
    const struct mp__pool_item *items; /* where each is, and its size */
    uint64_t first;                    /* what the first of them is in all of the imap */
};

struct mp__call {
    const char *name;
    uint64_t pool;
    mp_task_function function;
    const mp_column *columns;
    size_t column_count;
    void *outputs; /* NULL: they are got later */
    size_t output_size, count;
    const struct mp__inputs *inputs; /* NULL: columns */
    bool any_size;                   /* one task, and an output of any size */
    enum mp__wanted wanted;
    bool wants;                 /* a result */
    uint64_t inbox, inbox_flag; /* where it is told of, or 0; with inputs the flag is the result */
    void *cookie;               /* that is found there */
    mp_call_options options;
};

/* 0 or an error (detail set): what can be said of it before it is submitted. */
int mp__call_check(const struct mp__call *call);
/* 0 and *result, if it is wanted: its id, or, with inputs, where the job is; or an error (detail set). */
int mp__call_submit(const struct mp__call *call, uint64_t *result);

/* Until a result is there: 0, MP_ETIMEDOUT, MP_EBADHANDLE, or another error (detail set). The rest is cancelled when `stop` is
 * set, if it is not 0. Soon: most likely it will be there in a moment, so it is looked out for before this thread sleeps. */
int mp__result_await(const char *call, uint64_t result, uint64_t stop, int64_t deadline, bool soon);

/* Nobody asks for it any more: under the lock. Whoever does not keep its flag destroys that without it. False: it is no
 * result of the pool's, any more. */
bool mp__result_forget(struct mp__pool *pool, uint64_t id, bool keep_flag);

/* How many workers there are: under the lock. */
int mp__pool_present(const struct mp__pool *pool);
/* How far a job is: under the lock. Leaves the seconds alone. */
void mp__job_count(const struct mp__pool *pool, uint64_t offset, const struct mp__job *job, mp_progress *progress);
/* The same of a result's: 1; 0: there is none; or an error (detail set). */
int mp__result_count(const char *call, uint64_t pool, uint64_t result, mp_progress *progress);

/* What the first item that failed says, of a finished job: 0 or its error (detail set). */
int mp__job_failure(const char *call, const struct mp__job *job);
/* The outputs of those that did not. False: they can not be mapped. */
bool mp__job_copy_outputs(const struct mp__job *job, void *outputs);

#endif
