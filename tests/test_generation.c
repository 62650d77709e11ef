/* SPDX-License-Identifier: MIT
 *
 * test_generation.c - what takes too long to happen by itself: a slot whose generations are used up, and an rlock taken
 * 2^32 - 1 times. It looks inside.
 */
#include "base/control.h"
#include "shared_support.h"

#define SLOT(id) ((uint32_t)((id)&MP__INDEX_MASK))

/* As if the slot had been used so often. */
static void age(uint32_t slot, uint32_t generation)
{
    atomic_store(&mp__control_at(slot)->state, (uint64_t)generation << 32);
}

static void test_used_up(void **state)
{
    (void)state;
    struct usage before = usage_now();
    mp_lock lock, last, other;
    assert_ok(mp_lock_create(&lock, NULL));
    uint32_t slot = SLOT(lock.id);
    assert_ok(mp_lock_destroy(lock));
    age(slot, UINT32_MAX - 3);
    assert_ok(mp_lock_create(&last, NULL)); /* its last life */
    assert_int_equal(SLOT(last.id), slot);
    assert_int_equal(last.id >> 32, UINT32_MAX - 2);
    assert_ok(mp_lock_acquire(last, 0));
    assert_ok(mp_lock_release(last));
    assert_fails(mp_lock_acquire(lock, 0), MP_EBADHANDLE);
    assert_ok(mp_lock_destroy(last));
    assert_fails(mp_lock_acquire(last, 0), MP_EBADHANDLE);
    for (int i = 0; i < 10; i++) {
        assert_ok(mp_lock_create(&other, NULL));
        assert_int_not_equal(SLOT(other.id), slot); /* retired */
        assert_ok(mp_lock_destroy(other));
    }
    assert_fails(mp_lock_acquire(last, 0), MP_EBADHANDLE);
    assert_fails(mp_lock_acquire(lock, 0), MP_EBADHANDLE); /* the first of them all */
    assert_usage(&before);
}

static void test_deepest(void **state)
{
    (void)state;
    mp_rlock rlock;
    assert_ok(mp_rlock_create(&rlock, NULL));
    assert_ok(mp_rlock_acquire(rlock, 0));
    _Atomic uint64_t *again = &mp__control_at(SLOT(rlock.id))->as.lock.again;
    assert_int_equal((uint32_t)atomic_load(again), 0);
    atomic_fetch_add(again, UINT32_MAX - 2);
    assert_ok(mp_rlock_acquire(rlock, 0)); /* the last time */
    assert_fails(mp_rlock_acquire(rlock, 0), MP_EOVERFLOW);
    assert_fails(mp_rlock_acquire(rlock, MP_FOREVER), MP_EOVERFLOW);
    assert_ok(mp_rlock_release(rlock));
    assert_ok(mp_rlock_acquire(rlock, 0));
    atomic_fetch_and(again, ~UINT64_C(0xffffffff));
    assert_ok(mp_rlock_release(rlock));
    assert_int_equal(mp_rlock_locked(rlock), 0);
    assert_ok(mp_rlock_destroy(rlock));
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_used_up), cmocka_unit_test(test_deepest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
