/* SPDX-License-Identifier: MIT
 *
 * value.c - Value.
 */
#include "base/error.h"
#include "primitives/data.h"

int mp_value_create(mp_value *value, size_t size, const mp_shared_options *options)
{
    if (!value || !size) return mp__fail(MP_EINVAL, "mp_value_create: %s", value ? "size is 0" : "value is NULL");
    uint64_t id;
    int result = mp__data_create("mp_value_create", MP__VALUE, size, size, options, &id);
    if (result == 0) value->id = id;
    return result;
}

void *mp_value_data(mp_value value, size_t size)
{
    struct mp__data data;
    if (!mp__data_read("mp_value_data", value.id, MP__VALUE, &data)) return NULL;
    if (data.size == size) return mp__data_at(&data);
    (void)mp__fail(MP_EINVAL, "mp_value_data: the value has %llu bytes, not %llu", (unsigned long long)data.size,
                   (unsigned long long)size);
    return NULL;
}

size_t mp_value_size(mp_value value)
{
    struct mp__data data;
    return mp__data_read("mp_value_size", value.id, MP__VALUE, &data) ? (size_t)data.size : 0;
}

mp_rlock mp_value_get_lock(mp_value value)
{
    struct mp__data data;
    return (mp_rlock){mp__data_read("mp_value_get_lock", value.id, MP__VALUE, &data) ? data.lock : 0};
}

int mp_value_destroy(mp_value value)
{
    return mp__data_destroy("mp_value_destroy", value.id, MP__VALUE);
}
