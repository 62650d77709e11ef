/* SPDX-License-Identifier: MIT
 *
 * guard_word.h - guards (os.h) in a 64-bit word, for systems whose own locks do not survive their owners, or not in
 * memory that processes share. A port's guard.c includes it for all of its functions.
 *
 *     63        32 31  0
 *     | turn      | pid |      pid 0: free. The turn grows with each change of hands.
 *
 * Who waits looks now and then whether the owner lives. G1: a release is a release store, taking it an acquire: what
 * happened under the guard is visible to the next one. A dead one's word changes by compare-and-swap of the turn, too:
 * only one of those who wait takes it over, and never from somebody who has been given the same pid since.
 *
 * G2: who has waited for long asks in the inquiry for the guard's word, its turn and its owner; whoever waits for any guard, and
 * knows that this owner is dead, answers with the same. It is asked again and again, so questions may overwrite each other. Who
 * uses an answer, or knows it himself, takes it away. Turns of different guards begin far apart, and come back after 2^32 changes
 * of hands: so one that is left over names no other owner of the same pid.
 */
#ifndef MP_OS_GUARD_WORD_H
#define MP_OS_GUARD_WORD_H

#include "os/os.h"

#define GUARD_YIELDS 100
#define GUARD_SLEEP  INT64_C(50000)    /* ns, doubled up to: */
#define GUARD_NAP    INT64_C(1000000)  /* ns */
#define GUARD_LOOK   INT64_C(20000000) /* ns between looks whether an owner lives */

static bool take(_Atomic uint64_t *word, uint64_t seen)
{
    uint64_t mine = ((seen >> 32) + 1) << 32 | (uint32_t)mp_os_pid();
    return atomic_compare_exchange_strong_explicit(word, &seen, mine, memory_order_acquire, /* G1 */
                                                   memory_order_relaxed);
}

int mp_os_guard_init(void *guard)
{
    uint64_t turn = (uint32_t)((uintptr_t)guard / 64 * UINT32_C(2654435769)); /* G2 */
    atomic_store_explicit((_Atomic uint64_t *)guard, turn << 32, memory_order_relaxed);
    return 0;
}

static bool is_gone(uint64_t seen)
{
    return mp_os_process_is_gone((int64_t)(uint32_t)seen, 0);
}

/* Whether the owner in that word is dead, as far as this process knows, or another one that waits: G2. */
static bool inquire(struct mp_os_inquiry *inquiry, uint64_t seen)
{
    uint64_t asked = atomic_load_explicit(&inquiry->asked, memory_order_relaxed), dead = seen;
    if (asked && asked != seen && is_gone(asked)) atomic_store_explicit(&inquiry->dead, asked, memory_order_relaxed);
    if (atomic_compare_exchange_strong_explicit(&inquiry->dead, &dead, 0, memory_order_relaxed, memory_order_relaxed) ||
        is_gone(seen))
        return true;
    atomic_store_explicit(&inquiry->asked, seen, memory_order_relaxed);
    return false;
}

bool mp_os_guard_acquire(void *guard, struct mp_os_inquiry *inquiry)
{
    _Atomic uint64_t *word = guard;
    uint64_t watched = 0;
    int64_t since = 0, nap = GUARD_SLEEP;
    for (int tries = 0;; tries++) {
        uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
        if (!(uint32_t)seen) {
            if (take(word, seen)) return true;
            continue;
        }
        if (tries < GUARD_YIELDS) {
            mp_os_yield();
            continue;
        }
        int64_t now = mp_os_now();
        if (seen != watched) {
            watched = seen;
            since = now;
        } else if (now - since >= GUARD_LOOK) {
            if (inquire(inquiry, seen) && take(word, seen)) return false;
            since = now;
        }
        mp_os_sleep(nap);
        nap = nap * 2 < GUARD_NAP ? nap * 2 : GUARD_NAP;
    }
}

void mp_os_guard_repaired(void *guard)
{
    (void)guard; /* should this one die now, its successor learns of it in the same way */
}

void mp_os_guard_release(void *guard)
{
    _Atomic uint64_t *word = guard;
    uint64_t mine = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, mine >> 32 << 32, memory_order_release); /* G1 */
}

#endif
