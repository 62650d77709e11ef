/* SPDX-License-Identifier: MIT
 *
 * test_imap.c - imap and imap_unordered: what they return, how far they read ahead, and what becomes of that when workers die
 * and pools end.
 */
#include "require.h"
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if HAS_SIGNALS
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

enum {
    WORKERS = 2,
    MANY = 5000
};

static mp_pool create(int workers)
{
    mp_pool pool;
    ok(mp_pool_create(&pool, workers, NULL));
    return pool;
}

static mp_imap *start(bool ordered, mp_pool pool, mp_task_function function, mp_source source, void *state,
                      size_t output_size, const mp_call_options *options)
{
    mp_imap *imap;
    if (ordered)
        ok(mp_pool_imap(pool, &imap, function, source, state, output_size, options));
    else
        ok(mp_pool_imap_unordered(pool, &imap, function, source, state, output_size, options));
    return imap;
}

static void assert_over(mp_imap *imap)
{
    mp_item item;
    for (int i = 0; i < 2; i++) assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 0);
}

/* ---- tasks and sources ------------------------------------------------------------------------------------------- */

static int square(mp_task *task)
{
    const int *x = task->input;
    int *y = task->output;
    if (*y != 0 || task->input_size != sizeof *x || task->output_size != sizeof *y || task->inputs[0] != x) return 99;
    *y = *x * *x;
    return (size_t)*x == task->index ? 0 : 98;
}

/* 3: it dies; 5: it exits; 6: it fails. */
static int risky(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output = *x + 1;
    if (*x % 100 == 3) (void)mp_process_kill(mp_current_process());
    if (*x % 100 == 5) exit(7);
    return *x % 100 == 6 ? 42 : 0;
}

static int dies_at_first(mp_task *task)
{
    const int *x = task->input;
    if (*x % 40 == 1 && !task->attempt) (void)mp_process_kill(mp_current_process());
    *(int *)task->output = *x + 10 * task->attempt;
    return 0;
}

/* As many bytes as the input says: fewer or more than there is room for, or none. */
static int repeat(mp_task *task)
{
    const char *text = task->input;
    size_t size = (size_t)atol(text);
    if (strlen(text) != task->input_size || mp_task_reserve(task, size) < 0) return 99;
    memset(task->output, text[0], size);
    task->output_size = size;
    return 0;
}

static int wait_for_gate(mp_task *task)
{
    const struct gate *gate = task->input;
    return gate_pass(*gate) ? 0 : 99;
}

static int nothing(mp_task *task)
{
    return task->input_size || task->output ? 99 : 0;
}

struct numbers {
    int next, count;
    int fails; /* at that one; 0: never */
};

static int next_number(void *state, mp_bytes *input)
{
    struct numbers *numbers = state;
    static int number;
    if (numbers->fails && numbers->next == numbers->fails) return MP_EBUSY;
    if (numbers->next == numbers->count) return 0;
    number = numbers->next++;
    *input = (mp_bytes){&number, sizeof number};
    return 1;
}

/* ---- what it returns --------------------------------------------------------------------------------------------- */

/* All squares, in order or not, once each. */
static void take_squares(mp_imap *imap, bool ordered, int count)
{
    char *seen = calloc((size_t)count + 1, 1);
    mp_item item;
    int taken = 0;
    for (; ok(mp_imap_next(imap, &item, LIMIT)) == 1; taken++) {
        assert_in_range(item.index, 0, count - 1);
        assert_false(seen[item.index]++);
        if (ordered) assert_int_equal(item.index, taken);
        assert_int_equal(item.outcome.error, 0);
        assert_int_equal(item.input.size, sizeof(int));
        assert_int_equal(*(const int *)item.input.data, item.index);
        assert_int_equal(item.output.size, sizeof(int));
        assert_int_equal(*(const int *)item.output.data, (int)(item.index * item.index));
    }
    assert_int_equal(taken, count);
    assert_over(imap);
    free(seen);
}

static void items(void **state)
{
    (void)state;
    static const int counts[] = {0, 1, 2, 100, MANY};
    static const mp_call_options options[] = {{.retries = 0},
                                              {.chunk_size = 1},
                                              {.chunk_size = 7},
                                              {.chunk_size = 1000},
                                              {.read_ahead = 1},
                                              {.read_ahead = 10},
                                              {.read_ahead = 10, .chunk_size = 3},
                                              {.read_ahead = 100000}};
    mp_pool pool = create(WORKERS);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            for (int ordered = 0; ordered < 2; ordered++) {
                struct numbers numbers = {.count = counts[c]};
                mp_imap *imap = start(ordered, pool, square, next_number, &numbers, sizeof(int), &options[o]);
                take_squares(imap, ordered, counts[c]);
                mp_imap_destroy(imap);
            }
        }
    }
    mp_progress progress;
    ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.total, progress.done);
    assert_int_equal(progress.total, 16 * (0 + 1 + 2 + 100 + MANY));
    ok(mp_pool_destroy(pool));
}

static void arrays(void **state)
{
    (void)state;
    int in[300];
    for (int i = 0; i < 300; i++) in[i] = i;
    mp_pool pool = create(WORKERS);
    mp_items array = {in, sizeof *in, 300};
    mp_imap *imap = start(true, pool, square, mp_source_array, &array, sizeof(int), NULL);
    take_squares(imap, true, 300);
    mp_imap_destroy(imap);
    assert_int_equal(array.count, 0);
    mp_items indices = {NULL, 0, 40};
    imap = start(false, pool, nothing, mp_source_array, &indices, 0, NULL);
    mp_item item;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        assert_int_equal(item.outcome.error, 0);
        assert_non_null(item.output.data);
        assert_int_equal(item.output.size, 0);
    }
    assert_over(imap);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
}

static const size_t line_sizes[] = {1, 0, 80, 3, 100000, 0, 5, 70000, 12};

static void lines(void **state)
{
    (void)state;
    enum {
        LINES = sizeof line_sizes / sizeof *line_sizes
    };
    FILE *file = tmpfile();
    assert_non_null(file);
    for (size_t i = 0; i < LINES; i++) {
        for (size_t k = 0; k < line_sizes[i]; k++) putc(k + 1 == line_sizes[i] && i == 3 ? 0 : 'a' + (int)i, file);
        fputs(i == 2 ? "\r\n" : i + 1 < LINES ? "\n" : "", file); /* the last one has no end */
    }
    rewind(file);
    mp_pool pool = create(WORKERS);
    mp_imap *imap = start(true, pool, nothing, mp_source_lines, file, 0, NULL);
    mp_item item;
    for (size_t i = 0; i < LINES; i++) {
        assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        assert_int_equal(item.input.size, line_sizes[i]);
        const char *text = item.input.data;
        assert_int_equal(text[item.input.size], 0);
        for (size_t k = 0; k + (i == 3) < line_sizes[i]; k++) assert_int_equal(text[k], 'a' + (int)i);
        assert_int_equal(item.outcome.error, line_sizes[i] ? MP_ETASK : 0);
    }
    assert_over(imap);
    mp_imap_destroy(imap);
    fclose(file);
    ok(mp_pool_destroy(pool));
}

#if HAS_SIGNALS

static int write_slowly(void *args)
{
    static const char *const parts[] = {"a\n", "bc", "", "de\nf"};
    int end = *(int *)args;
    for (int i = 0; i < 4; i++) {
        size_t size = strlen(parts[i]);
        if (write(end, parts[i], size) != (ssize_t)size) return 1;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return 0;
}

static void tick(int signal)
{
    (void)signal;
}

/* A signal that interrupts a read does not end it, nor is anything lost. */
static void lines_and_signals(void **state)
{
    (void)state;
    static const char *const wanted[] = {"a", "bcde", "f"};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t writer = fork();
    if (writer == 0) _exit(write_slowly(&ends[1]));
    close(ends[1]);
    FILE *file = fdopen(ends[0], "r");
    struct sigaction action = {.sa_handler = tick}, before; /* no SA_RESTART */
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    support_tick(1000);
    for (int i = 0; i < 3; i++) {
        mp_bytes line;
        assert_int_equal(ok(mp_source_lines(file, &line)), 1);
        assert_int_equal(line.size, strlen(wanted[i]));
        assert_string_equal(line.data, wanted[i]);
    }
    assert_int_equal(ok(mp_source_lines(file, &(mp_bytes){0})), 0);
    support_tick(0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    fclose(file);
    int status = 1;
    assert_true(waitpid(writer, &status, 0) == writer && status == 0);
}

#endif

struct texts {
    int next;
    char text[16];
};

static const int text_sizes[] = {10, 0, 64, 3, 65, 100000, 1, 20, 5000};

static int next_text(void *state, mp_bytes *input)
{
    struct texts *texts = state;
    if (texts->next == 900) return 0;
    int size = text_sizes[texts->next++ % 9];
    *input = (mp_bytes){texts->text, (size_t)snprintf(texts->text, sizeof texts->text, "%d", size)};
    return 1;
}

static void any_size(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    for (size_t limit = 0; limit <= 5000; limit += 5000) {
        struct texts texts = {.next = 0};
        mp_imap *imap = start(true, pool, repeat, next_text, &texts, 64, &(mp_call_options){.max_output = limit});
        mp_item item;
        for (int i = 0; i < 900; i++) {
            size_t size = (size_t)text_sizes[i % 9];
            assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
            bool fits = !limit || size <= limit;
            assert_int_equal(item.outcome.error, fits ? 0 : MP_ETASK);
            if (!fits) assert_null(item.output.data);
            if (!fits) continue;
            assert_int_equal(item.output.size, size);
            for (size_t k = 0; k < size; k += 61)
                assert_int_equal(((const char *)item.output.data)[k], *(const char *)item.input.data);
        }
        assert_over(imap);
        mp_imap_destroy(imap);
    }
    ok(mp_pool_destroy(pool));
}

/* ---- reading ahead ----------------------------------------------------------------------------------------------- */

static void reads_no_further(void **state)
{
    (void)state;
    struct numbers numbers = {.count = 100000};
    mp_pool pool = create(WORKERS);
    mp_imap *imap = start(true, pool, square, next_number, &numbers, sizeof(int), &(mp_call_options){.read_ahead = 17});
    mp_item item;
    assert_int_equal(numbers.next, 0);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        assert_in_range(numbers.next, i + 1, i + 17);
    }
    mp_imap_destroy(imap);
    /* Tasks that are never done: a few for each worker. */
    struct gate gate = gate_create();
    struct gate gates[200];
    for (int i = 0; i < 200; i++) gates[i] = gate;
    mp_items array = {gates, sizeof *gates, 200};
    imap = start(false, pool, wait_for_gate, mp_source_array, &array, 0, NULL);
    fails(MP_ETIMEDOUT, mp_imap_next(imap, &item, 50));
    assert_in_range(200 - array.count, WORKERS, 8 * WORKERS);
    fails(MP_ETIMEDOUT, mp_imap_next(imap, &item, 0));
    assert_in_range(200 - array.count, WORKERS, 8 * WORKERS);
    assert_true(gate_open(gate));
    assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
}

static void pause_ms(int milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
}

static int next_slowly(void *state, mp_bytes *input)
{
    pause_ms(20);
    return next_number(state, input);
}

/* What is there is returned before a slow source is asked again. */
static void slow_sources(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    for (int ordered = 0; ordered < 2; ordered++) {
        struct numbers numbers = {.count = 30};
        mp_imap *imap = start(ordered, pool, square, next_slowly, &numbers, sizeof(int), NULL);
        mp_item item;
        for (int i = 0; i < 30; i++) {
            assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
            if (i < 10) assert_in_range(numbers.next, i + 1, i + 15); /* 1 or 2, but for who has the CPU */
        }
        assert_over(imap);
        mp_imap_destroy(imap);
    }
    ok(mp_pool_destroy(pool));
}

/* It has one each third time that it is asked. */
static int next_at_times(void *state, mp_bytes *input)
{
    static int asked;
    return asked++ % 3 == 2 ? next_number(state, input) : MP_ETIMEDOUT;
}

static void empty_sources(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    for (int ordered = 0; ordered < 2; ordered++) {
        struct numbers numbers = {.count = 50};
        mp_imap *imap = start(ordered, pool, square, next_at_times, &numbers, sizeof(int), NULL);
        mp_item item;
        int taken = 0, result;
        while ((result = mp_imap_next(imap, &item, LIMIT)) != 0) {
            if (result < 0) assert_int_equal(result, MP_ETIMEDOUT);
            taken += result == 1;
        }
        assert_int_equal(taken, 50);
        assert_over(imap);
        mp_imap_destroy(imap);
    }
    ok(mp_pool_destroy(pool));
}

/* A source may use libmp, but not its own imap. */
struct looping {
    mp_imap *imap;
    int result, times;
    bool destroys;
};

static int ask_itself(void *state, mp_bytes *input)
{
    struct looping *looping = state;
    mp_item item;
    looping->result = mp_imap_next(looping->imap, &item, 0);
    if (looping->destroys) mp_imap_destroy(looping->imap);
    *input = (mp_bytes){"", 0};
    return looping->times++ < 3;
}

static void not_itself(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    struct looping looping = {.times = 0};
    mp_item item;
    looping.imap = start(true, pool, nothing, ask_itself, &looping, 0, NULL);
    for (int i = 0; i < 3; i++) assert_int_equal(ok(mp_imap_next(looping.imap, &item, LIMIT)), 1);
    assert_int_equal(looping.result, MP_EBUSY);
    mp_imap_destroy(looping.imap);
    looping = (struct looping){.destroys = true};
    looping.imap = start(true, pool, nothing, ask_itself, &looping, 0, NULL);
    fails(MP_ECANCELED, mp_imap_next(looping.imap, &item, LIMIT));
    assert_int_equal(looping.times, 1); /* it is not asked again */
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_destroy(pool));
}

static void source_fails(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    for (int ordered = 0; ordered < 2; ordered++) {
        struct numbers numbers = {.count = 100, .fails = 37};
        mp_imap *imap = start(ordered, pool, square, next_number, &numbers, sizeof(int), NULL);
        mp_item item;
        for (int i = 0; i < 37; i++) assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        fails(MP_EBUSY, mp_imap_next(imap, &item, LIMIT));
        fails(MP_EBUSY, mp_imap_next(imap, &item, LIMIT));
        mp_imap_destroy(imap);
    }
    ok(mp_pool_destroy(pool));
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static void only_that_item(void **state)
{
    (void)state;
    static const size_t chunks[] = {0, 1, 50};
    mp_pool pool = create(WORKERS);
    for (size_t c = 0; c < 3; c++) {
        for (int ordered = 0; ordered < 2; ordered++) {
            struct numbers numbers = {.count = 400};
            mp_imap *imap = start(ordered, pool, risky, next_number, &numbers, sizeof(int),
                                  &(mp_call_options){.chunk_size = chunks[c]});
            mp_item item;
            for (int i = 0; i < 400; i++) {
                assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
                if (ordered) assert_int_equal(item.index, i);
                int kind = (int)item.index % 100;
                int error = kind == 3 || kind == 5 ? MP_EWORKERDEAD : kind == 6 ? MP_ETASK : 0;
                assert_int_equal(item.outcome.error, error);
                if (kind == 5) assert_int_equal(item.outcome.code, 7);
                if (kind == 6) assert_int_equal(item.outcome.code, 42);
                assert_int_equal(*(const int *)item.input.data, item.index);
                if (error) assert_null(item.output.data);
                if (!error) assert_int_equal(*(const int *)item.output.data, item.index + 1);
            }
            assert_over(imap);
            mp_imap_destroy(imap);
        }
    }
    ok(mp_pool_destroy(pool));
}

static void tries_again(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    struct numbers numbers = {.count = 200};
    mp_imap *imap =
        start(true, pool, dies_at_first, next_number, &numbers, sizeof(int), &(mp_call_options){.retries = 1});
    mp_item item;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        assert_int_equal(item.outcome.error, 0);
        assert_int_equal(*(const int *)item.output.data, i % 40 == 1 ? i + 10 : i);
    }
    assert_over(imap);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
}

static void supervisor_dies(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    struct numbers numbers = {.count = 3000};
    mp_imap *imap = start(true, pool, square, next_number, &numbers, sizeof(int),
                          &(mp_call_options){.retries = 5, .read_ahead = 20});
    mp_item item;
    for (int i = 0; i < 3000; i++) {
        mp_worker workers[WORKERS];
        size_t count;
        if (i % 1000 == 500) { /* all are there, so that it is not just starting one, which nobody would know */
            mp_process supervisor = {0};
            do {
                assert_int_equal(mp_pool_poll(pool), 0);
                ok(mp_pool_workers(pool, workers, WORKERS, &count));
                if (count) supervisor = mp_process_parent(workers[count - 1].process);
            } while (count < WORKERS || mp_process_is_alive(supervisor) != 1);
            ok(mp_process_kill(supervisor));
        }
        assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        assert_int_equal(item.index, i);
    }
    assert_over(imap);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
}

/* ---- the end of a pool ------------------------------------------------------------------------------------------- */

static void goes_on_when_closed(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    struct numbers numbers = {.count = 1000}, others = {.count = 10};
    mp_item item;
    mp_imap *imap = start(true, pool, square, next_number, &numbers, sizeof(int), NULL);
    mp_imap *other = start(true, pool, square, next_number, &others, sizeof(int), NULL);
    ok(mp_pool_close(pool));
    mp_imap *late;
    fails(MP_ECLOSED, mp_pool_imap(pool, &late, square, next_number, &numbers, sizeof(int), NULL));
    fails(MP_EDEADLK, mp_pool_join(pool, LIMIT));
    take_squares(imap, true, 1000);
    fails(MP_EDEADLK, mp_pool_join(pool, LIMIT));
    assert_int_equal(ok(mp_imap_next(other, &item, LIMIT)), 1);
    mp_imap_destroy(other);
    ok(mp_pool_join(pool, LIMIT));
    assert_over(imap);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
}

static void terminated(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    struct numbers numbers = {.count = 1000};
    mp_item item;
    mp_imap *imap = start(true, pool, square, next_number, &numbers, sizeof(int), &(mp_call_options){.read_ahead = 30});
    assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
    ok(mp_pool_terminate(pool));
    ok(mp_pool_join(pool, LIMIT));
    int taken = 1, result;
    for (; (result = mp_imap_next(imap, &item, LIMIT)) == 1; taken++) {
        assert_int_equal(item.index, taken);
        assert_true(item.outcome.error == 0 || item.outcome.error == MP_ECANCELED);
    }
    assert_int_equal(result, MP_ECLOSED);
    assert_in_range(taken, 1, 31);
    ok(mp_pool_destroy(pool));
    fails(MP_EBADHANDLE, mp_imap_next(imap, &item, LIMIT));
    mp_imap_destroy(imap);
}

static void destroyed_midway(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    for (int i = 0; i < 20; i++) {
        struct numbers numbers = {.count = 1000};
        mp_item item;
        mp_imap *imap = start(i % 2, pool, i % 3 ? square : risky, next_number, &numbers, sizeof(int), NULL);
        for (int k = 0; k < i; k++) assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        mp_imap_destroy(imap);
    }
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
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
    mp_pool pool = create(WORKERS);
    struct stopper stopper, *in = calloc(1000, sizeof *in);
    ok(mp_event_create(&stopper.stop, NULL));
    ok(mp_block_create(&stopper.begun, sizeof(_Atomic int)));
    for (int i = 0; i < 1000; i++) in[i] = stopper;
    mp_items array = {in, sizeof *in, 1000};
    mp_imap *imap = start(true, pool, set_stop, mp_source_array, &array, 0,
                          &(mp_call_options){.stop = stopper.stop, .read_ahead = 50});
    mp_item item;
    int done = 0, taken = 0, result;
    for (; (result = mp_imap_next(imap, &item, LIMIT)) == 1; taken++) {
        assert_int_equal(item.index, taken);
        assert_true(item.outcome.error == 0 || item.outcome.error == MP_ECANCELED);
        done += item.outcome.error == 0;
    }
    assert_int_equal(result, MP_ECANCELED);
    assert_int_equal(done, atomic_load((_Atomic int *)mp_block_data(stopper.begun)));
    assert_in_range(done, 11, 999);
    fails(MP_ECANCELED, mp_imap_next(imap, &item, LIMIT));
    mp_imap_destroy(imap);
    free(in);
    /* One that is destroyed is no reason to stop. */
    mp_event gone;
    ok(mp_event_create(&gone, NULL));
    struct numbers numbers = {.count = 200};
    imap = start(true, pool, square, next_number, &numbers, sizeof(int),
                 &(mp_call_options){.stop = gone, .read_ahead = 10});
    for (int i = 0; i < 200; i++) {
        if (i == 50) ok(mp_event_destroy(gone));
        assert_int_equal(ok(mp_imap_next(imap, &item, LIMIT)), 1);
        assert_int_equal(item.outcome.error, 0);
    }
    assert_over(imap);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
    ok(mp_event_destroy(stopper.stop));
    ok(mp_block_destroy(stopper.begun));
}

/* ---- who asks ---------------------------------------------------------------------------------------------------- */

static int take_some(void *args)
{
    const mp_pool *pool = args;
    struct numbers numbers = {.count = 100000};
    mp_imap *imap;
    mp_item item;
    REQUIRE(mp_pool_imap_unordered(*pool, &imap, square, next_number, &numbers, sizeof(int), NULL) == 0);
    for (int i = 0; i < 100; i++) REQUIRE(mp_imap_next(imap, &item, LIMIT) == 1);
    (void)mp_process_kill(mp_current_process());
    return 0;
}

/* The pool is rid of what a dead process had submitted: it can be closed, and ends. */
static void asker_dies(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    for (int i = 0; i < 3; i++) {
        mp_process child;
        ok(mp_process_start(&child, take_some, &pool, sizeof pool, NULL));
        assert_ends(child, -9);
    }
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_destroy(pool));
}

static int several_at_once(void *args)
{
    const mp_pool *pool = args;
    enum {
        AT_ONCE = 5,
        COUNT = 400
    };
    mp_imap *imaps[AT_ONCE];
    struct numbers numbers[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) {
        numbers[i] = (struct numbers){.count = COUNT};
        REQUIRE(mp_pool_imap(*pool, &imaps[i], square, next_number, &numbers[i], sizeof(int), NULL) == 0);
    }
    for (int k = 0; k < COUNT; k++) {
        for (int i = 0; i < AT_ONCE; i++) {
            mp_item item;
            REQUIRE(mp_imap_next(imaps[i], &item, LIMIT) == 1);
            REQUIRE(item.index == (size_t)k && *(const int *)item.output.data == k * k);
        }
    }
    for (int i = 0; i < AT_ONCE; i++) mp_imap_destroy(imaps[i]);
    return 0;
}

static void from_everywhere(void **state)
{
    (void)state;
    mp_pool pool = create(WORKERS);
    mp_process children[2];
    for (int i = 0; i < 2; i++) ok(mp_process_start(&children[i], several_at_once, &pool, sizeof pool, NULL));
    assert_int_equal(several_at_once(&pool), 0);
    for (int i = 0; i < 2; i++) assert_ends(children[i], 0);
    ok(mp_pool_destroy(pool));
}

/* ---- bad input --------------------------------------------------------------------------------------------------- */

static int gives_nothing(void *state, mp_bytes *input)
{
    (void)state;
    *input = (mp_bytes){NULL, 10};
    return 1;
}

static void ignore_result(mp_result result, void *context)
{
    (void)result;
    (void)context;
}

static void bad_input(void **state)
{
    (void)state;
    mp_pool pool = create(1);
    mp_imap *imap = NULL;
    mp_item item;
    struct numbers numbers = {.count = 3};
    fails(MP_EINVAL, mp_pool_imap(pool, NULL, square, next_number, &numbers, 4, NULL));
    fails(MP_EINVAL, mp_pool_imap(pool, &imap, NULL, next_number, &numbers, 4, NULL));
    fails(MP_EINVAL, mp_pool_imap(pool, &imap, square, NULL, &numbers, 4, NULL));
    fails(MP_EINVAL, mp_pool_imap_unordered(pool, &imap, square, mp_source_array, NULL, 4, NULL));
    fails(MP_EINVAL, mp_pool_imap_unordered(pool, &imap, square, mp_source_lines, NULL, 4, NULL));
    fails(MP_EINVAL, mp_source_lines(NULL, &(mp_bytes){0}));
    fails(MP_EINVAL, mp_source_array(NULL, &(mp_bytes){0}));
    fails(MP_EINVAL, mp_pool_imap(pool, &imap, square, next_number, &numbers, SIZE_MAX, NULL));
    fails(MP_EINVAL,
          mp_pool_imap(pool, &imap, square, next_number, &numbers, 4, &(mp_call_options){.read_ahead = SIZE_MAX}));
    fails(MP_EINVAL, mp_pool_imap(pool, &imap, square, next_number, &numbers, 4, &(mp_call_options){.retries = -1}));
    fails(MP_EINVAL,
          mp_pool_imap(pool, &imap, square, next_number, &numbers, 4, &(mp_call_options){.callback = ignore_result}));
    fails(MP_EBADHANDLE, mp_pool_imap((mp_pool){0}, &imap, square, next_number, &numbers, 4, NULL));
    assert_null(imap);
    mp_imap_destroy(NULL);
    fails(MP_EINVAL, mp_imap_next(NULL, &item, 0));
    ok(mp_pool_imap(pool, &imap, square, next_number, &numbers, 4, NULL));
    fails(MP_EINVAL, mp_imap_next(imap, NULL, 0));
    mp_imap_destroy(imap);
    ok(mp_pool_imap(pool, &imap, square, gives_nothing, NULL, 4, NULL));
    fails(MP_EINVAL, mp_imap_next(imap, &item, LIMIT));
    mp_imap_destroy(imap);
    /* Outputs that are too large: it is told, and the pool goes on. */
    ok(mp_pool_imap(pool, &imap, square, next_number, &numbers, (size_t)1 << 45, NULL));
    fails(MP_ENOMEM, mp_imap_next(imap, &item, LIMIT));
    mp_imap_destroy(imap);
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_destroy(pool));
}

static const struct test_case cases[] = {
    CASE(items),
    CASE(arrays),
    CASE(lines),
#if HAS_SIGNALS
    CASE_ONCE(lines_and_signals),
#endif
    CASE(any_size),
    CASE(reads_no_further),
    CASE(slow_sources),
    CASE(empty_sources),
    CASE(not_itself),
    CASE(source_fails),
    CASE(only_that_item),
    CASE(tries_again),
    CASE(supervisor_dies),
    CASE(goes_on_when_closed),
    CASE(terminated),
    CASE(destroyed_midway),
    CASE(stops),
    CASE(asker_dies),
    CASE(from_everywhere),
    CASE(bad_input),
};

SUPPORT_MAIN("imap", cases)
