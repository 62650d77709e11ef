/* SPDX-License-Identifier: MIT
 *
 * self.c - this process and its threads: who they are, what they do at their end.
 */
#include "os/win32/win32.h"
#include <io.h>
#include <stdio.h>
#include <stdlib.h>

int64_t mp_os_pid(void)
{
    return (int64_t)GetCurrentProcessId();
}

bool mp_os_threaded(void)
{
    return true; /* the system's own thread pools come and go in any process */
}

int mp_os_thread_count(void)
{
    return 0; /* it takes a snapshot of every thread of the machine, and only fork would care */
}

int mp_os_on_fork(void (*child)(void))
{
    (void)child;
    return 0;
}

/* The system keeps addresses of ours from now on: a DLL that contains us must not be unloaded. */
static int stay_loaded(void)
{
    static const char anchor;
    HMODULE module;
    DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    return GetModuleHandleExW(flags, (const wchar_t *)(const void *)&anchor, &module) ? 0 : mp_os__error();
}

static void (*leave_thread)(void *record);
static DWORD record_index = FLS_OUT_OF_INDEXES;

static BOOLEAN(NTAPI *process_ends)(void);

/* Also called when the process ends, in the thread that ends it, after all others have been killed wherever they were:
 * a lock that one of them held would be waited for without end. Nobody needs a thread's farewell then. */
static void WINAPI at_thread_exit(void *record)
{
    if (record && !(process_ends && process_ends())) leave_thread(record);
}

int mp_os_on_thread_exit(void (*leave)(void *record))
{
    int error = stay_loaded();
    if (error) return error;
    leave_thread = leave;
    process_ends = (BOOLEAN(NTAPI *)(void))mp_os__ntdll("RtlDllShutdownInProgress");
    /* Fiber-local, as thread-local slots have no callback. In a thread without fibers that is the same. */
    record_index = FlsAlloc(at_thread_exit);
    return record_index == FLS_OUT_OF_INDEXES ? mp_os__error() : 0;
}

void mp_os_thread_record(void *record)
{
    FlsSetValue(record_index, record);
}

static void (*finish_process)(int code);

static int at_exit(void)
{
    finish_process(-1);
    return 0;
}

int mp_os_on_exit(void (*finish)(int code))
{
    int error = stay_loaded();
    if (error) return error;
    finish_process = finish;
    /* Not atexit: in a DLL that is the DLL's own list, which is run when all other threads have been ended already. */
    return _onexit(at_exit) ? 0 : ERROR_NOT_ENOUGH_MEMORY;
}

void mp_os_close_all(const mp_os_segment *segment)
{
    (void)segment; /* there is no fork server */
}

_Noreturn void mp_os_exit_now(int code)
{
    TerminateProcess(GetCurrentProcess(), (UINT)code);
    for (;;) Sleep(INFINITE);
}

void mp_os_flush(void)
{
    fflush(stdout);
    fflush(stderr);
}

int mp_os_stdin_null(void)
{
    if (!freopen("NUL", "r", stdin)) return ERROR_OPEN_FAILED;
    HANDLE null = (HANDLE)_get_osfhandle(_fileno(stdin));
    return SetStdHandle(STD_INPUT_HANDLE, null) ? 0 : mp_os__error();
}
