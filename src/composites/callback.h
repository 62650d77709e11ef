/* SPDX-License-Identifier: MIT
 *
 * callback.h - callbacks: what this process has submitted, and how its threads are told of it while they wait or poll.
 */
#ifndef MP_COMPOSITES_CALLBACK_H
#define MP_COMPOSITES_CALLBACK_H

#include "composites/pool_call.h"

/* Calls whose callbacks have not been run, in this process. Both numbers are hints, without any order: the lists are looked at
 * under their lock, and what is in an inbox is seen by its flag (E2) and the pool's lock. */
extern _Atomic size_t mp__callbacks;
/* Pools from which it wants, or wanted, to be called back. */
extern _Atomic size_t mp__mailboxes;

static inline bool mp__callbacks_wanted(void)
{
    return atomic_load_explicit(&mp__callbacks, memory_order_relaxed) != 0;
}

/* Have a call told of, if its options ask for that: before it is submitted. 0 or an error (detail set). */
int mp__callback_prepare(struct mp__call *call);
/* It was submitted, and has that result; or it was not, and was unlinked before. */
void mp__callback_submitted(const struct mp__call *call, uint64_t result);
/* Nobody is to be called back. Returns what is to be disposed of then, without a lock; NULL: somebody else does that. */
void *mp__callback_unlink(void *cookie);
void mp__callback_dispose(void *pending);

/* Run those that are due, of that pool, and show how far others are; not from within one. Returns their number, or an error
 * (detail set). */
int mp__callbacks_run(const char *call, uint64_t pool);
/* All that are due, whoever else is about to: nothing comes after that, as the pool is about to go. */
void mp__callbacks_drain(const char *call, uint64_t pool);
/* The flag that says that some are due; 0: there has been none yet. And how long to wait for that. */
uint64_t mp__callbacks_flag(uint64_t pool);
int64_t mp__callbacks_slice(uint64_t pool, int64_t deadline);
/* There is no such pool any more. The second asks whether that is so. */
void mp__callbacks_forget(uint64_t pool);
void mp__callbacks_settle(uint64_t pool);

/* Whether this thread runs something of the caller's now, and is not to be called back: from here on. Returns what it was. */
bool mp__callbacks_hold(bool hold);

/* Call the one that fits, of a call that waits. */
void mp__callback_call(const mp_call_options *options, uint64_t result, bool failed);

#endif
