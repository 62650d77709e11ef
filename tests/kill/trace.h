/* SPDX-License-Identifier: MIT
 *
 * trace.h - stepping through another process, and killing it somewhere.
 */
#ifndef MP_TESTS_TRACE_H
#define MP_TESTS_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VISITS  16 /* of one place: the later rounds of a loop are left out */
#define AT_MOST 1000000

#define EXITED 1000

/* The signal that it was stopped by; EXITED: it has ended, and stays to be reaped. -1: neither. */
int stopped_by(pid_t pid);
/* The same, if that is so within so many microseconds; else 0. */
int stopped_within(pid_t pid, int64_t microseconds);
/* Let it run to its next stop, or for one step. Signals of its own (a child of it has ended) it is given. */
int go_on(pid_t pid, bool one_step);
/* Only let it: how it stops is to be asked. */
bool let_go(pid_t pid, bool one_step, int signal);

/* The next process that it starts, which does not run yet: it is stopped at its first instruction, and its starter runs on;
 * -1: it started none. */
pid_t catch_child(pid_t pid);
/* The one that its fork server has ready for it. */
pid_t catch_spare(void);
/* It has been killed, or has ended: whose child it is may know. */
bool release(pid_t pid);

/* The way through an operation: where it is after each instruction, and how often it has been there then. In memory that
 * is shared with who walks it. */
struct way {
    bool known;
    long length;
    long image; /* where another program begins */
    uint32_t visits[AT_MOST];
    uint64_t places[AT_MOST];
};

/* Step through all of it, and kill what has come through. */
bool follow(pid_t pid, struct way *way);
/* To where it is after so many instructions, and kill it. 1: killed there; 0: it came through, and was killed behind: it
 * went another way this time, or the place is within a repeated instruction. */
int kill_at(pid_t pid, const struct way *way, long k);

#endif
