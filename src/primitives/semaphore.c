/* SPDX-License-Identifier: MIT
 *
 * semaphore.c - Semaphore: a count, and nothing else. Where units have owners: owned.c.
 */
#include "base/control.h"
#include "base/countword.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/park.h"
#include "base/thread.h"
#include "base/watch.h"
#include "primitives/owned.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

_Static_assert(MP_SEMAPHORE_MAX == MP__COUNT_MOST, "as many as the word can count");

struct plan {
    uint32_t value, most;
};

static void fill(struct mp__control *control, const void *with)
{
    const struct plan *plan = with;
    atomic_store_explicit(&control->as.semaphore.most, plan->most, memory_order_relaxed);
    atomic_store_explicit(&control->state, atomic_load_explicit(&control->state, memory_order_relaxed) | plan->value,
                          memory_order_relaxed);
}

int mp_semaphore_create(mp_semaphore *semaphore, uint32_t value, const mp_semaphore_options *options)
{
    if (!semaphore) return mp__fail(MP_EINVAL, "mp_semaphore_create: semaphore is NULL");
    if (value > MP_SEMAPHORE_MAX)
        return mp__fail(MP_EINVAL, "mp_semaphore_create: value is %u, and may be %u at most", value, MP_SEMAPHORE_MAX);
    if (options && options->owned && (!value || value > MP_SEMAPHORE_OWNED_MAX))
        return mp__fail(MP_EINVAL, "mp_semaphore_create: an owned semaphore has 1 to %d units, not %u",
                        MP_SEMAPHORE_OWNED_MAX, value);
    if (options && options->owned) return mp__owned_create(semaphore, value, options->name);
    const struct plan plan = {.value = value, .most = options && options->bounded ? value : MP_SEMAPHORE_MAX};
    uint64_t id;
    int result = mp__control_create(MP__SEMAPHORE, options ? options->name : NULL, fill, &plan, &id);
    if (result == 0) semaphore->id = id;
    return result;
}

static bool is_owned(mp_semaphore semaphore)
{
    return mp__control_of(semaphore.id, MP__OWNED_SEMAPHORE) != NULL;
}

MP__RARELY static int acquire_slowly(mp_semaphore semaphore, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_of(semaphore.id, MP__SEMAPHORE);
    if (!control && is_owned(semaphore)) {
        int result = mp__owned_acquire(semaphore, timeout_ms);
        if (result == 0 || result == MP_ETIMEDOUT) mp__pollable_settle(semaphore.id);
        return result;
    }
    if (!control) return mp__fail_handle("mp_semaphore_acquire", semaphore.id, "semaphore");
    int result = mp__thread_join();
    if (result < 0) return result;
    result = mp__count_take(&control->state, mp__state_of(semaphore.id), mp__deadline(timeout_ms));
    if (result == 0 || result == MP_ETIMEDOUT) mp__pollable_settle(semaphore.id);
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_semaphore_acquire", semaphore.id, "semaphore");
    if (result == MP_ETIMEDOUT)
        return mp__fail(result, "mp_semaphore_acquire: semaphore \"%s\" has no unit left", control->name);
    return result;
}

int mp_semaphore_acquire(mp_semaphore semaphore, int64_t timeout_ms)
{
    struct mp__control *control = mp__control_near(semaphore.id, MP__SEMAPHORE);
    if (control && mp__count_try(&control->state, mp__state_of(semaphore.id))) {
        mp__pollable_settle(semaphore.id);
        return 0;
    }
    return acquire_slowly(semaphore, timeout_ms);
}

MP__RARELY static int release_slowly(mp_semaphore semaphore)
{
    struct mp__control *control = mp__control_of(semaphore.id, MP__SEMAPHORE);
    if (!control && is_owned(semaphore)) return mp__owned_release(semaphore);
    if (!control) return mp__fail_handle("mp_semaphore_release", semaphore.id, "semaphore");
    uint32_t most = atomic_load_explicit(&control->as.semaphore.most, memory_order_relaxed);
    int result = mp__count_add(&control->state, mp__state_of(semaphore.id), most);
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_semaphore_release", semaphore.id, "semaphore");
    if (result == MP_EOVERFLOW)
        return mp__fail(result, "mp_semaphore_release: semaphore \"%s\" has all its %u units", control->name, most);
    return result;
}

int mp_semaphore_release(mp_semaphore semaphore)
{
    struct mp__control *control = mp__control_near(semaphore.id, MP__SEMAPHORE);
    if (control && mp__count_give(&control->state, mp__state_of(semaphore.id),
                                  atomic_load_explicit(&control->as.semaphore.most, memory_order_relaxed)))
        return 0;
    return release_slowly(semaphore);
}

static int value_of(const char *call, mp_semaphore semaphore)
{
    struct mp__control *control = mp__control_of(semaphore.id, MP__SEMAPHORE);
    uint64_t state = control ? atomic_load_explicit(&control->state, memory_order_relaxed) : 0;
    if (mp__generation_of(state) != mp__generation_of(semaphore.id) || !control)
        return mp__fail_handle(call, semaphore.id, "semaphore");
    return (int)(state & MP__COUNT_MOST);
}

int mp_semaphore_get_value(mp_semaphore semaphore)
{
    mp__pollable_settle(semaphore.id);
    if (is_owned(semaphore)) return mp__owned_get_value(semaphore);
    return value_of("mp_semaphore_get_value", semaphore);
}

/* Whoever releases goes the slow way from here on: N1. */
static int watch_count(const char *call, struct mp__control *control, uint64_t id)
{
    mp__watch(mp__word_of(&control->state)); /* X1 */
    uint64_t state = atomic_load_explicit(&control->state, memory_order_relaxed);
    do {
        if (mp__generation_of(state) != mp__generation_of(id)) return mp__fail_handle(call, id, "semaphore");
        if (state & MP__COUNT_MOST) return MP__READY;
    } while (!atomic_compare_exchange_weak_explicit(&control->state, &state, state | MP__WAITERS, memory_order_relaxed,
                                                    memory_order_relaxed));
    return MP__NOT_READY;
}

int mp__semaphore_look(const char *call, uint64_t id, bool watch)
{
    const mp_semaphore semaphore = {id};
    struct mp__control *control = mp__control_of(id, MP__SEMAPHORE), *owned = mp__control_of(id, MP__OWNED_SEMAPHORE);
    if (control && watch) return watch_count(call, control, id);
    if (owned && watch) mp__watch(mp__word_of(&owned->state));
    if (owned) {
        int some = mp__owned_look(call, id);
        return some < 0 ? some : some ? MP__READY : MP__NOT_READY;
    }
    int value = value_of(call, semaphore);
    return value < 0 ? value : value > 0 ? MP__READY : MP__NOT_READY;
}

int mp_semaphore_destroy(mp_semaphore semaphore)
{
    if (is_owned(semaphore)) {
        int result = mp__owned_destroy(semaphore);
        if (result == 0) mp__pollable_end(semaphore.id);
        return result;
    }
    /* Who has no record has nowhere to write down whom it is about to wake. */
    if (mp__control_of(semaphore.id, MP__SEMAPHORE)) (void)mp__thread_join();
    if (mp__control_destroy(semaphore.id, MP__SEMAPHORE, NULL) < 0)
        return mp__fail_handle("mp_semaphore_destroy", semaphore.id, "semaphore");
    mp__pollable_end(semaphore.id);
    return 0;
}
