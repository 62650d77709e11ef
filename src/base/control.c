/* SPDX-License-Identifier: MIT
 *
 * control.c - control blocks: taking, finding and retiring them.
 */
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/lockword.h"
#include "base/park.h"
#include "base/repair.h"
#include "base/thread.h"
#include "base/watch.h"

#include <inttypes.h>
#include <mp/handle.h>
#include <string.h>

const char *mp__type_name(enum mp__type type)
{
    static const char *const names[MP__TYPE_COUNT] = {[MP__PROCESS] = "process",
                                                      [MP__LOCK] = "lock",
                                                      [MP__RLOCK] = "rlock",
                                                      [MP__SEMAPHORE] = "semaphore",
                                                      [MP__OWNED_SEMAPHORE] = "semaphore",
                                                      [MP__CONDITION] = "condition",
                                                      [MP__EVENT] = "event",
                                                      [MP__BARRIER] = "barrier",
                                                      [MP__VALUE] = "value",
                                                      [MP__ARRAY] = "array",
                                                      [MP__BLOCK] = "block",
                                                      [MP__MESSAGE] = "message",
                                                      [MP__QUEUE] = "queue",
                                                      [MP__CONNECTION] = "connection",
                                                      [MP__POOL] = "pool",
                                                      [MP__RESULT] = "result"};
    return names[type];
}

struct mp__control *mp__control_indexed(uint64_t index)
{
    return mp__arena_at(MP__REGION_CONTROLS, index * sizeof(struct mp__control), sizeof(struct mp__control));
}

struct mp__control *mp__control_any(uint64_t id)
{
    uint64_t index = id & MP__INDEX_MASK;
    if (!index || !mp__header() || (id & MP__TAG_MASK) != mp__handle_tag() || !(mp__generation_of(id) & 1)) return NULL;
    struct mp__control *control = mp__control_indexed(index);
    return control && mp__control_alive(control, id) ? control : NULL;
}

bool mp__control_is_over(uint64_t id)
{
    const struct mp__region *table = &mp__header()->regions[MP__REGION_CONTROLS];
    uint64_t index = id & MP__INDEX_MASK, end = (index + 1) * sizeof(struct mp__control);
    if (!index || (id & MP__TAG_MASK) != mp__handle_tag() || !(mp__generation_of(id) & 1) ||
        end > atomic_load_explicit(&table->committed, memory_order_acquire)) /* L1 */
        return true;
    const struct mp__control *control = mp__control_indexed(index);
    return control && !mp__control_alive(control, id);
}

struct mp__control *mp__control_find(uint64_t id, enum mp__type type)
{
    struct mp__control *control = mp__control_any(id);
    return control && atomic_load_explicit(&control->type, memory_order_relaxed) == (uint32_t)type ? control : NULL;
}

const char *mp_handle_kind(mp_handle handle)
{
    const struct mp__control *control = mp__control_any(handle.id);
    return control ? mp__type_name((enum mp__type)atomic_load_explicit(&control->type, memory_order_relaxed)) : NULL;
}

/* One that was used before, or the next fresh one. */
static int take_free(uint32_t *index, struct mp__control **control)
{
    struct mp__header *header = mp__header();
    bool fresh = !header->free_controls;
    uint32_t wanted = fresh ? header->controls_top : header->free_controls;
    if (fresh) {
        if (wanted > MP__INDEX_MASK) return MP_ELIMIT;
        int result = mp__arena_grow(MP__REGION_CONTROLS, (uint64_t)(wanted + 1) * sizeof **control);
        if (result < 0) return result;
    }
    *control = mp__control_indexed(wanted);
    if (!*control) return MP_ENOMEM;
    if (fresh)
        header->controls_top++;
    else
        header->free_controls = (*control)->next;
    *index = wanted;
    return 0;
}

/* The last generation; there is no other after it. */
static bool used_up(uint64_t state)
{
    return mp__generation_of(state) == UINT32_MAX - 1;
}

#define NAME_WORDS (MP__NAME_SIZE / sizeof(uint64_t))

static void name_set(struct mp__control *control, const char *name)
{
    uint64_t words[NAME_WORDS] = {0};
    if (name) memcpy(words, name, strnlen(name, sizeof words - 1));
    _Atomic uint64_t *at = (_Atomic uint64_t *)(void *)control->name;
    for (size_t i = 0; i < NAME_WORDS; i++) atomic_store_explicit(&at[i], words[i], memory_order_relaxed);
}

/* Word by word: who comes late may be looking, or changing something. */
static void copy(struct mp__control *to, struct mp__control *from)
{
    _Atomic uint64_t *in = (_Atomic uint64_t *)(void *)from, *out = (_Atomic uint64_t *)(void *)to;
    for (size_t i = 0; i < sizeof *from / sizeof *in; i++)
        atomic_store_explicit(&out[i], atomic_load_explicit(&in[i], memory_order_relaxed), memory_order_relaxed);
}

int mp__control_take(enum mp__type type, const char *name, uint64_t creator,
                     void (*fill)(struct mp__control *, const void *), const void *with, uint64_t *id)
{
    struct mp__control *control;
    uint32_t index;
    int result = take_free(&index, &control);
    if (result < 0) return result;
    atomic_store_explicit(&control->creator, creator, memory_order_relaxed);
    atomic_store_explicit(&control->held, 0, memory_order_relaxed);
    atomic_store_explicit(&control->holders, 0, memory_order_relaxed);
    /* Who has the handle of what was here may look at the same moment, and finds the generation changed then. */
    for (size_t i = 0; i < sizeof control->as / sizeof *control->as.all; i++)
        atomic_store_explicit(&control->as.all[i], 0, memory_order_relaxed);
    name_set(control, name);
    uint64_t state = atomic_load_explicit(&control->state, memory_order_relaxed);
    atomic_store_explicit(&control->state, state & ~UINT64_C(0xffffffff), memory_order_relaxed);
    if (fill) fill(control, with); /* the word, too, if it shall not be 0 */
    atomic_store_explicit(&control->type, (uint32_t)type, memory_order_relaxed);
    state = atomic_load_explicit(&control->state, memory_order_relaxed) + (UINT64_C(1) << 32);
    atomic_store_explicit(&control->state, state, memory_order_release); /* C1: it is alive, and complete */
    mp__header()->counts[type]++;
    *id = state >> 32 << 32 | mp__handle_tag() | index;
    return 0;
}

int mp__control_create(enum mp__type type, const char *name, void (*fill)(struct mp__control *, const void *),
                       const void *with, uint64_t *id)
{
    int result = mp__arena_join();
    if (result < 0) return result;
    uint64_t creator = type == MP__PROCESS ? 0 : mp__family_self();
    mp__arena_lock();
    result = mp__control_take(type, name, creator, fill, with, id);
    mp__arena_unlock();
    if (result == MP_ELIMIT)
        return mp__fail(result,
                        "this family has room for %" PRIu64
                        " objects, and has them: a larger arena has room for more (mp_configure)",
                        mp__header()->regions[MP__REGION_CONTROLS].limit / sizeof(struct mp__control) - 1);
    if (result < 0) return mp__fail(result, "no memory for another %s", mp__type_name(type));
    return 0;
}

/* Its state, and its place in the list, are all that it is now. False: it is destroyed already. */
static bool give_back(struct mp__control *control, uint64_t id, enum mp__type type, uint64_t *state)
{
    uint64_t dead = (uint64_t)(mp__generation_of(id) + 1) << 32;
    *state = atomic_load_explicit(&control->state, memory_order_relaxed);
    do {
        if (mp__generation_of(*state) != mp__generation_of(id)) return false;
    } while (!atomic_compare_exchange_weak_explicit(&control->state, state, dead, memory_order_acq_rel,
                                                    memory_order_relaxed));
    atomic_store_explicit(&control->type, MP__FREE, memory_order_relaxed);
    struct mp__header *header = mp__header();
    header->counts[type]--;
    if (!used_up(dead)) {
        control->next = header->free_controls;
        header->free_controls = (uint32_t)(id & MP__INDEX_MASK);
    }
    return true;
}

/* The arena's lock is held. */
static bool retire(struct mp__control *control, uint64_t id, enum mp__type type, uint64_t *state)
{
    if (!give_back(control, id, type, state)) return false;
    /* Those behind other holders are its object's, and of sides there are none. */
    if (type == MP__HOLDERS || type == MP__PUT_SIDE || type == MP__GET_SIDE) return true;
    uint64_t holders = atomic_load_explicit(&control->holders, memory_order_relaxed), any;
    for (struct mp__control *block; (block = mp__control_of(holders, MP__HOLDERS)) != NULL;) {
        uint64_t next = atomic_load_explicit(&block->holders, memory_order_relaxed);
        (void)give_back(block, holders, MP__HOLDERS, &any);
        holders = next;
    }
    return true;
}

/* Of a semaphore the state does not always say that somebody sleeps: N1. */
static void wake_all(struct mp__control *control, uint64_t id, enum mp__type type, uint64_t state)
{
    if (state & MP__WAITERS || type == MP__SEMAPHORE) (void)mp__park_wake(&control->state, UINT32_MAX);
    if (type == MP__CONDITION || type == MP__BARRIER || type == MP__OWNED_SEMAPHORE)
        (void)mp__waiters_tell(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
    if (type == MP__EVENT || type == MP__RESULT || type == MP__SEMAPHORE || type == MP__OWNED_SEMAPHORE)
        mp__watch_tell(mp__word_of(&control->state));
}

int mp__control_destroy_with(uint64_t id, enum mp__type type, struct mp__control *last,
                             void (*before)(const struct mp__control *))
{
    struct mp__control *control = mp__control_of(id, type);
    if (!control) return MP_EBADHANDLE;
    uint64_t state;
    mp__thread_intend(mp__word_of(&control->state));
    mp__arena_lock();
    if (before && mp__control_alive(control, id)) before(control);
    bool mine = retire(control, id, type, &state);
    if (mine && last) copy(last, control);
    mp__arena_unlock();
    if (mine) wake_all(control, id, type, state);
    mp__waiters_call();
    mp__thread_done();
    return mine ? 0 : MP_EBADHANDLE;
}

int mp__control_destroy(uint64_t id, enum mp__type type, struct mp__control *last)
{
    return mp__control_destroy_with(id, type, last, NULL);
}

void mp__control_retire(uint64_t id, enum mp__type type)
{
    struct mp__control *control = mp__control_of(id, type);
    uint64_t state;
    if (control && retire(control, id, type, &state)) wake_all(control, id, type, state);
}

void mp__control_repair(void)
{
    struct mp__header *header = mp__header();
    memset(header->counts, 0, sizeof header->counts);
    header->free_controls = 0;
    for (uint32_t index = header->controls_top; --index > 0;) {
        struct mp__control *control = mp__control_indexed(index);
        if (!control) continue;
        uint64_t state = atomic_load_explicit(&control->state, memory_order_relaxed);
        if (mp__generation_of(state) & 1) {
            header->counts[atomic_load_explicit(&control->type, memory_order_relaxed)]++;
        } else if (!used_up(state)) {
            atomic_store_explicit(&control->type, MP__FREE, memory_order_relaxed);
            control->next = header->free_controls;
            header->free_controls = index;
        }
    }
}
