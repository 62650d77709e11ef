/* SPDX-License-Identifier: MIT
 *
 * file.c - writing a file.
 */
#include "os/win32/win32.h"

#include <fcntl.h>
#include <io.h>
#include <string.h>

static bool widen(const char *path, wchar_t *wide)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MP_OS_PATH_MAX) > 0;
}

int mp_os_full_path(const char *path, char *full, size_t size)
{
    wchar_t wide[MP_OS_PATH_MAX], found[MP_OS_PATH_MAX];
    if (!widen(path, wide)) return (int)GetLastError();
    DWORD length = GetFullPathNameW(wide, MP_OS_PATH_MAX, found, NULL);
    if (length == 0) return (int)GetLastError();
    if (length >= MP_OS_PATH_MAX) return ERROR_FILENAME_EXCED_RANGE;
    if (!WideCharToMultiByte(CP_UTF8, 0, found, -1, full, (int)size, NULL, NULL)) return ERROR_FILENAME_EXCED_RANGE;
    return 0;
}

int mp_os_file_create(const char *path, FILE **file)
{
    wchar_t wide[MP_OS_PATH_MAX];
    if (!widen(path, wide)) return (int)GetLastError();
    HANDLE handle = CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, CREATE_ALWAYS,
                                FILE_ATTRIBUTE_NORMAL, NULL);
    if (handle == INVALID_HANDLE_VALUE) return (int)GetLastError();
    int descriptor = _open_osfhandle((intptr_t)handle, _O_NOINHERIT);
    if (descriptor < 0) {
        CloseHandle(handle);
        return ERROR_TOO_MANY_OPEN_FILES;
    }
    *file = _fdopen(descriptor, "wb");
    if (*file) return 0;
    (void)_close(descriptor);
    return ERROR_NOT_ENOUGH_MEMORY;
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
