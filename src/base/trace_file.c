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
#include <stdlib.h>
#include <string.h>

#define PATH_MOST 4096
#define PART      ".part"
/* Two processes may have had the same pid one after the other; in a file each has its own: larger than those that there are. */
#define PID_APART (INT64_C(1) << 32)

struct life {
    uint64_t process, first; /* stamp of the first thread that is known */
    int64_t pid, begin, end;
    uint32_t method;
    char name[64];
};

struct writer {
    FILE *file;
    bool begun; /* there are events already */
    int64_t since, latest;
    uint64_t lost;
    struct life *lives;
    size_t count, room;
};

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* Control characters and what is no UTF-8 become '?'. */
static size_t utf8_length(const unsigned char *at)
{
    size_t length = *at < 0x80                  ? 1
                    : *at >= 0xc2 && *at < 0xe0 ? 2
                    : *at >= 0xe0 && *at < 0xf0 ? 3
                    : *at >= 0xf0 && *at < 0xf5 ? 4
                                                : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return length;
}

static void write_text(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t length = utf8_length(at);
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (!length || *at < ' ' || *at == 0x7f)
            putc('?', file);
        else
            fwrite(at, 1, length, file);
        at += length ? length : 1;
    }
}

static void write_time(FILE *file, const char *key, int64_t ns)
{
    if (ns < 0) ns = 0;
    fprintf(file, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

/* As far as all of them begin. */
static void begin_event(struct writer *writer, char phase, int64_t pid, uint64_t thread)
{
    fprintf(writer->file, "%s\n{\"ph\":\"%c\",\"pid\":%" PRId64 ",\"tid\":%" PRIu64, writer->begun ? "," : "", phase,
            pid, thread);
    writer->begun = true;
}

static void write_metadata(struct writer *writer, const char *what, const struct life *life, uint64_t thread,
                           const char *name)
{
    begin_event(writer, 'M', life->pid, thread);
    fprintf(writer->file, ",\"name\":\"%s\",\"args\":{\"name\":\"", what);
    write_text(writer->file, name);
    fputs("\"}}", writer->file);
}

static void write_arrow(struct writer *writer, char phase, const struct life *life, uint64_t thread, int64_t at,
                        uint64_t id)
{
    begin_event(writer, phase, life->pid, thread);
    write_time(writer->file, "ts", at - writer->since);
    fprintf(writer->file, ",\"cat\":\"process\",\"name\":\"start\",\"id\":\"0x%" PRIx64 "\"%s}", id,
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
    FILE *file = writer->file;
    const struct mp__process *record = mp__process_of(life->process);
    uint64_t ending = record ? mp__process_ending(record, life->process) : 0;
    if (!mp__process_has_ended(life->process)) life->end = writer->latest;
    write_metadata(writer, "process_name", life, life->first, life->name);
    begin_event(writer, 'X', life->pid, life->first);
    write_time(file, "ts", life->begin - writer->since);
    write_time(file, "dur", life->end - life->begin);
    fputs(",\"cat\":\"process\",\"name\":\"", file);
    write_text(file, life->name);
    fprintf(file, "\",\"args\":{\"method\":\"%s\"",
            life->method ? mp_start_method_name((mp_start_method)life->method) : "none");
    if (ending & MP__FAILED)
        fprintf(file, ",\"error\":\"%s\"", mp_error_name(mp__ending_code(ending)));
    else if (ending)
        fprintf(file, ",\"exit\":%d", mp__ending_code(ending));
    fputs("}}", file);
    if (life->method) write_arrow(writer, 'f', life, life->first, life->begin, life->process);
}

/* ---- spans ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *category, *verb;
} kinds[MP__TRACE_KINDS] = {[MP__TRACE_SLEEP] = {"sleep", "wait for"}, [MP__TRACE_LOCK] = {"lock", "acquire"},
                            [MP__TRACE_PUT] = {"queue", "put"},        [MP__TRACE_GET] = {"queue", "get"},
                            [MP__TRACE_TASKS] = {"pool", "task"},      [MP__TRACE_START] = {"process", "start"}};

static void write_name(FILE *file, uint32_t kind, const struct mp__trace_name *object, uint64_t count)
{
    bool pipe = object && object->type == MP__CONNECTION;
    const char *verb = kinds[kind].verb;
    if (pipe && kind == MP__TRACE_PUT) verb = "send";
    if (pipe && kind == MP__TRACE_GET) verb = "recv";
    if (kind == MP__TRACE_TASKS && count > 1) verb = "tasks";
    fprintf(file, ",\"cat\":\"%s\",\"name\":\"%s", pipe && kind != MP__TRACE_SLEEP ? "pipe" : kinds[kind].category,
            verb);
    if (object && kind == MP__TRACE_TASKS) fputs(" of", file);
    if (object && kind != MP__TRACE_PUT && kind != MP__TRACE_GET && kind != MP__TRACE_START)
        fprintf(file, " %s", mp__type_name(object->type));
    if (object && *object->name) {
        putc(' ', file);
        write_text(file, object->name);
    }
    putc('"', file);
}

static void write_args(FILE *file, uint32_t kind, uint64_t count, uint64_t value)
{
    if (kind == MP__TRACE_TASKS)
        fprintf(file, ",\"args\":{\"first\":%" PRIu64 ",\"tasks\":%" PRIu64 "}", value, count);
    else if (kind == MP__TRACE_PUT || kind == MP__TRACE_GET)
        fprintf(file, ",\"args\":{\"items\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", count, value);
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
    write_time(writer->file, "ts", begin - writer->since);
    write_time(writer->file, "dur", end - begin);
    write_name(writer->file, kind, object, count);
    write_args(writer->file, kind, count, load(&event->value));
    putc('}', writer->file);
    if (kind == MP__TRACE_START && object) write_arrow(writer, 's', life, track->stamp, begin, object->id);
}

static int write_track(const struct mp__track_copy *copy, void *context)
{
    struct writer *writer = context;
    const struct mp__track *track = copy->track;
    struct life *life = life_of(writer, track);
    char name[32];
    if (!life) return MP_ENOMEM;
    if (track->stamp < life->first) life->first = track->stamp;
    stretch(life, track->begin, atomic_load_explicit(&track->end, memory_order_relaxed));
    snprintf(name, sizeof name, "thread %" PRIu64, track->stamp);
    write_metadata(writer, "thread_name", life, track->stamp, name);
    for (uint64_t i = 0; i < copy->count; i++) {
        const struct mp__trace_event *event = &copy->events[i];
        stretch(life, (int64_t)load(&event->begin), (int64_t)load(&event->end));
        write_event(writer, life, track, event);
    }
    writer->lost += copy->lost;
    return ferror(writer->file) ? MP_ESYSTEM : 0;
}

static int write_all(FILE *file)
{
    struct writer writer = {.file = file,
                            .since = atomic_load_explicit(&mp__header()->trace_since, memory_order_relaxed)};
    fputs("{\"traceEvents\":[", file);
    int result = mp__trace_visit(write_track, &writer);
    writer.latest = mp_os_now(); /* nothing that was recorded has ended later */
    for (size_t i = 0; result == 0 && i < writer.count; i++) write_life(&writer, &writer.lives[i]);
    fprintf(file, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"libmp\":\"%s\",\"lost\":%" PRIu64 "}}\n",
            mp_version(), writer.lost);
    free(writer.lives);
    return result;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int full_path(const char *call, const char *path, char full[PATH_MOST], char part[PATH_MOST])
{
    if (!path || !*path) return mp__fail(MP_EINVAL, "%s: there is no path", call);
    int error = mp_os_full_path(path, full, PATH_MOST - sizeof PART);
    if (error && strlen(path) >= PATH_MOST - sizeof PART) return mp__fail(MP_EINVAL, "%s: the path is too long", call);
    if (error) return mp__fail_os(error, "%s: %.300s", call, path);
    snprintf(part, PATH_MOST, "%.*s" PART, (int)(PATH_MOST - sizeof PART), full);
    return 0;
}

int mp__trace_write(const char *call, const char *path)
{
    char full[PATH_MOST], part[PATH_MOST];
    FILE *file;
    int result = full_path(call, path, full, part);
    if (result < 0) return result;
    int error = mp_os_file_create(part, &file);
    if (error) return mp__fail_os(error, "%s: %.300s", call, part);
    result = write_all(file);
    bool failed = ferror(file) != 0;
    if (fclose(file) || failed) result = MP_ESYSTEM;
    if (result == 0 && !(error = mp_os_file_rename(part, full))) return 0;
    mp_os_file_remove(part);
    if (result == MP_ENOMEM) return mp__fail(result, "%s: no memory for a copy of what a thread has recorded", call);
    if (error) return mp__fail_os(error, "%s: %.300s", call, full);
    return mp__fail(MP_ESYSTEM, "%s: %.300s could not be written", call, part);
}

/* ---- at the end -------------------------------------------------------------------------------------------------- */

/* What this process is to write; a copy of it is not. */
static struct {
    char path[PATH_MOST];
    _Atomic int64_t pid; /* 0: nothing */
} due;

int mp__trace_write_at_end(const char *call, const char *path)
{
    char full[PATH_MOST], part[PATH_MOST];
    FILE *file;
    int result = full_path(call, path, full, part);
    if (result < 0) return result;
    int error = mp_os_file_create(part, &file);
    if (error) return mp__fail_os(error, "%s: %.300s", call, part);
    (void)fclose(file);
    mp_os_file_remove(part);
    atomic_store_explicit(&due.pid, 0, memory_order_relaxed);
    memcpy(due.path, full, sizeof full);
    atomic_store_explicit(&due.pid, mp_os_pid(), memory_order_release); /* with the path */
    return 0;
}

void mp__trace_finish(void)
{
    int64_t self = mp_os_pid();
    if (!atomic_compare_exchange_strong(&due.pid, &self, 0)) return;
    if (mp__trace_write("at the end of this process", due.path) < 0)
        mp__log(MP_LOG_ERROR, "the timeline was not written: %s", mp_error_detail());
    else
        mp__log(MP_LOG_INFO, "the timeline is in %s", due.path);
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

void mp__trace_found(void)
{
    char path[PATH_MOST];
    const char *pattern = getenv(MP__TRACE_VARIABLE);
    if (!pattern || !*pattern || mp_os_elevated()) return;
    put_pid(pattern, path, sizeof path);
    mp__trace_begin(0);
    /* After the children were joined, which is arranged later, and so comes first. */
    if (mp__trace_write_at_end(MP__TRACE_VARIABLE, path) < 0 || atexit(mp__trace_finish))
        mp__log(MP_LOG_ERROR, "the timeline will not be written: %s", mp_error_detail());
}
