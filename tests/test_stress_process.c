/* SPDX-License-Identifier: MIT
 *
 * test_stress_process.c - many processes, one after the other and at once, and many locks: nothing adds up.
 *
 *     test_stress_process           a sample
 *     test_stress_process stress    all of it
 *
 * That no descriptor, block, record or process is left over is seen by who runs the cases; on the way, too.
 */
#include "support.h"

#include <string.h>

#define MOST_AT_ONCE 200

static bool all_of_it;

static int give_back(void *args)
{
    return *(const int *)args;
}

static mp_process start(mp_target target, const void *args, size_t size)
{
    mp_process process = {0};
    ok(mp_process_start(&process, target, args, size, NULL));
    return process;
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

static void in_sequence(void **state)
{
    struct support_counts before, now;
    const int count = all_of_it ? 10000 : 300;
    (void)state;
    support_count(&before);
    for (int i = 0; i < count; i++) {
        int number = i * 7 - 1000;
        assert_ends(start(give_back, &number, sizeof number), number);
        if (i % 100) continue;
        support_count(&now);
        assert_true(support_balanced(&before, &now));
        /* What was taken from the system is used again. */
        if (i == 0) before.stats.bytes_reserved = now.stats.bytes_reserved;
        assert_int_equal(now.stats.bytes_reserved, before.stats.bytes_reserved);
    }
}

/* Started without a handle: nobody joins them one by one. */
static void in_sequence_without_handle(void **state)
{
    const int count = all_of_it ? 5000 : 300;
    (void)state;
    for (int i = 0; i < count; i++) {
        size_t running;
        ok(mp_process_start(NULL, give_back, &i, sizeof i, NULL));
        if (i % 20 != 19) continue;
        int64_t until = support_now() + LIMIT;
        do ok(mp_active_children(NULL, 0, &running));
        while (running && support_now() < until);
        assert_int_equal(running, 0);
    }
}

static int wait_at(void *args)
{
    return gate_pass(*(const struct gate *)args) ? 0 : 99;
}

/* Descriptors are not needed for each of them. */
static void at_once(void **state)
{
    static mp_process processes[MOST_AT_ONCE];
    const int count = all_of_it ? MOST_AT_ONCE : 40;
    struct support_counts before, now;
    struct gate gate = gate_create();
    (void)state;
    for (int round = 0; round < (all_of_it ? 5 : 1); round++) {
        support_count(&before);
        for (int i = 0; i < count; i++) processes[i] = start(wait_at, &gate, sizeof gate);
        support_count(&now);
        assert_int_equal(now.stats.processes, before.stats.processes + (uint32_t)count);
        if (HAS_SIGNALS) assert_int_equal(now.descriptors, before.descriptors);
        for (int i = 0; i < count; i++) assert_int_equal(mp_process_is_alive(processes[i]), 1);
        gate_open(gate);
        assert_int_equal(mp_process_join_all(processes, NULL, (size_t)count, LIMIT), 0);
        for (int i = count - 1; i >= 0; i--) ok(mp_process_close(processes[i]));
        assert_true(gate_take(gate));
    }
    gate_destroy(gate);
}

static int start_more(void *args)
{
    int depth = *(const int *)args, code;
    mp_process processes[3];
    if (depth == 0) return 1;
    depth--;
    for (int i = 0; i < 3; i++)
        if (mp_process_start(&processes[i], start_more, &depth, sizeof depth, NULL) < 0) return -1000;
    int sum = 1;
    for (int i = 0; i < 3; i++) {
        if (mp_process_join(processes[i], &code, LIMIT) < 0 || mp_process_close(processes[i]) < 0) return -2000;
        sum += code;
    }
    return sum;
}

/* 1 + 3 + 9 + 27 + 81, all of the same family, started from everywhere at once. */
static void tree(void **state)
{
    const int depth = all_of_it ? 4 : 2;
    (void)state;
    assert_ends(start(start_more, &depth, sizeof depth), all_of_it ? 121 : 13);
}

/* ---- locks ------------------------------------------------------------------------------------------------------- */

struct contest {
    mp_lock lock;
    mp_rlock rlock;
    mp_value numbers;
    struct gate gate;
    int turns;
};

struct numbers {
    int64_t by_lock, by_rlock; /* changed by who holds it only, and not atomically */
};

static int contend(void *args)
{
    const struct contest *contest = args;
    volatile struct numbers *numbers = mp_value_data(contest->numbers, sizeof *numbers);
    if (!numbers || !gate_pass(contest->gate)) return 1;
    for (int i = 0; i < contest->turns; i++) {
        if (mp_lock_acquire(contest->lock, MP_FOREVER) != 0) return 2;
        numbers->by_lock++;
        if (mp_lock_release(contest->lock) != 0) return 3;
        if (mp_rlock_acquire(contest->rlock, MP_FOREVER) != 0 || mp_rlock_acquire(contest->rlock, 0) != 0) return 4;
        numbers->by_rlock++;
        if (mp_rlock_release(contest->rlock) != 0 || mp_rlock_release(contest->rlock) != 0) return 5;
    }
    return 0;
}

static void contest_of(int count, int turns)
{
    enum {
        MOST = 64
    };
    mp_process processes[MOST];
    struct contest contest = {.turns = turns, .gate = gate_create()};
    ok(mp_lock_create(&contest.lock, NULL));
    ok(mp_rlock_create(&contest.rlock, NULL));
    ok(mp_value_create(&contest.numbers, sizeof(struct numbers), &(mp_shared_options){.raw = true}));
    for (int i = 0; i < count; i++) processes[i] = start(contend, &contest, sizeof contest);
    gate_open(contest.gate);
    assert_int_equal(mp_process_join_all(processes, NULL, (size_t)count, 10 * LIMIT), 0);
    const struct numbers *numbers = MP_VALUE(struct numbers, contest.numbers);
    assert_int_equal(numbers->by_lock, (int64_t)count * turns);
    assert_int_equal(numbers->by_rlock, (int64_t)count * turns);
    assert_int_equal(mp_lock_locked(contest.lock), 0);
    assert_int_equal(mp_rlock_locked(contest.rlock), 0);
    for (int i = 0; i < count; i++) ok(mp_process_close(processes[i]));
    ok(mp_value_destroy(contest.numbers));
    ok(mp_rlock_destroy(contest.rlock));
    ok(mp_lock_destroy(contest.lock));
    gate_destroy(contest.gate);
}

static void sixteen_contend(void **state)
{
    (void)state;
    contest_of(16, all_of_it ? 20000 : 300);
}

static void sixty_four_contend(void **state)
{
    (void)state;
    contest_of(64, all_of_it ? 5000 : 50);
}

struct many {
    mp_block block;
    int count;
};

static int count_descriptors(void *args)
{
    (void)args;
    return (int)support_descriptors();
}

/* All of them are used in the child. */
static int use_many(void *args)
{
    const struct many *many = args;
    const mp_lock *locks = mp_block_data(many->block);
    if (!locks) return -1;
    if (mp_lock_acquire(locks[0], 0) != 0 || mp_lock_release(locks[0]) != 0) return -5;
    long before = support_descriptors(); /* with what a thread has to sleep on */
    for (int i = 0; i < many->count; i++)
        if (mp_lock_acquire(locks[i], 0) != 0) return -2;
    for (int i = 0; i < many->count; i++)
        if (mp_lock_release(locks[i]) != 0) return -3;
    return support_descriptors() == before ? (int)before : -4;
}

/* However many objects there are, a process has the same descriptors. */
static void descriptors_per_process(void **state)
{
    struct many many = {.count = all_of_it ? 100000 : 20000};
    struct support_counts before, now;
    (void)state;
    ok(mp_block_create(&many.block, (size_t)many.count * sizeof(mp_lock)));
    mp_lock *locks = mp_block_data(many.block);
    int descriptors = support_end(start(count_descriptors, NULL, 0));
    support_count(&before);
    for (int i = 0; i < many.count; i++) ok(mp_lock_create(&locks[i], NULL));
    support_count(&now);
    assert_int_equal(now.descriptors, before.descriptors);
    assert_int_equal(now.stats.locks, before.stats.locks + (uint32_t)many.count);
    int in_child = support_end(start(use_many, &many, sizeof many));
    if (HAS_SIGNALS)
        assert_int_equal(in_child, descriptors);
    else
        assert_true(in_child >= 0); /* Wine counts none */
    for (int i = 0; i < many.count; i++) ok(mp_lock_destroy(locks[i]));
    ok(mp_block_destroy(many.block));
}

static const struct test_case cases[] = {
    CASE(in_sequence),        CASE(in_sequence_without_handle), CASE(at_once), CASE(tree), CASE(sixteen_contend),
    CASE(sixty_four_contend), CASE(descriptors_per_process),
};

int main(int argc, char **argv)
{
    mp_freeze_support();
    all_of_it = argc > 1 && strcmp(argv[1], "stress") == 0;
    if (all_of_it) {
        argv[1] = argv[0]; /* what is left is a choice of cases */
        argv++, argc--;
    }
    return support_run("stress_process", cases, sizeof cases / sizeof cases[0], argc, argv);
}
