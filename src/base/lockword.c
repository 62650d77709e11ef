/* SPDX-License-Identifier: MIT
 *
 * lockword.c - the slow half of taking a lock, and releasing one.
 */
#include "base/lockword.h"
#include "base/deadline.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/recover.h"
#include "base/thread.h"
#include "base/trace.h"
#include "base/waiter.h"

#include <mp/error.h>

#define HUNGRY   INT64_C(4000000) /* ns: who has waited for so long in vain says so */
#define COURTESY INT64_C(1000000) /* ns: for so long, at most, others let such a one go first */
#define LOOKS    16 /* so many sleeps, and the owner's process itself is asked for, whatever its life says */

/* Who sleeps looks at the lock again after a while: it may have another owner by now, whose death wakes nobody here. The
 * janitor sees that sooner, if there is one, and is woken by it; but where words can not be slept on (os.h) who waits asks for
 * the owner's process itself, each time. */
static int64_t slice(bool watched)
{
    return watched && mp_os_word_sleeps() ? MP__PARK_SLICE_TOLD : MP__PARK_SLICE;
}

static bool same_generation(uint64_t state, uint64_t free_state)
{
    return (state ^ free_state) >> 32 == 0;
}

/* Take it, free as it was seen. */
static bool take(_Atomic uint64_t *state, uint64_t *seen, uint64_t free_state, uint32_t owner, uint32_t flags)
{
    uint64_t taken = free_state | flags | owner | (*seen & MP__WAITERS);
    return atomic_compare_exchange_strong_explicit(state, seen, taken, memory_order_acquire, memory_order_relaxed);
}

/* Whether it is to be had, for who has slept (flags) or not. */
static bool is_free(uint64_t seen, uint32_t flags)
{
    return !(seen & MP__LOCK_OWNER) && (flags || !(seen & MP__LOCK_HUNGRY));
}

/* Look at it again and again, for a while; what was seen last is in *seen. */
static bool spin(_Atomic uint64_t *state, uint64_t *seen, uint64_t free_state, uint32_t owner, uint32_t flags)
{
    struct mp__spin spin = mp__spin_begin();
    bool done = false;
    while (!done && mp__spin_again(&spin)) {
        *seen = atomic_load_explicit(state, memory_order_relaxed);
        if (!same_generation(*seen, free_state)) break;
        done = is_free(*seen, flags) && take(state, seen, free_state, owner, flags);
    }
    mp__spin_end(&spin, done);
    return done;
}

/* It is free, and hungry: let those who have slept go first, as long as that may take. */
static void be_courteous(const _Atomic uint64_t *state, uint64_t seen)
{
    int64_t end = mp_os_now() + COURTESY;
    while (atomic_load_explicit(state, memory_order_relaxed) == seen && mp_os_now() < end) mp_os_yield();
}

static int wait(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner, int64_t deadline,
                const struct mp__detect *detect)
{
    uint32_t flags = 0; /* MP__WAITERS once this thread has slept */
    unsigned looks = 0;
    uint64_t seen = 0, slept_at = 0, waited_for = 0; /* a free lock, once */
    int64_t since = 0;
    for (bool poll = mp__deadline_passed(deadline);;) {
        bool same = slept_at && atomic_load_explicit(state, memory_order_relaxed) == slept_at;
        bool done = !poll && !same && spin(state, &seen, free_state, owner, flags);
        if (!done) seen = atomic_load_explicit(state, memory_order_relaxed);
        if (!done && !same_generation(seen, free_state)) {
            /* The wake that ended the sleep may have been meant for a sleeper of the object that lives here now. */
            if (flags) mp__park_wake(state, 1);
            return MP_EBADHANDLE;
        }
        if (!done && !(seen & MP__LOCK_OWNER) && !is_free(seen, flags) && !poll && seen != waited_for) {
            be_courteous(state, seen);
            waited_for = seen;
            continue;
        }
        /* Free: only by now, or nobody spins here. */
        if (!done && !(seen & MP__LOCK_OWNER)) {
            done = take(state, &seen, free_state, owner, flags);
            if (!done) continue;
        }
        if (done) return seen & MP__LOCK_DIED ? MP_OWNERDEAD : 0;
        /* Dead, it gives the lock up: with MP__LOCK_DIED. */
        bool watched = mp__janitor_ensure(false);
        bool thorough = same && (!mp_os_word_sleeps() || ++looks % LOOKS == 0);
        if (mp__recover_if_dead((uint32_t)seen & MP__LOCK_OWNER, thorough)) continue;
        if (!flags && mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        int64_t now = mp_os_now();
        if (!since) since = now;
        uint64_t mark = MP__WAITERS | (flags && now - since > HUNGRY ? MP__LOCK_HUNGRY : 0);
        if ((seen & mark) != mark) {
            if (!atomic_compare_exchange_strong_explicit(state, &seen, seen | mark, memory_order_relaxed,
                                                         memory_order_relaxed))
                continue;
            seen |= mark;
        }
        /* Who has slept leaves only now, with the flag set: the wake that he may have used up was meant for one of
         * those who sleep, and the next release has to make up for it. */
        if (flags && mp__deadline_passed(deadline)) return MP_ETIMEDOUT;
        if (detect && mp__deadlock_found(detect, state)) return MP_EDEADLK;
        mp__park_sleep_behind((uint32_t)seen & MP__LOCK_OWNER, mp__word_of(state), (uint32_t)seen,
                              mp__deadline_slice(deadline, slice(watched)));
        flags = MP__WAITERS;
        slept_at = seen;
        mp__recover_look();
        /* It may have been woken as the only one by a death: of who had the lock then, or of the janitor. */
        (void)mp__recover_if_dead((uint32_t)seen & MP__LOCK_OWNER, false);
        (void)mp__janitor_ensure(false);
    }
}

int mp__lockword_wait(_Atomic uint64_t *state, uint64_t free_state, uint32_t owner, int64_t deadline,
                      const struct mp__detect *detect)
{
    if (mp__lockword_try(state, free_state, owner)) return 0; /* this thread had no record yet, or it is free by now */
    if (mp__deadline_passed(deadline))
        mp__thread_intend(mp__word_of(state)); /* who looks once does not wait */
    else
        mp__thread_intend_to_take(mp__word_of(state), deadline == MP_OS_NEVER);
    struct mp__span span = mp__trace_open();
    int result = wait(state, free_state, owner, deadline, detect);
    if (span.begin) mp__trace_close(&span, MP__TRACE_LOCK, mp__trace_of_word(state), 0);
    mp__thread_done();
    return result;
}

static int release(_Atomic uint64_t *state, uint64_t free_state, uint32_t only)
{
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    do {
        if (!same_generation(seen, free_state)) return MP_EBADHANDLE;
        if (!(seen & MP__LOCK_OWNER)) return MP_EOVERFLOW;
        if (only && (seen & MP__LOCK_OWNER) != only) return MP_ENOTOWNER;
    } while (!atomic_compare_exchange_weak_explicit(state, &seen, free_state | (seen & MP__LOCK_HUNGRY),
                                                    memory_order_release, /* K1 */
                                                    memory_order_relaxed));
    if (seen & MP__WAITERS) mp__park_wake(state, 1);
    return 0;
}

int mp__lockword_release(_Atomic uint64_t *state, uint64_t free_state, uint32_t only)
{
    (void)mp__thread_join(); /* who has no record has nowhere to write down what it intends */
    mp__thread_intend(mp__word_of(state));
    int result = release(state, free_state, only);
    mp__thread_done();
    if (mp__self.calls) mp__waiters_call();
    return result;
}

bool mp__lockword_owner_died(_Atomic uint64_t *state, uint32_t owner)
{
    const uint64_t left = MP__LOCK_DIED | MP__WAITERS;
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    do {
        /* Who did this before may have died before it woke anybody. */
        if ((seen & MP__LOCK_OWNER) != owner) return !(seen & MP__LOCK_OWNER) && (seen & left) == left;
    } while (!atomic_compare_exchange_weak_explicit(
        state, &seen, (seen & ~(uint64_t)MP__LOCK_OWNER) | MP__LOCK_DIED,
        memory_order_acq_rel, /* K1: what the dead did under it is visible to the next owner */
        memory_order_relaxed));
    return seen & MP__WAITERS;
}
