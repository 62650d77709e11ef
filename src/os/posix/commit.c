/* SPDX-License-Identifier: MIT
 *
 * commit.c - memory for the shared segment: taken so that using it can not fail, and given back.
 *
 * The kernel does not refuse what it does not have: it kills, and perhaps somebody else. So whoever asks for much is
 * refused beforehand when it is not there, and is given it in pieces, looking again before each.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB(n) ((uint64_t)(n) << 20)

/* ---- is there enough? ------------------------------------------------------------------------------------------ */

static uint64_t margin_of(uint64_t available)
{
    uint64_t margin = MIB(64);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0) {
        uint64_t part = (uint64_t)pages * (uint64_t)page / 50;
        if (part > margin) margin = part;
    }
    /* 2 % of a large machine may be more than all of a small control group. */
    return margin < available / 8 ? margin : available / 8;
}

static bool affordable(uint64_t size)
{
    uint64_t available = mp_os_memory_available();
    if (available == UINT64_MAX) return true;
    uint64_t margin = margin_of(available);
    return size <= available - margin;
}

/* ---- taking a piece -------------------------------------------------------------------------------------------- */

#if MP_LINUX

static int allocate(int fd, uint64_t offset, uint64_t size)
{
    return fallocate(fd, 0, (off_t)offset, (off_t)size) == 0 ? 0 : errno;
}

#elif defined(_POSIX_ADVISORY_INFO) && _POSIX_ADVISORY_INFO > 0

static int allocate(int fd, uint64_t offset, uint64_t size)
{
    return posix_fallocate(fd, (off_t)offset, (off_t)size);
}

#else

static int allocate(int fd, uint64_t offset, uint64_t size)
{
    (void)fd, (void)offset, (void)size;
    return EOPNOTSUPP;
}

#endif

/* Touch each page without changing it, also if others use it. */
static int touch(char *place, uint64_t size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (uint64_t at = 0; at < size; at += page)
        atomic_fetch_or_explicit((_Atomic unsigned char *)(place + at), 0, memory_order_relaxed);
    return 0;
}

static int populate(char *place, uint64_t size)
{
#if MP_LINUX
    const int populate_write = 23; /* MADV_POPULATE_WRITE, since 5.14 */
    if (madvise(place, (size_t)size, populate_write) == 0) return 0;
    if (errno != EINVAL) return errno == EFAULT ? ENOMEM : errno;
#endif
    return touch(place, size);
}

static int take(const mp_os_segment *segment, char *base, uint64_t offset, uint64_t size)
{
    int error = EBADF;
    if (mp_os_segment_check(segment) == 0) error = allocate((int)segment->handle, offset, size);
    if (error == EBADF || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL || error == ENODEV)
        error = populate(base + offset, size);
    return error;
}

/* ---- taking all ------------------------------------------------------------------------------------------------ */

/* Whether a part has never had memory, or has given it back: only then may it all be given back again. */
static bool untouched(const mp_os_segment *segment, uint64_t offset, uint64_t size)
{
#if defined(SEEK_DATA)
    if (mp_os_segment_check(segment) != 0) return false;
    off_t data = lseek((int)segment->handle, (off_t)offset, SEEK_DATA);
    return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + size;
#else
    (void)segment, (void)offset, (void)size;
    return false;
#endif
}

int mp_os_segment_commit(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size)
{
    if (offset > segment->size || size > segment->size - offset) return EINVAL;
    bool large = size >= MIB(1);
    if (large && !affordable(size)) return ENOMEM;
    bool fresh = size > MIB(64) && untouched(segment, offset, size);

    int error = 0;
    uint64_t piece = MIB(64), done = 0;
    while (done < size && error == 0) {
        uint64_t part = size - done < piece ? size - done : piece;
        if (done > 0 && large && !affordable(part)) error = ENOMEM;
        if (error == 0) error = take(segment, base, offset + done, part);
        if (error == 0) done += part;
        if (error == EINTR) {
            /* The kernel has undone the piece. Smaller ones get through between the signals. */
            error = 0;
            if (piece > MP_OS_GRANULARITY) piece /= 2;
        }
    }
    if (error != 0 && fresh) mp_os_segment_discard(segment, base, offset, size);
    return error;
}

bool mp_os_segment_discard(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size)
{
#if MP_LINUX
    if (size == 0) return true;
    int result;
    do {
        if (mp_os_segment_check(segment) == 0)
            result =
                fallocate((int)segment->handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
        else
            result = madvise((char *)base + offset, (size_t)size, MADV_REMOVE);
    } while (result != 0 && errno == EINTR);
    return result == 0;
#else
    (void)segment, (void)base, (void)offset, (void)size;
    return false;
#endif
}
