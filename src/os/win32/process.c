/* SPDX-License-Identifier: MIT
 *
 * process.c - other processes: find them, wait for their end, bring it about.
 *
 * A process is a HANDLE here, its own child or not. While one is open, the pid is not given to anybody else, and the
 * exit code can be read.
 */
#include "os/win32/win32.h"
#include <stdlib.h>
#include <winternl.h>

int mp_os_fork(mp_os_process *child)
{
    (void)child;
    return mp_os_enotsup;
}

uint64_t mp_os__birth(HANDLE process)
{
    FILETIME begin, end, kernel, user;
    if (!GetProcessTimes(process, &begin, &end, &kernel, &user)) return 0;
    return (uint64_t)begin.dwHighDateTime << 32 | begin.dwLowDateTime;
}

/* The beginning of each entry in the system's list of processes. */
struct listed {
    ULONG next, threads;
    LARGE_INTEGER reserved[3], birth, user, kernel;
    USHORT name_length, name_capacity;
    void *name;
    LONG priority;
    HANDLE pid;
};
typedef NTSTATUS(NTAPI *query_system)(int, void *, ULONG, ULONG *);

/* The system's list, which names all processes whoever owns them; to be freed. NULL: it can not be had. */
static char *list_processes(void)
{
    query_system query = (query_system)mp_os__ntdll("NtQuerySystemInformation");
    for (ULONG size = 1 << 18; query && size <= 1 << 26; size *= 2) {
        char *list = malloc(size);
        if (!list || query(5 /* SystemProcessInformation */, list, size, NULL) >= 0) return list;
        free(list);
    }
    return NULL;
}

/* Whether a process runs that may not even be looked at. False only for certain. */
static bool is_listed(int64_t pid, uint64_t birth)
{
    char *list = list_processes();
    if (!list) return true;
    const struct listed *entry = (const void *)list;
    while ((intptr_t)entry->pid != pid && entry->next) entry = (const void *)((const char *)entry + entry->next);
    bool found = (intptr_t)entry->pid == pid && (!birth || (uint64_t)entry->birth.QuadPart == birth);
    free(list);
    return found;
}

uint64_t mp_os_pid_space(uint64_t known)
{
    return known; /* 0 */
}

bool mp_os_pid_space_is_childrens(void)
{
    return true;
}

bool mp_os_end_is_visible(void)
{
    return true;
}

int mp_os_process_open(mp_os_process *process, int64_t pid, uint64_t birth)
{
    const DWORD look = SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    HANDLE handle = OpenProcess(look | PROCESS_TERMINATE, FALSE, (DWORD)pid);
    /* Who may not end it can wait for it all the same. */
    if (!handle && GetLastError() == ERROR_ACCESS_DENIED) handle = OpenProcess(look, FALSE, (DWORD)pid);
    if (!handle) {
        int error = mp_os__error();
        /* The number may have gone to somebody else's process; or ours protects itself, and is alive. */
        if (error == ERROR_ACCESS_DENIED) return is_listed(pid, birth) ? error : mp_os_egone;
        return error == ERROR_INVALID_PARAMETER ? mp_os_egone : error;
    }
    uint64_t born = mp_os__birth(handle);
    if (birth && born != birth) {
        CloseHandle(handle);
        return mp_os_egone;
    }
    *process = (mp_os_process){.pid = pid, .handle = (intptr_t)handle, .birth = born};
    return 0;
}

int mp_os_process_wait(mp_os_process *process, int64_t deadline, mp_os_ending *ending)
{
    DWORD code;
    if (process->handle == MP_OS_NO_HANDLE) return mp_os_egone;
    int error = mp_os__wait((HANDLE)process->handle, deadline);
    if (error) return error;
    if (!GetExitCodeProcess((HANDLE)process->handle, &code)) return mp_os__error();
    *ending = (mp_os_ending){.known = true, .code = (int)code};
    return 0;
}

bool mp_os_process_is_gone(int64_t pid, uint64_t birth)
{
    mp_os_process process = {.handle = MP_OS_NO_HANDLE};
    mp_os_ending ending;
    int error = mp_os_process_open(&process, pid, birth);
    if (error) return error == mp_os_egone;
    error = mp_os_process_wait(&process, 0, &ending);
    mp_os_process_release(&process);
    return error == 0;
}

/* It starts some in each process, to load libraries, that stay for a while. */
size_t mp_os_process_threads(int64_t pid)
{
    (void)pid;
    return 0;
}

static bool has_ended(HANDLE process, DWORD patience)
{
    return WaitForSingleObject(process, patience) == WAIT_OBJECT_0;
}

int mp_os_process_signal(mp_os_process *process, enum mp_os_signal signal)
{
    HANDLE handle = (HANDLE)process->handle;
    if (process->handle == MP_OS_NO_HANDLE || has_ended(handle, 0)) return mp_os_egone;
    if (signal == MP_OS_INTERRUPT) return mp_os_enotsup;
    if (TerminateProcess(handle, signal == MP_OS_KILL ? (UINT)-9 : (UINT)-15)) return 0;
    int error = mp_os__error();
    /* One that is about to end denies access; a moment later it has ended. */
    return error == ERROR_ACCESS_DENIED && has_ended(handle, 100) ? mp_os_egone : error;
}

void mp_os_process_release(mp_os_process *process)
{
    if (process->handle != MP_OS_NO_HANDLE) CloseHandle((HANDLE)process->handle);
    process->handle = MP_OS_NO_HANDLE;
}
