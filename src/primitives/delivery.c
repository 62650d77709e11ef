/* SPDX-License-Identifier: MIT
 *
 * delivery.c - target, arguments and setting on their way to a child.
 */
#include "primitives/delivery.h"
#include "base/error.h"
#include "base/heap.h"

#include <inttypes.h>
#include <string.h>

static uint64_t align(uint64_t size)
{
    return (size + 63) / 64 * 64;
}

int mp__delivery_create(struct mp__process *record, const mp_os_module *target, const void *args, size_t args_size,
                        size_t setting_size, void **room)
{
    uint64_t head = offsetof(struct mp__delivery, target) + offsetof(mp_os_module, path) + strlen(target->path) + 1;
    struct mp__delivery delivery = {.args_size = args_size,
                                    .setting_size = setting_size,
                                    .channel = MP_OS_NO_HANDLE,
                                    .lead = MP_OS_NO_HANDLE,
                                    .setting_offset = align(head),
                                    .args_offset = align(head) + align(setting_size)};
    delivery.total = delivery.args_offset + args_size;
    uint64_t offset;
    if (args_size > mp__heap_limit() || mp__heap_alloc(delivery.total, MP__HEAP_MINE, &offset) < 0)
        return mp__fail(MP_ENOMEM,
                        "mp_process_start: the arena or the machine has no %" PRIu64 " bytes for the arguments",
                        (uint64_t)args_size);
    char *block = mp__heap_at(offset, delivery.total);
    if (!block) {
        mp__heap_free(offset);
        return mp__fail(MP_ENOMEM, "mp_process_start: no address space for the arguments");
    }
    memcpy(block, &delivery, offsetof(struct mp__delivery, target));
    memcpy(block + offsetof(struct mp__delivery, target), target, head - offsetof(struct mp__delivery, target));
    if (args_size) memcpy(block + delivery.args_offset, args, args_size);
    if (room) *room = block + delivery.setting_offset;
    /* V1: complete before the child, or who cleans up after it, can find it; which this process's is until it is there. */
    atomic_store_explicit(&record->delivery, offset, memory_order_release);
    mp__heap_set_ref(offset, atomic_load_explicit(&record->handle, memory_order_relaxed));
    return 0;
}

struct mp__delivery *mp__delivery_of(struct mp__process *record)
{
    uint64_t offset = atomic_load_explicit(&record->delivery, memory_order_acquire); /* V1 */
    struct mp__delivery *delivery = offset ? mp__heap_at(offset, sizeof *delivery - MP_OS_PATH_MAX) : NULL;
    return delivery ? mp__heap_at(offset, delivery->total) : NULL;
}
