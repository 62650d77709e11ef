/* SPDX-License-Identifier: MIT
 *
 * error.c - results, the thread's last failure, and the log.
 */
#include "base/error.h"
#include "base/arena.h"
#include "base/control.h"
#include "base/family.h"

#include <inttypes.h>
#include <mp/handle.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char detail[MP__DETAIL_SIZE];
static _Thread_local int detail_code; /* which it belongs to */

/* A process that has no family yet keeps its level here; the arena takes it over when it is founded. */
static _Atomic uint32_t early_log_level;

const char *mp_strerror(int code)
{
    switch (code) {
    case 0:
        return "success";
    case MP_OWNERDEAD:
        return "taken, but the last owner died holding it";
#define CASE(name, value, text) \
    case name:                  \
        return text;
        MP_ERRORS(CASE)
#undef CASE
    default:
        return "an unknown result";
    }
}

const char *mp_error_name(int code)
{
    switch (code) {
    case 0:
        return "0";
    case MP_OWNERDEAD:
        return "MP_OWNERDEAD";
#define CASE(name, value, text) \
    case name:                  \
        return #name;
        MP_ERRORS(CASE)
#undef CASE
    default:
        return "?";
    }
}

const char *mp_error_detail(void)
{
    return detail;
}

int mp__fail_code(void)
{
    return detail_code;
}

struct mp__failure mp__fail_keep(void)
{
    struct mp__failure failure = {.code = detail_code};
    memcpy(failure.detail, detail, sizeof failure.detail);
    return failure;
}

void mp__fail_restore(const struct mp__failure *failure)
{
    detail_code = failure->code;
    memcpy(detail, failure->detail, sizeof detail);
}

int(mp__fail)(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    detail_code = code;
    mp__log(MP_LOG_DEBUG, "%s: %s", mp_error_name(code), detail);
    return code;
}

int(mp__fail_os)(int error, const char *format, ...)
{
    char text[MP__DETAIL_SIZE], sentence[128];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mp_os_error_text(error, sentence, sizeof sentence);
    return mp__fail(mp_os_error_code(error), "%.360s: %s (error %d)", text, sentence, error);
}

int(mp__fail_handle)(const char *call, uint64_t id, const char *wanted)
{
    if (!id) return mp__fail(MP_EBADHANDLE, "%s: the handle is all zero; create the %s first", call, wanted);
    const char *kind = mp_handle_kind((mp_handle){id});
    if (kind && strcmp(kind, wanted) != 0)
        return mp__fail(MP_EBADHANDLE, "%s: handle %#" PRIx64 " is a %s, not a %s", call, id, kind, wanted);
    return mp__fail(MP_EBADHANDLE, "%s: handle %#" PRIx64 " names no %s: destroyed, closed, or never one", call, id,
                    wanted);
}

static uint32_t log_level(void)
{
    struct mp__header *header = mp__header();
    return atomic_load_explicit(header ? &header->log_level : &early_log_level, memory_order_relaxed);
}

void mp_log_to_stderr(mp_log_level level)
{
    struct mp__header *header = mp__header();
    if (level > MP_LOG_DEBUG) level = MP_LOG_DEBUG;
    atomic_store_explicit(&early_log_level, (uint32_t)level, memory_order_relaxed);
    if (header) atomic_store_explicit(&header->log_level, (uint32_t)level, memory_order_relaxed);
}

uint32_t mp__log_level_early(void)
{
    return atomic_load_explicit(&early_log_level, memory_order_relaxed);
}

void mp__log(mp_log_level level, const char *format, ...)
{
    static const char *const names[] = {"OFF", "ERROR", "WARNING", "INFO", "DEBUG"};
    if ((uint32_t)level > log_level()) return;
    char line[MP__DETAIL_SIZE + 128];
    int size = snprintf(line, sizeof line, "[%s/%s %" PRId64 "] ", names[level], mp__family_name(), mp_os_pid());
    if (size < 0) return;
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    va_end(arguments);
    size_t end = strlen(line);
    if (more < 0) return;
    if (end > sizeof line - 2) end = sizeof line - 2;
    line[end] = '\n';
    mp_os_write_stderr(line, end + 1);
}
