/* SPDX-License-Identifier: MIT
 *
 * leash.h - daemons end with this process, however it ends.
 */
#ifndef MP_PRIMITIVES_LEASH_H
#define MP_PRIMITIVES_LEASH_H

#include "os/os.h"

/* This process's, made when it is first needed. NULL: it can not be had, and the janitor alone ends the daemons. */
const mp_os_leash *mp__leash(void);
/* This process is a copy: the leash is its original's. */
void mp__leash_forked(void);
/* This copy is a child of that one: it obeys, if it is a daemon. */
void mp__leash_obey(bool daemon);

#endif
