/* SPDX-License-Identifier: MIT
 *
 * trace.c - the timeline's calls.
 */
#include "base/trace.h"
#include "base/error.h"
#include "primitives/child.h"

#include <mp/trace.h>

#define EVENTS_MOST (UINT64_C(1) << 20)

int mp_trace_start(const mp_trace_options *options)
{
    static const char call[] = "mp_trace_start";
    static const mp_trace_options defaults;
    if (!options) options = &defaults;
    if (options->events > EVENTS_MOST)
        return mp__fail(MP_EINVAL, "%s: options.events is %zu, and may be %d at most", call, options->events,
                        (int)EVENTS_MOST);
    int result = mp__arena_join();
    if (result == 0 && options->path) result = mp__trace_write_at_end(call, options->path);
    if (result < 0) return result;
    if (options->path) mp__child_watch_exit();
    mp__trace_begin(options->events);
    return mp__thread_join(); /* only now: with as many events as was said */
}

int mp_trace_stop(void)
{
    int result = mp__thread_join();
    if (result < 0) return result;
    mp__trace_end();
    return 0;
}

int mp_trace_write(const char *path)
{
    int result = mp__thread_join();
    return result < 0 ? result : mp__trace_write("mp_trace_write", path);
}
