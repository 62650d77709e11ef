/* SPDX-License-Identifier: MIT
 *
 * fuzz_tables.c - the arena's tables as a death may leave them (base/repair.h): all that is derived is anything at all, what
 * stands in items that are not in use is anything, and what was in the middle of changing is half done. After the repair what
 * was in use is as it was, nothing else is, and what was the dead process's comes back.
 *
 *     input: what is made; what is torn, of what; then more is made
 */
#include "base/control.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/message.h"
#include "base/recover.h"
#include "base/repair.h"
#include "base/thread.h"
#include "fuzz.h"

#include <stdlib.h>

#define BLOCKS 64
#define LOCKS  32
#define OFTEN  48 /* steps of each part */

/* A process that there never was: what is its is what a dead one left. */
#define DEAD (UINT64_C(7) << 32 | mp__handle_tag() | MP__INDEX_MASK)

static struct block {
    uint64_t offset, size;
    unsigned char fill;
} blocks[BLOCKS];
static mp_lock locks[LOCKS];
static unsigned block_count, lock_count;

static struct mp__page *page_at(uint32_t page)
{
    return mp__arena_at(MP__REGION_PAGES, page * sizeof(struct mp__page), sizeof(struct mp__page));
}
static uint64_t offset_of(uint32_t page)
{
    return mp__header()->regions[MP__REGION_HEAP].offset + page * MP__PAGE_SIZE;
}

/* ---- what is in use ---------------------------------------------------------------------------------------------- */

static void make_block(struct fuzz_input *input)
{
    static const uint32_t sizes[] = {1,     64,    100,   500,   1000,   4000,   9000,
                                     16384, 16385, 65536, 70000, 140000, 200000, 270000};
    uint8_t which = fuzz_byte(input);
    if (block_count == BLOCKS) return;
    struct block *block = &blocks[block_count];
    block->size = sizes[which % (sizeof sizes / sizeof *sizes)];
    block->fill = which & 64 ? 0 : which | 1; /* memory that nobody has written to, too */
    FUZZ_CHECK(mp__heap_alloc(block->size, MP__HEAP_NOBODYS, &block->offset) == 0);
    unsigned char *data = mp__heap_at(block->offset, block->size);
    FUZZ_CHECK(data && block->offset % 64 == 0);
    for (uint64_t at = 0; at < block->size; at += at < 256 ? 1 : 509) FUZZ_CHECK(data[at] == 0);
    memset(data, block->fill, block->size);
    block_count++;
}

static void check_blocks(void)
{
    for (unsigned i = 0; i < block_count; i++) {
        const unsigned char *data = mp__heap_at(blocks[i].offset, blocks[i].size);
        FUZZ_CHECK(mp__heap_ref(blocks[i].offset) == MP__HEAP_NOBODYS);
        for (uint64_t at = 0; at < blocks[i].size; at += at < 64 ? 1 : 1021) FUZZ_CHECK(data[at] == blocks[i].fill);
        FUZZ_CHECK(data[blocks[i].size - 1] == blocks[i].fill);
    }
}

/* It is in use no more, and somebody else knows what becomes of it. */
static struct block take_block(struct fuzz_input *input)
{
    unsigned which = fuzz_byte(input) % block_count;
    struct block block = blocks[which];
    blocks[which] = blocks[--block_count];
    return block;
}

static void make(struct fuzz_input *input)
{
    switch (fuzz_byte(input) % 8) {
    case 0:
        if (lock_count < LOCKS) FUZZ_CHECK(mp_lock_create(&locks[lock_count++], NULL) == 0);
        break;
    case 1:
        if (lock_count) FUZZ_CHECK(mp_lock_destroy(locks[--lock_count]) == 0);
        break;
    case 2:
    case 3:
        if (block_count) mp__heap_free(take_block(input).offset);
        break;
    default:
        make_block(input);
    }
}

/* ---- what is torn; the arena's lock is held ---------------------------------------------------------------------- */

/* Lists and counts. */
static void tear_header(struct fuzz_input *input)
{
    struct mp__header *header = mp__header();
    uint64_t word = fuzz_word(input);
    switch (fuzz_byte(input) % 8) {
    case 0:
        header->heap.bins[word % MP__HEAP_BINS] = (uint32_t)(word >> 8);
        break;
    case 1:
        header->heap.slabs[word % MP__HEAP_CLASSES] = (uint32_t)(word >> 8);
        break;
    case 2:
        header->counts[word % MP__TYPE_COUNT] = (uint32_t)(word >> 8);
        break;
    case 3:
        header->free_controls = (uint32_t)word;
        break;
    case 4:
        header->free_processes = (uint32_t)word;
        break;
    case 5:
        header->free_threads = (uint32_t)word;
        break;
    case 6:
        header->heap.blocks = word;
        break;
    default:
        header->heap.bytes_used = word;
    }
}

/* A control block that is not alive: as it was about to become something, but for the store that makes it alive. */
static void tear_control(struct fuzz_input *input)
{
    uint32_t index = 1 + fuzz_byte(input) % (mp__header()->controls_top);
    if (index >= mp__header()->controls_top) return;
    struct mp__control *control = mp__control_indexed(index);
    if (mp__generation_of(control->state) & 1) return;
    control->state = mp__state_of(control->state) | (uint32_t)fuzz_word(input);
    control->type = fuzz_byte(input) % MP__TYPE_COUNT;
    control->next = (uint32_t)fuzz_word(input);
    control->creator = fuzz_byte(input) & 1 ? DEAD : fuzz_word(input);
    control->held = fuzz_word(input);
    control->holders = fuzz_word(input);
    for (int i = 0; i < 7; i++) control->as.all[i] = fuzz_word(input);
}

static void tear_process(struct fuzz_input *input)
{
    uint32_t slot = 1 + fuzz_byte(input) % mp__header()->processes_top;
    if (slot >= mp__header()->processes_top) return;
    struct mp__process *record = mp__process_at(slot);
    if (record->flags & MP__TAKEN) return;
    record->pid = fuzz_word(input);
    record->parent = fuzz_word(input);
    record->next = (uint32_t)fuzz_word(input);
    record->end = fuzz_word(input);
}

static void tear_thread(struct fuzz_input *input)
{
    uint32_t number = 1 + fuzz_byte(input) % (mp__thread_top() + 1);
    struct mp__thread *thread = number <= mp__thread_top() ? mp__thread_at(number) : NULL;
    if (!thread || thread->stamp) return;
    thread->next = (uint32_t)fuzz_word(input);
    thread->process = fuzz_word(input);
}

/* The run that has that page, by its first one. */
static uint32_t run_of(uint32_t page)
{
    uint32_t first = 0;
    while (first + page_at(first)->run <= page) first += page_at(first)->run;
    return first;
}

static bool is_free(const struct mp__page *page)
{
    return page->state == MP__PAGE_FREE || (page->state == MP__PAGE_RUN && !page->ref);
}

/* A page that is not the first one of its run; or beyond all: but for what is true of each page for itself. */
static void tear_page(struct fuzz_input *input)
{
    uint32_t top = mp__header()->heap.top, page = fuzz_short(input) % (top + 4);
    struct mp__page *record = page_at(page);
    if (!record) return;
    bool first = page < top && run_of(page) == page;
    record->next = (uint32_t)fuzz_word(input);
    record->previous = (uint32_t)fuzz_word(input);
    if (first) return;
    record->state = fuzz_byte(input) % 2 ? MP__PAGE_FREE : MP__PAGE_RUN;
    record->run = (uint32_t)fuzz_word(input);
    record->class = fuzz_byte(input);
    if (page == top) record->ref = fuzz_word(input); /* of one that was about to be the first beyond */
}

/* A run that is free: nobody's, or about to be somebody's, or cut in two. */
static void tear_run(struct fuzz_input *input)
{
    uint32_t top = mp__header()->heap.top, page = top ? run_of(fuzz_short(input) % top) : 0, how = fuzz_byte(input);
    struct mp__page *record = top ? page_at(page) : NULL;
    if (!record || !is_free(record)) return;
    if (how % 3 == 0) {
        record->state = MP__PAGE_RUN;
    } else if (how % 3 == 1) {
        record->state = MP__PAGE_FREE;
        record->ref = DEAD;
    } else if (record->run > 1) {
        uint32_t rest = 1 + how / 3 % (record->run - 1);
        page_at(page + rest)->run = record->run - rest;
        page_at(page + rest)->state = MP__PAGE_FREE;
        page_at(page + rest)->ref = 0;
        record->run = rest;
    }
}

/* A slab: which cells are in use is all that is true. */
struct slab { /* heap.c */
    uint32_t cells, used, cell_size, first, free, fresh;
    uint64_t refs[];
};

static struct slab *slab_of(uint64_t offset)
{
    uint64_t start = mp__header()->regions[MP__REGION_HEAP].offset;
    uint32_t page = (uint32_t)((offset - start) / MP__PAGE_SIZE);
    return page < mp__header()->heap.top && page_at(page)->state == MP__PAGE_SLAB && run_of(page) == page
               ? mp__heap_at(offset_of(page), MP__PAGE_SIZE)
               : NULL;
}

static void tear_slab(struct fuzz_input *input)
{
    struct slab *slab = block_count ? slab_of(blocks[fuzz_byte(input) % block_count].offset) : NULL;
    if (!slab) return;
    slab->used = (uint32_t)fuzz_word(input);
    slab->free = (uint32_t)fuzz_word(input);
    if (slab->fresh < slab->cells) slab->fresh += fuzz_byte(input) & 1;
    uint16_t *next = (uint16_t *)(void *)(slab->refs + slab->cells);
    uint16_t cell = fuzz_short(input);
    next[cell % slab->cells] = fuzz_short(input);
}

/* A block that was being freed, or was the dead process's. */
static void tear_block(struct fuzz_input *input)
{
    if (!block_count) return;
    struct block block = take_block(input);
    struct slab *slab = slab_of(block.offset);
    uint8_t how = fuzz_byte(input) % 3;
    uint64_t start = mp__header()->regions[MP__REGION_HEAP].offset;
    if (how == 0)
        mp__heap_set_ref_locked(block.offset, DEAD);
    else if (slab)
        slab->refs[(block.offset % MP__PAGE_SIZE - slab->first) / slab->cell_size] = 0;
    else
        page_at((uint32_t)((block.offset - start) / MP__PAGE_SIZE))->ref = how == 1 ? DEAD & ~(UINT64_C(1) << 32) : 0;
}

/* What a dead process was creating, or had. */
static void leave_something(struct fuzz_input *input)
{
    uint64_t id;
    uint8_t how = fuzz_byte(input);
    struct mp__control *control;
    if (how % 3 == 0) { /* a part of something that was never complete */
        FUZZ_CHECK(mp__control_take(MP__RLOCK, NULL, DEAD, NULL, NULL, &id) == 0);
        control = mp__control_of(id, MP__RLOCK);
        FUZZ_CHECK(control);
        control->as.lock.part = 1;
        control->as.lock.maker = DEAD;
    } else if (how % 3 == 1 && block_count) { /* a message, its own or being put */
        struct block block = take_block(input);
        FUZZ_CHECK(mp__control_take(MP__MESSAGE, NULL, DEAD, NULL, NULL, &id) == 0);
        control = mp__control_of(id, MP__MESSAGE);
        FUZZ_CHECK(control);
        control->as.message.offset = block.offset;
        control->as.message.size = control->as.message.capacity = block.size;
        control->as.message.owner = how & 64 ? DEAD : DEAD & ~(UINT64_C(1) << 32);
    } else if (mp__header()->processes_top < 60) { /* a record of a process, with or without its control block */
        uint32_t slot = mp__header()->processes_top;
        if (mp__arena_grow(MP__REGION_PROCESSES, (uint64_t)(slot + 1) * MP__PROCESS_STRIDE) < 0) return;
        struct mp__process *record = mp__process_at(slot);
        if (!record) return;
        mp__header()->processes_top++;
        memset((void *)record, 0, MP__PROCESS_STRIDE);
        record->parent = DEAD;
        record->flags = MP__TAKEN;
        if (!(how & 64)) return;
        FUZZ_CHECK(mp__control_take(MP__PROCESS, NULL, 0, NULL, NULL, &id) == 0);
        control = mp__control_of(id, MP__PROCESS);
        FUZZ_CHECK(control);
        control->as.process.slot = slot;
    }
}

static void tear(struct fuzz_input *input)
{
    static void (*const ways[])(struct fuzz_input *) = {tear_header, tear_control, tear_process, tear_thread,
                                                        tear_page,   tear_run,     tear_slab,    tear_block};
    ways[fuzz_byte(input) % (sizeof ways / sizeof *ways)](input);
}

/* ---- what has to hold -------------------------------------------------------------------------------------------- */

static bool is_block(uint64_t offset)
{
    for (unsigned i = 0; i < block_count; i++)
        if (blocks[i].offset == offset) return true;
    return false;
}

/* Nothing that is no block looks like one: somebody may ask for any number. */
static void check_refs(void)
{
    uint64_t start = offset_of(0), end = offset_of(mp__header()->heap.top);
    for (uint64_t offset = start; offset < end; offset += MP__PAGE_SIZE / 2)
        if (!is_block(offset)) FUZZ_CHECK(mp__heap_ref(offset) == 0 || mp__heap_ref(offset) == DEAD);
    for (unsigned i = 0; i < block_count; i++)
        for (uint64_t inside = 64; inside < blocks[i].size; inside += inside < 512 ? 64 : 32768)
            FUZZ_CHECK(is_block(blocks[i].offset + inside) || mp__heap_ref(blocks[i].offset + inside) == 0 ||
                       mp__heap_ref(blocks[i].offset + inside) == DEAD);
}

/* Runs follow each other, no two free ones, and each free one is in its list. */
static void check_runs(void)
{
    const struct mp__heap *heap = &mp__header()->heap;
    uint32_t free_runs = 0, listed = 0;
    bool before = false;
    mp__arena_lock();
    for (uint32_t page = 0; page < heap->top; page += page_at(page)->run) {
        const struct mp__page *first = page_at(page);
        FUZZ_CHECK(first->run && first->run <= heap->top - page);
        const struct mp__page *last = page_at(page + first->run - 1);
        bool free = first->state == MP__PAGE_FREE;
        FUZZ_CHECK(!(free && before));
        FUZZ_CHECK(first->state == last->state && first->run == last->run && (free ? !first->ref : true));
        before = free;
        free_runs += free;
    }
    for (int bin = 0; bin < MP__HEAP_BINS; bin++)
        for (uint32_t next = heap->bins[bin]; next; next = page_at(next - 1)->next, listed++)
            FUZZ_CHECK(listed <= free_runs && page_at(next - 1)->state == MP__PAGE_FREE &&
                       page_at(next - 1)->run >> bin == 1);
    FUZZ_CHECK(listed == free_runs);
    mp__arena_unlock();
}

static void check_controls(void)
{
    mp__arena_lock();
    const struct mp__header *header = mp__header();
    uint32_t steps = 0;
    for (uint32_t index = header->free_controls; index; steps++) {
        FUZZ_CHECK(index < header->controls_top && steps < header->controls_top);
        const struct mp__control *control = mp__control_indexed(index);
        FUZZ_CHECK(!(mp__generation_of(control->state) & 1));
        index = control->next;
    }
    mp__arena_unlock();
    for (unsigned i = 0; i < lock_count; i++) FUZZ_CHECK(strcmp(mp_handle_kind(MP_HANDLE(locks[i])), "lock") == 0);
}

static void check(void)
{
    check_runs();
    check_controls();
    check_blocks();
    check_refs();
}

/* One that dies in its midst is followed by another one: what is derived may be torn again. */
static void repair(struct fuzz_input *input)
{
    mp__arena_lock();
    unsigned often = fuzz_byte(input) % OFTEN;
    for (unsigned i = 0; i < often && fuzz_left(input); i++) tear(input);
    mp__repair();
    mp__arena_unlock();
}

/* Any number at all may be asked for. */
static void ask(struct fuzz_input *input)
{
    uint64_t number = fuzz_word(input), size;
    if (fuzz_byte(input) & 1) number %= 2 * offset_of(mp__header()->heap.top);
    if (!is_block(number)) FUZZ_CHECK(mp__heap_ref(number) == 0 || mp__heap_ref(number) == DEAD);
    (void)mp__arena_word(number);
    (void)mp__heap_at(number, number >> 40);
    (void)mp__message_at(number, &size);
    (void)mp__process_of(number);
    (void)mp__process_at((uint32_t)number);
    (void)mp__thread_at((uint32_t)number);
    (void)mp__thread_is_dead((uint32_t)number, true);
    (void)mp__control_is_over(number);
}

static void recover(struct fuzz_input *input)
{
    mp__arena_lock();
    for (unsigned often = fuzz_byte(input) % 8; often && fuzz_left(input); often--) leave_something(input);
    mp__arena_unlock();
    mp__recover_process(DEAD);
}

/* The heap as it was at first, so that each input finds the same. */
static void begin_anew(void)
{
    struct mp__heap *heap = &mp__header()->heap;
    FUZZ_CHECK(heap->blocks == 0);
    for (uint32_t page = 0; page_at(page); page++) {
        struct mp__page *record = page_at(page);
        *record = (struct mp__page){.dirty = record->dirty, .backed = record->backed};
        if (page > heap->top + 64) break;
    }
    heap->top = 0;
    memset(heap->bins, 0, sizeof heap->bins);
    memset(heap->slabs, 0, sizeof heap->slabs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_begin(data, size);
    FUZZ_CHECK(mp__thread_join() == 0);
    fuzz_check_balance();
    begin_anew();
    block_count = lock_count = 0;
    for (int round = 0; round < 3 && fuzz_left(&input); round++) {
        for (unsigned often = fuzz_byte(&input) % OFTEN; often && fuzz_left(&input); often--) make(&input);
        repair(&input);
        check();
        for (unsigned often = fuzz_byte(&input) % 8; often && fuzz_left(&input); often--) ask(&input);
        recover(&input);
        check();
    }
    for (unsigned i = 0; i < 4; i++) make(&input);
    check();
    while (block_count) mp__heap_free(blocks[--block_count].offset);
    while (lock_count) FUZZ_CHECK(mp_lock_destroy(locks[--lock_count]) == 0);
    fuzz_check_balance();
    return 0;
}
