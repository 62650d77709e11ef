/* SPDX-License-Identifier: MIT
 *
 * no_forkserver.h - the fork server's door (os.h) on a system that can not have one: nobody comes by. A port's channel.c
 * includes it for all of these functions.
 */
#ifndef MP_OS_NO_FORKSERVER_H
#define MP_OS_NO_FORKSERVER_H

#include "os/os.h"

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

int mp_os_channel_adopt(intptr_t client)
{
    (void)client;
    return mp_os_enotsup;
}

int mp_os_channel_alive(intptr_t client)
{
    (void)client;
    return mp_os_enotsup;
}

void mp_os_channel_close(intptr_t end)
{
    (void)end;
}

int mp_os_channel_send(intptr_t client, uint64_t tag, const mp_os_launch *launch, const char **what)
{
    (void)client, (void)tag, (void)launch;
    *what = "asking a fork server";
    return mp_os_enotsup;
}

int mp_os_channel_await(intptr_t server, intptr_t line, void (*ended)(int64_t pid, int code))
{
    (void)server, (void)line, (void)ended;
    return mp_os_enotsup;
}

int mp_os_channel_next(intptr_t server, intptr_t line, uint64_t *tag)
{
    (void)server, (void)line, (void)tag;
    return mp_os_enotsup;
}

int mp_os_channel_take(intptr_t server, uint64_t *tag, mp_os_baggage **baggage)
{
    (void)server, (void)tag, (void)baggage;
    return mp_os_enotsup;
}

int mp_os_line_create(intptr_t *here, intptr_t *there)
{
    (void)here, (void)there;
    return mp_os_enotsup;
}

bool mp_os_line_say(intptr_t there, uint64_t number)
{
    (void)there, (void)number;
    return false;
}

uint64_t mp_os_line_said(intptr_t here)
{
    (void)here;
    return 0;
}

void mp_os_baggage_drop(mp_os_baggage *baggage)
{
    (void)baggage;
}

#endif
