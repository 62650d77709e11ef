/* SPDX-License-Identifier: MIT
 *
 * operations_pool.c - what mp_kill does to who submits something to a pool, and to its workers.
 */
#include "composites/pool.h"
#include "operations.h"

#include <string.h>

enum {
    ITEMS = 7,
    LARGE = 3000 /* bytes */
};

static int square(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output += *x * *x;
    return 0;
}

/* ---- who submits ------------------------------------------------------------------------------------------------- */

static int pool_prepare(struct stage *stage)
{
    return mp_pool_create(&stage->pool, 1, &(mp_pool_options){.method = MP_FORK});
}

static int fill(int *items)
{
    for (int i = 0; i < ITEMS; i++) items[i] = i;
    return 0;
}

static bool are_squares(const int *outputs)
{
    for (int i = 0; i < ITEMS; i++)
        if (outputs[i] != i * i) return false;
    return true;
}

/* It does whatever it is asked, and nothing is left of what the dead one wanted. */
static int pool_check(struct stage *stage)
{
    int in[ITEMS], out[ITEMS] = {0};
    (void)fill(in);
    HOLDS(mp_pool_map(stage->pool, square, in, sizeof *in, out, sizeof *out, ITEMS, NULL) == 0);
    HOLDS(are_squares(out));
    HOLDS(mp_pool_close(stage->pool) == 0);
    HOLDS(mp_pool_join(stage->pool, LIMIT) == 0);
    HOLDS(mp_pool_destroy(stage->pool) == 0);
    return 0;
}

static int pool_submit(struct stage *stage)
{
    int in[ITEMS];
    (void)fill(in);
    return mp_pool_map_async(stage->pool, NULL, square, in, sizeof *in, sizeof *in, ITEMS, NULL);
}

static int pool_result(struct stage *stage)
{
    int in = 3, out = 0;
    mp_result result;
    int error = mp_pool_apply_async(stage->pool, &result, square, &in, sizeof in, sizeof out, NULL);
    if (error == 0) error = mp_result_get(result, &out, sizeof out, NULL, LIMIT);
    if (error == 0) error = mp_result_destroy(result);
    return error < 0 ? error : out == 9 ? 0 : MP_ESYSTEM;
}

static int pool_apply(struct stage *stage)
{
    int in = 3, out = 0;
    int error = mp_pool_apply(stage->pool, square, &in, sizeof in, &out, sizeof out, NULL);
    if (error == 0) error = mp_pool_apply(stage->pool, square, &in, sizeof in, &out, sizeof out, NULL);
    return error < 0 ? error : out == 9 ? 0 : MP_ESYSTEM;
}

static int pool_imap(struct stage *stage)
{
    int in[ITEMS];
    (void)fill(in);
    mp_items items = {in, sizeof *in, ITEMS};
    mp_imap *imap;
    mp_item item;
    int result = mp_pool_imap(stage->pool, &imap, square, mp_source_array, &items, sizeof *in,
                              &(mp_call_options){.chunk_size = 2, .read_ahead = 4});
    if (result < 0) return result;
    for (int i = 0; i < ITEMS - 1; i++) {
        result = mp_imap_next(imap, &item, LIMIT);
        if (result != 1 || item.index != (size_t)i || *(const int *)item.output.data != i * i) return MP_ESYSTEM;
    }
    mp_imap_destroy(imap);
    return 0;
}

static void count_call(mp_result result, void *context)
{
    (void)result;
    ++*(int *)context;
}

static int pool_callback(struct stage *stage)
{
    int in = 3, calls = 0, result = 0;
    mp_call_options options = {.callback = count_call, .context = &calls};
    for (int i = 0; i < 2 && result == 0; i++)
        result = mp_pool_apply_async(stage->pool, NULL, square, &in, sizeof in, sizeof in, &options);
    while (result >= 0 && calls < 2) result = mp_pool_poll(stage->pool);
    return result < 0 ? result : 0;
}

static int pool_destroy(struct stage *stage)
{
    return mp_pool_destroy(stage->pool);
}

static int destroyed_check(struct stage *stage)
{
    int result = mp_pool_destroy(stage->pool);
    HOLDS(result == 0 || result == MP_EBADHANDLE);
    return 0;
}

/* ---- a worker: the process that is stepped through ---------------------------------------------------------------- */

/* Without anybody who would do any work. */
static int deserted_prepare(struct stage *stage)
{
    int code;
    struct mp__pool *pool;
    int result = pool_prepare(stage);
    mp_process supervisor = {0};
    for (bool ready = false; result == 0 && !ready;) {
        if ((result = mp__pool_enter("prepare", stage->pool.id, &pool)) < 0) return result;
        ready = pool->workers[0].ready;
        supervisor.id = atomic_load(&pool->supervisor);
        mp__pool_leave(pool);
    }
    if (result == 0) result = mp_process_kill(supervisor);
    if (result == 0) result = mp_process_join(supervisor, &code, LIMIT);
    for (uint64_t process = 1; result == 0 && process;) { /* its worker goes with it */
        if ((result = mp__pool_enter("prepare", stage->pool.id, &pool)) < 0) return result;
        process = pool->workers[0].process;
        if (process && mp_process_is_alive((mp_process){process}) == 0) {
            (void)mp_process_close((mp_process){process});
            pool->workers[0].process = process = 0;
        }
        if (!process) atomic_store(&pool->supervisor, mp_current_process().id); /* so that nobody starts another one */
        mp__pool_leave(pool);
    }
    stage->size = (size_t)supervisor.id;
    return result;
}

/* Closed, with some work. */
static int orphaned_prepare(struct stage *stage)
{
    int in[ITEMS];
    (void)fill(in);
    int result = deserted_prepare(stage);
    if (result == 0)
        result = mp_pool_map_async(stage->pool, &stage->result, square, in, sizeof *in, sizeof *in, ITEMS,
                                   &(mp_call_options){.chunk_size = 2});
    if (result == 0) result = mp_pool_close(stage->pool);
    return result;
}

static int worker_operate(struct stage *stage)
{
    const struct mp__pool *pool = mp__pool_of("operate", stage->pool.id);
    struct mp__worker_args args = {.pool = stage->pool.id, .slot = 0, .supervisor = atomic_load(&pool->supervisor)};
    return mp__worker(&args);
}

/* It is seen that the supervisor is dead. */
static int give_back_supervisor(const struct stage *stage)
{
    struct mp__pool *pool;
    int result = mp__pool_enter("check", stage->pool.id, &pool);
    if (result < 0) return result;
    atomic_store(&pool->supervisor, (uint64_t)stage->size);
    mp__pool_leave(pool);
    return 0;
}

/* Whoever waits starts another supervisor, which buries that one. At most one item was its. */
static int worker_check(struct stage *stage)
{
    int out[ITEMS] = {0}, failed = 0;
    HOLDS(give_back_supervisor(stage) == 0);
    int result = mp_result_get(stage->result, out, sizeof out, NULL, LIMIT);
    HOLDS(result == 0 || result == MP_EWORKERDEAD);
    for (size_t i = 0; i < ITEMS; i++) {
        mp_outcome outcome;
        HOLDS(mp_result_outcome(stage->result, i, &outcome) == 0);
        failed += outcome.error != 0;
        HOLDS(outcome.error == 0 || (outcome.error == MP_EWORKERDEAD && outcome.code == -KILLED));
        HOLDS(out[i] == (outcome.error ? 0 : (int)(i * i)));
    }
    HOLDS(failed == (result < 0));
    HOLDS(mp_result_destroy(stage->result) == 0);
    HOLDS(mp_pool_join(stage->pool, LIMIT) == 0);
    HOLDS(mp_pool_destroy(stage->pool) == 0);
    return 0;
}

/* Outputs that do not fit, every other one. */
static int repeat(mp_task *task)
{
    const int *x = task->input;
    size_t size = *x % 2 ? LARGE : sizeof *x;
    if (mp_task_reserve(task, size) < 0) return 1;
    for (size_t i = 0; i < size / sizeof *x; i++) ((int *)task->output)[i] = *x;
    return 0;
}

/* Likewise, and the work is an imap's, of this process, which lives. */
static int iterated_prepare(struct stage *stage)
{
    static int in[ITEMS];
    static mp_items items;
    mp_item item;
    (void)fill(in);
    items = (mp_items){in, sizeof *in, ITEMS};
    int result = deserted_prepare(stage);
    if (result == 0)
        result = mp_pool_imap(stage->pool, &stage->imap, repeat, mp_source_array, &items, sizeof *in,
                              &(mp_call_options){.chunk_size = 3});
    for (int i = 0; i < ITEMS && result == 0; i++) /* each submits something, until all is read */
        result = mp_imap_next(stage->imap, &item, 0) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
    if (result == 0) result = mp_pool_close(stage->pool);
    return result;
}

static int iterated_check(struct stage *stage)
{
    mp_item item;
    int failed = 0;
    HOLDS(give_back_supervisor(stage) == 0);
    for (int i = 0; i < ITEMS; i++) {
        HOLDS(mp_imap_next(stage->imap, &item, LIMIT) == 1);
        HOLDS(item.index == (size_t)i && *(const int *)item.input.data == i);
        failed += item.outcome.error != 0;
        HOLDS(item.outcome.error == 0 || (item.outcome.error == MP_EWORKERDEAD && item.outcome.code == -KILLED));
        if (item.outcome.error) continue;
        HOLDS(item.output.size == (i % 2 ? LARGE : sizeof i));
        for (size_t k = 0; k < item.output.size / sizeof i; k++) HOLDS(((const int *)item.output.data)[k] == i);
    }
    HOLDS(failed <= 1);
    HOLDS(mp_imap_next(stage->imap, &item, LIMIT) == 0);
    mp_imap_destroy(stage->imap);
    HOLDS(mp_pool_join(stage->pool, LIMIT) == 0);
    HOLDS(mp_pool_destroy(stage->pool) == 0);
    return 0;
}

/* Who cancels something that nobody has begun. */
static int worker_cancel(struct stage *stage)
{
    int result = mp_result_cancel(stage->result);
    return result < 0 ? result : 0;
}

static int cancelled_check(struct stage *stage)
{
    int out[ITEMS] = {0};
    HOLDS(give_back_supervisor(stage) == 0);
    int result = mp_result_get(stage->result, out, sizeof out, NULL, LIMIT);
    HOLDS(result == 0 || result == MP_ECANCELED);
    HOLDS(result != 0 || are_squares(out));
    HOLDS(mp_result_destroy(stage->result) == 0);
    HOLDS(mp_pool_join(stage->pool, LIMIT) == 0);
    HOLDS(mp_pool_destroy(stage->pool) == 0);
    return 0;
}

const struct operation operations_pool[] = {
    {.name = "pool, a map submitted", .prepare = pool_prepare, .operate = pool_submit, .check = pool_check},
    {.name = "pool, a result", .prepare = pool_prepare, .operate = pool_result, .check = pool_check},
    {.name = "pool apply", .prepare = pool_prepare, .operate = pool_apply, .check = pool_check},
    {.name = "pool, an imap", .prepare = pool_prepare, .operate = pool_imap, .check = pool_check},
    {.name = "pool, a callback", .prepare = pool_prepare, .operate = pool_callback, .check = pool_check},
    {.name = "pool destroyed", .prepare = pool_prepare, .operate = pool_destroy, .check = destroyed_check},
    {.name = "pool, a worker",
     .prepare = orphaned_prepare,
     .operate = worker_operate,
     .check = worker_check,
     .buried = true},
    {.name = "pool, a worker of an imap",
     .prepare = iterated_prepare,
     .operate = worker_operate,
     .check = iterated_check,
     .buried = true},
    {.name = "pool, cancelled", .prepare = orphaned_prepare, .operate = worker_cancel, .check = cancelled_check},
};

const size_t operations_pool_count = sizeof operations_pool / sizeof *operations_pool;
