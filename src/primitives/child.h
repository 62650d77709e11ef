/* SPDX-License-Identifier: MIT
 *
 * child.h - what a child does between its first and its last instruction.
 */
#ifndef MP_PRIMITIVES_CHILD_H
#define MP_PRIMITIVES_CHILD_H

#include "base/family.h"
#include "os/os.h"
#include <mp/process.h>

/* How a child leaves. */
enum mp__child_kind {
    MP__CHILD_COPY,   /* by _exit: a copy of its parent, whose exit handlers are none of its business */
    MP__CHILD_SERVED, /* likewise, and it says itself that it has ended */
    MP__CHILD_PROGRAM /* by exit: a program of its own */
};

/* For a copy that is to be a child later: do already what needs no knowledge of which. */
void mp__child_get_ready(void);
/* Be the process `id`: run the target on a copy of the arguments, and end. */
_Noreturn void mp__child_run(struct mp__process *record, uint64_t id, enum mp__child_kind kind, mp_target target,
                             const void *args, size_t args_size);
/* Be the process `id`, with target and arguments as they were delivered, and end. */
_Noreturn void mp__child_receive(struct mp__process *record, uint64_t id, enum mp__child_kind kind);
/* End as the process `id` without having run anything: join reports `failure`. */
_Noreturn void mp__child_fail(uint64_t id, int failure);

/* Have this process's end looked after: its children, and the word to the family. Once a process, by whoever is first
 * to need it. */
void mp__child_watch_exit(void);

#endif
