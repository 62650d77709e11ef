/* SPDX-License-Identifier: MIT
 *
 * test_faults.c - the n-th allocation fails, for every n, in everything that takes memory or a place among the objects; and so
 * do the n-th look at shared memory and the n-th registration of a thread. What fails says so by name and leaves nothing, and
 * works once nothing fails any more.
 *
 * The linker has calls between the library's files go through here (--wrap).
 */
#include "base/arena.h"
#include "base/control.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/thread.h"
#include "composites/job.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- faults ------------------------------------------------------------------------------------------------------ */

enum kind {
    HEAP,    /* no memory in the arena */
    OBJECTS, /* no room for another object */
    PLACE,   /* no address space to look at memory that another process may have made */
    MEMBER,  /* this thread can not be registered */
    HOLDERS, /* no memory to note who uses an object */
    MALLOC,  /* this process has no memory */
    KINDS
};

static struct {
    bool armed;
    enum kind kind;
    long left; /* the one after so many fails */
    bool fired;
    uint64_t process;
} fault;

/* What this process has allocated itself is mapped, and what it has seen. */
static struct {
    uint64_t begin, end;
} mapped[1000];
static int mapped_count;

static void note_mapped(uint64_t offset, uint64_t size)
{
    if (!fault.armed || mapped_count == 1000) return;
    mapped[mapped_count].begin = offset;
    mapped[mapped_count++].end = offset + size;
}

static bool is_mapped(uint64_t offset)
{
    for (int i = 0; i < mapped_count; i++)
        if (offset >= mapped[i].begin && offset < mapped[i].end) return true;
    return false;
}

static bool fails_now(enum kind kind)
{
    if (!fault.armed || fault.kind != kind || fault.fired || fault.process != mp_current_process().id) return false;
    if (--fault.left > 0) return false;
    fault.fired = true;
    return true;
}

/* What is looked at is as if it were not mapped yet. */
static void hide(void)
{
    if (fault.armed && fault.kind == PLACE) atomic_store(&mp__arena.mapped[MP__REGION_HEAP], 0);
}

static void arm(void)
{
    fault.process = mp_current_process().id;
    fault.armed = fault.left > 0;
    mapped_count = 0;
    hide();
}

static int disarm(int result)
{
    fault.armed = false;
    return result;
}

#define WRAP(kind, failure, type, name, parameters, arguments)        \
    type __real_##name parameters;                                    \
    type __wrap_##name parameters;                                    \
    type __wrap_##name parameters                                     \
    {                                                                 \
        return fails_now(kind) ? (failure) : __real_##name arguments; \
    }
WRAP(OBJECTS, MP_ELIMIT, int, mp__control_create,
     (enum mp__type type, const char *name, void (*fill)(struct mp__control *, const void *), const void *data,
      uint64_t *id),
     (type, name, fill, data, id))
WRAP(OBJECTS, MP_ELIMIT, int, mp__control_take,
     (enum mp__type type, const char *name, uint64_t creator, void (*fill)(struct mp__control *, const void *),
      const void *data, uint64_t *id),
     (type, name, creator, fill, data, id))
WRAP(MEMBER, mp__fail(MP_ENOMEM, "no memory to register a thread"), int, mp__thread_join, (void), ())
WRAP(HOLDERS, MP_ENOMEM, int, mp__holders_join, (struct mp__control * object, uint64_t id), (object, id))
WRAP(MALLOC, NULL, void *, malloc, (size_t size), (size))
WRAP(MALLOC, NULL, void *, calloc, (size_t count, size_t size), (count, size))
WRAP(MALLOC, NULL, void *, realloc, (void *old, size_t size), (old, size))

int __real_mp__heap_alloc(uint64_t size, uint64_t ref, uint64_t *offset);
int __wrap_mp__heap_alloc(uint64_t size, uint64_t ref, uint64_t *offset);
int __wrap_mp__heap_alloc(uint64_t size, uint64_t ref, uint64_t *offset)
{
    if (fails_now(HEAP)) return MP_ENOMEM;
    int result = __real_mp__heap_alloc(size, ref, offset);
    if (result == 0) note_mapped(*offset, size);
    hide();
    return result;
}

void *__real_mp__heap_at(uint64_t offset, uint64_t size);
void *__wrap_mp__heap_at(uint64_t offset, uint64_t size);
void *__wrap_mp__heap_at(uint64_t offset, uint64_t size)
{
    if (!is_mapped(offset) && fails_now(PLACE)) return NULL;
    void *there = __real_mp__heap_at(offset, size);
    if (there) note_mapped(offset, size);
    hide();
    return there;
}

static mp_pool pool; /* what is tried with one uses this */

/* ---- what is tried: arms the fault, and disarms it before it takes away what it has made -------------------------- */

#define TRY(call)                 \
    do {                          \
        result = (call);          \
        if (result < 0) goto end; \
    } while (0)

static int try_locks(void)
{
    mp_lock lock = {0};
    mp_rlock rlock = {0};
    mp_condition condition = {0};
    int result;
    arm();
    TRY(mp_lock_create(&lock, NULL));
    TRY(mp_lock_acquire(lock, 0));
    TRY(mp_lock_release(lock));
    TRY(mp_rlock_create(&rlock, NULL));
    TRY(mp_rlock_acquire(rlock, 0));
    TRY(mp_rlock_release(rlock));
    TRY(mp_condition_create(&condition, NULL));
    TRY(mp_condition_acquire(condition, 0));
    int waited = mp_condition_wait(condition, 0);
    disarm(0);
    if (waited == MP_ENOMEM) result = waited;
    ok(mp_condition_release(condition));
end:
    disarm(0);
    if (lock.id && mp_lock_locked(lock)) ok(mp_lock_release(lock));
    if (rlock.id && mp_rlock_locked(rlock)) ok(mp_rlock_release(rlock));
    if (condition.id) ok(mp_condition_destroy(condition));
    if (rlock.id) ok(mp_rlock_destroy(rlock));
    if (lock.id) ok(mp_lock_destroy(lock));
    return result;
}

static int count_up(void *context)
{
    (void)context;
    return 0;
}

static int try_signs(void)
{
    mp_semaphore semaphore = {0}, owned = {0};
    mp_event event = {0};
    mp_barrier barrier = {0};
    bool taken = false;
    int result;
    arm();
    TRY(mp_semaphore_create(&semaphore, 1, NULL));
    TRY(mp_semaphore_acquire(semaphore, 0));
    TRY(mp_semaphore_release(semaphore));
    TRY(mp_semaphore_create(&owned, 300, &(mp_semaphore_options){.owned = true}));
    TRY(mp_semaphore_acquire(owned, 0));
    taken = true;
    TRY(mp_semaphore_release(owned));
    taken = false;
    TRY(mp_semaphore_get_value(owned));
    TRY(mp_event_create(&event, NULL));
    TRY(mp_event_set(event));
    TRY(mp_event_wait(event, 0));
    TRY(mp_barrier_create(&barrier, 1, &(mp_barrier_options){.action = count_up, .context = "abc", .context_size = 4}));
    TRY(mp_barrier_wait(barrier, 0));
end:
    disarm(0);
    if (taken) ok(mp_semaphore_release(owned));
    if (barrier.id) ok(mp_barrier_destroy(barrier));
    if (event.id) ok(mp_event_destroy(event));
    if (owned.id) ok(mp_semaphore_destroy(owned));
    if (semaphore.id) ok(mp_semaphore_destroy(semaphore));
    return result;
}

static int try_data(void)
{
    mp_value value = {0};
    mp_array array = {0};
    mp_block block = {0};
    mp_message message = {0};
    int result;
    arm();
    TRY(mp_value_create(&value, sizeof(int), NULL));
    TRY(mp_value_data(value, sizeof(int)) ? 0 : MP_ENOMEM);
    TRY(mp_array_create(&array, 10, sizeof(int), NULL));
    TRY(mp_array_data(array, sizeof(int)) ? 0 : MP_ENOMEM);
    TRY(mp_block_create(&block, 100));
    TRY(mp_block_data(block) ? 0 : MP_ENOMEM);
    TRY(mp_message_create(&message, 100));
end:
    disarm(0);
    if (message.id) ok(mp_message_destroy(&message));
    if (block.id) ok(mp_block_destroy(block));
    if (array.id) ok(mp_array_destroy(array));
    if (value.id) ok(mp_value_destroy(value));
    return result;
}

static char large[100000], room[100000];
static size_t which; /* is ready */

static int try_queue(void)
{
    mp_queue queue = {0};
    mp_message message = {0};
    size_t done, size;
    int result;
    arm();
    TRY(mp_queue_create(&queue, &(mp_queue_options){.joinable = true}));
    TRY(mp_queue_put(queue, "1", 1, 0));
    TRY(mp_queue_put(queue, large, 3000, 0));
    TRY(mp_queue_put(queue, large, sizeof large, 0));
    TRY(mp_queue_put_many(queue, large, 100, 100, &done, 0));
    TRY(mp_queue_qsize(queue, &size));
    TRY(mp_queue_empty(queue));
    TRY(mp_queue_full(queue));
    TRY(mp_wait(&(mp_handle){queue.id}, 1, &which, 0));
    TRY(mp_queue_get(queue, room, sizeof room, &size, 0));
    assert_int_equal(size, 1);
    TRY(mp_queue_get(queue, room, sizeof room, &size, 0));
    TRY(mp_queue_get(queue, room, sizeof room, &size, 0));
    assert_int_equal(size, sizeof large);
    TRY(mp_queue_get_message(queue, &message, 0));
    TRY(mp_queue_put_message(queue, &message, 0));
    TRY(mp_queue_get_many(queue, room, 100, 100, &done, 0));
    TRY(mp_queue_task_done(queue));
end:
    disarm(0);
    if (message.id) ok(mp_message_destroy(&message));
    if (queue.id) ok(mp_queue_destroy(queue));
    return result;
}

static int try_pipe(void)
{
    mp_connection a = {0}, b = {0};
    mp_message message = {0};
    size_t size;
    int result;
    arm();
    TRY(mp_pipe_create(&a, &b, NULL));
    TRY(mp_connection_send(a, "1", 1, 0));
    TRY(mp_connection_poll(b, 0));
    TRY(mp_connection_recv(b, room, sizeof room, &size, 0));
    TRY(mp_message_create(&message, 3));
    TRY(mp_connection_send_message(b, &message, 0));
    TRY(mp_wait(&(mp_handle){a.id}, 1, &which, 0));
    TRY(mp_connection_recv_message(a, &message, 0));
end:
    disarm(0);
    if (message.id) ok(mp_message_destroy(&message));
    if (a.id) ok(mp_connection_close(a));
    if (b.id) ok(mp_connection_close(b));
    return result;
}

static int nothing(void *args)
{
    (void)args;
    return 3;
}

static int try_process(void)
{
    mp_process process = {0};
    int result, code = 0;
    char args[3000] = {0};
    arm();
    TRY(mp_process_start(&process, nothing, args, sizeof args, NULL));
    TRY(mp_process_join(process, &code, LIMIT));
    assert_int_equal(code, 3);
    TRY(mp_process_is_alive(process));
end:
    disarm(0);
    if (process.id) assert_ends(process, 3);
    return result;
}

/* ---- pools: the workers come under no fault ---- */

enum {
    ITEMS = 300 /* more than fit a small job */
};
static int in[ITEMS], out[ITEMS];

static int square(mp_task *task)
{
    const int *x = task->input;
    if (task->output) *(int *)task->output = *x * *x;
    return 0;
}

static int try_pool_create(void)
{
    mp_pool made = {0};
    int result;
    arm();
    TRY(mp_pool_create(&made, 1,
                       &(mp_pool_options){.initializer = nothing, .initargs = "abc", .initargs_size = 4, .name = "x"}));
end:
    disarm(0);
    if (made.id) ok(mp_pool_destroy(made));
    return result;
}

static int try_map(void)
{
    int result;
    arm();
    TRY(mp_pool_apply(pool, square, &in[5], sizeof *in, out, sizeof *out, NULL));
    assert_int_equal(out[0], 25);
    TRY(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, ITEMS, NULL));
    assert_int_equal(out[ITEMS - 1], (ITEMS - 1) * (ITEMS - 1));
end:
    return disarm(result);
}

static int try_results(void)
{
    mp_result results[2] = {{0}, {0}};
    mp_progress progress;
    mp_outcome outcome;
    mp_worker workers[4];
    size_t count;
    int result;
    arm();
    TRY(mp_pool_apply_async(pool, &results[0], square, &in[5], sizeof *in, sizeof *out, NULL));
    TRY(mp_pool_map_async(pool, &results[1], square, in, sizeof *in, sizeof *out, ITEMS, NULL));
    TRY(mp_result_wait_all(results, 2, LIMIT));
    TRY(mp_result_ready(results[0]));
    TRY(mp_result_successful(results[0]));
    TRY(mp_result_outcome(results[1], 7, &outcome));
    TRY(mp_result_get(results[1], out, sizeof out, NULL, LIMIT));
    TRY(mp_wait(&(mp_handle){results[0].id}, 1, &which, LIMIT));
    TRY(mp_pool_progress(pool, &progress));
    TRY(mp_pool_workers(pool, workers, 4, &count));
end:
    disarm(0);
    for (int i = 0; i < 2; i++)
        if (results[i].id) ok(mp_result_destroy(results[i]));
    return result;
}

static void count_call(mp_result result, void *context)
{
    (void)result;
    ++*(int *)context;
}

static int try_callback(void)
{
    int calls = 0, submitted = 0, result;
    mp_call_options options = {.callback = count_call, .error_callback = count_call, .context = &calls};
    arm();
    TRY(mp_pool_apply_async(pool, NULL, square, in, sizeof *in, sizeof *out, &options));
    submitted++;
    TRY(mp_pool_map_async(pool, NULL, square, in, sizeof *in, sizeof *out, ITEMS, &options));
    submitted++;
    TRY(mp_pool_poll(pool));
end:
    disarm(0);
    while (calls < submitted) ok(mp_pool_poll(pool));
    assert_int_equal(calls, submitted);
    return result;
}

static int try_imap(void)
{
    mp_items items = {in, sizeof *in, ITEMS};
    mp_imap *imap = NULL;
    mp_item item;
    int result, count = 0;
    arm();
    TRY(mp_pool_imap(pool, &imap, square, mp_source_array, &items, sizeof *out, NULL));
    while ((result = mp_imap_next(imap, &item, LIMIT)) == 1) {
        assert_int_equal(item.index, count);
        assert_int_equal(*(const int *)item.output.data, count * count);
        count++;
    }
    if (result == 0) assert_int_equal(count, ITEMS);
end:
    disarm(0);
    mp_imap_destroy(imap);
    return result;
}

/* ---- what others may have made: seen for the first time, and taken away ---- */

static mp_queue queue;
static mp_connection near, far;
static mp_semaphore owned;
static mp_barrier barrier;
static mp_value value;
static mp_array array;
static mp_block block;

static void objects_create(void)
{
    ok(mp_queue_create(&queue, &(mp_queue_options){.joinable = true}));
    ok(mp_pipe_create(&near, &far, NULL));
    ok(mp_semaphore_create(&owned, 300, &(mp_semaphore_options){.owned = true}));
    ok(mp_barrier_create(&barrier, 1, &(mp_barrier_options){.action = count_up, .context = "abc", .context_size = 4}));
    ok(mp_value_create(&value, sizeof(int), NULL));
    ok(mp_array_create(&array, 10, sizeof(int), NULL));
    ok(mp_block_create(&block, 100));
}

/* What fails has done nothing, and can be done again. */
#define DESTROY(call)                        \
    do {                                     \
        int first = (call);                  \
        if (first < 0) {                     \
            if (result >= 0) result = first; \
            disarm(0);                       \
            ok(call);                        \
        }                                    \
    } while (0)

static int objects_destroy(int result)
{
    DESTROY(mp_queue_destroy(queue));
    DESTROY(mp_connection_close(near));
    DESTROY(mp_connection_close(far));
    DESTROY(mp_semaphore_destroy(owned));
    DESTROY(mp_barrier_destroy(barrier));
    DESTROY(mp_value_destroy(value));
    DESTROY(mp_array_destroy(array));
    DESTROY(mp_block_destroy(block));
    return disarm(result);
}

static int try_destroy(void)
{
    objects_create();
    arm();
    return objects_destroy(0);
}

static int try_others_objects(void)
{
    size_t size;
    int result, number = 0;
    bool taken = false;
    objects_create();
    arm();
    TRY(mp_queue_put(queue, large, 5000, 0));
    TRY(mp_queue_qsize(queue, &size));
    TRY(mp_queue_get(queue, room, sizeof room, &size, 0));
    TRY(mp_queue_task_done(queue));
    TRY(mp_queue_join(queue, 0));
    TRY(mp_connection_send(near, &number, sizeof number, 0));
    TRY(mp_connection_poll(far, 0));
    TRY(mp_connection_recv(far, &number, sizeof number, &size, 0));
    TRY(mp_semaphore_acquire(owned, 0));
    taken = true;
    TRY(mp_semaphore_get_value(owned));
    TRY(mp_semaphore_release(owned));
    taken = false;
    TRY(mp_barrier_wait(barrier, 0));
    TRY(mp_value_data(value, sizeof(int)) ? 0 : MP_ENOMEM);
    TRY(mp_array_data(array, sizeof(int)) ? 0 : MP_ENOMEM);
    TRY(mp_block_data(block) ? 0 : MP_ENOMEM);
end:
    disarm(0);
    if (taken) ok(mp_semaphore_release(owned));
    return objects_destroy(result);
}

/* ---- every n ----------------------------------------------------------------------------------------------------- */

static const struct kind_facts {
    const char *name;
    int errors[3];
} kinds[KINDS] = {
    [HEAP] = {"heap", {MP_ENOMEM}},
    [OBJECTS] = {"objects", {MP_ELIMIT, MP_ENOMEM}},
    [PLACE] = {"place", {MP_ENOMEM, MP_EBADHANDLE}},
    [MEMBER] = {"member", {MP_ENOMEM}},
    [HOLDERS] = {"holders", {MP_ENOMEM}},
    [MALLOC] = {"malloc", {MP_ENOMEM}},
};

static bool is_named(enum kind kind, int result)
{
    for (int i = 0; i < 3; i++)
        if (kinds[kind].errors[i] == result) return true;
    return false;
}

/* A pool keeps some jobs and a result for the next ones: but not more and more of them. */
static void forgive(const struct support_counts *before, struct support_counts *after)
{
    int64_t blocks = (int64_t)(after->stats.blocks - before->stats.blocks);
    int64_t results = (int64_t)(after->stats.results - before->stats.results);
    if (blocks < -MP__JOB_SPARES || blocks > MP__JOB_SPARES || results < -1 || results > 1) return;
    after->stats.blocks = before->stats.blocks;
    after->stats.results = before->stats.results;
    after->stats.bytes_used = before->stats.bytes_used;
}

/* What a supervisor or a janitor does meanwhile may take a moment. */
static void assert_nothing_left(const struct support_counts *before, const char *what, long n)
{
    struct support_counts after;
    int64_t until = support_now() + 5000;
    do {
        support_count(&after);
        after.stats.bytes_reserved = before->stats.bytes_reserved;
        if (pool.id) forgive(before, &after);
        if (memcmp(before, &after, sizeof after) == 0) return;
    } while (support_now() < until);
    if (!support_balanced(before, &after)) fail_msg("%s, the %ldth: something is left", what, n);
}

static void sweep(enum kind kind, int (*function)(void), const char *name)
{
    struct support_counts before;
    char what[100];
    (void)snprintf(what, sizeof what, "%s: %s", kinds[kind].name, name);
    if (function() < 0) fail_msg("%s: %s", what, mp_error_detail()); /* what is made once is made here */
    support_count(&before);
    for (long n = 1;; n++) {
        memset(&fault, 0, sizeof fault);
        fault.kind = kind;
        fault.left = n;
        int result = function();
        bool fired = fault.fired;
        memset(&fault, 0, sizeof fault);
        if (result < 0 && !fired) fail_msg("%s, the %ldth: %s without a fault", what, n, mp_error_detail());
        if (result < 0 && !is_named(kind, result))
            fail_msg("%s, the %ldth: %s: %s", what, n, mp_error_name(result), mp_error_detail());
        if (result < 0) assert_true(mp_error_detail()[0]);
        if (function() < 0) fail_msg("%s, after the %ldth: %s", what, n, mp_error_detail());
        /* But for what is kept for the next one; what a pool's user could not look at goes with the pool. */
        if (!pool.id || kind != PLACE) assert_nothing_left(&before, what, n);
        if (!fired || kind == MEMBER) break; /* who is registered stays so */
        assert_true(n < 2000);
    }
}

static void sweep_all(int (*function)(void), const char *name)
{
    for (int kind = 0; kind < KINDS; kind++) sweep((enum kind)kind, function, name);
}

#define SWEEP(function)                        \
    static void sweep_##function(void **state) \
    {                                          \
        (void)state;                           \
        sweep_all(function, #function);        \
    }
SWEEP(try_locks)
SWEEP(try_signs)
SWEEP(try_data)
SWEEP(try_queue)
SWEEP(try_pipe)
SWEEP(try_process)
SWEEP(try_pool_create)
SWEEP(try_destroy)
SWEEP(try_others_objects)

static void sweep_pool(void **state)
{
    static int (*const functions[])(void) = {try_map, try_results, try_callback, try_imap};
    static const char *const names[] = {"map", "results", "callback", "imap"};
    (void)state;
    for (int i = 0; i < ITEMS; i++) in[i] = i;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        ok(mp_pool_create(&pool, 1, NULL));
        assert_true(functions[i]() >= 0);
        sweep_all(functions[i], names[i]);
        ok(mp_pool_destroy(pool));
        pool.id = 0;
    }
}

static const struct test_case cases[] = {
    CASE_ONCE(sweep_try_locks),          CASE_ONCE(sweep_try_signs), CASE_ONCE(sweep_try_data),
    CASE_ONCE(sweep_try_queue),          CASE_ONCE(sweep_try_pipe),  CASE(sweep_try_process),
    CASE_ONCE(sweep_try_pool_create),    CASE_ONCE(sweep_pool),      CASE_ONCE(sweep_try_destroy),
    CASE_ONCE(sweep_try_others_objects),
};

SUPPORT_MAIN("faults", cases)
