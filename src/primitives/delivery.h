/* SPDX-License-Identifier: MIT
 *
 * delivery.h - what a child by spawn or forkserver gets to know through the arena: its target, its arguments, and the
 * setting that a fork server's child shall take over. One block, freed when the process has ended
 * (mp__process_undeliver), or by the child once it has copied it, if it is large.
 */
#ifndef MP_PRIMITIVES_DELIVERY_H
#define MP_PRIMITIVES_DELIVERY_H

#include "base/family.h"

struct mp__delivery {
    uint64_t args_size, setting_size;
    uint64_t args_offset, setting_offset; /* from the beginning of this */
    uint64_t total;
    int64_t channel; /* the number that the way to the fork server has; MP_OS_NO_HANDLE: none */
    uint64_t channel_identity[2];
    int64_t lead;                     /* of its parent's leash, that it shall obey; MP_OS_NO_HANDLE: none */
    uint64_t privileges, name_spaces; /* that the server was launched with */
    mp_os_module target;              /* last, and cut off behind its path */
};

/* Make one for a process that is about to be started; its record keeps it. setting of that size is left to be written:
 * *room. 0, or MP_ENOMEM. */
int mp__delivery_create(struct mp__process *record, const mp_os_module *target, const void *args, size_t args_size,
                        size_t setting_size, void **room);
#define MP__DELIVERY_LARGE 65536

/* The one that is kept for a process; NULL if there is none. */
struct mp__delivery *mp__delivery_of(struct mp__process *record);
static inline const void *mp__delivery_args(const struct mp__delivery *delivery)
{
    return (const char *)delivery + delivery->args_offset;
}
static inline const void *mp__delivery_setting(const struct mp__delivery *delivery)
{
    return (const char *)delivery + delivery->setting_offset;
}
#endif
