/* SPDX-License-Identifier: MIT
 *
 * test_fairness.c - two processes that hammer on the same thing: neither starves; and who waits gets it from who gives it back
 * only to take it again.
 */
#include "inside.h"
#include "require.h"
#include "support.h"

#include <stdatomic.h>

enum {
    HAMMERING = 1000, /* ms */
    UNFAIR = 20
};

enum kind {
    LOCK,
    RLOCK,
    SEMAPHORE,
    OWNED,
    KINDS
};

struct job {
    mp_lock lock;
    mp_rlock rlock;
    mp_semaphore semaphore, owned;
    mp_block board; /* struct board */
    enum kind kind;
};

struct board {
    _Atomic int next, stop;
    _Atomic long counts[2];
};

static struct job job_create(void)
{
    struct job job = {.kind = LOCK};
    ok(mp_lock_create(&job.lock, NULL));
    ok(mp_rlock_create(&job.rlock, NULL));
    ok(mp_semaphore_create(&job.semaphore, 1, NULL));
    ok(mp_semaphore_create(&job.owned, 1, &(mp_semaphore_options){.owned = true}));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_lock_destroy(job->lock));
    ok(mp_rlock_destroy(job->rlock));
    ok(mp_semaphore_destroy(job->semaphore));
    ok(mp_semaphore_destroy(job->owned));
    ok(mp_block_destroy(job->board));
}

static int acquire(const struct job *job)
{
    switch (job->kind) {
    case LOCK:
        return mp_lock_acquire(job->lock, LIMIT);
    case RLOCK:
        return mp_rlock_acquire(job->rlock, LIMIT);
    case SEMAPHORE:
        return mp_semaphore_acquire(job->semaphore, LIMIT);
    default:
        return mp_semaphore_acquire(job->owned, LIMIT);
    }
}

static int release(const struct job *job)
{
    switch (job->kind) {
    case LOCK:
        return mp_lock_release(job->lock);
    case RLOCK:
        return mp_rlock_release(job->rlock);
    case SEMAPHORE:
        return mp_semaphore_release(job->semaphore);
    default:
        return mp_semaphore_release(job->owned);
    }
}

static int hammer(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int me = atomic_fetch_add(&board->next, 1);
    while (atomic_load(&board->next) < 2) mp_os_yield();
    for (long count = 1; !atomic_load_explicit(&board->stop, memory_order_relaxed); count++) {
        REQUIRE(acquire(job) == 0);
        REQUIRE(release(job) == 0);
        atomic_store_explicit(&board->counts[me], count, memory_order_relaxed);
    }
    return 0;
}

/* Over a second, each has at least one in twenty. */
static void shares(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    for (job.kind = LOCK; job.kind < KINDS; job.kind++) {
        mp_process both[2];
        *board = (struct board){.next = 0};
        for (int i = 0; i < 2; i++) ok(mp_process_start(&both[i], hammer, &job, sizeof job, NULL));
        while (atomic_load(&board->next) < 2) mp_os_sleep(1000000);
        mp_os_sleep(HAMMERING * INT64_C(1000000));
        atomic_store(&board->stop, 1);
        for (int i = 0; i < 2; i++) assert_ends(both[i], 0);
        long one = board->counts[0], two = board->counts[1];
        print_message("%ld and %ld\n", one, two);
        assert_true(one > 0 && two > 0 && one <= UNFAIR * two && two <= UNFAIR * one);
    }
    job_destroy(&job);
}

/* It has it nearly all the time: what it gives back it takes again at once. */
static int hold_most_of_the_time(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(acquire(job) == 0);
    atomic_store(&board->next, 1);
    while (!atomic_load(&board->stop)) {
        for (int64_t end = mp_os_now() + 1000000; mp_os_now() < end;) {}
        atomic_fetch_add(&board->counts[0], 1);
        REQUIRE(release(job) == 0);
        REQUIRE(acquire(job) == 0);
    }
    REQUIRE(release(job) == 0);
    return 0;
}

/* Nobody waits for more hand-overs than happen in a few milliseconds, and one. */
static void handed_over(void **state)
{
    (void)state;
    enum {
        ROUNDS = 20,
        HANDOVERS = 500 /* each of which took the other one a millisecond */
    };
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    for (job.kind = LOCK; job.kind <= RLOCK; job.kind++) {
        long most = 0;
        mp_process holder;
        *board = (struct board){.next = 0};
        ok(mp_process_start(&holder, hold_most_of_the_time, &job, sizeof job, NULL));
        while (!atomic_load(&board->next)) mp_os_sleep(1000000);
        for (int i = 0; i < ROUNDS; i++) {
            long before = atomic_load(&board->counts[0]);
            ok(acquire(&job));
            long handovers = atomic_load(&board->counts[0]) - before;
            ok(release(&job));
            if (handovers > most) most = handovers;
        }
        print_message("%ld hand-overs at most\n", most);
        assert_true(most <= HANDOVERS);
        atomic_store(&board->stop, 1);
        assert_ends(holder, 0);
    }
    job_destroy(&job);
}

/* Who has slept for a lock that is hungry goes before one who is quicker. */
static int take_once(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_lock_acquire(job->lock, LIMIT) == 0);
    atomic_store(&board->next, 1);
    return mp_lock_release(job->lock);
}

static void hungry(void **state)
{
    enum {
        ROUNDS = 40
    };
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    struct mp__control *control = mp__control_of(job.lock.id, MP__LOCK);
    int first[2] = {0}; /* how often it was, with a lock that is not hungry, or is */
    for (int i = 0; i < ROUNDS; i++) {
        bool is_hungry = i % 2;
        atomic_store(&board->next, 0);
        ok(mp_lock_acquire(job.lock, LIMIT));
        mp_process process;
        ok(mp_process_start(&process, take_once, &job, sizeof job, NULL));
        while (!inside_somebody_sleeps(job.lock.id)) mp_os_sleep(100000);
        if (is_hungry) atomic_fetch_or(&control->state, MP__LOCK_HUNGRY);
        ok(mp_lock_release(job.lock));
        ok(mp_lock_acquire(job.lock, LIMIT));
        first[is_hungry] += atomic_load(&board->next);
        assert_false(atomic_load(&control->state) & MP__LOCK_HUNGRY); /* who took it took that away */
        ok(mp_lock_release(job.lock));
        assert_ends(process, 0);
    }
    print_message("first in %d of %d, and in %d when the lock was hungry\n", first[0], ROUNDS / 2, first[1]);
    assert_true(first[1] >= ROUNDS / 4);
    /* Nobody is there whom it could be for: then anybody may have it. */
    atomic_fetch_or(&control->state, MP__LOCK_HUNGRY);
    ok(mp_lock_acquire(job.lock, LIMIT));
    ok(mp_lock_release(job.lock));
    atomic_fetch_or(&control->state, MP__LOCK_HUNGRY);
    ok(mp_lock_acquire(job.lock, 0)); /* who does not wait does not give way either */
    ok(mp_lock_release(job.lock));
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE_ONCE(shares),
    CASE_ONCE(handed_over),
    CASE_ONCE(hungry),
};

SUPPORT_MAIN("fairness", cases)
