/* SPDX-License-Identifier: MIT
 *
 * heap.h - the allocator of the arena.
 */
#ifndef MP_BASE_HEAP_H
#define MP_BASE_HEAP_H

#include "base/arena.h"

/* The most that one block can have. */
uint64_t mp__heap_limit(void);

/* Allocate zeroed bytes, aligned to 64. `ref` says what for (the id of its object; not 0) and can be asked of the
 * address later. 0 and *offset in the arena (never 0), or MP_ENOMEM (no detail set). The caller has joined a family. */
int mp__heap_alloc(uint64_t size, uint64_t ref, uint64_t *offset);
void mp__heap_free(uint64_t offset);

/* What an allocated block is for; 0 if none begins there. Any number at all may be asked. */
uint64_t mp__heap_ref(uint64_t offset);
void mp__heap_set_ref(uint64_t offset, uint64_t ref);

/* Where it lies in this process; NULL if it can not be mapped. */
void *mp__heap_at(uint64_t offset, uint64_t size);

/* Bytes and blocks in use, and the memory of all of the arena. */
void mp__heap_count(uint64_t *bytes, uint64_t *blocks, uint64_t *reserved);

#endif
