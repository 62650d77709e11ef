/* SPDX-License-Identifier: MIT
 *
 * test_with_lock.c - MP_WITH_LOCK: whichever way its block is left the lock is free, and a block that can not be entered
 * ends the process. test_with_lock_cxx.cpp is its twin.
 */
#include "shared_support.h"

#include <pthread.h>

static mp_lock lock, second;
static mp_rlock rlock;
static mp_value value;
static mp_array array;

static int set_up(void **state)
{
    if (warm_up(state) != 0) return -1;
    return mp_lock_create(&lock, NULL) < 0 || mp_lock_create(&second, NULL) < 0 || mp_rlock_create(&rlock, NULL) < 0 ||
           mp_value_create(&value, sizeof(int), NULL) < 0 || mp_array_create(&array, 10, sizeof(int), NULL) < 0;
}

static bool all_free(void)
{
    return mp_lock_locked(lock) == 0 && mp_lock_locked(second) == 0 && mp_rlock_locked(rlock) == 0 &&
           mp_rlock_locked(mp_value_get_lock(value)) == 0 && mp_rlock_locked(mp_array_get_lock(array)) == 0;
}

/* ---- leaving --------------------------------------------------------------------------------------------------- */

static void test_end(void **state)
{
    (void)state;
    int times = 0;
    MP_WITH_LOCK(lock) {
        times++;
        assert_int_equal(mp_lock_locked(lock), 1);
        assert_fails(mp_lock_acquire(lock, 0), MP_ETIMEDOUT);
    }
    assert_true(all_free());
    MP_WITH_LOCK(lock) times++; /* without braces, too */
    assert_true(all_free());
    if (times == 2)
        MP_WITH_LOCK(lock) times++;
    else
        times = 1000; /* this else belongs to that if */
    assert_int_equal(times, 3);
    assert_true(all_free());
}

static void test_kinds(void **state)
{
    (void)state;
    int times = 0;
    MP_WITH_LOCK(rlock) {
        MP_WITH_LOCK(rlock) {
            times++;
            assert_int_equal(mp_rlock_locked(rlock), 1);
        }
        assert_int_equal(mp_rlock_locked(rlock), 1);
    }
    MP_WITH_LOCK(value) {
        MP_WITH_LOCK(array) {
            times++;
            assert_int_equal(mp_rlock_locked(mp_value_get_lock(value)), 1);
            assert_int_equal(mp_rlock_locked(mp_array_get_lock(array)), 1);
            *MP_VALUE(int, value) = 5;
            MP_ARRAY(int, array)[9] = 6;
        }
        assert_int_equal(mp_rlock_locked(mp_array_get_lock(array)), 0);
        assert_int_equal(mp_rlock_locked(mp_value_get_lock(value)), 1);
    }
    mp_rlock of_value = mp_value_get_lock(value);
    MP_WITH_LOCK(of_value) MP_ARRAY(int, array)[0] = *MP_VALUE(int, value) + times;
    assert_int_equal(MP_ARRAY(int, array)[0], 7);
    assert_true(all_free());
}

/* break and continue mean the block itself, not the loop around it. */
static void test_break_continue(void **state)
{
    (void)state;
    int breaks = 0, continues = 0, after = 0;
    for (int i = 0; i < 3; i++) {
        MP_WITH_LOCK(lock) {
            if (++breaks) break;
            fail();
        }
        assert_true(all_free());
        MP_WITH_LOCK(lock) {
            if (++continues) continue;
            fail();
        }
        assert_true(all_free());
        after++;
    }
    assert_int_equal(breaks, 3);
    assert_int_equal(continues, 3);
    assert_int_equal(after, 3);
    MP_WITH_LOCK(lock) {
        for (int i = 0; i < 5; i++) { /* a loop inside is a loop as ever */
            if (i == 1) continue;
            if (i == 3) break;
            after++;
        }
        assert_int_equal(mp_lock_locked(lock), 1);
        switch (after) {
        case 5:
            after = 100;
            break;
        default:
            after = 200;
            break;
        }
        assert_int_equal(mp_lock_locked(lock), 1);
        after++;
    }
    assert_int_equal(after, 101);
    assert_true(all_free());
}

static int returns(int number)
{
    MP_WITH_LOCK(lock) {
        MP_WITH_LOCK(value) {
            if (number == 1) return mp_lock_locked(lock) + mp_rlock_locked(mp_value_get_lock(value));
            MP_WITH_LOCK(value) {
                if (number == 2) return 20;
            }
        }
        if (number == 3) return *MP_VALUE(int, value) = 30;
    }
    return 40;
}

static void test_return(void **state)
{
    (void)state;
    assert_int_equal(returns(1), 2);
    assert_true(all_free());
    assert_int_equal(returns(2), 20);
    assert_true(all_free());
    assert_int_equal(returns(3), 30);
    assert_true(all_free());
    assert_int_equal(returns(4), 40);
    assert_true(all_free());
}

static void test_goto(void **state)
{
    (void)state;
    int rounds = 0;
again:
    assert_true(all_free());
    MP_WITH_LOCK(lock) {
        MP_WITH_LOCK(rlock) {
            if (++rounds < 5) goto again; /* backwards, out of both */
            goto inside;                  /* out of one */
        }
    inside:
        assert_int_equal(mp_lock_locked(lock), 1);
        assert_int_equal(mp_rlock_locked(rlock), 0);
        goto out;
    }
    fail();
out:
    assert_int_equal(rounds, 5);
    assert_true(all_free());
}

/* ---- what happens to the lock inside --------------------------------------------------------------------------- */

static void test_released_inside(void **state)
{
    (void)state;
    MP_WITH_LOCK(lock) assert_ok(mp_lock_release(lock));
    assert_true(all_free());
    MP_WITH_LOCK(rlock) assert_ok(mp_rlock_release(rlock));
    assert_true(all_free());
    MP_WITH_LOCK(lock) {
        assert_ok(mp_lock_release(lock));
        assert_ok(mp_lock_acquire(lock, 0));
    }
    assert_true(all_free());
}

struct taker {
    pthread_mutex_t wait;
    mp_lock ready; /* held until it has both */
    bool took;
};

/* Keeps them until `wait` is free. */
static void *take(void *args)
{
    struct taker *taker = args;
    taker->took = mp_lock_acquire(lock, 0) == 0 && mp_rlock_acquire(rlock, 0) == 0;
    (void)mp_lock_release(taker->ready);
    pthread_mutex_lock(&taker->wait);
    pthread_mutex_unlock(&taker->wait);
    return mp_lock_release(lock) == 0 && mp_rlock_release(rlock) == 0 ? args : NULL;
}

/* Somebody else's by now: it stays so. */
static void test_taken_by_another(void **state)
{
    (void)state;
    pthread_t thread;
    void *result;
    struct taker taker = {.wait = PTHREAD_MUTEX_INITIALIZER};
    assert_ok(mp_lock_create(&taker.ready, NULL));
    assert_ok(mp_lock_acquire(taker.ready, 0));
    pthread_mutex_lock(&taker.wait);
    MP_WITH_LOCK(lock) {
        MP_WITH_LOCK(rlock) {
            assert_ok(mp_lock_release(lock));
            assert_ok(mp_rlock_release(rlock));
            assert_int_equal(pthread_create(&thread, NULL, take, &taker), 0);
            assert_ok(mp_lock_acquire(taker.ready, MP_FOREVER));
            assert_true(taker.took);
        }
    }
    assert_int_equal(mp_lock_locked(lock), 1);
    assert_int_equal(mp_rlock_locked(rlock), 1);
    pthread_mutex_unlock(&taker.wait);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_ok(mp_lock_destroy(taker.ready));
    assert_true(all_free());
}

static void test_destroyed_inside(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_lock gone, next;
    mp_rlock rgone;
    mp_value vgone;
    assert_ok(mp_lock_create(&gone, NULL));
    MP_WITH_LOCK(gone) {
        assert_ok(mp_lock_destroy(gone));
        assert_ok(mp_lock_create(&next, NULL)); /* in its place, and mine as it was */
        assert_ok(mp_lock_acquire(next, 0));
    }
    assert_int_equal(mp_lock_locked(next), 1);
    assert_ok(mp_lock_destroy(next));
    assert_ok(mp_rlock_create(&rgone, NULL));
    MP_WITH_LOCK(rgone) assert_ok(mp_rlock_destroy(rgone));
    assert_ok(mp_value_create(&vgone, 1, NULL));
    MP_WITH_LOCK(vgone) assert_ok(mp_value_destroy(vgone));
    assert_usage(&before);
}

/* The handle is looked at once, on entering. */
static void test_handle_changes(void **state)
{
    (void)state;
    mp_lock which = lock;
    int evaluated = 0;
    MP_WITH_LOCK(which) {
        which = second;
        assert_int_equal(mp_lock_locked(second), 0);
    }
    assert_true(all_free());
    mp_lock both[] = {lock, second};
    MP_WITH_LOCK(both[evaluated++]) assert_int_equal(mp_lock_locked(lock), 1);
    assert_int_equal(evaluated, 1);
    assert_true(all_free());
}

/* ---- what can not be entered ----------------------------------------------------------------------------------- */

struct bad {
    mp_handle object;
    mp_block report; /* _Atomic uint32_t: 1 about to enter, 2 was inside */
};

static int enter(void *args)
{
    const struct bad *bad = args;
    _Atomic uint32_t *report = mp_block_data(bad->report);
    if (stderr_capture() < 0 || !report) return 98;
    atomic_store(report, 1);
    MP_WITH_LOCK(bad->object) atomic_store(report, 2);
    return 97;
}

static void dies(mp_start_method method, mp_handle object, const char *why)
{
    char text[2000];
    struct bad bad = {.object = object};
    assert_ok(mp_block_create(&bad.report, sizeof(uint32_t)));
    assert_int_equal(child_run_captured(method, enter, &bad, sizeof bad, text, sizeof text), 1);
    if (!strstr(text, why) || !strstr(text, "MP_WITH_LOCK") || !strstr(text, "test_with_lock.c:"))
        fail_msg("it said: %s", text);
    assert_int_equal(*(uint32_t *)mp_block_data(bad.report), 1);
    assert_ok(mp_block_destroy(bad.report));
}

static void all_die(mp_start_method method)
{
    struct usage before = usage_now();
    mp_lock gone;
    mp_value raw;
    mp_block block;
    assert_ok(mp_lock_create(&gone, NULL));
    assert_ok(mp_lock_destroy(gone));
    assert_ok(mp_value_create(&raw, 4, &(mp_shared_options){.raw = true}));
    assert_ok(mp_block_create(&block, 4));
    dies(method, mp_handle_of(0), "MP_EBADHANDLE");
    dies(method, MP_HANDLE(gone), "MP_EBADHANDLE");
    dies(method, mp_handle_of(UINT64_C(0x123456789abcdef)), "MP_EBADHANDLE");
    dies(method, MP_HANDLE(block), "is a block");
    dies(method, mp_handle_of(mp_current_process().id), "is a process");
    dies(method, MP_HANDLE(raw), "raw");
    assert_ok(mp_value_destroy(raw));
    assert_ok(mp_block_destroy(block));
    assert_usage(&before);
}

static void test_bad(void **state)
{
    (void)state;
    each_method(all_die);
}

/* It waits, and what it waits for goes. */
static void destroyed_meanwhile(mp_start_method method)
{
    mp_lock held;
    struct bad bad;
    mp_process child;
    int code;
    assert_ok(mp_lock_create(&held, NULL));
    assert_ok(mp_lock_acquire(held, 0));
    assert_ok(mp_block_create(&bad.report, sizeof(uint32_t)));
    bad.object = MP_HANDLE(held);
    children_start(&child, 1, method, enter, &bad, sizeof bad);
    assert_true(await_count(mp_block_data(bad.report), 1));
    nap(2000); /* it sleeps by now, or does not: all the same */
    assert_ok(mp_lock_destroy(held));
    assert_ok(mp_process_join(child, &code, PATIENCE_MS));
    assert_int_equal(code, 1);
    assert_ok(mp_process_close(child));
    assert_int_equal(*(uint32_t *)mp_block_data(bad.report), 1);
    assert_ok(mp_block_destroy(bad.report));
    stderr_forget();
}

static void test_destroyed_meanwhile(void **state)
{
    (void)state;
    each_method(destroyed_meanwhile);
}

/* ---- in children ----------------------------------------------------------------------------------------------- */

static int leave_all_ways(void *args)
{
    const mp_value *counter = args;
    for (int i = 0; i < 1000; i++) {
        MP_WITH_LOCK(*counter) {
            if (i % 3 == 0) {
                *MP_VALUE(int, *counter) += 1;
                break;
            }
            if (i % 3 == 1) {
                *MP_VALUE(int, *counter) += 1;
                continue;
            }
            *MP_VALUE(int, *counter) += 1;
        }
    }
    MP_WITH_LOCK(*counter) return 0;
    return 1;
}

static void counted(mp_start_method method)
{
    enum {
        CHILDREN = 3
    };
    mp_value counter;
    mp_process children[CHILDREN];
    assert_ok(mp_value_create(&counter, sizeof(int), NULL));
    children_start(children, CHILDREN, method, leave_all_ways, &counter, sizeof counter);
    children_join(children, CHILDREN);
    assert_int_equal(*MP_VALUE(int, counter), 1000 * CHILDREN);
    assert_int_equal(mp_rlock_locked(mp_value_get_lock(counter)), 0);
    assert_ok(mp_value_destroy(counter));
}

static void test_counted(void **state)
{
    (void)state;
    each_method(counted);
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_break_continue),
        cmocka_unit_test(test_return),
        cmocka_unit_test(test_goto),
        cmocka_unit_test(test_released_inside),
        cmocka_unit_test(test_taken_by_another),
        cmocka_unit_test(test_destroyed_inside),
        cmocka_unit_test(test_handle_changes),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_destroyed_meanwhile),
        cmocka_unit_test(test_counted),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
