/* SPDX-License-Identifier: MIT
 *
 * posix.h - what the files of the POSIX port share. Nothing outside this folder includes it.
 *
 * The port has two flavours. MP_LINUX 1 uses what Linux has beyond POSIX, each feature probed when the program runs, so
 * that an older kernel falls back. MP_LINUX 0 is plain POSIX with ELF: what other systems run, and with
 * -DMP_OS_GENERIC=1 Linux, too, so that it can be tested there.
 */
#ifndef MP_OS_POSIX_H
#define MP_OS_POSIX_H

#include "os/os.h"
#include <sys/types.h>

#if defined(MP_OS_GENERIC) && MP_OS_GENERIC
#define MP_LINUX 0
#elif defined(__linux__)
#define MP_LINUX 1
#else
#define MP_LINUX 0
#endif
/* Mutexes that the system gives to the next when their owner has died; Android's library has none. */
#if MP_LINUX && !defined(__BIONIC__)
#define MP_OS__ROBUST 1
#else
#define MP_OS__ROBUST 0
#endif

/* Whether a sanitizer watches this program: it has its own ideas of address space and of vfork. */
bool mp_os__sanitized(void);
bool mp_os__thread_sanitized(void); /* and that of locks */

/* ---- small files (machine.c, cgroup.c) ------------------------------------------------------------------------- */

/* Read a file of /proc or /sys as a string, as much of it as fits. */
bool mp_os__file_read(const char *path, char *text, size_t size);
/* Call visit(directory, second, context) for each control group that limits this process through `controller`, the
 * innermost first; `second`: the directory is one of version 2. */
typedef void mp_os__cgroup_visit(const char *directory, bool second, void *context);
void mp_os__cgroup_walk(const char *controller, mp_os__cgroup_visit *visit, void *context);

/* ---- descriptors (descriptor.c) -------------------------------------------------------------------------------- */

/* What a descriptor stands for, whatever its number. */
int mp_os__descriptor_identify(int fd, uint64_t identity[2]);
int mp_os__descriptor_check(intptr_t fd, const uint64_t identity[2]);
int mp_os__descriptor_inherited(int fd, bool inherited);
/* Move it, which is close-on-exec, out of the way of 0, 1 and 2: they may be closed, and about to be used. On failure
 * it is closed: -1 and errno. */
int mp_os__descriptor_raise(int fd);
/* The same with two; on failure both are closed, and the error is returned. */
int mp_os__descriptors_raise(int two[2]);
/* A pipe whose ends are raised. */
int mp_os__pipe(int ends[2]);
/* Close all from `first` to `last`, or only mark them close-on-exec. Async-signal-safe. INT_MAX: no end. */
void mp_os__descriptors_close(int first, int last, bool on_exec);

/* ---- other processes (process.c) ------------------------------------------------------------------------------- */

/* A birth is the inode number of the process's pidfd, with this bit, or else its start time. */
#define MP_OS__BIRTH_IS_INODE (UINT64_C(1) << 63)
/* -1 where the system has none. */
int mp_os__pidfd_open(int64_t pid);
/* 0 where they have no inode numbers of their own. */
uint64_t mp_os__pidfd_birth(int pidfd);
/* Fields of /proc/<pid>/stat. */
struct mp_os__stat {
    char state;
    long threads;
    uint64_t start;
    int status; /* as wait() tells it; of a zombie */
};
bool mp_os__stat_read(int64_t pid, struct mp_os__stat *stat);
/* A status of wait() as exit code, or -N for signal N. */
int mp_os__status_code(int status);

/* ---- environment (environment.c) ------------------------------------------------------------------------------- */

/* This process's environment with a launch's changes; the array is to be freed, the strings are not. */
int mp_os__environment_changed(const mp_os_launch *launch, char ***array);
/* This process's image, to be given to exec; not to be freed. NULL: unknown. */
const char *mp_os__image_path(void);
/* This process's arguments; not to be freed. NULL: unknown. */
char **mp_os__image_arguments(void);

/* ---- what came with a request (channel.c, setting.c) ----------------------------------------------------------- */

/* The environment of what mp_os_setting_pack wrote becomes this process's. EINVAL, and nothing has changed: it is none. */
int mp_os__setting_environment(const void *packed, size_t size);

#define MP_OS__BAGGAGE_MAX 252 /* descriptors a message: Linux takes 253, musl a kilobyte with their header */
#define MP_OS__DIRECTORY   (-1)
struct mp_os_baggage {
    int count;
    int received[MP_OS__BAGGAGE_MAX]; /* -1: used up */
    int wanted[MP_OS__BAGGAGE_MAX];   /* the number it has in the client, or MP_OS__DIRECTORY */
};

#endif
