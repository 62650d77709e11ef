/* SPDX-License-Identifier: MIT
 *
 * look.h - what mp-top asks of the operating system, besides the clock of os.h: to find families of processes, to copy what
 * their arenas say, and to draw on a terminal. It is part of that tool, and of no library.
 *
 * Nothing here changes anything of another process's, nor waits for one: what is looked at may be ending, or be dead. Errors
 * are the system's numbers, as in os.h.
 */
#ifndef MP_OS_LOOK_H
#define MP_OS_LOOK_H

#include "os/os.h"

/* No memory. */
extern const int mp_os_enomem;

/* ---- segments ---------------------------------------------------------------------------------------------------- */

/* A process that has a segment, or had when it was looked for. */
typedef struct mp_os_viewer {
    int64_t pid;
    intptr_t handle; /* the port's own, as the next */
    uint64_t base;
} mp_os_viewer;

/* A segment of some family's, to be read. It is not mapped, but copied from: so there is no signal where it is cut off, and no
 * memory is taken for what nobody has written to. */
typedef struct mp_os_view {
    intptr_t handle;
    uint64_t identity[2]; /* of the segment */
    uint64_t size;        /* bytes; UINT64_MAX: not known */
    mp_os_viewer *viewers;
    size_t count;
} mp_os_view;

typedef struct mp_os_views {
    mp_os_view *at;
    size_t count;
    bool denied; /* there is one that may not be looked at: nobody has it open any more */
} mp_os_views;

/* What all segments begin with, where that is how they are told from other memory, and how many bytes tell them apart. */
typedef struct mp_os_mark {
    uint64_t magic;
    size_t size; /* 64 at most */
} mp_os_mark;

/* The segments that processes of this user have; or of one process, 0: all. Those that vanish meanwhile are left out. To be
 * closed, also if there are none. mp_os_enotsup: this system does not tell. */
int mp_os_views_find(int64_t pid, const mp_os_mark *mark, mp_os_views *views);
void mp_os_views_close(mp_os_views *views);
/* One that was saved to a file. */
int mp_os_views_open(const char *path, mp_os_views *views);
/* Copy a part of it; false: it is not there, or no process is left that has it. Other processes may write to it meanwhile. */
bool mp_os_view_read(const mp_os_view *view, uint64_t offset, void *buffer, size_t size);

/* ---- processes --------------------------------------------------------------------------------------------------- */

enum mp_os_seen {
    MP_OS_SEEN_NOTHING, /* it is there, and the system says no more */
    MP_OS_SEEN_GONE,    /* there is none; or the pid is another one's, who was not born then */
    MP_OS_SEEN_DEAD,    /* nobody has reaped it */
    MP_OS_SEEN_RUNNING, /* or about to */
    MP_OS_SEEN_ASLEEP,
    MP_OS_SEEN_STOPPED
};
typedef struct mp_os_sight {
    enum mp_os_seen seen;
    int64_t cpu; /* ns, in user space and in the kernel; -1: not known */
} mp_os_sight;
/* `birth`: as in mp_os_process; 0: not known. */
mp_os_sight mp_os_process_look(int64_t pid, uint64_t birth);
/* What it was started as; "" if that can not be told. */
void mp_os_process_command(int64_t pid, char *text, size_t size);
/* As mp_os_pid_space. */
uint64_t mp_os_space_here(void);

/* ---- the terminal ------------------------------------------------------------------------------------------------ */

enum mp_os_key { /* others are what was typed, in ASCII */
    MP_OS_KEY_NONE,
    MP_OS_KEY_END = 256, /* the program shall end: a signal, or nobody is at the other end */
    MP_OS_KEY_RESIZED,
    MP_OS_KEY_UP,
    MP_OS_KEY_DOWN,
    MP_OS_KEY_PAGE_UP,
    MP_OS_KEY_PAGE_DOWN,
    MP_OS_KEY_LEFT,
    MP_OS_KEY_RIGHT
};

/* Take the terminal that stdin and stdout are: a screen of its own, which understands ANSI's sequences, and keys as they are
 * typed. It is put back at exit, and by mp_os_terminal_end. mp_os_enotsup: they are none. */
int mp_os_terminal_begin(void);
void mp_os_terminal_end(void);
void mp_os_terminal_size(int *columns, int *rows);
/* A key, or MP_OS_KEY_NONE at the deadline. */
int mp_os_terminal_key(int64_t deadline);
void mp_os_terminal_write(const char *text, size_t size);

#endif
