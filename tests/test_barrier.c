/* SPDX-License-Identifier: MIT
 *
 * test_barrier.c - barriers: all or nobody, whoever is late, fails or dies.
 */
#include "inside.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define MS INT64_C(1000000)

enum {
    PARTIES = 4,
    ROUNDS = 200
};

struct job {
    mp_barrier barrier, between;
    mp_block board; /* struct board */
    struct gate gate;
};

struct board {
    _Atomic int arrived, acted, indices[ROUNDS];
    int timeout;
};

static struct job job_create(uint32_t parties, const mp_barrier_options *options)
{
    struct job job = {.barrier = {0}};
    ok(mp_barrier_create(&job.barrier, parties, options));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.gate = gate_create();
    struct board *board = mp_block_data(job.board);
    board->timeout = LIMIT;
    return job;
}

static void job_destroy(const struct job *job)
{
    if (mp_handle_kind(MP_HANDLE(job->barrier))) ok(mp_barrier_destroy(job->barrier));
    ok(mp_block_destroy(job->board));
    gate_destroy(job->gate);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

static int wait_once(void *args)
{
    const struct job *job = args;
    const struct board *board = mp_block_data(job->board);
    return mp_barrier_wait(job->barrier, board->timeout);
}

static void await_waiting(const struct job *job, int count)
{
    while (mp_barrier_n_waiting(job->barrier) != count) mp_os_sleep(MS);
}

/* ---- one process ----------------------------------------------------------------------------------------------- */

static int count_calls(void *context)
{
    return ++*(int *)context == 3 ? 7 : 0;
}

static void alone(void **state)
{
    (void)state;
    mp_barrier barrier = {0};
    fails(MP_EINVAL, mp_barrier_create(NULL, 1, NULL));
    fails(MP_EINVAL, mp_barrier_create(&barrier, 0, NULL));
    fails(MP_EINVAL, mp_barrier_create(&barrier, (uint32_t)-1, NULL));
    mp_process self = mp_current_process();
    const mp_process two[] = {self, {0}};
    fails(MP_EINVAL, mp_barrier_create(&barrier, 1, &(mp_barrier_options){.members = two, .member_count = 2}));
    fails(MP_EINVAL, mp_barrier_create(&barrier, 2, &(mp_barrier_options){.member_count = 2}));
    fails(MP_EBADHANDLE, mp_barrier_create(&barrier, 2, &(mp_barrier_options){.members = two, .member_count = 2}));
    fails(MP_EINVAL, mp_barrier_create(&barrier, 2, &(mp_barrier_options){.context_size = 2}));
    assert_int_equal(barrier.id, 0);
    ok(mp_barrier_create(&barrier, MP_BARRIER_MAX, NULL));
    assert_int_equal(mp_barrier_parties(barrier), MP_BARRIER_MAX);
    ok(mp_barrier_destroy(barrier));

    int calls = 0;
    ok(mp_barrier_create(&barrier, 1, &(mp_barrier_options){.name = "one", .action = count_calls, .context = &calls}));
    assert_int_equal(mp_barrier_parties(barrier), 1);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(mp_barrier_wait(barrier, MP_FOREVER), 0);
        assert_int_equal(calls, i);
        assert_int_equal(mp_barrier_n_waiting(barrier), 0);
        assert_int_equal(mp_barrier_broken(barrier), 0);
    }
    fails(MP_EBROKEN, mp_barrier_wait(barrier, MP_FOREVER)); /* its action fails the third time */
    assert_non_null(strstr(mp_error_detail(), "\"one\""));
    assert_non_null(strstr(mp_error_detail(), "7"));
    assert_int_equal(mp_barrier_broken(barrier), 1);
    fails(MP_EBROKEN, mp_barrier_wait(barrier, 0));
    ok(mp_barrier_reset(barrier));
    assert_int_equal(mp_barrier_broken(barrier), 0);
    assert_int_equal(mp_barrier_wait(barrier, 0), 0);
    ok(mp_barrier_abort(barrier));
    ok(mp_barrier_abort(barrier));
    assert_int_equal(mp_barrier_broken(barrier), 1);
    fails(MP_EBROKEN, mp_barrier_wait(barrier, MP_FOREVER));
    ok(mp_barrier_destroy(barrier));
    fails(MP_EBADHANDLE, mp_barrier_wait(barrier, 0));
    fails(MP_EBADHANDLE, mp_barrier_parties(barrier));
}

static mp_barrier called_again;

static int wait_again(void *context)
{
    int *result = context;
    *result = mp_barrier_wait(called_again, MP_FOREVER);
    return 0;
}

static void by_its_own_action(void **state)
{
    (void)state;
    int result = 0;
    ok(mp_barrier_create(&called_again, 1, &(mp_barrier_options){.action = wait_again, .context = &result}));
    assert_int_equal(mp_barrier_wait(called_again, LIMIT), 0);
    assert_int_equal(result, MP_EDEADLK);
    ok(mp_barrier_destroy(called_again));
}

/* ---- rounds ---------------------------------------------------------------------------------------------------- */

/* Nobody is a round ahead, and each has another index. */
static int pass_rounds(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    for (int round = 0; round < ROUNDS; round++) {
        atomic_fetch_add(&board->arrived, 1);
        int index = mp_barrier_wait(job->barrier, LIMIT);
        REQUIRE(index >= 0 && index < PARTIES);
        REQUIRE(atomic_load(&board->arrived) >= PARTIES * (round + 1));
        REQUIRE((atomic_fetch_or(&board->indices[round], 1 << index) & 1 << index) == 0);
    }
    return 0;
}

static void all_or_nobody(void **state)
{
    (void)state;
    struct job job = job_create(PARTIES, NULL);
    const struct board *board = mp_block_data(job.board);
    mp_process parties[PARTIES];
    for (int i = 0; i < PARTIES; i++) parties[i] = start(pass_rounds, &job);
    for (int i = 0; i < PARTIES; i++) assert_ends(parties[i], 0);
    for (int round = 0; round < ROUNDS; round++) assert_int_equal(board->indices[round], (1 << PARTIES) - 1);
    assert_int_equal(mp_barrier_n_waiting(job.barrier), 0);
    job_destroy(&job);
}

static void *pass_rounds_thread(void *args)
{
    return pass_rounds(args) == 0 ? args : NULL;
}

static void all_or_nobody_threads(void **state)
{
    (void)state;
    struct job job = job_create(PARTIES, NULL);
    pthread_t parties[PARTIES];
    for (int i = 0; i < PARTIES; i++) assert_int_equal(pthread_create(&parties[i], NULL, pass_rounds_thread, &job), 0);
    for (int i = 0; i < PARTIES; i++) {
        void *result;
        assert_int_equal(pthread_join(parties[i], &result), 0);
        assert_ptr_equal(result, &job);
    }
    job_destroy(&job);
}

/* More threads than parties, who go on as it happens: all rounds are complete. */
static int pass_some(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < ROUNDS; i++) {
        int index = mp_barrier_wait(job->barrier, LIMIT);
        REQUIRE(index >= 0 && index < 2);
    }
    return 0;
}

static void more_threads_than_parties(void **state)
{
    (void)state;
    struct job job = job_create(2, NULL);
    mp_process parties[PARTIES];
    for (int i = 0; i < PARTIES; i++) parties[i] = start(pass_some, &job);
    /* In the end one may be left alone, with an even number of rounds to go. */
    int ended = 0, codes[PARTIES];
    bool gone[PARTIES] = {false};
    while (ended < PARTIES) {
        for (int i = 0; i < PARTIES; i++) {
            if (gone[i] || mp_process_join(parties[i], &codes[i], 5) < 0) continue;
            gone[i] = true;
            ended++;
            assert_int_equal(codes[i], 0);
            ok(mp_process_close(parties[i]));
        }
        if (ended == PARTIES - 1 && mp_barrier_n_waiting(job.barrier) == 1)
            assert_in_range(mp_barrier_wait(job.barrier, LIMIT), 0, 1);
    }
    job_destroy(&job);
}

/* ---- the action ------------------------------------------------------------------------------------------------ */

struct context {
    mp_block board;
    int more;
};

/* Nobody has gone on yet. */
static int act(void *args)
{
    const struct context *context = args;
    struct board *board = mp_block_data(context->board);
    int acted = atomic_fetch_add(&board->acted, 1) + 1;
    return context->more == 4711 && atomic_load(&board->arrived) == PARTIES * acted ? 0 : 1;
}

static int pass_with_action(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    for (int round = 1; round <= 50; round++) {
        atomic_fetch_add(&board->arrived, 1);
        int index = mp_barrier_wait(job->barrier, LIMIT);
        REQUIRE(index >= 0 && index < PARTIES);
        REQUIRE(atomic_load(&board->acted) == round);
        REQUIRE(mp_barrier_wait(job->between, LIMIT) >= 0); /* or others arrive again before this one looks */
    }
    return 0;
}

/* By exactly one of them, in its process, with a copy of the context. */
static void action_by_one(void **state)
{
    (void)state;
    mp_block board_block;
    ok(mp_block_create(&board_block, sizeof(struct board)));
    struct board *board = mp_block_data(board_block);
    struct context context = {.board = board_block, .more = 4711};
    struct job job = {.board = board_block};
    ok(mp_barrier_create(&job.between, PARTIES, NULL));
    ok(mp_barrier_create(&job.barrier, PARTIES,
                         &(mp_barrier_options){.action = act, .context = &context, .context_size = sizeof context}));
    context.more = 0; /* it was copied */
    mp_process parties[PARTIES];
    board->timeout = LIMIT;
    for (int i = 0; i < PARTIES; i++) parties[i] = start(pass_with_action, &job);
    for (int i = 0; i < PARTIES; i++) assert_ends(parties[i], 0);
    assert_int_equal(board->acted, 50);
    ok(mp_barrier_destroy(job.barrier));
    ok(mp_barrier_destroy(job.between));
    ok(mp_block_destroy(board_block));
}

static int fail_action(void *context)
{
    (void)context;
    return -5;
}

static void action_fails(void **state)
{
    (void)state;
    struct job job = job_create(PARTIES, &(mp_barrier_options){.action = fail_action});
    mp_process parties[PARTIES];
    for (int i = 0; i < PARTIES; i++) parties[i] = start(wait_once, &job);
    for (int i = 0; i < PARTIES; i++) assert_ends(parties[i], MP_EBROKEN);
    assert_int_equal(mp_barrier_broken(job.barrier), 1);
    job_destroy(&job);
}

static int end_in_action(void *context)
{
    (void)context;
    mp_os_exit_now(3);
}

static int kill_in_action(void *context)
{
    (void)context;
    return mp_process_kill(mp_current_process());
}

static void action_ends_its_process(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct job job = job_create(3, &(mp_barrier_options){.action = killed ? kill_in_action : end_in_action});
        mp_process parties[3];
        int dead = 0;
        for (int i = 0; i < 3; i++) parties[i] = start(wait_once, &job);
        for (int i = 0; i < 3; i++) {
            int code = support_end(parties[i]);
            dead += code == (killed ? -9 : 3);
            assert_true(code == (killed ? -9 : 3) || code == MP_EPEERDEAD);
        }
        assert_int_equal(dead, 1);
        assert_int_equal(mp_barrier_broken(job.barrier), 1);
        fails(MP_EPEERDEAD, mp_barrier_wait(job.barrier, 0));
        ok(mp_barrier_reset(job.barrier));
        assert_int_equal(mp_barrier_broken(job.barrier), 0);
        job_destroy(&job);
    }
}

/* ---- broken ---------------------------------------------------------------------------------------------------- */

static void time_over(void **state)
{
    (void)state;
    struct job job = job_create(3, NULL);
    mp_process waiting = start(wait_once, &job);
    await_waiting(&job, 1);
    fails(MP_ETIMEDOUT, mp_barrier_wait(job.barrier, 20));
    assert_ends(waiting, MP_EBROKEN);
    assert_int_equal(mp_barrier_n_waiting(job.barrier), 0);
    assert_int_equal(mp_barrier_broken(job.barrier), 1);
    fails(MP_EBROKEN, mp_barrier_wait(job.barrier, MP_FOREVER));
    ok(mp_barrier_reset(job.barrier));
    fails(MP_ETIMEDOUT, mp_barrier_wait(job.barrier, 0));
    assert_int_equal(mp_barrier_broken(job.barrier), 1);
    job_destroy(&job);
}

static void aborted_and_reset(void **state)
{
    (void)state;
    struct job job = job_create(3, NULL);
    mp_process waiting[2];
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++) waiting[k] = start(wait_once, &job);
        await_waiting(&job, 2);
        ok(i ? mp_barrier_reset(job.barrier) : mp_barrier_abort(job.barrier));
        for (int k = 0; k < 2; k++) assert_ends(waiting[k], MP_EBROKEN);
        assert_int_equal(mp_barrier_broken(job.barrier), !i);
        ok(mp_barrier_reset(job.barrier));
    }
    for (int k = 0; k < 2; k++) waiting[k] = start(wait_once, &job);
    assert_in_range(mp_barrier_wait(job.barrier, LIMIT), 0, 2);
    for (int k = 0; k < 2; k++) assert_in_range(support_end(waiting[k]), 0, 2);
    job_destroy(&job);
}

static void destroyed_while_awaited(void **state)
{
    (void)state;
    struct job job = job_create(3, NULL);
    mp_process waiting[2];
    for (int k = 0; k < 2; k++) waiting[k] = start(wait_once, &job);
    await_waiting(&job, 2);
    ok(mp_barrier_destroy(job.barrier));
    for (int k = 0; k < 2; k++) assert_ends(waiting[k], MP_EBADHANDLE);
    job_destroy(&job);
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

static void killed_while_waiting(void **state)
{
    (void)state;
    struct job job = job_create(4, NULL);
    for (int round = 0; round < 3; round++) {
        mp_process waiting[3];
        for (int k = 0; k < 3; k++) waiting[k] = start(wait_once, &job);
        await_waiting(&job, 3);
        ok(mp_process_kill(waiting[round]));
        for (int k = 0; k < 3; k++) assert_ends(waiting[k], k == round ? -9 : MP_EPEERDEAD);
        fails(MP_EPEERDEAD, mp_barrier_wait(job.barrier, MP_FOREVER)); /* it stays so */
        ok(mp_barrier_reset(job.barrier));
    }
    job_destroy(&job);
}

static int pass_gate_and_wait(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_take(job->gate));
    return mp_barrier_wait(job->barrier, LIMIT);
}

static int just_pass_gate(void *args)
{
    const struct job *job = args;
    return gate_take(job->gate) ? 0 : 99;
}

/* A member that is known dies, or just ends, before it arrives. */
static void member_lost(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct job job = job_create(1, NULL);
        ok(mp_barrier_destroy(job.barrier));
        mp_process member = start(how ? just_pass_gate : pass_gate_and_wait, &job);
        const mp_process members[] = {mp_current_process(), member};
        ok(mp_barrier_create(&job.barrier, 3, &(mp_barrier_options){.members = members, .member_count = 2}));
        mp_process other = start(wait_once, &job);
        await_waiting(&job, 1);
        if (how)
            assert_true(gate_open(job.gate));
        else
            ok(mp_process_kill(member));
        assert_ends(other, MP_EPEERDEAD);
        assert_ends(member, how ? 0 : -9);
        fails(MP_EPEERDEAD, mp_barrier_wait(job.barrier, MP_FOREVER));
        assert_int_equal(mp_barrier_broken(job.barrier), 1);
        ok(mp_barrier_reset(job.barrier)); /* the dead one is no member any more */
        assert_int_equal(mp_barrier_broken(job.barrier), 0);
        fails(MP_ETIMEDOUT, mp_barrier_wait(job.barrier, 20));
        job_destroy(&job);
    }
}

/* Who comes while the action runs has not arrived: its death breaks nothing. */
static int act_slowly(void *args)
{
    struct board *board = mp_block_data(*(const mp_block *)args);
    atomic_store(&board->acted, 1);
    while (atomic_load(&board->acted) == 1) mp_os_sleep(MS);
    return 0;
}

static void killed_at_the_door(void **state)
{
    (void)state;
    mp_block block;
    ok(mp_block_create(&block, sizeof(struct board)));
    struct board *board = mp_block_data(block);
    struct job job = {.board = block};
    board->timeout = LIMIT;
    ok(mp_barrier_create(&job.barrier, 2,
                         &(mp_barrier_options){.action = act_slowly, .context = &block, .context_size = sizeof block}));
    mp_process parties[2], late;
    for (int i = 0; i < 2; i++) parties[i] = start(wait_once, &job);
    while (!atomic_load(&board->acted)) mp_os_sleep(MS);
    fails(MP_ETIMEDOUT, mp_barrier_wait(job.barrier, 20));
    late = start(wait_once, &job);
    while (!inside_waiting_for(job.barrier.id, late.id)) mp_os_sleep(MS);
    ok(mp_process_kill(late));
    assert_ends(late, -9);
    atomic_store(&board->acted, 2);
    int indices = 0;
    for (int i = 0; i < 2; i++) indices |= 1 << support_end(parties[i]);
    assert_int_equal(indices, 3);
    assert_int_equal(mp_barrier_broken(job.barrier), 0);
    ok(mp_barrier_destroy(job.barrier));
    ok(mp_block_destroy(block));
}

/* Members that pass and then end harm nobody who has passed with them. */
static int wait_for_barrier(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_pass(job->gate));
    return mp_barrier_wait(*(const mp_barrier *)mp_block_data(job->board), LIMIT);
}

static void members_end_in_order(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct job job = job_create(1, NULL);
        mp_process members[PARTIES];
        ok(mp_barrier_destroy(job.barrier));
        for (int i = 0; i < PARTIES; i++) members[i] = start(wait_for_barrier, &job);
        ok(mp_barrier_create(&job.barrier, PARTIES,
                             &(mp_barrier_options){.members = members, .member_count = PARTIES}));
        *(mp_barrier *)mp_block_data(job.board) = job.barrier;
        assert_true(gate_open(job.gate));
        int indices = 0;
        for (int i = 0; i < PARTIES; i++) indices |= 1 << support_end(members[i]);
        assert_int_equal(indices, (1 << PARTIES) - 1);
        assert_int_equal(mp_barrier_broken(job.barrier), 1); /* none of them will come again */
        job_destroy(&job);
    }
}

/* And one that has ended before the barrier is there. */
static void member_has_ended(void **state)
{
    (void)state;
    struct job job = job_create(1, NULL);
    ok(mp_barrier_destroy(job.barrier));
    assert_true(gate_open(job.gate));
    mp_process member = start(just_pass_gate, &job);
    int code = 1;
    ok(mp_process_join(member, &code, LIMIT));
    ok(mp_barrier_create(&job.barrier, 2, &(mp_barrier_options){.members = &member, .member_count = 1}));
    fails(MP_EPEERDEAD, mp_barrier_wait(job.barrier, MP_FOREVER));
    ok(mp_process_close(member));
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE_ONCE(alone),
    CASE_ONCE(by_its_own_action),
    CASE(all_or_nobody),
    CASE_ONCE(all_or_nobody_threads),
    CASE(more_threads_than_parties),
    CASE(action_by_one),
    CASE(action_fails),
    CASE(action_ends_its_process),
    CASE(time_over),
    CASE(aborted_and_reset),
    CASE(destroyed_while_awaited),
    CASE(killed_while_waiting),
    CASE(member_lost),
    CASE(killed_at_the_door),
    CASE(members_end_in_order),
    CASE(member_has_ended),
};

SUPPORT_MAIN("barrier", cases)
