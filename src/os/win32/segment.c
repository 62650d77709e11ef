/* SPDX-License-Identifier: MIT
 *
 * segment.c - the shared segment: a section without a file, all of it reserved, committed part by part.
 *
 * A view of such a section covers all of it at once: what nobody has committed yet is inaccessible, and takes address
 * space only. What one process commits through its view is committed in every view, so there is nothing left to map.
 */
#include "os/win32/win32.h"
#include <winternl.h>

#define MIB     (UINT64_C(1) << 20)
#define LARGEST (UINT64_C(64) << 30)

/* A section costs kernel memory by its size (8 bytes a page, at worst at once), so not more than could ever be used:
 * twice what the system can promise now, as paging files grow. */
static uint64_t largest(void)
{
    MEMORYSTATUSEX status = {.dwLength = sizeof status};
    if (!GlobalMemoryStatusEx(&status) || status.ullTotalPageFile >= LARGEST / 2) return LARGEST;
    return (2 * status.ullTotalPageFile + MP_OS_GRANULARITY - 1) & ~(MP_OS_GRANULARITY - 1);
}

/* A section that can be mapped here, or NULL. */
static HANDLE create(uint64_t size)
{
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, (DWORD)(size >> 32),
                                        (DWORD)(size & UINT32_MAX), NULL);
    if (!section) return NULL;
    void *view = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    if (view) {
        UnmapViewOfFile(view);
        return section;
    }
    DWORD error = GetLastError();
    CloseHandle(section);
    SetLastError(error);
    return NULL;
}

int mp_os_segment_create(mp_os_segment *segment, uint64_t *size, uint64_t least)
{
    uint64_t wanted = largest();
    HANDLE section;
    if (wanted > *size) wanted = *size;
    if (wanted < least) wanted = least;
    while (!(section = create(wanted)) && wanted > least) {
        wanted = wanted / 2 & ~(MP_OS_GRANULARITY - 1);
        if (wanted < least) wanted = least;
    }
    if (!section) return mp_os__error();
    *segment = (mp_os_segment){.handle = (intptr_t)section, .size = wanted};
    *size = wanted;
    return 0;
}

/* What the system's own library answers when asked about a section. No documented function tells the size but
 * walking through a view, which costs time in proportion to it. */
typedef struct section_basic_information {
    void *base;
    ULONG attributes;
    LARGE_INTEGER size;
} section_basic_information;
typedef NTSTATUS(NTAPI *query_section)(HANDLE, int, void *, SIZE_T, SIZE_T *);

static int size_of(HANDLE section, uint64_t *size)
{
    section_basic_information information;
    query_section query = (query_section)mp_os__ntdll("NtQuerySection");
    if (!query) return mp_os_enotsup;
    if (query(section, 0, &information, sizeof information, NULL) < 0) return ERROR_INVALID_HANDLE;
    *size = (uint64_t)information.size.QuadPart;
    return 0;
}

int mp_os_segment_adopt(mp_os_segment *segment, intptr_t handle)
{
    uint64_t size = 0;
    int error = size_of((HANDLE)handle, &size);
    if (error) return error;
    /* It was inherited; that is enough. */
    if (!SetHandleInformation((HANDLE)handle, HANDLE_FLAG_INHERIT, 0)) return mp_os__error();
    *segment = (mp_os_segment){.handle = handle, .size = size};
    return 0;
}

int mp_os_segment_check(const mp_os_segment *segment)
{
    /* Objects have no number to compare. Another section of that size is as good as impossible. */
    uint64_t size = 0;
    int error = size_of((HANDLE)segment->handle, &size);
    return error ? error : size == segment->size ? 0 : ERROR_INVALID_HANDLE;
}

void mp_os_segment_close(mp_os_segment *segment)
{
    if (segment->handle != MP_OS_NO_HANDLE) CloseHandle((HANDLE)segment->handle);
    segment->handle = MP_OS_NO_HANDLE;
}

int mp_os_reserve(const mp_os_segment *segment, uint64_t window, void **base)
{
    (void)window;
    void *view = MapViewOfFile((HANDLE)segment->handle, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    if (!view) return mp_os__error();
    *base = view;
    return 0;
}

void mp_os_unreserve(void *base, uint64_t size)
{
    (void)size;
    UnmapViewOfFile(base);
}

int mp_os_segment_map(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size)
{
    (void)segment, (void)base, (void)offset, (void)size;
    return 0;
}

int mp_os_segment_commit(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size)
{
    (void)segment;
    /* The system keeps its promises, but who takes the last of them makes every other program fail. */
    if (size >= MIB) {
        uint64_t available = mp_os_memory_available(), margin = available / 50;
        if (margin < 64 * MIB) margin = 64 * MIB;
        if (available < margin || size > available - margin) return ERROR_COMMITMENT_LIMIT;
    }
    return VirtualAlloc((char *)base + offset, (SIZE_T)size, MEM_COMMIT, PAGE_READWRITE) ? 0 : mp_os__error();
}

bool mp_os_segment_discard(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size)
{
    (void)segment, (void)base, (void)offset, (void)size;
    return false; /* pages of a section can not be decommitted */
}
