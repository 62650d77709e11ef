/* SPDX-License-Identifier: MIT
 *
 * operations_trace.c - what mp_kill does to processes that record what they do (mp/trace.h).
 *
 * A dead one's track is there, or not, and then so are its spans: all of them, or all but the last.
 */
#include "base/trace.h"
#include "operations.h"

static int objects_prepare(struct stage *stage)
{
    int result = mp_queue_create(&stage->queue, NULL);
    return result < 0 ? result : mp_lock_create(&stage->lock, NULL);
}

/* The survivor has its own by now. */
static int trace_prepare(struct stage *stage)
{
    int result = mp_trace_start(&(mp_trace_options){.events = 16});
    return result < 0 ? result : objects_prepare(stage);
}

static int put_one(struct stage *stage)
{
    int number = 1;
    return mp_queue_put(stage->queue, &number, sizeof number, LIMIT);
}

/* The first track of all is its own. */
static int start_and_put(struct stage *stage)
{
    int result = mp_trace_start(&(mp_trace_options){.events = 16});
    return result < 0 ? result : put_one(stage);
}

/* What it has put it gets, so that no two puts become one; more of both than the track has room for. */
static int put_and_get(struct stage *stage)
{
    int result = 0, number;
    for (int i = 0; result == 0 && i < 10; i++) {
        result = put_one(stage);
        if (result == 0) result = mp_queue_get(stage->queue, &number, sizeof number, NULL, LIMIT);
    }
    return result;
}

static bool is_whole(const struct mp__trace_event *event)
{
    uint64_t begin = atomic_load(&event->begin), end = atomic_load(&event->end), what = atomic_load(&event->what);
    return begin && begin <= end && what >> 32 < MP__TRACE_KINDS && atomic_load(&event->count) <= 20;
}

static int look(const struct mp__track_copy *copy, void *context)
{
    int *tracks = context;
    ++*tracks;
    for (uint64_t i = 0; i < copy->count; i++)
        if (!is_whole(&copy->events[i])) return MP_ESYSTEM;
    return copy->count <= 16 && copy->track->pid > 0 && *copy->track->process_name ? 0 : MP_ESYSTEM;
}

static int trace_check(struct stage *stage)
{
    size_t size;
    int tracks = 0, number = 0;
    HOLDS(mp__trace_visit(look, &tracks) == 0);
    HOLDS(mp_trace_start(NULL) == 0); /* it has one now, whatever the dead one has left */
    HOLDS(tracks <= 2 && mp__trace_visit(look, &tracks) == 0 && tracks >= 1);
    HOLDS(mp_queue_qsize(stage->queue, &size) == 0 && size <= 2);
    for (size_t i = 0; i < size; i++) HOLDS(mp_queue_get(stage->queue, &number, sizeof number, NULL, 0) == 0);
    HOLDS(mp_trace_stop() == 0);
    HOLDS(mp_queue_destroy(stage->queue) == 0);
    HOLDS(mp_lock_destroy(stage->lock) == 0);
    return 0;
}

const struct operation operations_trace[] = {
    {.name = "trace, first span",
     .prepare = objects_prepare,
     .operate = start_and_put,
     .check = trace_check,
     .fresh = true,
     .tracks = 2},
    {.name = "trace, spans",
     .prepare = trace_prepare,
     .before = put_one,
     .operate = put_and_get,
     .check = trace_check,
     .fresh = true,
     .tracks = 2},
};

const size_t operations_trace_count = sizeof operations_trace / sizeof *operations_trace;
