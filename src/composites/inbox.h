/* SPDX-License-Identifier: MIT
 *
 * inbox.h - inboxes: where a process finds those of its jobs that are finished. All but creating one with the pool's lock held.
 */
#ifndef MP_COMPOSITES_INBOX_H
#define MP_COMPOSITES_INBOX_H

#include "composites/change.h"

static inline struct mp__inbox *mp__inbox_at(uint64_t offset)
{
    return mp__pool_at(offset, sizeof(struct mp__inbox));
}

/* One of this process's: its offset and its flag. Open: the pool does not end before it is closed. 0 or an error (detail set).
 */
int mp__inbox_create(const char *call, uint64_t pool, bool open, uint64_t *offset, uint64_t *flag);
/* No more will be submitted for it. True: somebody waits for that, perhaps (mp__pool_leave_and_ring). */
bool mp__inbox_close(struct mp__pool *pool, uint64_t offset);
/* It goes. No job has it as its inbox. */
void mp__inbox_destroy(struct mp__pool *pool, uint64_t offset);

/* A job is finished by that change: P8. */
void mp__inbox_add(struct mp__change *change, uint64_t job_offset, struct mp__job *job);
/* And goes. */
void mp__inbox_remove(struct mp__change *change, uint64_t job_offset, struct mp__job *job);
/* The first one is taken out: its offset, or 0. */
uint64_t mp__inbox_take(struct mp__pool *pool, uint64_t offset);

/* The owner of one is dead: what is in it is forgotten, and it goes. True if there was one. */
bool mp__inbox_bury(struct mp__pool *pool);
/* Who was to set a flag may be dead. */
void mp__inbox_tell_all(const struct mp__pool *pool);

#endif
