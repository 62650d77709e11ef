/* SPDX-License-Identifier: MIT
 *
 * janitor_main.h - the janitor itself; what its family sees of it is in base/janitor.h.
 */
#ifndef MP_PRIMITIVES_JANITOR_MAIN_H
#define MP_PRIMITIVES_JANITOR_MAIN_H

#include "os/os.h"

/* Start one. Should that fail the family goes without, and whoever waits looks itself. */
void mp__janitor_launch(void);
/* Be it, until the family has ended. A copy of another process, or a program of its own. */
_Noreturn void mp__janitor_run(bool copy);

/* What it finds when it looks at the whole family. */
struct mp__round {
    uint64_t members; /* a digest of who is there */
    bool nobody;      /* is, any more */
    bool again;       /* it has to look again soon: at somebody whose life does not tell */
    size_t count;     /* of lives, which may be more than there is room for */
    void *lives[MP_OS_LIVES_MOST];
};
/* Look at every process and thread: recover the dead, tell of their ends, end orphaned daemons. May be done by anybody at any
 * time, and may end anywhere within. */
void mp__janitor_look(struct mp__round *round);

#endif
