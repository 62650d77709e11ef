/* SPDX-License-Identifier: MIT
 *
 * holders.h - who could yet do what others wait for.
 *
 * The holders of an object are the processes that were given it, in their arguments, and those that have used it; of a queue
 * its creator, too, of anything else as long as nobody but who asks was or has. Who waits for something that only another
 * holder can do waits in vain once they are all dead: mp__holders_sleep says so. That somebody has a handle among the bytes
 * of a message, and has not used it yet, nobody can know. By any thread of any process; moments are mp_os_now's.
 *
 *     use:   mp__hold(object, id); ...
 *     wait:  while (there is nothing to be had) {
 *                result = mp__holders_sleep(&wanted, word, value, deadline);
 *                if (result < 0) { look once more: it may have been done before the death; return result; }
 *            }
 */
#ifndef MP_BASE_HOLDERS_H
#define MP_BASE_HOLDERS_H

#include "base/control.h"
#include "base/family.h"

#include <mp/handle.h>

/* This process is a holder from now on. 0, or MP_ENOMEM, MP_ELIMIT, MP_EBADHANDLE (no detail set). */
int mp__holders_join(struct mp__control *object, uint64_t id);

/* What this process knows to hold, by the lower bits of the index. It stands there together with who it is, so that a copy of
 * this process finds nothing. */
#define MP__HOLDS 64
extern _Atomic uint64_t mp__holds[MP__HOLDS];

static inline uint64_t mp__hold_mark(uint64_t id)
{
    return id ^ (mp__family_id() * UINT64_C(0x9e3779b97f4a7c15));
}

/* The same, for each use: most know it already. */
static inline int mp__hold(struct mp__control *object, uint64_t id)
{
    if (atomic_load_explicit(&mp__holds[id % MP__HOLDS], memory_order_relaxed) == mp__hold_mark(id)) return 0;
    return mp__holders_join(object, id);
}

/* A process is to be started that finds handles among these bytes, of which the first MiB is looked at: from now on it counts
 * as one that could do something. How many handles there are, or MP_ENOMEM, MP_ELIMIT (detail set). */
int mp__holders_give(const void *bytes, size_t size, uint64_t process);
/* It was started: that it has died will count, too. */
void mp__holders_given(const void *bytes, size_t size, uint64_t process);

/* What is waited for, by whom.
 *
 * A process that lives does not count either while all its threads are idle: they sleep for the same, without a time-out, or
 * for the end of a process that is idle itself, or is the one that asks. Who sleeps says so in its thread's record (`idles`). A
 * thread without a record is not idle, where the system says how many threads a process has.
 *
 *     H2: who falls asleep says for what, fence, and then looks at the others: so of several that fall asleep the last one sees
 *     that all are. Who begins to wait for the end of a process wakes those who sleep at queues: they look again. */
struct mp__wanted {
    const struct mp__control *object;
    uint64_t id;
    uint64_t besides; /* a process that does not count; 0: all do */
    uint64_t idle;    /* the side of a channel; 0: whoever lives counts */
};

/* Whether anybody can yet do something with an object. */
enum mp__peers {
    MP__PEERS_NONE, /* there never was anybody else */
    MP__PEERS_ALIVE,
    MP__PEERS_DEAD
};
/* *peer: a holder that lives, or NULL; one whose life can be slept on, if there is such a one. */
enum mp__peers mp__holders_look(const struct mp__wanted *wanted, struct mp__process **peer);

/* Sleep while the word has that value: 0, or MP_ETIMEDOUT at the deadline; MP_EPEERDEAD: all others are dead (no detail set).
 * A death ends it within some 100 ms, where the system can sleep on lives at once. */
int mp__holders_sleep(const struct mp__wanted *wanted, _Atomic uint32_t *word, uint32_t value, int64_t deadline);
/* This thread waits for the end of that process from here on, without a time-out; 0: not any more. */
void mp__holders_join_begins(uint64_t process);

#endif
