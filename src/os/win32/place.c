/* SPDX-License-Identifier: MIT
 *
 * place.c - what this system offers, and where a process works: start methods, working directory, environment changes.
 */
#include "os/win32/win32.h"

const enum mp_start_method *mp_os_start_methods(size_t *count)
{
    static const mp_start_method methods[] = {MP_SPAWN};
    *count = 1;
    return methods;
}

int mp_os_directory_check(const char *path)
{
    wchar_t wide[MP_OS_PATH_MAX];
    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, MP_OS_PATH_MAX)) return (int)GetLastError();
    DWORD attributes = GetFileAttributesW(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES) return (int)GetLastError();
    return attributes & FILE_ATTRIBUTE_DIRECTORY ? 0 : ERROR_DIRECTORY;
}

/* These two are for a copy of a process, which Windows does not make: a launch does both by itself. */
int mp_os_change_directory(const char *path)
{
    (void)path;
    return mp_os_enotsup;
}

int mp_os_change_environment(const char *const *changes)
{
    (void)changes;
    return mp_os_enotsup;
}
