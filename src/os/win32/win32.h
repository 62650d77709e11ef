/* SPDX-License-Identifier: MIT
 *
 * win32.h - what the files of the Win32 port share with each other.
 *
 * Text is UTF-8 outside and UTF-16 inside; only the functions ending in W are called.
 */
#ifndef MP_OS_WIN32_H
#define MP_OS_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0602
#endif

#include "os/os.h"
#include <windows.h>

/* The longest path Windows knows, in UTF-16 units, terminator included. */
#define MP_OS__PATH_MAX 32768

/* What the call that has just failed left behind: GetLastError(), but never 0. */
int mp_os__error(void);

/* A function of ntdll.dll that no header for programs promises; NULL if it is missing. To be cast to its type. */
typedef void (*mp_os__function)(void);
mp_os__function mp_os__ntdll(const char *name);

/* Wait for one object until a deadline: 0, mp_os_etimedout, or what went wrong. */
int mp_os__wait(HANDLE object, int64_t deadline);

/* The file that this process's program lies in, and is still the same build in; at most MP_OS__PATH_MAX units. */
int mp_os__program(wchar_t *path);
/* 0 if the file is a program by its headers. */
int mp_os__program_check(const wchar_t *path);

/* The environment for a child, as CreateProcess wants it: this process's, with changes applied and one variable more.
 * To be freed. */
int mp_os__environment(const char *const *changes, const char *addition, wchar_t **block);

/* Convert a string, terminator included; `capacity` counts units of `wide`. */
static inline int mp_os__to_wide(const char *text, wchar_t *wide, size_t capacity)
{
    int size = capacity > INT_MAX ? INT_MAX : (int)capacity;
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, size) > 0 ? 0 : mp_os__error();
}

static inline int mp_os__from_wide(const wchar_t *wide, char *text, size_t capacity)
{
    int size = capacity > INT_MAX ? INT_MAX : (int)capacity;
    return WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, wide, -1, text, size, NULL, NULL) > 0 ? 0
                                                                                                    : mp_os__error();
}

/* When a process began, as a number; 0: unknown. */
uint64_t mp_os__birth(HANDLE process);

/* A job that ends what is in it when its last handle is closed; and one that does not any more, given up. leash.c */
int mp_os__job_create(HANDLE *job);
void mp_os__job_release(HANDLE job); /* NULL: nothing */

#endif
