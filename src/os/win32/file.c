/* SPDX-License-Identifier: MIT
 *
 * file.c - writing a file.
 */
#include "os/win32/win32.h"

#include <string.h>

static bool widen(const char *path, wchar_t *wide)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MP_OS_PATH_MAX) > 0;
}

const int mp_os_etoolong = ERROR_FILENAME_EXCED_RANGE, mp_os_eexist = ERROR_FILE_EXISTS;

int mp_os_full_path(const char *path, char *full, size_t size)
{
    wchar_t wide[MP_OS_PATH_MAX], found[MP_OS_PATH_MAX];
    if (strlen(path) >= MP_OS_PATH_MAX) return mp_os_etoolong;
    if (!widen(path, wide)) return (int)GetLastError();
    DWORD length = GetFullPathNameW(wide, MP_OS_PATH_MAX, found, NULL);
    if (length == 0) return (int)GetLastError();
    if (length >= MP_OS_PATH_MAX) return mp_os_etoolong;
    return WideCharToMultiByte(CP_UTF8, 0, found, -1, full, (int)size, NULL, NULL) ? 0 : mp_os_etoolong;
}

int mp_os_file_check(const char *path)
{
    wchar_t wide[MP_OS_PATH_MAX];
    if (!widen(path, wide)) return (int)GetLastError();
    DWORD attributes = GetFileAttributesW(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES) return 0; /* to create it will tell */
    return attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE) ? mp_os_enotsup : 0;
}

int mp_os_file_create(const char *path, intptr_t *file)
{
    wchar_t wide[MP_OS_PATH_MAX];
    if (!widen(path, wide)) return (int)GetLastError();
    HANDLE handle = CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, CREATE_NEW,
                                FILE_ATTRIBUTE_NORMAL, NULL);
    if (handle == INVALID_HANDLE_VALUE) return (int)GetLastError();
    *file = (intptr_t)handle;
    return 0;
}

int mp_os_file_write(intptr_t file, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        DWORD some = size < (1u << 20) ? (DWORD)size : 1u << 20, written = 0;
        if (!WriteFile((HANDLE)file, at, some, &written, NULL)) return (int)GetLastError();
        at += written;
        size -= written;
    }
    return 0;
}

int mp_os_file_close(intptr_t file)
{
    return CloseHandle((HANDLE)file) ? 0 : (int)GetLastError();
}

int mp_os_file_rename(const char *from, const char *to)
{
    wchar_t wide_from[MP_OS_PATH_MAX], wide_to[MP_OS_PATH_MAX];
    if (!widen(from, wide_from) || !widen(to, wide_to)) return (int)GetLastError();
    return MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING) ? 0 : (int)GetLastError();
}

void mp_os_file_remove(const char *path)
{
    wchar_t wide[MP_OS_PATH_MAX];
    if (widen(path, wide)) (void)DeleteFileW(wide);
}
