/* SPDX-License-Identifier: MIT
 *
 * control.h - control blocks, and the handles that name them.
 *
 *     handle   63            32 31   24 23        0
 *              | generation    | tag   | index    |      tag: of the arena, so that another one's handle is noticed
 */
#ifndef MP_BASE_CONTROL_H
#define MP_BASE_CONTROL_H

#include "base/arena.h"

/* The rarer half of a function: not to be part of the other one, which is quicker without. */
#if defined(__GNUC__)
#define MP__RARELY __attribute__((noinline, cold))
#else
#define MP__RARELY
#endif

/* In the word of a lock, a semaphore and an event: somebody may sleep on it. */
#define MP__WAITERS UINT32_C(0x80000000)

#define MP__INDEX_BITS 24
#define MP__INDEX_MASK ((UINT64_C(1) << MP__INDEX_BITS) - 1)
#define MP__TAG_MASK   (UINT64_C(0xff) << MP__INDEX_BITS)

static inline uint32_t mp__generation_of(uint64_t id_or_state)
{
    return (uint32_t)(id_or_state >> 32);
}

/* The state of what an id names, with the word 0. */
static inline uint64_t mp__state_of(uint64_t id)
{
    return id & ~UINT64_C(0xffffffff);
}

#define MP__HEAD_CONTROLS (MP_OS_GRANULARITY / sizeof(struct mp__control))

/* Where a control block lies, if it is one of the `controls_mapped`. */
static inline struct mp__control *mp__control_at(uint64_t index)
{
    char *first = index < MP__HEAD_CONTROLS ? mp__arena.controls : mp__arena.controls_rest;
    return (struct mp__control *)(void *)(first + index * sizeof(struct mp__control));
}

/* The control block that an id names if it is of that type; mapped if need be. NULL if it is not; no error text is set.
 * It may be destroyed the moment after: whoever changes its state does so by compare-and-swap with the id's generation,
 * whoever reads from it looks at the generation again afterwards (mp__control_alive). */
struct mp__control *mp__control_find(uint64_t id, enum mp__type type);

static inline bool mp__control_alive(const struct mp__control *control, uint64_t id)
{
    return mp__generation_of(atomic_load_explicit(&control->state, memory_order_acquire)) == mp__generation_of(id);
}

/* Where an id points to, if it could be alive and of that type: for who goes on with a compare-and-swap of the whole
 * state. NULL: look again with mp__control_of. */
static inline struct mp__control *mp__control_near(uint64_t id, enum mp__type type)
{
    uint32_t mapped = atomic_load_explicit(&mp__arena.controls_mapped, memory_order_acquire); /* A1 */
    uint32_t index = (uint32_t)id - (uint32_t)mp__handle_tag(); /* another tag makes it large */
    if (index >= mapped || !(mp__generation_of(id) & 1)) return NULL;
    struct mp__control *control = mp__control_at(index);
    return atomic_load_explicit(&control->type, memory_order_relaxed) == (uint32_t)type ? control : NULL;
}

/* The same, without a call where the block is mapped already. */
static inline struct mp__control *mp__control_of(uint64_t id, enum mp__type type)
{
    uint64_t index = id & MP__INDEX_MASK;
    if (index >= atomic_load_explicit(&mp__arena.controls_mapped, memory_order_acquire) || /* A1 */
        (id & MP__TAG_MASK) != mp__handle_tag())
        return mp__control_find(id, type);
    struct mp__control *control = mp__control_at(index);
    /* C1 acquire: everything that creation wrote is visible. An id with an even generation names nothing. */
    uint64_t state = atomic_load_explicit(&control->state, memory_order_acquire);
    if (mp__generation_of(state) != mp__generation_of(id) || !(mp__generation_of(id) & 1)) return NULL;
    return atomic_load_explicit(&control->type, memory_order_relaxed) == (uint32_t)type ? control : NULL;
}

/* Likewise, of whatever type. */
struct mp__control *mp__control_any(uint64_t id);
/* Whether it names nothing, any more or ever, for certain: not if that can not be mapped. */
bool mp__control_is_over(uint64_t id);
/* The one of that index, alive or not. NULL if it can not be mapped. */
struct mp__control *mp__control_indexed(uint64_t index);

/* Take a free control block. `fill` writes what it shall contain before it comes alive, while the arena's lock is held;
 * NULL: all zero. 0 and *id, or MP_ENOMEM, MP_ELIMIT (mp_error_detail is set). */
int mp__control_create(enum mp__type type, const char *name, void (*fill)(struct mp__control *, const void *),
                       const void *with, uint64_t *id);

/* End the life of what an id names: only one caller of all succeeds, and gets what it contained in *last (may be NULL).
 * Who sleeps on it is woken. 0 or MP_EBADHANDLE (no detail set). The block is free for others when this returns. */
int mp__control_destroy(uint64_t id, enum mp__type type, struct mp__control *last);
/* Likewise; `before` is called under the same lock, to write down that what belongs to it is this process's, should that
 * die then (mp__recover_process). */
int mp__control_destroy_with(uint64_t id, enum mp__type type, struct mp__control *last,
                             void (*before)(const struct mp__control *));
/* Both with the arena's lock held, and the latter without detail. */
int mp__control_take(enum mp__type type, const char *name, uint64_t creator,
                     void (*fill)(struct mp__control *, const void *), const void *with, uint64_t *id);
void mp__control_retire(uint64_t id, enum mp__type type);

/* The name of a type: "lock". */
const char *mp__type_name(enum mp__type type);

#endif
