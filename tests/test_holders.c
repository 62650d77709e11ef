/* SPDX-License-Identifier: MIT
 *
 * test_holders.c - who was given an object or has used it, and what becomes of those who wait for them when they die.
 */
#include "base/holders.h"
#include "base/repair.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define WHILE 200 /* ms in which a death would have been noticed */

/* What a child is given; the object first, or not at all. */
struct job {
    mp_block object; /* what is waited on: struct mailbox */
    mp_block board;  /* struct board */
    struct gate ready, begin;
    bool use;
};

struct mailbox {
    _Atomic uint32_t word;
};

struct board {
    mp_block object; /* for who was not given it */
    _Atomic int result;
};

static struct job job_create(void)
{
    struct job job = {.use = false};
    ok(mp_block_create(&job.object, sizeof(struct mailbox)));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    job.ready = gate_create();
    job.begin = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_block_destroy(job->object));
    ok(mp_block_destroy(job->board));
    gate_destroy(job->ready);
    gate_destroy(job->begin);
    assert_int_equal(mp__header()->counts[MP__HOLDERS], 0);
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, sizeof *job, NULL));
    return process;
}

/* As a primitive would use it. */
static int use(mp_block object)
{
    struct mp__control *control = mp__control_of(object.id, MP__BLOCK);
    return control ? mp__hold(control, object.id) : MP_EBADHANDLE;
}

/* And wait, for ever in vain: nobody writes to the mailbox. */
static int await(mp_block object, int64_t timeout)
{
    struct mp__control *control = mp__control_of(object.id, MP__BLOCK);
    struct mailbox *mailbox = mp_block_data(object);
    int64_t end = support_now() + timeout;
    int result = control && mailbox ? 0 : MP_EBADHANDLE;
    while (result == 0)
        result = mp__holders_sleep(&(struct mp__wanted){control, object.id, mp_current_process().id, 0}, &mailbox->word,
                                   0, mp_os_now() + (end - support_now()) * 1000000);
    return result;
}

static enum mp__peers peers(mp_block object)
{
    struct mp__process *peer;
    return mp__holders_look(
        &(struct mp__wanted){mp__control_of(object.id, MP__BLOCK), object.id, mp_current_process().id, 0}, &peer);
}

/* ---- those who die --------------------------------------------------------------------------------------------- */

static int be_killed(void *args)
{
    const struct job *job = args;
    if (job->use) REQUIRE(use(job->object) == 0);
    REQUIRE(gate_open(job->ready));
    REQUIRE(gate_pass(job->begin));
    REQUIRE(mp_process_kill(mp_current_process()) == 0);
    return 1;
}

static mp_process start_victim(const struct job *job)
{
    mp_process victim = start(be_killed, job);
    assert_true(gate_take(job->ready));
    return victim;
}

static void dies_while_awaited(bool uses)
{
    struct job job = job_create();
    job.use = uses;
    ok(use(job.object));
    assert_int_equal(peers(job.object), MP__PEERS_NONE);
    mp_process victim = start_victim(&job);
    assert_int_equal(await(job.object, WHILE), MP_ETIMEDOUT);
    assert_true(gate_open(job.begin));
    assert_int_equal(await(job.object, LIMIT), MP_EPEERDEAD);
    assert_int_equal(await(job.object, LIMIT), MP_EPEERDEAD); /* nothing has changed */
    assert_ends(victim, -9);
    assert_int_equal(peers(job.object), MP__PEERS_DEAD);
    job_destroy(&job);
}

static void user_dies(void **state)
{
    (void)state;
    dies_while_awaited(true);
}

/* It never came to use what it was given: Python's first example of a queue hangs there. */
static void given_dies(void **state)
{
    (void)state;
    dies_while_awaited(false);
}

static void last_of_several_dies(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process victims[3];
    for (int i = 0; i < 3; i++) victims[i] = start_victim(&job);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(peers(job.object), MP__PEERS_ALIVE);
        ok(mp_process_kill(victims[i]));
        assert_int_equal(await(job.object, i < 2 ? WHILE : LIMIT), i < 2 ? MP_ETIMEDOUT : MP_EPEERDEAD);
    }
    for (int i = 0; i < 3; i++) assert_ends(victims[i], -9);
    /* Somebody new: there is hope again. */
    mp_process next = start_victim(&job);
    assert_int_equal(await(job.object, WHILE), MP_ETIMEDOUT);
    ok(mp_process_kill(next));
    assert_int_equal(await(job.object, LIMIT), MP_EPEERDEAD);
    assert_ends(next, -9);
    job_destroy(&job);
}

static int end_in_order(void *args)
{
    const struct job *job = args;
    return use(job->object);
}

/* Who has ended in order will not do anything either. */
static void user_ends(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process child = start(end_in_order, &job);
    assert_int_equal(await(job.object, LIMIT), MP_EPEERDEAD);
    assert_ends(child, 0);
    job_destroy(&job);
}

static void *await_in_thread(void *args)
{
    const struct job *job = args;
    return (void *)(intptr_t)await(job->object, LIMIT);
}

/* Many wait for the same one: the system itself would wake one of them. */
static void many_await(void **state)
{
    (void)state;
    struct job job = job_create();
    pthread_t threads[8];
    mp_process victim = start_victim(&job);
    for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, await_in_thread, &job), 0);
    assert_true(gate_open(job.begin));
    for (int i = 0; i < 8; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((int)(intptr_t)result, MP_EPEERDEAD);
    }
    assert_ends(victim, -9);
    job_destroy(&job);
}

/* ---- creators -------------------------------------------------------------------------------------------------- */

static int await_in_child(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(use(job->object) == 0);
    int result = await(job->object, WHILE);
    REQUIRE(result == MP_ETIMEDOUT);
    REQUIRE(gate_open(job->ready));
    atomic_store(&board->result, await(job->object, LIMIT));
    return 0;
}

/* The creator has not used it yet, but who else should. When somebody else was given it the creator does not count. */
static void creator_counts_until_given(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process waiter = start(await_in_child, &job);
    assert_true(gate_take(job.ready));
    assert_int_equal(mp_process_is_alive(waiter), 1);
    mp_process victim = start_victim(&job);
    assert_true(gate_open(job.begin));
    assert_ends(waiter, 0);
    assert_int_equal(atomic_load(&board->result), MP_EPEERDEAD);
    assert_ends(victim, -9);
    job_destroy(&job);
}

static int create_and_be_killed(void *args)
{
    struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_block_create(&board->object, sizeof(struct mailbox)) == 0);
    return be_killed(job);
}

static void creator_dies(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process creator = start(create_and_be_killed, &job);
    assert_true(gate_take(job.ready));
    mp_block object = board->object;
    ok(use(object));
    assert_int_equal(await(object, WHILE), MP_ETIMEDOUT);
    assert_true(gate_open(job.begin));
    assert_int_equal(await(object, LIMIT), MP_EPEERDEAD);
    assert_ends(creator, -9);
    ok(mp_block_destroy(object));
    job_destroy(&job);
}

/* ---- how they are known ---------------------------------------------------------------------------------------- */

static bool is_held_by(mp_block object, mp_process process)
{
    const struct mp__control *block = mp__control_of(object.id, MP__BLOCK);
    while ((block = mp__control_of(atomic_load(&block->holders), MP__HOLDERS)) != NULL)
        for (int i = 0; i < MP__HOLDERS_MOST; i++)
            if (atomic_load(&block->as.held_by[i]) == process.id) return true;
    return false;
}

/* More than stand in one block of holders; when they are dead others take their places. */
static void many_holders(void **state)
{
    (void)state;
    enum {
        MANY = 3 * MP__HOLDERS_MOST
    };
    struct job job = job_create();
    mp_process victims[MANY];
    uint32_t blocks = 0;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) victims[i] = start_victim(&job);
        for (int i = 0; i < MANY; i++) assert_true(is_held_by(job.object, victims[i]));
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(peers(job.object), MP__PEERS_ALIVE);
            ok(mp_process_kill(victims[i]));
            assert_ends(victims[i], -9);
        }
        assert_int_equal(peers(job.object), MP__PEERS_DEAD);
        if (round == 0) blocks = mp__header()->counts[MP__HOLDERS];
        assert_int_equal(mp__header()->counts[MP__HOLDERS], blocks);
    }
    job_destroy(&job);
}

static void fill_with(struct mp__control *block, const void *with)
{
    atomic_store(&block->holders, *(const uint64_t *)with);
}

/* Who adds a block dies before the object knows it: that block goes, and no other. */
static void half_added(void **state)
{
    (void)state;
    enum {
        MANY = MP__HOLDERS_MOST + 1
    };
    struct job job = job_create();
    mp_process victims[MANY];
    for (int i = 0; i < MANY; i++) victims[i] = start_victim(&job);
    const struct mp__control *object = mp__control_of(job.object.id, MP__BLOCK);
    uint32_t blocks = mp__header()->counts[MP__HOLDERS];
    uint64_t chain = atomic_load(&object->holders), lost;
    mp__arena_lock();
    int result = mp__control_take(MP__HOLDERS, NULL, job.object.id, fill_with, &chain, &lost);
    mp__repair();
    mp__arena_unlock();
    ok(result);
    assert_null(mp__control_of(lost, MP__HOLDERS));
    assert_int_equal(mp__header()->counts[MP__HOLDERS], blocks);
    for (int i = 0; i < MANY; i++) assert_true(is_held_by(job.object, victims[i]));
    assert_int_equal(peers(job.object), MP__PEERS_ALIVE);
    assert_true(gate_open(job.begin));
    for (int i = 0; i < MANY; i++) assert_ends(victims[i], -9);
    job_destroy(&job);
}

/* An object that is destroyed while somebody comes to use it leaves no trace in its successor. */
static void used_too_late(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_block object = job.object;
    struct mp__control *control = mp__control_of(object.id, MP__BLOCK);
    ok(mp_block_destroy(object));
    ok(mp_block_create(&job.object, sizeof(struct mailbox)));
    assert_ptr_equal(mp__control_of(job.object.id, MP__BLOCK), control); /* in its place */
    assert_int_equal(mp__holders_join(control, object.id), MP_EBADHANDLE);
    assert_int_equal(atomic_load(&control->held), 0);
    assert_int_equal(atomic_load(&control->holders), 0);
    job_destroy(&job);
}

/* Who names nobody is dead, and nobody waits for it: no id, another family's, beyond the table, never used. */
static void nobody_is_dead(void **state)
{
    (void)state;
    uint64_t self = mp_current_process().id;
    assert_false(mp__process_has_ended(self));
    assert_true(mp__process_has_ended(0));
    assert_true(mp__process_has_ended(self ^ MP__TAG_MASK));
    assert_true(mp__process_has_ended(self | MP__INDEX_MASK));
    assert_true(mp__process_has_ended(self + (UINT64_C(1) << 32)));
    assert_true(mp__process_has_ended(self + (UINT64_C(2) << 32)));
}

struct parcel {
    char text[8];
    mp_block one;
    uint64_t number;
    struct {
        short kind;
        mp_block blocks[40];
    } deep;
    mp_process self;
    mp_lock lock;
    char rest[3];
};

static int pass_by(void *args)
{
    return args ? 0 : 1;
}

/* Wherever it stands; and nothing else. */
static void handles_are_found(void **state)
{
    (void)state;
    static struct parcel parcel;
    mp_block stranger, gone;
    memset(&parcel, 0xff, sizeof parcel);
    parcel.self = mp_current_process();
    ok(mp_block_create(&stranger, 1));
    ok(mp_block_create(&gone, 1));
    ok(mp_block_create(&parcel.one, 1));
    ok(mp_lock_create(&parcel.lock, NULL));
    for (int i = 0; i < 40; i++) ok(mp_block_create(&parcel.deep.blocks[i], 1));
    parcel.number = gone.id;
    ok(mp_block_destroy(gone));
    mp_process child;
    ok(mp_process_start(&child, pass_by, &parcel, sizeof parcel, NULL));
    assert_true(is_held_by(parcel.one, child));
    for (int i = 0; i < 40; i++) assert_true(is_held_by(parcel.deep.blocks[i], child));
    assert_false(is_held_by(stranger, child));
    assert_int_equal(mp__header()->counts[MP__HOLDERS], 42);
    assert_ends(child, 0);
    ok(mp_block_destroy(stranger));
    ok(mp_block_destroy(parcel.one));
    ok(mp_lock_destroy(parcel.lock));
    for (int i = 0; i < 40; i++) ok(mp_block_destroy(parcel.deep.blocks[i]));
    assert_int_equal(mp__header()->counts[MP__HOLDERS], 0);
}

/* A process that could not be started has never held anything. */
static void not_started(void **state)
{
    (void)state;
    struct job job = job_create();
    uint64_t process;
    ok(use(job.object));
    ok(mp__process_create("never", 0, MP_SPAWN, MP_SPAWN, &process));
    assert_int_equal(mp__holders_give(&job, sizeof job, process), 4); /* two blocks, two gates */
    assert_int_equal(peers(job.object), MP__PEERS_ALIVE);
    ok(mp__process_remove(process));
    assert_int_equal(peers(job.object), MP__PEERS_NONE);
    job_destroy(&job);
}

static int use_by_number(void *args)
{
    const struct board *board = mp_block_data(*(const mp_block *)args);
    REQUIRE(use(board->object) == 0);
    REQUIRE(is_held_by(board->object, mp_current_process()));
    return 0;
}

/* A copy of a process that has used it has not, for that. */
static void used_by_copy(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    board->object = job.object;
    for (int i = 0; i < 2; i++) {
        mp_process child;
        ok(use(job.object));
        ok(mp_process_start(&child, use_by_number, &job.board, sizeof job.board, NULL));
        assert_ends(child, 0);
        assert_int_equal(peers(job.object), MP__PEERS_DEAD);
    }
    job_destroy(&job);
}

static void destroyed(void **state)
{
    (void)state;
    struct job job = job_create();
    struct mp__process *peer;
    mp_process victim = start_victim(&job);
    mp_block object = job.object;
    const struct mp__control *control = mp__control_of(object.id, MP__BLOCK);
    ok(mp_block_destroy(object));
    ok(mp_block_create(&job.object, sizeof(struct mailbox)));
    assert_int_equal(mp__holders_look(&(struct mp__wanted){control, object.id, mp_current_process().id, 0}, &peer),
                     MP__PEERS_NONE);
    assert_int_equal(peers(job.object), MP__PEERS_NONE);
    assert_true(gate_open(job.begin));
    assert_ends(victim, -9);
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE(user_dies),        CASE(given_dies),          CASE(last_of_several_dies),
    CASE(user_ends),        CASE(many_await),          CASE(creator_counts_until_given),
    CASE(creator_dies),     CASE(many_holders),        CASE(half_added),
    CASE(used_too_late),    CASE_ONCE(nobody_is_dead), CASE(handles_are_found),
    CASE_ONCE(not_started), CASE(used_by_copy),        CASE(destroyed),
};

SUPPORT_MAIN("holders", cases)
