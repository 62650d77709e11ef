/* SPDX-License-Identifier: MIT
 *
 * die.c - MP_CHECK, and the end of a process over a failure that nobody handles.
 */
#include "primitives/die.h"
#include "base/error.h"
#include "base/family.h"
#include "os/os.h"
#include "primitives/children.h"

#include <mp/error.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void mp__die(const char *file, int line, const char *call, int result, const char *detail)
{
    char text[1024];
    const char *more = detail && *detail ? detail : mp_strerror(result);
    int size = snprintf(text, sizeof text, "%s:%d: %s: %s: %s: %s\n", file, line, mp__family_name(), call,
                        mp_error_name(result), more);
    mp_os_flush();
    if (size > 0) mp_os_write_stderr(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    mp__children_kill();
    exit(1);
}

int mp_check(int result, const char *call, const char *file, int line)
{
    /* The result may be the caller's own, long after a failure that was dealt with. */
    if (result < 0) mp__die(file, line, call, result, result == mp__fail_code() ? mp_error_detail() : NULL);
    return result;
}

void *mp_check_data(void *data, const char *call, const char *file, int line)
{
    if (!data) mp__die(file, line, call, mp__fail_code(), mp_error_detail());
    return data;
}
