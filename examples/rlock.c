/* SPDX-License-Identifier: MIT
 *
 * rlock.c - a function that takes a recursive lock calls another one that takes it, too.
 *
 *     Python: with rlock: ... with rlock: ...
 */
#include <mp/mp.h>
#include <stdio.h>

struct account {
    long balance, bookings;
};

struct bank { /* both accounts go with one lock */
    mp_rlock lock;
    mp_array accounts;
};

static void book(const struct bank *bank, int number, long amount)
{
    MP_WITH_LOCK(bank->lock) {
        struct account *account = MP_ARRAY(struct account, bank->accounts) + number;
        account->balance += amount;
        account->bookings++;
    }
}

static void transfer(const struct bank *bank, int from, int to, long amount)
{
    MP_WITH_LOCK(bank->lock) { /* nobody sees the money in neither place, or in both */
        book(bank, from, -amount);
        book(bank, to, amount);
    }
}

static int work(void *args)
{
    for (int i = 0; i < 1000; i++) transfer(args, i % 2, 1 - i % 2, i);
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct bank bank;
    mp_process clerks[4];
    MP_CHECK(mp_rlock_create(&bank.lock, NULL));
    MP_CHECK(mp_array_create(&bank.accounts, 2, sizeof(struct account), &(mp_shared_options){.lock = bank.lock}));
    for (int i = 0; i < 4; i++) MP_CHECK(mp_process_start(&clerks[i], work, &bank, sizeof bank, NULL));
    MP_CHECK(mp_process_join_all(clerks, NULL, 4, MP_FOREVER));
    struct account *accounts = MP_ARRAY(struct account, bank.accounts);
    for (int i = 0; i < 2; i++)
        printf("account %d: %ld bookings, balance %ld\n", i, accounts[i].bookings, accounts[i].balance);
    return accounts[0].balance + accounts[1].balance == 0 && accounts[0].bookings == 4000 ? 0 : 1;
}
