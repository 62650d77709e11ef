/* SPDX-License-Identifier: MIT
 *
 * family.h - the process table, and this process's place in it.
 */
#ifndef MP_BASE_FAMILY_H
#define MP_BASE_FAMILY_H

#include "base/arena.h"

/* What every process does once, before it has an arena: install the hooks for fork and for the end of threads. 0 or an
 * error (detail set). */
int mp__family_prepare(void);

/* Layers above want to know, too, when this process turns out to be a copy (in the copy). Two at most. */
void mp__family_on_fork(void (*child)(void));

/* This process's id, after registering it where it is no member yet: the founder, or the child of a plain fork. 0 if
 * that failed (detail set). */
uint64_t mp__family_self(void);
/* The same without registering; 0 if it is no member. */
extern _Atomic uint64_t mp__family_own_id;
static inline uint64_t mp__family_id(void)
{
    return atomic_load_explicit(&mp__family_own_id, memory_order_acquire);
}
struct mp__process *mp__family_record(void);
const char *mp__family_name(void);
/* This process serves the family, under that name in the log, and is no member. */
void mp__family_serve(const char *name);
/* The space of pids it lives in. */
uint64_t mp__family_space(void);

/* A record for a process to be started by this one. `name` NULL: the default one. 0 and *id, or MP_ENOMEM, MP_ELIMIT.
 */
int mp__process_create(const char *name, uint32_t flags, uint32_t method, uint32_t default_method, uint64_t *id);
/* The record goes; 0 or MP_EBADHANDLE. */
int mp__process_remove(uint64_t id);
/* The second half of that: the handle is no more. May be done twice. */
void mp__process_discard(uint32_t slot, uint64_t id);

/* Free what was to be delivered to it, if that is still kept. */
void mp__process_undeliver(struct mp__process *record, uint64_t id);

/* The record an id names, NULL if none. It may be closed at any moment; its contents stay readable. */
struct mp__process *mp__process_of(uint64_t id);
/* The record in a slot, used or not; NULL beyond the table. */
struct mp__process *mp__process_at(uint32_t slot);
/* Slots below this one have been used. */
uint32_t mp__process_top(void);

uint32_t mp__process_slot(const struct mp__process *record);

/* One that this process has started: write down its pid, and its birth if that is known. */
void mp__process_born(struct mp__process *record, uint64_t id, const mp_os_process *process);

/* Another one has found out when it was born, of what was certainly it: so that others that open it by its pid can be sure. */
void mp__process_learn_birth(struct mp__process *record, uint64_t id, uint64_t birth);

/* Its pid, in the space that it was started in; 0: not known yet; -1: it was given up, or the record is another one's by now.
 * Before it is used: mp__process_is_elsewhere. */
int64_t mp__process_pid(const struct mp__process *record, uint64_t id);
/* The new process of that record has come, and has this pid here: true, or it was given up before. */
bool mp__process_arrive(struct mp__process *record, uint64_t id, int64_t pid);
/* Its starter is dead, and it has not come yet: it shall not. False: it has. */
bool mp__process_give_up(struct mp__process *record, uint64_t id);
/* This process is the one of that record: a child begins. Likewise. */
bool mp__process_enter(struct mp__process *record, uint64_t id);
/* This process tells the family itself that it has ended, and goes on for a moment: it has no life from here on. By the
 * thread that entered, or nothing happens. */
void mp__process_leave(void);
/* Whether its pid is not known here, or means another process: it was started in another space of pids. */
bool mp__process_is_elsewhere(const struct mp__process *record, uint64_t id);
/* Whether it can be seen to have ended. Never because of one sign alone: its life is over, or there is none, and its pid
 * is not its own any more. In another space of pids all that can be seen are lives: threads that libmp knows nothing of may
 * run there yet, and hold nothing. */
bool mp__process_is_gone(const struct mp__process *record, uint64_t id);

/* Tell the family how a process ended. True if nobody had done so before. A record that nobody has a handle of goes with
 * it. */
bool mp__process_end(uint64_t id, uint64_t ending);
/* What it has written down of what its target returned, as an ending; 0: it has not. */
uint64_t mp__process_returned(const struct mp__process *record);
/* It is about to be killed: how it will have ended, should the system tell nobody; and what was expected so, or 0. */
void mp__process_expect(struct mp__process *record, uint64_t id, int code);
int mp__process_expected(const struct mp__process *record, uint64_t id);
/* It has ended, or there never was one of that id, for certain: not if its record can not be mapped. */
bool mp__process_has_ended(uint64_t id);
/* How a process ended, see layout.h; 0: it has not, or it is not this record's any more. */
uint64_t mp__process_ending(const struct mp__process *record, uint64_t id);

/* Processes that libmp did not start, copies made by a plain fork() above all, are nobody's: who comes by tells of the
 * end of those that have ended. With `remove` their records go, too, and those of processes that have ended after who started
 * them: nobody else may see to that. True if any went. */
bool mp__process_tidy(bool remove);

/* It has ended; what is left of it goes, if it told so itself, or who told died in that: whoever comes to know of the end
 * finds everything gone. */
void mp__process_settle(struct mp__process *record, uint64_t id);
/* Nobody has a handle of it: its record goes when it ends, or now. */
void mp__process_unname(uint64_t id);

/* Sleep until it has ended, or somebody said so, or the deadline. */
void mp__process_sleep(struct mp__process *record, uint64_t id, int64_t deadline);

/* Give up records that a dead process was about to create, and strays. The arena's lock is held. */
void mp__process_sweep(uint64_t creator);
/* Whether it is of a process that died while it registered itself. */
bool mp__process_is_stray(const struct mp__process *record);

#endif
