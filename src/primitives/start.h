/* SPDX-License-Identifier: MIT
 *
 * start.h - the three ways to start a process.
 */
#ifndef MP_PRIMITIVES_START_H
#define MP_PRIMITIVES_START_H

#include "base/family.h"
#include "os/os.h"
#include <mp/process.h>

/* A start on its way. Whoever fails leaves the cleaning up to mp_process_start. */
struct mp__start {
    uint64_t id;
    struct mp__process *record;
    mp_target target;
    const void *args;
    size_t args_size;
    bool gives;                        /* there are handles among them */
    const mp_process_options *options; /* never NULL */
    mp_os_module *module;              /* of the target; NULL for fork */
    mp_os_launch launch;               /* from the options */
};

/* When it is known that the arguments can be read, and before it runs: it holds what it is given. 0, or MP_ENOMEM, MP_ELIMIT
 * (detail set). */
int mp__start_give(struct mp__start *start);

/* 0: it runs; *process is what this process sees of it. Or a libmp error (detail set). */
int mp__start_fork(struct mp__start *start, mp_os_process *process);
int mp__start_spawn(struct mp__start *start, mp_os_process *process);
int mp__start_forkserver(struct mp__start *start, mp_os_process *process);

/* ---- bootstrap.c: from one program to the next ------------------------------------------------------------------ */

/* 0, or MP_ENOFREEZE, MP_EPERM: this program can not be started as a child. */
int mp__bootstrap_check(const char *call);
/* The same, without a word. */
bool mp__bootstrap_possible(void);

/* What a launched program is told: to be a child, the process whose record is in slot `where`; or the fork server with
 * `what` as its end of the channel, whose preload function the block at `where` describes (0: none); or the janitor. */
enum mp__role {
    MP__ROLE_CHILD,
    MP__ROLE_SERVER,
    MP__ROLE_JANITOR
};
#define MP__BOOTSTRAP_SIZE 128
/* Write that as "NAME=value"; for a child, `what` is its id. */
void mp__bootstrap_write(char text[MP__BOOTSTRAP_SIZE], enum mp__role role, uint64_t where, uint64_t what);
/* Read the value of that. False: nothing that was written so, for a role that there is, in numbers that fit their place. */
struct mp__bootstrap {
    enum mp__role role;
    intptr_t segment;
    uint64_t nonce, where, what;
};
bool mp__bootstrap_read(const char *text, struct mp__bootstrap *bootstrap);

/* Launch, with a check that the arena can be handed over. 0 or a libmp error. */
int mp__launch(const mp_os_launch *launch, const char *who, mp_os_process *process);

/* ---- start_forkserver.c -------------------------------------------------------------------------------------------
 */

/* This process's way to its fork server, to be passed on to a child; MP_OS_NO_HANDLE if it has none. */
intptr_t mp__server_channel(void);
/* Write that into what a child gets; and take it over, in the child. */
struct mp__delivery;
void mp__server_hand_on(struct mp__delivery *delivery, intptr_t channel);
void mp__server_inherit(const struct mp__delivery *delivery);
/* What was set about later starts makes a server of old unfit. */
void mp__server_renew(void);
/* Be the fork server. */
_Noreturn void mp__server_run(intptr_t channel, uint64_t preload);
/* This process is a copy. */
void mp__server_forked(void);

#endif
