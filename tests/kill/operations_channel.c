/* SPDX-License-Identifier: MIT
 *
 * operations_channel.c - what mp_kill does to processes that use queues, pipes and messages.
 *
 * Items are numbers that follow each other. What the child has got, or put, it notes as soon as it knows.
 */
#include "inside.h"
#include "operations.h"

#include <string.h>

#define LARGE 200000 /* bytes: it goes as a message */
#define TAKEN 3      /* the number that a child puts; 0 to 2 are there before */

struct large {
    int number;
    char room[LARGE - sizeof(int)];
};

/* ---- queues ------------------------------------------------------------------------------------------------------ */

static int queue_prepare_with(struct stage *stage, const mp_queue_options *options, size_t size, int count)
{
    static struct large item;
    int result = mp_block_create(&stage->board, sizeof(struct board));
    if (result == 0) result = mp_queue_create(&stage->queue, options);
    stage->size = size;
    for (item.number = 0; result == 0 && item.number < count; item.number++)
        result = mp_queue_put(stage->queue, &item, size, 0);
    return result;
}

static int queue_prepare(struct stage *stage)
{
    return queue_prepare_with(stage, NULL, sizeof(int), TAKEN);
}

static int large_prepare(struct stage *stage)
{
    return queue_prepare_with(stage, NULL, sizeof(struct large), TAKEN);
}

/* The next item does not fit into the ring. */
static int full_ring_prepare(struct stage *stage)
{
    return queue_prepare_with(stage, NULL, 1000, TAKEN);
}

/* All of the first ring is used, and one item lies in the next: who gets the fourth goes on there. */
static int two_rings_prepare(struct stage *stage)
{
    int result = queue_prepare_with(stage, NULL, 1000, 6);
    static char bytes[1000];
    for (int i = 0; result == 0 && i < TAKEN; i++) result = mp_queue_get(stage->queue, bytes, 1000, NULL, 0);
    return result;
}

static void note(const struct stage *stage, int number)
{
    struct board *board = mp_block_data(stage->board);
    atomic_store(&board->held, number + 1);
}

static int queue_put(struct stage *stage)
{
    static struct large item;
    item.number = TAKEN;
    int result = mp_queue_put(stage->queue, &item, stage->size, LIMIT);
    if (result == 0) note(stage, TAKEN);
    return result;
}

static int queue_get(struct stage *stage)
{
    static struct large item;
    int result = mp_queue_get(stage->queue, &item, stage->size, NULL, LIMIT);
    if (result == 0) note(stage, item.number);
    return result;
}

static int queue_put_message(struct stage *stage)
{
    mp_message message;
    int result = mp_message_create(&message, stage->size);
    if (result < 0) return result;
    *(int *)message.data = TAKEN;
    result = mp_queue_put_message(stage->queue, &message, LIMIT);
    if (result == 0) note(stage, TAKEN);
    return result;
}

static int queue_get_message(struct stage *stage)
{
    mp_message message;
    int result = mp_queue_get_message(stage->queue, &message, LIMIT);
    if (result < 0) return result;
    note(stage, *(const int *)message.data);
    return mp_message_destroy(&message);
}

/* What it has got it puts again: behind the others. */
static int queue_forward(struct stage *stage)
{
    mp_message message;
    int result = mp_queue_get_message(stage->queue, &message, LIMIT);
    return result < 0 ? result : mp_queue_put_message(stage->queue, &message, LIMIT);
}

static int queue_put_many(struct stage *stage)
{
    int numbers[20];
    size_t done;
    for (int i = 0; i < 20; i++) numbers[i] = TAKEN + i;
    return mp_queue_put_many(stage->queue, numbers, sizeof *numbers, 20, &done, LIMIT);
}

static int queue_get_many(struct stage *stage)
{
    int numbers[20];
    size_t done;
    int result = mp_queue_get_many(stage->queue, numbers, sizeof *numbers, 20, &done, LIMIT);
    if (result == 0) note(stage, TAKEN);
    return result;
}

/* The dead one is, by now: what it had committed counts. */
static void await_death(const struct stage *stage)
{
    const struct mp__control *control = mp__control_of(stage->queue.id, MP__QUEUE);
    for (int gets = 0; control && gets < 2; gets++) {
        uint64_t id = atomic_load(gets ? &control->as.queue.get : &control->as.queue.put);
        if (mp__side_enter(mp__side_at(id), id, MP_OS_NEVER) == 0) mp__side_leave(mp__side_at(id), id);
    }
}

static int queue_end(struct stage *stage)
{
    size_t size;
    HOLDS(mp_queue_qsize(stage->queue, &size) == 0 && size == 0);
    HOLDS(mp_queue_destroy(stage->queue) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

/* All that is in it: how many, the first number, and that they follow each other. As many as it says. */
static int drain(struct stage *stage, int *first, int *count)
{
    static struct large item;
    size_t size;
    *count = 0;
    *first = -1;
    await_death(stage);
    HOLDS(mp_queue_qsize(stage->queue, &size) == 0);
    while (mp_queue_get(stage->queue, &item, sizeof item, &(size_t){0}, 0) == 0) {
        if (*count == 0) *first = item.number;
        HOLDS(item.number == *first + *count);
        ++*count;
    }
    HOLDS(*count == (int)size);
    return 0;
}

/* It is in the queue, if its put has returned; and perhaps if it has not. */
static int put_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int first, count, result = drain(stage, &first, &count);
    if (result < 0) return result;
    HOLDS(first == 0 && (count == TAKEN || count == TAKEN + 1));
    HOLDS(!atomic_load(&board->held) || count == TAKEN + 1);
    return queue_end(stage);
}

static int put_many_check(struct stage *stage)
{
    int first, count, result = drain(stage, &first, &count);
    if (result < 0) return result;
    HOLDS(first == 0 && count >= TAKEN && count <= TAKEN + 20);
    return queue_end(stage);
}

/* What its get has returned is not in the queue. What it has not is; unless it was on its way back. */
static int get_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int before = stage->size == 1000 ? 6 : TAKEN, from = stage->size == 1000 ? TAKEN : 0;
    int first, count, held = atomic_load(&board->held), result = drain(stage, &first, &count);
    if (result < 0) return result;
    HOLDS((count == before - from && first == from) || (count == before - from - 1 && first == from + 1));
    HOLDS(!held || (held == from + 1 && first == from + 1));
    return queue_end(stage);
}

static int get_many_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int first, count, result = drain(stage, &first, &count);
    if (result < 0) return result;
    HOLDS(count == 0 || (count == TAKEN && first == 0 && !atomic_load(&board->held)));
    return queue_end(stage);
}

/* It is at the front, or at the back, or was the dead one's. */
static int forward_check(struct stage *stage)
{
    static struct large item;
    int count = 0, sum = 0, last = -1;
    while (mp_queue_get(stage->queue, &item, sizeof item, &(size_t){0}, 0) == 0) {
        count++;
        sum += item.number;
        HOLDS(item.number == last + 1 || (last == -1 && item.number == 1) || (last == TAKEN - 1 && item.number == 0));
        last = item.number;
    }
    HOLDS(count == TAKEN || count == TAKEN - 1);
    HOLDS(sum == 3);
    return queue_end(stage);
}

/* ---- queues that somebody waits at --------------------------------------------------------------------------------- */

static int start_other(const struct stage *stage, mp_target target)
{
    struct board *board = mp_block_data(stage->board);
    return mp_process_start(&board->waiter, target, stage, sizeof *stage, &(mp_process_options){.method = MP_FORK});
}

static bool sleeps(const struct stage *stage, bool for_room)
{
    const struct mp__control *control = mp__control_of(stage->queue.id, MP__QUEUE);
    uint64_t id = atomic_load(for_room ? &control->as.queue.get : &control->as.queue.put);
    return atomic_load(&mp__side_at(id)->bell) & MP__WAITERS;
}

static int await_sleep(const struct stage *stage, bool for_room)
{
    struct board *board = mp_block_data(stage->board);
    while (!sleeps(stage, for_room))
        if (mp_process_join(board->waiter, NULL, 1) != MP_ETIMEDOUT) return MP_ESYSTEM;
    return 0;
}

static int end_of(const struct stage *stage, int *code)
{
    const struct board *board = mp_block_data(stage->board);
    int result = mp_process_join(board->waiter, code, LIMIT);
    return result < 0 ? result : mp_process_close(board->waiter);
}

/* One waits for an item, or for room; it gets, or puts, one. */
static int get_one(void *args)
{
    const struct stage *stage = args;
    int number;
    return mp_queue_get(stage->queue, &number, sizeof number, NULL, LIMIT);
}

static int put_one(void *args)
{
    const struct stage *stage = args;
    int number = TAKEN;
    return mp_queue_put(stage->queue, &number, sizeof number, LIMIT);
}

static int awaited_prepare(struct stage *stage)
{
    int number, result = queue_prepare_with(stage, NULL, sizeof(int), 1);
    /* So this one uses it, too, and nobody is alone when the child is dead. */
    if (result == 0) result = mp_queue_get(stage->queue, &number, sizeof number, NULL, 0);
    if (result == 0) result = start_other(stage, get_one);
    return result < 0 ? result : await_sleep(stage, false);
}

static int full_prepare(struct stage *stage)
{
    int result = queue_prepare_with(stage, &(mp_queue_options){.maxsize = TAKEN}, sizeof(int), TAKEN);
    if (result == 0) result = start_other(stage, put_one);
    return result < 0 ? result : await_sleep(stage, true);
}

/* If it was put, who waits has it, without any help. */
static int awaited_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int number = TAKEN, code = 0;
    size_t size;
    const struct mp__control *control = mp__control_of(stage->queue.id, MP__QUEUE);
    await_death(stage);
    HOLDS(mp_queue_qsize(stage->queue, &size) == 0);
    uint64_t put = atomic_load(&mp__side_at(atomic_load(&control->as.queue.put))->at) >> 32;
    HOLDS(put > 1 || !atomic_load(&board->held));
    if (put == 1) HOLDS(mp_queue_put(stage->queue, &number, sizeof number, 0) == 0);
    HOLDS(end_of(stage, &code) == 0 && code == 0);
    return queue_end(stage);
}

/* If it was got, who waits has put its own, without any help. */
static int full_check(struct stage *stage)
{
    const struct mp__control *control = mp__control_of(stage->queue.id, MP__QUEUE);
    const struct mp__side *get = mp__side_at(atomic_load(&control->as.queue.get));
    int number, code = 0, first, count;
    await_death(stage);
    if (!(atomic_load(&get->at) >> 32)) HOLDS(mp_queue_get(stage->queue, &number, sizeof number, NULL, 0) == 0);
    HOLDS(end_of(stage, &code) == 0 && code == 0);
    int result = drain(stage, &first, &count);
    if (result < 0) return result;
    HOLDS(count == TAKEN && first == 1);
    return queue_end(stage);
}

/* Waiting for an item that comes while it sleeps, or does not. */
static int get_in_vain(struct stage *stage)
{
    int number;
    return mp_queue_get(stage->queue, &number, sizeof number, NULL, 1) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
}

static int empty_prepare(struct stage *stage)
{
    return queue_prepare_with(stage, NULL, sizeof(int), 0);
}

static int usable_check(struct stage *stage)
{
    int number = 1;
    HOLDS(mp_queue_put(stage->queue, &number, sizeof number, 0) == 0);
    HOLDS(mp_queue_get(stage->queue, &number, sizeof number, NULL, 0) == 0);
    return queue_end(stage);
}

/* ---- joining ------------------------------------------------------------------------------------------------------ */

static int join_queue(void *args)
{
    const struct stage *stage = args;
    return mp_queue_join(stage->queue, LIMIT);
}

static int joined_prepare(struct stage *stage)
{
    int result = queue_prepare_with(stage, &(mp_queue_options){.joinable = true}, sizeof(int), 1);
    if (result == 0) result = start_other(stage, join_queue);
    struct board *board = mp_block_data(stage->board);
    const struct mp__control *control = mp__control_of(stage->queue.id, MP__QUEUE);
    struct mp__side *get = mp__side_at(atomic_load(&control->as.queue.get));
    while (result == 0 && !(atomic_load(mp__side_joiners(get)) & MP__WAITERS))
        if (mp_process_join(board->waiter, NULL, 1) != MP_ETIMEDOUT) result = MP_ESYSTEM;
    return result;
}

static int task_done(struct stage *stage)
{
    return mp_queue_task_done(stage->queue);
}

static int joined_check(struct stage *stage)
{
    int number, code = 0, result = mp_queue_join(stage->queue, 0);
    HOLDS(result == 0 || result == MP_ETIMEDOUT || result == MP_EPEERDEAD);
    if (result < 0) HOLDS(mp_queue_task_done(stage->queue) == 0);
    HOLDS(end_of(stage, &code) == 0 && code == 0);
    HOLDS(mp_queue_get(stage->queue, &number, sizeof number, NULL, 0) == 0);
    return queue_end(stage);
}

/* ---- the end of queues --------------------------------------------------------------------------------------------- */

static int queue_create(struct stage *stage)
{
    mp_queue queue;
    (void)stage;
    return mp_queue_create(&queue, NULL);
}

static int queue_create_check(struct stage *stage)
{
    mp_queue queue;
    (void)stage;
    HOLDS(mp_queue_create(&queue, NULL) == 0 && mp_queue_destroy(queue) == 0);
    return 0;
}

static int message_create_and_destroy(struct stage *stage)
{
    mp_message message;
    (void)stage;
    int result = mp_message_create(&message, 100);
    return result < 0 ? result : mp_message_destroy(&message);
}

static int nothing_check(struct stage *stage)
{
    (void)stage;
    return 0;
}

/* With bytes, a message, and a second ring in it. */
static int crowded_prepare(struct stage *stage)
{
    static struct large item;
    static char bytes[1000];
    int result = queue_prepare_with(stage, NULL, sizeof(int), TAKEN);
    if (result == 0) result = mp_queue_put(stage->queue, &item, sizeof item, 0);
    for (int i = 0; result == 0 && i < 6; i++) result = mp_queue_put(stage->queue, bytes, sizeof bytes, 0);
    if (result == 0) result = mp_queue_put(stage->queue, &item, sizeof item, 0);
    return result;
}

static int queue_destroy(struct stage *stage)
{
    return mp_queue_destroy(stage->queue);
}

static int destroyed_check(struct stage *stage)
{
    int result = mp_queue_destroy(stage->queue);
    HOLDS(result == 0 || result == MP_EBADHANDLE);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

/* Who waits there is told, whether or not the one who destroys it, or closes it, lives to tell it. */
static int queue_close(struct stage *stage)
{
    return mp_queue_close(stage->queue);
}

static int destroyed_awaited_check(struct stage *stage)
{
    int code = 0, result = mp_queue_destroy(stage->queue);
    HOLDS(result == 0 || result == MP_EBADHANDLE);
    HOLDS(end_of(stage, &code) == 0 && code == MP_EBADHANDLE);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

static int closed_awaited_check(struct stage *stage)
{
    int code = 0, number = 1;
    HOLDS(mp_queue_close(stage->queue) == 0);
    HOLDS(end_of(stage, &code) == 0 && code == MP_ECLOSED);
    HOLDS(mp_queue_put(stage->queue, &number, sizeof number, 0) == MP_ECLOSED);
    return queue_end(stage);
}

/* ---- pipes ------------------------------------------------------------------------------------------------------- */

static int pipe_create(struct stage *stage)
{
    mp_connection a, b;
    (void)stage;
    return mp_pipe_create(&a, &b, NULL);
}

static int pipe_create_check(struct stage *stage)
{
    mp_connection a, b;
    (void)stage;
    HOLDS(mp_pipe_create(&a, &b, NULL) == 0);
    HOLDS(mp_connection_close(a) == 0 && mp_connection_close(b) == 0);
    return 0;
}

/* Numbers on their way to b. */
static int pipe_prepare(struct stage *stage)
{
    int result = mp_block_create(&stage->board, sizeof(struct board));
    if (result == 0) result = mp_pipe_create(&stage->a, &stage->b, NULL);
    for (int i = 0; result == 0 && i < TAKEN; i++) result = mp_connection_send(stage->a, &i, sizeof i, 0);
    return result;
}

static int pipe_send(struct stage *stage)
{
    int number = TAKEN, result = mp_connection_send(stage->a, &number, sizeof number, LIMIT);
    if (result == 0) note(stage, TAKEN);
    return result;
}

static int pipe_recv(struct stage *stage)
{
    int number, result = mp_connection_recv(stage->b, &number, sizeof number, NULL, LIMIT);
    if (result == 0) note(stage, number);
    return result;
}

static int pipe_poll(struct stage *stage)
{
    return mp_connection_poll(stage->b, 0) == 1 && mp_connection_poll(stage->a, 1) == 0 ? 0 : MP_ESYSTEM;
}

static int pipe_end(struct stage *stage)
{
    int result = mp_connection_close(stage->a), other = mp_connection_close(stage->b);
    HOLDS(result == 0 || result == MP_EBADHANDLE);
    HOLDS(other == 0 || other == MP_EBADHANDLE);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

static int pipe_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int first = -1, count = 0, held = atomic_load(&board->held);
    for (int number; mp_connection_recv(stage->b, &number, sizeof number, NULL, 0) == 0; count++) {
        if (!count) first = number;
        HOLDS(number == first + count);
    }
    HOLDS((first == 0 && (count == TAKEN || count == TAKEN + 1)) || (first == 1 && count == TAKEN - 1));
    HOLDS(!held || (held == TAKEN + 1 && count == TAKEN + 1) || (held == 1 && first == 1));
    return pipe_end(stage);
}

/* ---- messages larger than the pipe ---- */

#define LONG 20000

static unsigned char long_bytes[LONG], received_bytes[LONG];

static int send_long(mp_connection end)
{
    return mp_connection_send(end, long_bytes, LONG, LIMIT);
}

static int receive_long(mp_connection end, int64_t timeout_ms)
{
    int result = mp_connection_recv(end, received_bytes, LONG, NULL, timeout_ms);
    return result == 0 && memcmp(received_bytes, long_bytes, LONG) != 0 ? MP_ESTALE : result; /* which it never is */
}

static int send_one_long(void *args)
{
    return send_long(((const struct stage *)args)->a);
}

static int receive_one_long(void *args)
{
    return receive_long(((const struct stage *)args)->b, LIMIT);
}

static int long_prepare(struct stage *stage, mp_target other)
{
    int result = mp_block_create(&stage->board, sizeof(struct board));
    for (size_t i = 0; i < LONG; i++) long_bytes[i] = (unsigned char)(i * 7 + i / 251);
    if (result == 0) result = mp_pipe_create(&stage->a, &stage->b, &(mp_pipe_options){.capacity = 4096});
    return result < 0 ? result : start_other(stage, other);
}

static int received_prepare(struct stage *stage)
{
    return long_prepare(stage, receive_one_long);
}

static int sent_prepare(struct stage *stage)
{
    return long_prepare(stage, send_one_long);
}

static int pipe_send_long(struct stage *stage)
{
    int result = send_long(stage->a);
    if (result == 0) note(stage, 0);
    return result;
}

static int pipe_receive_long(struct stage *stage)
{
    int result = receive_long(stage->b, LIMIT);
    if (result == 0) note(stage, 0);
    return result;
}

/* If it was not sent, who waits receives the next one. */
static int received_check(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int code = 0, result;
    bool sent = atomic_load(&board->held);
    while ((result = mp_process_join(board->waiter, &code, sent ? LIMIT : 1)) == MP_ETIMEDOUT) {
        HOLDS(!sent);
        result = send_long(stage->a);
        HOLDS(result == 0 || result == MP_EPEERDEAD); /* it has just received the first one */
    }
    HOLDS(result == 0 && code == 0);
    HOLDS(mp_process_close(board->waiter) == 0);
    return pipe_end(stage);
}

/* If it was not received, the next one receives it. */
static int sent_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int code = 0, result = receive_long(stage->b, atomic_load(&board->held) ? 0 : LIMIT);
    HOLDS(atomic_load(&board->held) ? result == MP_ETIMEDOUT || result == MP_EPEERDEAD
                                    : result == 0 || result == MP_EPEERDEAD);
    HOLDS(end_of(stage, &code) == 0 && code == 0);
    return pipe_end(stage);
}

static int pipe_close(struct stage *stage)
{
    int result = mp_connection_close(stage->a);
    return result < 0 ? result : mp_connection_close(stage->b);
}

const struct operation operations_channel[] = {
    {.name = "queue put", .prepare = queue_prepare, .operate = queue_put, .check = put_check},
    {.name = "queue put, large", .prepare = large_prepare, .operate = queue_put, .check = put_check},
    {.name = "queue put, a new ring", .prepare = full_ring_prepare, .operate = queue_put, .check = put_check},
    {.name = "queue put, many", .prepare = queue_prepare, .operate = queue_put_many, .check = put_many_check},
    {.name = "queue put, a message", .prepare = large_prepare, .operate = queue_put_message, .check = put_check},
    {.name = "queue put, somebody waits", .prepare = awaited_prepare, .operate = queue_put, .check = awaited_check},
    {.name = "queue get", .prepare = queue_prepare, .operate = queue_get, .check = get_check},
    {.name = "queue get, large", .prepare = large_prepare, .operate = queue_get, .check = get_check},
    {.name = "queue get, the next ring", .prepare = two_rings_prepare, .operate = queue_get, .check = get_check},
    {.name = "queue get, many", .prepare = queue_prepare, .operate = queue_get_many, .check = get_many_check},
    {.name = "queue get, a message", .prepare = large_prepare, .operate = queue_get_message, .check = get_check},
    {.name = "queue get, bytes as a message",
     .prepare = queue_prepare,
     .operate = queue_get_message,
     .check = get_check},
    {.name = "queue get, somebody waits", .prepare = full_prepare, .operate = queue_get, .check = full_check},
    {.name = "queue get in vain", .prepare = empty_prepare, .operate = get_in_vain, .check = usable_check},
    {.name = "queue, a message forwarded", .prepare = large_prepare, .operate = queue_forward, .check = forward_check},
    {.name = "queue task done", .prepare = joined_prepare, .operate = task_done, .check = joined_check},
    {.name = "queue, created", .operate = queue_create, .check = queue_create_check, .creates = 1},
    {.name = "queue destroyed", .prepare = crowded_prepare, .operate = queue_destroy, .check = destroyed_check},
    {.name = "queue destroyed, somebody waits",
     .prepare = awaited_prepare,
     .operate = queue_destroy,
     .check = destroyed_awaited_check},
    {.name = "queue closed, somebody waits",
     .prepare = awaited_prepare,
     .operate = queue_close,
     .check = closed_awaited_check},
    {.name = "message, created", .operate = message_create_and_destroy, .check = nothing_check},
    {.name = "pipe, created", .operate = pipe_create, .check = pipe_create_check, .creates = 2},
    {.name = "pipe send", .prepare = pipe_prepare, .operate = pipe_send, .check = pipe_check},
    {.name = "pipe recv", .prepare = pipe_prepare, .operate = pipe_recv, .check = pipe_check},
    {.name = "pipe send, long", .prepare = received_prepare, .operate = pipe_send_long, .check = received_check},
    {.name = "pipe recv, long", .prepare = sent_prepare, .operate = pipe_receive_long, .check = sent_check},
    {.name = "pipe poll", .prepare = pipe_prepare, .operate = pipe_poll, .check = pipe_check},
    {.name = "pipe closed", .prepare = pipe_prepare, .operate = pipe_close, .check = pipe_end},
};

const size_t operations_channel_count = sizeof operations_channel / sizeof *operations_channel;
