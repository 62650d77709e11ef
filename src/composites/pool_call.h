/* SPDX-License-Identifier: MIT
 *
 * pool_call.h - from what a caller wants to a job in the queue; and from a finished job to what it is told.
 */
#ifndef MP_COMPOSITES_POOL_CALL_H
#define MP_COMPOSITES_POOL_CALL_H

#include "composites/pool.h"

struct mp__call {
    const char *name;
    uint64_t pool;
    mp_task_function function;
    const mp_column *columns;
    size_t column_count;
    void *outputs; /* NULL: they are got later */
    size_t output_size, count;
    bool waits; /* for the result, and nobody else does */
    bool wants; /* a result */
    mp_call_options options;
};

/* 0 and *result, if it is wanted: its id; or an error (detail set). */
int mp__call_submit(const struct mp__call *call, uint64_t *result);

/* Until a result is there: 0, MP_ETIMEDOUT, MP_EBADHANDLE, or another error (detail set). The rest is cancelled when `stop` is
 * set, if it is not 0. */
int mp__result_await(const char *call, uint64_t result, uint64_t stop, int64_t deadline);

/* Nobody asks for it any more: under the lock. Whoever does not keep its flag destroys that without it. False: it is no
 * result of the pool's, any more. */
bool mp__result_forget(struct mp__pool *pool, uint64_t id, bool keep_flag);

/* What the first item that failed says, of a finished job: 0 or its error (detail set). */
int mp__job_failure(const char *call, const struct mp__job *job);
/* The outputs of those that did not. False: they can not be mapped. */
bool mp__job_copy_outputs(const struct mp__job *job, void *outputs);

#endif
