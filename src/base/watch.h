/* SPDX-License-Identifier: MIT
 *
 * watch.h - threads that wait for any of many things.
 *
 *     who waits                                          who makes something ready
 *       mp__watch_begin();                                 make it so, by what wakes who waits for that alone;
 *       for each: mp__watch(word), then let whoever        on the slow way, after all else: mp__watch_tell(word)
 *                 makes it ready go the slow way; is it?
 *       mp__watch_wait(deadline), and all of it again
 *       mp__watch_end();
 *
 * Who watches stands in its thread's record, as who waits for one thing does (waiter.h): the object is MP__WATCHES, the ticket
 * a set of bits, one for each word that others sleep on who wait for one thing alone. The same bits of all who watch stand in
 * the header: so who makes something ready that nobody watches looks at one word.
 *
 * Invariants:
 *   - X1: who watches has its bit in its record, then in the header, before it arms, and looks; with a fence before that. Who
 *     tells comes after its change, and after any flag that it takes away, with a fence; it takes the bit away first, then
 *     looks through the records. So either it finds the watcher, or that one arms and looks later.
 *     Who tells late, stopped in the middle of it, holds up those who watch, for 5 s at most; nobody else.
 *   - X2: to be told is to look at everything again, with all bits set anew. So nothing is lost should too many be told, or
 *     one who is killed then.
 *   - X3: after a death, and the end of a process, all who watch are told: what the dead one owed them is not written down, and
 *     that it is dead may be what they wait for.
 */
#ifndef MP_BASE_WATCH_H
#define MP_BASE_WATCH_H

#include "base/waiter.h"

#define MP__WATCHES UINT64_C(2) /* no id */

/* This thread, which has a record, waits for many things from here on; for none yet. */
void mp__watch_begin(void);
/* This one, too: what others sleep on by that word. A full fence. */
void mp__watch(const _Atomic uint32_t *word);
/* Until one may be ready, or the deadline. */
void mp__watch_wait(int64_t deadline);
void mp__watch_end(void);

/* What others sleep on by that word may be ready. Async-signal-safe. */
void mp__watch_tell(const _Atomic uint32_t *word);
/* Anything may: X3. */
void mp__watch_tell_all(void);

#endif
