/* SPDX-License-Identifier: MIT
 *
 * block.c - blocks of shared memory.
 */
#include "base/error.h"
#include "base/heap.h"
#include "primitives/data.h"

int mp_block_create(mp_block *block, size_t size)
{
    if (!block || !size) return mp__fail(MP_EINVAL, "mp_block_create: %s", block ? "size is 0" : "block is NULL");
    uint64_t id;
    int result = mp__data_create("mp_block_create", MP__BLOCK, size, size, NULL, &id);
    if (result == 0) block->id = id;
    return result;
}

void *mp_block_data(mp_block block)
{
    struct mp__data data;
    return mp__data_read("mp_block_data", block.id, MP__BLOCK, &data) ? mp__data_at(&data) : NULL;
}

size_t mp_block_size(mp_block block)
{
    struct mp__data data;
    return mp__data_read("mp_block_size", block.id, MP__BLOCK, &data) ? (size_t)data.size : 0;
}

mp_block mp_block_of(const void *data)
{
    const struct mp__header *header = mp__header();
    uint64_t offset = header ? (uint64_t)((uintptr_t)data - (uintptr_t)header) : 0;
    uint64_t id = header && offset < header->size ? mp__heap_ref(offset) : 0;
    if (id && mp__control_of(id, MP__BLOCK)) return (mp_block){id};
    (void)mp__fail(MP_EBADHANDLE, "mp_block_of: no block begins at %p", data);
    return (mp_block){0};
}

int mp_block_destroy(mp_block block)
{
    return mp__data_destroy("mp_block_destroy", block.id, MP__BLOCK);
}
