/* SPDX-License-Identifier: MIT
 *
 * deadlock.h - circles of threads, each of which waits for a lock that the next one holds.
 *
 * Who holds a lock stands in its word, and what a thread waits for in its record: it writes that down before it looks for a
 * circle, so of those who close one together the last, at least, sees it.
 */
#ifndef MP_BASE_DEADLOCK_H
#define MP_BASE_DEADLOCK_H

#include "base/control.h"

/* Whether a lock that is not said to is to report circles. */
#ifdef NDEBUG
#define MP__DETECT_DEADLOCKS false
#else
#define MP__DETECT_DEADLOCKS true
#endif

/* The calling thread is about to sleep for the lock of that word, and has written that down: whether it would wait for itself.
 * Then the error's detail, of that call, names who and what. */
bool mp__deadlock_found(const char *call, _Atomic uint64_t *state);

#endif
