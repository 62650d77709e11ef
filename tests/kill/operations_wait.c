/* SPDX-License-Identifier: MIT
 *
 * operations_wait.c - what mp_kill does to processes that wait for any of many, and to those that make ready what others wait
 * for in that way.
 */
#include "base/watch.h"
#include "inside.h"
#include "operations.h"

enum {
    QUEUE,
    EVENT,
    SEMAPHORE,
    CONNECTION,
    ITEMS
};

/* One of each that nobody's death makes ready: this process uses them all. */
static int wait_prepare(struct stage *stage)
{
    size_t size;
    int result = mp_block_create(&stage->board, sizeof(struct board));
    if (result == 0) result = mp_queue_create(&stage->queue, NULL);
    if (result == 0) result = mp_queue_put(stage->queue, &result, sizeof result, 0);
    if (result == 0) result = mp_queue_get(stage->queue, &result, sizeof result, &size, 0);
    if (result == 0) result = mp_event_create(&stage->event, NULL);
    if (result == 0) result = mp_semaphore_create(&stage->semaphore, 0, NULL);
    if (result == 0) result = mp_pipe_create(&stage->a, &stage->b, NULL);
    if (result == 0) result = mp_connection_poll(stage->a, 0);
    if (result == 0) result = mp_connection_poll(stage->b, 0);
    return result;
}

static int wait_end(struct stage *stage)
{
    HOLDS(mp_queue_destroy(stage->queue) == 0);
    HOLDS(mp_event_destroy(stage->event) == 0);
    HOLDS(mp_semaphore_destroy(stage->semaphore) == 0);
    HOLDS(mp_connection_close(stage->a) == 0);
    HOLDS(mp_connection_close(stage->b) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

static int wait_for(const struct stage *stage, int64_t timeout_ms)
{
    const mp_handle items[ITEMS] = {[QUEUE] = MP_HANDLE(stage->queue),
                                    [EVENT] = MP_HANDLE(stage->event),
                                    [SEMAPHORE] = MP_HANDLE(stage->semaphore),
                                    [CONNECTION] = MP_HANDLE(stage->a)};
    size_t index;
    int result = mp_wait(items, ITEMS, &index, timeout_ms);
    return result < 0 ? result : (int)index;
}

static int wait_in_vain(struct stage *stage)
{
    return wait_for(stage, 1) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
}

/* Whoever waits now is woken, by each. */
static int usable_check(struct stage *stage)
{
    int number = 1;
    size_t size;
    int ready = wait_for(stage, 0);
    HOLDS(ready == MP_ETIMEDOUT || ready == QUEUE); /* that nobody else is left to put anything into */
    HOLDS(mp_queue_put(stage->queue, &number, sizeof number, 0) == 0 && wait_for(stage, LIMIT) == QUEUE);
    HOLDS(mp_queue_get(stage->queue, &number, sizeof number, &size, 0) == 0);
    HOLDS(mp_event_set(stage->event) == 0 && wait_for(stage, LIMIT) == EVENT);
    HOLDS(mp_event_clear(stage->event) == 0);
    HOLDS(mp_semaphore_release(stage->semaphore) == 0 && wait_for(stage, LIMIT) == SEMAPHORE);
    HOLDS(mp_semaphore_acquire(stage->semaphore, 0) == 0);
    HOLDS(mp_connection_send(stage->b, &number, sizeof number, 0) == 0 && wait_for(stage, LIMIT) == CONNECTION);
    return wait_end(stage);
}

/* ---- somebody waits ------------------------------------------------------------------------------------------------ */

/* Returns what is ready. */
static int wait_long(void *args)
{
    return wait_for(args, LIMIT);
}

static int watched_prepare(struct stage *stage)
{
    int result = wait_prepare(stage);
    struct board *board = mp_block_data(stage->board);
    if (result == 0)
        result =
            mp_process_start(&board->waiter, wait_long, stage, sizeof *stage, &(mp_process_options){.method = MP_FORK});
    while (result == 0 && !inside_waiting_for(MP__WATCHES, board->waiter.id))
        if (mp_process_join(board->waiter, NULL, 1) != MP_ETIMEDOUT) result = MP_ESYSTEM;
    return result;
}

static int watched_put(struct stage *stage)
{
    int number = 1;
    return mp_queue_put(stage->queue, &number, sizeof number, LIMIT);
}

static int watched_set(struct stage *stage)
{
    return mp_event_set(stage->event);
}

static int watched_release(struct stage *stage)
{
    return mp_semaphore_release(stage->semaphore);
}

static int watched_send(struct stage *stage)
{
    int number = 1;
    return mp_connection_send(stage->b, &number, sizeof number, LIMIT);
}

/* If one is ready, who waits is told, without any help; else by what this process does now. */
static int watched_check(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int code = -1, ready = wait_for(stage, 0);
    if (ready == MP_ETIMEDOUT) {
        HOLDS(mp_event_set(stage->event) == 0);
        ready = EVENT;
    }
    int result = mp_process_join(board->waiter, &code, LIMIT);
    HOLDS(result == 0);
    HOLDS(code == ready || code == EVENT);
    HOLDS(mp_process_close(board->waiter) == 0);
    return wait_end(stage);
}

const struct operation operations_wait[] = {
    {.name = "wait in vain", .prepare = wait_prepare, .operate = wait_in_vain, .check = usable_check, .paired = true},
    {.name = "wait, queue put", .prepare = watched_prepare, .operate = watched_put, .check = watched_check},
    {.name = "wait, event set", .prepare = watched_prepare, .operate = watched_set, .check = watched_check},
    {.name = "wait, semaphore released",
     .prepare = watched_prepare,
     .operate = watched_release,
     .check = watched_check},
    {.name = "wait, pipe send", .prepare = watched_prepare, .operate = watched_send, .check = watched_check},
};

const size_t operations_wait_count = sizeof operations_wait / sizeof *operations_wait;
