/* SPDX-License-Identifier: MIT
 *
 * mp/trace.h - the timeline: who did what, and when, as a file to look at in Perfetto or chrome://tracing.
 *
 *     int main(void)
 *     {
 *         mp_freeze_support();
 *         MP_CHECK(mp_trace_start(&(mp_trace_options){.path = "timeline.json"}));
 *         mp_pool pool;
 *         MP_CHECK(mp_pool_create(&pool, 2, NULL));
 *         MP_CHECK(mp_pool_map(pool, square, xs, sizeof *xs, ys, sizeof *ys, 100, NULL));
 *         MP_CHECK(mp_pool_destroy(pool));
 *         return 0;                                               // here the file is written
 *     }
 *
 * The same without a change to the program: MP_TRACE=timeline.json in its environment; a "%p" in that becomes its pid, which
 * keeps several programs from writing to the same file. A program that runs with more privileges than who started it has does
 * not look at it.
 *
 * What is recorded, of each thread of each process of the family that uses libmp:
 *   - its process: from its first use of libmp until it had ended, how it was started, and by whom;
 *   - tasks of a pool: each by itself, but short ones that follow each other as one span, with their number;
 *   - what it waited for, asleep: a lock, a queue, an event, the end of a process, work;
 *   - waiting for a lock that somebody else had, asleep or not;
 *   - what it put and got, sent and received: quick ones that follow each other as one, with number and bytes.
 *
 * A span is recorded when it ends: what a process was at when it was killed is not there, all before that is. Each thread
 * keeps its newest spans, in the arena, so they outlive their process; `lost` at the end of the file says how many are not
 * there any more. Objects appear with the names they were given; 256 different ones in each thread.
 *
 * Recording takes no lock. It costs two looks at the clock for each span, of which a pool's short tasks share one, and a
 * thread's room for them, 655 KB unless options say otherwise, when it begins. Not recording costs one comparison of what is
 * in the cache.
 */
#ifndef MP_TRACE_H
#define MP_TRACE_H

#include <mp/compiler.h>

MP_BEGIN

/** What to keep, and where it goes. A field that is 0 has its default. */
typedef struct mp_trace_options {
    const char
        *path; /**< to be written when this process ends by exit or return from main, after its children were joined.
                           NULL: it is not, mp_trace_write() can be called at any moment */
    size_t
        events; /**< kept of each thread, 40 bytes each, at most 1048576; rounded up to a power of two. Default: 16384,
                           fewer in a small arena. All threads together keep 256 MiB, or an eighth of the arena if that is less:
                           beyond that those of threads that have ended give way */
} mp_trace_options;

/**
 * Record from here on, in all processes of the family, those included that run already.
 *
 * Recording goes on if it was begun before: then a path, if there is one, takes the place of that before, and `events` holds
 * for threads that begin to use libmp from here on.
 *
 * \param options  copied; NULL: all defaults.
 * \returns 0, or
 *   MP_EINVAL   options.events is more than 1048576; options.path is empty, its full name is longer than 4095 bytes, or
 *               something is there that is no file;
 *   MP_ESYSTEM, MP_EPERM, MP_ELIMIT, MP_ENOMEM  the path can not be written to;
 *   or what founding the family failed with (MP_ENOMEM, MP_ELIMIT, MP_ESYSTEM).
 *   Nothing has begun then.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family; the path concerns the end of the caller.
 * \python        nothing like it; viztracer's VizTracer.start()
 */
MP_NODISCARD MP_API int mp_trace_start(const mp_trace_options *options);

/**
 * Record nothing more, in all processes of the family. What has been recorded is kept, and is written all the same.
 *
 * \returns 0, or what founding the family failed with (MP_ENOMEM, MP_ELIMIT, MP_ESYSTEM).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        viztracer's VizTracer.stop()
 */
MP_API int mp_trace_stop(void);

/**
 * Write what has been recorded so far, as JSON of the trace event format. Others may go on recording meanwhile.
 *
 * The file is there whole or not at all: it is written beside its place, under a name of its own that ends with ".part", and
 * then renamed.
 *
 * \param path  of the file, replaced if it is there.
 * \returns 0, or
 *   MP_EINVAL   path is NULL or empty, its full name is longer than 4095 bytes, or something is there that is no file;
 *   MP_ENOMEM   no memory to copy what a thread has recorded, or no room on the disk;
 *   MP_ESYSTEM, MP_EPERM, MP_ELIMIT  it can not be written;
 *   or what founding the family failed with (MP_ENOMEM, MP_ELIMIT, MP_ESYSTEM).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        viztracer's VizTracer.save(path)
 */
MP_NODISCARD MP_API int mp_trace_write(const char *path);

MP_END

#endif
