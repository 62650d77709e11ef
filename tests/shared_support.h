/* SPDX-License-Identifier: MIT
 *
 * shared_support.h - what the tests of locks and shared memory have in common.
 */
#ifndef MP_TEST_SHARED_SUPPORT_H
#define MP_TEST_SHARED_SUPPORT_H

#include <mp/mp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* How long a test waits for what must come, before it says that it does not. */
#define PATIENCE_MS INT64_C(60000)

/* For children and threads, where cmocka's asserts have no place: from a function that returns an exit code. */
#define REQUIRE(condition)                                                 \
    do {                                                                   \
        if (!(condition)) return complain(#condition, __FILE__, __LINE__); \
    } while (0)
int complain(const char *what, const char *file, int line);

/* For runners: a libmp call that works. */
#define assert_ok(call) assert_result((call), 0, #call, __FILE__, __LINE__)
/* One that fails so. */
#define assert_fails(call, code) assert_result((call), (code), #call, __FILE__, __LINE__)
void assert_result(int result, int wanted, const char *call, const char *file, int line);

/* ---- children -------------------------------------------------------------------------------------------------- */

#define METHODS_MOST 3
size_t methods_get(mp_start_method methods[METHODS_MOST]);

/* Run a test once per start method of this platform. */
void each_method(void (*test)(mp_start_method method));

void children_start(mp_process *children, size_t count, mp_start_method method, mp_target target, const void *args,
                    size_t size);
/* Join and close; the test fails unless each ends with 0, soon enough. */
void children_join(mp_process *children, size_t count);
/* Start one, join it, and close it. Its exit code. */
int child_run(mp_start_method method, mp_target target, const void *args, size_t size);
/* The same, with what it wrote to stderr; its target calls stderr_capture() first. */
int child_run_captured(mp_start_method method, mp_target target, const void *args, size_t size, char *text,
                       size_t room);
int stderr_capture(void);
/* Remove what a child of another kind has captured. */
void stderr_forget(void);

/* ---- what must be the same before and after -------------------------------------------------------------------- */

struct usage {
    mp_stats stats;
    long descriptors;
};
struct usage usage_now(void);
void assert_usage(const struct usage *before);
/* bytes_reserved aside, it may stay. */
bool stats_equal(const mp_stats *a, const mp_stats *b);
/* Have all that the first use of a start method brings, for good. */
int warm_up(void **state);

/* ---- odds and ends --------------------------------------------------------------------------------------------- */

uint64_t random_next(uint64_t *state);
/* Yield until the counter is there; false when patience is at its end. */
bool await_count(_Atomic uint32_t *counter, uint32_t count);
void nap(int64_t microseconds);
int64_t now_ms(void);
/* How long a stress loop lasts: MP_TEST_SECONDS, or so many. */
int64_t stress_ms(int seconds);

/* Fill, and look whether it is still there: a pattern that belongs to the key. */
void pattern_fill(void *data, size_t size, uint64_t key);
bool pattern_holds(const void *data, size_t size, uint64_t key);
bool all_zero(const void *data, size_t size);

/* ---- by platform: shared_posix.c, shared_win32.c ---------------------------------------------------------------- */

long descriptors_open(void);
/* Bytes of memory that the system has in the arena; -1 if nobody can tell. */
int64_t arena_memory(void);
/* Have a signal handler run a thousand times a second; it adds 1 to *ticks. False where there is no such thing. */
bool ticks_start(_Atomic uint32_t *ticks);
void ticks_stop(void);
/* Run a function in a copy of this process made by plain fork(): its result, or -1 where there is no such thing. */
int raw_fork_run(int (*function)(void *), void *args);

#endif
