/* SPDX-License-Identifier: MIT
 *
 * setting.c - what a fork server's children would be given: nothing, as there is none here.
 */
#include "os/win32/win32.h"

size_t mp_os_setting_pack(void *buffer, size_t capacity, const mp_os_launch *launch)
{
    (void)buffer, (void)capacity, (void)launch;
    return 0;
}

int mp_os_setting_apply(mp_os_baggage *baggage, const void *packed, size_t size, const mp_os_segment *segment,
                        intptr_t client)
{
    (void)baggage, (void)packed, (void)size, (void)segment, (void)client;
    return mp_os_enotsup;
}

void mp_os_setting_lift_limits(void)
{
}

bool mp_os_setting_limits_alike(const void *packed, size_t size)
{
    (void)packed, (void)size;
    return true;
}

void mp_os_setting_limit_processes(const void *packed, size_t size)
{
    (void)packed, (void)size;
}
