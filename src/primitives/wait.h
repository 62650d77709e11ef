/* SPDX-License-Identifier: MIT
 *
 * wait.h - looking whether something is ready, each type in its own file.
 *
 * By a thread with a record. watch: one that watches (base/watch.h) is told from here on when that may have changed. They
 * return one of those below, or an error (detail set).
 */
#ifndef MP_PRIMITIVES_WAIT_H
#define MP_PRIMITIVES_WAIT_H

#include <mp/handle.h>
#include <stdbool.h>

enum mp__readiness {
    MP__NOT_READY,
    MP__READY,
    MP__READY_AT_LAST, /* if nothing else is */
    MP__READY_SOON     /* perhaps: nobody will tell, look again in a moment */
};

int mp__process_look(const char *call, uint64_t id, bool watch);
int mp__connection_look(const char *call, uint64_t id, bool watch);
int mp__queue_look(const char *call, uint64_t id, bool watch);
int mp__event_look(const char *call, uint64_t id, bool watch);
int mp__semaphore_look(const char *call, uint64_t id, bool watch);
/* Of a result, or another flag of a pool: by composites/pool_result.c, as who waits for one looks after the pool. */
int mp__result_look(const char *call, uint64_t id, bool watch);

/* mp_wait, with the moment at which it gives up. */
int mp__wait(const mp_handle *items, size_t count, size_t *index, int64_t deadline);

/* Whichever it is. */
int mp__look(const char *call, uint64_t id, bool watch);

#endif
