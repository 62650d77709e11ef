/* SPDX-License-Identifier: MIT
 *
 * descriptor.c - descriptors: telling them apart, keeping them out of the way, closing many.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if MP_LINUX
#include <sys/syscall.h>
#endif

int mp_os__descriptor_identify(int fd, uint64_t identity[2])
{
    struct stat status;
    if (fstat(fd, &status) != 0) return errno;
    identity[0] = (uint64_t)status.st_dev;
    identity[1] = (uint64_t)status.st_ino;
    return 0;
}

int mp_os__descriptor_check(intptr_t fd, const uint64_t identity[2])
{
    uint64_t now[2] = {0};
    if (fd < 0 || fd > INT_MAX) return EBADF;
    int error = mp_os__descriptor_identify((int)fd, now);
    if (error != 0) return error;
    return now[0] == identity[0] && now[1] == identity[1] ? 0 : EBADF;
}

int mp_os__descriptor_inherited(int fd, bool inherited)
{
    return fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC) == 0 ? 0 : errno;
}

int mp_os__descriptor_raise(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    int saved = errno == EINVAL ? EMFILE : errno; /* that is what a limit below 10 says */
    close(fd);
    errno = saved;
    return raised;
}

int mp_os__pipe(int ends[2])
{
    int made[2];
#if defined(__APPLE__)
    if (pipe(made) != 0) return errno;
    for (int i = 0; i < 2; i++) fcntl(made[i], F_SETFD, FD_CLOEXEC);
#else
    if (pipe2(made, O_CLOEXEC) != 0) return errno;
#endif
    int error = mp_os__descriptors_raise(made);
    if (error == 0) ends[0] = made[0], ends[1] = made[1];
    return error;
}

int mp_os__descriptors_raise(int two[2])
{
    int error = 0;
    for (int i = 0; i < 2; i++) {
        two[i] = mp_os__descriptor_raise(two[i]);
        if (two[i] < 0 && error == 0) error = errno;
    }
    for (int i = 0; error != 0 && i < 2; i++)
        if (two[i] >= 0) close(two[i]);
    return error;
}

/* ---- many at once ---------------------------------------------------------------------------------------------- */

static void drop(int fd, bool on_exec)
{
    if (on_exec)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    else
        close(fd);
}

static void drop_each(int first, int last, bool on_exec)
{
    struct rlimit limit;
    int end = 1 << 20;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)end) end = (int)limit.rlim_cur;
    for (int fd = first; fd <= last && fd < end; fd++) drop(fd, on_exec);
}

#if MP_LINUX

struct entry {
    uint64_t inode;
    int64_t next;
    unsigned short size;
    unsigned char type;
    char name[];
};

static int number_of(const char *name)
{
    int number = 0;
    for (; *name >= '0' && *name <= '9'; name++) number = number * 10 + (*name - '0');
    return *name == '\0' ? number : -1;
}

/* Through /proc, without opendir, which takes memory. Closing while one reads skips some, so it is done again until
 * nothing is left. */
static bool drop_listed(int first, int last, bool on_exec)
{
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    _Alignas(8) char buffer[2048];
    bool again;
    do {
        again = false;
        lseek(directory, 0, SEEK_SET);
        long got;
        while ((got = syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
            for (long at = 0; at < got;) {
                const struct entry *entry = (const void *)(buffer + at);
                int fd = number_of(entry->name);
                at += entry->size;
                if (entry->name[0] == '.' || fd == directory || fd < first || fd > last) continue;
                drop(fd, on_exec);
                again = !on_exec;
            }
        }
    } while (again);
    close(directory);
    return true;
}

static bool drop_range(int first, int last, bool on_exec)
{
#ifdef SYS_close_range
    const unsigned mark = 1U << 2; /* CLOSE_RANGE_CLOEXEC */
    return syscall(SYS_close_range, (unsigned)first, last == INT_MAX ? ~0U : (unsigned)last, on_exec ? mark : 0U) == 0;
#else
    (void)first, (void)last, (void)on_exec;
    return false;
#endif
}

void mp_os__descriptors_close(int first, int last, bool on_exec)
{
    if (first > last) return;
    if (drop_range(first, last, on_exec) || drop_listed(first, last, on_exec)) return;
    drop_each(first, last, on_exec);
}

#else

void mp_os__descriptors_close(int first, int last, bool on_exec)
{
    drop_each(first, last, on_exec);
}

#endif
