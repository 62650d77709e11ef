/* SPDX-License-Identifier: MIT
 *
 * error.c - what GetLastError() said, as a code of libmp and as a sentence; and what else all files need.
 */
#include "os/win32/win32.h"
#include <mp/error.h>
#include <string.h>

#ifndef ERROR_ELEVATION_REQUIRED /* missing in older mingw headers */
#define ERROR_ELEVATION_REQUIRED 740
#endif

const int mp_os_enotsup = ERROR_NOT_SUPPORTED;
/* Nothing that the port calls fails with this one, so it means nothing else. */
const int mp_os_egone = ERROR_NOT_FOUND;
const int mp_os_etimedout = ERROR_TIMEOUT;

int mp_os__error(void)
{
    DWORD error = GetLastError();
    return error ? (int)error : ERROR_GEN_FAILURE;
}

mp_os__function mp_os__ntdll(const char *name)
{
    return (mp_os__function)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), name);
}

int mp_os_error_code(int error)
{
    switch (error) {
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_COMMITMENT_MINIMUM:
        return MP_ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NO_PROC_SLOTS:
    case ERROR_MAX_THRDS_REACHED:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_PAGEFILE_QUOTA:
        return MP_ELIMIT;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_ELEVATION_REQUIRED:
    case ERROR_ACCESS_DISABLED_BY_POLICY:
        return MP_EPERM;
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
        return MP_ENOTSUP;
    case ERROR_INVALID_PARAMETER:
    case ERROR_NO_UNICODE_TRANSLATION: /* what should have been UTF-8 is not */
        return MP_EINVAL;
    default:
        return MP_ESYSTEM;
    }
}

/* Text of whatever length, cut to fit without leaving half a character at the end. */
static void cut(const char *text, char *out, size_t size)
{
    size_t length = strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
    }
    memcpy(out, text, length);
    out[length] = 0;
}

static void text_of_number(int error, char *text)
{
    static const char prefix[] = "system error ";
    char digits[12];
    size_t count = 0;
    unsigned long rest = (unsigned long)error;
    do digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    memcpy(text, prefix, sizeof prefix);
    text += sizeof prefix - 1;
    while (count) *text++ = digits[--count];
    *text = 0;
}

void mp_os_error_text(int error, char *text, size_t size)
{
    wchar_t wide[512];
    char narrow[3 * 512];
    if (!size) return;
    /* Width 0xFF: line breaks within a message become spaces. */
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD length = FormatMessageW(flags, NULL, (DWORD)error, 0, wide, 512, NULL);
    while (length && wide[length - 1] <= L' ') wide[--length] = 0;
    if (!length || mp_os__from_wide(wide, narrow, sizeof narrow)) text_of_number(error, narrow);
    cut(narrow, text, size);
}
