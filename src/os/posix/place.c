/* SPDX-License-Identifier: MIT
 *
 * place.c - what this system offers, and where a process works: start methods, working directory, environment changes.
 */
#include "os/posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const enum mp_start_method *mp_os_start_methods(size_t *count)
{
    /* Python's order since 3.14. macOS's own libraries do not survive a fork without exec. */
#ifdef __APPLE__
    static const mp_start_method methods[] = {MP_SPAWN, MP_FORK, MP_FORKSERVER};
#else
    static const mp_start_method methods[] = {MP_FORKSERVER, MP_FORK, MP_SPAWN};
#endif
    *count = sizeof methods / sizeof *methods;
    return methods;
}

int mp_os_directory_check(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        /* One may work in a directory that one can not read. */
        int error = errno;
        return error == EACCES && access(path, X_OK) == 0 ? 0 : error;
    }
    int error = faccessat(descriptor, ".", X_OK, 0) ? errno : 0;
    (void)close(descriptor);
    return error;
}

int mp_os_change_directory(const char *path)
{
    return chdir(path) ? errno : 0;
}

int mp_os_change_environment(const char *const *changes)
{
    for (; changes && *changes; changes++) {
        const char *equals = strchr(*changes, '=');
        if (!equals) {
            if (unsetenv(*changes)) return errno;
            continue;
        }
        char *name = strndup(*changes, (size_t)(equals - *changes));
        if (!name) return ENOMEM;
        int error = setenv(name, equals + 1, 1) ? errno : 0;
        free(name);
        if (error) return error;
    }
    return 0;
}
