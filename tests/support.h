/* SPDX-License-Identifier: MIT
 *
 * support.h - what the tests share: tables of cases run for every start method, things counted before and after each,
 * gates, and other programs run and watched.
 */
#ifndef MP_TESTS_SUPPORT_H
#define MP_TESTS_SUPPORT_H

#include <mp/mp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Milliseconds: longer than anything takes that works. */
#define LIMIT 30000

/* How a process ends by these, and what is different where there are no signals. */
#ifdef _WIN32
#define HAS_SIGNALS 0
#define ABORT_CODE  3
#define EXIT_BITS   0xffffffffu
#else
#define HAS_SIGNALS 1
#define ABORT_CODE  (-6)
#define EXIT_BITS   0xffu
#endif

#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#ifndef HAS_TSAN
#define HAS_TSAN 0
#endif
/* Whether a signal handler runs while its thread sleeps: ThreadSanitizer has it wait for a call that it knows. */
#define HANDLERS_RUN (HAS_SIGNALS && !HAS_TSAN)

/* ---- cases ----------------------------------------------------------------------------------------------------- */

enum {
    ONCE = 1,    /* not for each start method: with the platform's default */
    NO_FORK = 2, /* not by fork */
    LEAVES = 4   /* what a killed process had created may be left */
};

struct test_case {
    const char *name;
    void (*run)(void **state);
    unsigned flags;
};
#define CASE_WITH(function, how)                         \
    {                                                    \
        .run = function, .flags = how, .name = #function \
    }
#define CASE(function)        CASE_WITH(function, 0)
#define CASE_ONCE(function)   CASE_WITH(function, ONCE)
#define CASE_CLEAN(function)  CASE_WITH(function, NO_FORK)
#define CASE_LEAVES(function) CASE_WITH(function, LEAVES)
/* A copy of a process with threads starts some: ThreadSanitizer ends such a one. */
#define CASE_THREADS(function) CASE_WITH(function, HAS_TSAN ? NO_FORK : 0)

/* Run each case for each start method, which is the default while it runs. After each, what support_count counts has to be
 * as before. An argument of the program chooses cases by a pattern ("spawn:*"). Returns main's result. */
int support_run(const char *group, const struct test_case *cases, size_t count, int argc, char **argv);
#define SUPPORT_MAIN(group, cases)                                                      \
    int main(int argc, char **argv)                                                     \
    {                                                                                   \
        mp_freeze_support();                                                            \
        return support_run(group, cases, sizeof(cases) / sizeof(cases)[0], argc, argv); \
    }

/* What has to be the same before and after. */
struct support_counts {
    long descriptors; /* or handles; of this process */
    long children;    /* of the operating system's making, ended or not, that this process would have to reap */
    mp_stats stats;
};
void support_count(struct support_counts *counts);
/* Whether nothing is left over; says what, if something is. */
bool support_balanced(const struct support_counts *before, const struct support_counts *after);

/* ---- the operating system's -------------------------------------------------------------------------------------- */

long support_descriptors(void);
long support_children(void);
/* Milliseconds of a clock that only goes forward. */
int64_t support_now(void);
/* SIGALRM again and again, so many microseconds apart; 0: no more. Where there are signals. */
void support_tick(int microseconds);

/* Whether an event loop would find it readable, within that time. */
bool support_readable(mp_fd fd, int milliseconds);

/* What became of another program. */
struct outcome {
    int code; /* exit code, or -N */
    bool timed_out;
    size_t size;
    char text[16384]; /* what it wrote to stdout and stderr, and a 0 */
};
/* Run a program that lies beside this one; arguments end with NULL. */
void support_program(struct outcome *outcome, const char *name, const char *const *arguments);
/* Run one that lies elsewhere. */
void support_program_at(struct outcome *outcome, const char *path, const char *const *arguments);
/* Where the programs lie. */
const char *support_folder(void);
/* The same for the program whose main was given that. */
void support_set_program(const char *path);

/* ---- checks and gates ---------------------------------------------------------------------------------------------- */

/* A call that has to succeed in the parent: says why it did not. */
#define ok(call) support_ok((call), #call, __FILE__, __LINE__)
int support_ok(int result, const char *call, const char *file, int line);
/* One that has to fail like that, with a detail that names the call. */
#define fails(wanted, call) support_fails((wanted), (call), #call, __FILE__, __LINE__)
void support_fails(int wanted, int result, const char *call, const char *file, int line);

/* Join, close, and the exit code. */
int support_end(mp_process process);
#define assert_ends(process, code) assert_int_equal(support_end(process), (code))

/* A gate is a semaphore without a unit: who wants to pass waits until anybody opens it. The last three can be
 * called in children: false if the time ended. */
struct gate {
    mp_semaphore semaphore;
};
struct gate gate_create(void);
void gate_destroy(struct gate gate);
bool gate_open(struct gate gate);
bool gate_pass(struct gate gate); /* it stays open */
bool gate_take(struct gate gate); /* it is closed behind the caller */

#endif
