/* SPDX-License-Identifier: MIT
 *
 * arena.c - founding the arena, joining it, and mapping it piece by piece.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/family.h"
#include "base/repair.h"
#include "base/trace.h"

#include <inttypes.h>
#include <mp/family.h>
#include <string.h>

#define TIB               (UINT64_C(1) << 40)
#define DEFAULT_BYTES     TIB
#define LEAST_BYTES       (UINT64_C(1) << 20)
#define MOST_PROCESSES    (1u << 20)
#define DEFAULT_PROCESSES 32768u
#define MOST_THREADS      65536u
#define HEAP_STEP         (UINT64_C(1) << 20)
#define WINDOW            (UINT64_C(2) << 20) /* mapped at once: what one page of page tables covers */

struct mp__arena mp__arena;

static mp_config wanted; /* by mp_configure */
static _Atomic bool founding;

static uint64_t round_up(uint64_t value)
{
    return (value + MP_OS_GRANULARITY - 1) / MP_OS_GRANULARITY * MP_OS_GRANULARITY;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- the layout ------------------------------------------------------------------------------------------------ */

/* Address space for an arena with so many bytes of heap: the tables need up to a quarter of the whole. */
static uint64_t size_for(uint64_t heap)
{
    return round_up(heap + heap / 3 + heap / 1024 + MP__HEAD_SIZE + 8 * MP_OS_GRANULARITY);
}

/* A table of up to `limit` bytes, and a multiple of the granularity with what lies before it in its granule of the head.
 * What does not fit there takes its place before `end`. */
static void table_set(struct mp__header *header, enum mp__region_name name, uint64_t offset, uint64_t limit,
                      uint64_t *end)
{
    uint64_t before = offset % MP_OS_GRANULARITY, first = MP_OS_GRANULARITY - before;
    *end -= limit - first;
    header->regions[name] = (struct mp__region){.offset = offset, .first = first, .rest = *end, .limit = limit};
}

/* Cut the segment into regions. Each table gets what its limit needs, or a fraction where the whole is small. */
static void lay_out(struct mp__header *header, uint64_t size, const mp_config *config)
{
    const uint64_t granule = MP_OS_GRANULARITY;
    uint64_t share = size / 16 > granule ? size / 16 / granule * granule : granule;
    uint64_t before = (sizeof *header + MP__PROCESS_STRIDE - 1) / MP__PROCESS_STRIDE * MP__PROCESS_STRIDE;
    uint32_t processes = config->max_processes ? config->max_processes : DEFAULT_PROCESSES;
    uint64_t table = least(round_up((uint64_t)(processes + 1) * MP__PROCESS_STRIDE + before), share) - before;
    uint64_t end = size;
    header->max_processes = (uint32_t)least(processes, table / MP__PROCESS_STRIDE - 1);
    table_set(header, MP__REGION_PROCESSES, before, table, &end);
    table_set(header, MP__REGION_THREADS, granule, least(MOST_THREADS * sizeof(struct mp__thread), share), &end);
    table_set(header, MP__REGION_CONTROLS, 2 * granule, least(sizeof(struct mp__control) << 24, 2 * share), &end);
    uint64_t pages = round_up((end - MP__HEAD_SIZE) / MP__PAGE_SIZE * sizeof(struct mp__page));
    table_set(header, MP__REGION_PAGES, 3 * granule, pages, &end);
    uint64_t heap = config->arena_bytes ? round_up(config->arena_bytes) : DEFAULT_BYTES;
    header->regions[MP__REGION_HEAP] =
        (struct mp__region){.offset = MP__HEAD_SIZE,
                            .rest = MP__HEAD_SIZE,
                            .limit = least((end - MP__HEAD_SIZE) / MP__PAGE_SIZE * MP__PAGE_SIZE, heap)};
}

/* ---- mapping --------------------------------------------------------------------------------------------------- */

static void raise_to(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t seen = atomic_load_explicit(value, memory_order_relaxed);
    while (seen < to &&
           !atomic_compare_exchange_weak_explicit(value, &seen, to, memory_order_release, memory_order_relaxed)) {}
}

/* So many bytes of a region, and the rest of the granule that they end in. */
static uint64_t end_of(const struct mp__region *region, uint64_t bytes)
{
    uint64_t before = region->offset % MP_OS_GRANULARITY;
    return least(region->limit, round_up(before + bytes) - before);
}

/* Where in the arena the byte at `offset` of a region lies. */
static uint64_t place_of(const struct mp__region *region, uint64_t offset)
{
    return offset < region->first ? region->offset + offset : region->rest + (offset - region->first);
}

/* Map a region up to `end` at least. Two threads may do the same at once: mapping twice changes nothing. */
static int map_to(struct mp__header *header, enum mp__region_name name, uint64_t end)
{
    struct mp__region *region = &header->regions[name];
    uint64_t mapped = atomic_load_explicit(&mp__arena.mapped[name], memory_order_acquire);
    if (end <= mapped) return 0;
    uint64_t to = end_of(region, end > 2 * mapped ? end : 2 * mapped);
    int error = mp_os_segment_map(&mp__arena.segment, header, place_of(region, mapped), to - mapped);
    if (error) return mp__fail_os(error, "the arena could not be mapped further");
    raise_to(&mp__arena.mapped[name], to);
    return 0;
}

/* Handles below this many can be looked at without a call: what is committed, and mapped. The arena is published. */
static void controls_raise(struct mp__header *header)
{
    uint64_t committed = atomic_load_explicit(&header->regions[MP__REGION_CONTROLS].committed, memory_order_acquire);
    uint64_t mapped = atomic_load_explicit(&mp__arena.mapped[MP__REGION_CONTROLS], memory_order_acquire);
    uint32_t count = (uint32_t)(least(committed, mapped) / sizeof(struct mp__control));
    uint32_t seen = atomic_load_explicit(&mp__arena.controls_mapped, memory_order_relaxed);
    while (seen < count && !atomic_compare_exchange_weak_explicit(&mp__arena.controls_mapped, &seen, count,
                                                                  memory_order_release, /* A1 */
                                                                  memory_order_relaxed)) {}
}

void *mp__arena_at(enum mp__region_name name, uint64_t offset, uint64_t size)
{
    struct mp__header *header = mp__header();
    struct mp__region *region = &header->regions[name];
    uint64_t end = offset + size;
    if (end < offset || end > atomic_load_explicit(&mp__arena.mapped[name], memory_order_acquire) ||
        end > atomic_load_explicit(&region->committed, memory_order_acquire)) { /* L1 */
        if (end < offset || end > atomic_load_explicit(&region->committed, memory_order_acquire)) return NULL;
        if (map_to(header, name, end) < 0) return NULL;
    }
    if (name == MP__REGION_CONTROLS) controls_raise(header);
    return (char *)header + place_of(region, offset);
}

_Atomic uint32_t *mp__arena_word(uint64_t place)
{
    struct mp__header *header = mp__header();
    if (place % sizeof(uint32_t)) return NULL;
    for (int name = 0; name < MP__REGION_COUNT; name++) {
        const struct mp__region *region = &header->regions[name];
        uint64_t offset = UINT64_MAX;
        if (place - region->offset < region->first) offset = place - region->offset;
        if (place - region->rest < region->limit - region->first) offset = place - region->rest + region->first;
        if (offset != UINT64_MAX) return mp__arena_at((enum mp__region_name)name, offset, sizeof(uint32_t));
    }
    return NULL;
}

static int grow(struct mp__header *header, enum mp__region_name name, uint64_t bytes)
{
    struct mp__region *region = &header->regions[name];
    uint64_t committed = atomic_load_explicit(&region->committed, memory_order_relaxed);
    if (bytes <= committed) return 0;
    if (bytes > region->limit) return MP_ELIMIT;
    uint64_t more = name == MP__REGION_HEAP ? committed + HEAP_STEP : 2 * committed;
    uint64_t to = end_of(region, bytes > more ? bytes : more);
    if (map_to(header, name, to) < 0) return MP_ENOMEM;
    /* The heap takes memory for each run of its own, when it is used. */
    if (name != MP__REGION_HEAP &&
        mp_os_segment_commit(&mp__arena.segment, header, place_of(region, committed), to - committed))
        return MP_ENOMEM;
    atomic_store_explicit(&region->committed, to, memory_order_release); /* L1 */
    return 0;
}

int mp__arena_grow(enum mp__region_name name, uint64_t bytes)
{
    return grow(mp__header(), name, bytes);
}

/* ---- founding and joining -------------------------------------------------------------------------------------- */

/* The first window: the head, and the beginning of the heap. */
static int map_head(void **base)
{
    uint64_t size = least(mp__arena.segment.size, WINDOW);
    int error = mp_os_reserve(&mp__arena.segment, WINDOW, base);
    if (error) return mp__fail_os(error, "no address space for the arena (%" PRIu64 " bytes)", mp__arena.segment.size);
    error = mp_os_segment_map(&mp__arena.segment, *base, 0, size);
    if (error) {
        mp_os_unreserve(*base, mp__arena.segment.size);
        return mp__fail_os(error, "the arena could not be mapped");
    }
    return 0;
}

/* What of each region lies in the first window. */
static void count_mapped(const struct mp__header *header)
{
    for (int name = 0; name < MP__REGION_COUNT; name++) {
        const struct mp__region *region = &header->regions[name];
        raise_to(&mp__arena.mapped[name],
                 name == MP__REGION_HEAP ? least(WINDOW - MP__HEAD_SIZE, region->limit) : region->first);
    }
}

/* From here on this process has a family. */
static void publish(struct mp__header *header)
{
    const struct mp__region *controls = &header->regions[MP__REGION_CONTROLS];
    atomic_store_explicit(&mp__arena.handle_tag, (uint64_t)header->tag << 24, memory_order_relaxed);
    count_mapped(header);
    mp__arena.controls = (char *)header + controls->offset;
    mp__arena.controls_rest = (char *)header + controls->rest - controls->first;
    atomic_store_explicit(&mp__arena.header, header, memory_order_release); /* A1 */
}

static int fill(struct mp__header *header, uint64_t size)
{
    uint64_t random[2];
    int error = mp_os_random(random, sizeof random);
    if (error) return mp__fail_os(error, "no random numbers");
    header->magic = MP__MAGIC;
    header->version = MP__LAYOUT_VERSION;
    header->header_size = sizeof *header;
    header->user = mp_os_user();
    header->nonce = random[0] | 1;
    header->tag = (uint32_t)(random[1] % 255 + 1);
    header->size = size;
    header->spin_ns = wanted.spin_ns;
    lay_out(header, size, &wanted);
    for (int name = 0; name < MP__REGION_COUNT; name++)
        atomic_store_explicit(&header->regions[name].committed, header->regions[name].first, memory_order_relaxed);
    header->controls_top = header->processes_top = 1;
    error = mp_os_guard_init(header->guard);
    for (int i = 0; !error && i < MP__PARK_BUCKETS; i++)
        if (!mp_os_word_sleeps()) error = mp_os_guard_init(header->buckets[i].guard);
    if (error) return mp__fail_os(error, "no lock for the arena");
    atomic_store_explicit(&header->log_level, mp__log_level_early(), memory_order_relaxed);
    return 0;
}

static int found(void)
{
    uint64_t size = wanted.arena_bytes ? size_for(wanted.arena_bytes) : DEFAULT_BYTES;
    int error = mp_os_segment_create(&mp__arena.segment, &size, wanted.arena_bytes ? size : size_for(LEAST_BYTES));
    if (error)
        return mp__fail_os(error, "no shared memory for an arena of %" PRIu64 " bytes; mp_configure() sets its size",
                           size);
    void *base;
    int result = map_head(&base);
    if (result == 0) {
        error = mp_os_segment_commit(&mp__arena.segment, base, 0, MP__HEAD_SIZE);
        result = error ? mp__fail_os(error, "no memory for an arena") : fill(base, size);
        if (result < 0) mp_os_unreserve(base, size);
    }
    if (result < 0) {
        mp_os_segment_close(&mp__arena.segment);
        memset((void *)&mp__arena.mapped, 0, sizeof mp__arena.mapped);
        return result;
    }
    publish(base);
    mp__trace_found();
    return 0;
}

static void founding_lock(void)
{
    while (atomic_exchange_explicit(&founding, true, memory_order_acquire)) mp_os_yield();
}

static void founding_unlock(void)
{
    atomic_store_explicit(&founding, false, memory_order_release);
}

int mp__arena_join(void)
{
    if (mp__header()) return 0;
    founding_lock();
    int result = mp__header() ? 0 : mp__family_prepare();
    if (result == 0 && !mp__header()) result = found();
    founding_unlock();
    return result;
}

void mp__arena_forked(void)
{
    if (atomic_load_explicit(&founding, memory_order_relaxed)) founding_unlock();
    if (!mp__header()) memset((void *)&mp__arena.mapped, 0, sizeof mp__arena.mapped);
}

/* Every region lies within the segment, no more of one is there than there may be, and the heap begins behind the head. */
static bool is_laid_out(const struct mp__header *header)
{
    const uint64_t size = header->size;
    for (int name = 0; name < MP__REGION_COUNT; name++) {
        const struct mp__region *region = &header->regions[name];
        uint64_t committed = atomic_load_explicit(&region->committed, memory_order_acquire); /* L1 */
        bool first = region->first <= region->limit && region->offset <= size && region->first <= size - region->offset;
        bool rest = region->rest <= size && region->limit - region->first <= size - region->rest;
        bool place = name == MP__REGION_HEAP
                         ? region->offset == MP__HEAD_SIZE && region->rest == MP__HEAD_SIZE
                         : region->offset + region->first == ((uint64_t)name + 1) * MP_OS_GRANULARITY;
        if (!first || !rest || !place || committed > region->limit) return false;
    }
    return header->tag && header->tag < 256;
}

static bool is_arena(const struct mp__header *header, uint64_t nonce)
{
    return header->magic == MP__MAGIC && header->version == MP__LAYOUT_VERSION &&
           header->header_size == sizeof *header && header->size == mp__arena.segment.size && header->nonce == nonce &&
           header->user == mp_os_user() && is_laid_out(header);
}

int mp__arena_adopt(intptr_t handle, uint64_t nonce)
{
    int error = mp_os_segment_adopt(&mp__arena.segment, handle);
    if (error) return mp__fail_os(error, "the arena of the parent was not handed over");
    int result = mp__family_prepare();
    void *base = NULL;
    uint64_t size = mp__arena.segment.size;
    bool possible = size >= MP__HEAD_SIZE && size % MP_OS_GRANULARITY == 0;
    if (result == 0 && possible) result = map_head(&base);
    if (result == 0 && (!possible || !is_arena(base, nonce))) {
        if (base) mp_os_unreserve(base, size);
        result = mp__fail(MP_ESTALE, "the parent's arena is of another build of libmp, another user, or none at all");
    }
    if (result == 0)
        publish(base);
    else
        mp__arena.segment = (mp_os_segment){.handle = MP_OS_NO_HANDLE}; /* not this process's to close */
    return result;
}

int mp__arena_configure(const mp_config *config)
{
    static const mp_config defaults;
    if (!config) config = &defaults;
    if (config->arena_bytes > TIB || config->max_processes > MOST_PROCESSES || config->spin_ns < -1)
        return mp__fail(MP_EINVAL, "mp_configure: at most 1 TiB, 1048576 processes, and spin_ns from -1");
    founding_lock();
    bool late = mp__header();
    if (!late) {
        wanted = *config;
        if (wanted.arena_bytes && wanted.arena_bytes < LEAST_BYTES) wanted.arena_bytes = LEAST_BYTES;
    }
    founding_unlock();
    if (late)
        return mp__fail(MP_EBUSY, "mp_configure: the family exists already; call it before anything else of libmp");
    return 0;
}

/* ---- the lock -------------------------------------------------------------------------------------------------- */

void mp__arena_lock(void)
{
    void *guard = mp__header()->guard;
    if (mp_os_guard_acquire(guard, &mp__header()->inquiry)) return;
    mp__repair();
    mp_os_guard_repaired(guard);
}

void mp__arena_unlock(void)
{
    mp_os_guard_release(mp__header()->guard);
}
