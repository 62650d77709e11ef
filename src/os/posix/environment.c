/* SPDX-License-Identifier: MIT
 *
 * environment.c - environment variables, and this program's own path and arguments.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__FreeBSD__)
#include <sys/sysctl.h>
#endif

extern char **environ;

bool mp_os_variable(const char *name, char *value, size_t size)
{
    const char *found = getenv(name);
    size_t length = found != NULL ? strlen(found) : size;
    if (length < size) memcpy(value, found, length + 1);
    return length < size;
}

bool mp_os_take_variable(const char *name, char *value, size_t size)
{
    if (getenv(name) == NULL) return false;
    bool fits = mp_os_variable(name, value, size);
    unsetenv(name);
    return fits;
}

/* ---- a child's ------------------------------------------------------------------------------------------------- */

/* Whether `change` ("NAME=value" or "NAME") is about this entry. */
static bool concerns(const char *change, const char *entry)
{
    size_t length = strcspn(change, "=");
    return strncmp(change, entry, length) == 0 && entry[length] == '=';
}

static bool changed(const mp_os_launch *launch, const char *entry)
{
    if (launch->bootstrap != NULL && concerns(launch->bootstrap, entry)) return true;
    for (size_t i = 0; launch->environment != NULL && launch->environment[i] != NULL; i++)
        if (concerns(launch->environment[i], entry)) return true;
    return false;
}

/* Whether a later change is about the same name, so that this one does not count. */
static bool superseded(const mp_os_launch *launch, size_t index)
{
    const char *change = launch->environment[index];
    size_t length = strcspn(change, "=");
    for (size_t i = index + 1; launch->environment[i] != NULL; i++) {
        const char *later = launch->environment[i];
        if (strcspn(later, "=") == length && strncmp(later, change, length) == 0) return true;
    }
    return launch->bootstrap != NULL && concerns(launch->bootstrap, change);
}

int mp_os__environment_changed(const mp_os_launch *launch, char ***array)
{
    char **old = environ;
    const char *const *changes = launch->environment;
    size_t room = 2, count = 0;
    for (size_t i = 0; old != NULL && old[i] != NULL; i++) room++;
    for (size_t i = 0; changes != NULL && changes[i] != NULL; i++) room++;
    char **made = malloc(room * sizeof *made);
    if (made == NULL) return ENOMEM;

    /* Another thread may make the environment longer meanwhile; it must not write past the array. */
    for (size_t i = 0; old != NULL && old[i] != NULL && count < room - 2; i++)
        if (!changed(launch, old[i])) made[count++] = old[i];
    for (size_t i = 0; changes != NULL && changes[i] != NULL && count < room - 2; i++)
        if (strchr(changes[i], '=') != NULL && !superseded(launch, i)) made[count++] = (char *)(uintptr_t)changes[i];
    if (launch->bootstrap != NULL) made[count++] = (char *)(uintptr_t)launch->bootstrap;
    made[count] = NULL;
    *array = made;
    return 0;
}

/* ---- this program ---------------------------------------------------------------------------------------------- */

#if defined(__linux__)

const char *mp_os__image_path(void)
{
    return "/proc/self/exe"; /* the image itself, also when its file was replaced or removed */
}

#elif defined(__FreeBSD__)

const char *mp_os__image_path(void)
{
    static char path[MP_OS_PATH_MAX]; /* every thread writes the same into it */
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
    size_t size = sizeof path;
    return sysctl(name, 4, path, &size, NULL, 0) == 0 ? path : NULL;
}

#elif defined(__NetBSD__)

const char *mp_os__image_path(void)
{
    return "/proc/curproc/exe";
}

#else

const char *mp_os__image_path(void)
{
    return NULL;
}

#endif

#if MP_LINUX

static char *read_whole(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    size_t room = 4096, used = 0;
    char *text = malloc(room);
    while (text != NULL) {
        ssize_t got = read(fd, text + used, room - 1 - used);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        used += (size_t)got;
        if (used < room - 1) continue;
        char *more = realloc(text, room *= 2);
        if (more == NULL) free(text);
        text = more;
    }
    close(fd);
    if (text != NULL) text[used] = '\0';
    *length = used;
    return text;
}

/* The strings stay where they were read to; the array points into them. */
static char **read_arguments(void)
{
    size_t length, count = 0;
    char *text = read_whole("/proc/self/cmdline", &length);
    if (text == NULL) return NULL;
    for (size_t i = 0; i < length; i++) count += text[i] == '\0';
    char **array = count > 0 ? malloc((count + 1) * sizeof *array) : NULL;
    if (array == NULL) {
        free(text);
        return NULL;
    }
    for (size_t i = 0, at = 0; i < count; i++, at += strlen(text + at) + 1) array[i] = text + at;
    array[count] = NULL;
    return array;
}

char **mp_os__image_arguments(void)
{
    static _Atomic(char **) arguments;
    char **found = atomic_load_explicit(&arguments, memory_order_acquire);
    if (found != NULL) return found;
    char **made = read_arguments();
    if (made == NULL) return NULL;
    /* No lock: a child forked at the wrong moment would find it held. */
    if (atomic_compare_exchange_strong(&arguments, &found, made)) return made;
    free(made[0]);
    free(made);
    return found;
}

#else

char **mp_os__image_arguments(void)
{
    return NULL;
}

#endif
