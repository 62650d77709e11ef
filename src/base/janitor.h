/* SPDX-License-Identifier: MIT
 *
 * janitor.h - the family's janitor, as the members see it.
 *
 * It is one small process of the family, and no member: it looks after the deaths that nobody waits for. It sleeps until
 * somebody dies. Who is new rings, if it sleeps already; while it is awake it looks from time to time.
 *
 *     J1  who is new: writes its record, fence, looks whether the janitor sleeps, if so counts the bell up and wakes it;
 *         the janitor: says that it sleeps, fence, looks at the records, sleeps if nobody rang since it said so.
 *
 * One of them sees the other. Who rings may die in between: then the next one rings all the same.
 */
#ifndef MP_BASE_JANITOR_H
#define MP_BASE_JANITOR_H

#include "base/arena.h"

/* A thread or a process is new. */
void mp__janitor_ring(void);
/* What starts one: it comes, or does not, a little later. */
void mp__janitor_launch_by(void (*launch)(void));
/* See to it that there is one. True if there is now. Where its life does not tell the system is asked from time to time;
 * or in any case, if `thorough`. */
bool mp__janitor_ensure(bool thorough);
/* Sleep while the word has that value, until woken, or for no reason, or the deadline: by any thread that waits for what others
 * do, whose deaths the janitor sees. Should it be dead itself, this one sees to that. */
void mp__janitor_sleep(_Atomic uint32_t *word, uint32_t value, int64_t deadline);

/* By the janitor itself. Be it: false if there is one. */
bool mp__janitor_claim(void);
/* Not be it any more, if nobody is left, which is asked under the arena's lock. */
bool mp__janitor_retire(bool (*nobody)(void));
/* It is about to sleep: what the bell says now; who is new rings from here on. Or it is awake. */
uint32_t mp__janitor_lie_down(void);
void mp__janitor_get_up(void);

#endif
