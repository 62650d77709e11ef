/* SPDX-License-Identifier: MIT
 *
 * peek.c - places in an arena that is not mapped.
 */
#include "tools/family.h"

bool top_peek(const struct top_peek *peek, enum mp__region_name name, uint64_t offset, void *buffer, size_t size)
{
    const struct top_region *region = &peek->family->regions[name];
    if (offset > region->committed || size > region->committed - offset) return false;
    char *at = buffer;
    if (offset < region->first) {
        size_t part = region->first - offset < size ? (size_t)(region->first - offset) : size;
        if (!mp_os_view_read(peek->view, region->offset + offset, at, part)) return false;
        at += part;
        offset += part;
        size -= part;
    }
    return size == 0 || mp_os_view_read(peek->view, region->rest + (offset - region->first), at, size);
}

enum mp__region_name top_region_of(const struct top_family *family, uint64_t place, uint64_t *offset)
{
    for (int name = 0; name < MP__REGION_COUNT; name++) {
        const struct top_region *region = &family->regions[name];
        if (place - region->offset < region->first)
            *offset = place - region->offset;
        else if (place - region->rest < region->limit - region->first)
            *offset = place - region->rest + region->first;
        else
            continue;
        return (enum mp__region_name)name;
    }
    return MP__REGION_COUNT;
}

bool top_peek_at(const struct top_peek *peek, uint64_t place, void *buffer, size_t size)
{
    uint64_t offset = 0;
    enum mp__region_name name = top_region_of(peek->family, place, &offset);
    return name != MP__REGION_COUNT && top_peek(peek, name, offset, buffer, size);
}
