/* SPDX-License-Identifier: MIT
 *
 * event.c - Event: a flag (flag.h), and nothing else.
 */
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/thread.h"
#include "primitives/flag.h"
#include "primitives/pollable.h"
#include "primitives/wait.h"

#include <mp/sync.h>

static void fill(struct mp__control *control, const void *with)
{
    const bool *set = with;
    uint64_t state = atomic_load_explicit(&control->state, memory_order_relaxed);
    atomic_store_explicit(&control->state, *set ? state | MP__FLAG_SET : state, memory_order_relaxed);
}

int mp_event_create(mp_event *event, const mp_event_options *options)
{
    if (!event) return mp__fail(MP_EINVAL, "mp_event_create: event is NULL");
    const bool set = options && options->set;
    uint64_t id;
    int result = mp__control_create(MP__EVENT, options ? options->name : NULL, fill, &set, &id);
    if (result == 0) event->id = id;
    return result;
}

int mp_event_wait(mp_event event, int64_t timeout_ms)
{
    uint64_t first;
    struct mp__control *control = mp__flag_find(event.id, MP__EVENT, &first);
    if (!control) return mp__fail_handle("mp_event_wait", event.id, "event");
    if (first & MP__FLAG_SET) return 0;
    if (timeout_ms <= 0) {
        mp__pollable_settle_event(event.id);
        return mp__fail(MP_ETIMEDOUT, "mp_event_wait: event \"%s\" is not set", control->name);
    }
    int result = mp__thread_join();
    if (result < 0) return result;
    result = mp__flag_await(control, first, mp__deadline(timeout_ms));
    if (result == MP_ETIMEDOUT) mp__pollable_settle_event(event.id);
    if (result == MP_EBADHANDLE) return mp__fail_handle("mp_event_wait", event.id, "event");
    if (result == MP_ETIMEDOUT) return mp__fail(result, "mp_event_wait: event \"%s\" is not set", control->name);
    return result;
}

int mp_event_set(mp_event event)
{
    int result = mp__flag_set(event.id, MP__EVENT);
    return result < 0 ? mp__fail_handle("mp_event_set", event.id, "event") : 0;
}

int mp_event_clear(mp_event event)
{
    int result = mp__flag_clear(event.id, MP__EVENT);
    if (result < 0) return mp__fail_handle("mp_event_clear", event.id, "event");
    if (result) mp__pollable_settle_event(event.id);
    return 0;
}

int mp_event_is_set(mp_event event)
{
    uint64_t state;
    if (!mp__flag_find(event.id, MP__EVENT, &state)) return mp__fail_handle("mp_event_is_set", event.id, "event");
    if (!(state & MP__FLAG_SET)) mp__pollable_settle_event(event.id); /* another process may have cleared it */
    return (state & MP__FLAG_SET) != 0;
}

int mp__event_look(const char *call, uint64_t id, bool watch)
{
    int result = mp__flag_look(id, MP__EVENT, watch);
    return result < 0 ? mp__fail_handle(call, id, "event") : result;
}

int mp_event_destroy(mp_event event)
{
    /* Who has no record has nowhere to write down whom it is about to wake. */
    if (mp__control_of(event.id, MP__EVENT)) (void)mp__thread_join();
    if (mp__control_destroy(event.id, MP__EVENT, NULL) < 0)
        return mp__fail_handle("mp_event_destroy", event.id, "event");
    mp__pollable_end(event.id);
    return 0;
}
