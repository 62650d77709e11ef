/* SPDX-License-Identifier: MIT
 *
 * mp/pool.h - pools of worker processes.
 *
 * A task is a function of this program, or of a library, that makes bytes of bytes. A pool runs it for one input, or for each
 * of an array, in processes that it starts once and keeps.
 *
 *     static int square(mp_task *task)
 *     {
 *         const int *x = task->input;
 *         int *y = task->output;
 *         *y = *x * *x;
 *         return 0;
 *     }
 *
 *     static void squares(const int *in, int *out, size_t count)
 *     {
 *         mp_pool pool;
 *         MP_CHECK(mp_pool_create(&pool, 0, NULL)); // as many workers as there are CPUs
 *         MP_CHECK(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, count, NULL));
 *         mp_pool_destroy(pool);
 *     }
 *
 * When a worker dies. The item that it was running has failed, with MP_EWORKERDEAD and its exit code (-11: by signal 11), or
 * is tried again (mp_call_options.retries). The others that it had taken go to other workers, and a new worker takes its
 * place. All other items are run, in whatever order, and their outputs stand where they belong.
 *
 * Besides its workers a pool has one more process, its supervisor, which does nothing but to start and replace them: the
 * workers are its children, and it is a daemon of who has created the pool: when that ends, they do. Should the supervisor
 * end alone its workers end, too, and whoever waits for a result of the pool, or submits something, starts another one, which
 * is a daemon of that process (a call that can not start one returns what mp_process_start does). The pool itself stays, as a
 * queue does, until somebody destroys it, or the family ends. Workers and supervisor ignore SIGINT: Ctrl-C ends whom it
 * concerns. The library starts no threads for a pool.
 *
 * Inputs are copied into shared memory, and outputs out of it, unless they lie there already: in an mp_array, an mp_block, an
 * mp_message (of imap they are always copied, and its outputs never). Then tasks read and write in place, and whoever owns
 * that keeps it until the result is there.
 *
 * Callbacks run in the process that has submitted, in a thread of it that waits for something of that pool: in mp_pool_poll,
 * mp_pool_join and mp_pool_destroy, in mp_result_wait, mp_result_wait_all and mp_result_get, in mp_pool_apply, mp_pool_map
 * and mp_pool_starmap, in mp_imap_next; not in mp_wait, which knows no pools. There is no hidden thread: a program that does
 * none of these is not called back. Each call gets one of callback and error_callback, once, unless its result is destroyed
 * before, or its pool by another process. The result is there then; one that the caller has not asked for is destroyed after
 * the callback. A callback may submit, and close or destroy the pool: then those that are still due are not called, and who
 * waits for the pool is told MP_EBADHANDLE. While one runs no other one does in that thread. Calls that wait, apply, map and
 * starmap, call back, too, before they return. mp_pool_destroy calls back for what it cancels.
 *
 * Besides their own errors all calls that submit return these:
 *  - MP_EINVAL: function is NULL, a size that is none, inputs or outputs that are NULL although they have a size; an option
 *   out of its range;
 *  - MP_EBADHANDLE: options.stop is no event;
 *  - MP_ECLOSED: the pool is closed or terminated;
 *  - MP_EINIT: the pool's initializer has failed, or its workers end before they have begun: it takes nothing more;
 *  - MP_ENOMEM: the arena, or the machine, has not the memory for inputs and outputs;
 *  - MP_ELIMIT: the family has as many objects as it can name;
 *  - what mp_process_start returned for the workers, if none can be started (MP_ELIMIT, MP_EPERM, MP_ENOFREEZE and others);
 *  - MP_ENOTARGET, MP_ESTALE, MP_ENOTSUP, MP_ESYSTEM: other processes can not find the function (mp_process_start).
 */
#ifndef MP_POOL_H
#define MP_POOL_H

#include <mp/handle.h>
#include <mp/message.h>
#include <mp/process.h>

MP_BEGIN

#define MP_POOL_MAX    1024 /**< workers of a pool */
#define MP_COLUMNS_MAX 16   /**< columns of a starmap */

/** How a task ended. */
typedef struct mp_outcome {
    int error; /**< 0, or MP_ETASK: it returned `code`; MP_EWORKERDEAD: the worker ended with exit code `code` (-9: killed);
                    MP_ETIMEDOUT: it ran longer than allowed; MP_ECANCELED; MP_EMSGSIZE: it has put out more than it had
                    room for; MP_EINIT, MP_ENOMEM, MP_ENOTARGET, MP_ESTALE, or what the workers could not be
                    started for: it was not run */
    int code; /**< of MP_ETASK and MP_EWORKERDEAD; of the others it says nothing */
} mp_outcome;

/** What a task sees. */
typedef struct mp_task {
    /** Where the caller has it, if that is shared memory. If it was copied: one of an array that begins at an address aligned
     * to 64 bytes; of an imap each is aligned to 16. NULL if there are none. */
    const void *input;
    size_t input_size;         /**< bytes of it */
    void *output;              /**< zeroed; NULL if it has no size */
    size_t output_size;        /**< bytes of it; a task of its own (mp_pool_apply, an imap's) may make that smaller */
    size_t index;              /**< of the item */
    int attempt;               /**< 0, or how often its worker has died */
    const void *const *inputs; /**< of a starmap: one for each column */
} mp_task;

/** 0, or anything else for failure. */
typedef int (*mp_task_function)(mp_task *task);

/**
 * Make room for an output of that size, by a task that is running: task->output and output_size are new, and all zero. What
 * was in it before is lost. An imap's task, and one of its own, may do so as often as it likes.
 *
 * \param task  the one that runs, as the function was given it.
 * \param size  bytes.
 * \returns 0, or
 *   MP_EMSGSIZE  it is one of a map, of whatever count, and has its place among the others, which is smaller; or size is over
 *                options.max_output;
 *   MP_ENOMEM    the arena, or the machine, has not that much;
 *   MP_EINVAL    it is not the task that runs in this process.
 *
 * \threadsafety  the thread that runs the task.
 * \processes     the worker.
 * \python        none: results have any size
 */
MP_NODISCARD MP_API int mp_task_reserve(mp_task *task, size_t size);

/** How a pool shall be. All zero is all defaults; everything is copied during the call. */
typedef struct mp_pool_options {
    const char *name;        /**< for people; copied, the first 31 bytes count; no control characters: it is its
                                  supervisor's name, too */
    mp_target initializer;   /**< run by each worker first; anything but 0 is a failure */
    const void *initargs;    /**< bytes for it */
    size_t initargs_size;    /**< how many */
    size_t maxtasksperchild; /**< then a worker ends, and another one takes its place; 0: never */
    mp_start_method method;  /**< of the supervisor and the workers; the default of this process */
} mp_pool_options;

/** How far a pool is, or a call. */
typedef struct mp_progress {
    size_t total;   /**< items submitted; of an imap those of its array, or 0: nobody knows */
    size_t done;    /**< that have ended, in whatever way */
    size_t failed;  /**< of those */
    size_t running; /**< workers that have some */
    size_t retried; /**< how often one was tried again */
    int workers;    /**< that the pool has */
    double seconds; /**< since the pool was created, or the call was made */
} mp_progress;

/** How something shall be run. All zero is all defaults. */
typedef struct mp_call_options {
    size_t
        chunk_size; /**< items that a worker takes at a time; 0: as many as take it a moment. What it has not taken others
                            can, so few are no waste of time, and many make some wait. Of imap at most 256 */
    size_t
        read_ahead; /**< of imap: inputs that are read and whose items are not returned yet, at most; 0: a few for each worker,
                            and up to 1024 for each if tasks are short */
    size_t max_output;     /**< bytes that mp_task_reserve gives; 0: any */
    int retries;           /**< of an item whose worker has died, or that took too long */
    int64_t time_limit_ms; /**< of each item: then its worker is killed, and replaced; 0: none */
    mp_event stop; /**< once it is set no more items are begun, they are cancelled, and those that run are waited for. A
                        signal handler may set it */
    const char
        *progress; /**< a label, of which 31 bytes are kept: a bar is drawn on stderr, if that is a terminal, while the
                               caller waits */
    void (*callback)(mp_result result, void *context);       /**< what was submitted is done, and all of it went well */
    void (*error_callback)(mp_result result, void *context); /**< it is done, and something failed, or was cancelled */
    void (*progress_callback)(const mp_progress *progress, void *context); /**< some times a second, and at the end */
    void *context;                                                         /**< of the three */
    mp_outcome
        *outcomes; /**< of map and starmap: receives one for each item, whatever the call returns, unless it could
                               not be submitted */
} mp_call_options;

/**
 * Create a pool.
 *
 * It does not wait for the workers.
 *
 * \param pool       receives it.
 * \param processes  workers, 1 to MP_POOL_MAX; 0: mp_cpu_count().
 * \param options    NULL: all defaults.
 * \returns 0, or as mp_process_start (of the supervisor), or
 *   MP_EINVAL  pool is NULL, or processes is out of range, initargs without an initializer, or NULL with a size.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family; the pool ends with it, and may be used by all.
 * \python        Pool(processes, initializer, initargs, maxtasksperchild)
 */
MP_NODISCARD MP_API int mp_pool_create(mp_pool *pool, int processes, const mp_pool_options *options);

/**
 * Take no more work. What was submitted is done, and then the workers end.
 *
 * \returns 0. A pool that is closed is left alone.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Pool.close()
 */
MP_API int mp_pool_close(mp_pool pool);

/**
 * End it now: what was not begun is cancelled, workers get SIGTERM, and those that are still there after 200 ms SIGKILL. On
 * Windows they are ended at once. Does not wait for that: mp_pool_join.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Pool.terminate()
 */
MP_API int mp_pool_terminate(mp_pool pool);

/**
 * Wait until all workers have ended, of a pool that is closed or terminated, or that has failed (MP_EINIT).
 *
 * \param pool        the pool.
 * \param timeout_ms  milliseconds; 0 or less polls, MP_FOREVER waits for ever.
 * \returns 0, or
 *   MP_EBUSY      the pool is open: close it before;
 *   MP_EDEADLK    it is closed, and this thread has an imap of it with inputs that it has not read; or the caller is one of its
 *                 workers;
 *   MP_ETIMEDOUT  there were workers when the time ended.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, but its workers.
 * \python        Pool.join()
 */
MP_API int mp_pool_join(mp_pool pool, int64_t timeout_ms);

/**
 * Terminate, join, and free a pool. Results that were not got are gone; who waits for one is told MP_EBADHANDLE.
 *
 * \returns 0, or MP_EDEADLK: the caller is one of its workers.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, but its workers; once.
 * \python        Pool.__exit__
 */
MP_API int mp_pool_destroy(mp_pool pool);

/**
 * Run the callbacks that are due, and show the progress that is, of what this process has submitted to a pool: for a program
 * that waits elsewhere.
 *
 * \returns how many callbacks were run, 0 or more; or an error. Within a callback always 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, each for itself.
 * \python        none: a thread runs them
 */
MP_API int mp_pool_poll(mp_pool pool);

/**
 * Run a task, and wait for it.
 *
 * \param pool         who does it.
 * \param function     the task.
 * \param input        its input; may be NULL if input_size is 0.
 * \param input_size   bytes.
 * \param output       receives its output, and is left alone if it fails; may be NULL if output_size is 0.
 * \param output_size  bytes: the task's output has exactly so many, or is an MP_EMSGSIZE.
 * \param options      NULL: all defaults.
 * \returns 0, or what submitting returns (above), or
 *   MP_ETASK        the task returned something else than 0; mp_error_detail() says what;
 *   MP_EWORKERDEAD  its worker died; how is said there, too;
 *   MP_ETIMEDOUT    it ran longer than options.time_limit_ms;
 *   MP_ECANCELED    options.stop was set, or the pool was terminated;
 *   MP_EMSGSIZE     its output has another size;
 *   MP_EBADHANDLE   the pool was destroyed meanwhile.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family. A worker that waits for its own pool keeps a place that others could have.
 * \python        Pool.apply(func, args)
 */
MP_NODISCARD MP_API int mp_pool_apply(mp_pool pool, mp_task_function function, const void *input, size_t input_size,
                                      void *output, size_t output_size, const mp_call_options *options);

/**
 * Run a task for each item of an array, and wait for all of them.
 *
 * \param pool         who does it.
 * \param function     the task.
 * \param inputs       the items, one behind the other; NULL if input_size is 0: a task has its index.
 * \param input_size   bytes of an item.
 * \param outputs      receives their outputs, in the same order; those of items that failed are left alone, unless they lie in
 *                     shared memory, where the task has left what it has. NULL if output_size is 0.
 * \param output_size  bytes of an output.
 * \param count        items; 0 is success at once.
 * \param options      NULL: all defaults.
 * \returns 0: all went well; or what submitting returns (above); or, of the first item that failed, what mp_pool_apply returns;
 *   all others were run.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     as mp_pool_apply.
 * \python        Pool.map(func, iterable, chunksize)
 */
MP_NODISCARD MP_API int mp_pool_map(mp_pool pool, mp_task_function function, const void *inputs, size_t input_size,
                                    void *outputs, size_t output_size, size_t count, const mp_call_options *options);

/** One of several inputs of a task. */
typedef struct mp_column {
    const void *items; /**< one behind the other */
    size_t item_size;  /**< bytes of one */
} mp_column;

/**
 * The same with several inputs for each task: task->inputs.
 *
 * \param pool          who does it.
 * \param function      the task.
 * \param columns       where the inputs are.
 * \param column_count  1 to MP_COLUMNS_MAX.
 * \param outputs       receives the outputs, as of mp_pool_map.
 * \param output_size   bytes of an output.
 * \param count         items in each column.
 * \param options       NULL: all defaults.
 * \returns as mp_pool_map.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     as mp_pool_apply.
 * \python        Pool.starmap(func, iterable, chunksize)
 */
MP_NODISCARD MP_API int mp_pool_starmap(mp_pool pool, mp_task_function function, const mp_column *columns,
                                        size_t column_count, void *outputs, size_t output_size, size_t count,
                                        const mp_call_options *options);

/**
 * Submit a task.
 *
 * \param pool         who shall do it.
 * \param result       receives what its output can be got from. NULL: nobody will ask.
 * \param function     the task.
 * \param input        its input, which is copied, unless it lies in shared memory; may be NULL if input_size is 0.
 * \param input_size   bytes.
 * \param output_size  bytes that the task finds for its output; it may make that fewer, and, by mp_task_reserve, more.
 * \param options      NULL: all defaults.
 * \returns 0, or what submitting returns (above).
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Pool.apply_async(func, args)
 */
MP_NODISCARD MP_API int mp_pool_apply_async(mp_pool pool, mp_result *result, mp_task_function function,
                                            const void *input, size_t input_size, size_t output_size,
                                            const mp_call_options *options);

/**
 * Submit a task for each item of an array. options.outcomes is for the calls that wait: here mp_result_outcome tells.
 *
 * \param pool         who shall do it.
 * \param result       receives what the outputs can be got from, all together. NULL: nobody will ask.
 * \param function     the task.
 * \param inputs       the items, as of mp_pool_map; copied, unless they lie in shared memory.
 * \param input_size   bytes of an item.
 * \param output_size  bytes of an output.
 * \param count        items; 0: the result is there at once.
 * \param options      NULL: all defaults.
 * \returns 0, or what submitting returns (above).
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Pool.map_async(func, iterable, chunksize)
 */
MP_NODISCARD MP_API int mp_pool_map_async(mp_pool pool, mp_result *result, mp_task_function function,
                                          const void *inputs, size_t input_size, size_t output_size, size_t count,
                                          const mp_call_options *options);

/**
 * Submit a starmap: mp_pool_map_async with several inputs for each task.
 *
 * \param pool          who shall do it.
 * \param result        receives what the outputs can be got from, all together. NULL: nobody will ask.
 * \param function      the task.
 * \param columns       where the inputs are; copied, unless they lie in shared memory.
 * \param column_count  1 to MP_COLUMNS_MAX.
 * \param output_size   bytes of an output.
 * \param count         items in each column; 0: the result is there at once.
 * \param options       NULL: all defaults.
 * \returns 0, or what submitting returns (above).
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        Pool.starmap_async(func, iterable, chunksize)
 */
MP_NODISCARD MP_API int mp_pool_starmap_async(mp_pool pool, mp_result *result, mp_task_function function,
                                              const mp_column *columns, size_t column_count, size_t output_size,
                                              size_t count, const mp_call_options *options);

/**
 * Get what a task has put out, waiting for it. It stays, and can be got again, until the result is destroyed.
 *
 * \param result      of the task, or of all of a map.
 * \param outputs     receives the outputs of all items, one behind the other; those of items that failed are left alone. May be
 *                    NULL if capacity is 0.
 * \param capacity    bytes there.
 * \param size        receives how many there are. NULL: exactly `capacity` are expected.
 * \param timeout_ms  milliseconds; 0 or less polls, MP_FOREVER waits for ever.
 * \returns 0, or, of the first item that failed, what mp_pool_apply returns; or
 *   MP_ETIMEDOUT  the result is not there yet: then mp_result_ready is 0, which tells it from a task that took too long;
 *   MP_EMSGSIZE   there are more, or fewer and size is NULL; size, if not NULL, says how many;
 *   MP_EINVAL     outputs is NULL, and capacity is not 0.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        AsyncResult.get(timeout)
 */
MP_NODISCARD MP_API int mp_result_get(mp_result result, void *outputs, size_t capacity, size_t *size,
                                      int64_t timeout_ms);

/**
 * Wait until a result is there. mp_wait waits for one of many, mp_wait_fd gives a descriptor for an event loop.
 *
 * \param result      which.
 * \param timeout_ms  milliseconds; 0 or less polls, MP_FOREVER waits for ever.
 * \returns 0, or MP_ETIMEDOUT (it is not).
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        AsyncResult.wait(timeout)
 */
MP_API int mp_result_wait(mp_result result, int64_t timeout_ms);

/**
 * Wait until all of them are there.
 *
 * \param results     which.
 * \param count       how many.
 * \param timeout_ms  milliseconds, for all of them together; 0 or less polls, MP_FOREVER waits for ever.
 * \returns 0, or MP_ETIMEDOUT, or MP_EINVAL (results is NULL, and count is not 0).
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        for r in results: r.wait()
 */
MP_NODISCARD MP_API int mp_result_wait_all(const mp_result *results, size_t count, int64_t timeout_ms);

/**
 * Whether a result is there.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        AsyncResult.ready()
 */
MP_API int mp_result_ready(mp_result result);

/**
 * Whether all went well.
 *
 * \returns 1, 0 (something failed), or MP_EBUSY: it is not there yet.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        AsyncResult.successful()
 */
MP_API int mp_result_successful(mp_result result);

/**
 * How one item of it ended.
 *
 * \param result   what it is a part of.
 * \param index    of the item.
 * \param outcome  receives it.
 * \returns 0, or
 *   MP_EBUSY   the result is not there yet;
 *   MP_EINVAL  there is no such item, or outcome is NULL.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        none: the first failure is raised
 */
MP_API int mp_result_outcome(mp_result result, size_t index, mp_outcome *outcome);

/**
 * Cancel what is not done of it: items that nobody has begun are not, and workers that run one are killed and replaced. The
 * result is there when those have ended, in a moment. One that is there is left alone.
 *
 * \returns 1 (something was cancelled), 0 (it was there), or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Future.cancel(), and for running ones none
 */
MP_API int mp_result_cancel(mp_result result);

/**
 * Forget a result. What is not done yet is done all the same, before what was submitted later; cancel it before, if it shall
 * not be. Who waits for it is told MP_EBADHANDLE.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once. If it is another one than the submitter of a call with callbacks, what that
 *                has noted for them stays until the pool is destroyed.
 * \python        del result
 */
MP_API int mp_result_destroy(mp_result result);

/**
 * Ask what a pool has done so far, all its submitters together.
 *
 * \param pool      the pool.
 * \param progress  receives it.
 * \returns 0, or MP_EINVAL (progress is NULL).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        none
 */
MP_API int mp_pool_progress(mp_pool pool, mp_progress *progress);

/** One of its workers. */
typedef struct mp_worker {
    mp_process process;  /**< it is not the caller's child */
    size_t tasks;        /**< run by it, in blocks that are complete */
    double busy_seconds; /**< in those */
} mp_worker;

/**
 * Ask who works for a pool.
 *
 * \param pool      the pool.
 * \param workers   receives as many as fit.
 * \param capacity  how many that are; workers may be NULL if it is 0.
 * \param count     receives how many there are.
 * \returns 0, or MP_EINVAL (count is NULL; or workers, and capacity is not 0).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Pool._pool
 */
MP_API int mp_pool_workers(mp_pool pool, mp_worker *workers, size_t capacity, size_t *count);

/**
 * Where the inputs of an imap come from. It is called by mp_imap_next, in the process and the thread that calls that.
 *
 * It may use libmp, and destroy its own imap, but not ask that for an item.
 *
 * \param state  as it was given to mp_pool_imap.
 * \param input  receives one input; it is copied before the next call.
 * \returns 1: there is one; 0: there are no more; MP_ETIMEDOUT: there is none now, ask again later; or another negative number:
 *   a failure, which mp_imap_next returns after the items before it.
 */
typedef int (*mp_source)(void *state, mp_bytes *input);

/** An array as mp_source_array reads it. */
typedef struct mp_items {
    const void *items; /**< one behind the other; NULL: the inputs have no bytes, only an index */
    size_t item_size;  /**< bytes of one */
    size_t count;      /**< that are left */
} mp_items;

/**
 * A source: the items of an array.
 *
 * \param items  an mp_items, of which what was read is taken away; so each imap needs one of its own.
 * \param input  receives an item.
 * \returns 1, 0 (there are no more), or MP_EINVAL (one of them is NULL).
 *
 * \threadsafety  any thread; one at a time for the same items.
 * \processes     any.
 * \python        iter(list)
 */
MP_API int mp_source_array(void *items, mp_bytes *input);

/**
 * A source: the lines of a file, of any length.
 *
 * \param file   a FILE *, open for reading.
 * \param input  receives a line without its end ("\n" or "\r\n"); there is a 0 behind its `size` bytes. The memory is this
 *               thread's, for whatever file, until its next call.
 * \returns 1, 0 (there are no more), MP_EINVAL (one of them is NULL), MP_ENOMEM (no memory for the line) or MP_ESYSTEM (it
 *   could not be read). A signal does not end it.
 *
 * \threadsafety  any thread; one at a time for the same file.
 * \processes     any.
 * \python        iter(file)
 */
MP_API int mp_source_lines(void *file, mp_bytes *input);

/** An imap that is going on; it belongs to the process that has made it. */
typedef struct mp_imap mp_imap;

/** One of its items. The bytes are valid until the next call with the imap. */
typedef struct mp_item {
    size_t index;       /**< of its input, from 0 on */
    mp_bytes input;     /**< with a 0 behind it */
    mp_bytes output;    /**< of any size (mp_task_reserve); data is NULL if it failed */
    mp_outcome outcome; /**< how it has ended */
} mp_item;

/**
 * Run a task for each of many inputs, and return the items one after the other, in the order of their inputs.
 *
 * The source is read as far ahead as options.read_ahead says, and no further, however many inputs there are. One that is slow,
 * a terminal or a pipe, is not asked again while an item is there; one that waits for what becomes of its last input needs a
 * read_ahead of 1. A task sees an input with a 0 behind it, aligned to 16 bytes. This call itself reads nothing. A pool that is
 * closed afterwards does what the imap has not read yet, too.
 *
 * \param pool         who does it.
 * \param imap         receives it: mp_imap_destroy.
 * \param function     the task.
 * \param source       the inputs: mp_source_array, mp_source_lines, or a function of yours.
 * \param state        for the source; it stays the caller's, who keeps it until the imap is destroyed.
 * \param output_size  bytes that a task finds for its output; it may put out fewer, and, by mp_task_reserve, more.
 * \param options      NULL: all defaults. Callbacks are for other calls: MP_EINVAL.
 * \returns 0, MP_ECLOSED, MP_EINIT, MP_ENOMEM, MP_ELIMIT or MP_EBADHANDLE (options.stop) as above, or MP_EINVAL: imap, function
 *   or source is NULL, or the state of one of the sources above; an option out of its range; callbacks.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Pool.imap(func, iterable, chunksize)
 */
MP_NODISCARD MP_API int mp_pool_imap(mp_pool pool, mp_imap **imap, mp_task_function function, mp_source source,
                                     void *state, size_t output_size, const mp_call_options *options);

/**
 * The same, in the order in which they are done.
 *
 * \param pool         who does it.
 * \param imap         receives it: mp_imap_destroy.
 * \param function     the task.
 * \param source       the inputs.
 * \param state        for the source.
 * \param output_size  bytes that a task finds for its output.
 * \param options      NULL: all defaults.
 * \returns as mp_pool_imap.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Pool.imap_unordered(func, iterable, chunksize)
 */
MP_NODISCARD MP_API int mp_pool_imap_unordered(mp_pool pool, mp_imap **imap, mp_task_function function,
                                               mp_source source, void *state, size_t output_size,
                                               const mp_call_options *options);

/**
 * The next item, waiting for it, and reading the source as far as there is room.
 *
 * \param imap        the imap.
 * \param item        receives it.
 * \param timeout_ms  milliseconds; 0 or less polls, MP_FOREVER waits for ever. It is asked between two calls of the source,
 *                    which may take longer.
 * \returns 1: an item, which may have failed: item->outcome; 0: there are no more; or, when all items have been returned, those
 *   that were not begun as MP_ECANCELED, and again with each further call,
 *   what the source has returned, if that is negative; MP_EINVAL: its input is NULL, and has a size;
 *   MP_ECANCELED   options.stop was set: the source was read no further;
 *   MP_ECLOSED     the pool was terminated; MP_EINIT likewise;
 *   MP_ENOTARGET, MP_ESTALE, MP_ENOTSUP, MP_ESYSTEM: as submitting (above);
 *   MP_EBADHANDLE  the pool was destroyed;
 *   or, and it may go on,
 *   MP_ETIMEDOUT   there is no item yet; or the source said so, and there is nothing else to wait for;
 *   MP_ENOMEM      the arena, or the machine, has not the memory for an input (that of the source itself ends the imap);
 *   MP_EBUSY       it was called by its own source, or in a callback that runs in it;
 *   MP_ENOTOWNER   it is another process's;
 *   MP_EINVAL      imap or item is NULL.
 *
 * \threadsafety  any thread, one at a time.
 * \processes     the one that has made it.
 * \python        next(iterator), iterator.next(timeout)
 */
MP_NODISCARD MP_API int mp_imap_next(mp_imap *imap, mp_item *item, int64_t timeout_ms);

/**
 * End an imap, and free it. What it has submitted, and nobody has begun, is not run. NULL is nothing to be ended. Its own
 * source, or a callback in its mp_imap_next, may do so: that returns MP_ECANCELED then.
 *
 * \param imap  the imap.
 *
 * \threadsafety  any thread, one at a time.
 * \processes     the one that has made it; a copy of it, made by fork, frees the copy.
 * \python        del iterator
 */
MP_API void mp_imap_destroy(mp_imap *imap);

MP_END

#endif
