/* SPDX-License-Identifier: MIT
 *
 * children.h - the children that this process has started and not yet seen end, and what becomes of them when it ends.
 */
#ifndef MP_PRIMITIVES_CHILDREN_H
#define MP_PRIMITIVES_CHILDREN_H

#include "base/family.h"

/* Room for one more, taken before it is started, so that nothing can fail afterwards. NULL: no memory (detail set). */
struct mp__child;
struct mp__child *mp__child_prepare(void);
/* Tell the family of those that have ended. */
void mp__children_look(void);
void mp__child_cancel(struct mp__child *child);
/* It runs. */
void mp__child_add(struct mp__child *child, uint64_t id, const mp_os_process *process, bool daemon);

/* Wait for any process of the family to end, and learn how. 0, MP_ETIMEDOUT, or MP_EBADHANDLE: it was closed meanwhile
 * (no detail set). *ending as in its record. */
int mp__process_await(uint64_t id, int64_t deadline, uint64_t *ending);

/* Tell the family what the system says of how a process ended. */
void mp__process_report(uint64_t id, const mp_os_ending *ending);

/* Send a signal to any process of the family. 0, or the system's error; mp_os_egone: it has ended. */
int mp__process_signal(uint64_t id, enum mp_os_signal signal);

/* Look after some of the children that may have ended, so that none stays a zombie while others are started. */
void mp__children_tidy(void);
/* Reap all that have ended; list those that run. The number of them; as many ids as fit. */
size_t mp__children_alive(uint64_t *ids, size_t capacity);

/* The end of this process: end the daemons, join the others. */
void mp__children_finish(void);
/* Its end by a failure: end all of them. */
void mp__children_kill(void);
/* This process is a copy: its original's children are not its own. */
void mp__children_forget(void);

#endif
