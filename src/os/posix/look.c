/* SPDX-License-Identifier: MIT
 *
 * look.c - families seen from outside: which processes have a segment open, what stands in it, and what they do.
 *
 * It takes /proc as Linux has it, whichever flavour of the port the library is built as; other systems have no such thing. The
 * descriptor of a process is opened anew by /proc/PID/fd, for reading only, and read like a file: a hole reads as zero there,
 * and stays one.
 */
#include "os/look.h"
#include "posix.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

#define VIEWS_MOST 128 /* each is a descriptor */

const int mp_os_enomem = ENOMEM;

/* ---- a list of views --------------------------------------------------------------------------------------------- */

void mp_os_views_close(mp_os_views *views)
{
    for (size_t i = 0; i < views->count; i++) {
        close((int)views->at[i].handle);
        free(views->at[i].viewers);
    }
    free(views->at);
    *views = (mp_os_views){.count = 0};
}

static int add_viewer(mp_os_view *view, int64_t pid)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->viewers[i].pid == pid) return 0;
    mp_os_viewer *larger = realloc(view->viewers, (view->count + 1) * sizeof *larger);
    if (larger == NULL) return ENOMEM;
    larger[view->count++] = (mp_os_viewer){.pid = pid, .handle = MP_OS_NO_HANDLE};
    view->viewers = larger;
    return 0;
}

/* A descriptor of it, which is the list's from here on. pid 0: of none. */
static int add_view(mp_os_views *views, int fd, int64_t pid)
{
    struct stat status;
    int error = fstat(fd, &status) != 0 ? errno : !S_ISREG(status.st_mode) || status.st_size <= 0 ? EINVAL : 0;
    mp_os_view *larger = error == 0 ? realloc(views->at, (views->count + 1) * sizeof *larger) : NULL;
    if (larger == NULL) {
        close(fd);
        return error != 0 ? error : ENOMEM;
    }
    views->at = larger;
    views->at[views->count++] = (mp_os_view){
        .handle = fd, .identity = {(uint64_t)status.st_dev, (uint64_t)status.st_ino}, .size = (uint64_t)status.st_size};
    return pid != 0 ? add_viewer(&views->at[views->count - 1], pid) : 0;
}

int mp_os_views_open(const char *path, mp_os_views *views)
{
    *views = (mp_os_views){.count = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? errno : add_view(views, fd, 0);
}

bool mp_os_view_read(const mp_os_view *view, uint64_t offset, void *buffer, size_t size)
{
    char *at = buffer;
    if (offset > view->size || size > view->size - offset) return false;
    while (size > 0) {
        ssize_t got = pread((int)view->handle, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

#if defined(__linux__)

/* ---- finding them ------------------------------------------------------------------------------------------------ */

/* The number that a name is; 0: none. */
static int64_t number_of(const char *name)
{
    int64_t number = 0;
    if (*name == '\0') return 0;
    for (; isdigit((unsigned char)*name) && number < INT32_MAX; name++) number = 10 * number + (*name - '0');
    return *name == '\0' ? number : 0;
}

/* What the kernel calls a segment (segment.c): a file in memory, or one of that name, which is gone. */
static bool is_segment(const char *name)
{
    static const char memory[] = "/memfd:libmp (deleted)", named[] = "/libmp-", gone[] = " (deleted)";
    if (strcmp(name, memory) == 0) return true;
    const char *last = strrchr(name, '/');
    if (last == NULL || strncmp(last, named, sizeof named - 1) != 0) return false;
    last += sizeof named - 1;
    return strspn(last, "0123456789abcdef") == 16 && strcmp(last + 16, gone) == 0;
}

static mp_os_view *view_of(const mp_os_views *views, const struct stat *status)
{
    for (size_t i = 0; i < views->count; i++)
        if (views->at[i].identity[0] == (uint64_t)status->st_dev &&
            views->at[i].identity[1] == (uint64_t)status->st_ino)
            return &views->at[i];
    return NULL;
}

/* By a link of /proc, which leads to a segment, or did when it was read. */
static int add_link(mp_os_views *views, int directory, const char *link, int64_t pid)
{
    struct stat status;
    if (fstatat(directory, link, &status, 0) != 0) return errno;
    mp_os_view *view = view_of(views, &status);
    if (view != NULL) return add_viewer(view, pid);
    if (views->count == VIEWS_MOST) return 0;
    int fd = openat(directory, link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? errno : add_view(views, fd, pid);
}

/* Whether there was one among its descriptors. */
static bool look_at_descriptors(mp_os_views *views, int64_t pid, int *error)
{
    char path[64], name[64];
    snprintf(path, sizeof path, "/proc/%lld/fd", (long long)pid);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool found = false;
    while (directory != NULL && *error == 0 && (entry = readdir(directory)) != NULL) {
        ssize_t size = readlinkat(dirfd(directory), entry->d_name, name, sizeof name - 1);
        if (size <= 0) continue;
        name[size] = '\0';
        if (!is_segment(name)) continue;
        int result = add_link(views, dirfd(directory), entry->d_name, pid);
        if (result == ENOMEM || result == EMFILE || result == ENFILE) *error = result;
        if (result == 0) found = true;
    }
    if (directory != NULL) closedir(directory);
    return found;
}

/* A process that has closed its descriptor still has windows into it, which only some may follow. */
static void look_at_windows(mp_os_views *views, int64_t pid)
{
    char path[64], line[512], range[64];
    bool found = false, denied = false;
    snprintf(path, sizeof path, "/proc/%lld/maps", (long long)pid);
    FILE *maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%lld/map_files", (long long)pid);
    int directory = maps != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL) {
        char *name = strchr(line, '/');
        if (name == NULL) continue;
        name[strcspn(name, "\n")] = '\0';
        if (!is_segment(name) || sscanf(line, "%60[0-9a-f-]", range) != 1) continue;
        found = directory >= 0 && add_link(views, directory, range, pid) == 0;
        denied = !found;
        if (denied) break;
    }
    if (denied) views->denied = true;
    if (directory >= 0) close(directory);
    if (maps != NULL) fclose(maps);
}

static int look_at(mp_os_views *views, int64_t pid, bool thorough)
{
    int error = 0;
    if (!look_at_descriptors(views, pid, &error) && error == 0 && thorough) look_at_windows(views, pid);
    return error;
}

static bool is_ours(int64_t pid)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
    return stat(path, &status) == 0 && status.st_uid == geteuid();
}

int mp_os_views_find(int64_t pid, const mp_os_mark *mark, mp_os_views *views)
{
    (void)mark; /* they have names */
    *views = (mp_os_views){.count = 0};
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    int error = access("/proc/self/stat", R_OK) != 0 ? ENOTSUP : 0;
    if (directory == NULL) return ENOTSUP;
    if (pid != 0 && error == 0) error = look_at(views, pid, true);
    while (pid == 0 && error == 0 && (entry = readdir(directory)) != NULL) {
        int64_t one = number_of(entry->d_name);
        if (one > 0 && is_ours(one)) error = look_at(views, one, geteuid() == 0); /* who else may not follow */
    }
    closedir(directory);
    return error;
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

/* As much of a file of /proc as fits, and a 0. */
static size_t read_file(int64_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    size_t got = 0;
    snprintf(path, sizeof path, "/proc/%lld/%s", (long long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got < size - 1) {
        ssize_t more = read(fd, text + got, size - 1 - got);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) break;
        got += (size_t)more;
    }
    if (fd >= 0) close(fd);
    text[got] = '\0';
    return got;
}

static enum mp_os_seen seen_of(char state, unsigned long long threads)
{
    switch (state) {
    case 'R':
        return MP_OS_SEEN_RUNNING;
    case 'S':
    case 'D':
    case 'I':
        return MP_OS_SEEN_ASLEEP;
    case 'T':
    case 't':
        return MP_OS_SEEN_STOPPED;
    case 'Z': /* or only its first thread is */
    case 'X':
        return threads > 1 ? MP_OS_SEEN_NOTHING : MP_OS_SEEN_DEAD;
    default:
        return MP_OS_SEEN_NOTHING;
    }
}

/* The number that the system has for it and for no other, as process.c takes it; 0: it has none. */
static uint64_t inode_of(int64_t pid)
{
    uint64_t inode = 0;
#ifdef SYS_pidfd_open
    struct statfs system;
    struct stat status;
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (fd < 0) return 0;
    if (fstatfs(fd, &system) == 0 && (uint64_t)system.f_type == UINT64_C(0x50494446) && fstat(fd, &status) == 0)
        inode = (uint64_t)status.st_ino | MP_OS__BIRTH_IS_INODE;
    close(fd);
#else
    (void)pid;
#endif
    return inode;
}

mp_os_sight mp_os_process_look(int64_t pid, uint64_t birth)
{
    const mp_os_sight gone = {.seen = MP_OS_SEEN_GONE, .cpu = -1};
    char text[1024];
    if (pid <= 0 || pid > INT32_MAX || read_file(pid, "stat", text, sizeof text) == 0) return gone;
    /* The second field is a name in brackets, and may hold anything. */
    char *next = strrchr(text, ')');
    if (next == NULL || next[1] != ' ' || next[2] == '\0') return gone;
    char state = next[2];
    unsigned long long ticks = 0, start = 0, threads = 0;
    next += 3;
    for (int field = 4; field <= 22 && *next != '\0'; field++) {
        unsigned long long number = strtoull(next, &next, 10);
        if (field == 14 || field == 15) ticks += number;
        if (field == 20) threads = number;
        if (field == 22) start = number;
    }
    if (birth & MP_OS__BIRTH_IS_INODE) { /* asked later: if it is that one it was then */
        uint64_t inode = inode_of(pid);
        if (inode != 0 && inode != birth) return gone;
    } else if (birth != 0 && birth != start) {
        return gone;
    }
    long rate = sysconf(_SC_CLK_TCK);
    return (mp_os_sight){.seen = seen_of(state, threads),
                         .cpu = rate > 0 ? (int64_t)(ticks * 1000000000 / (unsigned long long)rate) : -1};
}

void mp_os_process_command(int64_t pid, char *text, size_t size)
{
    size_t got = read_file(pid, "cmdline", text, size);
    while (got > 0 && text[got - 1] == '\0') got--;
    for (size_t i = 0; i < got; i++)
        if (text[i] == '\0') text[i] = ' ';
    if (got == 0) { /* it has ended, or is changing its name */
        got = read_file(pid, "comm", text, size);
        if (got > 0 && text[got - 1] == '\n') text[got - 1] = '\0';
    }
}

uint64_t mp_os_space_here(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

#else

int mp_os_views_find(int64_t pid, const mp_os_mark *mark, mp_os_views *views)
{
    (void)pid, (void)mark;
    *views = (mp_os_views){.count = 0};
    return ENOTSUP;
}

mp_os_sight mp_os_process_look(int64_t pid, uint64_t birth)
{
    (void)pid, (void)birth;
    return (mp_os_sight){.seen = MP_OS_SEEN_NOTHING, .cpu = -1};
}

void mp_os_process_command(int64_t pid, char *text, size_t size)
{
    (void)pid;
    if (size > 0) *text = '\0';
}

uint64_t mp_os_space_here(void)
{
    return 0;
}

#endif
