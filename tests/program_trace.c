/* SPDX-License-Identifier: MIT
 *
 * program_trace.c - programs whose timeline is looked at by test_trace.c: program_trace scenario method file
 */
#include "inside.h"
#include "require.h"

#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

enum {
    LIMIT = 30000,
    ITEMS = 1000,
    TASKS = 50000,
    STOPPED = 10000, /* of those */
    STARTED = 20000
};

static const char *path;
static int inputs[TASKS], outputs[TASKS];

struct shared {
    mp_queue queue, back;
    mp_event event;
    mp_lock lock;
    mp_connection connection;
};

static int make(struct shared *shared, mp_connection *other)
{
    REQUIRE(mp_queue_create(&shared->queue, &(mp_queue_options){.name = "jobs \"\\\t\xff\xed\xa0\xc3\xa4"}) == 0);
    REQUIRE(mp_queue_create(&shared->back, &(mp_queue_options){.name = "back"}) == 0);
    REQUIRE(mp_event_create(&shared->event, NULL) == 0);
    REQUIRE(mp_lock_create(&shared->lock, &(mp_lock_options){.name = "ledger"}) == 0);
    REQUIRE(mp_pipe_create(&shared->connection, other, NULL) == 0);
    return 0;
}

static int add_one(mp_task *task)
{
    *(int *)task->output = *(const int *)task->input + 1;
    return 0;
}

static int produce(void *args)
{
    const struct shared *shared = args;
    int answer = 0;
    for (int i = 0; i < ITEMS; i++) REQUIRE(mp_queue_put(shared->queue, &i, sizeof i, LIMIT) == 0);
    REQUIRE(mp_connection_send(shared->connection, "hello", 5, LIMIT) == 0);
    REQUIRE(mp_connection_recv(shared->connection, &answer, sizeof answer, NULL, LIMIT) == 0);
    REQUIRE(mp_event_set(shared->event) == 0);
    REQUIRE(mp_lock_acquire(shared->lock, LIMIT) == 0); /* held until this waits for it */
    REQUIRE(mp_lock_release(shared->lock) == 0);
    return answer;
}

/* All there is to be recorded. */
static int everything(void)
{
    struct shared shared;
    mp_connection here;
    mp_process producer;
    mp_pool pool;
    char text[8];
    size_t size;
    int item, code, seven = 7;
    if (make(&shared, &here)) return 1;
    REQUIRE(mp_lock_acquire(shared.lock, LIMIT) == 0);
    REQUIRE(mp_process_start(&producer, produce, &shared, sizeof shared, &(mp_process_options){.name = "producer"}) ==
            0);
    for (int i = 0; i < ITEMS; i++) REQUIRE(mp_queue_get(shared.queue, &item, sizeof item, NULL, LIMIT) == 0);
    REQUIRE(mp_connection_recv(here, text, sizeof text, &size, LIMIT) == 0 && size == 5);
    REQUIRE(mp_connection_send(here, &seven, sizeof seven, LIMIT) == 0);
    REQUIRE(mp_event_wait(shared.event, LIMIT) == 0);
    while (inside_waiters(shared.lock) == 0) REQUIRE(mp_process_join(producer, &code, 1) == MP_ETIMEDOUT);
    REQUIRE(mp_lock_release(shared.lock) == 0);
    REQUIRE(mp_process_join(producer, &code, LIMIT) == 0 && code == 7);
    REQUIRE(mp_pool_create(&pool, 2, &(mp_pool_options){.name = "adders"}) == 0);
    REQUIRE(mp_pool_map(pool, add_one, inputs, sizeof *inputs, outputs, sizeof *outputs, TASKS,
                        &(mp_call_options){.chunk_size = 1}) == 0);
    REQUIRE(mp_pool_destroy(pool) == 0);
    return 0;
}

static int by_call(void)
{
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = path}) == 0);
    return everything();
}

/* MP_TRACE says so. */
static int by_variable(void)
{
    return everything();
}

static int put_and_die(void *args)
{
    const struct shared *shared = args;
    for (int i = 0; i < 10; i++) REQUIRE(mp_queue_put(shared->queue, &i, sizeof i, LIMIT) == 0);
    return mp_process_kill(mp_current_process());
}

/* Who is killed has its events in the file, too; and who is told to write it need not be the first process. */
static int write_it(void *args)
{
    (void)args;
    REQUIRE(mp_trace_write("killed.json") == 0);
    return 0;
}

static int killed(void)
{
    struct shared shared;
    mp_connection here;
    mp_process process;
    int code;
    if (make(&shared, &here)) return 1;
    REQUIRE(mp_trace_start(NULL) == 0);
    REQUIRE(mp_process_start(&process, put_and_die, &shared, sizeof shared, &(mp_process_options){.name = "victim"}) ==
            0);
    REQUIRE(mp_process_join(process, &code, LIMIT) == 0);
    REQUIRE(mp_process_start(&process, write_it, NULL, 0, NULL) == 0);
    REQUIRE(mp_process_join(process, &code, LIMIT) == 0 && code == 0);
    REQUIRE(rename("killed.json", path) == 0);
    return 0;
}

/* More than is kept: the newest is. */
static int wraps(void)
{
    struct shared shared;
    mp_connection here;
    if (make(&shared, &here)) return 1;
    REQUIRE(mp_trace_start(&(mp_trace_options){.events = 10}) == 0);
    for (int i = 0; i < 100; i++) {
        REQUIRE(mp_queue_put(shared.queue, &i, sizeof i, LIMIT) == 0);
        REQUIRE(mp_queue_put(shared.back, &i, sizeof i, LIMIT) == 0);
    }
    REQUIRE(mp_queue_get(shared.back, inputs, sizeof *inputs, NULL, LIMIT) == 0);
    REQUIRE(mp_trace_write(path) == 0);
    return 0;
}

/* Nothing is recorded before the start and after the stop; and what is written once is written again. */
static int stops(void)
{
    struct shared shared;
    mp_connection here;
    int item = 0;
    if (make(&shared, &here)) return 1;
    REQUIRE(mp_queue_put(shared.queue, &item, sizeof item, LIMIT) == 0);
    REQUIRE(mp_trace_start(NULL) == 0);
    REQUIRE(mp_queue_put_many(shared.queue, inputs, sizeof *inputs, 5, NULL, LIMIT) == 0);
    REQUIRE(mp_trace_stop() == 0);
    REQUIRE(mp_queue_get(shared.queue, &item, sizeof item, NULL, LIMIT) == 0);
    REQUIRE(mp_trace_start(NULL) == 0);
    REQUIRE(mp_queue_get(shared.back, &item, sizeof item, NULL, 0) == MP_ETIMEDOUT); /* no item: nothing that was got */
    REQUIRE(mp_queue_close(shared.back) == 0);
    REQUIRE(mp_queue_put(shared.back, &item, sizeof item, 0) == MP_ECLOSED); /* or put */
    REQUIRE(mp_trace_stop() == 0);
    REQUIRE(mp_trace_write(path) == 0 && mp_trace_write(path) == 0);
    return 0;
}

/* It is written while others record. */
static int put_for_ever(void *args)
{
    const struct shared *shared = args;
    for (int i = 0; !mp_event_is_set(shared->event); i++) {
        mp_queue queue = i & 1 ? shared->queue : shared->back;
        int item = i;
        REQUIRE(mp_queue_put(queue, &item, sizeof item, LIMIT) == 0);
        REQUIRE(mp_queue_get(queue, &item, sizeof item, NULL, LIMIT) == 0);
        if (i == 200) REQUIRE(mp_connection_send(shared->connection, &i, sizeof i, LIMIT) == 0);
    }
    return 0;
}

static int busy(void)
{
    struct shared shared;
    mp_connection here;
    mp_process processes[2];
    if (make(&shared, &here)) return 1;
    REQUIRE(mp_trace_start(&(mp_trace_options){.events = 64}) == 0);
    for (int i = 0; i < 2; i++)
        REQUIRE(mp_process_start(&processes[i], put_for_ever, &shared, sizeof shared, NULL) == 0);
    for (int i = 0, item; i < 2; i++) REQUIRE(mp_connection_recv(here, &item, sizeof item, NULL, LIMIT) == 0);
    for (int i = 0; i < 20; i++) REQUIRE(mp_trace_write(path) == 0);
    REQUIRE(mp_event_set(shared.event) == 0);
    REQUIRE(mp_process_join_all(processes, NULL, 2, LIMIT) == 0);
    return 0;
}

/* A copy that the program makes itself does not write at its end what its original is to write. */
static int copy(void)
{
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = path}) == 0);
#ifndef _WIN32
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) exit(0);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
#endif
    FILE *file = fopen(path, "rb");
    REQUIRE(!file);
    return 0;
}

/* One that is stopped, and begins again, in the middle of one worker's map. */
static int switches(mp_task *task)
{
    int result = task->index == STOPPED ? mp_trace_stop() : task->index == STARTED ? mp_trace_start(NULL) : 0;
    *(int *)task->output = 1;
    return result;
}

static bool is_asleep(uint64_t process)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        if (thread && atomic_load(&thread->process) == process && atomic_load(&thread->asleep_on)) return true;
    }
    return false;
}

static int waits_for_sleeper(mp_task *task)
{
    while (!is_asleep(*(const uint64_t *)task->input)) mp_os_sleep(100000);
    return 0;
}

static int pool(void)
{
    mp_pool pool;
    const uint64_t self = mp_current_process().id;
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = path}) == 0);
    REQUIRE(mp_pool_create(&pool, 1, &(mp_pool_options){.name = "one"}) == 0);
    REQUIRE(mp_pool_map(pool, switches, inputs, sizeof *inputs, outputs, sizeof *outputs, TASKS,
                        &(mp_call_options){.chunk_size = 1}) == 0);
    REQUIRE(mp_pool_apply(pool, waits_for_sleeper, &self, sizeof self, NULL, 0, NULL) == 0);
    REQUIRE(mp_pool_destroy(pool) == 0);
    return 0;
}

/* More short lives than there is room for, in an arena that others need, too. */
static int put_one(void *args)
{
    int item = 1;
    return mp_queue_put(*(const mp_queue *)args, &item, sizeof item, LIMIT);
}

static int small(void)
{
    struct shared shared;
    mp_connection here;
    mp_block blocks[8];
    REQUIRE(mp_configure(&(mp_config){.arena_bytes = 16 << 20}) == 0);
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = path}) == 0);
    if (make(&shared, &here)) return 1;
    for (int i = 0; i < 60; i++) {
        mp_process process;
        REQUIRE(mp_process_start(&process, put_one, &shared.queue, sizeof shared.queue, NULL) == 0);
        REQUIRE(mp_process_join(process, NULL, LIMIT) == 0 && mp_process_close(process) == 0);
    }
    for (int i = 0; i < 8; i++) REQUIRE(mp_block_create(&blocks[i], 1 << 20) == 0);
    return 0;
}

/* Where it can not be written nobody is bothered but on stderr. */
static int nowhere(void)
{
    mp_lock lock;
    REQUIRE(mp_lock_create(&lock, NULL) == 0 && !*mp_error_detail());
    return 0;
}

static int pid(void)
{
    struct shared shared;
    mp_connection here;
    if (make(&shared, &here)) return 1;
    REQUIRE(mp_queue_put(shared.queue, inputs, sizeof *inputs, LIMIT) == 0);
    printf("%ld\n", (long)mp_process_pid(mp_current_process()));
    return 0;
}

static int refused(void)
{
    REQUIRE(mp_trace_start(&(mp_trace_options){.events = (1 << 20) + 1}) == MP_EINVAL);
    REQUIRE(strstr(mp_error_detail(), "mp_trace_start") && strstr(mp_error_detail(), "1048576"));
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = ""}) == MP_EINVAL);
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = "no/such/folder/file"}) == MP_ESYSTEM);
    REQUIRE(strstr(mp_error_detail(), "no") && strstr(mp_error_detail(), "folder"));
    REQUIRE(mp_trace_write(NULL) == MP_EINVAL);
    REQUIRE(mp_trace_write("no/such/folder/file") == MP_ESYSTEM);
    REQUIRE(mp_trace_write(".") == MP_EINVAL && strstr(mp_error_detail(), "no file"));
    REQUIRE(mp_trace_start(&(mp_trace_options){.path = "."}) == MP_EINVAL);
    static char longest[8192];
    memset(longest, 'x', sizeof longest - 1);
    REQUIRE(mp_trace_write(longest) == MP_EINVAL);
    REQUIRE(mp_trace_stop() == 0); /* it has not begun */
    REQUIRE(mp_trace_write(path) == 0);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } all[] = {{"call", by_call}, {"variable", by_variable}, {"killed", killed},
               {"wraps", wraps},  {"stops", stops},          {"busy", busy},
               {"copy", copy},    {"refused", refused},      {"pool", pool},
               {"small", small},  {"nowhere", nowhere},      {"pid", pid}};
    mp_freeze_support();
    if (argc < 4) return 2;
    path = argv[3];
    (void)remove(path);
    if (mp_set_start_method((mp_start_method)atoi(argv[2])) < 0) return 77;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(argv[1], all[i].name) == 0) return all[i].run();
    return 2;
}
