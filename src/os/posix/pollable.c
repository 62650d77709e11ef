/* SPDX-License-Identifier: MIT
 *
 * pollable.c - descriptors that event loops watch, and the thread that serves them.
 *
 * A pipe, with a byte in it or none. Not an eventfd: those can not be told apart, so it could not be noticed that the program
 * has closed one and the number means another.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- pollables -------------------------------------------------------------------------------------------------- */

static bool make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

int mp_os_pollable_create(mp_os_pollable *pollable)
{
    int ends[2];
    int error = mp_os__pipe(ends);
    if (error != 0) return error;
    /* First, and without a name: a copy that is made of this process now closes them by these. */
    *pollable = (mp_os_pollable){.fd = ends[0], .other = ends[1]};
    if (!make_nonblocking(ends[0]) || !make_nonblocking(ends[1]))
        error = errno;
    else
        error = mp_os__descriptor_identify(ends[0], pollable->identity);
    if (error == 0) return 0;
    close(ends[0]);
    close(ends[1]);
    *pollable = (mp_os_pollable){.fd = -1, .other = -1};
    return error;
}

static bool is_own(const mp_os_pollable *pollable, intptr_t fd)
{
    bool named = pollable->identity[0] || pollable->identity[1];
    return named ? mp_os__descriptor_check(fd, pollable->identity) == 0 : fd > STDERR_FILENO;
}

void mp_os_pollable_lower(const mp_os_pollable *pollable)
{
    char bytes[16];
    int saved = errno;
    if (is_own(pollable, pollable->fd))
        while (read(pollable->fd, bytes, sizeof bytes) > 0) {}
    errno = saved;
}

void mp_os_pollable_raise(const mp_os_pollable *pollable)
{
    int saved = errno;
    mp_os_pollable_lower(pollable);
    if (is_own(pollable, pollable->fd) &&
        is_own(pollable, pollable->other)) /* or there is nobody to read it: SIGPIPE */
        (void)!write((int)pollable->other, "", 1);
    errno = saved;
}

void mp_os_pollable_close(const mp_os_pollable *pollable)
{
    if (is_own(pollable, pollable->fd)) close(pollable->fd);
    if (is_own(pollable, pollable->other)) close((int)pollable->other);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

struct own_thread {
    pthread_t thread;
    void (*run)(void);
};

static void *run_thread(void *with)
{
    ((struct own_thread *)with)->run();
    return NULL;
}

int mp_os_thread_start(void (*run)(void), intptr_t *thread)
{
    struct own_thread *own = malloc(sizeof *own);
    sigset_t all, before;
    if (!own) return ENOMEM;
    own->run = run;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&own->thread, NULL, run_thread, own);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        *thread = (intptr_t)own;
    else
        free(own);
    return error;
}

void mp_os_thread_join(intptr_t thread)
{
    struct own_thread *own = (void *)thread;
    pthread_join(own->thread, NULL);
    free(own);
}
