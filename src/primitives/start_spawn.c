/* SPDX-License-Identifier: MIT
 *
 * start_spawn.c - spawn: the child is this program, run anew.
 */
#include "base/error.h"
#include "primitives/config.h"
#include "primitives/delivery.h"
#include "primitives/start.h"

int mp__start_spawn(struct mp__start *start, mp_os_process *process)
{
    int result = mp__delivery_create(start->record, start->module, start->args, start->args_size, 0, NULL);
    if (result == 0) result = mp__start_give(start);
    if (result < 0) return result;
    char bootstrap[MP__BOOTSTRAP_SIZE];
    start->launch.channel = mp__server_channel();
    mp__server_hand_on(mp__delivery_of(start->record), start->launch.channel);
    if (start->launch.leash) mp__delivery_of(start->record)->lead = start->launch.leash->lead;
    start->launch.bootstrap = bootstrap;
    mp__bootstrap_write(bootstrap, MP__ROLE_CHILD, mp__process_slot(start->record), start->id);
    if (mp__executable_is_chosen()) atomic_fetch_or_explicit(&start->record->flags, MP__DOUBTFUL, memory_order_relaxed);
    result = mp__launch(&start->launch, "mp_process_start", process);
    if (result < 0) return result;
    mp__process_born(start->record, start->id, process);
    return 0;
}
