/* SPDX-License-Identifier: MIT
 *
 * thread.h - the calling thread as the family knows it.
 */
#ifndef MP_BASE_THREAD_H
#define MP_BASE_THREAD_H

#include "base/arena.h"

struct mp__self {
    struct mp__thread *record; /* NULL: this thread has none yet */
    uint32_t owner;            /* its number, as it stands in lock words: index + 1 */
    uint64_t stamp;
    bool took;        /* a lock, or a wake: whoever has not owes nothing at its end */
    uint32_t intents; /* that are set; or would be, were there room */
    uint32_t calls;   /* threads to be woken when it lets go of a lock: waiter.c */
};
extern _Thread_local struct mp__self mp__self;

/* Give the thread a record, and the process a family, where they have none. 0, or why not (detail set). Its record is
 * given up when the thread ends. */
int mp__thread_join(void);

/* From here on, should this thread die, who sleeps on that word is woken by who recovers it; until: not any more. In pairs,
 * one within the other. The second: and it waits for the lock whose word that is, for ever or not. */
void mp__thread_intend(_Atomic uint32_t *word);
void mp__thread_intend_to_take(_Atomic uint32_t *word, bool forever);
void mp__thread_done(void);

/* From here on it sleeps for that, until 0: holders.h. */
static inline void mp__thread_idles(uint64_t what)
{
    if (mp__self.record) atomic_store_explicit(&mp__self.record->idles, what, memory_order_release);
}

/* It has taken a lock. */
static inline void mp__thread_took(void)
{
    _Atomic uint64_t *taken = &mp__self.record->taken; /* nobody else writes it */
    mp__self.took = true;
    atomic_store_explicit(taken, atomic_load_explicit(taken, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* The record of that number; NULL if it can not be mapped. */
struct mp__thread *mp__thread_at(uint32_t number);
/* The highest number that was ever given. */
uint32_t mp__thread_top(void);

/* What its sleeper is called. */
void mp__thread_sleeper_name(uint32_t number, uint64_t name[2]);

/* A copy of this process was made, and this is the copy: nothing of its thread's record is its own. */
void mp__thread_forget(void);
/* Give up the calling thread's record: its process ends. */
void mp__thread_leave(void);
/* Give up all records of a process that has ended, and what its threads held. */
void mp__thread_reclaim(uint64_t process);
/* Whether that thread is dead. Thorough: also ask the system whether its process is there. */
bool mp__thread_is_dead(uint32_t number, bool thorough);
/* Whether a thread of that process lives, for certain. */
bool mp__thread_lives_of(uint64_t process);
/* Give up the record of a thread that is dead, or ends. The arena's lock is held, and nothing is held by it. */
void mp__thread_give_back(struct mp__thread *thread, uint32_t number);

/* How many there are of that process; 0: in the family. */
uint32_t mp__thread_count(uint64_t process);

#endif
