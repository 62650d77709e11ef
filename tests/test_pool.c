/* SPDX-License-Identifier: MIT
 *
 * test_pool.c - pools: what they compute, and what becomes of that when workers fail, die, take too long or are told to stop.
 */
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKERS = 3,
    MANY = 20000
};

static mp_pool create(int workers, const mp_pool_options *options)
{
    mp_pool pool;
    ok(mp_pool_create(&pool, workers, options));
    return pool;
}

static void pause_ms(int milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000}, NULL);
}

static void assert_outcome(const mp_outcome *outcome, int error, int code)
{
    assert_int_equal(outcome->error, error);
    assert_int_equal(outcome->code, code);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static int square(mp_task *task)
{
    const int *x = task->input;
    int *y = task->output;
    if (*y != 0 || task->input_size != sizeof *x || task->output_size != sizeof *y || task->inputs[0] != x) return 99;
    *y = *x * *x;
    return 0;
}

static int look(mp_task *task)
{
    const int *x = task->input;
    return *x == (int)task->index && !task->output && !task->output_size ? 0 : 99;
}

static int own_index(mp_task *task)
{
    if (task->input || task->input_size) return 99;
    *(size_t *)task->output = task->index + 1;
    return 0;
}

static int sum_of_three(mp_task *task)
{
    const int *a = task->inputs[0];
    const double *b = task->inputs[1];
    const char *c = task->inputs[2];
    *(double *)task->output = *a + *b + c[0];
    return task->input == task->inputs[0] ? 0 : 99;
}

/* 3: it dies; 5: it exits; 6: it fails. Where it dies is more than that: what it has written stays unseen. */
static int risky(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output = *x + 1;
    if (*x % 10 == 3) (void)mp_process_kill(mp_current_process());
    if (*x % 10 == 5) exit(7);
    return *x % 10 == 6 ? 42 : 0;
}

static int wait_for_end(mp_task *task)
{
    const struct gate *gate = task->input;
    if (!gate_open(*gate)) return 99;
    for (;;) pause_ms(1000);
}

static void ignore(int signal)
{
    (void)signal;
}

static int wait_and_ignore(mp_task *task)
{
    signal(SIGTERM, ignore);
    return wait_for_end(task);
}

static int wait_for_gate(mp_task *task)
{
    const struct gate *gate = task->input;
    return gate_pass(*gate) ? 0 : 99;
}

static int text_of(mp_task *task)
{
    const int *size = task->input;
    if (mp_task_reserve(task, (size_t)*size) < 0) return 98;
    memset(task->output, 'a' + *size % 26, (size_t)*size);
    return 0;
}

/* ---- what they compute ------------------------------------------------------------------------------------------- */

static void assert_squares(const int *outputs, int count)
{
    for (int i = 0; i < count; i++) assert_int_equal(outputs[i], i * i);
}

static void maps(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 100, MANY}, chunks[] = {0, 1, 3, 64, 1000000};
    mp_pool pool = create(WORKERS, NULL);
    int *in = calloc(MANY, sizeof *in), *out = calloc(MANY, sizeof *out);
    for (int i = 0; i < MANY; i++) in[i] = i;
    size_t total = 0;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
            memset(out, 0xff, MANY * sizeof *out);
            mp_call_options options = {.chunk_size = chunks[k]};
            ok(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, counts[c], &options));
            assert_squares(out, (int)counts[c]);
            if (counts[c] < MANY) assert_int_equal(out[counts[c]], -1);
            total += counts[c];
        }
    }
    mp_progress progress;
    ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.total, total);
    assert_int_equal(progress.done, total);
    assert_int_equal(progress.failed + progress.retried, 0);
    free(in);
    free(out);
    ok(mp_pool_destroy(pool));
}

/* Inputs and outputs that lie in the arena are used where they are. */
static void maps_in_place(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    mp_array in, out;
    ok(mp_array_create(&in, MANY, sizeof(int), NULL));
    ok(mp_array_create(&out, MANY, sizeof(int), NULL));
    int *x = MP_ARRAY(int, in), *y = MP_ARRAY(int, out);
    for (int i = 0; i < MANY; i++) {
        x[i] = i;
        y[i] = -1;
    }
    mp_stats before, after;
    ok(mp_pool_map(pool, square, x, sizeof *x, y, sizeof *y, 1, NULL)); /* so that the pool has what it needs */
    ok(mp_get_stats(&before));
    mp_result result;
    struct gate gate = gate_create();
    for (int i = 0; i < WORKERS; i++) ok(mp_pool_apply_async(pool, NULL, wait_for_gate, &gate, sizeof gate, 0, NULL));
    ok(mp_pool_map_async(pool, &result, look, x, sizeof *x, 0, MANY, NULL));
    ok(mp_get_stats(&after));
    assert_in_range(after.bytes_used - before.bytes_used, 0, (WORKERS + 2) * 4096);
    assert_true(gate_open(gate));
    ok(mp_result_get(result, NULL, 0, NULL, LIMIT));
    ok(mp_result_destroy(result));
    ok(mp_pool_map(pool, square, x, sizeof *x, y, sizeof *y, MANY, NULL));
    assert_squares(y, MANY);
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
    ok(mp_array_destroy(in));
    ok(mp_array_destroy(out));
}

static void by_index(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    size_t out[100];
    ok(mp_pool_map(pool, own_index, NULL, 0, out, sizeof *out, 100, NULL));
    for (size_t i = 0; i < 100; i++) assert_int_equal(out[i], i + 1);
    ok(mp_pool_destroy(pool));
}

static void starmaps(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    int a[50];
    double b[50], out[50];
    char c[50][3];
    for (int i = 0; i < 50; i++) {
        a[i] = i;
        b[i] = i / 4.0;
        c[i][0] = (char)i;
    }
    const mp_column columns[] = {{a, sizeof *a}, {b, sizeof *b}, {c, sizeof *c}};
    for (size_t chunk = 0; chunk < 3; chunk++) {
        memset(out, 0, sizeof out);
        ok(mp_pool_starmap(pool, sum_of_three, columns, 3, out, sizeof *out, 50,
                           &(mp_call_options){.chunk_size = chunk}));
        for (int i = 0; i < 50; i++) assert_true(out[i] == i + i / 4.0 + i);
    }
    ok(mp_pool_destroy(pool));
}

static void applies(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    for (int i = 0; i < 2000; i++) {
        int y = -1;
        ok(mp_pool_apply(pool, square, &i, sizeof i, &y, sizeof y, NULL));
        assert_int_equal(y, i * i);
    }
    int x = 6, y = -1;
    fails(MP_ETASK, mp_pool_apply(pool, risky, &x, sizeof x, &y, sizeof y, NULL));
    assert_non_null(strstr(mp_error_detail(), "42"));
    x = 3;
    fails(MP_EWORKERDEAD, mp_pool_apply(pool, risky, &x, sizeof x, &y, sizeof y, NULL));
    assert_non_null(strstr(mp_error_detail(), "signal 9"));
    x = 5;
    fails(MP_EWORKERDEAD, mp_pool_apply(pool, risky, &x, sizeof x, &y, sizeof y, NULL));
    assert_non_null(strstr(mp_error_detail(), "exit code 7"));
    assert_int_equal(y, -1);
    ok(mp_pool_destroy(pool));
}

static void any_size(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    for (int size = 1; size < 3000000; size *= 3) {
        mp_result result;
        char *text = malloc((size_t)size);
        size_t has = 0;
        ok(mp_pool_apply_async(pool, &result, text_of, &size, sizeof size, 10, NULL));
        if (size > 1) {
            fails(MP_EMSGSIZE, mp_result_get(result, text, (size_t)size - 1, &has, LIMIT));
            assert_int_equal(has, size);
        }
        ok(mp_result_get(result, text, (size_t)size, NULL, LIMIT));
        for (int i = 0; i < size; i++) assert_int_equal(text[i], 'a' + size % 26);
        has = 0;
        ok(mp_result_get(result, text, (size_t)size, &has, 0)); /* and again */
        assert_int_equal(has, size);
        ok(mp_result_destroy(result));
        free(text);
    }
    int size = 100;
    char text[200];
    ok(mp_pool_apply(pool, text_of, &size, sizeof size, text, 100, NULL));
    fails(MP_EMSGSIZE, mp_pool_apply(pool, text_of, &size, sizeof size, text, 101, NULL));
    fails(MP_EMSGSIZE, mp_pool_apply(pool, text_of, &size, sizeof size, text, 10, NULL));
    fails(MP_ETASK, mp_pool_apply(pool, text_of, &size, sizeof size, text, 10, &(mp_call_options){.max_output = 99}));
    fails(MP_ETASK,
          mp_pool_map(pool, text_of, (int[]){100, 100}, sizeof size, text, 10, 2, NULL)); /* its place is fixed */
    ok(mp_pool_destroy(pool));
}

static void asyncs(void **state)
{
    (void)state;
    enum {
        RESULTS = 40
    };
    mp_pool pool = create(WORKERS, NULL);
    mp_result results[RESULTS], late;
    struct gate gate = gate_create();
    int in[100], out[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    ok(mp_pool_apply_async(pool, &late, wait_for_gate, &gate, sizeof gate, 0, NULL));
    for (int i = 0; i < RESULTS; i++)
        ok(mp_pool_map_async(pool, &results[i], square, in, sizeof *in, sizeof *out, (size_t)i, NULL));
    ok(mp_result_wait_all(results, RESULTS, LIMIT));
    for (int i = RESULTS; i-- > 0;) {
        mp_outcome outcome;
        assert_int_equal(mp_result_ready(results[i]), 1);
        assert_int_equal(mp_result_successful(results[i]), 1);
        ok(mp_result_get(results[i], out, (size_t)i * sizeof *out, NULL, 0));
        assert_squares(out, i);
        fails(MP_EINVAL, mp_result_outcome(results[i], (size_t)i, &outcome));
        if (i) {
            ok(mp_result_outcome(results[i], (size_t)i - 1, &outcome));
            assert_outcome(&outcome, 0, 0);
        }
        assert_int_equal(mp_result_cancel(results[i]), 0);
        ok(mp_result_destroy(results[i]));
        fails(MP_EBADHANDLE, mp_result_get(results[i], out, sizeof out, NULL, 0));
        fails(MP_EBADHANDLE, mp_result_destroy(results[i]));
    }
    size_t which = 9;
    mp_outcome outcome;
    const mp_handle item = MP_HANDLE(late);
    assert_int_equal(mp_result_ready(late), 0);
    fails(MP_ETIMEDOUT, mp_result_get(late, NULL, 0, NULL, 0));
    fails(MP_ETIMEDOUT, mp_result_wait(late, 10));
    fails(MP_ETIMEDOUT, mp_result_wait_all(&late, 1, -1));
    fails(MP_EBUSY, mp_result_successful(late));
    fails(MP_EBUSY, mp_result_outcome(late, 0, &outcome));
    fails(MP_ETIMEDOUT, mp_wait(&item, 1, &which, 0));
    assert_true(gate_open(gate));
    ok(mp_wait(&item, 1, &which, LIMIT));
    assert_int_equal(which, 0);
    ok(mp_result_get(late, NULL, 0, NULL, 0));
    ok(mp_result_destroy(late));
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
}

/* ---- failures and deaths ----------------------------------------------------------------------------------------- */

static void assert_risky(const int *outputs, const mp_outcome *outcomes, int count)
{
    for (int i = 0; i < count; i++) {
        int kind = i % 10;
        if (kind == 3)
            assert_outcome(&outcomes[i], MP_EWORKERDEAD, -9);
        else if (kind == 5)
            assert_outcome(&outcomes[i], MP_EWORKERDEAD, 7);
        else if (kind == 6)
            assert_outcome(&outcomes[i], MP_ETASK, 42);
        else
            assert_outcome(&outcomes[i], 0, 0);
        assert_int_equal(outputs[i], outcomes[i].error ? -1 : i + 1);
    }
}

static void only_that_item(void **state)
{
    (void)state;
    enum {
        COUNT = 40
    };
    mp_pool pool = create(WORKERS, NULL);
    int in[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++) in[i] = i;
    for (size_t chunk = 0; chunk < 30; chunk += 7) {
        mp_outcome outcomes[COUNT];
        memset(out, 0xff, sizeof out);
        mp_call_options options = {.chunk_size = chunk, .outcomes = outcomes};
        fails(MP_EWORKERDEAD, mp_pool_map(pool, risky, in, sizeof *in, out, sizeof *out, COUNT, &options));
        assert_non_null(strstr(mp_error_detail(), "item 3"));
        assert_risky(out, outcomes, COUNT);
    }
    int y = 0;
    ok(mp_pool_apply(pool, square, &in[9], sizeof *in, &y, sizeof y, NULL)); /* as good as new */
    assert_int_equal(y, 81);
    mp_progress progress;
    ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.failed, 5 * 3 * COUNT / 10);
    assert_int_equal(progress.done, progress.total);
    ok(mp_pool_destroy(pool));
}

struct flaky {
    mp_block counter; /* _Atomic int */
    int deaths;
};

static int die_at_first(mp_task *task)
{
    const struct flaky *flaky = task->input;
    _Atomic int *counter = mp_block_data(flaky->counter);
    if (task->attempt != atomic_fetch_add(counter, 1)) return 99;
    *(int *)task->output += task->attempt;
    if (task->attempt < flaky->deaths) (void)mp_process_kill(mp_current_process());
    return 0;
}

static void tries_again(void **state)
{
    (void)state;
    mp_pool pool = create(1, NULL);
    struct flaky flaky = {.deaths = 2};
    ok(mp_block_create(&flaky.counter, sizeof(_Atomic int)));
    int attempts = -1;
    ok(mp_pool_apply(pool, die_at_first, &flaky, sizeof flaky, &attempts, sizeof attempts,
                     &(mp_call_options){.retries = 2}));
    assert_int_equal(attempts, 2); /* and began with 0 each time */
    atomic_store((_Atomic int *)mp_block_data(flaky.counter), 0);
    fails(MP_EWORKERDEAD, mp_pool_apply(pool, die_at_first, &flaky, sizeof flaky, &attempts, sizeof attempts,
                                        &(mp_call_options){.retries = 1}));
    mp_progress progress;
    ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.retried, 3);
    ok(mp_block_destroy(flaky.counter));
    ok(mp_pool_destroy(pool));
}

static int place_of_first_failure(mp_task *task)
{
    return task->index == 700 || task->index == 300 ? (int)task->index : 0;
}

static void first_failure(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    for (size_t chunk = 0; chunk < 2; chunk++) {
        fails(MP_ETASK, mp_pool_map(pool, place_of_first_failure, NULL, 0, NULL, 0, 1000,
                                    &(mp_call_options){.chunk_size = chunk}));
        assert_non_null(strstr(mp_error_detail(), "item 300 returned 300"));
    }
    ok(mp_pool_destroy(pool));
}

static void wait_until_whole(mp_pool pool, int workers)
{
    mp_progress progress = {.workers = -1};
    while (progress.workers != workers) {
        ok(mp_pool_progress(pool, &progress));
        pause_ms(1);
    }
}

/* Workers that nobody waits for are replaced, too. */
static void whole_again(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    mp_worker workers[WORKERS + 1], others[WORKERS + 1];
    size_t count;
    wait_until_whole(pool, WORKERS);
    ok(mp_pool_workers(pool, workers, WORKERS + 1, &count));
    assert_int_equal(count, WORKERS);
    for (int i = 0; i < WORKERS; i++) ok(mp_process_kill(workers[i].process));
    for (bool same = true; same;) {
        same = false;
        ok(mp_pool_workers(pool, others, WORKERS + 1, &count));
        for (size_t i = 0; i < count; i++)
            for (int k = 0; k < WORKERS; k++) same |= others[i].process.id == workers[k].process.id;
        same |= count != WORKERS;
        pause_ms(1);
    }
    int out[WORKERS], in[WORKERS] = {0, 1, 2};
    ok(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, WORKERS, NULL));
    assert_squares(out, WORKERS);
    ok(mp_pool_destroy(pool));
}

/* Its supervisor dies, and all workers with it: who waits has another one started. */
static void supervisor_dies(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    struct gate gate = gate_create(), begun = gate_create();
    mp_result result;
    mp_outcome outcome;
    ok(mp_pool_apply_async(pool, &result, wait_for_end, &begun, sizeof begun, 0, NULL));
    assert_true(gate_take(begun));
    mp_process children[8];
    size_t count;
    wait_until_whole(pool, WORKERS);
    ok(mp_active_children(children, 8, &count));
    assert_int_equal(count, 1);
    ok(mp_process_kill(children[0]));
    fails(MP_EWORKERDEAD, mp_result_get(result, NULL, 0, NULL, LIMIT));
    ok(mp_result_outcome(result, 0, &outcome));
    /* The worker was an orphan: the system's own first process may have reaped it before anybody looked. */
    assert_outcome(&outcome, MP_EWORKERDEAD, outcome.code == MP_ESYSTEM ? MP_ESYSTEM : -9);
    ok(mp_result_destroy(result));
    int x = 5, y;
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL));
    assert_int_equal(y, 25);
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
    gate_destroy(begun);
}

static int slow_square(mp_task *task)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    return square(task);
}

/* Workers are killed anywhere: every item but those that they ran is right, and none is left out. */
static void killed_anywhere(void **state)
{
    (void)state;
    enum {
        COUNT = 6000,
        KILLS = 60
    };
    mp_pool pool = create(WORKERS, NULL);
    int *in = calloc(COUNT, sizeof *in), *out = calloc(COUNT, sizeof *out), kills = 0, lost = 0;
    for (int i = 0; i < COUNT; i++) in[i] = i;
    for (int retries = 0; retries < 2; retries++) {
        mp_result result;
        mp_outcome outcome;
        ok(mp_pool_map_async(pool, &result, slow_square, in, sizeof *in, sizeof *out, COUNT,
                             &(mp_call_options){.chunk_size = retries ? 1 : 0, .retries = retries * KILLS}));
        for (int ready = 0; !ready; ready = mp_result_ready(result)) {
            mp_worker workers[WORKERS];
            size_t count;
            ok(mp_pool_workers(pool, workers, WORKERS, &count));
            if (count && kills < KILLS * (retries + 1))
                kills += mp_process_kill(workers[(size_t)kills % count].process) == 0;
            pause_ms(2);
        }
        int failed = mp_result_get(result, out, COUNT * sizeof *out, NULL, 0);
        assert_true(failed == 0 || (failed == MP_EWORKERDEAD && !retries));
        for (int i = 0; i < COUNT; i++) {
            ok(mp_result_outcome(result, (size_t)i, &outcome));
            lost += outcome.error != 0;
            if (outcome.error)
                assert_outcome(&outcome, MP_EWORKERDEAD, -9);
            else
                assert_int_equal(out[i], i * i);
        }
        ok(mp_result_destroy(result));
    }
    assert_in_range(lost, 0, KILLS);
    wait_until_whole(pool, WORKERS);
    free(in);
    free(out);
    ok(mp_pool_destroy(pool));
}

/* ---- initializers, and workers that end -------------------------------------------------------------------------- */

static int initialized;

static int initialize(void *args)
{
    const int *value = args;
    initialized = *value;
    return 0;
}

static int tell_initialized(mp_task *task)
{
    *(int *)task->output = initialized;
    return 0;
}

static int refuse(void *args)
{
    (void)args;
    return 5;
}

static int refuse_by_name(void *args)
{
    (void)args;
    return MP_ECLOSED;
}

static int crash(void *args)
{
    (void)args;
    abort();
}

static void initializers(void **state)
{
    (void)state;
    int value = 77, out[20];
    mp_pool pool = create(
        WORKERS, &(mp_pool_options){.initializer = initialize, .initargs = &value, .initargs_size = sizeof value});
    ok(mp_pool_map(pool, tell_initialized, NULL, 0, out, sizeof *out, 20, NULL));
    for (int i = 0; i < 20; i++) assert_int_equal(out[i], 77);
    ok(mp_pool_destroy(pool));
    const mp_target failing[] = {refuse, refuse_by_name, crash};
    const char *const says[] = {"failed with 5", "failed with -1005", HAS_SIGNALS ? "killed by signal 6" : "with"};
    for (int i = 0; i < 3; i++) {
        pool = create(WORKERS, &(mp_pool_options){.initializer = failing[i]});
        fails(MP_EINIT, mp_pool_map(pool, tell_initialized, NULL, 0, out, sizeof *out, 20, NULL));
        fails(MP_EINIT, mp_pool_apply(pool, tell_initialized, NULL, 0, out, sizeof *out, NULL));
        assert_non_null(strstr(mp_error_detail(), says[i]));
        ok(mp_pool_join(pool, LIMIT)); /* it is over by itself */
        ok(mp_pool_destroy(pool));
    }
}

static int own_process(mp_task *task)
{
    *(uint64_t *)task->output = mp_current_process().id;
    return 0;
}

static void workers_end(void **state)
{
    (void)state;
    enum {
        COUNT = 60,
        EACH = 4
    };
    mp_pool pool = create(2, &(mp_pool_options){.maxtasksperchild = EACH});
    uint64_t out[COUNT];
    ok(mp_pool_map(pool, own_process, NULL, 0, out, sizeof *out, COUNT, NULL));
    for (int i = 0; i < COUNT; i++) {
        int same = 0;
        for (int k = 0; k < COUNT; k++) same += out[k] == out[i];
        assert_in_range(same, 1, EACH);
    }
    ok(mp_pool_destroy(pool));
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void closes(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS, NULL);
    mp_result result;
    int in[200], out[200], y;
    for (int i = 0; i < 200; i++) in[i] = i;
    ok(mp_pool_map_async(pool, &result, square, in, sizeof *in, sizeof *out, 200, NULL));
    fails(MP_EBUSY, mp_pool_join(pool, LIMIT));
    ok(mp_pool_close(pool));
    ok(mp_pool_close(pool));
    fails(MP_ECLOSED, mp_pool_apply(pool, square, in, sizeof *in, &y, sizeof y, NULL));
    fails(MP_ECLOSED, mp_pool_apply_async(pool, NULL, square, in, sizeof *in, sizeof y, NULL));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_join(pool, 0));
    ok(mp_result_get(result, out, sizeof out, NULL, 0));
    assert_squares(out, 200);
    ok(mp_result_destroy(result));
    ok(mp_pool_destroy(pool));
    fails(MP_EBADHANDLE, mp_pool_apply(pool, square, in, sizeof *in, &y, sizeof y, NULL));
    fails(MP_EBADHANDLE, mp_pool_close(pool));
    fails(MP_EBADHANDLE, mp_pool_join(pool, 0));
    fails(MP_EBADHANDLE, mp_pool_destroy(pool));
}

static void terminates(void **state)
{
    (void)state;
    const mp_task_function tasks[] = {wait_for_end, wait_and_ignore};
    for (int t = 0; t < 2; t++) {
        mp_pool pool = create(2, NULL);
        struct gate begun = gate_create();
        mp_result running[2], waiting;
        mp_outcome outcome;
        for (int i = 0; i < 2; i++) ok(mp_pool_apply_async(pool, &running[i], tasks[t], &begun, sizeof begun, 0, NULL));
        ok(mp_pool_map_async(pool, &waiting, own_index, NULL, 0, sizeof(size_t), 10000, NULL));
        for (int i = 0; i < 2; i++) assert_true(gate_take(begun));
        fails(MP_EBUSY, mp_pool_join(pool, 0));
        ok(mp_pool_terminate(pool));
        ok(mp_pool_join(pool, LIMIT));
        fails(MP_ECANCELED, mp_result_get(waiting, NULL, 0, NULL, 0));
        ok(mp_result_outcome(waiting, 9999, &outcome));
        assert_outcome(&outcome, MP_ECANCELED, 0);
        for (int i = 0; i < 2; i++) {
            fails(MP_ECANCELED, mp_result_get(running[i], NULL, 0, NULL, 0));
            ok(mp_result_destroy(running[i]));
        }
        ok(mp_pool_destroy(pool)); /* and what was not destroyed with it */
        fails(MP_EBADHANDLE, mp_result_get(waiting, NULL, 0, NULL, 0));
        gate_destroy(begun);
    }
}

static void *wait_in_vain(void *result)
{
    fails(MP_EBADHANDLE, mp_result_wait(*(mp_result *)result, LIMIT));
    return NULL;
}

static void destroyed_under_waiters(void **state)
{
    (void)state;
    mp_pool pool = create(1, NULL);
    struct gate begun = gate_create();
    mp_result results[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        ok(mp_pool_apply_async(pool, &results[i], wait_for_end, &begun, sizeof begun, 0, NULL));
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_vain, &results[i]), 0);
    }
    assert_true(gate_take(begun));
    pause_ms(20); /* the sooner they wait the better; whenever they do, they are told */
    ok(mp_result_destroy(results[1]));
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    ok(mp_result_destroy(results[0])); /* not cancelled before: then it may be there before it goes */
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    ok(mp_pool_destroy(pool));
    gate_destroy(begun);
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

static void cancels(void **state)
{
    (void)state;
    mp_pool pool = create(1, NULL);
    struct gate begun = gate_create();
    mp_result running, waiting;
    mp_outcome outcome;
    ok(mp_pool_apply_async(pool, &running, wait_for_end, &begun, sizeof begun, 0, &(mp_call_options){.retries = 3}));
    ok(mp_pool_map_async(pool, &waiting, own_index, NULL, 0, sizeof(size_t), 100, NULL));
    assert_true(gate_take(begun));
    assert_int_equal(mp_result_cancel(waiting), 1);
    fails(MP_ECANCELED, mp_result_get(waiting, NULL, 0, NULL, 0)); /* at once */
    assert_int_equal(mp_result_cancel(waiting), 0);
    ok(mp_result_destroy(waiting));
    assert_int_equal(mp_result_cancel(running), 1);
    fails(MP_ECANCELED, mp_result_get(running, NULL, 0, NULL, LIMIT));
    ok(mp_result_outcome(running, 0, &outcome));
    assert_int_equal(outcome.error, MP_ECANCELED);
    ok(mp_result_destroy(running));
    int x = 4, y;
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL));
    assert_int_equal(y, 16);
    ok(mp_pool_destroy(pool));
    gate_destroy(begun);
}

static int sleep_long_at_five(mp_task *task)
{
    if (task->index == 5)
        for (;;) pause_ms(1000);
    *(int *)task->output = 1;
    return 0;
}

static void takes_too_long(void **state)
{
    (void)state;
    mp_pool pool = create(2, NULL);
    int out[20] = {0};
    mp_outcome outcomes[20];
    for (int retries = 0; retries < 2; retries++) {
        fails(MP_ETIMEDOUT,
              mp_pool_map(pool, sleep_long_at_five, NULL, 0, out, sizeof *out, 20,
                          &(mp_call_options){.time_limit_ms = 60, .retries = retries, .outcomes = outcomes}));
        for (int i = 0; i < 20; i++) {
            assert_int_equal(outcomes[i].error, i == 5 ? MP_ETIMEDOUT : 0);
            assert_int_equal(out[i], i != 5);
        }
    }
    ok(mp_pool_destroy(pool));
}

struct stopper {
    mp_event stop;
    mp_block begun; /* _Atomic int */
};

static int set_stop(mp_task *task)
{
    const struct stopper *stopper = task->input;
    if (atomic_fetch_add((_Atomic int *)mp_block_data(stopper->begun), 1) == 10) return mp_event_set(stopper->stop);
    return 0;
}

static void stops(void **state)
{
    (void)state;
    enum {
        COUNT = 1000
    };
    mp_pool pool = create(2, NULL);
    struct stopper stopper;
    ok(mp_event_create(&stopper.stop, NULL));
    ok(mp_block_create(&stopper.begun, sizeof(_Atomic int)));
    struct stopper *in = calloc(COUNT, sizeof *in);
    mp_outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    for (int i = 0; i < COUNT; i++) in[i] = stopper;
    fails(MP_ECANCELED, mp_pool_map(pool, set_stop, in, sizeof *in, NULL, 0, COUNT,
                                    &(mp_call_options){.stop = stopper.stop, .outcomes = outcomes, .chunk_size = 1}));
    int done = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_true(outcomes[i].error == 0 || outcomes[i].error == MP_ECANCELED);
        done += outcomes[i].error == 0;
    }
    assert_int_equal(done, atomic_load((_Atomic int *)mp_block_data(stopper.begun))); /* what was begun was done */
    assert_in_range(done, 11, COUNT - 1);
    free(in);
    free(outcomes);
    ok(mp_pool_destroy(pool));
    ok(mp_event_destroy(stopper.stop));
    ok(mp_block_destroy(stopper.begun));
}

#if HANDLERS_RUN

static mp_event interrupt_stop;

static void set_interrupt_stop(int signal)
{
    (void)signal;
    (void)mp_event_set(interrupt_stop);
}

/* Ctrl-C reaches all of them. */
static int interrupt_all(mp_task *task)
{
    const mp_process *submitter = task->input;
    if (task->index != 10) return 0;
    mp_process self = mp_current_process();
    return mp_process_interrupt(mp_process_parent(self)) | mp_process_interrupt(self) |
           mp_process_interrupt(*submitter);
}

/* Who submits has a handler that sets an event; workers and supervisor are left alone. */
static void interrupted(void **state)
{
    (void)state;
    enum {
        COUNT = 100000
    };
    ok(mp_event_create(&interrupt_stop, NULL));
    mp_pool pool = create(2, NULL);
    mp_process *in = calloc(COUNT, sizeof *in);
    mp_outcome *outcomes = calloc(COUNT, sizeof *outcomes);
    for (int i = 0; i < COUNT; i++) in[i] = mp_current_process();
    void (*before)(int) = signal(SIGINT, set_interrupt_stop);
    for (int chunk = 0; chunk < 2; chunk++) {
        int result =
            mp_pool_map(pool, interrupt_all, in, sizeof *in, NULL, 0, COUNT,
                        &(mp_call_options){.stop = interrupt_stop, .outcomes = outcomes, .chunk_size = (size_t)chunk});
        assert_true(result == MP_ECANCELED || result == 0); /* it may have been through before */
        for (int i = 0; i < COUNT; i++) assert_true(outcomes[i].error == 0 || outcomes[i].error == MP_ECANCELED);
        assert_int_equal(outcomes[10].error, 0);
        ok(mp_event_wait(interrupt_stop, LIMIT));
        ok(mp_event_clear(interrupt_stop));
    }
    signal(SIGINT, before);
    int x = 3, y = 0; /* the same workers go on */
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL));
    mp_progress progress;
    ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.retried, 0);
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_destroy(pool));
    ok(mp_event_destroy(interrupt_stop));
    free(in);
    free(outcomes);
}

#endif

static int join_own_pool(mp_task *task)
{
    const mp_pool *pool = task->input;
    return mp_pool_join(*pool, MP_FOREVER) == MP_EDEADLK && mp_pool_destroy(*pool) == MP_EDEADLK ? 0 : 99;
}

static void workers_do_not_join(void **state)
{
    (void)state;
    mp_pool pool = create(1, NULL);
    ok(mp_pool_apply(pool, join_own_pool, &pool, sizeof pool, NULL, 0, NULL));
    ok(mp_pool_destroy(pool));
}

static int other_size(mp_task *task)
{
    const size_t *size = task->input;
    task->output_size = *size;
    *(int *)task->output = 7;
    return mp_task_reserve(task, 100) == MP_EMSGSIZE ? 0 : 99;
}

/* A map of one item is as any other. */
static void one_item(void **state)
{
    (void)state;
    mp_pool pool = create(1, NULL);
    for (size_t size = 2; size <= 400; size += 398) {
        size_t in[2] = {size, size};
        for (size_t count = 1; count <= 2; count++) {
            int out[2] = {0};
            mp_outcome outcomes[2];
            ok(mp_pool_map(pool, other_size, in, sizeof *in, out, sizeof *out, count,
                           &(mp_call_options){.outcomes = outcomes}));
            assert_int_equal(out[0], 7);
            assert_int_equal(outcomes[0].error, 0);
        }
    }
    ok(mp_pool_destroy(pool));
}

/* ---- who submits ------------------------------------------------------------------------------------------------- */

static int submit_in_child(void *args)
{
    const mp_pool *pool = args;
    int in[300], out[300];
    for (int i = 0; i < 300; i++) in[i] = i;
    for (int round = 0; round < 20; round++) {
        memset(out, 0, sizeof out);
        REQUIRE(mp_pool_map(*pool, square, in, sizeof *in, out, sizeof *out, 300, NULL) == 0);
        for (int i = 0; i < 300; i++) REQUIRE(out[i] == i * i);
        int y = 0;
        REQUIRE(mp_pool_apply(*pool, square, &in[7], sizeof *in, &y, sizeof y, NULL) == 0 && y == 49);
    }
    return 0;
}

static void *submit_in_thread(void *pool)
{
    return (void *)(intptr_t)submit_in_child(pool);
}

static void everybody_submits(void **state)
{
    (void)state;
    enum {
        EACH = 3
    };
    mp_pool pool = create(WORKERS, NULL);
    pthread_t threads[EACH];
    mp_process children[EACH];
    for (int i = 0; i < EACH; i++) ok(mp_process_start(&children[i], submit_in_child, &pool, sizeof pool, NULL));
    for (int i = 0; i < EACH; i++) assert_int_equal(pthread_create(&threads[i], NULL, submit_in_thread, &pool), 0);
    for (int i = 0; i < EACH; i++) {
        void *result = &threads;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    for (int i = 0; i < EACH; i++) assert_ends(children[i], 0);
    ok(mp_pool_destroy(pool));
}

struct abandoned {
    mp_pool pool;
    struct gate begun;
};

static int abandon(void *args)
{
    const struct abandoned *job = args;
    return mp_pool_apply(job->pool, wait_for_end, &job->begun, sizeof job->begun, NULL, 0, NULL);
}

/* Whoever waits for it dies: it is cancelled, and the worker freed of it if it has not begun. */
static void submitter_dies(void **state)
{
    (void)state;
    mp_pool pool = create(2, NULL);
    struct abandoned job = {.pool = pool, .begun = gate_create()};
    mp_process child;
    ok(mp_process_start(&child, abandon, &job, sizeof job, NULL));
    assert_true(gate_take(job.begun));
    ok(mp_process_kill(child));
    assert_ends(child, -9);
    int x = 3, y;
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL)); /* the other worker */
    assert_int_equal(y, 9);
    ok(mp_pool_destroy(pool));
    gate_destroy(job.begun);
}

static int nested(mp_task *task)
{
    mp_pool pool;
    int in[10], *out = task->output;
    for (int i = 0; i < 10; i++) in[i] = i;
    if (mp_pool_create(&pool, 2, NULL) < 0) return 1;
    if (mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, 10, NULL) < 0) return 2;
    return mp_pool_destroy(pool) < 0 ? 3 : 0;
}

static void nests(void **state)
{
    (void)state;
    mp_pool pool = create(2, NULL);
    int out[3][10];
    ok(mp_pool_map(pool, nested, NULL, 0, out, sizeof *out, 3, NULL));
    for (int i = 0; i < 3; i++) assert_squares(out[i], 10);
    ok(mp_pool_destroy(pool));
}

static void several_pools(void **state)
{
    (void)state;
    enum {
        POOLS = 6
    };
    mp_pool pools[POOLS];
    mp_result results[POOLS];
    int in[50], out[50];
    for (int i = 0; i < 50; i++) in[i] = i;
    for (int i = 0; i < POOLS; i++) pools[i] = create(2, NULL);
    for (int i = 0; i < POOLS; i++)
        ok(mp_pool_map_async(pools[i], &results[i], square, in, sizeof *in, sizeof *out, 50, NULL));
    for (int i = 0; i < POOLS; i++) {
        ok(mp_result_get(results[i], out, sizeof out, NULL, LIMIT));
        assert_squares(out, 50);
        ok(mp_pool_destroy(pools[i]));
    }
}

/* ---- bad input --------------------------------------------------------------------------------------------------- */

static void bad_input(void **state)
{
    (void)state;
    mp_pool pool = {0};
    int x = 1, y;
    fails(MP_EINVAL, mp_pool_create(NULL, 1, NULL));
    fails(MP_EINVAL, mp_pool_create(&pool, -1, NULL));
    fails(MP_EINVAL, mp_pool_create(&pool, 10000, NULL));
    fails(MP_EINVAL, mp_pool_create(&pool, 1, &(mp_pool_options){.initargs = &x, .initargs_size = 4}));
    fails(MP_EINVAL, mp_pool_create(&pool, 1, &(mp_pool_options){.initializer = initialize, .initargs_size = 4}));
    fails(MP_EINVAL, mp_pool_create(&pool, 1, &(mp_pool_options){.method = (mp_start_method)9}));
    fails(MP_EBADHANDLE, mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL));
    pool = create(1, NULL);
    fails(MP_EINVAL, mp_pool_apply(pool, NULL, &x, sizeof x, &y, sizeof y, NULL));
    fails(MP_EINVAL, mp_pool_apply(pool, square, NULL, sizeof x, &y, sizeof y, NULL));
    fails(MP_EINVAL, mp_pool_apply(pool, square, &x, sizeof x, NULL, sizeof y, NULL));
    fails(MP_EINVAL, mp_pool_apply(pool, square, &x, (size_t)-1, &y, sizeof y, NULL));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, 0, &y, sizeof y, 2, NULL));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, SIZE_MAX / 2, NULL));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, 1, &(mp_call_options){.retries = -1}));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, 1, &(mp_call_options){.time_limit_ms = -1}));
    fails(MP_EINVAL,
          mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, 1, &(mp_call_options){.chunk_size = SIZE_MAX}));
    fails(MP_EBADHANDLE, mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, 1, &(mp_call_options){.stop = {12345}}));
    fails(MP_EINVAL, mp_pool_starmap(pool, square, NULL, 1, &y, sizeof y, 1, NULL));
    fails(MP_EINVAL, mp_pool_starmap(pool, square, &(mp_column){&x, sizeof x}, 0, &y, sizeof y, 1, NULL));
    fails(MP_EINVAL,
          mp_pool_starmap(pool, square, &(mp_column){&x, sizeof x}, MP_COLUMNS_MAX + 1, &y, sizeof y, 1, NULL));
    fails(MP_ENOMEM, mp_pool_map(pool, own_index, NULL, 0, &y, (size_t)1 << 50, 1 << 10, NULL));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, sizeof x, NULL, SIZE_MAX, 1, NULL));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, sizeof x, &y, SIZE_MAX / 4, 3, NULL));
    fails(MP_EINVAL, mp_pool_map(pool, square, &x, SIZE_MAX, &y, sizeof y, 1, NULL));
    fails(MP_EINVAL,
          mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, 1, &(mp_call_options){.chunk_size = SIZE_MAX}));
    fails(MP_EINVAL,
          mp_pool_map(pool, square, &x, sizeof x, &y, sizeof y, 1, &(mp_call_options){.max_output = SIZE_MAX}));
    fails(MP_EINVAL, mp_pool_progress(pool, NULL));
    fails(MP_EINVAL, mp_pool_workers(pool, NULL, 1, NULL));
    fails(MP_EINVAL, mp_pool_workers(pool, NULL, 1, &(size_t){0}));
    fails(MP_EINVAL, mp_task_reserve(NULL, 1));
    fails(MP_EINVAL, mp_result_wait_all(NULL, 1, 0));
    fails(MP_EBADHANDLE, mp_result_get((mp_result){pool.id}, NULL, 0, NULL, 0));
    fails(MP_EBADHANDLE, mp_pool_map((mp_pool){0}, square, NULL, 0, NULL, 0, 0, NULL));
    fails(MP_EBADHANDLE, mp_pool_map((mp_pool){pool.id + 1}, square, NULL, 0, NULL, 0, 0, NULL));
    fails(MP_EBADHANDLE, mp_result_cancel((mp_result){0}));
    assert_string_equal(mp_handle_kind(MP_HANDLE(pool)), "pool");
    mp_result result;
    ok(mp_pool_apply_async(pool, &result, square, &x, sizeof x, sizeof y, NULL));
    fails(MP_EINVAL, mp_result_get(result, NULL, 4, NULL, 0));
    assert_string_equal(mp_handle_kind(MP_HANDLE(result)), "result");
    ok(mp_result_get(result, &y, sizeof y, NULL, LIMIT));
    assert_int_equal(y, 1);
    ok(mp_pool_destroy(pool));
}

static const struct test_case cases[] = {
    CASE(maps),
    CASE(maps_in_place),
    CASE(by_index),
    CASE(starmaps),
    CASE(applies),
    CASE(any_size),
    CASE(asyncs),
    CASE(only_that_item),
    CASE(tries_again),
    CASE(first_failure),
    CASE(whole_again),
    CASE(supervisor_dies),
    CASE(killed_anywhere),
    CASE(initializers),
    CASE(workers_end),
    CASE(closes),
    CASE(terminates),
    CASE(destroyed_under_waiters),
    CASE(cancels),
    CASE(takes_too_long),
    CASE(stops),
    CASE(workers_do_not_join),
    CASE(one_item),
#if HANDLERS_RUN
    CASE(interrupted),
#endif
    CASE_THREADS(everybody_submits),
    CASE(submitter_dies),
    CASE(nests),
    CASE(several_pools),
    CASE(bad_input),
};

SUPPORT_MAIN("pool", cases)
