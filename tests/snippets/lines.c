/* SPDX-License-Identifier: MIT
 *
 * lines.c - the lines of examples/README.md, section by section:  snippet_lines <section>
 *
 * Each function has what its lines use, and looks at what becomes of it where a comment in the page does not say so.
 */
#include "snippet.h"

/* ---- what they start ------------------------------------------------------------------------------------------- */

static int f(void *args)
{
    const mp_event *event = args;
    return event ? mp_event_set(*event) : 0;
}

static int g(void *args)
{
    const mp_barrier *barrier = args;
    return mp_barrier_wait(*barrier, MP_FOREVER) < 0;
}

static int wait_for_ever(void *args)
{
    const int *number = args;
    mp_event never;
    REQUIRE(*number == 7);
    MP_CHECK(mp_event_create(&never, NULL));
    return mp_event_wait(never, MP_FOREVER);
}

struct goods {
    mp_condition condition;
    mp_value count;
};

static int give(void *args)
{
    const struct goods *goods = args;
    for (int i = 0; i < 2; i++) {
        MP_WITH_LOCK(goods->condition) {
            *MP_VALUE(int, goods->count) += 1;
            MP_CHECK(mp_condition_notify(goods->condition, 1));
        }
    }
    return 0;
}

static bool is_one(void *context)
{
    const int *number = context;
    return *number == 1;
}

static int prepare(void)
{
    return 0;
}

static int init(void *args)
{
    const int *number = args;
    return *number != 7;
}

static int square(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output = *x * *x;
    return 0;
}

static int mul(mp_task *task)
{
    const int *x = task->inputs[0], *y = task->inputs[1];
    *(int *)task->output = *x * *y;
    return 0;
}

static int length(mp_task *task)
{
    *(int *)task->output = (int)task->input_size;
    return 0;
}

static void note(mp_result result, void *context)
{
    int *y = context;
    MP_CHECK(mp_result_get(result, y, sizeof *y, NULL, 0));
}

/* ---- the sections ---------------------------------------------------------------------------------------------- */

static void process(void)
{
    int result, code;
#include "section_process.snippet"
    REQUIRE(result == 1 && code == -15);
}

static void start_methods(void)
{
    int result;
    size_t count;
#include "section_start_methods.snippet"
    REQUIRE(count > 0 && methods[0] != MP_DEFAULT);
    MP_CHECK(mp_process_start(NULL, f, NULL, 0, NULL)); /* by what was set there */
    REQUIRE(result == 0);
}

static void queue(void)
{
    char text[16];
    size_t size;
    int result;
#include "section_queue.snippet"
    REQUIRE(result == MP_ECLOSED && strcmp(text, "two") == 0 && !message.data);
}

static void pipe_ends(void)
{
    char text[16];
    size_t size;
    int result;
#include "section_pipe.snippet"
    REQUIRE(result == MP_ECLOSED && strcmp(text, "hello") == 0 && size == sizeof "hello");
}

static void waiting(void)
{
    mp_connection a, b;
    mp_process p;
    mp_queue queue;
    size_t index;
    int result, number = 7;
    MP_CHECK(mp_pipe_create(&a, &b, NULL));
    MP_CHECK(mp_queue_create(&queue, NULL));
    MP_CHECK(mp_process_start(&p, wait_for_ever, &number, sizeof number, &(mp_process_options){.daemon = true}));
#include "section_waiting_for_any_of_many.snippet"
    (void)fd;
    REQUIRE(result == 0);
    REQUIRE(mp_wait_fd_close(MP_HANDLE(a)) == MP_EBADHANDLE); /* closed once before */
}

static void locks(void)
{
    int result, n = 0;
#include "section_lock_and_rlock.snippet"
    REQUIRE(n == 2);
    MP_WITH_LOCK(rlock) MP_CHECK(mp_lock_acquire(lock, MP_FOREVER));
    REQUIRE(result == MP_EOVERFLOW);
}

static void semaphore(void)
{
    int result = 0;
#include "section_semaphore.snippet"
    REQUIRE(mp_semaphore_release(s) == MP_ENOTOWNER); /* it is the last one, owned */
    REQUIRE(result == MP_EOVERFLOW);
}

static void condition(void)
{
    mp_value count;
    int result = 0;
    MP_CHECK(mp_value_create(&count, sizeof(int), NULL));
    int *n = MP_VALUE(int, count);
#include "section_condition.snippet"
    REQUIRE(*n == 1 && result == MP_ENOTOWNER);
    MP_WITH_LOCK(c) REQUIRE(mp_lock_locked(lock) == 1);
}

static void event(void)
{
    int result, n = 0;
#include "section_event.snippet"
    REQUIRE(n >= 0 && result == 1 && mp_event_is_set(e) == 0);
}

static void barrier(void)
{
    int result;
#include "section_barrier.snippet"
    REQUIRE(result == 0 && mp_barrier_broken(b) == 1);
}

static void value_and_array(void)
{
    int result;
#include "section_value_and_array.snippet"
    REQUIRE(result == 1 && mp_block_size(m) == 0); /* no more */
    REQUIRE(mp_array_get_lock(a).id == 0 && mp_value_get_lock(v).id == rlock.id);
}

static void pool_calls(void)
{
    int xs[] = {1, 2, 3}, ys[3], zs[3], x = 3, y, total = 0, result;
    FILE *file = tmpfile();
    REQUIRE(file && fputs("one\nthree\n", file) >= 0);
    rewind(file);
#include "section_pool.snippet"
    REQUIRE(zs[0] == 1 && zs[1] == 8 && zs[2] == 27);
    REQUIRE(result == 1 && ys[2] == 9 && y == 9);
    REQUIRE(total == 1 + 4 + 9 + 3 + 5);
    REQUIRE(mp_pool_close(pool) == MP_EBADHANDLE);
    fclose(file);
}

static void errors(void)
{
    mp_lock lock;
    int result;
    MP_CHECK(mp_lock_create(&lock, NULL));
#include "section_errors_and_logging.snippet"
    REQUIRE(strstr(mp_error_detail(), "mp_lock_release") && mp_lock_locked(lock) == 1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } sections[] = {
        {"barrier", barrier},
        {"condition", condition},
        {"errors_and_logging", errors},
        {"event", event},
        {"lock_and_rlock", locks},
        {"pipe", pipe_ends},
        {"pool", pool_calls},
        {"process", process},
        {"queue", queue},
        {"semaphore", semaphore},
        {"start_methods", start_methods},
        {"value_and_array", value_and_array},
        {"waiting_for_any_of_many", waiting},
    };
    mp_freeze_support();
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (argc != 2 || strcmp(argv[1], sections[i].name) != 0) continue;
        sections[i].run();
        return 0;
    }
    fprintf(stderr, "there is no such section\n");
    return 1;
}
