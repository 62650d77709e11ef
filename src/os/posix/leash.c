/* SPDX-License-Identifier: MIT
 *
 * leash.c - what ends with its parent, however that ends: a pipe whose writing end the parent only has. When that is closed,
 * by whatever death, the kernel tells who asked to be told about the reading end: by the signal that it asked for.
 *
 * Who asks has to have opened the reading end itself, since who is told and how belongs to that.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const int mp_os_leash_code = -SIGKILL;

#if MP_LINUX

int mp_os_leash_create(mp_os_leash *leash)
{
    int ends[2];
    int error = mp_os__pipe(ends);
    if (error != 0) return error;
    error = mp_os__descriptor_identify(ends[0], leash->identity);
    if (error != 0) {
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    leash->lead = ends[0], leash->hold = ends[1];
    return 0;
}

int mp_os_leash_check(const mp_os_leash *leash)
{
    int error = mp_os__descriptor_check(leash->hold, leash->identity);
    return error != 0 ? error : mp_os__descriptor_check(leash->lead, leash->identity);
}

void mp_os_leash_drop(mp_os_leash *leash)
{
    if (mp_os__descriptor_check(leash->hold, leash->identity) == 0) close((int)leash->hold);
    leash->hold = MP_OS_NO_HANDLE;
}

void mp_os_leash_shed(mp_os_leash *leash)
{
    mp_os_leash_drop(leash);
    if (mp_os__descriptor_check(leash->lead, leash->identity) == 0) close((int)leash->lead);
    leash->lead = MP_OS_NO_HANDLE;
}

static bool ask(int fd)
{
    return fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, SIGKILL) == 0 &&
           fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0;
}

void mp_os_leash_obey(intptr_t lead)
{
    char path[64];
    if (lead < 0 || lead > INT_MAX) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", (int)lead);
    int own = mp_os__descriptor_raise(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    close((int)lead);
    if (own < 0) return;
    if (!ask(own)) {
        close(own);
        return;
    }
    struct pollfd poll_one = {.fd = own, .events = 0};
    if (poll(&poll_one, 1, 0) > 0 && poll_one.revents & POLLHUP) raise(SIGKILL); /* it had ended before that */
}

#else

int mp_os_leash_create(mp_os_leash *leash)
{
    (void)leash;
    return mp_os_enotsup;
}

int mp_os_leash_check(const mp_os_leash *leash)
{
    (void)leash;
    return mp_os_enotsup;
}

void mp_os_leash_drop(mp_os_leash *leash)
{
    (void)leash;
}

void mp_os_leash_shed(mp_os_leash *leash)
{
    (void)leash;
}

void mp_os_leash_obey(intptr_t lead)
{
    (void)lead;
}

#endif
