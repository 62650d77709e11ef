/* SPDX-License-Identifier: MIT
 *
 * file.c - writing a file.
 */
#include "os/posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int mp_os_full_path(const char *path, char *full, size_t size)
{
    size_t before = 0;
    if (*path != '/') {
        if (!getcwd(full, size)) return errno;
        before = strlen(full);
        if (before > 1 && before + 1 < size) full[before++] = '/'; /* not of the root */
    }
    if (before + strlen(path) >= size) return ENAMETOOLONG;
    strcpy(full + before, path);
    return 0;
}

int mp_os_file_create(const char *path, FILE **file)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) return errno;
    *file = fdopen(descriptor, "w");
    if (*file) return 0;
    int error = errno;
    (void)close(descriptor);
    return error;
}

int mp_os_file_rename(const char *from, const char *to)
{
    return rename(from, to) ? errno : 0;
}

void mp_os_file_remove(const char *path)
{
    (void)unlink(path);
}
