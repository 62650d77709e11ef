/* SPDX-License-Identifier: MIT
 *
 * deadlock.h - circles of threads, each of which waits for a lock that the next one holds.
 *
 * Who holds a lock stands in its word, and what a thread waits for in its record: it writes that down before it looks for a
 * circle, so of those who close one together the last, at least, sees it.
 */
#ifndef MP_BASE_DEADLOCK_H
#define MP_BASE_DEADLOCK_H

#include "base/arena.h"
#include <mp/handle.h>

/* How much a lock is to report, by its options, or because it is debugged. */
enum mp__detects {
    MP__DETECTS_NOTHING,
    MP__DETECTS_CERTAIN, /* waits for ever, and not for a lock that the thread itself has: somebody else may release that */
    MP__DETECTS_ALL
};

static inline uint32_t mp__detects(bool wanted)
{
#ifdef NDEBUG
    return wanted ? MP__DETECTS_ALL : MP__DETECTS_NOTHING;
#else
    return wanted ? MP__DETECTS_ALL : MP__DETECTS_CERTAIN;
#endif
}

/* What a call looks for. */
struct mp__detect {
    const char *call; /* for the detail */
    size_t least;     /* locks in the circle */
    bool forever;     /* all of them wait without a time-out */
};

/* For a wait of so many milliseconds; NULL: nothing. */
static inline const struct mp__detect *mp__detect(struct mp__detect *room, uint32_t detects, int64_t timeout_ms,
                                                  const char *call)
{
    if (detects == MP__DETECTS_NOTHING || (detects == MP__DETECTS_CERTAIN && timeout_ms != MP_FOREVER)) return NULL;
    *room = (struct mp__detect){
        .call = call, .least = detects == MP__DETECTS_ALL ? 1 : 2, .forever = detects != MP__DETECTS_ALL};
    return room;
}

/* The calling thread is about to sleep for the lock of that word, and has written that down: whether it would wait for itself.
 * Then the error's detail names who and what. */
bool mp__deadlock_found(const struct mp__detect *detect, _Atomic uint64_t *state);

#endif
