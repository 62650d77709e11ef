/* SPDX-License-Identifier: MIT
 *
 * heap.c - the allocator of the arena: 64 KiB pages, in runs for large blocks, cut into equal cells for small ones.
 *
 *     block <= 16 KiB: a cell of a slab, a page whose head holds for each cell what it is for (0: free)
 *     larger:          a run of whole pages; what it is for stands in its page record
 *
 * Which blocks exist is told by those records alone: a page record's state and run, a cell's ref. All lists (bins of
 * free runs, slabs with room, a slab's chain of free cells) and counts are derived from them, and are made anew by walking
 * over the pages when somebody has died here (repair.h): from the first page of each run to the next, so that `run` of a
 * first page is true at every moment. Inside of runs anything may stand. A run whose ref is 0 is nobody's.
 *
 * All of it is protected by the arena's lock, but for the slow parts: memory is taken from the system, given back and
 * zeroed by the one caller whose block it is, while the block counts as in use.
 */
#include "base/heap.h"
#include "base/family.h"
#include "base/repair.h"

#include <mp/error.h>
#include <string.h>

#define BIG        (UINT64_C(1) << 20) /* what goes back to the system when freed */
#define HUGE       (UINT64_C(1) << 26) /* what is refused before page records are made for it */
#define CELL_UNIT  UINT64_C(64)
#define SMALL_MOST (UINT64_C(16) << 10)

/* A ref: an id, whose generation is odd. Of a run between states: that of the process that has it, made even. */
#define ODD (UINT64_C(1) << 32)

static uint64_t of_no_member = MP__HEAP_NOBODYS; /* what is this process's, should it be none */

static uint64_t mine(void)
{
    uint64_t id = mp__family_id();
    return id ? id : of_no_member;
}

static uint64_t pending(uint64_t process)
{
    return process & ~ODD;
}

static bool is_pending(uint64_t ref)
{
    return ref && !(ref & ODD);
}

static const uint16_t class_units[MP__HEAP_CLASSES] = {1,  2,  3,  4,  5,  6,  7,  8,  10,  12,  14,  16,  20,  24,
                                                       28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256};

/* The head of a slab. `cells` and what follows are constant while it is a slab. */
struct slab {
    uint32_t cells, used;
    uint32_t cell_size, first; /* where the first cell begins in the page */
    uint32_t free;             /* cell + 1 of a chain through next[], or 0 */
    uint32_t fresh;            /* cells from here on have never been used */
    uint64_t refs[];           /* of each cell; behind them uint16_t next[] */
};

static struct mp__heap *heap(void)
{
    return &mp__header()->heap;
}

static uint64_t heap_offset(void)
{
    return mp__header()->regions[MP__REGION_HEAP].offset;
}

uint64_t mp__heap_limit(void)
{
    return mp__header()->regions[MP__REGION_HEAP].limit;
}

void *mp__heap_at(uint64_t offset, uint64_t size)
{
    uint64_t start = heap_offset();
    return offset < start ? NULL : mp__arena_at(MP__REGION_HEAP, offset - start, size);
}

static struct mp__page *page_at(uint32_t page)
{
    return mp__arena_at(MP__REGION_PAGES, page * sizeof(struct mp__page), sizeof(struct mp__page));
}

/* Whether this process can look at all page records that are in use: asked before it looks at any, under the arena's lock. */
static bool pages_are_here(void)
{
    uint32_t top = heap()->top;
    return !top || mp__arena_at(MP__REGION_PAGES, 0, top * sizeof(struct mp__page));
}

static uint64_t page_offset(uint32_t page)
{
    return heap_offset() + page * MP__PAGE_SIZE;
}

/* ---- runs of pages; the arena's lock is held ------------------------------------------------------------------- */

static uint32_t bin_of(uint32_t run)
{
    uint32_t bin = 0;
    while (run >>= 1) bin++;
    return bin;
}

static void list_add(uint32_t *list, uint32_t page)
{
    struct mp__page *record = page_at(page);
    record->next = *list;
    record->previous = 0;
    if (*list) page_at(*list - 1)->previous = page + 1;
    *list = page + 1;
}

static void list_remove(uint32_t *list, uint32_t page)
{
    struct mp__page *record = page_at(page);
    if (record->previous)
        page_at(record->previous - 1)->next = record->next;
    else
        *list = record->next;
    if (record->next) page_at(record->next - 1)->previous = record->previous;
    record->next = record->previous = 0;
}

/* Write down that a run is in that state. */
static void run_mark(uint32_t page, uint32_t run, enum mp__page_state state)
{
    page_at(page + run - 1)->run = run;
    MP__THEN;
    page_at(page)->run = run;
    MP__THEN;
    page_at(page)->state = page_at(page + run - 1)->state = (uint8_t)state;
    MP__THEN;
}

static void run_free(uint32_t page, uint32_t run)
{
    run_mark(page, run, MP__PAGE_FREE); /* inside a longer run nothing may look like a block */
    page_at(page)->ref = 0;
    struct mp__page *before = page ? page_at(page - 1) : NULL;
    if (before && before->state == MP__PAGE_FREE) {
        uint32_t more = before->run;
        list_remove(&heap()->bins[bin_of(more)], page - more);
        page -= more;
        run += more;
    }
    if (page + run < heap()->top && page_at(page + run)->state == MP__PAGE_FREE) {
        uint32_t more = page_at(page + run)->run;
        list_remove(&heap()->bins[bin_of(more)], page + run);
        run += more;
    }
    run_mark(page, run, MP__PAGE_FREE);
    list_add(&heap()->bins[bin_of(run)], page);
}

/* The first free run that is long enough, or UINT32_MAX. */
static uint32_t run_find(uint32_t run)
{
    for (uint32_t bin = bin_of(run); bin < MP__HEAP_BINS; bin++)
        for (uint32_t next = heap()->bins[bin]; next; next = page_at(next - 1)->next)
            if (page_at(next - 1)->run >= run) return next - 1;
    return UINT32_MAX;
}

/* Take a run out of the free ones, or from the pages never used. */
static int run_take(uint32_t run, uint64_t ref, uint32_t *page)
{
    if (!pages_are_here()) return MP_ENOMEM;
    uint32_t found = run_find(run);
    if (found == UINT32_MAX) {
        uint64_t top = (uint64_t)heap()->top + run;
        if (top * MP__PAGE_SIZE > mp__heap_limit()) return MP_ENOMEM;
        if (mp__arena_grow(MP__REGION_PAGES, top * sizeof(struct mp__page)) < 0 ||
            mp__arena_grow(MP__REGION_HEAP, top * MP__PAGE_SIZE) < 0)
            return MP_ENOMEM;
        if (!mp__arena_at(MP__REGION_PAGES, 0, top * sizeof(struct mp__page))) return MP_ENOMEM;
        found = heap()->top;
        run_mark(found, run, MP__PAGE_RUN);
        page_at(found)->ref = ref;
        MP__THEN;
        heap()->top = (uint32_t)top;
    } else {
        uint32_t whole = page_at(found)->run;
        list_remove(&heap()->bins[bin_of(whole)], found);
        if (whole > run) {
            run_mark(found + run, whole - run, MP__PAGE_FREE);
            list_add(&heap()->bins[bin_of(whole - run)], found + run);
        }
        run_mark(found, run, MP__PAGE_RUN);
        page_at(found)->ref = ref;
    }
    *page = found;
    return 0;
}

/* ---- memory behind a run; it is the caller's alone, the lock is not held but where it says so ------------------- */

/* Have memory behind all of a run. Adds the pages it has taken to *taken. */
static int run_back(uint32_t page, uint32_t run, uint32_t *taken)
{
    for (uint32_t i = 0, end; i < run; i = end) {
        bool backed = page_at(page + i)->backed;
        for (end = i + 1; end < run && page_at(page + end)->backed == backed; end++) {}
        if (backed) continue;
        void *base = mp__header();
        uint64_t offset = page_offset(page + i), size = (end - i) * MP__PAGE_SIZE;
        if (!mp__heap_at(offset, size)) return MP_ENOMEM;
        if (mp_os_segment_commit(&mp__arena.segment, base, offset, size)) return MP_ENOMEM;
        for (uint32_t k = i; k < end; k++) page_at(page + k)->backed = 1;
        *taken += end - i;
    }
    return 0;
}

static void run_zero(uint32_t page, uint32_t run)
{
    for (uint32_t i = 0; i < run; i++) {
        struct mp__page *record = page_at(page + i);
        if (record->dirty) memset(mp__heap_at(page_offset(page + i), MP__PAGE_SIZE), 0, MP__PAGE_SIZE);
        record->dirty = 1; /* from now on it is the user's */
    }
}

/* Give a big run's memory back to the system. The number of pages given. */
static uint32_t run_discard(uint32_t page, uint32_t run)
{
    if (run * MP__PAGE_SIZE < BIG) return 0;
    if (!mp_os_segment_discard(&mp__arena.segment, mp__header(), page_offset(page), run * MP__PAGE_SIZE)) return 0;
    uint32_t given = 0;
    for (uint32_t i = 0; i < run; i++) {
        struct mp__page *record = page_at(page + i);
        given += record->backed;
        record->backed = record->dirty = 0;
    }
    return given;
}

static int large_alloc(uint64_t size, uint64_t ref, uint64_t *offset)
{
    uint64_t pages = (size + MP__PAGE_SIZE - 1) / MP__PAGE_SIZE;
    if (size > mp__heap_limit() || pages >= UINT32_MAX) return MP_ENOMEM;
    if (size >= HUGE && size > mp_os_memory_available()) return MP_ENOMEM;
    uint32_t run = (uint32_t)pages, page, taken = 0;
    mp__arena_lock();
    int result = run_take(run, pending(mine()), &page);
    mp__arena_unlock();
    if (result < 0) return result;

    result = run_back(page, run, &taken);
    if (result == 0) run_zero(page, run);

    mp__arena_lock();
    heap()->backed_pages += taken;
    if (result == 0) {
        page_at(page)->ref = ref;
        heap()->bytes_used += run * MP__PAGE_SIZE;
        heap()->blocks++;
        *offset = page_offset(page);
    } else {
        run_free(page, run);
    }
    mp__arena_unlock();
    return result;
}

static void large_free(uint32_t page)
{
    uint32_t run = page_at(page)->run;
    page_at(page)->ref = pending(mine());
    heap()->bytes_used -= run * MP__PAGE_SIZE;
    heap()->blocks--;
    mp__arena_unlock();
    uint32_t given = run_discard(page, run);
    mp__arena_lock();
    heap()->backed_pages -= given;
    run_free(page, run);
}

/* ---- slabs; the arena's lock is held --------------------------------------------------------------------------- */

static uint32_t class_of(uint64_t size)
{
    uint32_t class = 0;
    while (class_units[class] * CELL_UNIT < size) class ++;
    return class;
}

static struct slab *slab_at(uint32_t page)
{
    return mp__heap_at(page_offset(page), MP__PAGE_SIZE);
}

static uint16_t *slab_next(struct slab *slab)
{
    return (uint16_t *)(void *)(slab->refs + slab->cells);
}

static int slab_create(uint32_t class, uint32_t *page)
{
    uint32_t taken = 0;
    int result = run_take(1, 0, page);
    if (result < 0) return result;
    result = run_back(*page, 1, &taken);
    heap()->backed_pages += taken;
    if (result < 0) {
        run_free(*page, 1);
        return result;
    }
    struct slab *slab = slab_at(*page);
    uint64_t cell = class_units[class] * CELL_UNIT, each = cell + sizeof(uint64_t) + sizeof(uint16_t);
    uint64_t cells = (MP__PAGE_SIZE - sizeof *slab - CELL_UNIT) / each;
    uint64_t head = sizeof *slab + cells * (sizeof(uint64_t) + sizeof(uint16_t));
    page_at(*page)->dirty = 1;
    memset(slab, 0, head);
    slab->cells = (uint32_t)cells;
    slab->cell_size = (uint32_t)cell;
    slab->first = (uint32_t)((head + CELL_UNIT - 1) / CELL_UNIT * CELL_UNIT);
    page_at(*page)->class = (uint8_t) class;
    MP__THEN;
    page_at(*page)->state = MP__PAGE_SLAB;
    list_add(&heap()->slabs[class], *page);
    return 0;
}

static int small_alloc(uint64_t size, uint64_t ref, uint64_t *offset)
{
    uint32_t class = class_of(size), page;
    mp__arena_lock();
    int result = pages_are_here() ? 0 : MP_ENOMEM;
    if (result == 0 && heap()->slabs[class])
        page = heap()->slabs[class] - 1;
    else if (result == 0)
        result = slab_create(class, &page);
    struct slab *slab = result == 0 ? slab_at(page) : NULL;
    if (!slab) {
        mp__arena_unlock();
        return MP_ENOMEM;
    }
    uint32_t cell = slab->free ? slab->free - 1 : slab->fresh++;
    if (slab->free) slab->free = slab_next(slab)[cell];
    slab->refs[cell] = ref;
    if (++slab->used == slab->cells) list_remove(&heap()->slabs[class], page);
    heap()->bytes_used += slab->cell_size;
    heap()->blocks++;
    uint64_t inside = slab->first + (uint64_t)cell * slab->cell_size;
    mp__arena_unlock();
    memset((char *)slab + inside, 0, slab->cell_size);
    *offset = page_offset(page) + inside;
    return 0;
}

/* The cell that begins at that place of a slab, or UINT32_MAX. */
static uint32_t cell_of(const struct slab *slab, uint64_t inside)
{
    if (inside < slab->first || (inside - slab->first) % slab->cell_size) return UINT32_MAX;
    uint64_t cell = (inside - slab->first) / slab->cell_size;
    return cell < slab->cells && slab->refs[cell] ? (uint32_t)cell : UINT32_MAX;
}

static void small_free(uint32_t page, uint32_t cell)
{
    struct slab *slab = slab_at(page);
    uint32_t *list = &heap()->slabs[page_at(page)->class];
    heap()->bytes_used -= slab->cell_size;
    heap()->blocks--;
    slab->refs[cell] = 0;
    slab_next(slab)[cell] = (uint16_t)slab->free;
    slab->free = cell + 1;
    if (slab->used-- == slab->cells) list_add(list, page);
    if (slab->used) return;
    list_remove(list, page);
    run_free(page, 1);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

/* Where the ref of an allocated block stands; NULL if none begins there. The arena's lock is held. */
static uint64_t *find(uint64_t offset, uint32_t *page, uint32_t *cell)
{
    *cell = UINT32_MAX;
    if (offset < heap_offset()) return NULL;
    uint64_t number = (offset - heap_offset()) / MP__PAGE_SIZE, inside = (offset - heap_offset()) % MP__PAGE_SIZE;
    if (number >= heap()->top || !pages_are_here()) return NULL;
    *page = (uint32_t)number;
    struct mp__page *record = page_at(*page);
    if (record->state == MP__PAGE_RUN) /* the last page of a run has the state, too, but never a ref */
        return inside == 0 && record->ref && !is_pending(record->ref) ? &record->ref : NULL;
    if (record->state != MP__PAGE_SLAB) return NULL;
    struct slab *slab = slab_at(*page);
    *cell = slab ? cell_of(slab, inside) : UINT32_MAX;
    return *cell == UINT32_MAX ? NULL : &slab->refs[*cell];
}

int mp__heap_alloc(uint64_t size, uint64_t ref, uint64_t *offset)
{
    if (ref == MP__HEAP_MINE) ref = mine();
    return size <= SMALL_MOST ? small_alloc(size, ref, offset) : large_alloc(size, ref, offset);
}

void mp__heap_free(uint64_t offset)
{
    uint32_t page, cell;
    mp__arena_lock();
    if (find(offset, &page, &cell)) {
        if (cell != UINT32_MAX) {
            small_free(page, cell);
        } else {
            large_free(page);
        }
    }
    mp__arena_unlock();
}

uint64_t mp__heap_ref_locked(uint64_t offset)
{
    uint32_t page, cell;
    const uint64_t *ref = find(offset, &page, &cell);
    return ref ? *ref : 0;
}

uint64_t mp__heap_ref(uint64_t offset)
{
    mp__arena_lock();
    uint64_t ref = mp__heap_ref_locked(offset);
    mp__arena_unlock();
    return ref;
}

void mp__heap_set_ref_locked(uint64_t offset, uint64_t ref)
{
    uint32_t page, cell;
    uint64_t *found = find(offset, &page, &cell);
    if (found) *found = ref == MP__HEAP_MINE ? mine() : ref;
}

void mp__heap_set_ref(uint64_t offset, uint64_t ref)
{
    mp__arena_lock();
    mp__heap_set_ref_locked(offset, ref);
    mp__arena_unlock();
}

/* ---- after a death --------------------------------------------------------------------------------------------- */

/* True: it is no slab any more. */
static bool slab_sweep(uint32_t page, uint64_t process)
{
    const struct slab *slab = slab_at(page);
    for (uint32_t cell = 0; slab && page_at(page)->state == MP__PAGE_SLAB && cell < slab->fresh; cell++)
        if (slab->refs[cell] == process) small_free(page, cell);
    return page_at(page)->state != MP__PAGE_SLAB;
}

void mp__heap_sweep(uint64_t process)
{
    mp__arena_lock();
    /* A run that becomes free grows together with its neighbours, and then begins and ends elsewhere: all of it anew. */
    for (uint32_t page = 0, next; pages_are_here() && page < heap()->top; page = next) {
        const struct mp__page *record = page_at(page);
        uint64_t ref = record->state == MP__PAGE_RUN ? record->ref : 0;
        next = page + record->run;
        if (record->state == MP__PAGE_SLAB && slab_sweep(page, process)) next = 0;
        if (ref == pending(process)) {
            run_free(page, record->run);
            next = 0;
        }
        if (ref == process) {
            large_free(page); /* lets the lock go meanwhile */
            next = 0;
        }
    }
    mp__arena_unlock();
}

void mp__heap_be_janitor(void)
{
    of_no_member = MP__HEAP_JANITOR;
    mp__heap_sweep(MP__HEAP_JANITOR);
}

/* What is derived in a slab. False: none of its cells is in use. */
static bool slab_repair(uint32_t page)
{
    struct slab *slab = slab_at(page);
    if (!slab) return true; /* it can not be mapped: nothing is allocated in it any more */
    slab->used = slab->free = 0;
    for (uint32_t cell = slab->fresh; cell-- > 0;) {
        if (slab->refs[cell]) {
            slab->used++;
            continue;
        }
        slab_next(slab)[cell] = (uint16_t)slab->free;
        slab->free = cell + 1;
    }
    if (!slab->used) return false;
    if (slab->used < slab->cells) list_add(&heap()->slabs[page_at(page)->class], page);
    heap()->bytes_used += (uint64_t)slab->used * slab->cell_size;
    heap()->blocks += slab->used;
    return true;
}

/* Whether a run is in use; puts right and counts what is in it. */
static bool run_repair(uint32_t page)
{
    struct mp__page *record = page_at(page);
    if (record->state == MP__PAGE_SLAB) return slab_repair(page);
    if (record->state == MP__PAGE_FREE || !record->ref) return false;
    run_mark(page, record->run, MP__PAGE_RUN);
    if (!is_pending(record->ref)) {
        heap()->bytes_used += record->run * MP__PAGE_SIZE;
        heap()->blocks++;
    }
    return true;
}

void mp__heap_repair(void)
{
    struct mp__heap *all = heap();
    memset(all->bins, 0, sizeof all->bins);
    memset(all->slabs, 0, sizeof all->slabs);
    all->bytes_used = all->blocks = 0;
    /* Should it not be possible to map them, all stay as they are, and what is free is not found. */
    if (!mp__arena_at(MP__REGION_PAGES, 0, all->top * sizeof(struct mp__page))) return;
    for (uint32_t page = 0; page < all->top;) {
        if (run_repair(page)) {
            page += page_at(page)->run;
            continue;
        }
        uint32_t end = page;
        do {
            page_at(end)->ref = 0;
            MP__THEN;
            page_at(end)->state = MP__PAGE_FREE; /* inside a longer run nothing may look like a slab, either */
            end += page_at(end)->run;
        } while (end < all->top && !run_repair(end));
        run_mark(page, end - page, MP__PAGE_FREE);
        list_add(&all->bins[bin_of(end - page)], page);
        if (end < all->top) end += page_at(end)->run;
        page = end;
    }
}

void mp__heap_count(uint64_t *bytes, uint64_t *blocks, uint64_t *reserved)
{
    struct mp__header *header = mp__header();
    mp__arena_lock();
    *bytes = heap()->bytes_used;
    *blocks = heap()->blocks;
    *reserved = header->regions[MP__REGION_PROCESSES].offset + heap()->backed_pages * MP__PAGE_SIZE;
    for (int i = 0; i < MP__REGION_HEAP; i++)
        *reserved += atomic_load_explicit(&header->regions[i].committed, memory_order_relaxed);
    mp__arena_unlock();
}
