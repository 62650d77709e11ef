/* SPDX-License-Identifier: MIT
 *
 * leash.c - daemons end with this process, however it ends.
 */
#include "primitives/leash.h"
#include "base/error.h"
#include "primitives/local.h"

static struct mp__local_lock guard;
static mp_os_leash leash = {.hold = MP_OS_NO_HANDLE, .lead = MP_OS_NO_HANDLE};
static bool mine; /* else it is that of this process's original, or there is none. All three under `guard` */

const mp_os_leash *mp__leash(void)
{
    mp__local_acquire(&guard);
    if (!mine || mp_os_leash_check(&leash)) {
        mp_os_leash_shed(&leash);
        int error = mp_os_leash_create(&leash);
        mine = !error;
        if (error && error != mp_os_enotsup)
            mp__log(MP_LOG_WARNING, "daemons end a little after this process (error %d)", error);
    }
    const mp_os_leash *usable = mine ? &leash : NULL;
    mp__local_release(&guard);
    return usable;
}

void mp__leash_forked(void)
{
    mp__local_release(&guard);
    if (!mine) return;
    mine = false;
    mp_os_leash_drop(&leash);
}

void mp__leash_obey(bool daemon)
{
    if (daemon)
        mp_os_leash_obey(leash.lead);
    else
        mp_os_leash_shed(&leash);
}
