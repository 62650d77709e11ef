/* SPDX-License-Identifier: MIT
 *
 * wait.c - waiting for any of many.
 */
#include "primitives/wait.h"
#include "base/control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "base/thread.h"
#include "base/trace.h"
#include "base/watch.h"
#include "primitives/pollable.h"

#include <mp/wait.h>
#include <stdio.h>

/* Between looks at what nobody will tell of, ns: at first, and at most. */
#define NAP_LEAST INT64_C(50000)
#define NAP_MOST  INT64_C(20000000)

/* How one of that type is looked at; NULL: it can not be waited for. */
typedef int looks(const char *call, uint64_t id, bool watch);
static looks *looks_at(uint32_t type)
{
    switch (type) {
    case MP__PROCESS:
        return mp__process_look;
    case MP__CONNECTION:
        return mp__connection_look;
    case MP__QUEUE:
        return mp__queue_look;
    case MP__EVENT:
        return mp__event_look;
    case MP__RESULT:
        return mp__result_look;
    case MP__SEMAPHORE:
    case MP__OWNED_SEMAPHORE:
        return mp__semaphore_look;
    default:
        return NULL;
    }
}

static looks *find(const char *call, uint64_t id, int *result)
{
    const struct mp__control *control = mp__control_any(id);
    looks *found = control ? looks_at(atomic_load_explicit(&control->type, memory_order_relaxed)) : NULL;
    const char *kind = found ? NULL : mp_handle_kind(mp_handle_of(id));
    if (kind && control)
        *result = mp__fail(MP_EINVAL, "%s: \"%s\" is a %s, which can not be waited for", call, control->name, kind);
    else if (!found)
        *result = mp__fail_handle(call, id, "handle of something to wait for");
    return found;
}

int mp__look(const char *call, uint64_t id, bool watch)
{
    int result = 0;
    looks *found = find(call, id, &result);
    return found ? found(call, id, watch) : result;
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
    return count ? (turn.items == items ? turn.next : turn.noise >> 8) % count : 0;
}

static int give(const mp_handle *items, size_t which, size_t *index)
{
    turn.items = items;
    turn.next = which + 1;
    *index = which;
    return 0;
}

/* ---- looking at all of them ------------------------------------------------------------------------------------- */

#define NONE      SIZE_MAX
#define CALL_SIZE 48

static const char *name_item(char text[CALL_SIZE], size_t at)
{
    (void)snprintf(text, CALL_SIZE, "mp_wait: items[%zu]", at);
    return text;
}

/* Whether all of them can be waited for: 0 or an error. */
static int check(const mp_handle *items, size_t count)
{
    char call[CALL_SIZE];
    bool some = false;
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        if (!items[i].id) continue;
        some = true;
        if (!find("mp_wait", items[i].id, &result)) {
            (void)find(name_item(call, i), items[i].id, &result);
            return result;
        }
    }
    return some ? 0 : mp__fail(MP_EINVAL, "mp_wait: there is nothing to wait for");
}

struct round {
    size_t ready, at_last; /* places, or NONE */
    bool soon;
};

/* 0 or an error. */
static int look_once(const mp_handle *items, size_t count, bool watch, struct round *round)
{
    char call[CALL_SIZE];
    size_t first = begin(items, count);
    *round = (struct round){.ready = NONE, .at_last = NONE};
    for (size_t i = 0; i < count && round->ready == NONE; i++) {
        size_t at = first < count - i ? first + i : first - (count - i);
        if (!items[at].id) continue;
        int result = mp__look("mp_wait", items[at].id, watch);
        if (result < 0) { /* once more: the detail shall say which it is */
            int again = mp__look(name_item(call, at), items[at].id, false);
            return again < 0 ? again : result;
        }
        if (result == MP__NOT_READY) {
            mp__pollable_settle(items[at].id);
            mp__pollable_settle_event(items[at].id);
        }
        if (result == MP__READY) round->ready = at;
        if (result == MP__READY_AT_LAST && round->at_last == NONE) round->at_last = at;
        if (result == MP__READY_SOON) round->soon = true;
    }
    return 0;
}

/* The same. That all are dead who could have put something is seen after what they did; what was looked at before that may have
 * been ready since. What may be ready soon comes before it, too, unless it takes long. */
static int look(const mp_handle *items, size_t count, bool watch, bool patient, struct round *round)
{
    int result = look_once(items, count, watch, round);
    if (result < 0 || round->ready != NONE || round->at_last == NONE) return result;
    if (round->soon && patient) return 0;
    result = look_once(items, count, watch, round);
    if (result == 0 && round->ready == NONE && !(round->soon && patient)) round->ready = round->at_last;
    return result;
}

static int none_is_ready(size_t count)
{
    return mp__fail(MP_ETIMEDOUT, "mp_wait: none of %zu is ready", count);
}

static int watch_all(const mp_handle *items, size_t count, size_t *index, int64_t deadline)
{
    for (int64_t nap = NAP_LEAST;;) {
        struct round round;
        bool late = mp__deadline_passed(deadline);
        int result = look(items, count, true, nap < NAP_MOST && !late, &round);
        if (result < 0) return result;
        if (round.ready != NONE) return give(items, round.ready, index);
        if (late) return none_is_ready(count);
        mp__watch_wait(round.soon ? mp__deadline_slice(deadline, nap) : deadline);
        nap = !round.soon ? NAP_LEAST : nap < NAP_MOST / 2 ? 2 * nap : NAP_MOST;
    }
}

static uint64_t first_of(const mp_handle *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].id) return items[i].id;
    return 0;
}

int mp__wait(const mp_handle *items, size_t count, size_t *index, int64_t deadline)
{
    bool waits = !mp__deadline_passed(deadline);
    int result = mp__thread_join();
    if (result == 0) result = check(items, count);
    if (result < 0) return result;
    struct round round;
    result = look(items, count, false, waits, &round);
    if (result < 0) return result;
    if (round.ready != NONE) return give(items, round.ready, index);
    if (!waits) return none_is_ready(count);
    mp__watch_begin();
    mp__trace_waits(first_of(items, count));
    result = watch_all(items, count, index, deadline);
    mp__trace_waits(0);
    mp__watch_end();
    return result;
}

int mp_wait(const mp_handle *items, size_t count, size_t *index, int64_t timeout_ms)
{
    if (!index || (!items && count)) return mp__fail(MP_EINVAL, "mp_wait: %s is NULL", index ? "items" : "index");
    return mp__wait(items, count, index, mp__deadline(timeout_ms));
}
