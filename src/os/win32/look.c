/* SPDX-License-Identifier: MIT
 *
 * look.c - families seen from outside: which processes have a segment, what stands in it, and what they do.
 *
 * Sections have no name, and which of another process's handles is one nobody documents. So all mapped memory of each process is
 * looked at for what begins as an arena does; and as each process has a view of all of it (segment.c), any one of them will do
 * to read it by.
 */
#include "os/look.h"
#include "os/win32/win32.h"
#include <stdlib.h>
#include <string.h>
#include <tlhelp32.h>

#define VIEWERS_MOST 64 /* of a segment: each is a handle */
#define MARK_MOST    64

const int mp_os_enomem = ERROR_NOT_ENOUGH_MEMORY;

static void close_viewer(const mp_os_viewer *viewer)
{
    if (viewer->handle != MP_OS_NO_HANDLE) CloseHandle((HANDLE)viewer->handle);
}

void mp_os_views_close(mp_os_views *views)
{
    for (size_t i = 0; i < views->count; i++) {
        mp_os_view *view = &views->at[i];
        for (size_t k = 0; k < view->count; k++) close_viewer(&view->viewers[k]);
        if (view->handle != MP_OS_NO_HANDLE) CloseHandle((HANDLE)view->handle);
        free(view->viewers);
    }
    free(views->at);
    *views = (mp_os_views){.count = 0};
}

static mp_os_view *add_view(mp_os_views *views)
{
    mp_os_view *larger = realloc(views->at, (views->count + 1) * sizeof *larger);
    if (!larger) return NULL;
    views->at = larger;
    larger[views->count] = (mp_os_view){.handle = MP_OS_NO_HANDLE, .size = UINT64_MAX};
    return &larger[views->count++];
}

static int add_viewer(mp_os_view *view, int64_t pid, HANDLE process, uint64_t base)
{
    mp_os_viewer *larger = realloc(view->viewers, (view->count + 1) * sizeof *larger);
    if (!larger) return ERROR_NOT_ENOUGH_MEMORY;
    mp_os_viewer *viewer = &larger[view->count++];
    *viewer = (mp_os_viewer){.pid = pid, .handle = MP_OS_NO_HANDLE, .base = base};
    HANDLE copy, self = GetCurrentProcess();
    if (view->count <= VIEWERS_MOST && DuplicateHandle(self, process, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        viewer->handle = (intptr_t)copy;
    view->viewers = larger;
    return 0;
}

int mp_os_views_open(const char *path, mp_os_views *views)
{
    wchar_t wide[1024];
    LARGE_INTEGER size;
    *views = (mp_os_views){.count = 0};
    int error = mp_os__to_wide(path, wide, sizeof wide / sizeof *wide);
    if (error) return error;
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) return mp_os__error();
    mp_os_view *view = GetFileSizeEx(file, &size) ? add_view(views) : NULL;
    if (!view) {
        CloseHandle(file);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    view->handle = (intptr_t)file;
    view->size = (uint64_t)size.QuadPart;
    return 0;
}

static bool read_file(HANDLE file, uint64_t offset, void *buffer, size_t size)
{
    OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
    DWORD got = 0;
    return size <= UINT32_MAX && ReadFile(file, buffer, (DWORD)size, &got, &at) && got == size;
}

static bool read_process(HANDLE process, uint64_t place, void *buffer, size_t size)
{
    SIZE_T got = 0;
    return place <= UINTPTR_MAX && ReadProcessMemory(process, (const void *)(uintptr_t)place, buffer, size, &got) &&
           got == size;
}

bool mp_os_view_read(const mp_os_view *view, uint64_t offset, void *buffer, size_t size)
{
    if (offset > view->size || size > view->size - offset) return false;
    if (view->handle != MP_OS_NO_HANDLE) return read_file((HANDLE)view->handle, offset, buffer, size);
    for (size_t i = 0; i < view->count; i++) {
        const mp_os_viewer *viewer = &view->viewers[i];
        if (viewer->handle == MP_OS_NO_HANDLE || offset > UINT64_MAX - viewer->base) continue;
        if (read_process((HANDLE)viewer->handle, viewer->base + offset, buffer, size)) return true;
    }
    return false;
}

/* ---- finding them ------------------------------------------------------------------------------------------------ */

/* The user of a process, to be freed; NULL: not to be had. */
static TOKEN_USER *user_of(HANDLE process)
{
    HANDLE token;
    DWORD size = 0;
    if (!OpenProcessToken(process, TOKEN_QUERY, &token)) return NULL;
    GetTokenInformation(token, TokenUser, NULL, 0, &size);
    TOKEN_USER *user = size ? malloc(size) : NULL;
    if (user && !GetTokenInformation(token, TokenUser, user, size, &size)) {
        free(user);
        user = NULL;
    }
    CloseHandle(token);
    return user;
}

static bool is_ours(HANDLE process)
{
    TOKEN_USER *self = user_of(GetCurrentProcess()), *other = user_of(process);
    bool same = self && other && EqualSid(self->User.Sid, other->User.Sid);
    free(self);
    free(other);
    return same;
}

/* What begins there belongs to the segment that another process has shown, or to a new one. */
static int add(mp_os_views *views, char (**marks)[MARK_MOST], const char *mark, size_t size, const mp_os_viewer *found,
               HANDLE process)
{
    for (size_t i = 0; i < views->count; i++)
        if (memcmp((*marks)[i], mark, size) == 0) return add_viewer(&views->at[i], found->pid, process, found->base);
    char(*larger)[MARK_MOST] = realloc(*marks, (views->count + 1) * sizeof *larger);
    if (!larger) return ERROR_NOT_ENOUGH_MEMORY;
    *marks = larger;
    memcpy(larger[views->count], mark, size);
    mp_os_view *view = add_view(views);
    return view ? add_viewer(view, found->pid, process, found->base) : ERROR_NOT_ENOUGH_MEMORY;
}

static int look_at(mp_os_views *views, char (**marks)[MARK_MOST], int64_t pid, const mp_os_mark *mark, bool any_user)
{
    const DWORD access = PROCESS_QUERY_INFORMATION | PROCESS_VM_READ;
    HANDLE process = OpenProcess(access, FALSE, (DWORD)pid);
    MEMORY_BASIC_INFORMATION part;
    char begin[MARK_MOST];
    int error = 0;
    if (!process) return 0;
    const char *at = any_user || is_ours(process) ? NULL : (const char *)UINTPTR_MAX;
    while (!error && VirtualQueryEx(process, at, &part, sizeof part) == sizeof part) {
        uint64_t base = (uint64_t)(uintptr_t)part.BaseAddress;
        if (part.Type == MEM_MAPPED && part.State == MEM_COMMIT && part.BaseAddress == part.AllocationBase &&
            part.RegionSize >= mark->size && read_process(process, base, begin, mark->size) &&
            memcmp(begin, &mark->magic, sizeof mark->magic) == 0) {
            const mp_os_viewer found = {.pid = pid, .base = base};
            error = add(views, marks, begin, mark->size, &found, process);
        }
        const char *next = (const char *)part.BaseAddress + part.RegionSize;
        if (next <= at && at) break;
        at = next;
    }
    CloseHandle(process);
    return error;
}

int mp_os_views_find(int64_t pid, const mp_os_mark *mark, mp_os_views *views)
{
    char(*marks)[MARK_MOST] = NULL;
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    int error = 0;
    *views = (mp_os_views){.count = 0};
    if (mark->size > MARK_MOST || mark->size < sizeof mark->magic) return ERROR_INVALID_PARAMETER;
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    if (all == INVALID_HANDLE_VALUE) return mp_os__error();
    for (BOOL more = Process32FirstW(all, &entry); more && !error; more = Process32NextW(all, &entry)) {
        bool wanted = pid ? entry.th32ProcessID == pid : entry.th32ProcessID != 0;
        if (wanted) error = look_at(views, &marks, (int64_t)entry.th32ProcessID, mark, pid != 0);
    }
    CloseHandle(all);
    free(marks);
    return error;
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static uint64_t number_of(const FILETIME *time)
{
    return (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime;
}

mp_os_sight mp_os_process_look(int64_t pid, uint64_t birth)
{
    mp_os_sight sight = {.seen = MP_OS_SEEN_GONE, .cpu = -1};
    FILETIME begin, end, kernel, user;
    HANDLE process = pid > 0 && pid <= UINT32_MAX
                         ? OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)pid)
                         : NULL;
    if (!process) {
        if (GetLastError() == ERROR_ACCESS_DENIED) sight.seen = MP_OS_SEEN_NOTHING;
        return sight;
    }
    if (!GetProcessTimes(process, &begin, &end, &kernel, &user)) {
        sight.seen = MP_OS_SEEN_NOTHING;
    } else if (!birth || birth == number_of(&begin)) {
        bool over = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
        sight.seen = over ? MP_OS_SEEN_DEAD : MP_OS_SEEN_NOTHING;
        sight.cpu = (int64_t)(number_of(&kernel) + number_of(&user)) * 100;
    }
    CloseHandle(process);
    return sight;
}

void mp_os_process_command(int64_t pid, char *text, size_t size)
{
    wchar_t path[1024];
    DWORD units = sizeof path / sizeof *path;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    if (size) *text = 0;
    if (!process) return;
    if (QueryFullProcessImageNameW(process, 0, path, &units) && mp_os__from_wide(path, text, size) && size) *text = 0;
    CloseHandle(process);
}

uint64_t mp_os_space_here(void)
{
    return 0; /* there is but one */
}
