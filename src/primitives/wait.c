/* SPDX-License-Identifier: MIT
 *
 * wait.c - waiting for any of many.
 */
#include "primitives/wait.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "base/watch.h"

#include <mp/wait.h>

/* Between looks at what nobody will tell of, ns: at first, and at most. */
#define NAP_LEAST INT64_C(50000)
#define NAP_MOST  INT64_C(20000000)

int mp__look(const char *call, uint64_t id, bool watch)
{
    const struct mp__control *control = mp__control_any(id);
    uint32_t type = control ? atomic_load_explicit(&control->type, memory_order_relaxed) : MP__FREE;
    switch (type) {
    case MP__PROCESS:
        return mp__process_look(call, id, watch);
    case MP__CONNECTION:
        return mp__connection_look(call, id, watch);
    case MP__QUEUE:
        return mp__queue_look(call, id, watch);
    case MP__EVENT:
        return mp__event_look(call, id, watch);
    case MP__SEMAPHORE:
    case MP__OWNED_SEMAPHORE:
        return mp__semaphore_look(call, id, watch);
    default:
        break;
    }
    const char *kind = mp_handle_kind(mp_handle_of(id));
    if (kind) return mp__fail(MP_EINVAL, "%s: nobody can wait for a %s like that", call, kind);
    return mp__fail_handle(call, id, "handle of something to wait for");
}

/* ---- whose turn it is ------------------------------------------------------------------------------------------- */

/* Who calls with the same array goes on behind what it was given; else anywhere, so that nobody is always the last. */
static _Thread_local struct {
    const mp_handle *items;
    size_t next;
    uint32_t noise;
} turn;

static size_t begin(const mp_handle *items, size_t count)
{
    turn.noise = turn.noise * UINT32_C(1664525) + UINT32_C(1013904223);
    return (turn.items == items ? turn.next : turn.noise >> 8) % count;
}

static int give(const mp_handle *items, size_t which, size_t *index)
{
    turn.items = items;
    turn.next = which + 1;
    *index = which;
    return 0;
}

/* ---- looking at all of them ------------------------------------------------------------------------------------- */

#define NONE SIZE_MAX

struct round {
    size_t ready, at_last; /* places, or NONE */
    bool some, soon;
};

static int look_once(const mp_handle *items, size_t count, bool watch, struct round *round)
{
    size_t first = begin(items, count);
    *round = (struct round){.ready = NONE, .at_last = NONE};
    for (size_t i = 0; i < count && round->ready == NONE; i++) {
        size_t at = first < count - i ? first + i : first - (count - i);
        if (!items[at].id) continue;
        int result = mp__look("mp_wait", items[at].id, watch);
        if (result < 0) return result;
        round->some = true;
        if (result == MP__READY) round->ready = at;
        if (result == MP__READY_AT_LAST && round->at_last == NONE) round->at_last = at;
        if (result == MP__READY_SOON) round->soon = true;
    }
    return 0;
}

/* 0 or an error. That all are dead who could have put something is seen after what they did; what was looked at before that may
 * have been ready since. */
static int look(const mp_handle *items, size_t count, bool watch, struct round *round)
{
    int result = look_once(items, count, watch, round);
    if (result < 0 || round->ready != NONE || round->at_last == NONE || round->soon) return result;
    result = look_once(items, count, watch, round);
    if (result == 0 && round->ready == NONE && !round->soon) round->ready = round->at_last;
    return result;
}

static int none_is_ready(size_t count)
{
    return mp__fail(MP_ETIMEDOUT, "mp_wait: none of %zu is ready", count);
}

static int watch_all(const mp_handle *items, size_t count, size_t *index, int64_t deadline)
{
    int64_t nap = NAP_LEAST;
    for (;;) {
        struct round round;
        int result = look(items, count, true, &round);
        if (result < 0) return result;
        if (round.ready != NONE) return give(items, round.ready, index);
        if (mp__deadline_passed(deadline)) return none_is_ready(count);
        mp__watch_wait(round.soon ? mp__deadline_slice(deadline, nap) : deadline);
        nap = !round.soon ? NAP_LEAST : nap < NAP_MOST / 2 ? 2 * nap : NAP_MOST;
    }
}

int mp_wait(const mp_handle *items, size_t count, size_t *index, int64_t timeout_ms)
{
    if (!index || (!items && count)) return mp__fail(MP_EINVAL, "mp_wait: %s is NULL", index ? "items" : "index");
    int64_t deadline = mp__deadline(timeout_ms);
    int result = mp__thread_join();
    if (result < 0) return result;
    struct round round = {.some = false};
    if (count) result = look(items, count, false, &round);
    if (result < 0) return result;
    if (!round.some) return mp__fail(MP_EINVAL, "mp_wait: there is nothing to wait for");
    if (round.ready != NONE) return give(items, round.ready, index);
    if (mp__deadline_passed(deadline)) return none_is_ready(count);
    mp__watch_begin();
    result = watch_all(items, count, index, deadline);
    mp__watch_end();
    return result;
}
