/* SPDX-License-Identifier: MIT
 *
 * data.c - what values, arrays and blocks have in common.
 */
#include "primitives/data.h"
#include "base/error.h"
#include "base/heap.h"
#include "primitives/rlock.h"

#include <inttypes.h>

static void fill(struct mp__control *control, const void *with)
{
    const struct mp__data *data = with;
    control->as.data.offset = data->offset;
    control->as.data.size = data->size;
    control->as.data.item_size = data->item_size;
    control->as.data.lock = data->lock;
    control->as.data.own_lock = data->own_lock;
}

/* What belongs to one that is about to be destroyed is this process's to free. */
static void take_over(const struct mp__control *control)
{
    if (control->as.data.offset) mp__heap_set_ref_locked(control->as.data.offset, MP__HEAP_MINE);
    if (control->as.data.own_lock) mp__rlock_part_is_made((mp_rlock){control->as.data.lock}, false);
}

/* The lock it shall have: none, that of the options, or a new one. */
static int lock_choose(const char *call, enum mp__type type, const mp_shared_options *options, struct mp__data *data)
{
    uint64_t given = options ? options->lock.id : 0;
    bool raw = type == MP__BLOCK || (options && options->raw);
    if (given && raw) return mp__fail(MP_EINVAL, "%s: raw means no lock, and a lock is given", call);
    if (given && !mp__control_of(given, MP__RLOCK) && !mp__control_of(given, MP__LOCK))
        return mp__fail_handle(call, given, "rlock");
    data->lock = given;
    if (given || raw) return 0;
    mp_rlock rlock;
    int result = mp__rlock_create_part(&rlock, options ? options->name : NULL);
    if (result < 0) return result;
    data->lock = rlock.id;
    data->own_lock = true;
    return 0;
}

int mp__data_create(const char *call, enum mp__type type, uint64_t size, uint64_t item_size,
                    const mp_shared_options *options, uint64_t *id)
{
    int result = mp__arena_join();
    if (result < 0) return result;
    if (size > mp__heap_limit())
        return mp__fail(MP_EINVAL,
                        "%s: %" PRIu64 " bytes are more than the arena can have (%" PRIu64 "); see mp_configure", call,
                        size, mp__heap_limit());
    struct mp__data data = {.size = size, .item_size = item_size};
    result = lock_choose(call, type, options, &data);
    if (result < 0) return result;
    /* MP__BLOCK alone needs the way back from an address; its ref becomes the id as soon as there is one. */
    if (size && mp__heap_alloc(size, MP__HEAP_MINE, &data.offset) < 0)
        result = mp__fail(MP_ENOMEM, "%s: the arena or the machine has not %" PRIu64 " bytes more", call, size);
    if (result == 0) result = mp__control_create(type, options ? options->name : NULL, fill, &data, id);
    if (result < 0) {
        if (data.offset) mp__heap_free(data.offset);
        if (data.own_lock) (void)mp__rlock_destroy_part((mp_rlock){data.lock});
        return result;
    }
    if (data.offset) mp__heap_set_ref(data.offset, *id);
    if (data.own_lock) mp__rlock_part_is_made((mp_rlock){data.lock}, true);
    return 0;
}

bool mp__data_read(const char *call, uint64_t id, enum mp__type type, struct mp__data *data)
{
    const struct mp__control *control = mp__control_of(id, type);
    if (control) {
        *data = (struct mp__data){.offset = control->as.data.offset,
                                  .size = control->as.data.size,
                                  .item_size = control->as.data.item_size,
                                  .lock = control->as.data.lock,
                                  .own_lock = control->as.data.own_lock};
        atomic_thread_fence(memory_order_acquire);
        if (mp__control_alive(control, id)) return true;
    }
    (void)mp__fail_handle(call, id, mp__type_name(type));
    return false;
}

void *mp__data_at(const struct mp__data *data)
{
    /* Nothing in an array of length 0 is ever read: any address will do. */
    return data->offset ? mp__heap_at(data->offset, data->size) : (void *)mp__header();
}

int mp__data_destroy(const char *call, uint64_t id, enum mp__type type)
{
    struct mp__control last;
    if (mp__control_destroy_with(id, type, &last, take_over) < 0) return mp__fail_handle(call, id, mp__type_name(type));
    if (last.as.data.offset) mp__heap_free(last.as.data.offset);
    if (last.as.data.own_lock) (void)mp__rlock_destroy_part((mp_rlock){last.as.data.lock});
    return 0;
}
