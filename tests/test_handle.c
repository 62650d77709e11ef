/* SPDX-License-Identifier: MIT
 *
 * test_handle.c - handles: every function that takes one answers any 64 bits, and never takes one thing for another.
 */
#include "shared_support.h"

#include <stdlib.h>

_Static_assert(sizeof(mp_handle) == 8 && sizeof(mp_process) == 8 && sizeof(mp_lock) == 8 && sizeof(mp_rlock) == 8 &&
                   sizeof(mp_semaphore) == 8 && sizeof(mp_condition) == 8 && sizeof(mp_event) == 8 &&
                   sizeof(mp_barrier) == 8 && sizeof(mp_value) == 8 && sizeof(mp_array) == 8 && sizeof(mp_block) == 8,
               "a handle is 8 bytes");

/* ---- every function, as one that says MP_EBADHANDLE or something else ------------------------------------------- */

static int late_is_fine(int result)
{
    return result == MP_ETIMEDOUT ? 0 : result;
}

#define CALL(name, type, expression)    \
    static int call_##name(uint64_t id) \
    {                                   \
        type it = {id};                 \
        return (expression);            \
    }
#define OR_BAD(found)   ((found) ? 0 : MP_EBADHANDLE)
#define OR_LATE(result) late_is_fine(result)

static int code;
static mp_value made_value;
static mp_array made_array;

CALL(lock_acquire, mp_lock, mp_lock_acquire(it, 0))
CALL(lock_acquire_forever, mp_lock, mp_lock_acquire(it, MP_FOREVER))
CALL(lock_release, mp_lock, mp_lock_release(it))
CALL(lock_locked, mp_lock, mp_lock_locked(it))
CALL(lock_destroy, mp_lock, mp_lock_destroy(it))
CALL(rlock_acquire, mp_rlock, mp_rlock_acquire(it, 0))
CALL(rlock_acquire_forever, mp_rlock, mp_rlock_acquire(it, MP_FOREVER))
CALL(rlock_release, mp_rlock, mp_rlock_release(it))
CALL(rlock_locked, mp_rlock, mp_rlock_locked(it))
CALL(rlock_destroy, mp_rlock, mp_rlock_destroy(it))
CALL(semaphore_acquire, mp_semaphore, mp_semaphore_acquire(it, 0))
CALL(semaphore_acquire_forever, mp_semaphore, mp_semaphore_acquire(it, MP_FOREVER))
CALL(semaphore_release, mp_semaphore, mp_semaphore_release(it))
CALL(semaphore_get_value, mp_semaphore, mp_semaphore_get_value(it))
CALL(semaphore_destroy, mp_semaphore, mp_semaphore_destroy(it))
CALL(condition_acquire, mp_condition, mp_condition_acquire(it, 0))
CALL(condition_wait, mp_condition, OR_LATE(mp_condition_wait(it, 0)))
CALL(condition_notify, mp_condition, mp_condition_notify(it, 1))
CALL(condition_notify_all, mp_condition, mp_condition_notify_all(it))
CALL(condition_release, mp_condition, mp_condition_release(it))
CALL(condition_destroy, mp_condition, mp_condition_destroy(it))
CALL(event_wait, mp_event, mp_event_wait(it, 0))
CALL(event_set, mp_event, mp_event_set(it))
CALL(event_wait_forever, mp_event, mp_event_wait(it, MP_FOREVER))
CALL(event_clear, mp_event, mp_event_clear(it))
CALL(event_is_set, mp_event, mp_event_is_set(it))
CALL(event_destroy, mp_event, mp_event_destroy(it))
CALL(barrier_wait, mp_barrier, mp_barrier_wait(it, 0))
CALL(barrier_abort, mp_barrier, mp_barrier_abort(it))
CALL(barrier_wait_forever, mp_barrier, mp_barrier_wait(it, MP_FOREVER))
CALL(barrier_reset, mp_barrier, mp_barrier_reset(it))
CALL(barrier_parties, mp_barrier, mp_barrier_parties(it))
CALL(barrier_n_waiting, mp_barrier, mp_barrier_n_waiting(it))
CALL(barrier_broken, mp_barrier, mp_barrier_broken(it))
CALL(barrier_destroy, mp_barrier, mp_barrier_destroy(it))
CALL(value_data, mp_value, OR_BAD(mp_value_data(it, sizeof(int))))
CALL(value_size, mp_value, OR_BAD(mp_value_size(it)))
CALL(value_get_lock, mp_value, OR_BAD(mp_value_get_lock(it).id))
CALL(value_destroy, mp_value, mp_value_destroy(it))
CALL(array_data, mp_array, OR_BAD(mp_array_data(it, sizeof(int))))
CALL(array_length, mp_array, OR_BAD(mp_array_length(it)))
CALL(array_item_size, mp_array, OR_BAD(mp_array_item_size(it)))
CALL(array_get_lock, mp_array, OR_BAD(mp_array_get_lock(it).id))
CALL(array_destroy, mp_array, mp_array_destroy(it))
CALL(block_data, mp_block, OR_BAD(mp_block_data(it)))
CALL(block_size, mp_block, OR_BAD(mp_block_size(it)))
CALL(block_destroy, mp_block, mp_block_destroy(it))
CALL(process_join, mp_process, mp_process_join(it, &code, 0))
CALL(process_join_forever, mp_process, mp_process_join(it, NULL, MP_FOREVER))
CALL(process_join_all, mp_process, mp_process_join_all(&it, &code, 1, MP_FOREVER))
CALL(process_join_all_plain, mp_process, mp_process_join_all(&it, NULL, 1, MP_FOREVER))
CALL(process_is_alive, mp_process, mp_process_is_alive(it))
CALL(process_exitcode, mp_process, mp_process_exitcode(it, &code))
CALL(process_interrupt, mp_process, mp_process_interrupt(it))
CALL(process_terminate, mp_process, mp_process_terminate(it))
CALL(process_kill, mp_process, mp_process_kill(it))
CALL(process_close, mp_process, mp_process_close(it))
CALL(process_pid, mp_process, mp_process_pid(it) > 0 ? 0 : (int)mp_process_pid(it))
CALL(process_name, mp_process, OR_BAD(mp_process_name(it)))
CALL(process_parent, mp_process, OR_BAD(mp_process_parent(it).id))
CALL(process_is_daemon, mp_process, mp_process_is_daemon(it))
CALL(value_create, mp_rlock, mp_value_create(&made_value, 4, &(mp_shared_options){.lock = it}))
CALL(array_create, mp_rlock, mp_array_create(&made_array, 4, 4, &(mp_shared_options){.lock = it}))

enum kind {
    PROCESS,
    LOCK,
    RLOCK,
    SEMAPHORE,
    CONDITION,
    EVENT,
    BARRIER,
    VALUE,
    ARRAY,
    BLOCK,
    KINDS
};
static const char *const kind_names[KINDS] = {"process", "lock",    "rlock", "semaphore", "condition",
                                              "event",   "barrier", "value", "array",     "block"};

#define OF(kind) (1u << (kind))
#define OR_NONE  (1u << KINDS) /* zero is no handle, and that is fine */
#define ENTRY(name, call, kinds)       \
    {                                  \
        "mp_" name, call_##call, kinds \
    }

/* In the order in which a living object stands them: those that end it are last. */
static const struct function {
    const char *name;
    int (*call)(uint64_t id);
    unsigned kinds; /* that it takes */
} functions[] = {
    ENTRY("lock_acquire", lock_acquire, OF(LOCK)),
    ENTRY("lock_locked", lock_locked, OF(LOCK)),
    ENTRY("lock_release", lock_release, OF(LOCK)),
    ENTRY("lock_acquire", lock_acquire_forever, OF(LOCK)),
    ENTRY("rlock_acquire", rlock_acquire, OF(RLOCK)),
    ENTRY("rlock_locked", rlock_locked, OF(RLOCK)),
    ENTRY("rlock_release", rlock_release, OF(RLOCK)),
    ENTRY("rlock_acquire", rlock_acquire_forever, OF(RLOCK)),
    ENTRY("semaphore_acquire", semaphore_acquire, OF(SEMAPHORE)),
    ENTRY("semaphore_get_value", semaphore_get_value, OF(SEMAPHORE)),
    ENTRY("semaphore_release", semaphore_release, OF(SEMAPHORE)),
    ENTRY("semaphore_acquire", semaphore_acquire_forever, OF(SEMAPHORE)),
    ENTRY("condition_acquire", condition_acquire, OF(CONDITION)),
    ENTRY("condition_wait", condition_wait, OF(CONDITION)),
    ENTRY("condition_notify", condition_notify, OF(CONDITION)),
    ENTRY("condition_notify_all", condition_notify_all, OF(CONDITION)),
    ENTRY("condition_release", condition_release, OF(CONDITION)),
    ENTRY("event_set", event_set, OF(EVENT)),
    ENTRY("event_wait", event_wait, OF(EVENT)),
    ENTRY("event_wait", event_wait_forever, OF(EVENT)),
    ENTRY("event_clear", event_clear, OF(EVENT)),
    ENTRY("event_is_set", event_is_set, OF(EVENT)),
    ENTRY("barrier_wait", barrier_wait, OF(BARRIER)),
    ENTRY("barrier_wait", barrier_wait_forever, OF(BARRIER)),
    ENTRY("barrier_abort", barrier_abort, OF(BARRIER)),
    ENTRY("barrier_reset", barrier_reset, OF(BARRIER)),
    ENTRY("barrier_parties", barrier_parties, OF(BARRIER)),
    ENTRY("barrier_n_waiting", barrier_n_waiting, OF(BARRIER)),
    ENTRY("barrier_broken", barrier_broken, OF(BARRIER)),
    ENTRY("value_data", value_data, OF(VALUE)),
    ENTRY("value_size", value_size, OF(VALUE)),
    ENTRY("value_get_lock", value_get_lock, OF(VALUE)),
    ENTRY("array_data", array_data, OF(ARRAY)),
    ENTRY("array_length", array_length, OF(ARRAY)),
    ENTRY("array_item_size", array_item_size, OF(ARRAY)),
    ENTRY("array_get_lock", array_get_lock, OF(ARRAY)),
    ENTRY("block_data", block_data, OF(BLOCK)),
    ENTRY("block_size", block_size, OF(BLOCK)),
    ENTRY("process_join", process_join, OF(PROCESS)),
    ENTRY("process_join", process_join_forever, OF(PROCESS)),
    ENTRY("process_join_all", process_join_all, OF(PROCESS)),
    ENTRY("process_join_all", process_join_all_plain, OF(PROCESS)),
    ENTRY("process_is_alive", process_is_alive, OF(PROCESS)),
    ENTRY("process_exitcode", process_exitcode, OF(PROCESS)),
    ENTRY("process_interrupt", process_interrupt, OF(PROCESS)),
    ENTRY("process_terminate", process_terminate, OF(PROCESS)),
    ENTRY("process_kill", process_kill, OF(PROCESS)),
    ENTRY("process_pid", process_pid, OF(PROCESS)),
    ENTRY("process_name", process_name, OF(PROCESS)),
    ENTRY("process_parent", process_parent, OF(PROCESS)),
    ENTRY("process_is_daemon", process_is_daemon, OF(PROCESS)),
    ENTRY("value_create", value_create, OF(LOCK) | OF(RLOCK) | OR_NONE),
    ENTRY("array_create", array_create, OF(LOCK) | OF(RLOCK) | OR_NONE),
    ENTRY("lock_destroy", lock_destroy, OF(LOCK)),
    ENTRY("rlock_destroy", rlock_destroy, OF(RLOCK)),
    ENTRY("semaphore_destroy", semaphore_destroy, OF(SEMAPHORE)),
    ENTRY("condition_destroy", condition_destroy, OF(CONDITION)),
    ENTRY("event_destroy", event_destroy, OF(EVENT)),
    ENTRY("barrier_destroy", barrier_destroy, OF(BARRIER)),
    ENTRY("value_destroy", value_destroy, OF(VALUE)),
    ENTRY("array_destroy", array_destroy, OF(ARRAY)),
    ENTRY("block_destroy", block_destroy, OF(BLOCK)),
    ENTRY("process_close", process_close, OF(PROCESS)),
};
enum {
    FUNCTIONS = sizeof functions / sizeof *functions
};

/* Every function refuses it. */
static void assert_bad(uint64_t id)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        if (!id && functions[i].kinds & OR_NONE) continue;
        int result = functions[i].call(id);
        if (result == MP_EBADHANDLE) continue;
        fail_msg("%s(%#llx) is %d (%s)", functions[i].name, (unsigned long long)id, result, mp_error_name(result));
    }
    assert_null(mp_handle_kind(mp_handle_of(id)));
}

/* One of each; the process has ended. */
static int nothing(void *args)
{
    (void)args;
    return 0;
}

static void create_all(uint64_t ids[KINDS])
{
    mp_process process;
    mp_lock lock;
    mp_rlock rlock;
    mp_semaphore semaphore;
    mp_condition condition;
    mp_event event;
    mp_barrier barrier;
    mp_value value;
    mp_array array;
    mp_block block;
    assert_ok(mp_process_start(&process, nothing, NULL, 0, NULL));
    assert_ok(mp_process_join(process, NULL, PATIENCE_MS));
    assert_ok(mp_lock_create(&lock, NULL));
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_semaphore_create(&semaphore, 1, NULL));
    assert_ok(mp_condition_create(&condition, &(mp_condition_options){.rlock = rlock}));
    assert_ok(mp_event_create(&event, NULL));
    assert_ok(mp_barrier_create(&barrier, 1, NULL));
    assert_ok(mp_value_create(&value, sizeof(int), NULL));
    assert_ok(mp_array_create(&array, 3, sizeof(int), NULL));
    assert_ok(mp_block_create(&block, 100));
    ids[PROCESS] = process.id;
    ids[LOCK] = lock.id;
    ids[RLOCK] = rlock.id;
    ids[SEMAPHORE] = semaphore.id;
    ids[CONDITION] = condition.id;
    ids[EVENT] = event.id;
    ids[BARRIER] = barrier.id;
    ids[VALUE] = value.id;
    ids[ARRAY] = array.id;
    ids[BLOCK] = block.id;
}

static void destroy_all(const uint64_t ids[KINDS])
{
    mp_process_close((mp_process){ids[PROCESS]});
    mp_lock_destroy((mp_lock){ids[LOCK]});
    mp_rlock_destroy((mp_rlock){ids[RLOCK]});
    mp_semaphore_destroy((mp_semaphore){ids[SEMAPHORE]});
    mp_condition_destroy((mp_condition){ids[CONDITION]});
    mp_event_destroy((mp_event){ids[EVENT]});
    mp_barrier_destroy((mp_barrier){ids[BARRIER]});
    mp_value_destroy((mp_value){ids[VALUE]});
    mp_array_destroy((mp_array){ids[ARRAY]});
    mp_block_destroy((mp_block){ids[BLOCK]});
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

/* Runs first: nothing has founded a family yet. Functions that create do, at the first garbage; the rest refuses it alone. */
static void test_no_family(void **state)
{
    (void)state;
    uint64_t random = 1;
    assert_int_equal(mp_block_of(&random).id, 0);
    for (int i = 0; i < FUNCTIONS; i++) {
        if (functions[i].kinds & OR_NONE) continue;
        assert_fails(functions[i].call(random_next(&random)), MP_EBADHANDLE);
        assert_fails(functions[i].call(0), MP_EBADHANDLE);
    }
    assert_ok(mp_configure(NULL)); /* none of them has founded a family */
    assert_bad(0);
    assert_bad(UINT64_MAX);
    for (int i = 0; i < 1000; i++) assert_bad(random_next(&random));
}

static void test_zero(void **state)
{
    (void)state;
    assert_bad(0);
    for (int i = 0; i < FUNCTIONS; i++) {
        if (functions[i].kinds & OR_NONE) continue;
        (void)functions[i].call(0);
        if (!strstr(mp_error_detail(), functions[i].name)) fail_msg("%s: %s", functions[i].name, mp_error_detail());
        assert_non_null(strstr(mp_error_detail(), "zero"));
    }
}

static void test_kind(void **state)
{
    (void)state;
    uint64_t ids[KINDS];
    create_all(ids);
    for (int kind = 0; kind < KINDS; kind++)
        assert_string_equal(mp_handle_kind(mp_handle_of(ids[kind])), kind_names[kind]);
    mp_value value = {ids[VALUE]};
    assert_string_equal(mp_handle_kind(MP_HANDLE(value)), "value");
    assert_string_equal(mp_handle_kind(MP_HANDLE(mp_value_get_lock(value))), "rlock");
    assert_string_equal(mp_handle_kind(MP_HANDLE(mp_current_process())), "process");
    destroy_all(ids);
}

/* Every function takes its own types and refuses all others, and says what it was given. */
static void test_types(void **state)
{
    (void)state;
    struct usage before = usage_now();
    uint64_t ids[KINDS];
    create_all(ids);
    for (int i = 0; i < FUNCTIONS; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            bool fits = functions[i].kinds & OF(kind), gone = !mp_handle_kind(mp_handle_of(ids[kind]));
            if (gone) continue;
            int result = functions[i].call(ids[kind]);
            if ((result == MP_EBADHANDLE) == fits)
                fail_msg("%s of a %s is %d (%s)", functions[i].name, kind_names[kind], result, mp_error_name(result));
            if (fits) assert_true(result >= 0);
            if (!fits) {
                assert_non_null(strstr(mp_error_detail(), kind_names[kind]));
                assert_non_null(strstr(mp_error_detail(), functions[i].name));
            } else if (functions[i].call == call_value_create) {
                assert_ok(mp_value_destroy(made_value));
            } else if (functions[i].call == call_array_create) {
                assert_ok(mp_array_destroy(made_array));
            }
        }
    }
    for (int kind = 0; kind < KINDS; kind++) assert_bad(ids[kind]); /* the last functions have destroyed them */
    assert_usage(&before);
}

static void test_stale(void **state)
{
    (void)state;
    struct usage before = usage_now();
    uint64_t old[KINDS], new[KINDS];
    create_all(old);
    destroy_all(old);
    for (int kind = 0; kind < KINDS; kind++) assert_bad(old[kind]);
    create_all(new); /* where the old ones were */
    for (int kind = 0; kind < KINDS; kind++) {
        assert_int_not_equal(old[kind], new[kind]);
        assert_bad(old[kind]);
        assert_string_equal(mp_handle_kind(mp_handle_of(new[kind])), kind_names[kind]);
    }
    destroy_all(new);
    assert_usage(&before);
}

/* The tag in a handle is that of its family: with any other one it is a stranger's. */
static void test_other_family(void **state)
{
    (void)state;
    uint64_t ids[KINDS];
    create_all(ids);
    for (int kind = 0; kind < KINDS; kind++)
        for (uint64_t tag = 1; tag < 256; tag++) assert_bad(ids[kind] ^ tag << 24);
    destroy_all(ids);
}

static bool among(uint64_t id, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id) return true;
    return false;
}

/* Something that resembles one of the living more or less. */
static uint64_t garbage_next(uint64_t *random, const uint64_t *living, size_t count)
{
    uint64_t number = random_next(random), like = living[number % count];
    switch (number >> 32 & 7) {
    case 0:
        return random_next(random);
    case 1:
        return like ^ UINT64_C(1) << (number >> 40 & 63); /* one bit */
    case 2:
        return (like & UINT32_MAX) | random_next(random) << 32; /* generation */
    case 3:
        return (like & ~UINT64_C(0xffffff)) | (random_next(random) & 0xffffff); /* index */
    case 4:
        return (like & UINT64_C(0xff000000)) | (number >> 40 & 0xff) | (number >> 48 & 0xff) << 32;
    case 5:
        return like + (number >> 40) % 1000 - 500;
    case 6:
        return ~like;
    default:
        return (random_next(random) & ~UINT64_C(0xff000000)) | (like & 0xff000000);
    }
}

static void feed_garbage(int64_t most, int64_t end_ms)
{
    struct usage before = usage_now();
    uint64_t ids[KINDS + 3], random = 88;
    create_all(ids);
    ids[KINDS] = mp_current_process().id;
    ids[KINDS + 1] = mp_value_get_lock((mp_value){ids[VALUE]}).id;
    ids[KINDS + 2] = mp_array_get_lock((mp_array){ids[ARRAY]}).id;
    for (int64_t i = 0; i < most && (end_ms == 0 || i % 1000 || now_ms() < end_ms); i++) {
        uint64_t id = garbage_next(&random, ids, KINDS + 3);
        if (among(id, ids, KINDS + 3)) continue;
        assert_bad(id);
    }
    for (int kind = 0; kind < KINDS; kind++)
        assert_string_equal(mp_handle_kind(mp_handle_of(ids[kind])), kind_names[kind]);
    destroy_all(ids);
    assert_usage(&before);
}

/* Millions of calls. */
static void test_garbage(void **state)
{
    (void)state;
    feed_garbage(100000, 0);
}

/* A slot that is used again and again: none of its old handles comes back to life. */
static void test_generations(void **state)
{
    (void)state;
    enum {
        TIMES = 100000,
        KEPT = 1000
    };
    struct usage before = usage_now();
    static uint64_t kept[KEPT];
    mp_lock lock;
    uint64_t last = 0, slot = 0;
    for (int i = 0; i < TIMES; i++) {
        assert_ok(mp_lock_create(&lock, NULL));
        if (i == 0) slot = lock.id & 0xffffff;
        assert_int_equal(lock.id & 0xffffff, slot); /* else this tests nothing */
        assert_true(lock.id > last);                /* so no two are equal */
        assert_fails(mp_lock_acquire((mp_lock){last}, MP_FOREVER), MP_EBADHANDLE);
        assert_int_equal(mp_lock_locked(lock), 0);
        kept[i % KEPT] = last = lock.id;
        assert_ok(mp_lock_destroy(lock));
    }
    assert_ok(mp_lock_create(&lock, NULL));
    for (int i = 0; i < KEPT; i++) {
        assert_fails(mp_lock_acquire((mp_lock){kept[i]}, 0), MP_EBADHANDLE);
        assert_fails(mp_lock_release((mp_lock){kept[i]}), MP_EBADHANDLE);
        assert_fails(mp_lock_destroy((mp_lock){kept[i]}), MP_EBADHANDLE);
    }
    assert_int_equal(mp_lock_locked(lock), 0);
    assert_ok(mp_lock_destroy(lock));
    assert_usage(&before);
}

static void test_many(void **state)
{
    (void)state;
    enum {
        LOCKS = 100000
    };
    struct usage before = usage_now();
    mp_lock *locks = calloc(LOCKS, sizeof *locks);
    assert_non_null(locks);
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_create(&locks[i], NULL));
    struct usage during = usage_now();
    assert_int_equal(during.descriptors, before.descriptors);
    assert_int_equal(during.stats.locks, before.stats.locks + LOCKS);
    assert_int_equal(during.stats.blocks, before.stats.blocks);
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_acquire(locks[i], 0)); /* all at once, and each for itself */
    for (int i = 0; i < LOCKS; i++) assert_int_equal(mp_lock_locked(locks[i]), 1);
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_destroy(locks[i]));
    struct usage after = usage_now();
    assert_usage(&before);
    uint64_t reserved = after.stats.bytes_reserved;
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_create(&locks[i], NULL));
    assert_int_equal(usage_now().stats.bytes_reserved, reserved); /* the same places again */
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_destroy(locks[i]));
    assert_usage(&before);
    free(locks);
}

/* A child looks at handles far beyond what it has seen of the table. */
static int use_far(void *args)
{
    const mp_lock *locks = args;
    REQUIRE(mp_lock_acquire(locks[1], 0) == 0);
    REQUIRE(mp_lock_locked(locks[0]) == 0);
    REQUIRE(strcmp(mp_handle_kind(MP_HANDLE(locks[0])), "lock") == 0);
    REQUIRE(mp_lock_release(locks[1]) == 0);
    return 0;
}

static void far_handles(mp_start_method method)
{
    enum {
        LOCKS = 30000
    };
    static mp_lock locks[LOCKS];
    mp_process child;
    mp_process_options options = {.method = method};
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_create(&locks[i], NULL));
    mp_lock two[] = {locks[0], locks[LOCKS - 1]};
    assert_ok(mp_process_start(&child, use_far, two, sizeof two, &options));
    children_join(&child, 1);
    for (int i = 0; i < LOCKS; i++) assert_ok(mp_lock_destroy(locks[i]));
}

static void test_far(void **state)
{
    (void)state;
    each_method(far_handles);
}

static int set_up(void **state)
{
    mp_log_to_stderr(MP_LOG_OFF);
    return warm_up(state);
}

static void stress_garbage(void **state)
{
    (void)state;
    feed_garbage(INT64_MAX, now_ms() + stress_ms(20));
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const struct CMUnitTest first[] = {cmocka_unit_test(test_no_family)};
    const struct CMUnitTest stress[] = {cmocka_unit_test(stress_garbage)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero),         cmocka_unit_test(test_kind),    cmocka_unit_test(test_types),
        cmocka_unit_test(test_stale),        cmocka_unit_test(test_garbage), cmocka_unit_test(test_generations),
        cmocka_unit_test(test_other_family), cmocka_unit_test(test_many),    cmocka_unit_test(test_far),
    };
    if (argc > 1 && strcmp(argv[1], "stress") == 0) return cmocka_run_group_tests(stress, set_up, NULL);
    int failed = cmocka_run_group_tests(first, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, set_up, NULL);
}
