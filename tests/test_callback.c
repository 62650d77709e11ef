/* SPDX-License-Identifier: MIT
 *
 * test_callback.c - callbacks of a pool: who is called, when, and what it may do; and how far a call is.
 */
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if HAS_SIGNALS
#include <sys/wait.h>
#include <unistd.h>
#endif

static mp_pool create(int workers)
{
    mp_pool pool;
    ok(mp_pool_create(&pool, workers, NULL));
    return pool;
}

/* ---- tasks and callbacks ----------------------------------------------------------------------------------------- */

static int square(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output = *x * *x;
    return *x < 0 ? 42 : 0;
}

static int wait_for_gate(mp_task *task)
{
    const struct gate *gate = task->input;
    return gate_pass(*gate) ? 0 : 99;
}

static int dies(mp_task *task)
{
    (void)task;
    return mp_process_kill(mp_current_process());
}

/* What was called so far. */
struct calls {
    _Atomic int good, bad;
    int64_t sum; /* of outputs */
    int error;
    mp_pool pool; /* for those that do something with it */
    int result;   /* of that */
    mp_result last;
    pthread_t thread;
};

static void went_well(mp_result result, void *context)
{
    struct calls *calls = context;
    int output = 0;
    if (mp_result_ready(result) == 1 && mp_result_successful(result) == 1 &&
        mp_result_get(result, &output, sizeof output, NULL, 0) == 0)
        calls->sum += output;
    calls->last = result;
    calls->thread = pthread_self();
    calls->good++;
}

static void went_wrong(mp_result result, void *context)
{
    struct calls *calls = context;
    mp_outcome outcome = {0, 0};
    if (mp_result_outcome(result, 0, &outcome) == 0) calls->error = outcome.error;
    calls->bad++;
}

static void assert_calls(const struct calls *calls, int good, int bad)
{
    assert_int_equal(calls->good, good);
    assert_int_equal(calls->bad, bad);
}

static mp_call_options to(struct calls *calls)
{
    return (mp_call_options){.callback = went_well, .error_callback = went_wrong, .context = calls};
}

static void submit(mp_pool pool, int x, struct calls *calls)
{
    mp_call_options options = to(calls);
    ok(mp_pool_apply_async(pool, NULL, square, &x, sizeof x, sizeof x, &options));
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

static void while_joining(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    mp_pool pool = create(2);
    for (int i = 1; i <= 100; i++) submit(pool, i % 10 ? i : -i, &calls);
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    assert_calls(&calls, 90, 10);
    assert_int_equal(calls.error, MP_ETASK);
    int64_t sum = 0;
    for (int i = 1; i <= 100; i++) sum += i % 10 ? i * i : 0;
    assert_int_equal(calls.sum, sum);
    assert_true(pthread_equal(calls.thread, pthread_self()));
    assert_int_equal(mp_pool_poll(pool), 0);
    ok(mp_pool_destroy(pool));
    assert_calls(&calls, 90, 10);
}

static void while_polling(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    struct gate gate = gate_create();
    mp_pool pool = create(2);
    mp_result result;
    mp_call_options options = to(&calls);
    ok(mp_pool_apply_async(pool, &result, wait_for_gate, &gate, sizeof gate, 0, &options));
    submit(pool, 3, &calls);
    for (int64_t end = support_now() + LIMIT; calls.good + calls.bad == 0 && support_now() < end;)
        assert_in_range(ok(mp_pool_poll(pool)), 0, 1);
    assert_calls(&calls, 1, 0);
    assert_int_equal(mp_pool_poll(pool), 0);
    fails(MP_ETIMEDOUT, mp_result_wait(result, 20));
    assert_calls(&calls, 1, 0);
    assert_true(gate_open(gate));
    ok(mp_result_wait(result, LIMIT)); /* called before who waits for it goes on */
    assert_calls(&calls, 2, 0);
    assert_int_equal(calls.last.id, result.id);
    ok(mp_result_get(result, NULL, 0, NULL, 0)); /* it stays the caller's */
    ok(mp_result_destroy(result));
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
    fails(MP_EBADHANDLE, mp_pool_poll(pool));
}

static void while_waiting_for_others(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    struct gate gate = gate_create();
    mp_pool pool = create(1);
    mp_result result;
    for (int i = 0; i < 10; i++) submit(pool, i, &calls);
    int x = 5, y = 0;
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL)); /* one worker: it comes last */
    assert_calls(&calls, 10, 0);
    submit(pool, 1, &calls);
    ok(mp_pool_apply_async(pool, &result, wait_for_gate, &gate, sizeof gate, 0, NULL));
    fails(MP_ETIMEDOUT, mp_result_wait(result, 1000)); /* woken by the other one */
    assert_calls(&calls, 11, 0);
    assert_true(gate_open(gate));
    ok(mp_result_wait_all(&result, 1, LIMIT));
    ok(mp_result_destroy(result));
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
}

/* Each gets one of the two. */
static void at_the_end(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    struct gate gate = gate_create();
    mp_pool pool = create(2);
    mp_call_options options = to(&calls);
    for (int i = 0; i < 20; i++) ok(mp_pool_apply_async(pool, NULL, wait_for_gate, &gate, sizeof gate, 0, &options));
    ok(mp_pool_destroy(pool));
    assert_calls(&calls, 0, 20);
    assert_int_equal(calls.error, MP_ECANCELED);
    gate_destroy(gate);
}

static void of_the_dead(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    mp_pool pool = create(2);
    mp_call_options options = to(&calls);
    ok(mp_pool_apply_async(pool, NULL, dies, NULL, 0, 0, &options));
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    assert_calls(&calls, 0, 1);
    assert_int_equal(calls.error, MP_EWORKERDEAD);
    ok(mp_pool_destroy(pool));
}

static void of_maps(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    mp_pool pool = create(2);
    int in[50], out[50];
    for (int i = 0; i < 50; i++) in[i] = i;
    mp_call_options options = to(&calls);
    mp_result result;
    ok(mp_pool_map_async(pool, &result, square, in, sizeof *in, sizeof *in, 50, &options));
    ok(mp_pool_map_async(pool, NULL, square, in, sizeof *in, sizeof *in, 0, &options)); /* of no items */
    ok(mp_result_get(result, out, sizeof out, NULL, LIMIT));
    assert_int_equal(out[49], 49 * 49);
    assert_calls(&calls, 2, 0);
    /* Of those that wait. */
    ok(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, 50, &options));
    ok(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, 0, &options));
    assert_calls(&calls, 4, 0);
    in[7] = -1;
    fails(MP_ETASK, mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, 50, &options));
    assert_calls(&calls, 4, 1);
    assert_int_equal(calls.error, 0); /* the first item's */
    ok(mp_result_destroy(result));
    ok(mp_pool_destroy(pool));
}

static void not_of_destroyed_ones(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    mp_pool pool = create(1);
    mp_call_options options = to(&calls);
    int x = 1;
    for (int i = 0; i < 10; i++) {
        mp_result result;
        ok(mp_pool_apply_async(pool, &result, square, &x, sizeof x, sizeof x, &options));
        ok(mp_result_destroy(result));
    }
    ok(mp_pool_apply(pool, square, &x, sizeof x, &x, sizeof x, NULL));
    assert_int_equal(mp_pool_poll(pool), 0);
    assert_calls(&calls, 0, 0);
    mp_result refused;
    ok(mp_pool_close(pool));
    fails(MP_ECLOSED, mp_pool_apply_async(pool, &refused, square, &x, sizeof x, sizeof x, &options));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_destroy(pool));
    assert_calls(&calls, 0, 0);
}

/* ---- what one may do --------------------------------------------------------------------------------------------- */

/* Submits another one, until there were enough. */
static void submits(mp_result result, void *context)
{
    struct calls *calls = context;
    (void)result;
    int x = ++calls->good;
    mp_call_options options = {.callback = submits, .context = calls};
    if (x < 50) calls->result |= mp_pool_apply_async(calls->pool, NULL, square, &x, sizeof x, sizeof x, &options);
    if (x == 20) calls->result |= mp_pool_apply(calls->pool, square, &x, sizeof x, &x, sizeof x, NULL);
    if (calls->good > 50) calls->result |= MP_EBUSY;
}

static void closes(mp_result result, void *context)
{
    struct calls *calls = context;
    calls->result |= mp_pool_close(calls->pool);
    went_well(result, calls);
}

static void destroys(mp_result result, void *context)
{
    struct calls *calls = context;
    went_well(result, calls);
    calls->result |= mp_pool_destroy(calls->pool);
}

static void may_do_anything(void **state)
{
    (void)state;
    struct calls calls = {.pool = create(2)};
    int x = 0;
    mp_call_options options = {.callback = submits, .context = &calls};
    ok(mp_pool_apply_async(calls.pool, NULL, square, &x, sizeof x, sizeof x, &options));
    for (int64_t end = support_now() + LIMIT; calls.good < 50 && support_now() < end;) ok(mp_pool_poll(calls.pool));
    assert_calls(&calls, 50, 0);
    ok(calls.result);
    options.callback = closes;
    ok(mp_pool_apply_async(calls.pool, NULL, square, &x, sizeof x, sizeof x, &options));
    while (ok(mp_pool_poll(calls.pool)) == 0) {}
    ok(calls.result);
    fails(MP_ECLOSED, mp_pool_apply(calls.pool, square, &x, sizeof x, &x, sizeof x, NULL));
    ok(mp_pool_join(calls.pool, LIMIT));
    ok(mp_pool_destroy(calls.pool));

    calls = (struct calls){.pool = create(1)}; /* one worker: that comes first */
    options.callback = destroys;
    ok(mp_pool_apply_async(calls.pool, NULL, square, &x, sizeof x, sizeof x, &options));
    for (int i = 0; i < 5; i++) submit(calls.pool, 1, &calls);
    int polled = 0;
    while (calls.good + calls.bad == 0 && polled >= 0) polled = mp_pool_poll(calls.pool);
    ok(calls.result);
    fails(MP_EBADHANDLE, mp_pool_poll(calls.pool));
    assert_in_range(calls.good + calls.bad, 1, 6);
}

/* The handle that a call which waits gives to its callback is that call's. */
static void keep_result(mp_result result, void *context)
{
    *(mp_result *)context = result;
}

static void not_kept(void **state)
{
    (void)state;
    mp_pool pool = create(1);
    mp_result kept = {0};
    int x = 3, y = 0;
    mp_call_options options = {.callback = keep_result, .context = &kept};
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, &options));
    fails(MP_EBADHANDLE, mp_result_wait(kept, 0));
    ok(mp_pool_apply(pool, square, &x, sizeof x, &y, sizeof y, NULL));
    fails(MP_EBADHANDLE, mp_result_wait(kept, 0));
    ok(mp_pool_destroy(pool));
}

static void pause_ms(int milliseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
}

/* One that takes longer than there is between two of them. */
static void be_slow(const mp_progress *progress, void *context)
{
    (void)progress;
    ++*(int *)context;
    pause_ms(120);
}

static int destroy_result(void *args)
{
    return mp_result_destroy(*(mp_result *)args);
}

static void slow_progress(void **state)
{
    (void)state;
    mp_pool pool = create(1);
    struct gate gate = gate_create();
    int shown = 0;
    mp_result results[4];
    mp_call_options options = {.progress_callback = be_slow, .context = &shown};
    for (int i = 0; i < 4; i++)
        ok(mp_pool_apply_async(pool, &results[i], wait_for_gate, &gate, sizeof gate, 0, &options));
    while (shown < 6) {
        int result = mp_result_wait(results[3], 10);
        assert_int_equal(result, MP_ETIMEDOUT);
    }
    /* Of one whose result another process destroys nothing is heard any more. */
    mp_process child;
    ok(mp_process_start(&child, destroy_result, &results[1], sizeof results[1], NULL));
    assert_ends(child, 0);
    fails(MP_ETIMEDOUT, mp_result_wait(results[3], 150));
    assert_true(gate_open(gate));
    for (int i = 0; i < 4; i++) {
        if (i == 1) continue;
        ok(mp_result_wait(results[i], LIMIT));
        ok(mp_result_destroy(results[i]));
    }
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
}

static void while_iterating(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    int in[100] = {0};
    mp_pool pool = create(1);
    mp_items items = {in, sizeof *in, 100};
    mp_imap *imap;
    mp_item item;
    for (int i = 0; i < 10; i++) submit(pool, i, &calls);
    ok(mp_pool_imap(pool, &imap, square, mp_source_array, &items, sizeof *in, NULL));
    while (ok(mp_imap_next(imap, &item, LIMIT)) == 1) {}
    assert_calls(&calls, 10, 0); /* one worker: they come first */
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
}

/* Each callback is there before the wait for its result is over. */
static void before_the_wait_ends(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    mp_pool pool = create(2);
    mp_call_options options = to(&calls);
    for (int i = 0; i < 2000; i++) {
        mp_result result;
        ok(mp_pool_apply_async(pool, &result, square, &i, sizeof i, sizeof i, &options));
        while (mp_result_wait(result, 0) == MP_ETIMEDOUT) {}
        assert_int_equal(calls.good, i + 1);
        ok(mp_result_destroy(result));
    }
    ok(mp_pool_destroy(pool));
}

/* ---- who --------------------------------------------------------------------------------------------------------- */

static int submit_and_join(void *args)
{
    const mp_pool *pool = args;
    struct calls calls = {.good = 0};
    mp_call_options options = to(&calls);
    for (int i = 0; i < 50; i++)
        REQUIRE(mp_pool_apply_async(*pool, NULL, square, &i, sizeof i, sizeof i, &options) == 0);
    for (int64_t end = support_now() + LIMIT; calls.good < 50 && support_now() < end;)
        REQUIRE(mp_pool_poll(*pool) >= 0);
    REQUIRE(calls.good == 50 && calls.bad == 0);
    return 0;
}

static int submit_and_die(void *args)
{
    const mp_pool *pool = args;
    struct calls calls = {.good = 0};
    mp_call_options options = to(&calls);
    for (int i = 0; i < 50; i++)
        REQUIRE(mp_pool_apply_async(*pool, NULL, square, &i, sizeof i, sizeof i, &options) == 0);
    return mp_process_kill(mp_current_process());
}

/* Each process its own. */
static void each_its_own(void **state)
{
    (void)state;
    struct calls calls = {.good = 0};
    mp_pool pool = create(2);
    mp_process children[3];
    for (int i = 0; i < 20; i++) submit(pool, i, &calls);
    for (int i = 0; i < 3; i++)
        ok(mp_process_start(&children[i], i < 2 ? submit_and_join : submit_and_die, &pool, sizeof pool, NULL));
    for (int i = 0; i < 3; i++) assert_ends(children[i], i < 2 ? 0 : -9);
    for (int i = 0; i < 20; i++) submit(pool, i, &calls);
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    assert_calls(&calls, 40, 0);
    ok(mp_pool_destroy(pool));
}

struct shared {
    mp_pool pool;
    _Atomic int called;
};

static void count_call(mp_result result, void *context)
{
    (void)result;
    ((struct shared *)context)->called++;
}

static void *submit_and_poll(void *context)
{
    struct shared *shared = context;
    mp_call_options options = {.callback = count_call, .context = shared};
    for (int i = 0; i < 200; i++) {
        int x = i, y = 0;
        if (mp_pool_apply_async(shared->pool, NULL, square, &x, sizeof x, sizeof x, &options) < 0) return shared;
        if (i % 3 == 0 && mp_pool_poll(shared->pool) < 0) return shared;
        if (i % 7 == 0 && mp_pool_apply(shared->pool, square, &x, sizeof x, &y, sizeof y, &options) < 0) return shared;
    }
    return NULL;
}

static void in_threads(void **state)
{
    (void)state;
    struct shared shared = {.pool = create(2)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, submit_and_poll, &shared), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    ok(mp_pool_close(shared.pool));
    ok(mp_pool_join(shared.pool, LIMIT));
    assert_int_equal(shared.called, 4 * (200 + 29));
    ok(mp_pool_destroy(shared.pool));
}

#if HAS_SIGNALS

static pid_t copy;

static void make_copy(mp_result result, void *context)
{
    (void)result;
    if (copy < 0) copy = fork();
    ++*(int *)context;
}

/* A copy that was made in a callback has nothing to do with the others. */
static void copied(void **state)
{
    (void)state;
    mp_pool pool = create(1);
    int calls = 0, x = 1, status = 1;
    mp_call_options options = {.callback = make_copy, .context = &calls};
    copy = -1;
    for (int i = 0; i < 5; i++) ok(mp_pool_apply_async(pool, NULL, square, &x, sizeof x, sizeof x, &options));
    mp_result last;
    ok(mp_pool_apply_async(pool, &last, square, &x, sizeof x, sizeof x, NULL)); /* one worker: it comes last */
    while (calls == 0 || (copy > 0 && mp_result_ready(last) == 0)) (void)mp_pool_poll(pool);
    if (copy == 0) _exit(calls == 1 ? 0 : 1);
    ok(mp_result_wait(last, LIMIT));
    assert_int_equal(calls, 5);
    assert_true(waitpid(copy, &status, 0) == copy && status == 0);
    ok(mp_result_destroy(last));
    ok(mp_pool_destroy(pool));
}

#endif

struct pair {
    mp_pool pool;
    struct gate second;
    _Atomic int passed, failed;
};

static void wait_for_second(mp_result result, void *context)
{
    struct pair *pair = context;
    (void)result;
    if (gate_pass(pair->second))
        pair->passed++;
    else
        pair->failed++;
}

static void be_second(mp_result result, void *context)
{
    struct pair *pair = context;
    (void)result;
    (void)gate_open(pair->second);
}

static void *wait_and_call(void *context)
{
    struct pair *pair = context;
    while (!pair->passed && !pair->failed)
        if (mp_pool_poll(pair->pool) < 0) pair->failed++;
    return NULL;
}

/* While one thread is in a callback another one runs the next. */
static void side_by_side(void **state)
{
    (void)state;
    struct pair pair = {.pool = create(1), .second = gate_create()};
    pthread_t threads[2];
    int x = 1;
    mp_call_options options = {.callback = wait_for_second, .context = &pair};
    ok(mp_pool_apply_async(pair.pool, NULL, square, &x, sizeof x, sizeof x, &options));
    options.callback = be_second;
    ok(mp_pool_apply_async(pair.pool, NULL, square, &x, sizeof x, sizeof x, &options));
    ok(mp_pool_map(pair.pool, square, &x, sizeof x, &x, sizeof x, 0, NULL));
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, wait_and_call, &pair), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    assert_int_equal(pair.passed, 1);
    ok(mp_pool_destroy(pair.pool));
    gate_destroy(pair.second);
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

struct seen {
    int times;
    bool backwards;
    mp_progress last;
    struct gate gate;
};

static void see(const mp_progress *progress, void *context)
{
    struct seen *seen = context;
    seen->backwards |= progress->done < seen->last.done || progress->seconds < seen->last.seconds;
    seen->last = *progress;
    if (++seen->times == 2) (void)gate_open(seen->gate); /* which the tasks wait for */
}

static void assert_seen(const struct seen *seen, size_t total, size_t failed)
{
    assert_in_range(seen->times, 1, 1000);
    assert_false(seen->backwards);
    assert_int_equal(seen->last.total, total);
    assert_int_equal(seen->last.done, total);
    assert_int_equal(seen->last.failed, failed);
    assert_int_equal(seen->last.running, 0);
    assert_true(seen->last.seconds > 0);
}

static void tells_how_far(void **state)
{
    (void)state;
    struct seen seen = {.gate = gate_create()};
    mp_pool pool = create(2);
    struct gate gates[10];
    for (int i = 0; i < 10; i++) gates[i] = seen.gate;
    mp_call_options options = {.progress_callback = see, .progress = "not a terminal", .context = &seen};
    ok(mp_pool_map(pool, wait_for_gate, gates, sizeof *gates, NULL, 0, 10, &options));
    assert_seen(&seen, 10, 0);
    assert_in_range(seen.times, 3, 1000);

    seen = (struct seen){.gate = seen.gate};
    mp_result result;
    int in[3] = {1, -1, 2};
    ok(mp_pool_map_async(pool, &result, square, in, sizeof *in, sizeof *in, 3, &options));
    ok(mp_result_wait(result, LIMIT));
    assert_seen(&seen, 3, 1);
    ok(mp_result_destroy(result));

    seen = (struct seen){.gate = seen.gate};
    mp_imap *imap;
    mp_item item;
    mp_items array = {in, sizeof *in, 3};
    ok(mp_pool_imap(pool, &imap, square, mp_source_array, &array, sizeof *in, &options));
    while (ok(mp_imap_next(imap, &item, LIMIT)) == 1) {}
    assert_seen(&seen, 3, 1);
    mp_imap_destroy(imap);
    ok(mp_pool_destroy(pool));
    gate_destroy(seen.gate);
}

struct ending {
    mp_imap *imap;
    struct gate gate;
    int calls;
};

static void end_imap(const mp_progress *progress, void *context)
{
    struct ending *ending = context;
    (void)progress;
    ending->calls++;
    mp_imap_destroy(ending->imap);
}

/* Who looks on may end it: it is not called again. */
static void ended_by_its_own(void **state)
{
    (void)state;
    struct ending ending = {.gate = gate_create()};
    mp_pool pool = create(1);
    mp_items items = {&ending.gate, sizeof ending.gate, 1};
    mp_item item;
    ok(mp_pool_imap(pool, &ending.imap, wait_for_gate, mp_source_array, &items, 0,
                    &(mp_call_options){.progress_callback = end_imap, .context = &ending}));
    fails(MP_ECANCELED, mp_imap_next(ending.imap, &item, LIMIT));
    assert_int_equal(ending.calls, 1);
    assert_true(gate_open(ending.gate));
    ok(mp_pool_close(pool));
    ok(mp_pool_join(pool, LIMIT));
    ok(mp_pool_destroy(pool));
    gate_destroy(ending.gate);
}

/* Of a map that is not done: what was done so far counts, though no worker is through with its part. */
static int first_half(mp_task *task)
{
    const struct gate *gate = task->input;
    return task->index < 50 || gate_pass(*gate) ? 0 : 99;
}

static void counts_what_runs(void **state)
{
    (void)state;
    struct gate gate = gate_create(), gates[100];
    for (int i = 0; i < 100; i++) gates[i] = gate;
    mp_pool pool = create(1);
    mp_result result;
    mp_progress progress = {.done = 0};
    ok(mp_pool_map_async(pool, &result, first_half, gates, sizeof gate, 0, 100, NULL));
    for (int64_t end = support_now() + LIMIT; progress.done < 50 && support_now() < end;)
        ok(mp_pool_progress(pool, &progress));
    assert_int_equal(progress.done, 50);
    assert_int_equal(progress.running, 1);
    assert_int_equal(progress.total, 100);
    assert_true(gate_open(gate));
    ok(mp_result_wait(result, LIMIT));
    ok(mp_result_destroy(result));
    ok(mp_pool_destroy(pool));
    gate_destroy(gate);
}

static const struct test_case cases[] = {
    CASE(while_joining),
    CASE(while_polling),
    CASE(while_waiting_for_others),
    CASE(at_the_end),
    CASE(of_the_dead),
    CASE(of_maps),
    CASE(not_of_destroyed_ones),
    CASE(may_do_anything),
    CASE(not_kept),
    CASE(slow_progress),
    CASE(while_iterating),
    CASE(before_the_wait_ends),
    CASE(each_its_own),
    CASE_THREADS(in_threads),
    CASE_THREADS(side_by_side),
#if HAS_SIGNALS
    CASE_LEAVES(copied),
#endif
    CASE(tells_how_far),
    CASE(ended_by_its_own),
    CASE(counts_what_runs),
};

SUPPORT_MAIN("callback", cases)
