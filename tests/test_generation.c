/* SPDX-License-Identifier: MIT
 *
 * test_generation.c - what takes too long to happen by itself: a slot whose generations are used up, an rlock taken 2^32 - 1
 * times, and a process that comes after another one of its generation in a slot of the table. It looks inside.
 */
#include "base/control.h"
#include "base/family.h"
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

/* What it was when somebody found it, who goes on with that now. */
static void remember(struct mp__control *control, uint64_t id, uint32_t slot)
{
    atomic_store(&control->type, (uint32_t)MP__PROCESS);
    control->as.process.slot = slot;
    atomic_store(&control->state, id >> 32 << 32);
}

static void test_late(void **state)
{
    (void)state;
    uint64_t old = 0, next = 0;
    mp_lock there, place;
    assert_ok(mp_lock_create(&place, NULL)); /* for the next one */
    assert_ok(mp__process_create("old", 0, MP_SPAWN, MP_SPAWN, &old));
    struct mp__process *record = mp__process_of(old);
    uint32_t slot = mp__process_slot(record);
    assert_true(mp__process_end(old, mp__ending(0)));
    assert_ok(mp__process_remove(old));
    assert_ok(mp_lock_create(&there, NULL));
    assert_int_equal(SLOT(there.id), SLOT(old)); /* so it is not in the way */
    assert_ok(mp_lock_destroy(place));
    age(SLOT(place.id), (uint32_t)(old >> 32) - 1);
    assert_ok(mp__process_create("next", 0, MP_SPAWN, MP_SPAWN, &next));
    assert_ptr_equal(mp__process_of(next), record);
    assert_int_equal(next >> 32, old >> 32);
    assert_true(next != old);

    assert_int_equal(mp__process_pid(record, old), -1);
    assert_int_equal(mp__process_pid(record, next), 0);
    assert_true(mp__process_is_gone(record, old));
    assert_false(mp__process_is_gone(record, next));
    mp__process_expect(record, old, -9);
    assert_int_equal(mp__process_expected(record, next), 0);
    assert_false(mp__process_give_up(record, old));
    assert_false(mp__process_arrive(record, old, 1));
    mp__process_learn_birth(record, old, 1);
    assert_int_equal(atomic_load(&record->birth), 0);
    mp__process_settle(record, old);

    struct mp__control *control = mp__control_at(SLOT(old)), kept;
    memcpy((void *)&kept, (void *)control, sizeof kept);
    remember(control, old, slot);
    assert_ptr_equal(mp__process_of(old), record);
    assert_false(mp__process_end(old, mp__ending(-9)));
    mp__process_unname(old);
    memcpy((void *)control, (void *)&kept, sizeof kept);
    assert_int_equal(mp__process_ending(record, next), 0);
    assert_ptr_equal(mp__process_of(next), record);

    assert_true(mp__process_arrive(record, next, 1)); /* and it is no worse for it */
    assert_true(mp__process_end(next, mp__ending(3)));
    assert_int_equal(mp__ending_code(mp__process_ending(record, next)), 3);
    assert_ok(mp__process_remove(next));
    assert_ok(mp_lock_destroy(there));
}

int main(void)
{
    mp_freeze_support();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_used_up), cmocka_unit_test(test_deepest),
                                       cmocka_unit_test(test_late)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
