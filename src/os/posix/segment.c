/* SPDX-License-Identifier: MIT
 *
 * segment.c - the shared segment: a file in memory that has no name, and windows into it.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if MP_LINUX
#include <sys/syscall.h>
#endif

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

static uint64_t round_down(uint64_t size)
{
    return size & ~(MP_OS_GRANULARITY - 1);
}

/* ---- how large ------------------------------------------------------------------------------------------------- */

static void lower(uint64_t *size, uint64_t limit)
{
    if (limit < *size) *size = limit;
}

/* Address space in use. */
static uint64_t mapped_now(void)
{
#if MP_LINUX
    char text[128];
    if (mp_os__file_read("/proc/self/statm", text, sizeof text))
        return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
#endif
    return 0;
}

static bool under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

static void lower_to_limits(uint64_t *size)
{
    struct rlimit limit;
    /* ftruncate past this one is answered by a signal that ends the process. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) lower(size, limit.rlim_cur);
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        uint64_t used = mapped_now();
        lower(size, used < limit.rlim_cur ? (limit.rlim_cur - used) / 4 : 0);
    }
    if (sizeof(void *) < 8) lower(size, MIB(512));
    if (!MP_LINUX || mp_os__sanitized()) lower(size, GIB(64));
    if (under_valgrind()) lower(size, GIB(4));
}

static bool reservable(uint64_t size)
{
    mp_os_segment segment = {.size = size};
    void *base = NULL;
    if (mp_os_reserve(&segment, 0, &base) != 0) return false;
    mp_os_unreserve(base, size);
    return true;
}

/* ---- making one ------------------------------------------------------------------------------------------------ */

#if MP_LINUX
static int open_memory_file(void)
{
#ifdef SYS_memfd_create
    const unsigned close_on_exec = 1, no_exec_seal = 8; /* MFD_CLOEXEC; MFD_NOEXEC_SEAL since 6.3 */
    long fd = syscall(SYS_memfd_create, "libmp", close_on_exec | no_exec_seal);
    if (fd < 0 && errno == EINVAL) fd = syscall(SYS_memfd_create, "libmp", close_on_exec);
    return (int)fd;
#else
    errno = ENOSYS;
    return -1;
#endif
}
#else
static int open_memory_file(void)
{
    errno = ENOSYS;
    return -1;
}
#endif

/* A name for an instant only, and one that nobody else guesses. */
static int open_named_file(void)
{
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t number;
        int error = mp_os_random(&number, sizeof number);
        if (error != 0) {
            errno = error;
            return -1;
        }
        char name[32];
        snprintf(name, sizeof name, "/libmp-%016llx", (unsigned long long)number);
        int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR); /* close-on-exec by itself */
        if (fd >= 0) shm_unlink(name);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* ftruncate once if all goes well: macOS does not allow more. */
static int give_size(int fd, uint64_t *size, uint64_t least)
{
    uint64_t given = *size;
    for (;;) {
        if (ftruncate(fd, (off_t)given) == 0) break;
        if (errno == EINTR) continue;
        if ((errno != EFBIG && errno != EINVAL && errno != ENOMEM && errno != ENOSPC) || round_down(given / 2) < least)
            return errno;
        given = round_down(given / 2);
    }
    *size = given;
    return 0;
}

int mp_os_segment_create(mp_os_segment *segment, uint64_t *size, uint64_t least)
{
    uint64_t given = *size;
    least = round_down(least + MP_OS_GRANULARITY - 1);
    lower_to_limits(&given);
    given = round_down(given);
    /* Where it is tight, as much is left for others. */
    if (given >= least && !reservable(given)) {
        while (given >= least && !reservable(given)) given = round_down(given / 2);
        if (round_down(given / 2) >= least) given = round_down(given / 2);
    }
    if (given < least || given == 0) return ENOMEM;

    int fd = open_memory_file();
    if (fd < 0) fd = open_named_file();
    fd = mp_os__descriptor_raise(fd);
    if (fd < 0) return errno;
    int error = give_size(fd, &given, least);
    if (error == 0) error = mp_os_segment_adopt(segment, fd);
    if (error != 0)
        close(fd);
    else
        *size = given;
    return error;
}

int mp_os_segment_adopt(mp_os_segment *segment, intptr_t handle)
{
    struct stat status;
    if (handle < 0 || handle > INT_MAX) return EBADF;
    int fd = (int)handle;
    if (fstat(fd, &status) != 0) return errno;
    if (status.st_size <= 0) return EINVAL;
    mp_os_segment made = {.handle = handle, .size = (uint64_t)status.st_size};
    int error = mp_os__descriptor_identify(fd, made.identity);
    if (error == 0) error = mp_os__descriptor_inherited(fd, false);
    if (error != 0) return error;
    *segment = made;
    return 0;
}

int mp_os_segment_check(const mp_os_segment *segment)
{
    return mp_os__descriptor_check(segment->handle, segment->identity);
}

void mp_os_segment_close(mp_os_segment *segment)
{
    if (segment->size != 0 && mp_os_segment_check(segment) == 0) close((int)segment->handle);
    *segment = (mp_os_segment){.handle = MP_OS_NO_HANDLE};
}

/* ---- windows --------------------------------------------------------------------------------------------------- */

static char *reserve(uint64_t size)
{
    if (size > SIZE_MAX) return NULL;
    void *reserved = mmap(NULL, (size_t)size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return reserved == MAP_FAILED ? NULL : reserved;
}

/* A process that ends goes through the tables of its address space, also where nothing is: through all of a table that
 * is there for any byte of it. So what lies behind the window shall share no table with it, and none with libraries: the
 * window ends where the largest table does that is not larger than the whole. Measured: 15 us of the 165 for a fork. */
static uint64_t table_span(uint64_t size)
{
    if (size >= GIB(512)) return GIB(512);
    return size >= GIB(1) ? GIB(1) : MIB(2);
}

int mp_os_reserve(const mp_os_segment *segment, uint64_t window, void **base)
{
    uint64_t size = segment->size, span = table_span(size), spare = 2 * span;
    char *reserved = window > 0 ? reserve(size + spare) : NULL;
    if (reserved != NULL) {
        uint64_t before = (0 - ((uint64_t)(uintptr_t)reserved + window)) % span;
        mp_os_unreserve(reserved, before);
        reserved += before;
        mp_os_unreserve(reserved + size, spare - before);
    } else {
        reserved = reserve(size);
    }
    if (reserved == NULL) return ENOMEM;
    *base = reserved;
    return 0;
}

void mp_os_unreserve(void *base, uint64_t size)
{
    if (size > 0) munmap(base, (size_t)size);
}

/* Where the program has closed the descriptor: from an old size of 0, mremap copies a shared window, here the first one,
 * grown to the end of the wanted part. That part is then moved to its place, in one step for threads that look at it. */
static int map_through_first(void *base, uint64_t offset, uint64_t size)
{
#if MP_LINUX
    size_t before = (size_t)offset, wanted = (size_t)size;
    char *copy = mremap(base, 0, before + wanted, MREMAP_MAYMOVE);
    if (copy == MAP_FAILED) return errno;
    void *moved = mremap(copy + before, wanted, wanted, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)base + offset);
    int error = moved == MAP_FAILED ? errno : 0;
    munmap(copy, error == 0 ? before : before + wanted);
    return error;
#else
    (void)base, (void)offset, (void)size;
    return EBADF;
#endif
}

int mp_os_segment_map(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size)
{
    char *place = (char *)base + offset;
    if (offset > segment->size || size > segment->size - offset) return EINVAL;
    if (size == 0) return 0;
    int error = 0;
    if (mp_os_segment_check(segment) == 0) {
        void *mapped = mmap(place, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, (int)segment->handle,
                            (off_t)offset);
        if (mapped == MAP_FAILED) error = errno;
    } else {
        error = offset > 0 ? map_through_first(base, offset, size) : EBADF;
    }
    if (error != 0) return error;
#if MP_LINUX
    madvise(place, (size_t)size, MADV_DONTDUMP); /* a core dump would fill the holes */
#endif
    munlock(place, (size_t)size); /* so would mlockall, once more of it is used */
    return 0;
}
