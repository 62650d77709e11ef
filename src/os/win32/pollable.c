/* SPDX-License-Identifier: MIT
 *
 * pollable.c - events that event loops wait for, and the thread that serves them.
 */
#include "os/win32/win32.h"

/* ---- pollables -------------------------------------------------------------------------------------------------- */

int mp_os_pollable_create(mp_os_pollable *pollable)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!event) return mp_os__error();
    *pollable = (mp_os_pollable){.fd = event, .other = MP_OS_NO_HANDLE};
    return 0;
}

void mp_os_pollable_raise(const mp_os_pollable *pollable)
{
    SetEvent(pollable->fd);
}

void mp_os_pollable_lower(const mp_os_pollable *pollable)
{
    ResetEvent(pollable->fd);
}

void mp_os_pollable_close(const mp_os_pollable *pollable)
{
    CloseHandle(pollable->fd);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

static DWORD WINAPI run_thread(void *run)
{
    (*(void (**)(void))run)();
    return 0;
}

struct own_thread {
    void (*run)(void);
    HANDLE handle;
};

int mp_os_thread_start(void (*run)(void), intptr_t *thread)
{
    struct own_thread *own = malloc(sizeof *own);
    if (!own) return ERROR_NOT_ENOUGH_MEMORY;
    own->run = run;
    own->handle = CreateThread(NULL, 0, run_thread, &own->run, 0, NULL);
    if (own->handle) {
        *thread = (intptr_t)own;
        return 0;
    }
    int error = mp_os__error();
    free(own);
    return error;
}

void mp_os_thread_join(intptr_t thread)
{
    struct own_thread *own = (void *)thread;
    WaitForSingleObject(own->handle, INFINITE);
    CloseHandle(own->handle);
    free(own);
}
