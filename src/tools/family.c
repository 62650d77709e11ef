/* SPDX-License-Identifier: MIT
 *
 * family.c - a look at a family: header, objects, threads, processes.
 */
#include "tools/family.h"
#include "base/control.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK          UINT64_C(65536) /* copied at a time */
#define CONTROLS_MOST  (1u << 20)      /* looked at; a family with more is shown in part */
#define OBJECTS_MOST   (1u << 17)      /* kept */
#define PROCESSES_MOST (1u << 16)
#define THREADS_MOST   (1u << 16)

const mp_os_mark top_mark = {.magic = MP__MAGIC, .size = offsetof(struct mp__header, spin_ns)};

const char *top_type_name(enum mp__type type)
{
    static const char *const names[MP__TYPE_COUNT] = {
        [MP__PROCESS] = "process",     [MP__LOCK] = "lock",           [MP__RLOCK] = "rlock",
        [MP__SEMAPHORE] = "semaphore", [MP__CONDITION] = "condition", [MP__OWNED_SEMAPHORE] = "semaphore",
        [MP__EVENT] = "event",         [MP__BARRIER] = "barrier",     [MP__VALUE] = "value",
        [MP__ARRAY] = "array",         [MP__BLOCK] = "block",         [MP__MESSAGE] = "message",
        [MP__QUEUE] = "queue",         [MP__CONNECTION] = "pipe",     [MP__POOL] = "pool",
        [MP__RESULT] = "result",       [MP__PUT_SIDE] = "queue",      [MP__GET_SIDE] = "queue",
    };
    return (unsigned)type < MP__TYPE_COUNT && names[type] ? names[type] : "object";
}

/* ---- the header -------------------------------------------------------------------------------------------------- */

/* Room for one more. NULL: no memory. */
static void *grow(void *array, size_t count, size_t size, size_t *capacity)
{
    if (count < *capacity) return array;
    size_t larger = *capacity ? 2 * *capacity : 32;
    void *grown = realloc(array, larger * size);
    if (grown) *capacity = larger;
    return grown;
}

static bool region_fits(const struct mp__region *from, uint64_t size, struct top_region *region)
{
    uint64_t committed = atomic_load_explicit(&from->committed, memory_order_relaxed);
    *region = (struct top_region){from->offset, from->first, from->rest, from->limit, committed};
    if (region->committed > region->limit) region->committed = region->limit;
    return region->limit && region->first <= region->limit && region->offset <= size &&
           region->first <= size - region->offset && region->rest <= size &&
           region->limit - region->first <= size - region->rest;
}

static void look_at_header(const mp_os_view *view, struct mp__header *header, struct top_family *family)
{
    /* Another libmp's may be shorter. */
    if (!mp_os_view_read(view, 0, header, offsetof(struct mp__header, user)) || header->magic != MP__MAGIC) return;
    family->layout = header->version;
    if (!header->version || !header->header_size) return; /* it is being founded */
    if (header->version != MP__LAYOUT_VERSION || header->header_size != sizeof *header) {
        family->kind = TOP_FOREIGN;
        return;
    }
    if (!mp_os_view_read(view, 0, header, sizeof *header)) return;
    if (header->size > view->size || header->tag > 255 || !header->controls_top || !header->processes_top) return;
    for (int i = 0; i < MP__REGION_COUNT; i++)
        if (!region_fits(&header->regions[i], header->size, &family->regions[i])) return;
    family->kind = TOP_LIBMP;
    family->size = header->size;
    family->tag = header->tag;
    family->bytes_used = header->heap.bytes_used;
    family->blocks = header->heap.blocks;
    family->backed = header->heap.backed_pages * MP__PAGE_SIZE;
    family->janitor = (uint64_t)atomic_load_explicit(&header->janitor.pid, memory_order_relaxed);
    memcpy(family->counts, header->counts, sizeof family->counts);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* Call `visit` for each record of a table, from `from` on. */
struct table {
    enum mp__region_name region;
    uint64_t from, top, most, stride;
    bool (*visit)(struct top_family *family, uint64_t index, const void *record, size_t *capacity);
};

static bool for_each(const struct top_peek *peek, struct top_family *family, const struct table *table)
{
    static _Alignas(64) char chunk[CHUNK];
    uint64_t there = family->regions[table->region].committed / table->stride, top = table->top;
    size_t capacity = 0;
    if (top > there) top = there;
    if (top > table->most) {
        top = table->most;
        family->cut = true;
    }
    for (uint64_t index = table->from; index < top;) {
        uint64_t count = CHUNK / table->stride;
        if (count > top - index) count = top - index;
        if (!top_peek(peek, table->region, index * table->stride, chunk, (size_t)(count * table->stride))) return true;
        for (uint64_t i = 0; i < count; i++)
            if (!table->visit(family, index + i, chunk + i * table->stride, &capacity)) return false;
        index += count;
    }
    return true;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

/* Of what there may be very many, and nothing to be told: if a thread waits for such a one it is looked at then. */
static bool is_shown(uint32_t type)
{
    switch (type) {
    case MP__FREE:
    case MP__PROCESS:
    case MP__BLOCK:
    case MP__MESSAGE:
    case MP__RESULT:
    case MP__HOLDERS:
        return false;
    default:
        return type < MP__TYPE_COUNT;
    }
}

static uint64_t id_of(const struct top_family *family, uint64_t index, uint64_t state)
{
    return state >> 32 << 32 | (uint64_t)family->tag << MP__INDEX_BITS | index;
}

static bool add_object(struct top_family *family, uint64_t index, const struct mp__control *block, size_t *capacity)
{
    uint64_t state = atomic_load_explicit(&block->state, memory_order_relaxed);
    struct top_object *grown = grow(family->objects, family->object_count, sizeof *grown, capacity);
    if (!grown) return false;
    family->objects = grown;
    struct top_object *object = &grown[family->object_count++];
    *object = (struct top_object){.id = id_of(family, index, state)};
    memcpy((void *)&object->block, block, sizeof object->block);
    object->put_rate = object->get_rate = -1;
    return true;
}

static bool visit_object(struct top_family *family, uint64_t index, const void *record, size_t *capacity)
{
    const struct mp__control *block = record;
    uint64_t state = atomic_load_explicit(&block->state, memory_order_relaxed);
    if (!(state >> 32 & 1) || !is_shown(atomic_load_explicit(&block->type, memory_order_relaxed))) return true;
    if (family->object_count == OBJECTS_MOST) {
        family->cut = true;
        return true;
    }
    return add_object(family, index, block, capacity);
}

static int compare_objects(const void *one, const void *other)
{
    uint64_t a = ((const struct top_object *)one)->id & MP__INDEX_MASK;
    uint64_t b = ((const struct top_object *)other)->id & MP__INDEX_MASK;
    return (a > b) - (a < b);
}

struct top_object *top_object_of(const struct top_family *family, uint64_t id)
{
    const struct top_object wanted = {.id = id};
    if (!family->object_count) return NULL;
    struct top_object *found = bsearch(&wanted, family->objects, family->object_count, sizeof wanted, compare_objects);
    return found && found->id == id ? found : NULL;
}

/* Units that nobody has, of those that have owners. */
static void count_units(const struct top_peek *peek, struct top_object *object)
{
    uint64_t place = object->block.as.owned.units, owners[512];
    uint32_t count = object->block.as.owned.count, most = 1u << 16;
    for (uint32_t from = 0; place && from < count && from < most;) {
        uint32_t part = count - from < 512 ? count - from : 512;
        if (!top_peek_at(peek, place + from * sizeof *owners, owners, part * sizeof *owners)) return;
        for (uint32_t i = 0; i < part; i++) object->units += owners[i] == 0;
        from += part;
    }
}

/* A process whose record a thread sleeps on. */
static void look_at_record(const struct top_peek *peek, uint64_t offset, struct top_thread *thread)
{
    uint64_t field = offset % MP__PROCESS_STRIDE, id;
    if (top_peek(peek, MP__REGION_PROCESSES, offset - field + offsetof(struct mp__process, handle), &id, sizeof id))
        thread->record = id;
    thread->starts = field == offsetof(struct mp__process, started);
}

/* Those that threads wait for, of the kinds that were left out. */
static bool look_at_rest(const struct top_peek *peek, struct top_family *family)
{
    const size_t known = family->object_count;
    size_t capacity = known;
    uint64_t last = 0;
    for (size_t i = 0; i < family->thread_count; i++) {
        struct mp__control block;
        uint64_t offset = 0, place = family->threads[i].asleep_on;
        enum mp__region_name region = place ? top_region_of(family, place, &offset) : MP__REGION_COUNT;
        if (region == MP__REGION_PROCESSES) look_at_record(peek, offset, &family->threads[i]);
        if (region != MP__REGION_CONTROLS) continue;
        uint64_t index = offset / sizeof block;
        if (!index || index == last || index > MP__INDEX_MASK) continue;
        if (!top_peek(peek, MP__REGION_CONTROLS, index * sizeof block, &block, sizeof block)) continue;
        uint64_t state = atomic_load_explicit(&block.state, memory_order_relaxed);
        bool wanted = atomic_load_explicit(&block.type, memory_order_relaxed) == MP__RESULT;
        if (!(state >> 32 & 1) || !wanted) continue;
        if (!add_object(family, index, &block, &capacity)) return false;
        last = index;
    }
    if (family->object_count == known) return true;
    qsort(family->objects, family->object_count, sizeof *family->objects, compare_objects);
    size_t kept = 1;
    for (size_t i = 1; i < family->object_count; i++)
        if (compare_objects(&family->objects[kept - 1], &family->objects[i]))
            family->objects[kept++] = family->objects[i];
    family->object_count = kept;
    return true;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static bool visit_thread(struct top_family *family, uint64_t index, const void *record, size_t *capacity)
{
    const struct mp__thread *thread = record;
    uint64_t stamp = atomic_load_explicit(&thread->stamp, memory_order_relaxed);
    if (!stamp) return true;
    struct top_thread *grown = grow(family->threads, family->thread_count, sizeof *grown, capacity);
    if (!grown) return false;
    family->threads = grown;
    struct top_thread *seen = &grown[family->thread_count++];
    *seen = (struct top_thread){
        .number = (uint32_t)index + 1,
        .stamp = stamp,
        .process = atomic_load_explicit(&thread->process, memory_order_relaxed),
        .taken = atomic_load_explicit(&thread->taken, memory_order_relaxed),
        .asleep_on = atomic_load_explicit(&thread->asleep_on, memory_order_relaxed),
        .asleep_since = (int64_t)atomic_load_explicit(&thread->asleep_since, memory_order_relaxed),
        .waits_for = atomic_load_explicit(&thread->waits_for, memory_order_relaxed),
        .idles = atomic_load_explicit(&thread->idles, memory_order_relaxed),
    };
    for (int i = 0; i < MP__INTENTS; i++) {
        uint64_t intent = atomic_load_explicit(&thread->intents[i], memory_order_relaxed);
        if (intent & MP__INTENT_WAITS) seen->intent = intent & ~MP__INTENT_FLAGS;
    }
    return true;
}

const struct top_thread *top_thread_of(const struct top_family *family, uint32_t number)
{
    size_t low = 0, high = family->thread_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (family->threads[middle].number == number) return &family->threads[middle];
        if (family->threads[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static uint64_t space_here;

static enum top_state state_of(enum mp_os_seen seen)
{
    switch (seen) {
    case MP_OS_SEEN_GONE:
    case MP_OS_SEEN_DEAD:
        return TOP_DEAD;
    case MP_OS_SEEN_RUNNING:
        return TOP_RUNNING;
    case MP_OS_SEEN_ASLEEP:
        return TOP_ASLEEP;
    case MP_OS_SEEN_STOPPED:
        return TOP_STOPPED;
    case MP_OS_SEEN_NOTHING:
    default:
        return TOP_ALIVE;
    }
}

static void look_at_process(const struct mp__process *record, struct top_process *seen)
{
    uint64_t pid = atomic_load_explicit(&record->pid, memory_order_relaxed);
    uint64_t end = atomic_load_explicit(&record->end, memory_order_relaxed);
    uint64_t space = atomic_load_explicit(&record->space, memory_order_relaxed);
    bool known = mp__pid_is_of(pid, seen->id) && (uint32_t)pid && (uint32_t)pid < MP__PID_ELSEWHERE;
    seen->elsewhere = (uint32_t)pid == MP__PID_ELSEWHERE || (space && space_here && space != space_here);
    seen->pid = known ? (int64_t)(uint32_t)pid : 0;
    seen->state = known || seen->elsewhere ? TOP_ALIVE : TOP_STARTING;
    uint64_t returned = atomic_load_explicit(&record->returned, memory_order_relaxed);
    seen->returned = (uint32_t)returned == MP__ENDED;
    if (seen->returned) seen->code = mp__ending_code(returned);
    if (mp__end_is_of(end, seen->id) && end & MP__ENDED) {
        seen->state = TOP_ENDED;
        seen->failed = (end & MP__FAILED) != 0;
        seen->code = mp__ending_code(end);
    } else if (mp__pid_is_of(pid, seen->id) && (uint32_t)pid == MP__PID_NEVER) {
        seen->state = TOP_DEAD;
    }
}

static bool visit_process(struct top_family *family, uint64_t index, const void *from, size_t *capacity)
{
    const struct mp__process *record = from;
    uint64_t id = atomic_load_explicit(&record->handle, memory_order_relaxed);
    uint32_t flags = atomic_load_explicit(&record->flags, memory_order_relaxed);
    (void)index;
    if (!(flags & MP__TAKEN) || !(id >> 32 & 1) || (id & MP__TAG_MASK) != (uint64_t)family->tag << MP__INDEX_BITS)
        return true;
    struct top_process *grown = grow(family->processes, family->process_count, sizeof *grown, capacity);
    if (!grown) return false;
    family->processes = grown;
    struct top_process *seen = &grown[family->process_count++];
    *seen = (struct top_process){.id = id,
                                 .parent = record->parent,
                                 .birth = atomic_load_explicit(&record->birth, memory_order_relaxed),
                                 .method = record->method,
                                 .flags = flags,
                                 .cpu = -1,
                                 .load = -1};
    memcpy(seen->name, record->name, sizeof seen->name - 1);
    look_at_process(record, seen);
    return true;
}

static int compare_processes(const void *one, const void *other)
{
    uint64_t a = ((const struct top_process *)one)->id & MP__INDEX_MASK;
    uint64_t b = ((const struct top_process *)other)->id & MP__INDEX_MASK;
    return (a > b) - (a < b);
}

const struct top_process *top_process_of(const struct top_family *family, uint64_t id)
{
    const struct top_process wanted = {.id = id};
    if (!family->process_count) return NULL;
    const struct top_process *found =
        bsearch(&wanted, family->processes, family->process_count, sizeof wanted, compare_processes);
    return found && found->id == id ? found : NULL;
}

const struct top_process *top_leader(const struct top_family *family)
{
    for (size_t i = 0; i < family->process_count; i++)
        if (!family->processes[i].parent && !family->processes[i].method) return &family->processes[i];
    return family->process_count ? family->processes : NULL;
}

/* What the system says of those that have not ended. */
static void ask_system(struct top_family *family)
{
    for (size_t i = 0; i < family->process_count; i++) {
        struct top_process *process = &family->processes[i];
        if (process->state != TOP_ALIVE || process->elsewhere || !process->pid) continue;
        mp_os_sight sight = mp_os_process_look(process->pid, process->birth);
        process->state = state_of(sight.seen);
        process->cpu = sight.cpu;
    }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

void top_family_free(struct top_family *family)
{
    for (size_t i = 0; i < family->pool_count; i++) free(family->pools[i].workers);
    free(family->pools);
    free(family->objects);
    free(family->threads);
    free(family->processes);
    *family = (struct top_family){.kind = TOP_NONE};
}

bool top_family_look(const mp_os_view *view, struct top_family *family)
{
    static struct mp__header header;
    *family = (struct top_family){.kind = TOP_NONE, .begun = mp_os_now()};
    if (!space_here) space_here = mp_os_space_here();
    look_at_header(view, &header, family);
    if (family->kind != TOP_LIBMP) return true;
    const struct top_peek peek = {view, family};
    const struct table tables[] = {
        {MP__REGION_CONTROLS, 1, header.controls_top, CONTROLS_MOST, sizeof(struct mp__control), visit_object},
        {MP__REGION_THREADS, 0, atomic_load_explicit(&header.threads_top, memory_order_relaxed), THREADS_MOST,
         sizeof(struct mp__thread), visit_thread},
        {MP__REGION_PROCESSES, 1, header.processes_top, PROCESSES_MOST, MP__PROCESS_STRIDE, visit_process},
    };
    bool done = for_each(&peek, family, &tables[0]) && for_each(&peek, family, &tables[1]);
    family->when = mp_os_now();
    done = done && for_each(&peek, family, &tables[2]) && look_at_rest(&peek, family) && top_pools_look(&peek, family);
    if (!done) {
        top_family_free(family);
        return false;
    }
    if (family->process_count > 1)
        qsort(family->processes, family->process_count, sizeof *family->processes, compare_processes);
    for (size_t i = 0; i < family->object_count; i++)
        if (top_type(&family->objects[i]) == MP__OWNED_SEMAPHORE) count_units(&peek, &family->objects[i]);
    ask_system(family);
    return true;
}
