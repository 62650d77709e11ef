/* SPDX-License-Identifier: MIT
 *
 * error.c - errno values, and what they are to libmp.
 */
#include "posix.h"
#include <errno.h>
#include <mp/error.h>
#include <stdio.h>
#include <string.h>

const int mp_os_enotsup = ENOTSUP, mp_os_egone = ESRCH;
const int mp_os_etimedout = ETIMEDOUT;

int mp_os_error_code(int error)
{
    switch (error) {
    case ENOMEM:
    case ENOSPC: /* of a file system in memory */
        return MP_ENOMEM;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
    case EFBIG:
    case E2BIG:
    case ETOOMANYREFS:
        return MP_ELIMIT;
    case EPERM:
    case EACCES:
        return MP_EPERM;
    case ENOSYS:
    case ENOTSUP:
#if EOPNOTSUPP != ENOTSUP
    case EOPNOTSUPP:
#endif
        return MP_ENOTSUP;
    case EINVAL:
    case EBADF:
    case ENAMETOOLONG:
        return MP_EINVAL;
    default:
        return MP_ESYSTEM;
    }
}

/* There are two strerror_r: POSIX's fills the buffer and returns a number, GNU's returns the text, wherever it is. */
static const char *text_of_posix(int result, const char *buffer)
{
    return result == 0 ? buffer : "";
}

static const char *text_of_gnu(const char *result, const char *buffer)
{
    (void)buffer;
    return result;
}

void mp_os_error_text(int error, char *text, size_t size)
{
    char buffer[256] = "";
    const char *found = _Generic(strerror_r(error, buffer, sizeof buffer), int
                                 : text_of_posix, default
                                 : text_of_gnu)(strerror_r(error, buffer, sizeof buffer), buffer);
    if (size == 0) return;
    int saved = errno;
    if (found[0] != '\0')
        snprintf(text, size, "%s", found);
    else
        snprintf(text, size, "error %d", error);
    errno = saved;
}
