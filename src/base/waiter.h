/* SPDX-License-Identifier: MIT
 *
 * waiter.h - threads that wait, each on a word of its own, until another thread tells them how it went.
 *
 * For objects that have to know who waits: a condition lets so many go on and no more, a barrier breaks when somebody who is
 * waiting dies. Who waits for what stands in the threads' records and nowhere else, so there is no list to be torn; who tells
 * looks through the records. The word:
 *
 *     31       30  28  27    0
 *     | asleep | told  | turn |      turn: grows with each wait, and at its end
 *
 * Invariants:
 *   - W1: who begins to wait stores the turn, then ticket and object, each with release. Who tells reads the word, then the
 *     object and the ticket, and changes the word by compare-and-swap: what it read is of that very wait, or it fails.
 *   - W2: telling is a release, hearing it an acquire. A wait is told once; MP__TOLD_LOOK is not counted, it comes and goes.
 *   - W3: asleep is set before the thread sleeps. Who tells wakes it then, and should he die before that, or while there are
 *     others to be told, who recovers him does the rest (mp__waiters_after_death).
 *   - W4: what a dead thread has been told, and has not used, is passed on; from when that is looked at it can be told no more.
 *   - W5: between the beginning of a wait and a look whether it makes sense there is a fence, and between a change and telling
 *     of it: so either who waits sees the change, or it is told.
 */
#ifndef MP_BASE_WAITER_H
#define MP_BASE_WAITER_H

#include "base/control.h"

enum mp__told {
    MP__TOLD_NOTHING,
    MP__TOLD_LOOK, /* something is different, or a while has passed: look for yourself */
    MP__TOLD_GO,
    MP__TOLD_BROKEN,
    MP__TOLD_DEAD,
    MP__TOLD_CLOSED /* nothing, and can be told nothing: it does not wait */
};

#define MP__TICKETS_ALL UINT64_MAX
#define MP__WAITERS_ALL UINT32_MAX

/* Higher than all before. */
uint64_t mp__waiter_ticket(void);
/* This thread, which has a record, waits for that object from here on; a thread waits for one at a time. */
void mp__waiter_begin(uint64_t object, uint64_t ticket);
/* Until it is told something, or the deadline: MP__TOLD_NOTHING. After MP__TOLD_LOOK it goes on waiting. */
enum mp__told mp__waiter_wait(int64_t deadline);
/* From here on it waits no more, and nobody can tell it anything: the last that it was told. */
enum mp__told mp__waiter_end(void);

/* Tell threads that wait for that object with a ticket up to that one: so many at most, the lowest tickets first, or all. Who
 * is dead does not count. How many were told. */
uint32_t mp__waiters_tell(uint64_t object, uint64_t tickets, uint32_t count, enum mp__told told);
/* The same; but those of them who sleep are woken when this thread has let go of what they need: by mp__waiters_call, which who
 * does that calls if mp__self.calls is not 0. */
uint32_t mp__waiters_tell_later(uint64_t object, uint64_t tickets, uint32_t count, enum mp__told told);
void mp__waiters_call(void);
/* MP__TOLD_LOOK to those who wait for that object with one of these bits in their ticket. Async-signal-safe. */
void mp__waiters_tell_watchers(uint64_t object, uint64_t bits);
/* Whoever has been told something, and sleeps: another thread was to call it, and has not let go itself. */
void mp__waiters_call_all(void);
/* A lock was destroyed: MP__TOLD_LOOK for whoever waits in a condition that needs it. */
void mp__waiters_lost_lock(uint64_t lock);

/* A party of a barrier is dead that was in that round, which can not be complete any more if it is not yet. */
void mp__waiters_lost(struct mp__control *barrier, uint64_t id, uint64_t round);
/* A thread is dead: what it was told, or was about to tell. The arena's lock is held. */
void mp__waiters_after_death(struct mp__thread *dead);

#endif
