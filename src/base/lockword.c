/* SPDX-License-Identifier: MIT
 *
 * lockword.c - the slow half of taking a lock, and releasing one.
 */
#include "base/lockword.h"
#include "base/deadline.h"
#include "base/park.h"

static bool same_generation(uint64_t state, uint64_t free_state)
{
    return (state ^ free_state) >> 32 == 0;
}

/* Look at it again and again for a while: 1 taken, 0 not, MP_EBADHANDLE. */
static int spin(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner, uint32_t flags)
{
    struct mp__spin spin = mp__spin_begin();
    while (mp__spin_again(&spin)) {
        uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
        if (!same_generation(seen, free_state)) return MP_EBADHANDLE;
        if (seen & MP__LOCK_OWNER) continue;
        uint64_t taken = free_state | flags | owner | (seen & MP__LOCK_WAITERS);
        if (atomic_compare_exchange_strong_explicit(state, &seen, taken, memory_order_acquire, memory_order_relaxed)) {
            mp__spin_end(&spin, true);
            return 1;
        }
    }
    mp__spin_end(&spin, false);
    return 0;
}

int mp__lockword_wait(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner, int64_t deadline)
{
    uint32_t flags = 0; /* MP__LOCK_WAITERS once this thread has slept */
    bool poll = mp__deadline_passed(deadline);
    for (;;) {
        int result = poll ? 0 : spin(state, free_state, owner, flags);
        if (result == 1) return 0;
        uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
        if (result < 0 || !same_generation(seen, free_state)) {
            /* The wake that ended the sleep may have been meant for a sleeper of the object that lives here now. */
            if (flags) mp__park_wake(state, 1);
            return MP_EBADHANDLE;
        }
        if (!(seen & MP__LOCK_OWNER)) { /* free: only by now, or nobody spins here */
            uint64_t taken = free_state | flags | owner | (seen & MP__LOCK_WAITERS);
            if (atomic_compare_exchange_strong_explicit(state, &seen, taken, memory_order_acquire,
                                                        memory_order_relaxed))
                return 0;
            continue;
        }
        if (!flags && mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        if (!(seen & MP__LOCK_WAITERS)) {
            if (!atomic_compare_exchange_strong_explicit(state, &seen, seen | MP__LOCK_WAITERS, memory_order_relaxed,
                                                         memory_order_relaxed))
                continue;
            seen |= MP__LOCK_WAITERS;
        }
        /* Who has slept leaves only now, with the flag set: the wake that he may have used up was meant for one of
         * those who sleep, and the next release has to make up for it. */
        if (flags && mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        (void)mp__park_sleep(mp__word_of(state), (uint32_t)seen, deadline);
        flags = MP__LOCK_WAITERS;
    }
}

int mp__lockword_release(_Atomic uint64_t *state, uint64_t free_state, uint32_t only)
{
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    do {
        if (!same_generation(seen, free_state)) return MP_EBADHANDLE;
        if (!(seen & MP__LOCK_OWNER)) return MP_EOVERFLOW;
        if (only && (seen & MP__LOCK_OWNER) != only) return MP_ENOTOWNER;
    } while (!atomic_compare_exchange_weak_explicit(state, &seen, free_state, memory_order_release, /* K1 */
                                                    memory_order_relaxed));
    if (seen & MP__LOCK_WAITERS) mp__park_wake(state, 1);
    return 0;
}
