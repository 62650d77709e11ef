/* SPDX-License-Identifier: MIT
 *
 * trace.c - recording spans.
 */
#include "base/trace.h"
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS UINT64_C(16384)
#define TRACKS_ALL \
    (UINT64_C(256) << 20) /* bytes of all tracks: who begins another one then takes that of a thread that is gone */

/* What is quick becomes one with its like, up to so long; and no two with so much between them, ns. */
#define SHORT INT64_C(100000)
#define APART INT64_C(10000)

/* Tasks: how long a span of short ones is at least, and how many there are in it before the clock is looked at again. */
#define LOOK_TIME INT64_C(2500)
#define LOOK_MOST UINT64_C(256)

#define KNOWN 8

static _Thread_local struct {
    uint64_t stamp; /* of the thread's record: of another one, there is no track yet */
    struct mp__track *track;
    int64_t floor; /* when the innermost open span began */
    bool busy;     /* a signal handler that comes now records nothing */
    struct {
        uint64_t id;
        uint32_t place;
    } known[KNOWN]; /* names that are in the track */
} mine;

static void set(_Atomic uint64_t *place, uint64_t value)
{
    atomic_store_explicit(place, value, memory_order_relaxed);
}
static uint64_t get(const _Atomic uint64_t *place)
{
    return atomic_load_explicit(place, memory_order_relaxed);
}

/* ---- tracks ---------------------------------------------------------------------------------------------------- */

static uint64_t track_size(uint64_t events)
{
    return sizeof(struct mp__track) + events * sizeof(struct mp__trace_event);
}

/* Those of `capacity` events; of a track whatever its capacity (0): what lies before them. */
static struct mp__track *track_at(uint64_t offset, uint64_t capacity)
{
    return mp__heap_at(offset, track_size(capacity));
}

static bool is_abandoned(const struct mp__track *track)
{
    return atomic_load_explicit(&track->end, memory_order_acquire) || mp__process_has_ended(track->process);
}

/* One of a thread that is gone, the oldest, of that capacity. The arena's lock is held. */
static struct mp__track *take_abandoned(uint64_t events, uint64_t *bytes)
{
    struct mp__track *oldest = NULL;
    *bytes = 0;
    for (uint64_t at = mp__header()->tracks; at;) {
        struct mp__track *track = track_at(at, 0);
        if (!track) break;
        *bytes += track_size(track->capacity);
        if (track->capacity == events && (!oldest || track->stamp < oldest->stamp) && is_abandoned(track))
            oldest = track_at(at, events);
        at = track->following;
    }
    return oldest;
}

/* What it is of: the calling thread. The arena's lock is held, or nobody else knows it. */
static void label(struct mp__track *track, uint64_t events)
{
    const struct mp__process *record = mp__family_record();
    track->stamp = mp__self.stamp;
    track->process = mp__family_id();
    track->pid = mp_os_pid();
    track->begin = mp_os_now();
    track->capacity = (uint32_t)events;
    track->method = record ? record->method : 0;
    snprintf(track->process_name, sizeof track->process_name, "%.63s", mp__family_name());
    atomic_store_explicit(&track->name_count, 0, memory_order_relaxed);
    set(&track->next, 0);
    set(&track->begun, 0);
    atomic_store_explicit(&track->end, 0, memory_order_release);
}

static struct mp__track *reuse(uint64_t events)
{
    uint64_t bytes;
    mp__arena_lock();
    struct mp__track *track = take_abandoned(events, &bytes);
    if (bytes + track_size(events) <= TRACKS_ALL) track = NULL;
    if (track) label(track, events);
    mp__arena_unlock();
    return track;
}

static struct mp__track *create(uint64_t events)
{
    uint64_t offset;
    if (mp__heap_alloc(track_size(events), MP__HEAP_MINE, &offset) < 0) return NULL;
    struct mp__track *track = track_at(offset, events);
    if (!track) {
        mp__heap_free(offset);
        return NULL;
    }
    label(track, events);
    mp__arena_lock();
    track->following = mp__header()->tracks;
    mp__heap_set_ref_locked(offset, MP__HEAP_NOBODYS); /* before it is in the list: what is in there stays */
    mp__header()->tracks = offset;
    mp__arena_unlock();
    return track;
}

/* The calling thread's; NULL: it has none, and there is no memory for one. */
static struct mp__track *own(void)
{
    if (mine.stamp == mp__self.stamp) return mine.track;
    uint64_t events = atomic_load_explicit(&mp__header()->trace_events, memory_order_relaxed);
    memset(&mine, 0, sizeof mine);
    mine.busy = true;
    mine.track = reuse(events);
    if (!mine.track) mine.track = create(events);
    if (!mine.track) mp__log(MP_LOG_WARNING, "no memory to record what this thread does");
    mine.stamp = mp__self.stamp;
    return mine.track;
}

void mp__trace_join(void)
{
    if (!mp__traces() || mine.busy) return;
    mine.busy = true;
    (void)own();
    mine.busy = false;
}

void mp__trace_leave(void)
{
    if (!mp__self.stamp || mine.stamp != mp__self.stamp || !mine.track) return;
    atomic_store_explicit(&mine.track->end, mp_os_now(), memory_order_release); /* read with acquire by who takes it */
    mine.track = NULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static uint32_t find_name(struct mp__track *track, uint64_t id)
{
    uint32_t count = atomic_load_explicit(&track->name_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++)
        if (track->names[i].id == id) return i + 1;
    if (count == MP__TRACE_NAMES) return 0;
    const struct mp__control *control = mp__control_any(id);
    if (!control) return 0;
    struct mp__trace_name *name = &track->names[count];
    name->id = id;
    name->type = atomic_load_explicit(&control->type, memory_order_relaxed);
    const struct mp__process *process = name->type == MP__PROCESS ? mp__process_of(id) : NULL;
    memcpy(name->name, process ? process->name : control->name, sizeof name->name - 1);
    atomic_store_explicit(&track->name_count, count + 1, memory_order_release); /* E1 */
    return count + 1;
}

/* Only while nothing is being recorded by this thread: `mine.busy` is the caller's. */
static uint32_t named(uint64_t id)
{
    struct mp__track *track = own();
    if (!id || !track) return 0;
    if (mine.known[id % KNOWN].id != id) {
        mine.known[id % KNOWN].place = find_name(track, id);
        mine.known[id % KNOWN].id = id;
    }
    return mine.known[id % KNOWN].place;
}

uint32_t mp__trace_named(uint64_t id)
{
    if (mine.busy || !mp__self.record) return 0;
    mine.busy = true;
    uint32_t place = named(id);
    mine.busy = false;
    return place;
}

/* So many bytes from the beginning of a region lies that address; or UINT64_MAX, if it does not. */
static uint64_t place_in(enum mp__region_name name, const void *address)
{
    const struct mp__region *region = &mp__header()->regions[name];
    uint64_t at = (uint64_t)((const char *)address - (const char *)mp__header());
    if (at - region->offset < region->first) return at - region->offset;
    if (at - region->rest < region->limit - region->first) return at - region->rest + region->first;
    return UINT64_MAX;
}

/* Of what that control block is a part, or it itself. */
static uint64_t id_of_control(uint64_t index)
{
    struct mp__control *control = mp__control_indexed(index);
    if (!control) return 0;
    uint32_t type = atomic_load_explicit(&control->type, memory_order_relaxed);
    if (type == MP__PUT_SIDE || type == MP__GET_SIDE)
        return atomic_load_explicit(&((struct mp__side *)(void *)control)->object, memory_order_relaxed);
    return mp__state_of(atomic_load_explicit(&control->state, memory_order_relaxed)) | mp__handle_tag() | index;
}

uint32_t mp__trace_of_word(const void *word)
{
    uint64_t at = place_in(MP__REGION_CONTROLS, word);
    if (at != UINT64_MAX) return mp__trace_named(id_of_control(at / sizeof(struct mp__control)));
    at = place_in(MP__REGION_PROCESSES, word);
    if (at != UINT64_MAX) {
        const struct mp__process *record = mp__process_at((uint32_t)(at / MP__PROCESS_STRIDE));
        return record ? mp__trace_named(atomic_load_explicit(&record->handle, memory_order_relaxed)) : 0;
    }
    if (place_in(MP__REGION_THREADS, word) == UINT64_MAX || !mp__self.record) return 0;
    return mp__trace_named(atomic_load_explicit(&mp__self.record->waits_for, memory_order_relaxed));
}

/* ---- spans ------------------------------------------------------------------------------------------------------- */

struct mp__span mp__trace_open_now(void)
{
    struct mp__span span = {mp_os_now(), 0};
    if (!mp__self.record || mine.busy) return (struct mp__span){0, 0};
    if (mine.stamp == mp__self.stamp) span.floor = mine.floor;
    mine.floor = span.begin;
    return span;
}

/* Whether it goes on where the last one has ended. */
static bool goes_on(const struct mp__trace_event *last, const struct mp__span *span, uint64_t what, int64_t end)
{
    int64_t last_begin = (int64_t)get(&last->begin), last_end = (int64_t)get(&last->end);
    return get(&last->what) == what && last_begin >= span->floor && span->begin >= last_end &&
           span->begin - last_end < APART && (what >> 32 == MP__TRACE_SLEEP || end - last_begin < SHORT);
}

static void record(struct mp__track *track, const struct mp__span *span, uint64_t what, uint64_t value, uint64_t count,
                   int64_t end)
{
    uint64_t next = atomic_load_explicit(&track->next, memory_order_relaxed);
    struct mp__trace_event *last = &track->events[(next - 1) % track->capacity];
    bool bytes = what >> 32 == MP__TRACE_PUT || what >> 32 == MP__TRACE_GET;
    if (next && goes_on(last, span, what, end)) {
        set(&last->end, (uint64_t)end);
        set(&last->count, get(&last->count) + count);
        if (bytes) set(&last->value, get(&last->value) + value);
        return;
    }
    struct mp__trace_event *event = &track->events[next % track->capacity];
    set(&track->begun, next + 1);
    atomic_thread_fence(memory_order_release); /* E2 */
    set(&event->begin, (uint64_t)span->begin);
    set(&event->end, (uint64_t)end);
    set(&event->what, what);
    set(&event->value, value);
    set(&event->count, count);
    atomic_store_explicit(&track->next, next + 1, memory_order_release); /* E1 */
}

static void close_at(const struct mp__span *span, uint64_t what, uint64_t value, uint64_t count, int64_t end)
{
    mine.floor = span->floor;
    if (mine.busy || !mp__self.record) return;
    mine.busy = true;
    struct mp__track *track = own();
    mine.floor = span->floor;
    if (track) record(track, span, what, value, count, end);
    mine.busy = false;
}

void mp__trace_close_many(const struct mp__span *span, enum mp__trace_kind kind, uint32_t object, uint64_t value,
                          uint64_t count)
{
    close_at(span, (uint64_t)kind << 32 | object, value, count, mp_os_now());
}

void mp__trace_close(const struct mp__span *span, enum mp__trace_kind kind, uint32_t object, uint64_t value)
{
    mp__trace_close_many(span, kind, object, value, 1);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

struct mp__trace_tasks mp__trace_tasks_begin(uint64_t pool, uint64_t base, uint64_t first)
{
    struct mp__trace_tasks tasks = {.next = UINT64_MAX, .base = base, .first = first, .every = 1};
    if (!mp__traces()) return tasks;
    tasks.object = mp__trace_named(pool);
    tasks.span = mp__trace_open_now();
    if (tasks.span.begin) tasks.next = first + 1;
    return tasks;
}

void mp__trace_tasks_look(struct mp__trace_tasks *tasks, uint64_t at)
{
    int64_t now = mp_os_now(), took = now - tasks->span.begin;
    close_at(&tasks->span, (uint64_t)MP__TRACE_TASKS << 32 | tasks->object, tasks->base + tasks->first,
             at - tasks->first, now);
    if (took < LOOK_TIME / 2 && tasks->every < LOOK_MOST) tasks->every *= 2;
    if (took > LOOK_TIME * 2) tasks->every = tasks->every > 2 ? tasks->every / 2 : 1;
    mine.floor = tasks->span.begin = now;
    tasks->first = at;
    tasks->next = at + tasks->every;
}

void mp__trace_tasks_end(struct mp__trace_tasks *tasks, uint64_t at)
{
    if (!tasks->span.begin) return;
    if (at > tasks->first) mp__trace_tasks_look(tasks, at);
    mine.floor = tasks->span.floor;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

void mp__trace_begin(uint64_t events)
{
    struct mp__header *header = mp__header();
    uint64_t capacity = 2;
    while (capacity < (events ? events : EVENTS)) capacity *= 2;
    if (events || !atomic_load_explicit(&header->trace_events, memory_order_relaxed))
        atomic_store_explicit(&header->trace_events, (uint32_t)capacity, memory_order_relaxed);
    int64_t none = 0;
    (void)atomic_compare_exchange_strong_explicit(&header->trace_since, &none, mp_os_now(), memory_order_relaxed,
                                                  memory_order_relaxed);
    atomic_store_explicit(&header->tracing, 1, memory_order_release); /* with what it needs */
    if (mp__self.record) mp__trace_join();
}

void mp__trace_end(void)
{
    atomic_store_explicit(&mp__header()->tracing, 0, memory_order_relaxed);
}

/* A copy of its track, which its thread may be writing to: of what may have been overwritten meanwhile nothing is left. The
 * arena's lock is held, so that it stays that thread's. */
static void copy_track(const struct mp__track *track, void *buffer, struct mp__track_copy *copy)
{
    struct mp__track *head = buffer;
    struct mp__trace_event *events = (struct mp__trace_event *)(void *)(head + 1);
    uint64_t capacity = track->capacity, end = atomic_load_explicit(&track->next, memory_order_acquire); /* E1 */
    uint64_t first = end > capacity ? end - capacity : 0;
    *copy = (struct mp__track_copy){.track = head, .events = events};
    head->stamp = track->stamp;
    head->process = track->process;
    head->pid = track->pid;
    head->begin = track->begin;
    head->method = track->method;
    memcpy(head->process_name, track->process_name, sizeof head->process_name);
    atomic_store_explicit(&head->end, atomic_load_explicit(&track->end, memory_order_relaxed), memory_order_relaxed);
    uint32_t names = atomic_load_explicit(&track->name_count, memory_order_acquire); /* E1 */
    memcpy(head->names, track->names, names * sizeof *track->names);
    atomic_store_explicit(&head->name_count, names, memory_order_relaxed);
    for (uint64_t i = first; i < end; i++) {
        const struct mp__trace_event *from = &track->events[i % capacity];
        struct mp__trace_event *to = &events[i - first];
        set(&to->begin, get(&from->begin));
        set(&to->end, get(&from->end));
        set(&to->what, get(&from->what));
        set(&to->count, get(&from->count));
        set(&to->value, get(&from->value));
    }
    atomic_thread_fence(memory_order_acquire); /* E2 */
    uint64_t begun = get(&track->begun), safe = begun > capacity ? begun - capacity : 0;
    uint64_t spoilt = safe > first ? safe - first : 0;
    if (spoilt > end - first) spoilt = end - first;
    copy->events += spoilt;
    copy->count = end - first - spoilt;
    copy->lost = first + spoilt;
}

int mp__trace_visit(int (*visit)(const struct mp__track_copy *copy, void *context), void *context)
{
    mp__arena_lock();
    uint64_t at = mp__header()->tracks;
    mp__arena_unlock();
    while (at) { /* what is in the list stays, with its capacity and its place */
        struct mp__track *track = track_at(at, 0);
        track = track ? track_at(at, track->capacity) : NULL;
        void *buffer = track ? malloc((size_t)track_size(track->capacity)) : NULL;
        if (!buffer) return MP_ENOMEM;
        struct mp__track_copy copy;
        mp__arena_lock();
        copy_track(track, buffer, &copy);
        mp__arena_unlock();
        int result = visit(&copy, context);
        free(buffer);
        if (result) return result;
        at = track->following;
    }
    return 0;
}
