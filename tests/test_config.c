/* SPDX-License-Identifier: MIT
 *
 * test_config.c - limits of a family, set before its first use, and what it counts. A family is for ever, so each group of
 * tests is a run of this program: test_config <group>.
 */
#include "shared_support.h"

#include <stdio.h>
#include <stdlib.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define TIB (UINT64_C(1) << 40)

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* ---- limits ---------------------------------------------------------------------------------------------------- */

static int is_late(void *args)
{
    (void)args;
    REQUIRE(mp_configure(NULL) == MP_EBUSY);
    REQUIRE(mp_configure(&(mp_config){.arena_bytes = MIB}) == MP_EBUSY);
    REQUIRE(mp_configure(&(mp_config){.spin_ns = -2}) == MP_EINVAL);
    return 0;
}

static void late(mp_start_method method)
{
    assert_int_equal(child_run(method, is_late, NULL, 0), 0);
}

static void test_limits(void **state)
{
    (void)state;
    assert_fails(mp_configure(&(mp_config){.arena_bytes = TIB + 1}), MP_EINVAL);
    assert_fails(mp_configure(&(mp_config){.arena_bytes = UINT64_MAX}), MP_EINVAL);
    assert_fails(mp_configure(&(mp_config){.max_processes = 1048577}), MP_EINVAL);
    assert_fails(mp_configure(&(mp_config){.max_processes = UINT32_MAX}), MP_EINVAL);
    assert_fails(mp_configure(&(mp_config){.spin_ns = -2}), MP_EINVAL);
    assert_fails(mp_configure(&(mp_config){.spin_ns = INT64_MIN}), MP_EINVAL);
    assert_non_null(strstr(mp_error_detail(), "mp_configure"));
    assert_ok(mp_configure(&(mp_config){.arena_bytes = TIB, .max_processes = 1048576, .spin_ns = INT64_MAX}));
    assert_ok(mp_configure(&(mp_config){0}));
    assert_ok(mp_configure(NULL)); /* none of these was a use */
    assert_true(mp_cpu_count() >= 1);
    char version[32];
    (void)snprintf(version, sizeof version, "%d.%d.%d", MP_VERSION_MAJOR, MP_VERSION_MINOR, MP_VERSION_PATCH);
    assert_string_equal(version, MP_VERSION);
    assert_string_equal(mp_version(), MP_VERSION);
    assert_string_equal(mp_start_method_name(mp_get_start_method()),
                        mp_start_method_name(mp_get_all_start_methods(NULL)[0]));
    assert_ok(mp_configure(&(mp_config){.arena_bytes = 64 * MIB})); /* nor these */
    mp_lock lock;
    assert_ok(mp_lock_create(&lock, NULL)); /* this is */
    assert_fails(mp_configure(NULL), MP_EBUSY);
    assert_fails(mp_configure(&(mp_config){.arena_bytes = 64 * MIB}), MP_EBUSY);
    assert_ok(mp_lock_destroy(lock));
    mp_block block;
    assert_ok(mp_block_create(&block, 64 * MIB)); /* the last one counted */
    assert_ok(mp_block_destroy(block));
    assert_fails(mp_block_create(&block, 65 * MIB), MP_EINVAL);
    each_method(late);
}

/* ---- a small arena --------------------------------------------------------------------------------------------- */

static void test_small(void **state)
{
    (void)state;
    mp_block whole, more, parts[16];
    assert_ok(mp_configure(&(mp_config){.arena_bytes = 1})); /* at least 1 MiB */
    struct usage before = usage_now();
    assert_ok(mp_block_create(&whole, MIB)); /* it can all be had */
    assert_true(all_zero(mp_block_data(whole), MIB));
    memset(mp_block_data(whole), 1, MIB);
    struct usage full = usage_now();
    more.id = 7;
    assert_fails(mp_block_create(&more, 1), MP_ENOMEM);
    assert_fails(mp_block_create(&more, 64 * KIB), MP_ENOMEM);
    assert_fails(mp_block_create(&more, MIB), MP_ENOMEM);
    assert_fails(mp_block_create(&more, 2 * MIB), MP_EINVAL);
    mp_value value = {7};
    mp_array array = {7};
    assert_fails(mp_value_create(&value, 4, NULL), MP_ENOMEM); /* nor is its lock left behind */
    assert_fails(mp_array_create(&array, 4, 4, NULL), MP_ENOMEM);
    assert_int_equal(more.id + value.id + array.id, 21);
    assert_usage(&full);
    assert_int_equal(usage_now().stats.bytes_reserved, full.stats.bytes_reserved);
    assert_ok(mp_block_destroy(whole));
    assert_usage(&before);
    for (int i = 0; i < 16; i++) {
        assert_ok(mp_block_create(&parts[i], 64 * KIB));
        assert_true(all_zero(mp_block_data(parts[i]), 64 * KIB));
        memset(mp_block_data(parts[i]), 2, 64 * KIB);
    }
    assert_fails(mp_block_create(&more, 1), MP_ENOMEM);
    for (int i = 0; i < 16; i += 2) assert_ok(mp_block_destroy(parts[i]));
    assert_fails(mp_block_create(&more, 128 * KIB), MP_ENOMEM); /* in pieces only */
    assert_ok(mp_block_create(&more, 64 * KIB));
    assert_ok(mp_block_destroy(more));
    for (int i = 1; i < 16; i += 2) assert_ok(mp_block_destroy(parts[i]));
    assert_ok(mp_block_create(&whole, MIB)); /* and in one piece again */
    assert_true(all_zero(mp_block_data(whole), MIB));
    assert_ok(mp_block_destroy(whole));
    assert_usage(&before);
}

/* As many as go in; then none; then as many again. */
static size_t fill_up(mp_block *blocks, size_t most, size_t size)
{
    size_t count = 0;
    while (count < most) {
        mp_block block;
        int result = mp_block_create(&block, size);
        if (result < 0) {
            assert_true(result == MP_ENOMEM || result == MP_ELIMIT); /* of bytes, or of handles */
            break;
        }
        pattern_fill(mp_block_data(block), size, block.id);
        blocks[count++] = block;
    }
    return count;
}

static void empty(mp_block *blocks, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(pattern_holds(mp_block_data(blocks[i]), size, blocks[i].id));
        assert_ok(mp_block_destroy(blocks[i]));
    }
}

static void test_small_blocks(void **state)
{
    (void)state;
    enum {
        MOST = 40000
    };
    static mp_block blocks[MOST];
    struct usage before = usage_now();
    size_t sizes[] = {1, 64, 65, 1000, 5000, 16384, 20000}, first[7];
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < 7; i++) {
            size_t count = fill_up(blocks, MOST, sizes[i]);
            assert_in_range(count, 10, MOST - 1);
            if (sizes[i] >= 1000) assert_true(count * sizes[i] >= MIB / 4);
            if (again) assert_int_equal(count, first[i]);
            first[i] = count;
            struct usage full = usage_now();
            mp_block more;
            for (int k = 0; k < 100; k++) assert_true(mp_block_create(&more, sizes[i]) < 0);
            assert_usage(&full);
            empty(blocks, count, sizes[i]);
            assert_usage(&before);
        }
    }
}

/* Objects without memory of their own, too, come to an end, by name. */
static void test_small_locks(void **state)
{
    (void)state;
    enum {
        MOST = 200000
    };
    struct usage before = usage_now();
    mp_lock *locks = calloc(MOST, sizeof *locks);
    assert_non_null(locks);
    size_t count = 0, first = 0;
    for (int again = 0; again < 2; again++) {
        int result = 0;
        for (count = 0; count < MOST && (result = mp_lock_create(&locks[count], NULL)) == 0;) count++;
        assert_true(result == MP_ENOMEM || result == MP_ELIMIT);
        assert_in_range(count, 100, MOST - 1);
        if (again) assert_int_equal(count, first);
        first = count;
        struct usage full = usage_now();
        mp_value value;
        mp_block block;
        assert_int_equal(mp_value_create(&value, 4, NULL), result);
        assert_int_equal(mp_block_create(&block, 100 * KIB), result); /* its memory goes back */
        assert_usage(&full);
        for (size_t i = 0; i < count; i++) assert_ok(mp_lock_acquire(locks[i], 0));
        while (count) assert_ok(mp_lock_destroy(locks[--count]));
        assert_usage(&before);
    }
    free(locks);
}

/* No room for the arguments: nothing is started, nothing is left. */
static void start_in_full_arena(mp_start_method method)
{
    enum {
        MOST = 20
    };
    mp_block blocks[MOST];
    struct usage before = usage_now();
    mp_process process = {7};
    char args[40000];
    memset(args, 1, sizeof args);
    size_t count = fill_up(blocks, MOST, 64 * KIB);
    struct usage full = usage_now();
    mp_process_options options = {.method = method};
    int result = mp_process_start(&process, nothing, args, sizeof args, &options);
    if (result == 0) { /* fork needs none */
        assert_int_equal(method, MP_FORK);
        children_join(&process, 1);
    } else {
        assert_int_equal(result, MP_ENOMEM);
        assert_int_equal(process.id, 7);
    }
    assert_usage(&full);
    while (count) assert_ok(mp_block_destroy(blocks[--count]));
    assert_int_equal(child_run(method, nothing, args, sizeof args), 0);
    assert_usage(&before);
}

static void test_small_start(void **state)
{
    (void)state;
    each_method(start_in_full_arena);
}

static int small_set_up(void **state)
{
    return mp_configure(&(mp_config){.arena_bytes = MIB}) < 0 ? -1 : warm_up(state);
}

/* ---- few processes --------------------------------------------------------------------------------------------- */

static int wait_for_gate(void *args)
{
    const mp_lock *gate = args;
    REQUIRE(mp_lock_acquire(*gate, PATIENCE_MS) == 0);
    REQUIRE(mp_lock_release(*gate) == 0);
    return 0;
}

struct counting {
    mp_lock gate;
    mp_block arrived;
};

static int arrive_and_wait(void *args)
{
    const struct counting *counting = args;
    mp_stats stats;
    REQUIRE(mp_get_stats(&stats) == 0); /* counts itself */
    REQUIRE(stats.processes >= 2 && stats.threads >= 2);
    atomic_fetch_add((_Atomic uint32_t *)mp_block_data(counting->arrived), 1);
    mp_lock gate = counting->gate;
    return wait_for_gate(&gate);
}

static void two_processes(mp_start_method method)
{
    struct usage before = usage_now();
    mp_process_options options = {.method = method};
    mp_process child, another = {7};
    struct counting counting;
    assert_ok(mp_lock_create(&counting.gate, NULL));
    assert_ok(mp_lock_acquire(counting.gate, 0));
    assert_ok(mp_block_create(&counting.arrived, sizeof(uint32_t)));
    assert_ok(mp_process_start(&child, arrive_and_wait, &counting, sizeof counting, &options));
    assert_true(await_count(mp_block_data(counting.arrived), 1));
    struct usage full = usage_now();
    for (int i = 0; i < 5; i++) {
        assert_fails(mp_process_start(&another, nothing, NULL, 0, &options), MP_ELIMIT);
        assert_fails(mp_process_start(NULL, nothing, &counting, sizeof counting, &options), MP_ELIMIT);
        assert_non_null(strstr(mp_error_detail(), "max_processes"));
    }
    assert_int_equal(another.id, 7);
    assert_usage(&full);
    assert_ok(mp_lock_release(counting.gate));
    assert_ok(mp_process_join(child, NULL, PATIENCE_MS));
    assert_fails(mp_process_start(&another, nothing, NULL, 0, &options), MP_ELIMIT); /* its record is still there */
    assert_ok(mp_process_close(child));
    for (int i = 0; i < 20; i++) assert_int_equal(child_run(method, nothing, NULL, 0), 0);
    assert_ok(mp_lock_destroy(counting.gate));
    assert_ok(mp_block_destroy(counting.arrived));
    assert_usage(&before);
}

static void test_two_processes(void **state)
{
    (void)state;
    assert_ok(mp_configure(&(mp_config){.max_processes = 2}));
    (void)warm_up(state);
    each_method(two_processes);
}

/* The founder alone. */
static void test_one_process(void **state)
{
    (void)state;
    assert_ok(mp_configure(&(mp_config){.max_processes = 1}));
    struct usage before = usage_now();
    mp_process child = {7};
    mp_start_method methods[METHODS_MOST];
    size_t count = methods_get(methods);
    for (size_t i = 0; i < count; i++) {
        mp_process_options options = {.method = methods[i]};
        assert_fails(mp_process_start(&child, nothing, NULL, 0, &options), MP_ELIMIT);
    }
    assert_int_equal(child.id, 7);
    assert_usage(&before);
    assert_int_equal(usage_now().stats.processes, 1);
}

/* ---- spinning -------------------------------------------------------------------------------------------------- */

struct job {
    mp_value total;
    mp_lock gate;
};

static int count_up(void *args)
{
    const struct job *job = args;
    mp_lock gate = job->gate;
    if (wait_for_gate(&gate) != 0) return 98;
    for (int i = 0; i < 2000; i++)
        MP_WITH_LOCK(job->total) *MP_VALUE(int, job->total) += 1;
    return 0;
}

static void contended(mp_start_method method)
{
    enum {
        CHILDREN = 4
    };
    struct job job;
    mp_process children[CHILDREN];
    assert_ok(mp_value_create(&job.total, sizeof(int), NULL));
    assert_ok(mp_lock_create(&job.gate, NULL));
    assert_ok(mp_lock_acquire(job.gate, 0));
    children_start(children, CHILDREN, method, count_up, &job, sizeof job);
    assert_ok(mp_lock_release(job.gate));
    children_join(children, CHILDREN);
    assert_int_equal(*MP_VALUE(int, job.total), CHILDREN * 2000);
    assert_ok(mp_value_destroy(job.total));
    assert_ok(mp_lock_destroy(job.gate));
}

static void test_never_spins(void **state)
{
    (void)state;
    assert_ok(mp_configure(&(mp_config){.spin_ns = -1}));
    each_method(contended);
}

static void test_always_spins(void **state)
{
    (void)state;
    assert_ok(mp_configure(&(mp_config){.spin_ns = INT64_MAX}));
    each_method(contended);
}

/* ---- stats ----------------------------------------------------------------------------------------------------- */

static void test_stats(void **state)
{
    (void)state;
    mp_stats first, now;
    assert_fails(mp_get_stats(NULL), MP_EINVAL);
    assert_ok(mp_get_stats(&first));
    assert_int_equal(first.processes, 1);
    assert_int_equal(first.threads, 1);
    assert_int_equal(first.blocks + first.bytes_used, 0);
    assert_int_equal(first.records + first.locks + first.rlocks + first.semaphores + first.conditions + first.events +
                         first.barriers + first.values + first.arrays + first.shared_blocks,
                     0);
    assert_true(first.bytes_reserved > 0);
    mp_lock lock;
    mp_rlock rlock;
    mp_value value, raw_value;
    mp_array array, raw_array;
    mp_block block;
    assert_ok(mp_lock_create(&lock, NULL));
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_value_create(&value, 4, NULL));
    assert_ok(mp_value_create(&raw_value, 4, &(mp_shared_options){.raw = true}));
    assert_ok(mp_array_create(&array, 100, 4, NULL));
    assert_ok(mp_array_create(&raw_array, 0, 4, &(mp_shared_options){.raw = true}));
    assert_ok(mp_block_create(&block, 100000));
    assert_ok(mp_get_stats(&now));
    assert_int_equal(now.locks, 1);
    assert_int_equal(now.rlocks, 3); /* its own, and those of value and array */
    assert_int_equal(now.values, 2);
    assert_int_equal(now.arrays, 2);
    assert_int_equal(now.shared_blocks, 1);
    assert_int_equal(now.blocks, 4); /* not of an array of nothing */
    assert_in_range(now.bytes_used, 100000 + 400 + 8, 300000);
    assert_true(now.bytes_reserved >= now.bytes_used);
    assert_ok(mp_lock_destroy(lock));
    assert_ok(mp_rlock_destroy(rlock));
    assert_ok(mp_value_destroy(value));
    assert_ok(mp_value_destroy(raw_value));
    assert_ok(mp_array_destroy(array));
    assert_ok(mp_array_destroy(raw_array));
    assert_ok(mp_block_destroy(block));
    assert_ok(mp_get_stats(&now));
    assert_true(stats_equal(&now, &first));
}

static void processes_counted(mp_start_method method)
{
    enum {
        CHILDREN = 3
    };
    struct usage before = usage_now();
    struct counting counting;
    mp_process children[CHILDREN];
    mp_stats now;
    assert_ok(mp_lock_create(&counting.gate, NULL));
    assert_ok(mp_lock_acquire(counting.gate, 0));
    assert_ok(mp_block_create(&counting.arrived, sizeof(uint32_t)));
    children_start(children, CHILDREN, method, arrive_and_wait, &counting, sizeof counting);
    assert_true(await_count(mp_block_data(counting.arrived), CHILDREN));
    assert_ok(mp_get_stats(&now));
    assert_int_equal(now.processes, before.stats.processes + CHILDREN);
    assert_int_equal(now.threads, before.stats.threads + CHILDREN);
    assert_int_equal(now.records, before.stats.records);
    assert_ok(mp_lock_release(counting.gate));
    assert_ok(mp_process_join_all(children, NULL, CHILDREN, PATIENCE_MS));
    assert_ok(mp_get_stats(&now));
    assert_int_equal(now.processes, before.stats.processes);
    assert_int_equal(now.threads, before.stats.threads);
    assert_int_equal(now.records, before.stats.records + CHILDREN);
    for (int i = 0; i < CHILDREN; i++) assert_ok(mp_process_close(children[i]));
    assert_ok(mp_lock_destroy(counting.gate));
    assert_ok(mp_block_destroy(counting.arrived));
    assert_usage(&before);
}

static void test_stats_processes(void **state)
{
    (void)state;
    (void)warm_up(state);
    each_method(processes_counted);
}

static const struct CMUnitTest limits[] = {cmocka_unit_test(test_limits)};
static const struct CMUnitTest small[] = {cmocka_unit_test(test_small)};
static const struct CMUnitTest small_more[] = {cmocka_unit_test(test_small_blocks), cmocka_unit_test(test_small_locks),
                                               cmocka_unit_test(test_small_start)};
static const struct CMUnitTest two[] = {cmocka_unit_test(test_two_processes)};
static const struct CMUnitTest one[] = {cmocka_unit_test(test_one_process)};
static const struct CMUnitTest never_spin[] = {cmocka_unit_test(test_never_spins)};
static const struct CMUnitTest always_spin[] = {cmocka_unit_test(test_always_spins)};
static const struct CMUnitTest stats[] = {cmocka_unit_test(test_stats), cmocka_unit_test(test_stats_processes)};

int main(int argc, char **argv)
{
    mp_freeze_support();
    const char *group = argc > 1 ? argv[1] : "";
    if (strcmp(group, "limits") == 0) return cmocka_run_group_tests(limits, NULL, NULL);
    if (strcmp(group, "small") == 0) return cmocka_run_group_tests(small, NULL, NULL);
    if (strcmp(group, "small_more") == 0) return cmocka_run_group_tests(small_more, small_set_up, NULL);
    if (strcmp(group, "two") == 0) return cmocka_run_group_tests(two, NULL, NULL);
    if (strcmp(group, "one") == 0) return cmocka_run_group_tests(one, NULL, NULL);
    if (strcmp(group, "never_spin") == 0) return cmocka_run_group_tests(never_spin, NULL, NULL);
    if (strcmp(group, "always_spin") == 0) return cmocka_run_group_tests(always_spin, NULL, NULL);
    if (strcmp(group, "stats") == 0) return cmocka_run_group_tests(stats, NULL, NULL);
    fprintf(stderr, "test_config limits|small|small_more|two|one|never_spin|always_spin|stats\n");
    return 2;
}
