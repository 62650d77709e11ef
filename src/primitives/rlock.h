/* SPDX-License-Identifier: MIT
 *
 * rlock.h - an rlock as a part of something else, and under a condition.
 */
#ifndef MP_PRIMITIVES_RLOCK_H
#define MP_PRIMITIVES_RLOCK_H

#include <mp/sync.h>

/* One that mp_rlock_destroy refuses: it goes with what it is a part of. */
int mp__rlock_create_part(mp_rlock *rlock, const char *name);
/* What it belongs to is there; or not any more: then it goes with this process. */
void mp__rlock_part_is_made(mp_rlock rlock, bool made);
int mp__rlock_destroy_part(mp_rlock rlock);

/* Give it back altogether, which this thread holds; how often it was taken again, or MP_EBADHANDLE. */
int64_t mp__rlock_let_go(mp_rlock rlock);
/* Its word is this thread's: as if it were taken again as often as that. */
void mp__rlock_resume(mp_rlock rlock, int64_t again);

#endif
