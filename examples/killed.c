/* SPDX-License-Identifier: MIT
 *
 * killed.c - a process is killed in the middle of a change: the next owner of the lock is told, and repairs.
 *
 *     Python: the lock stays taken, and whoever waits for it waits for ever
 */
#include <mp/mp.h>
#include <stdio.h>

struct accounts {
    mp_lock lock;
    mp_array balances; /* int64_t, two; together always 100 */
    mp_event half_done, never;
};

/* Takes from one, and is killed before it gives to the other. */
static int transfer(void *args)
{
    struct accounts *accounts = args;
    MP_CHECK(mp_lock_acquire(accounts->lock, MP_FOREVER));
    MP_ARRAY(int64_t, accounts->balances)[0] -= 30;
    MP_CHECK(mp_event_set(accounts->half_done));
    MP_CHECK(mp_event_wait(accounts->never, MP_FOREVER));
    MP_ARRAY(int64_t, accounts->balances)[1] += 30;
    return mp_lock_release(accounts->lock);
}

int main(void)
{
    mp_freeze_support();
    struct accounts accounts;
    mp_process process;
    int exit_code;
    MP_CHECK(mp_lock_create(&accounts.lock, NULL));
    MP_CHECK(mp_event_create(&accounts.half_done, NULL));
    MP_CHECK(mp_event_create(&accounts.never, NULL));
    MP_CHECK(mp_array_create(&accounts.balances, 2, sizeof(int64_t), &(mp_shared_options){.raw = true}));
    int64_t *balances = MP_ARRAY(int64_t, accounts.balances);
    balances[0] = 60, balances[1] = 40;

    MP_CHECK(mp_process_start(&process, transfer, &accounts, sizeof accounts, NULL));
    MP_CHECK(mp_event_wait(accounts.half_done, MP_FOREVER));
    MP_CHECK(mp_process_kill(process));

    int result = MP_CHECK(mp_lock_acquire(accounts.lock, MP_FOREVER)); /* held, in either case */
    if (result == MP_OWNERDEAD) {
        printf("its owner died: %d and %d\n", (int)balances[0], (int)balances[1]);
        balances[0] = 100 - balances[1];
    }
    printf("repaired: %d and %d\n", (int)balances[0], (int)balances[1]);
    MP_CHECK(mp_lock_release(accounts.lock));
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    printf("exit code %d\n", exit_code);
    return 0;
}
