/* SPDX-License-Identifier: MIT
 *
 * trace_file.c - the timeline as a file: JSON of the trace event format, which Perfetto and chrome://tracing open.
 *
 *     {"traceEvents": [
 *     {"ph": "M", ...}                  names of processes and threads
 *     {"ph": "X", "ts": ..., "dur": ...}  a span; a process's life is one around all that its first thread did
 *     {"ph": "s", ...} {"ph": "f", ...}   an arrow, from the start of a process to its life
 *     ], ...}
 *
 * Times are microseconds since recording began, written with all their nanoseconds, so that what nests here does so there.
 */
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/trace.h"

#include <inttypes.h>
#include <mp/family.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MOST 4096
#define PART_MOST (PATH_MOST + 64) /* of a name that begins so */
#define BUFFER    65536
/* Two processes may have had the same pid one after the other; in a file each has its own, larger than those that there are,
 * and of no more than 32 bits, as Perfetto wants them. */
#define PID_APART (INT64_C(1) << 24)

struct life {
    uint64_t process, first; /* stamp of the first thread that is known */
    int64_t pid, begin, end;
    uint32_t method;
    char name[64];
};

/* Not stdio's: a copy of this process that ends meanwhile would write what that has buffered, too. */
struct out {
    intptr_t file;
    int error; /* the first; nothing is written from there on */
    size_t used;
    char *buffer;
};

struct writer {
    struct out *out;
    bool begun; /* there are events already */
    int64_t since, latest;
    uint64_t lost;
    struct life *lives;
    size_t count, room;
};

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static void flush(struct out *out)
{
    if (!out->error) out->error = mp_os_file_write(out->file, out->buffer, out->used);
    out->used = 0;
}

static void put_bytes(struct out *out, const void *bytes, size_t size)
{
    if (size > BUFFER - out->used) flush(out);
    memcpy(out->buffer + out->used, bytes, size);
    out->used += size;
}

static void put(struct out *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

static void print(struct out *out, const char *format, ...) MP__PRINTF(2, 3);
static void print(struct out *out, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* names go another way: this is long enough */
    va_end(arguments);
    put(out, text);
}

/* How many bytes the character has that begins there; 0: it is none. */
static size_t utf8_length(const unsigned char *at)
{
    static const unsigned char least[] = {0, 0, 0x80, 0xa0, 0x90}; /* of the second byte, behind the lowest first one */
    size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if ((*at == 0xe0 || *at == 0xf0) && at[1] < least[length]) return 0;
    if ((*at == 0xed && at[1] > 0x9f) || (*at == 0xf4 && at[1] > 0x8f)) return 0; /* surrogates; beyond the last */
    return length;
}

/* Control characters and what is no UTF-8 become '?'. */
static void write_text(struct out *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t length = utf8_length(at);
        if (*at == '"' || *at == '\\') put(out, "\\");
        if (!length || *at < ' ' || *at == 0x7f)
            put(out, "?");
        else
            put_bytes(out, at, length);
        at += length ? length : 1;
    }
}

static void write_time(struct out *out, const char *key, int64_t ns)
{
    if (ns < 0) ns = 0;
    print(out, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

/* As far as all of them begin. */
static void begin_event(struct writer *writer, char phase, int64_t pid, uint64_t thread)
{
    print(writer->out, "%s\n{\"ph\":\"%c\",\"pid\":%" PRId64 ",\"tid\":%" PRIu64, writer->begun ? "," : "", phase, pid,
          thread);
    writer->begun = true;
}

static void write_metadata(struct writer *writer, const char *what, const struct life *life, uint64_t thread,
                           const char *name)
{
    begin_event(writer, 'M', life->pid, thread);
    print(writer->out, ",\"name\":\"%s\",\"args\":{\"name\":\"", what);
    write_text(writer->out, name);
    put(writer->out, "\"}}");
}

static void write_arrow(struct writer *writer, char phase, const struct life *life, uint64_t thread, int64_t at,
                        uint64_t id)
{
    begin_event(writer, phase, life->pid, thread);
    write_time(writer->out, "ts", at - writer->since);
    print(writer->out, ",\"cat\":\"process\",\"name\":\"start\",\"id\":\"0x%" PRIx64 "\"%s}", id,
          phase == 'f' ? ",\"bp\":\"e\"" : "");
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static bool pid_is_taken(const struct writer *writer, int64_t pid)
{
    for (size_t i = 0; i < writer->count; i++)
        if (writer->lives[i].pid == pid) return true;
    return false;
}

/* The process that a track is of; NULL: no memory. */
static struct life *life_of(struct writer *writer, const struct mp__track *track)
{
    for (size_t i = 0; i < writer->count; i++)
        if (writer->lives[i].process == track->process) return &writer->lives[i];
    if (writer->count == writer->room) {
        size_t room = writer->room ? 2 * writer->room : 64;
        struct life *more = realloc(writer->lives, room * sizeof *more);
        if (!more) return NULL;
        writer->lives = more;
        writer->room = room;
    }
    struct life life = {.process = track->process,
                        .first = track->stamp,
                        .pid = track->pid,
                        .begin = track->begin,
                        .end = track->begin,
                        .method = track->method};
    memcpy(life.name, track->process_name, sizeof life.name);
    while (pid_is_taken(writer, life.pid)) life.pid += PID_APART;
    writer->lives[writer->count] = life;
    return &writer->lives[writer->count++];
}

static void stretch(struct life *life, int64_t begin, int64_t end)
{
    if (begin < life->begin) life->begin = begin;
    if (end > life->end) life->end = end;
}

static void write_life(struct writer *writer, struct life *life)
{
    struct out *out = writer->out;
    const struct mp__process *record = mp__process_of(life->process);
    uint64_t ending = record ? mp__process_ending(record, life->process) : 0;
    if (record && !ending && !mp__process_is_gone(record, life->process)) life->end = writer->latest;
    write_metadata(writer, "process_name", life, life->first, life->name);
    begin_event(writer, 'X', life->pid, life->first);
    write_time(out, "ts", life->begin - writer->since);
    write_time(out, "dur", life->end - life->begin);
    put(out, ",\"cat\":\"process\",\"name\":\"");
    write_text(out, life->name);
    print(out, "\",\"args\":{\"method\":\"%s\"",
          life->method ? mp_start_method_name((mp_start_method)life->method) : "none");
    if (ending & MP__FAILED)
        print(out, ",\"error\":\"%s\"", mp_error_name(mp__ending_code(ending)));
    else if (ending)
        print(out, ",\"exit\":%d", mp__ending_code(ending));
    put(out, "}}");
    if (life->method) write_arrow(writer, 'f', life, life->first, life->begin, life->process);
}

/* ---- spans ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *category, *verb;
} kinds[MP__TRACE_KINDS] = {[MP__TRACE_SLEEP] = {"sleep", "wait for"}, [MP__TRACE_LOCK] = {"lock", "acquire"},
                            [MP__TRACE_PUT] = {"queue", "put"},        [MP__TRACE_GET] = {"queue", "get"},
                            [MP__TRACE_TASKS] = {"pool", "task"},      [MP__TRACE_START] = {"process", "start"}};

static void write_name(struct out *out, uint32_t kind, const struct mp__trace_name *object, uint64_t count)
{
    bool pipe = object && object->type == MP__CONNECTION;
    const char *verb = kinds[kind].verb;
    if (pipe && kind == MP__TRACE_PUT) verb = "send";
    if (pipe && kind == MP__TRACE_GET) verb = "recv";
    if (kind == MP__TRACE_TASKS && count > 1) verb = "tasks";
    print(out, ",\"cat\":\"%s\",\"name\":\"%s", pipe && kind != MP__TRACE_SLEEP ? "pipe" : kinds[kind].category, verb);
    if (object && kind == MP__TRACE_TASKS) put(out, " of");
    if (object && kind != MP__TRACE_PUT && kind != MP__TRACE_GET && kind != MP__TRACE_START)
        print(out, " %s", mp__type_name(object->type));
    if (object && *object->name) {
        put(out, " ");
        write_text(out, object->name);
    }
    put(out, "\"");
}

static void write_args(struct out *out, uint32_t kind, uint64_t count, uint64_t value)
{
    if (kind == MP__TRACE_TASKS)
        print(out, ",\"args\":{\"first\":%" PRIu64 ",\"tasks\":%" PRIu64 "}", value, count);
    else if (kind == MP__TRACE_PUT || kind == MP__TRACE_GET)
        print(out, ",\"args\":{\"items\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", count, value);
}

static uint64_t load(const _Atomic uint64_t *place)
{
    return atomic_load_explicit(place, memory_order_relaxed);
}

static void write_event(struct writer *writer, const struct life *life, const struct mp__track *track,
                        const struct mp__trace_event *event)
{
    uint64_t what = load(&event->what), count = load(&event->count), place = what & UINT32_MAX;
    uint32_t names = atomic_load_explicit(&track->name_count, memory_order_relaxed), kind = (uint32_t)(what >> 32);
    int64_t begin = (int64_t)load(&event->begin), end = (int64_t)load(&event->end);
    const struct mp__trace_name *object = place && place <= names ? &track->names[place - 1] : NULL;
    if (kind >= MP__TRACE_KINDS) return;
    begin_event(writer, 'X', life->pid, track->stamp);
    write_time(writer->out, "ts", begin - writer->since);
    write_time(writer->out, "dur", end - begin);
    write_name(writer->out, kind, object, count);
    write_args(writer->out, kind, count, load(&event->value));
    put(writer->out, "}");
    if (kind == MP__TRACE_START) write_arrow(writer, 's', life, track->stamp, begin, load(&event->value));
}

static int write_track(const struct mp__track_copy *copy, void *context)
{
    struct writer *writer = context;
    const struct mp__track *track = copy->track;
    struct life *life = life_of(writer, track);
    char name[32];
    if (!life) return MP_ENOMEM;
    if (track->stamp < life->first) life->first = track->stamp;
    stretch(life, track->begin, track->end);
    snprintf(name, sizeof name, "thread %" PRIu64, track->stamp);
    write_metadata(writer, "thread_name", life, track->stamp, name);
    for (uint64_t i = 0; i < copy->count; i++) {
        const struct mp__trace_event *event = &copy->events[i];
        stretch(life, (int64_t)load(&event->begin), (int64_t)load(&event->end));
        write_event(writer, life, track, event);
    }
    writer->lost += copy->lost;
    return 0;
}

static int write_all(struct out *out)
{
    struct writer writer = {.out = out,
                            .since = atomic_load_explicit(&mp__header()->trace_since, memory_order_relaxed)};
    put(out, "{\"traceEvents\":[");
    int result = mp__trace_visit(write_track, &writer);
    writer.latest = mp_os_now(); /* nothing that was recorded has ended later */
    for (size_t i = 0; result == 0 && i < writer.count; i++) write_life(&writer, &writer.lives[i]);
    print(out, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"libmp\":\"%s\",\"lost\":%" PRIu64 "}}\n", mp_version(),
          writer.lost + mp__trace_lost());
    flush(out);
    free(writer.lives);
    return result;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* Not on the stack: a thread may have a small one. */
struct paths {
    char full[PATH_MOST], part[PART_MOST];
};

/* A file beside the one that it is to become, whose name nobody else uses. 0, or an error (detail set). */
static int create(const char *call, struct paths *paths, intptr_t *file)
{
    static _Atomic uint32_t number;
    int error;
    do {
        snprintf(paths->part, sizeof paths->part, "%s.%" PRId64 "-%" PRIu32 ".part", paths->full, mp_os_pid(),
                 atomic_fetch_add_explicit(&number, 1, memory_order_relaxed));
    } while ((error = mp_os_file_create(paths->part, file)) == mp_os_eexist);
    return error ? mp__fail_os(error, "%s: %.300s", call, paths->part) : 0;
}

static int check_path(const char *call, const char *path, struct paths *paths)
{
    if (!path || !*path) return mp__fail(MP_EINVAL, "%s: there is no path", call);
    int error = mp_os_full_path(path, paths->full, sizeof paths->full);
    if (error == mp_os_etoolong)
        return mp__fail(MP_EINVAL, "%s: the path is longer than %d bytes", call, PATH_MOST - 1);
    if (!error) error = mp_os_file_check(paths->full);
    if (error == mp_os_enotsup) return mp__fail(MP_EINVAL, "%s: %.300s is there, and no file", call, paths->full);
    return error ? mp__fail_os(error, "%s: %.300s", call, path) : 0;
}

static int write_file(const char *call, struct paths *paths)
{
    struct out out = {.buffer = malloc(BUFFER)};
    int result = out.buffer ? create(call, paths, &out.file) : MP_ENOMEM;
    if (!out.buffer) return mp__fail(result, "%s: no memory to write a file", call);
    if (result == 0) {
        result = write_all(&out);
        int error = mp_os_file_close(out.file);
        if (!out.error) out.error = error;
        if (!out.error && result == 0) out.error = mp_os_file_rename(paths->part, paths->full);
        if (out.error || result < 0) mp_os_file_remove(paths->part);
        if (result < 0)
            (void)mp__fail(result, "%s: no memory for a copy of what a thread has recorded", call);
        else if (out.error)
            result = mp__fail_os(out.error, "%s: %.300s", call, paths->full);
    }
    free(out.buffer);
    return result;
}

int mp__trace_write(const char *call, const char *path)
{
    struct paths *paths = malloc(sizeof *paths);
    if (!paths) return mp__fail(MP_ENOMEM, "%s: no memory for a path", call);
    int result = check_path(call, path, paths);
    if (result == 0) result = write_file(call, paths);
    free(paths);
    return result;
}

/* ---- at the end -------------------------------------------------------------------------------------------------- */

/* What this process is to write; a copy of it is not. */
static struct {
    _Atomic(char *) path; /* NULL: nothing. Who takes it out has it alone */
    _Atomic int64_t pid;
} due;

int mp__trace_write_at_end(const char *call, const char *path)
{
    intptr_t file;
    struct paths *paths = malloc(sizeof *paths);
    if (!paths) return mp__fail(MP_ENOMEM, "%s: no memory for a path", call);
    int result = check_path(call, path, paths);
    if (result == 0) result = create(call, paths, &file);
    size_t length = result == 0 ? strlen(paths->full) + 1 : 0;
    char *kept = length ? malloc(length) : NULL;
    if (result == 0) {
        (void)mp_os_file_close(file);
        mp_os_file_remove(paths->part);
        if (!kept) result = mp__fail(MP_ENOMEM, "%s: no memory for a path", call);
    }
    if (kept) {
        memcpy(kept, paths->full, length);
        atomic_store_explicit(&due.pid, mp_os_pid(), memory_order_relaxed);
        free(atomic_exchange_explicit(&due.path, kept, memory_order_acq_rel));
    }
    free(paths);
    return result;
}

/* Whoever set the variable wants to know, whatever the log's level is. */
static void complain(void)
{
    char text[MP__DETAIL_SIZE + 64];
    int size = snprintf(text, sizeof text, "libmp: the timeline is not written: %s\n", mp_error_detail());
    mp_os_write_stderr(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void mp__trace_finish(void)
{
    if (atomic_load_explicit(&due.pid, memory_order_relaxed) != mp_os_pid()) return;
    char *path = atomic_exchange_explicit(&due.path, NULL, memory_order_acq_rel);
    if (!path) return;
    if (mp__trace_write("at the end of this process", path) < 0)
        complain();
    else
        mp__log(MP_LOG_INFO, "the timeline is in %s", path);
    free(path);
}

/* "%p": the pid, so that several programs do not write to the same file. */
static void put_pid(const char *pattern, char *path, size_t size)
{
    const char *mark = strstr(pattern, "%p");
    if (mark)
        snprintf(path, size, "%.*s%" PRId64 "%s", (int)(mark - pattern), pattern, mp_os_pid(), mark + 2);
    else
        snprintf(path, size, "%s", pattern);
}

/* True: it is set, and the file can be written. */
static bool take_variable(char *pattern, char *path)
{
    if (!mp_os_variable(MP__TRACE_VARIABLE, pattern, PATH_MOST) || !*pattern || mp_os_elevated()) return false;
    put_pid(pattern, path, PATH_MOST);
    struct mp__failure failure = mp__fail_keep(); /* the call that founds the family does not fail for this */
    bool possible = mp__trace_write_at_end(MP__TRACE_VARIABLE, path) == 0;
    if (!possible) complain();
    mp__fail_restore(&failure);
    return possible;
}

void mp__trace_found(void)
{
    char *texts = malloc((size_t)2 * PATH_MOST);
    if (texts && take_variable(texts, texts + PATH_MOST)) {
        mp__trace_begin(0);
        (void)atexit(mp__trace_finish); /* after the children were joined: that is arranged later, and so comes first */
    }
    free(texts);
}
