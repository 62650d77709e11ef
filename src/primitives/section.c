/* SPDX-License-Identifier: MIT
 *
 * section.c - MP_WITH_LOCK: hold whatever can be held.
 */
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/lockword.h"
#include "base/thread.h"
#include "base/waiter.h"
#include "primitives/data.h"
#include "primitives/die.h"

#include <mp/sync.h>

static bool is_semaphore(uint64_t id)
{
    return mp__control_of(id, MP__SEMAPHORE) || mp__control_of(id, MP__OWNED_SEMAPHORE);
}

/* Not 0; and another number in a copy of this process, which is another member, or none yet. */
static int self(void)
{
    return (int)((mp__family_id() & MP__INDEX_MASK) << 1 | 1);
}

/* That of a condition; 0: it is none. */
static uint64_t lock_of_condition(uint64_t id)
{
    const struct mp__control *control = mp__control_of(id, MP__CONDITION);
    uint64_t lock = control ? control->as.condition.lock : 0;
    atomic_thread_fence(memory_order_acquire);
    return control && mp__control_alive(control, id) ? lock : 0;
}

/* The lock, rlock or semaphore that stands for an object; 0 if there is none (detail set). */
static uint64_t lock_of(uint64_t id)
{
    static const enum mp__type with_lock[] = {MP__VALUE, MP__ARRAY};
    if (mp__control_of(id, MP__LOCK) || mp__control_of(id, MP__RLOCK) || is_semaphore(id)) return id;
    uint64_t lock = lock_of_condition(id);
    if (lock) return lock;
    for (size_t i = 0; i < sizeof with_lock / sizeof *with_lock; i++) {
        struct mp__data data;
        if (!mp__control_of(id, with_lock[i])) continue;
        if (!mp__data_read("MP_WITH_LOCK", id, with_lock[i], &data)) return 0;
        if (!data.lock)
            (void)mp__fail(MP_EINVAL, "MP_WITH_LOCK: the %s is raw, it has no lock", mp__type_name(with_lock[i]));
        return data.lock;
    }
    (void)mp__fail_handle("MP_WITH_LOCK", id, "lock");
    return 0;
}

mp_section mp_section_enter(mp_handle object, const char *file, int line)
{
    uint64_t id = lock_of(object.id);
    int result = id ? mp__thread_join() : MP_EBADHANDLE; /* so that it is the same one at the end */
    if (result == 0 && mp__control_of(id, MP__LOCK))
        result = mp_lock_acquire((mp_lock){id}, MP_FOREVER);
    else if (result == 0 && is_semaphore(id))
        result = mp_semaphore_acquire((mp_semaphore){id}, MP_FOREVER);
    else if (result == 0)
        result = mp_rlock_acquire((mp_rlock){id}, MP_FOREVER);
    if (result < 0) mp__die(file, line, "MP_WITH_LOCK", result, mp_error_detail());
    return (mp_section){.id = id, .inside = self()};
}

void mp_section_leave(mp_section *section)
{
    bool mine = section->inside == self(); /* or it is the original's, and this a copy */
    section->inside = 0;
    if (!mine) return;
    struct mp__control *control = mp__control_of(section->id, MP__LOCK);
    if (control)
        (void)mp__lockword_release(&control->state, mp__state_of(section->id), mp__self.owner);
    else if (is_semaphore(section->id))
        (void)mp_semaphore_release((mp_semaphore){section->id});
    else if (mp__control_of(section->id, MP__RLOCK))
        (void)mp_rlock_release((mp_rlock){section->id});
    else
        mp__waiters_call(); /* who was notified waits for it no more */
}
