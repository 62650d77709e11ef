/* SPDX-License-Identifier: MIT
 *
 * heap.h - the allocator of the arena.
 */
#ifndef MP_BASE_HEAP_H
#define MP_BASE_HEAP_H

#include "base/arena.h"

/* The most that one block can have. */
uint64_t mp__heap_limit(void);

/* Allocate zeroed bytes, aligned to 64. `ref` says whose they are, and can be asked of the address later: the id of an
 * object, or MP__HEAP_MINE: this process's, until mp__heap_set_ref gives them to one, and free should it die before; or
 * MP__HEAP_NOBODYS. 0 and *offset in the arena (never 0), or MP_ENOMEM (no detail set). The caller has joined a family. */
#define MP__HEAP_MINE    UINT64_C(0)
#define MP__HEAP_NOBODYS ((UINT64_C(1) << 32) | 1) /* no id has the tag 0 */
#define MP__HEAP_JANITOR ((UINT64_C(1) << 32) | 2)
int mp__heap_alloc(uint64_t size, uint64_t ref, uint64_t *offset);
void mp__heap_free(uint64_t offset);
/* This process is the janitor: what it is about to free is MP__HEAP_JANITOR's, and what its predecessor was it frees now. */
void mp__heap_be_janitor(void);
/* Free what was a dead process's, and no object's yet or any more. */
void mp__heap_sweep(uint64_t process);

/* What an allocated block is for; 0 if none begins there. Any number at all may be asked. */
uint64_t mp__heap_ref(uint64_t offset);
void mp__heap_set_ref(uint64_t offset, uint64_t ref);
/* Likewise, with the arena's lock held. */
uint64_t mp__heap_ref_locked(uint64_t offset);
void mp__heap_set_ref_locked(uint64_t offset, uint64_t ref);

/* Where it lies in this process; NULL if it can not be mapped. */
void *mp__heap_at(uint64_t offset, uint64_t size);

/* The same, of a block that exists: without a call where it is mapped already. */
static inline void *mp__heap_near(uint64_t offset, uint64_t size)
{
    uint64_t mapped = atomic_load_explicit(&mp__arena.mapped[MP__REGION_HEAP], memory_order_acquire);
    return offset - MP__HEAD_SIZE + size <= mapped ? (char *)mp__header() + offset : mp__heap_at(offset, size);
}

/* Bytes and blocks in use, and the memory of all of the arena. */
void mp__heap_count(uint64_t *bytes, uint64_t *blocks, uint64_t *reserved);

#endif
