/* SPDX-License-Identifier: MIT
 *
 * recover.h - what a dead thread held is taken from it.
 *
 * A thread can be killed anywhere. Its number stands in the words of the locks that it held, so its record is kept until
 * those have been given up for it: with MP__LOCK_DIED in its place. Whoever notices first does that, and may be killed in
 * it: the next one does it again. Who notices: who waits for one of its locks; who learns that its process has ended.
 */
#ifndef MP_BASE_RECOVER_H
#define MP_BASE_RECOVER_H

#include "base/arena.h"

/* Where only a parent sees the end of a child (mp_os_end_is_visible), every process looks at its own while it waits for
 * anything: others may wait for what they held. By this: */
void mp__recover_by_looking(void (*look)(void));
void mp__recover_look(void);

/* The thread of that number and stamp is dead, or ends: give up what it holds, and its record. Another one may have done so,
 * and the number be somebody else's by now. */
void mp__recover(uint32_t number, uint64_t stamp);
/* Likewise, if it is dead. True if it was, and is recovered. */
bool mp__recover_if_dead(uint32_t number, bool thorough);

/* A process has ended, in order or not: the units of semaphores that it owned, its places in barriers, and whom a thread of it
 * was about to wake that had no record. */
void mp__recover_belongings(uint64_t id);
/* Its places in barriers, once more. B1: who tells of an end publishes that, and then looks for barriers; who creates one does
 * that, and then asks whether its members have ended. Both take the arena's lock in between, so one of them sees the other. */
void mp__recover_places(uint64_t id);
/* A process is dead: what it was about to create, or to destroy. */
void mp__recover_process(uint64_t id);
/* A pool goes, and all that is its own; none of its processes is there any more. By its maker, which is written down in it, and
 * has its lock; or by who finds that dead. */
void mp__recover_pool(uint64_t id);
/* Whether there are channels or messages: what a process leaves there it may also leave when it ends in order. */
bool mp__has_channels(void);
/* This process ends, in order: the messages that it owns are freed. */
void mp__recover_messages(uint64_t id);
/* Some process died before it was registered, or while it gave up a record: what is left of those. */
void mp__recover_strays(void);

#endif
