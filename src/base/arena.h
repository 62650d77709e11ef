/* SPDX-License-Identifier: MIT
 *
 * arena.h - the family's shared memory, as this process sees it.
 */
#ifndef MP_BASE_ARENA_H
#define MP_BASE_ARENA_H

#include "base/layout.h"
#include <mp/error.h>

/* Where the arena is in this process. Written when it is founded or joined; A1: `header` is stored last, with release,
 * and controls_mapped leaves 0 only after that, with release: who has loaded either with acquire may read the rest. */
struct mp__arena {
    _Atomic(struct mp__header *) header; /* the base, too; NULL: this process has no family yet */
    _Atomic uint64_t handle_tag;         /* as it stands in handles: bits 24 to 31 */
    _Atomic uint32_t controls_mapped;    /* number; grows only */
    char *controls, *controls_rest;      /* where control 0 lies, or would: of those in the head, and of the others */
    _Atomic uint64_t mapped[MP__REGION_COUNT]; /* bytes */
    mp_os_segment segment;
};
extern struct mp__arena mp__arena;

static inline struct mp__header *mp__header(void)
{
    return atomic_load_explicit(&mp__arena.header, memory_order_acquire);
}

/* 0 until there is a family. */
static inline uint64_t mp__handle_tag(void)
{
    return atomic_load_explicit(&mp__arena.handle_tag, memory_order_relaxed);
}

/* Be a member of a family: found one, if there is none. 0, or why not (mp_error_detail is set). */
int mp__arena_join(void);
/* Become a member of the family that a launched child was handed; 0, or an error (detail set): it is none, or another one's.
 * Whatever the descriptor names may be asked. */
int mp__arena_adopt(intptr_t segment, uint64_t nonce);
/* Limits of the family to be founded. MP_EBUSY if there is one. */
int mp__arena_configure(const mp_config *config);

/* The address of an item of a region in this process, mapped if need be; NULL if it lies beyond what is committed, or
 * if it can not be mapped. */
void *mp__arena_at(enum mp__region_name region, uint64_t offset, uint64_t size);
/* The word that lies so many bytes behind the header's beginning, in any region. NULL likewise, or if there is none. */
_Atomic uint32_t *mp__arena_word(uint64_t place);
/* Make memory below `bytes` of a region usable; the arena's lock is held. 0, MP_ENOMEM or MP_ELIMIT. */
int mp__arena_grow(enum mp__region_name region, uint64_t bytes);

/* The lock of all that is not lock-free in the arena: tables, heap. Held for a short time only, by no more than one
 * level. Should its owner die, the next one puts right what was half done: repair.h. */
void mp__arena_lock(void);
void mp__arena_unlock(void);

/* This process is a copy, made by fork: what another thread was doing here while that happened, nobody does any more.
 */
void mp__arena_forked(void);

#endif
