/* SPDX-License-Identifier: MIT
 *
 * message.c - messages: memory with exactly one owner, who changes.
 */
#include "base/message.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"

#include <inttypes.h>

#define GENERATIONS (UINT64_C(2) << 32) /* from one that is alive to the next */

static uint64_t putting(uint64_t process)
{
    return process & ~(UINT64_C(1) << 32);
}

struct plan {
    uint64_t offset, size;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    atomic_store_explicit(&control->as.message.offset, plan->offset, memory_order_relaxed);
    atomic_store_explicit(&control->as.message.capacity, plan->size, memory_order_relaxed);
    atomic_store_explicit(&control->as.message.size, plan->size, memory_order_relaxed);
    atomic_store_explicit(&control->as.message.owner, mp__family_id(), memory_order_relaxed);
}

int mp__message_create(const char *call, uint64_t size, uint64_t *id, void **data)
{
    int result = mp__arena_join();
    if (result < 0) return result;
    if (!mp__family_self()) return mp__fail_code();
    struct plan plan = {.size = size};
    if (size > mp__heap_limit())
        return mp__fail(MP_EMSGSIZE, "%s: %" PRIu64 " bytes are more than the whole arena has (%" PRIu64 ")", call,
                        size, mp__heap_limit());
    if (mp__heap_alloc(size ? size : 1, MP__HEAP_MINE, &plan.offset) < 0)
        return mp__fail(MP_ENOMEM, "%s: the arena or the machine has no %" PRIu64 " bytes for a message", call, size);
    *data = mp__heap_at(plan.offset, size ? size : 1);
    result = *data ? mp__control_create(MP__MESSAGE, NULL, fill, &plan, id)
                   : mp__fail(MP_ENOMEM, "%s: no address space for a message of %" PRIu64 " bytes", call, size);
    if (result < 0)
        mp__heap_free(plan.offset);
    else
        mp__heap_set_ref(plan.offset, MP__HEAP_NOBODYS); /* it goes with the message, whatever its id is then */
    return result;
}

void *mp__message_at(uint64_t id, uint64_t *size)
{
    struct mp__control *control = mp__control_of(id, MP__MESSAGE);
    if (!control) return NULL;
    uint64_t offset = atomic_load_explicit(&control->as.message.offset, memory_order_relaxed);
    uint64_t capacity = atomic_load_explicit(&control->as.message.capacity, memory_order_relaxed);
    *size = atomic_load_explicit(&control->as.message.size, memory_order_relaxed);
    return mp__control_alive(control, id) ? mp__heap_at(offset, capacity ? capacity : 1) : NULL;
}

uint64_t mp__message_owner(uint64_t id)
{
    struct mp__control *control = mp__control_of(id, MP__MESSAGE);
    uint64_t owner = control ? atomic_load_explicit(&control->as.message.owner, memory_order_relaxed) : 0;
    return control && mp__control_alive(control, id) ? owner : 0;
}

int mp__message_is_mine(uint64_t id)
{
    struct mp__control *control = mp__control_of(id, MP__MESSAGE);
    if (!control) return MP_EBADHANDLE;
    uint64_t owner = atomic_load_explicit(&control->as.message.owner, memory_order_relaxed);
    if (!mp__control_alive(control, id)) return MP_EBADHANDLE;
    return owner == mp__family_id() ? 0 : MP_ENOTOWNER;
}

static void take_over(const struct mp__control *control)
{
    mp__heap_set_ref_locked(atomic_load_explicit(&control->as.message.offset, memory_order_relaxed), MP__HEAP_MINE);
}

int mp__message_send(uint64_t id, uint64_t size, uint64_t *sent)
{
    struct mp__control *control = mp__control_of(id, MP__MESSAGE);
    if (!control) return MP_EBADHANDLE;
    uint64_t state = mp__state_of(id);
    if (mp__generation_of(id) >= UINT32_MAX - 2) return MP_EBADHANDLE; /* there is no other generation */
    if (!atomic_compare_exchange_strong_explicit(&control->state, &state, state + GENERATIONS, memory_order_relaxed,
                                                 memory_order_relaxed)) /* M1 */
        return MP_EBADHANDLE;
    atomic_store_explicit(&control->as.message.owner, putting(mp__family_id()), memory_order_relaxed);
    atomic_store_explicit(&control->as.message.size, size, memory_order_relaxed);
    *sent = id + GENERATIONS;
    return 0;
}

int mp__message_free(uint64_t id)
{
    struct mp__control last;
    uint64_t size = 0, mine;
    /* As if it were sent: from here on only this one knows it. */
    if (!mp__message_at(id, &size) && mp__control_is_over(id)) return MP_EBADHANDLE;
    int result = mp__message_send(id, size, &mine);
    if (result == 0) result = mp__control_destroy_with(mine, MP__MESSAGE, &last, take_over);
    if (result == 0) mp__heap_free(atomic_load_explicit(&last.as.message.offset, memory_order_relaxed));
    return result;
}

static void change_owner(uint64_t id, uint64_t from, uint64_t to)
{
    struct mp__control *control = mp__control_of(id, MP__MESSAGE);
    if (control)
        (void)atomic_compare_exchange_strong_explicit(&control->as.message.owner, &from, to, memory_order_relaxed,
                                                      memory_order_relaxed);
}

void mp__message_sent(uint64_t id, uint64_t process)
{
    change_owner(id, putting(process), 0); /* M2 */
}

void mp__message_settle(uint64_t id)
{
    uint64_t owner = mp__message_owner(id);
    if (owner == putting(owner)) change_owner(id, owner, 0); /* M2: else it has been received */
}

void mp__message_receive(uint64_t id)
{
    struct mp__control *control = mp__control_of(id, MP__MESSAGE);
    if (!control) return;
    uint64_t owner = atomic_load_explicit(&control->as.message.owner, memory_order_relaxed);
    while (mp__control_alive(control, id) &&
           !atomic_compare_exchange_weak_explicit(&control->as.message.owner, &owner, mp__family_id(),
                                                  memory_order_relaxed, memory_order_relaxed)) {} /* M2 */
}

void mp__message_return(uint64_t id, uint64_t process)
{
    change_owner(id, process, 0);
}

void mp__message_sweep(struct mp__control *control, uint64_t id, uint64_t process)
{
    uint64_t owner = atomic_load_explicit(&control->as.message.owner, memory_order_relaxed);
    if (owner != process && owner != putting(process)) return; /* M3 */
    mp__heap_set_ref_locked(atomic_load_explicit(&control->as.message.offset, memory_order_relaxed), process);
    mp__control_retire(id, MP__MESSAGE);
}
