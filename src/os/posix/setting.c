/* SPDX-License-Identifier: MIT
 *
 * setting.c - what a child inherits: written down by the client, taken over by what the fork server has forked.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* The packed form: this, then the variables' strings. Both sides are the same program. */
#ifndef RLIM_NLIMITS
#define RLIM_NLIMITS 9
#endif
struct setting {
    uint64_t variables, bytes; /* how many, and how long all of them */
    mode_t mask;
    sigset_t blocked;
    struct rlimit limits[RLIM_NLIMITS];
};

#if defined(__GLIBC__)
typedef __rlimit_resource_t resource;
#else
typedef int resource;
#endif

/* ---- packing --------------------------------------------------------------------------------------------------- */

/* The only call that tells the umask changes it for an instant: as long as there are other threads /proc is asked,
 * which costs fifty times as much. */
static mode_t current_umask(void)
{
#if MP_LINUX
    char text[4096];
    const char *found;
    if (mp_os_threaded() && mp_os__file_read("/proc/self/status", text, sizeof text) &&
        (found = strstr(text, "\nUmask:")) != NULL) /* since 4.7 */
        return (mode_t)strtoul(found + strlen("\nUmask:"), NULL, 8);
#endif
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    umask(mask);
    return mask;
}

static void describe(struct setting *setting)
{
    memset(setting, 0, sizeof *setting);
    setting->mask = current_umask();
    pthread_sigmask(SIG_SETMASK, NULL, &setting->blocked);
    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (getrlimit((resource)i, &setting->limits[i]) != 0)
            setting->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
}

static void put(void *buffer, size_t capacity, size_t *at, const void *data, size_t size)
{
    if (*at < capacity) memcpy((char *)buffer + *at, data, size < capacity - *at ? size : capacity - *at);
    *at += size;
}

size_t mp_os_setting_pack(void *buffer, size_t capacity, const mp_os_launch *launch)
{
    struct setting setting;
    char **variables;
    if (mp_os__environment_changed(launch, &variables) != 0) return 0;
    describe(&setting);
    for (char **variable = variables; *variable != NULL; variable++) {
        setting.variables++;
        setting.bytes += strlen(*variable) + 1;
    }
    size_t at = 0;
    put(buffer, capacity, &at, &setting, sizeof setting);
    for (char **variable = variables; *variable != NULL; variable++)
        put(buffer, capacity, &at, *variable, strlen(*variable) + 1);
    free(variables);
    return at;
}

/* ---- taking over ----------------------------------------------------------------------------------------------- */

static bool is_environment(const struct setting *setting, const char *strings)
{
    char **variable = environ;
    const char *end = strings + setting->bytes;
    for (uint64_t i = 0; i < setting->variables; i++, variable++) {
        if (variable == NULL || *variable == NULL || strings == end || strcmp(*variable, strings) != 0) return false;
        strings += strlen(strings) + 1;
    }
    return variable == NULL || *variable == NULL;
}

/* The strings and the array stay for good: they are the environment. If it is the server's, it is here already. */
static int take_environment(const struct setting *setting, const char *strings, size_t size)
{
    if (setting->bytes > size || setting->variables > setting->bytes) return EINVAL;
    if (setting->bytes > 0 && strings[setting->bytes - 1] != '\0') return EINVAL;
    if (is_environment(setting, strings)) return 0;
    size_t count = (size_t)setting->variables, bytes = (size_t)setting->bytes;
    char **array = malloc((count + 1) * sizeof *array + bytes);
    if (array == NULL) return ENOMEM;
    char *text = (char *)(array + count + 1), *end = text + bytes;
    memcpy(text, strings, bytes);
    size_t i = 0;
    for (; i < count && text < end; i++, text += strlen(text) + 1) array[i] = text;
    array[i] = NULL;
    environ = array;
    return 0;
}

int mp_os__setting_environment(const void *packed, size_t size)
{
    struct setting setting;
    if (size < sizeof setting) return EINVAL;
    memcpy(&setting, packed, sizeof setting);
    return take_environment(&setting, (const char *)packed + sizeof setting, size - sizeof setting);
}

static int take_limit(int which, const struct rlimit *wanted)
{
    struct rlimit now;
    if (getrlimit((resource)which, &now) != 0) return 0;
    if (now.rlim_cur == wanted->rlim_cur && now.rlim_max == wanted->rlim_max) return 0;
    return setrlimit((resource)which, wanted) == 0 ? 0 : errno;
}

/* At least so much, or all, if that is less. Where it may not be, it stays. */
static void raise_limit(resource which, rlim_t least)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0 || limit.rlim_cur >= least) return;
    limit.rlim_cur = limit.rlim_max < least ? limit.rlim_max : least;
    setrlimit(which, &limit);
}

void mp_os_setting_lift_limits(void)
{
    /* Not more: where a child has to close them one by one, it tries all that the limit allows. */
    raise_limit(RLIMIT_NOFILE, (rlim_t)4 * MP_OS__BAGGAGE_MAX);
    raise_limit(RLIMIT_DATA, RLIM_INFINITY);
#ifdef RLIMIT_AS
    raise_limit(RLIMIT_AS, RLIM_INFINITY);
#endif
}

bool mp_os_setting_limits_alike(const void *packed, size_t size)
{
#ifdef RLIMIT_NPROC
    struct setting setting;
    struct rlimit now;
    if (size < sizeof setting || getrlimit(RLIMIT_NPROC, &now) != 0) return false;
    memcpy(&setting, packed, sizeof setting);
    return now.rlim_cur == setting.limits[RLIMIT_NPROC].rlim_cur &&
           now.rlim_max == setting.limits[RLIMIT_NPROC].rlim_max;
#else
    (void)packed, (void)size;
    return true;
#endif
}

void mp_os_setting_limit_processes(const void *packed, size_t size)
{
#ifdef RLIMIT_NPROC
    struct setting setting;
    if (size < sizeof setting) return;
    memcpy(&setting, packed, sizeof setting);
    (void)take_limit(RLIMIT_NPROC, &setting.limits[RLIMIT_NPROC]);
#else
    (void)packed, (void)size;
#endif
}

static int take_limits(const struct setting *setting)
{
    int error = 0;
    for (int i = 0; i < RLIM_NLIMITS && error == 0; i++) error = take_limit(i, &setting->limits[i]);
    return error;
}

/* Descriptors must first fit, under the client's limit or under this process's own. */
static void raise_descriptor_limit(const struct setting *setting)
{
    struct rlimit now, wanted = setting->limits[RLIMIT_NOFILE];
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || wanted.rlim_cur <= now.rlim_cur) return;
    if (wanted.rlim_max < now.rlim_max) wanted.rlim_max = now.rlim_max;
    setrlimit(RLIMIT_NOFILE, &wanted);
}

/* The server's own handler is the only one; what else it ignores it was launched with. */
static void take_signals(const struct setting *setting)
{
    const struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &action, NULL);
    pthread_sigmask(SIG_SETMASK, &setting->blocked, NULL);
}

/* ---- descriptors ----------------------------------------------------------------------------------------------- */

static bool is_wanted(const mp_os_baggage *baggage, int number)
{
    for (int i = 0; i < baggage->count; i++)
        if (baggage->wanted[i] == number) return true;
    return false;
}

/* What has come under a number that is meant for another goes somewhere else first. */
static int clear_places(mp_os_baggage *baggage)
{
    for (int i = 0; i < baggage->count; i++) {
        int old = baggage->received[i], moved = old;
        if (old == baggage->wanted[i]) continue;
        for (int least = 3; is_wanted(baggage, moved); least = moved + 1) {
            int next = fcntl(old, F_DUPFD_CLOEXEC, least);
            if (next < 0) return errno;
            if (moved != old) close(moved);
            moved = next;
        }
        if (moved == old) continue;
        baggage->received[i] = moved;
        close(old);
    }
    return 0;
}

static int place(mp_os_baggage *baggage)
{
    int error = clear_places(baggage);
    for (int i = 0; i < baggage->count && error == 0; i++) {
        int from = baggage->received[i], to = baggage->wanted[i];
        if (to == MP_OS__DIRECTORY)
            error = fchdir(from) == 0 ? 0 : errno;
        else if (from == to)
            error = mp_os__descriptor_inherited(to, true);
        else if (dup2(from, to) < 0)
            error = errno;
        if (from == to) continue;
        close(from);
        baggage->received[i] = -1;
    }
    return error;
}

static int ascending(const void *a, const void *b)
{
    int first = *(const int *)a, second = *(const int *)b;
    return (first > second) - (first < second);
}

static void close_others(const mp_os_baggage *baggage, int segment, int client)
{
    int kept[MP_OS__BAGGAGE_MAX + 4] = {STDIN_FILENO, segment, client}, count = 3;
    for (int i = 0; i < baggage->count; i++) kept[count++] = baggage->wanted[i];
    qsort(kept, (size_t)count, sizeof kept[0], ascending);
    int next = 0; /* the lowest that is not decided on */
    for (int i = 0; i < count; i++) {
        if (kept[i] < next) continue;
        mp_os__descriptors_close(next, kept[i] - 1, false);
        next = kept[i] + 1;
    }
    mp_os__descriptors_close(next, INT_MAX, false);
}

static int take_descriptors(mp_os_baggage *baggage, int segment, int client)
{
    int error = place(baggage);
    if (error == 0 && !is_wanted(baggage, STDIN_FILENO)) error = mp_os_stdin_null();
    if (error != 0) return error;
    close_others(baggage, segment, client);
    if (client >= 0) mp_os__descriptor_inherited(client, false);
    return mp_os__descriptor_inherited(segment, false);
}

int mp_os_setting_apply(mp_os_baggage *baggage, const void *packed, size_t size, const mp_os_segment *segment,
                        intptr_t client)
{
    struct setting setting;
    int error = mp_os__setting_environment(packed, size);
    if (error == 0) {
        memcpy(&setting, packed, sizeof setting);
        raise_descriptor_limit(&setting);
        error = take_descriptors(baggage, (int)segment->handle, (int)client);
    }
    if (error == 0) error = take_limits(&setting);
    if (error == 0) {
        umask(setting.mask);
        take_signals(&setting);
    }
    return error;
}
