/* SPDX-License-Identifier: MIT
 *
 * array.c - Array.
 */
#include "base/error.h"
#include "primitives/data.h"

int mp_array_create(mp_array *array, size_t length, size_t item_size, const mp_shared_options *options)
{
    if (!array || !item_size)
        return mp__fail(MP_EINVAL, "mp_array_create: %s", array ? "item_size is 0" : "array is NULL");
    if (length > SIZE_MAX / item_size) return mp__fail(MP_EINVAL, "mp_array_create: length * item_size overflows");
    uint64_t id;
    int result = mp__data_create("mp_array_create", MP__ARRAY, (uint64_t)length * item_size, item_size, options, &id);
    if (result == 0) array->id = id;
    return result;
}

void *mp_array_data(mp_array array, size_t item_size)
{
    struct mp__data data;
    if (!mp__data_read("mp_array_data", array.id, MP__ARRAY, &data)) return NULL;
    if (data.item_size == item_size) return mp__data_at(&data);
    (void)mp__fail(MP_EINVAL, "mp_array_data: the items have %llu bytes, not %llu", (unsigned long long)data.item_size,
                   (unsigned long long)item_size);
    return NULL;
}

size_t mp_array_length(mp_array array)
{
    struct mp__data data;
    return mp__data_read("mp_array_length", array.id, MP__ARRAY, &data) ? (size_t)(data.size / data.item_size) : 0;
}

size_t mp_array_item_size(mp_array array)
{
    struct mp__data data;
    return mp__data_read("mp_array_item_size", array.id, MP__ARRAY, &data) ? (size_t)data.item_size : 0;
}

mp_rlock mp_array_get_lock(mp_array array)
{
    struct mp__data data;
    return (mp_rlock){mp__data_read("mp_array_get_lock", array.id, MP__ARRAY, &data) ? data.lock : 0};
}

int mp_array_destroy(mp_array array)
{
    return mp__data_destroy("mp_array_destroy", array.id, MP__ARRAY);
}
