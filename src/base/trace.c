/* SPDX-License-Identifier: MIT
 *
 * trace.c - recording spans.
 */
#include "base/trace.h"
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS       UINT64_C(16384)
#define EVENTS_LEAST UINT64_C(16)
#define ALL_MOST     (UINT64_C(256) << 20) /* bytes of all tracks: who begins then takes one of a thread that is gone */
#define ALL_SHARE    8                     /* and of the heap there may be, one in so many */
#define CANDIDATES   64                    /* so many are looked at then */

/* What is quick becomes one with its like, up to so long; and no two with so much between them, ns. */
#define SHORT INT64_C(100000)
#define APART INT64_C(10000)

/* Tasks: how long a span of short ones is at least, and how many there are in it before the clock is looked at again. */
#define LOOK_TIME INT64_C(2500)
#define LOOK_MOST UINT64_C(256)

#define KNOWN 32

static _Thread_local struct {
    uint64_t stamp; /* of the thread's record: of another one, there is no track yet */
    struct mp__track *track;
    int64_t floor;  /* when the innermost open span began */
    uint64_t waits; /* one of several things that it waits for */
    bool busy;      /* a signal handler that comes now records nothing */
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

static uint64_t bytes_most(void)
{
    uint64_t share = mp__header()->regions[MP__REGION_HEAP].limit / ALL_SHARE;
    return share < ALL_MOST ? share : ALL_MOST;
}

/* What it is of: the calling thread, whose record says so first: should it die then, whoever recovers it finds what to end, and
 * by the stamp whether that was its already. The arena's lock is held. */
static void label(struct mp__track *track, uint64_t offset)
{
    const struct mp__process *record = mp__family_record();
    mp__self.record->track = offset;
    MP__THEN;
    track->stamp = mp__self.stamp;
    track->process = mp__family_id();
    track->pid = mp_os_pid();
    track->begin = mp_os_now();
    track->end = 0;
    track->method = record ? record->method : 0;
    snprintf(track->process_name, sizeof track->process_name, "%.63s", mp__family_name());
    atomic_store_explicit(&track->name_count, 0, memory_order_relaxed);
    set(&track->next, 0);
    set(&track->begun, 0);
}

/* One of a thread that is gone, which nobody else writes to. They stand in the order in which they were made, and are used
 * again one after the other. The arena's lock is held. */
static struct mp__track *take_abandoned(uint64_t *offset)
{
    struct mp__header *header = mp__header();
    for (int i = 0; i < CANDIDATES && header->tracks; i++) {
        *offset = header->tracks_next ? header->tracks_next : header->tracks;
        struct mp__track *track = track_at(*offset, 0);
        if (!track) return NULL;
        header->tracks_next = get(&track->following);
        if (!track->end) continue;
        header->tracks_lost += get(&track->next);
        return track_at(*offset, track->capacity);
    }
    return NULL;
}

/* Behind the last one. Who did this before may have died between the two stores. The arena's lock is held. */
static void append(uint64_t offset)
{
    struct mp__header *header = mp__header();
    struct mp__track *last = header->tracks_last ? track_at(header->tracks_last, 0) : NULL;
    while (last && get(&last->following)) last = track_at(get(&last->following), 0);
    if (last)
        set(&last->following, offset);
    else
        header->tracks = offset;
    header->tracks_last = offset;
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
    track->capacity = (uint32_t)events;
    mp__arena_lock();
    label(track, offset);
    mp__heap_set_ref_locked(offset, MP__HEAP_NOBODYS); /* before it is in the list: what is in there stays */
    append(offset);
    mp__header()->track_bytes += track_size(events);
    mp__arena_unlock();
    return track;
}

static struct mp__track *use_again(void)
{
    uint64_t offset;
    mp__arena_lock();
    struct mp__track *track = take_abandoned(&offset);
    if (track) label(track, offset);
    mp__arena_unlock();
    return track;
}

static bool is_room(uint64_t size)
{
    mp__arena_lock();
    bool room = mp__header()->track_bytes + size <= bytes_most();
    mp__arena_unlock();
    return room;
}

static struct mp__track *find_track(void)
{
    atomic_thread_fence(memory_order_acquire); /* E3: who comes here has seen that the family records */
    uint64_t events = atomic_load_explicit(&mp__header()->trace_events, memory_order_relaxed);
    struct mp__track *track = is_room(track_size(events)) ? create(events) : NULL;
    return track ? track : use_again();
}

/* The calling thread's; NULL: it has none, and there is no memory for one. `mine.busy` is the caller's. */
static struct mp__track *own(void)
{
    if (mine.stamp == mp__self.stamp) return mine.track;
    struct mp__failure failure = mp__fail_keep();
    memset(mine.known, 0, sizeof mine.known);
    mine.floor = 0;
    mine.waits = 0;
    mine.track = find_track();
    if (!mine.track) mp__log(MP_LOG_WARNING, "no memory to record what this thread does");
    mine.stamp = mp__self.stamp;
    mp__fail_restore(&failure);
    return mine.track;
}

void mp__trace_join(void)
{
    if (!mp__traces() || mine.busy) return;
    mine.busy = true;
    (void)own();
    mine.busy = false;
}

void mp__trace_leave(struct mp__thread *thread)
{
    struct mp__track *track = thread->track ? track_at(thread->track, 0) : NULL;
    thread->track = 0;
    if (track && track->stamp == atomic_load_explicit(&thread->stamp, memory_order_relaxed)) track->end = mp_os_now();
}

void mp__trace_waits(uint64_t id)
{
    mine.waits = id;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

_Static_assert(offsetof(struct mp__process, name) % sizeof(uint64_t) == 0, "names are looked at word by word");

/* Word by word: another one may be created there meanwhile. */
static void copy_name(char *to, const char *from)
{
    for (size_t i = 0; i < MP__NAME_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = get((const _Atomic uint64_t *)(const void *)(from + i));
        memcpy(to + i, &word, sizeof word);
    }
    to[MP__NAME_SIZE - 1] = '\0';
}

/* What the object is called; false: it is gone. */
static bool look_up(uint64_t id, struct mp__trace_name *name)
{
    const struct mp__control *control = mp__control_any(id);
    if (!control) return false;
    memset(name, 0, sizeof *name);
    name->type = atomic_load_explicit(&control->type, memory_order_relaxed);
    const struct mp__process *process = name->type == MP__PROCESS ? mp__process_of(id) : NULL;
    copy_name(name->name, process ? process->name : control->name);
    atomic_thread_fence(memory_order_acquire); /* before the generation is looked at */
    return mp__control_alive(control, id);
}

static uint32_t find_name(struct mp__track *track, uint64_t id)
{
    struct mp__trace_name name;
    uint32_t count = atomic_load_explicit(&track->name_count, memory_order_relaxed);
    if (!look_up(id, &name)) return 0;
    size_t length = strlen(name.name);
    memset(name.name + length, 0, sizeof name.name - length);
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(&track->names[i], &name, sizeof name) == 0) return i + 1;
    if (count == MP__TRACE_NAMES) return 0;
    track->names[count] = name;
    atomic_store_explicit(&track->name_count, count + 1, memory_order_release); /* E1 */
    return count + 1;
}

/* Only while nothing is being recorded by this thread: `mine.busy` is the caller's. */
static uint32_t named(uint64_t id)
{
    struct mp__track *track = own();
    if (!id || !track) return 0;
    if (mine.known[id % KNOWN].id != id) {
        struct mp__failure failure = mp__fail_keep();
        mine.known[id % KNOWN].place = find_name(track, id);
        mine.known[id % KNOWN].id = id;
        mp__fail_restore(&failure);
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
    if (mine.waits) return mp__trace_named(mine.waits);
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
static bool goes_on(const struct mp__trace_event *last, const struct mp__span *span, uint64_t what, uint64_t value,
                    int64_t end)
{
    if (what >> 32 == MP__TRACE_TASKS && get(&last->value) + get(&last->count) != value) return false;
    if (what >> 32 == MP__TRACE_START) return false;
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
    if (next && goes_on(last, span, what, value, end)) {
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

static void tasks_open(struct mp__trace_tasks *tasks)
{
    tasks->object = mp__trace_named(tasks->pool);
    tasks->span = mp__trace_open();
    tasks->every = 1;
}

struct mp__trace_tasks mp__trace_tasks_begin(uint64_t pool, uint64_t base, uint64_t first)
{
    struct mp__trace_tasks tasks = {.base = base, .first = first, .pool = pool};
    if (mp__traces()) tasks_open(&tasks);
    tasks.next = first + (tasks.span.begin ? 1 : LOOK_MOST);
    return tasks;
}

/* One span is closed, and the next begins. */
static void tasks_go_on(struct mp__trace_tasks *tasks, uint64_t at)
{
    int64_t now = mp_os_now(), took = now - tasks->span.begin;
    close_at(&tasks->span, (uint64_t)MP__TRACE_TASKS << 32 | tasks->object, tasks->base + tasks->first,
             at - tasks->first, now);
    if (took < LOOK_TIME / 2 && tasks->every < LOOK_MOST) tasks->every *= 2;
    if (took > LOOK_TIME * 2) tasks->every = tasks->every > 2 ? tasks->every / 2 : 1;
    mine.floor = tasks->span.begin = now;
}

void mp__trace_tasks_look(struct mp__trace_tasks *tasks, uint64_t at)
{
    bool recorded = tasks->span.begin;
    if (recorded && mp__traces()) {
        tasks_go_on(tasks, at);
    } else if (recorded) {
        mine.floor = tasks->span.floor;
        tasks->span.begin = 0;
        tasks->every = LOOK_MOST;
    } else if (mp__traces()) {
        tasks_open(tasks);
    }
    tasks->first = at;
    tasks->next = at + (tasks->span.begin ? tasks->every : LOOK_MOST);
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
    uint64_t capacity = EVENTS_LEAST;
    while (capacity < (events ? events : EVENTS)) capacity *= 2;
    while (capacity > EVENTS_LEAST && track_size(capacity) > bytes_most() / ALL_SHARE) capacity /= 2;
    if (events || !atomic_load_explicit(&header->trace_events, memory_order_relaxed))
        atomic_store_explicit(&header->trace_events, (uint32_t)capacity, memory_order_relaxed);
    int64_t none = 0;
    (void)atomic_compare_exchange_strong_explicit(&header->trace_since, &none, mp_os_now(), memory_order_relaxed,
                                                  memory_order_relaxed);
    atomic_store_explicit(&header->tracing, 1, memory_order_release); /* E3: with how many events there are */
    if (mp__self.record) mp__trace_join();
}

void mp__trace_end(void)
{
    atomic_store_explicit(&mp__header()->tracing, 0, memory_order_relaxed);
}

/* All of it but its events; what it is of now. The arena's lock is held. */
static void copy_head(const struct mp__track *track, struct mp__track *head)
{
    uint32_t names = atomic_load_explicit(&track->name_count, memory_order_acquire); /* E1 */
    head->stamp = track->stamp;
    head->process = track->process;
    head->pid = track->pid;
    head->begin = track->begin;
    head->end = track->end;
    head->method = track->method;
    memcpy(head->process_name, track->process_name, sizeof head->process_name);
    memcpy(head->names, track->names, names * sizeof *track->names);
    atomic_store_explicit(&head->name_count, names, memory_order_relaxed);
}

/* Its thread may be writing to it: what may have been overwritten meanwhile is left out. */
static void copy_events(const struct mp__track *track, struct mp__track_copy *copy, struct mp__trace_event *events)
{
    uint64_t capacity = track->capacity, end = atomic_load_explicit(&track->next, memory_order_acquire); /* E1 */
    uint64_t first = end > capacity ? end - capacity : 0;
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
    copy->events = events + spoilt;
    copy->count = end - first - spoilt;
    copy->lost = first + spoilt;
}

/* False: it is another thread's by now. */
static bool copy_track(const struct mp__track *track, void *buffer, struct mp__track_copy *copy)
{
    struct mp__track *head = buffer;
    mp__arena_lock();
    copy_head(track, head);
    mp__arena_unlock();
    copy->track = head;
    copy_events(track, copy, (struct mp__trace_event *)(void *)(head + 1));
    mp__arena_lock();
    bool same = track->stamp == head->stamp;
    mp__arena_unlock();
    return same;
}

uint64_t mp__trace_lost(void)
{
    mp__arena_lock();
    uint64_t lost = mp__header()->tracks_lost;
    mp__arena_unlock();
    return lost;
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
        int result = copy_track(track, buffer, &copy) ? visit(&copy, context) : 0;
        free(buffer);
        if (result) return result;
        at = get(&track->following);
    }
    return 0;
}
