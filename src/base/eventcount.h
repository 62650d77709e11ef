/* SPDX-License-Identifier: MIT
 *
 * eventcount.h - sleeping until something may have changed that is not in the word one sleeps on.
 *
 *     who waits                                      who changes
 *       value = mp__eventcount_prepare(word);          change it
 *       is it as wanted? then do not sleep             a full fence
 *       sleep while the word is value                  if (!mp__eventcount_is_quiet(word)) mp__eventcount_ring(word, n)
 *
 *     31         30 29  0
 *     | sleepers | turn |
 *
 * Invariants:
 *   - T1: between setting sleepers and the look there is a fence, and between the change and looking for sleepers: so either
 *     who waits sees the change, or who changes sees that somebody sleeps.
 *   - T2: to ring takes another turn, then wakes: who has prepared and does not sleep yet will not. Sleepers stays set; who
 *     finds nobody to be woken takes it away if the word is what it made of it, and then wakes all who have come to sleep
 *     since.
 *   - T3: a death between the change and the ring, or of one who was woken: whoever recovers it rings for all
 *     (mp__eventcount_after_death). Who rings writes it down only where it takes sleepers away.
 */
#ifndef MP_BASE_EVENTCOUNT_H
#define MP_BASE_EVENTCOUNT_H

#include "base/control.h"

/* After a read-modify-write: a full fence, which that is by itself on x86. */
static inline void mp__fence_after_change(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline bool mp__eventcount_is_quiet(const _Atomic uint32_t *word)
{
    return !(atomic_load_explicit(word, memory_order_relaxed) & MP__WAITERS);
}

/* What to sleep on it with. Only while it can not become something else's. */
uint32_t mp__eventcount_prepare(_Atomic uint32_t *word);
/* Wake so many. Should the word be another object's by now it has no sleepers, as no other field has that bit, and stays as it
 * is. */
void mp__eventcount_ring(_Atomic uint32_t *word, uint32_t count);
/* Somebody who may have been about to ring it is dead: T3. */
void mp__eventcount_after_death(_Atomic uint32_t *word);

#endif
