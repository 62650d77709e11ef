/* SPDX-License-Identifier: MIT
 *
 * fuzz_handles.c - handles: whatever 64 bits stand in one, after whatever was done before, each function refuses what is
 * none of its own (MP_EBADHANDLE), or returns 0 or an error by name; nothing waits, and when all is destroyed nothing is
 * left.
 *
 *     input: operations, each a byte, a handle (see any_handle), and two bytes for what else there is to choose
 */
#include "base/holders.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS      16
#define OPERATIONS 400 /* of one input */
#define CREATED    200
#define MOST_BYTES 200000

static unsigned char buffer[MOST_BYTES];
static uint64_t slots[SLOTS], created[CREATED], self;
static size_t used, made; /* slots that were filled so far; objects that are to be destroyed */

/* ---- what may be done with a handle: one function each ----------------------------------------------------------- */

#define CALL(name, type, expression)                   \
    static int call_##name(uint64_t id, uint16_t more) \
    {                                                  \
        type it = {id};                                \
        (void)more;                                    \
        return (expression);                           \
    }
#define OR_BAD(found) ((found) ? 0 : MP_EBADHANDLE)

static int code;
static size_t count;
static bool never(void *context)
{
    (void)context;
    return false;
}
static int task(mp_task *it)
{
    (void)it;
    return 0;
}
static int source(void *context, mp_bytes *input)
{
    (void)context, (void)input;
    return 0;
}

CALL(lock_acquire, mp_lock, mp_lock_acquire(it, 0))
CALL(lock_release, mp_lock, mp_lock_release(it))
CALL(lock_locked, mp_lock, mp_lock_locked(it))
CALL(lock_destroy, mp_lock, mp_lock_destroy(it))
CALL(rlock_acquire, mp_rlock, mp_rlock_acquire(it, 0))
CALL(rlock_release, mp_rlock, mp_rlock_release(it))
CALL(rlock_locked, mp_rlock, mp_rlock_locked(it))
CALL(rlock_destroy, mp_rlock, mp_rlock_destroy(it))
CALL(semaphore_acquire, mp_semaphore, mp_semaphore_acquire(it, 0))
CALL(semaphore_release, mp_semaphore, mp_semaphore_release(it))
CALL(semaphore_get_value, mp_semaphore, mp_semaphore_get_value(it))
CALL(semaphore_destroy, mp_semaphore, mp_semaphore_destroy(it))
CALL(condition_acquire, mp_condition, mp_condition_acquire(it, 0))
CALL(condition_release, mp_condition, mp_condition_release(it))
CALL(condition_wait, mp_condition, mp_condition_wait(it, 0))
CALL(condition_wait_for, mp_condition, mp_condition_wait_for(it, never, NULL, 0))
CALL(condition_notify, mp_condition, mp_condition_notify(it, more))
CALL(condition_notify_all, mp_condition, mp_condition_notify_all(it))
CALL(condition_destroy, mp_condition, mp_condition_destroy(it))
CALL(event_wait, mp_event, mp_event_wait(it, 0))
CALL(event_set, mp_event, mp_event_set(it))
CALL(event_clear, mp_event, mp_event_clear(it))
CALL(event_is_set, mp_event, mp_event_is_set(it))
CALL(event_destroy, mp_event, mp_event_destroy(it))
CALL(barrier_wait, mp_barrier, mp_barrier_wait(it, 0))
CALL(barrier_abort, mp_barrier, mp_barrier_abort(it))
CALL(barrier_reset, mp_barrier, mp_barrier_reset(it))
CALL(barrier_parties, mp_barrier, mp_barrier_parties(it))
CALL(barrier_n_waiting, mp_barrier, mp_barrier_n_waiting(it))
CALL(barrier_broken, mp_barrier, mp_barrier_broken(it))
CALL(barrier_destroy, mp_barrier, mp_barrier_destroy(it))
CALL(value_data, mp_value, mp_value_size(it) == more ? OR_BAD(mp_value_data(it, more)) : OR_BAD(mp_value_size(it)))
CALL(value_size, mp_value, OR_BAD(mp_value_size(it)))
CALL(value_destroy, mp_value, mp_value_destroy(it))
CALL(array_length, mp_array, OR_BAD(mp_array_item_size(it)))
CALL(array_destroy, mp_array, mp_array_destroy(it))
CALL(block_data, mp_block, OR_BAD(mp_block_data(it)))
CALL(block_size, mp_block, OR_BAD(mp_block_size(it)))
CALL(block_destroy, mp_block, mp_block_destroy(it))
CALL(queue_put, mp_queue, mp_queue_put(it, buffer, more % 4 ? more % 512 : (size_t)more * 3, 0))
CALL(queue_get, mp_queue, mp_queue_get(it, buffer, sizeof buffer, &count, 0))
CALL(queue_get_exactly, mp_queue, mp_queue_get(it, buffer, more, NULL, 0))
CALL(queue_put_many, mp_queue, mp_queue_put_many(it, buffer, more % 300, more / 300, &count, 0))
CALL(queue_get_many, mp_queue, mp_queue_get_many(it, buffer, more % 300, more / 300, &count, 0))
CALL(queue_qsize, mp_queue, mp_queue_qsize(it, &count))
CALL(queue_empty, mp_queue, mp_queue_empty(it))
CALL(queue_full, mp_queue, mp_queue_full(it))
CALL(queue_task_done, mp_queue, mp_queue_task_done(it))
CALL(queue_join, mp_queue, mp_queue_join(it, 0))
CALL(queue_close, mp_queue, mp_queue_close(it))
CALL(queue_destroy, mp_queue, mp_queue_destroy(it))
CALL(connection_send, mp_connection, mp_connection_send(it, buffer, more % 4 ? more % 512 : more, 0))
CALL(connection_recv, mp_connection, mp_connection_recv(it, buffer, sizeof buffer, &count, 0))
CALL(connection_recv_exactly, mp_connection, mp_connection_recv(it, buffer, more, NULL, 0))
CALL(connection_poll, mp_connection, mp_connection_poll(it, 0))
CALL(connection_close, mp_connection, mp_connection_close(it))
CALL(process_join, mp_process, mp_process_join(it, &code, 0))
CALL(process_join_all, mp_process, mp_process_join_all(&it, &code, 1, 0))
CALL(process_is_alive, mp_process, mp_process_is_alive(it))
CALL(process_exitcode, mp_process, mp_process_exitcode(it, &code))
CALL(process_close, mp_process, mp_process_close(it))
CALL(process_pid, mp_process, mp_process_pid(it) > 0 ? 0 : (int)mp_process_pid(it))
CALL(process_name, mp_process, OR_BAD(mp_process_name(it)))
CALL(process_is_daemon, mp_process, mp_process_is_daemon(it))
/* Its own end it has not asked for. */
CALL(process_interrupt, mp_process, id == self ? 0 : mp_process_interrupt(it))
CALL(process_terminate, mp_process, id == self ? 0 : mp_process_terminate(it))
CALL(process_kill, mp_process, id == self ? 0 : mp_process_kill(it))
CALL(pool_close, mp_pool, mp_pool_close(it))
CALL(pool_terminate, mp_pool, mp_pool_terminate(it))
CALL(pool_join, mp_pool, mp_pool_join(it, 0))
CALL(pool_destroy, mp_pool, mp_pool_destroy(it))
CALL(pool_poll, mp_pool, mp_pool_poll(it))
CALL(pool_apply, mp_pool, mp_pool_apply(it, task, buffer, more, NULL, 0, NULL))
CALL(pool_map, mp_pool, mp_pool_map(it, task, buffer, 1, NULL, 0, more, NULL))
CALL(pool_map_async, mp_pool, mp_pool_map_async(it, &(mp_result){0}, task, buffer, 1, 0, more, NULL))
CALL(pool_progress, mp_pool, mp_pool_progress(it, &(mp_progress){0}))
CALL(pool_workers, mp_pool, mp_pool_workers(it, &(mp_worker){.process = {0}}, 1, &count))
CALL(pool_imap, mp_pool, mp_pool_imap(it, &(mp_imap *){NULL}, task, source, NULL, 0, NULL))
CALL(result_get, mp_result, mp_result_get(it, buffer, more, &count, 0))
CALL(result_wait, mp_result, mp_result_wait(it, 0))
CALL(result_wait_all, mp_result, mp_result_wait_all(&it, 1, 0))
CALL(result_ready, mp_result, mp_result_ready(it))
CALL(result_successful, mp_result, mp_result_successful(it))
CALL(result_outcome, mp_result, mp_result_outcome(it, more, &(mp_outcome){0}))
CALL(result_cancel, mp_result, mp_result_cancel(it))
CALL(result_destroy, mp_result, mp_result_destroy(it))

/* A message is a struct; what stands in it may be anything, too. */
static int message_destroy(mp_message message)
{
    return message.id ? mp_message_destroy(&message) : MP_EBADHANDLE;
}
#define MESSAGE(bytes) ((mp_message){.data = buffer, .size = (bytes), .id = id})
static int call_message_destroy(uint64_t id, uint16_t more)
{
    return message_destroy(MESSAGE(more));
}
static mp_queue some_queue(uint16_t more)
{
    return (mp_queue){slots[more % SLOTS]};
}
static int call_message_put(uint64_t id, uint16_t more)
{
    int result = mp_queue_put_message(some_queue(more), &MESSAGE(more), 0);
    return result == 0 || mp_handle_kind(mp_handle_of(id)) ? result : MP_EBADHANDLE;
}
static int call_message_send(uint64_t id, uint16_t more)
{
    int result = mp_connection_send_message((mp_connection){slots[more % SLOTS]}, &MESSAGE(more / 16), 0);
    return result == 0 || mp_handle_kind(mp_handle_of(id)) ? result : MP_EBADHANDLE;
}

static const struct operation {
    const char *kind;
    int (*call)(uint64_t id, uint16_t more);
} operations[] = {
#define OF(name)                 \
    {                            \
        "lock", call_lock_##name \
    }
    OF(acquire),   OF(release),   OF(locked),       OF(destroy),
#undef OF
#define OF(name)                   \
    {                              \
        "rlock", call_rlock_##name \
    }
    OF(acquire),   OF(release),   OF(locked),       OF(destroy),
#undef OF
#define OF(name)                           \
    {                                      \
        "semaphore", call_semaphore_##name \
    }
    OF(acquire),   OF(release),   OF(get_value),    OF(destroy),
#undef OF
#define OF(name)                           \
    {                                      \
        "condition", call_condition_##name \
    }
    OF(acquire),   OF(release),   OF(wait),         OF(wait_for), OF(notify),     OF(notify_all), OF(destroy),
#undef OF
#define OF(name)                   \
    {                              \
        "event", call_event_##name \
    }
    OF(wait),      OF(set),       OF(clear),        OF(is_set),   OF(destroy),
#undef OF
#define OF(name)                       \
    {                                  \
        "barrier", call_barrier_##name \
    }
    OF(wait),      OF(abort),     OF(reset),        OF(parties),  OF(n_waiting),  OF(broken),     OF(destroy),
#undef OF
#define OF(name)                   \
    {                              \
        "value", call_value_##name \
    }
    OF(data),      OF(size),      OF(destroy),
#undef OF
#define OF(name)                   \
    {                              \
        "array", call_array_##name \
    }
    OF(length),    OF(destroy),
#undef OF
#define OF(name)                   \
    {                              \
        "block", call_block_##name \
    }
    OF(data),      OF(size),      OF(destroy),
#undef OF
#define OF(name)                   \
    {                              \
        "queue", call_queue_##name \
    }
    OF(put),       OF(get),       OF(get_exactly),  OF(put_many), OF(get_many),   OF(qsize),      OF(empty),
    OF(full),      OF(task_done), OF(join),         OF(close),    OF(destroy),
#undef OF
#define OF(name)                             \
    {                                        \
        "connection", call_connection_##name \
    }
    OF(send),      OF(recv),      OF(recv_exactly), OF(poll),     OF(close),
#undef OF
#define OF(name)                       \
    {                                  \
        "process", call_process_##name \
    }
    OF(join),      OF(join_all),  OF(is_alive),     OF(exitcode), OF(close),      OF(pid),        OF(name),
    OF(is_daemon), OF(interrupt), OF(terminate),    OF(kill),
#undef OF
#define OF(name)                 \
    {                            \
        "pool", call_pool_##name \
    }
    OF(close),     OF(terminate), OF(join),         OF(destroy),  OF(poll),       OF(apply),      OF(map),
    OF(map_async), OF(progress),  OF(workers),      OF(imap),
#undef OF
#define OF(name)                     \
    {                                \
        "result", call_result_##name \
    }
    OF(get),       OF(wait),      OF(wait_all),     OF(ready),    OF(successful), OF(outcome),    OF(cancel),
    OF(destroy),
#undef OF
#define OF(name)                       \
    {                                  \
        "message", call_message_##name \
    }
    OF(destroy),   OF(put),       OF(send),
#undef OF
};
#define COUNT (sizeof operations / sizeof *operations)

/* ---- handles ----------------------------------------------------------------------------------------------------- */

/* One of those that were made; that with a bit changed; a control block by its number, those included that are parts of
 * something; or any 64 bits. */
static uint64_t any_handle(struct fuzz_input *input)
{
    uint8_t how = fuzz_byte(input), slot = how % SLOTS;
    uint16_t index;
    switch (how >> 4) {
    case 12:
        return slots[slot] ^ UINT64_C(1) << fuzz_byte(input) % 64;
    case 13:
        index = fuzz_short(input);
        return (uint64_t)fuzz_short(input) << 32 | mp__handle_tag() | index;
    case 14:
        return slots[slot] + ((uint64_t)fuzz_byte(input) << 32);
    case 15:
        return fuzz_word(input);
    default:
        return slots[slot];
    }
}

/* The handle is looked at when it has been made. */
static void keep(int result, const uint64_t *id)
{
    if (fuzz_result(result) < 0) return;
    slots[used++ % SLOTS] = *id;
    created[made++] = *id;
}

static void destroy(uint64_t id)
{
    static const struct {
        const char *kind;
        int (*call)(uint64_t id, uint16_t more);
    } ends[] = {{"lock", call_lock_destroy},           {"rlock", call_rlock_destroy},
                {"semaphore", call_semaphore_destroy}, {"condition", call_condition_destroy},
                {"event", call_event_destroy},         {"barrier", call_barrier_destroy},
                {"value", call_value_destroy},         {"array", call_array_destroy},
                {"block", call_block_destroy},         {"queue", call_queue_destroy},
                {"connection", call_connection_close}, {"message", call_message_destroy}};
    const char *kind = mp_handle_kind(mp_handle_of(id));
    for (size_t i = 0; kind && i < sizeof ends / sizeof *ends; i++)
        if (strcmp(kind, ends[i].kind) == 0) FUZZ_CHECK(ends[i].call(id, 0) == 0);
}

/* ---- making them ------------------------------------------------------------------------------------------------- */

static void make_pipe(uint16_t more)
{
    mp_connection a = {0}, b = {0};
    int result = mp_pipe_create(&a, &b, &(mp_pipe_options){.one_way = more & 1, .capacity = more / 2});
    keep(result, &a.id);
    keep(result, &b.id);
}

static void make_barrier(struct fuzz_input *input, uint16_t more)
{
    mp_barrier barrier = {0};
    mp_process member = {any_handle(input)};
    keep(mp_barrier_create(&barrier, more % 8, &(mp_barrier_options){.members = &member, .member_count = more / 8 % 2}),
         &barrier.id);
}

/* Of some kind; with another handle where one may be given. */
static void make(struct fuzz_input *input, uint16_t more)
{
    mp_lock lock = {0};
    mp_rlock rlock = {0};
    mp_semaphore semaphore = {0};
    mp_condition condition = {0};
    mp_event event = {0};
    mp_value value = {0};
    mp_array array = {0};
    mp_block block = {0};
    mp_queue queue = {0};
    mp_message message = {0};
    uint8_t kind = fuzz_byte(input) % 14;
    uint64_t with = kind > 10 ? any_handle(input) : 0;
    if (made + 2 > CREATED) return;
    if (kind == 0) keep(mp_lock_create(&lock, NULL), &lock.id);
    if (kind == 1) keep(mp_rlock_create(&rlock, NULL), &rlock.id);
    if (kind == 2) keep(mp_semaphore_create(&semaphore, more, NULL), &semaphore.id);
    if (kind == 3)
        keep(mp_semaphore_create(&semaphore, more % 64, &(mp_semaphore_options){.owned = true}), &semaphore.id);
    if (kind == 4) keep(mp_event_create(&event, NULL), &event.id);
    if (kind == 5) make_barrier(input, more);
    if (kind == 6) keep(mp_block_create(&block, more % 8 ? more : (size_t)more * 16), &block.id);
    if (kind == 7) keep(mp_queue_create(&queue, NULL), &queue.id);
    if (kind == 8)
        keep(mp_queue_create(&queue, &(mp_queue_options){.maxsize = more % 7, .max_bytes = more / 7, .joinable = true}),
             &queue.id);
    if (kind == 9) make_pipe(more);
    if (kind == 10) keep(mp_message_create(&message, more), &message.id);
    if (kind == 11) {
        keep(mp_value_create(&value, more, &(mp_shared_options){.lock = {with}}), &value.id);
        slots[used++ % SLOTS] = mp_value_get_lock(value).id;
    }
    if (kind == 12)
        keep(mp_array_create(&array, more % 256, more / 256, &(mp_shared_options){.lock = {with}}), &array.id);
    if (kind == 13) {
        mp_condition_options options = {.lock = {more & 1 ? with : 0}, .rlock = {more & 2 ? with : 0}};
        keep(mp_condition_create(&condition, &options), &condition.id);
    }
}

/* ---- several at once --------------------------------------------------------------------------------------------- */

static void wait_for(struct fuzz_input *input, uint16_t more)
{
    mp_handle items[8];
    size_t index = 0, number = more % 8;
    for (size_t i = 0; i < number; i++) items[i].id = any_handle(input);
    int result = fuzz_result(mp_wait(items, number, &index, 0));
    FUZZ_CHECK(result < 0 || index < number);
}

/* As if it were given to a process: whatever bytes its arguments have. */
static void give(struct fuzz_input *input, uint16_t more)
{
    unsigned char bytes[64];
    uint64_t id = any_handle(input), process = more & 64 ? any_handle(input) : self;
    fuzz_bytes(input, bytes, sizeof bytes);
    memcpy(bytes + more % 56, &id, sizeof id);
    fuzz_result(mp__holders_give(bytes, sizeof bytes, process));
    mp__holders_given(bytes, sizeof bytes, process);
}

static void take_message(uint16_t more)
{
    mp_message message = {0};
    uint64_t id = slots[more % SLOTS];
    int result = more & 256 ? mp_queue_get_message((mp_queue){id}, &message, 0)
                            : mp_connection_recv_message((mp_connection){id}, &message, 0);
    if (fuzz_result(result) < 0) return;
    FUZZ_CHECK(message.data && message.size <= MOST_BYTES);
    memset(message.data, 1, message.size);
    FUZZ_CHECK(mp_message_destroy(&message) == 0);
}

/* ---- an input ---------------------------------------------------------------------------------------------------- */

static void use(const struct operation *operation, uint64_t id, uint16_t more)
{
    const char *kind = mp_handle_kind(mp_handle_of(id));
    bool fits = kind && strcmp(kind, operation->kind) == 0;
    int result = fuzz_result(operation->call(id, more));
    if (!fits && result != MP_EBADHANDLE && result != MP_EINVAL) { /* which may be said of the other arguments first */
        fprintf(stderr, "function %d, for a %s, says %d of %#llx, which is %s\n", (int)(operation - operations),
                operation->kind, result, (unsigned long long)id, kind ? kind : "nothing");
        abort();
    }
    if (result < 0) FUZZ_CHECK(mp_error_detail()[0]);
}

static void operate(struct fuzz_input *input)
{
    uint8_t number = fuzz_byte(input);
    uint64_t id = any_handle(input);
    uint16_t more = fuzz_short(input);
    if (number < COUNT)
        use(&operations[number], id, more);
    else if (number % 8 < 4)
        make(input, more);
    else if (number % 8 == 4)
        wait_for(input, more);
    else if (number % 8 == 5)
        give(input, more);
    else if (number % 8 == 6)
        take_message(more);
    else
        (void)mp_block_of((const char *)(const void *)mp__header() + id % (1 << 22));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_begin(data, size);
    self = mp_current_process().id;
    mp_lock lock; /* this thread has a record from here on */
    FUZZ_CHECK(self && mp_lock_create(&lock, NULL) == 0 && mp_lock_acquire(lock, 0) == 0 && mp_lock_destroy(lock) == 0);
    fuzz_check_balance();
    memset(slots, 0, sizeof slots);
    slots[0] = self;
    used = 1;
    made = 0;
    for (int i = 0; i < OPERATIONS && fuzz_left(&input); i++) operate(&input);
    for (size_t i = made; i-- > 0;) destroy(created[i]);
    FUZZ_CHECK(mp_process_is_alive((mp_process){self}) == 1);
    fuzz_check_balance();
    return 0;
}
