/* SPDX-License-Identifier: MIT
 *
 * machine.c - the machine and the user: CPUs, memory, privileges, random bytes, stderr.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if MP_LINUX
#include <sys/auxv.h>
#include <sys/syscall.h>
#endif
#if defined(__APPLE__)
#include <sys/random.h>
#endif

bool mp_os__file_read(const char *path, char *text, size_t size)
{
    int fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return false;
    size_t length = 0;
    for (;;) {
        ssize_t got = read(fd, text + length, size - 1 - length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        length += (size_t)got;
    }
    close(fd);
    text[length] = '\0';
    return length > 0;
}

#if MP_LINUX

/* The number in a file that holds nothing else; UINT64_MAX for "max", and where there is no such file. */
static uint64_t number_in(const char *directory, const char *name)
{
    char path[512], text[64];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (!mp_os__file_read(path, text, sizeof text) || text[0] < '0' || text[0] > '9') return UINT64_MAX;
    return strtoull(text, NULL, 10);
}

/* The number that follows `key` at the beginning of a line. */
static uint64_t number_after(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0) return strtoull(line + length, NULL, 10);
        if (*line == '\0') break;
    }
    return UINT64_MAX;
}

/* ---- CPUs ------------------------------------------------------------------------------------------------------ */

static int affinity_count(void)
{
    unsigned long set[1024] = {0}; /* 65536 CPUs, more than cpu_set_t knows */
    long size = syscall(SYS_sched_getaffinity, 0, sizeof set, set);
    int count = 0;
    for (long i = 0; i < size / (long)sizeof set[0]; i++) count += __builtin_popcountl(set[i]);
    return count;
}

static void lower_to_quota(const char *directory, bool second, void *context)
{
    int *count = context;
    uint64_t quota = UINT64_MAX, period = UINT64_MAX;
    if (second) {
        char path[512], text[64];
        unsigned long long a, b;
        snprintf(path, sizeof path, "%s/cpu.max", directory);
        if (mp_os__file_read(path, text, sizeof text) && sscanf(text, "%llu %llu", &a, &b) == 2) quota = a, period = b;
    } else {
        quota = number_in(directory, "cpu.cfs_quota_us");
        period = number_in(directory, "cpu.cfs_period_us");
    }
    if (quota == UINT64_MAX || period == UINT64_MAX || period == 0) return;
    uint64_t whole = quota / period + (quota % period != 0);
    if (whole < (uint64_t)*count) *count = whole > 0 ? (int)whole : 1;
}

int mp_os_cpu_count(void)
{
    int count = affinity_count();
    if (count < 1) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1) return 1;
    mp_os__cgroup_walk("cpu", lower_to_quota, &count);
    return count;
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static void lower_to_limit(const char *directory, bool second, void *context)
{
    uint64_t *available = context;
    uint64_t limit = number_in(directory, second ? "memory.max" : "memory.limit_in_bytes");
    if (limit > INT64_MAX / 2) return; /* none */
    uint64_t usage = number_in(directory, second ? "memory.current" : "memory.usage_in_bytes");
    if (usage == UINT64_MAX) return;

    uint64_t left = usage < limit ? limit - usage : 0;
    if (left >= *available) return;
    /* Cached files count as used, and are given up without harm. */
    char path[512], text[8192];
    snprintf(path, sizeof path, "%s/memory.stat", directory);
    uint64_t idle = UINT64_MAX;
    if (mp_os__file_read(path, text, sizeof text))
        idle = number_after(text, second ? "inactive_file " : "total_inactive_file ");
    if (idle != UINT64_MAX) left += idle < usage ? idle : usage;
    if (left < *available) *available = left;
}

uint64_t mp_os_memory_available(void)
{
    char text[4096];
    uint64_t available = UINT64_MAX;
    if (mp_os__file_read("/proc/meminfo", text, sizeof text)) available = number_after(text, "MemAvailable:");
    if (available != UINT64_MAX) available *= 1024;
    mp_os__cgroup_walk("memory", lower_to_limit, &available);
    return available;
}

bool mp_os_elevated(void)
{
    return getauxval(AT_SECURE) != 0;
}

#else

int mp_os_cpu_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count >= 1 ? (int)count : 1;
}

uint64_t mp_os_memory_available(void)
{
#ifdef _SC_AVPHYS_PAGES
    long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0) return (uint64_t)pages * (uint64_t)size;
#endif
    return UINT64_MAX;
}

bool mp_os_elevated(void)
{
#if defined(__linux__)
    return geteuid() != getuid() || getegid() != getgid();
#else
    return issetugid() != 0;
#endif
}

#endif

/* ---- everywhere ------------------------------------------------------------------------------------------------ */

#if defined(__ELF__) && defined(__GNUC__)
/* There if any part of the program is watched, be it not this one. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

bool mp_os__sanitized(void)
{
    return __asan_init != NULL || __tsan_init != NULL;
}

bool mp_os__thread_sanitized(void)
{
    return __tsan_init != NULL;
}
#else
bool mp_os__sanitized(void)
{
    return false;
}

bool mp_os__thread_sanitized(void)
{
    return false;
}
#endif

uint64_t mp_os_user(void)
{
    return geteuid();
}

static int random_from_device(unsigned char *data, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = 0;
    while (size > 0 && error == 0) {
        ssize_t got = read(fd, data, size);
        if (got > 0)
            data += got, size -= (size_t)got;
        else if (got == 0 || errno != EINTR)
            error = got == 0 ? EIO : errno;
    }
    close(fd);
    return error;
}

int mp_os_random(void *data, size_t size)
{
    unsigned char *next = data;
    while (size > 0) {
        size_t part = size < 256 ? size : 256; /* getentropy gives no more at once */
        if (getentropy(next, part) != 0) return random_from_device(next, size);
        next += part, size -= part;
    }
    return 0;
}

void mp_os_write_stderr(const char *text, size_t size)
{
    int saved = errno;
    while (size > 0) {
        ssize_t wrote = write(STDERR_FILENO, text, size);
        if (wrote > 0)
            text += wrote, size -= (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            break;
    }
    errno = saved;
}
