/* SPDX-License-Identifier: MIT
 *
 * lockword.h - the lock in a 64-bit state: who has it, and whether somebody sleeps for it.
 *
 *     63           32 31       30     29       28   24 23     0
 *     | generation   | waiters | died | hungry | 0    | owner |      owner: index of the thread's record + 1; 0: free
 *
 * Invariants:
 *   - Whoever changes the word does so by compare-and-swap on all 64 bits: on a destroyed object it fails.
 *   - waiters is set before anybody sleeps, and stays set until a release clears it, who then wakes one. Who was woken
 *     takes the lock with waiters set, since it can not know whether others sleep: at worst one wake too many.
 *   - Who waits, and who releases, says so before in its thread's record (intents): should it die, having used up a wake or
 *     not having made one, all who sleep here are woken.
 *   - died is set when an owner has died, instead of it. The next owner takes it away, and is told. Who waits looks
 *     whether the owner lives before it sleeps, and is woken when that dies, or looks again a little later (recover.h).
 *   - hungry is set by who has slept, waits for long, and finds that others were quicker once more. While a free lock is hungry
 *     who has not slept for it lets those go first who have, for a moment; then anybody may take it, and takes hungry away.
 *     So nobody is reserved anything that would be lost by a death.
 *   - K1: a release is a release store to the word; an acquire is an acquire load of it. What happened under the lock
 *     is visible to the next owner.
 */
#ifndef MP_BASE_LOCKWORD_H
#define MP_BASE_LOCKWORD_H

#include "base/control.h"
#include "base/deadlock.h"

#define MP__LOCK_DIED   UINT32_C(0x40000000)
#define MP__LOCK_HUNGRY UINT32_C(0x20000000)
#define MP__LOCK_OWNER  UINT32_C(0x00ffffff)

/* Take it if it is free. `free_state` is the generation alone. */
static inline bool mp__lockword_try(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner)
{
    return atomic_compare_exchange_strong_explicit(state, &free_state, free_state | owner,
                                                   memory_order_acquire, /* K1 */
                                                   memory_order_relaxed);
}

/* Free it if it is that owner's and nobody sleeps. */
static inline bool mp__lockword_free(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner)
{
    uint64_t taken = free_state | owner;
    return atomic_compare_exchange_strong_explicit(state, &taken, free_state, memory_order_release, /* K1 */
                                                   memory_order_relaxed);
}

/* Whether it is that owner's. */
static inline bool mp__lockword_is(const _Atomic uint64_t *state, uint64_t free_state, uint32_t owner)
{
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed); /* nobody else makes it this owner's, or not */
    return owner && (seen & MP__LOCK_OWNER) == owner && seen >> 32 == free_state >> 32;
}

/* Take it, spinning and sleeping as long as that takes: 0, MP_OWNERDEAD: taken, and its last owner died; MP_ETIMEDOUT, or
 * MP_EBADHANDLE: the generation is over. It looks for circles of waiters as `detect` says
 * (NULL: not): MP_EDEADLK, it would wait for itself (detail set). */
int mp__lockword_wait(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner, int64_t deadline,
                      const struct mp__detect *detect);

/* Free it, if it has any owner (only == 0) or that one: 0; MP_EOVERFLOW: it is free; MP_ENOTOWNER; MP_EBADHANDLE. */
int mp__lockword_release(_Atomic uint64_t *state, uint64_t free_state, uint32_t only);

/* If it is that owner's, who is dead: it is free, and died. True if somebody may sleep and has to be woken; also if the one
 * who did the same before has not come to that. */
bool mp__lockword_owner_died(_Atomic uint64_t *state, uint32_t owner);

#endif
