/* SPDX-License-Identifier: MIT
 *
 * channel.c - the fork server's door: there is no fork here, so no server, and nobody comes by.
 */
#include "os/win32/win32.h"

bool mp_os_has_forkserver(void)
{
    return false;
}

int mp_os_channel_create(intptr_t *server, intptr_t *client, uint64_t identity[2])
{
    (void)server, (void)client, (void)identity;
    return mp_os_enotsup;
}

int mp_os_channel_check(intptr_t client, const uint64_t identity[2])
{
    (void)client, (void)identity;
    return mp_os_enotsup;
}

int mp_os_channel_alive(intptr_t client)
{
    (void)client;
    return mp_os_enotsup;
}

int mp_os_channel_adopt(intptr_t client, uint64_t identity[2])
{
    (void)client, (void)identity;
    return mp_os_enotsup;
}

void mp_os_channel_close(intptr_t end)
{
    (void)end;
}

uint64_t mp_os_privileges(void)
{
    return 0;
}

int mp_os_channel_send(intptr_t client, uint64_t tag, const mp_os_launch *launch, const char **what)
{
    (void)client, (void)tag, (void)launch;
    *what = "the fork server";
    return mp_os_enotsup;
}

int mp_os_channel_receive(intptr_t server, uint64_t *tag, mp_os_baggage **baggage, void (*ended)(int64_t pid, int code))
{
    (void)server, (void)tag, (void)baggage, (void)ended;
    return mp_os_enotsup;
}
