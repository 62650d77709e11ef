/* SPDX-License-Identifier: MIT
 *
 * error.h - how libmp's own code reports: a failure to the caller's thread, a remark to the log.
 */
#ifndef MP_BASE_ERROR_H
#define MP_BASE_ERROR_H

#include <mp/error.h>
#include <mp/family.h>

#if defined(__clang__)
#define MP__PRINTF(text, first) __attribute__((format(printf, text, first)))
#elif defined(__GNUC__)
#define MP__PRINTF(text, first) __attribute__((format(gnu_printf, text, first)))
#else
#define MP__PRINTF(text, first)
#endif

#define MP__DETAIL_SIZE 512

/* Keep the text as mp_error_detail() of this thread; returns code. The text names the call and says what to do. */
int mp__fail(int code, const char *format, ...) MP__PRINTF(2, 3);

/* The same for an error number of the system, whose sentence is added; returns mp_os_error_code(error). */
int mp__fail_os(int error, const char *format, ...) MP__PRINTF(2, 3);

/* What this thread's last failing call returned; mp_error_detail() tells of no other. */
int mp__fail_code(void);

/* For what a call does besides, which shall not be told of: the thread's last failure, and to have it back. */
struct mp__failure {
    int code;
    char detail[MP__DETAIL_SIZE];
};
struct mp__failure mp__fail_keep(void);
void mp__fail_restore(const struct mp__failure *failure);

/* MP_EBADHANDLE, with a text that tells what the handle is instead. */
int mp__fail_handle(const char *call, uint64_t id, const char *wanted);

/* All that an analyzer, which sees one file at a time, has to know of them: what they return. */
#ifdef __clang_analyzer__
#define mp__fail(code, ...)               (mp__fail((code), __VA_ARGS__), (code))
#define mp__fail_os(error, ...)           (mp__fail_os((error), __VA_ARGS__), MP_ESYSTEM)
#define mp__fail_handle(call, id, wanted) (mp__fail_handle((call), (id), (wanted)), MP_EBADHANDLE)
#endif

/* A line in the log, if it is that chatty. */
void mp__log(mp_log_level level, const char *format, ...) MP__PRINTF(2, 3);

/* What mp_log_to_stderr said before there was an arena to keep it in. */
uint32_t mp__log_level_early(void);

#endif
