/* SPDX-License-Identifier: MIT
 *
 * test_stress_death.c - many processes at work on the same things, and every 20 ms one of them is killed and replaced: nobody
 * hangs, nothing is torn, nothing adds up.
 *
 *     test_stress_death           a sample
 *     test_stress_death stress    64 processes, 20 s for each start method
 */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MOST   64
#define THINGS 8

static bool all_of_it;

/* What all of them work on. */
struct world {
    mp_lock locks[THINGS];
    mp_rlock rlocks[THINGS];
    mp_array tables[THINGS]; /* struct pair, one for each kind of lock */
    mp_lock ring;
    mp_semaphore units, slots;        /* nobody's, and somebody's */
    mp_condition not_full, not_empty; /* of the board's ring */
    mp_event event;
    mp_barrier barrier;
    mp_block board; /* struct board */
};

/* Under a lock these are equal; who dies in between leaves them different, and the next one is told. */
struct pair {
    uint64_t first, second;
};

/* Under the lock of its own. */
struct ring {
    uint32_t head, tail, puts, gets;
};

struct board {
    _Atomic uint32_t stop, begun;
    _Atomic uint64_t operations, told, torn, passed;
    struct ring ring;
};

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

static void change(struct board *board, struct pair *pair, int acquired)
{
    if (acquired == MP_OWNERDEAD) {
        atomic_fetch_add(&board->told, 1);
        pair->second = pair->first;
    }
    if (*(volatile uint64_t *)&pair->first != *(volatile uint64_t *)&pair->second) atomic_fetch_add(&board->torn, 1);
    *(volatile uint64_t *)&pair->first += 1;
    /* Some take their time, so that some die here. */
    if (pair->first % 4 == 0)
        for (volatile int i = 0; i < 100000; i++) {}
    *(volatile uint64_t *)&pair->second += 1;
}

static int child_of_worker(void *args)
{
    return *(const int *)args;
}

/* What is told of a dead owner is put right. */
static void look_at_ring(struct board *board, int acquired)
{
    struct ring *ring = &board->ring;
    if (acquired == MP_OWNERDEAD) {
        atomic_fetch_add(&board->told, 1);
        ring->puts = ring->gets + (ring->head - ring->tail);
    }
    if (ring->puts - ring->gets != ring->head - ring->tail || ring->head - ring->tail > THINGS)
        atomic_fetch_add(&board->torn, 1);
}

/* Put something into the ring, or take something out, if there is room, or something, before long. */
static int use_ring(const struct world *world, struct board *board, bool put)
{
    struct ring *ring = &board->ring;
    mp_condition mine = put ? world->not_full : world->not_empty;
    int result = mp_condition_acquire(mine, LIMIT);
    if (result < 0) return result;
    look_at_ring(board, result);
    for (int i = 0; i < 2 && ring->head - ring->tail == (put ? THINGS : 0); i++) {
        result = mp_condition_wait(mine, 20);
        if (result < 0 && result != MP_ETIMEDOUT) return result;
        look_at_ring(board, result);
    }
    bool can = ring->head - ring->tail != (put ? THINGS : 0);
    if (can && put) ring->head++, ring->puts++;
    if (can && !put) ring->tail++, ring->gets++;
    if (can) result = mp_condition_notify(put ? world->not_empty : world->not_full, 1);
    int released = mp_condition_release(mine);
    return released < 0 ? released : can && result < 0 ? result : 0;
}

/* A unit for everybody is added, and then one taken: there always is one. */
static int use_units(const struct world *world)
{
    int result = mp_semaphore_release(world->units);
    return result < 0 ? result : mp_semaphore_acquire(world->units, LIMIT);
}

static int use_slots(const struct world *world, uint32_t *random)
{
    int result = mp_semaphore_acquire(world->slots, LIMIT);
    if (result < 0) return result;
    if (mp_semaphore_get_value(world->slots) >= THINGS) return MP_ESYSTEM; /* one is taken, at least */
    if (next_random(random) % 4 == 0)
        for (volatile int i = 0; i < 10000; i++) {}
    return mp_semaphore_release(world->slots);
}

static int use_event(const struct world *world, bool set)
{
    if (!set) {
        int result = mp_event_wait(world->event, 20);
        return result == MP_ETIMEDOUT ? 0 : result;
    }
    int result = mp_event_set(world->event);
    return result < 0 ? result : mp_event_clear(world->event);
}

static int use_barrier(const struct world *world, struct board *board)
{
    int result = mp_barrier_wait(world->barrier, 20);
    if (result >= 0) atomic_fetch_add(&board->passed, 1);
    if (result >= 2) return MP_ESYSTEM;
    if (result == MP_ETIMEDOUT || result == MP_EBROKEN || result == MP_EPEERDEAD)
        result = mp_barrier_reset(world->barrier);
    return result;
}

/* One thing or another. 0, or what went wrong. */
static int operate(const struct world *world, struct board *board, uint32_t *random)
{
    uint32_t which = next_random(random) % THINGS;
    int result;
    switch (next_random(random) % 16) {
    case 8:
    case 9:
        return use_ring(world, board, next_random(random) % 2);
    case 10:
    case 11:
        return use_units(world);
    case 12:
    case 13:
        return use_slots(world, random);
    case 14:
        return use_event(world, next_random(random) % 2);
    case 15:
        return use_barrier(world, board);
    case 0:
    case 1:
        result = mp_lock_acquire(world->locks[which], LIMIT);
        if (result < 0) return result;
        change(board, &MP_ARRAY(struct pair, world->tables[which])[0], result);
        return mp_lock_release(world->locks[which]);
    case 2:
        result = mp_lock_acquire(world->locks[which], 1);
        if (result == MP_ETIMEDOUT) return 0;
        if (result < 0) return result;
        change(board, &MP_ARRAY(struct pair, world->tables[which])[0], result);
        return mp_lock_release(world->locks[which]);
    case 3:
    case 4:
        result = mp_rlock_acquire(world->rlocks[which], LIMIT);
        if (result < 0) return result;
        change(board, &MP_ARRAY(struct pair, world->tables[which])[1], result);
        if (mp_rlock_acquire(world->rlocks[which], 0) != 0) return MP_ESYSTEM;
        if (mp_rlock_release(world->rlocks[which]) != 0) return MP_ESYSTEM;
        return mp_rlock_release(world->rlocks[which]);
    case 5:
    case 6: {
        mp_block block;
        size_t size = 1 + next_random(random) % 100000;
        result = mp_block_create(&block, size);
        if (result < 0) return result;
        memset(mp_block_data(block), 0xa5, size);
        return mp_block_destroy(block);
    }
    default: {
        mp_process process;
        int code = 0, number = (int)(next_random(random) % 100);
        if (next_random(random) % 16) return 0;
        result = mp_process_start(&process, child_of_worker, &number, sizeof number, NULL);
        if (result < 0) return result;
        result = mp_process_join(process, &code, LIMIT);
        if (result < 0) return result;
        if (code != number) return MP_ESYSTEM;
        return mp_process_close(process);
    }
    }
}

static int work(void *args)
{
    const struct world *world = args;
    struct board *board = mp_block_data(world->board);
    uint32_t random = atomic_fetch_add(&board->begun, 1) * 2654435761u;
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed)) {
        int result = operate(world, board, &random);
        if (result < 0) {
            fprintf(stderr, "a worker: %s: %s\n", mp_error_name(result), mp_error_detail());
            return result;
        }
        atomic_fetch_add_explicit(&board->operations, 1, memory_order_relaxed);
    }
    return 3;
}

static struct world world_create(void)
{
    struct world world;
    for (int i = 0; i < THINGS; i++) {
        ok(mp_lock_create(&world.locks[i], NULL));
        ok(mp_rlock_create(&world.rlocks[i], NULL));
        ok(mp_array_create(&world.tables[i], 2, sizeof(struct pair), &(mp_shared_options){.raw = true}));
    }
    ok(mp_lock_create(&world.ring, NULL));
    ok(mp_semaphore_create(&world.units, 0, NULL));
    ok(mp_semaphore_create(&world.slots, THINGS, &(mp_semaphore_options){.owned = true}));
    ok(mp_condition_create(&world.not_full, &(mp_condition_options){.lock = world.ring}));
    ok(mp_condition_create(&world.not_empty, &(mp_condition_options){.lock = world.ring}));
    ok(mp_event_create(&world.event, NULL));
    ok(mp_barrier_create(&world.barrier, 2, NULL));
    ok(mp_block_create(&world.board, sizeof(struct board)));
    return world;
}

static void world_destroy(const struct world *world)
{
    ok(mp_semaphore_destroy(world->units));
    ok(mp_semaphore_destroy(world->slots));
    ok(mp_lock_destroy(world->ring));
    ok(mp_condition_destroy(world->not_full));
    ok(mp_condition_destroy(world->not_empty));
    ok(mp_event_destroy(world->event));
    ok(mp_barrier_destroy(world->barrier));
    for (int i = 0; i < THINGS; i++) {
        ok(mp_lock_destroy(world->locks[i]));
        ok(mp_rlock_destroy(world->rlocks[i]));
        ok(mp_array_destroy(world->tables[i]));
    }
    ok(mp_block_destroy(world->board));
}

static mp_process hire(const struct world *world)
{
    mp_process process;
    ok(mp_process_start(&process, work, world, sizeof *world, NULL));
    return process;
}

/* Memory that belongs to no block that somebody created; what the dead leave of processes that end later goes with those. */
static bool has_more_memory(const mp_stats *before, const mp_stats *now)
{
    return now->blocks - before->blocks > now->shared_blocks - before->shared_blocks;
}

/* What those that were killed had to themselves has come back, but for complete things that they had created. */
static void assert_no_growth(const mp_stats *before, uint64_t killed)
{
    int64_t end = support_now() + LIMIT;
    mp_stats now;
    do ok(mp_get_stats(&now));
    while ((now.processes > before->processes || now.threads > before->threads || has_more_memory(before, &now)) &&
           support_now() < end);
    assert_int_equal(now.processes, before->processes);
    assert_int_equal(now.threads, before->threads);
    assert_int_equal(now.locks, before->locks);
    assert_int_equal(now.rlocks, before->rlocks);
    assert_int_equal(now.arrays, before->arrays);
    assert_int_equal(now.semaphores, before->semaphores);
    assert_int_equal(now.conditions, before->conditions);
    assert_int_equal(now.events, before->events);
    assert_int_equal(now.barriers, before->barriers);
    uint64_t blocks = now.shared_blocks - before->shared_blocks;
    assert_true(blocks + (now.records - before->records) <= killed);
    assert_false(has_more_memory(before, &now));
}

static void killed_and_replaced(void **state)
{
    (void)state;
    static mp_process workers[MOST];
    const size_t count = all_of_it ? MOST : 8;
    const int64_t duration = all_of_it ? 20000 : 1500;
    struct world world = world_create();
    struct board *board = mp_block_data(world.board);
    uint32_t random = 12345;
    uint64_t killed = 0;
    mp_stats before;
    ok(mp_get_stats(&before));
    for (size_t i = 0; i < count; i++) workers[i] = hire(&world);
    for (int64_t end = support_now() + duration; support_now() < end; killed++) {
        size_t which = next_random(&random) % count;
        int code = 0;
        fails(MP_ETIMEDOUT, mp_process_join(workers[which], &code, 20));
        ok(mp_process_kill(workers[which]));
        ok(mp_process_join(workers[which], &code, LIMIT));
        assert_int_equal(code, -9);
        ok(mp_process_close(workers[which]));
        workers[which] = hire(&world);
    }
    atomic_store(&board->stop, 1);
    for (size_t i = 0; i < count; i++) assert_ends(workers[i], 3);
    print_message("%llu operations, %llu killed, %llu told of a dead owner\n", (unsigned long long)board->operations,
                  (unsigned long long)killed, (unsigned long long)board->told);
    assert_true(board->operations > count);
    assert_int_equal(board->torn, 0);
    assert_true(board->passed > 0);
    assert_int_equal(mp_semaphore_get_value(world.slots), THINGS); /* all that the dead had */
    assert_true(mp_semaphore_get_value(world.units) >= 0 && (uint64_t)mp_semaphore_get_value(world.units) <= killed);
    assert_no_growth(&before, killed);
    world_destroy(&world);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {CASE_LEAVES(killed_and_replaced)};
    mp_freeze_support();
    all_of_it = argc > 1 && strcmp(argv[1], "stress") == 0;
    if (all_of_it) {
        argv[1] = argv[0]; /* what is left is a choice of cases */
        argv++, argc--;
    }
    return support_run("stress_death", cases, 1, argc, argv);
}
