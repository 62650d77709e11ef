/* SPDX-License-Identifier: MIT
 *
 * park.h - waiting: spin a little, then sleep on a word.
 *
 * The word is the lower half of a 64-bit state, or any 32-bit word of the arena. Who changes it so that a sleeper may
 * go on makes that known by mp__park_wake, and only if a flag in the word says that somebody sleeps: no system call
 * towards a peer that is awake.
 */
#ifndef MP_BASE_PARK_H
#define MP_BASE_PARK_H

#include "base/trace.h"

/* The 32 bits of a state that its word is. */
static inline _Atomic uint32_t *mp__word_of(_Atomic uint64_t *state)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (_Atomic uint32_t *)(void *)state + 1;
#else
    return (_Atomic uint32_t *)(void *)state;
#endif
}

/* Who sleeps for what another one does looks whether that lives after so long, ns: where the system does not tell of its
 * death; and where it does, should who was told die before it told others. */
#define MP__PARK_SLICE      INT64_C(80000000)
#define MP__PARK_SLICE_TOLD INT64_C(5000000000)

/* Sleep while the word has that value; 0 when woken, or for no reason; MP_ETIMEDOUT (no detail set). */
int mp__park_sleep(_Atomic uint32_t *word, uint32_t value, int64_t deadline);
/* How many were woken, as far as that is known: never 0 if there were any. Async-signal-safe. */
uint32_t mp__park_wake_word(_Atomic uint32_t *word, uint32_t count);
/* Likewise; also ends when that life is over (NULL: none), or the janitor's. False: the system can not sleep on so much, and
 * it has not slept. */
bool mp__park_sleep_beside(void *life, _Atomic uint32_t *word, uint32_t value, int64_t deadline);
/* Likewise, for what thread `number` will do; where the system can not tell of its death it just sleeps. */
void mp__park_sleep_behind(uint32_t number, _Atomic uint32_t *word, uint32_t value, int64_t deadline);

/* For who looks on, mp-top and the timeline: this thread sleeps on that word from here on, or on something else that tells of
 * the same; and that it has woken, with what the system said. */
struct mp__span mp__park_asleep(const _Atomic uint32_t *word);
void mp__park_awake(const struct mp__span *span, const _Atomic uint32_t *word, int error);

/* Its thread does not sleep any more: it has ended. */
void mp__park_forget(struct mp__thread *thread, uint32_t number);

static inline uint32_t mp__park_wake(_Atomic uint64_t *state, uint32_t count)
{
    return mp__park_wake_word(mp__word_of(state), count);
}

/* A moment. */
static inline void mp__pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* One spin before sleeping.
 *
 *     struct mp__spin spin = mp__spin_begin();
 *     while (not yet) if (!mp__spin_again(&spin)) sleep ...;
 *     mp__spin_end(&spin, it was worth it);
 *
 * Its length follows what has paid in this thread lately: a moving average of the time after which spins succeeded,
 * doubled; a little is always tried, so that it can learn. Looks get rarer as it goes on, to leave the cache line to
 * who is at work on it. */
struct mp__spin {
    int64_t start;   /* ns; 0: no spin, there is only one CPU, or it is switched off */
    int64_t limit;   /* ns */
    uint32_t pauses; /* before the next look */
};
struct mp__spin mp__spin_begin(void);
/* The same as long as it may be: the other one is known to be at work on it. */
struct mp__spin mp__spin_begin_long(void);
bool mp__spin_again(struct mp__spin *spin);
/* Likewise, but looks do not get rarer: for what takes long enough to be missed by much, and one at a time waits for. */
bool mp__spin_again_soon(struct mp__spin *spin);
void mp__spin_end(struct mp__spin *spin, bool paid);

#endif
