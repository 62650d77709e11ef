/* SPDX-License-Identifier: MIT
 *
 * file.c - writing a file.
 */
#include "os/posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const int mp_os_etoolong = ENAMETOOLONG, mp_os_eexist = EEXIST;

int mp_os_full_path(const char *path, char *full, size_t size)
{
    size_t before = 0;
    if (*path != '/') {
        if (!getcwd(full, size)) return errno == ERANGE ? ENAMETOOLONG : errno;
        before = strlen(full);
        if (before > 1 && before + 1 < size) full[before++] = '/'; /* not of the root */
    }
    size_t length = strlen(path);
    if (before + length >= size) return ENAMETOOLONG;
    memcpy(full + before, path, length + 1);
    return 0;
}

int mp_os_file_check(const char *path)
{
    struct stat status;
    if (stat(path, &status)) return errno == ENOENT ? 0 : errno;
    return S_ISREG(status.st_mode) ? 0 : mp_os_enotsup;
}

int mp_os_file_create(const char *path, intptr_t *file)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* O_EXCL follows no link, either */
    if (descriptor < 0) return errno;
    *file = descriptor;
    return 0;
}

int mp_os_file_write(intptr_t file, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t written = write((int)file, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

int mp_os_file_close(intptr_t file)
{
    return close((int)file) && errno != EINTR ? errno : 0;
}

int mp_os_file_rename(const char *from, const char *to)
{
    return rename(from, to) ? errno : 0;
}

void mp_os_file_remove(const char *path)
{
    (void)unlink(path);
}
