/* SPDX-License-Identifier: MIT
 *
 * mp/family.h - what concerns the family of processes as a whole.
 *
 * The first call that needs one makes a family of one; every process started through libmp joins it, wherever it is started
 * from. A family has one shared memory, the arena, in which every lock, value and process record lies. It has no name
 * and is no file: whatever way the family ends, nothing is left behind.
 *
 *     int main(void)
 *     {
 *         mp_freeze_support();                                    // a spawned child goes no further
 *         MP_CHECK(mp_configure(&(mp_config){.arena_bytes = 64 << 20}));
 *         MP_CHECK(mp_set_start_method(MP_SPAWN));
 *         return run();
 *     }
 */
#ifndef MP_FAMILY_H
#define MP_FAMILY_H

#include <mp/compiler.h>

MP_BEGIN

/** How a process comes to be. */
typedef enum mp_start_method {
    MP_DEFAULT = 0, /**< what mp_get_start_method() says */
    MP_FORK,        /**< a copy of the parent: fast from a small parent, not safe once it has threads */
    MP_SPAWN,       /**< the program anew: slow, clean, the same on every platform */
    MP_FORKSERVER   /**< a copy of a small clean process made for that: fast, and safe with threads */
} mp_start_method;

/** Limits of a family. A field that is 0 has its default. */
typedef struct mp_config {
    uint64_t arena_bytes;   /**< what may be allocated; address space, not memory. Default: 1 TiB, less where the
                                 system gives less. It is rounded up, and at least 1 MiB */
    uint32_t max_processes; /**< alive at once, or ended and not closed. Default: 32768 */
    int64_t spin_ns; /**< how long to look before sleeping; -1: never. Default: up to 20 us, learnt by each thread */
} mp_config;

/** What a family uses at the moment. */
typedef struct mp_stats {
    uint64_t bytes_used;     /**< in blocks, their rounding included */
    uint64_t bytes_reserved; /**< memory that the arena has from the system */
    uint64_t blocks;         /**< allocated: of all that has bytes: values, mp_blocks, messages, queues */
    uint32_t processes;      /**< alive, the caller included */
    uint32_t records;        /**< of processes that have ended and are not closed */
    uint32_t threads;        /**< that have used libmp and still run */
    uint32_t locks;          /**< objects that are not destroyed, as all that follow */
    uint32_t rlocks;         /**< those of values, arrays and conditions included */
    uint32_t semaphores;     /**< of both kinds */
    uint32_t conditions;     /**< mp_condition */
    uint32_t events;         /**< mp_event */
    uint32_t barriers;       /**< mp_barrier */
    uint32_t values;         /**< mp_value */
    uint32_t arrays;         /**< mp_array */
    uint32_t shared_blocks;  /**< made by mp_block_create */
    uint32_t messages;       /**< owned by a process, or in a queue or a pipe; not those put as bytes and small */
    uint32_t queues;         /**< mp_queue */
    uint32_t connections;    /**< ends of pipes that are not closed */
    uint32_t pools;          /**< mp_pool */
    uint32_t results;        /**< of pools, those included that a pool has for itself */
} mp_stats;

/**
 * Run the target, in a process started by spawn or forkserver; return at once in any other.
 *
 * The first line of main, before threads are started: such a child is this program again, and comes by here to learn
 * that it is a child. There it does not return; the target's result becomes the exit code. Under spawn the atexit
 * handlers that were registered in the child run before that; a copy (fork, forkserver) leaves as by _exit when its
 * target returns, its stdout and stderr flushed.
 *
 * What a program does before this line it also does in each such child, in the fork server and in the janitor, which are this
 * program, too.
 *
 * A program that has made anything of libmp's before (a lock, a value, a process), or has started threads, is refused
 * at its first start by spawn or forkserver: MP_ENOFREEZE.
 *
 * \threadsafety  the main thread.
 * \processes     any.
 * \python        if __name__ == '__main__': freeze_support()
 */
MP_API void mp_freeze_support(void);

/**
 * Set the limits of the family that this process will found.
 *
 * \param config  copied; NULL or all zero is all defaults.
 * \returns 0, or
 *   MP_EBUSY   the family exists already: something of libmp was used before, or this process is a child;
 *   MP_EINVAL  a limit that can not be: over 1 TiB, over 1048576 processes, spin_ns below -1.
 *
 * \threadsafety  one thread, before the first use.
 * \processes     the first process of a family.
 * \python        none
 */
MP_NODISCARD MP_API int mp_configure(const mp_config *config);

/**
 * Count what the family uses.
 *
 * \param stats  receives the numbers. They are exact where nothing runs, and never torn where something does.
 * \returns 0, or MP_EINVAL (NULL), or what founding the family failed with (MP_ENOMEM, MP_ELIMIT, MP_ESYSTEM).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        none
 */
MP_API int mp_get_stats(mp_stats *stats);

#define MP_VERSION_MAJOR 0       /**< of the version of these headers */
#define MP_VERSION_MINOR 1       /**< likewise */
#define MP_VERSION_PATCH 0       /**< likewise */
#define MP_VERSION       "0.1.0" /**< the version of these headers */

/**
 * The version of the library that is running, which may be another one than MP_VERSION if it is shared.
 *
 * \returns a static string.
 *
 * \threadsafety  any thread.
 * \processes     any.
 * \python        multiprocessing has Python's
 */
MP_API const char *mp_version(void);

/**
 * Set how this process starts its children unless their options say otherwise. May be called again. A child begins with
 * the default of its parent.
 *
 * \param method  MP_DEFAULT: the platform's own (forkserver on Linux and the BSDs, spawn on Windows and macOS).
 * \returns 0, or MP_EINVAL, or MP_ENOTSUP: not on this platform (fork and forkserver on Windows).
 *
 * \threadsafety  any thread; later starts see it.
 * \processes     any; it concerns the caller and the children it starts later.
 * \python        set_start_method(method, force=True)
 */
MP_NODISCARD MP_API int mp_set_start_method(mp_start_method method);

/**
 * How this process starts its children.
 *
 * \returns the method; never MP_DEFAULT.
 *
 * \threadsafety  any thread.
 * \processes     any.
 * \python        get_start_method()
 */
MP_API mp_start_method mp_get_start_method(void);

/**
 * The start methods of this platform, its default first.
 *
 * \param count  receives their number; may be NULL.
 * \returns a static array.
 *
 * \threadsafety  any thread.
 * \processes     any.
 * \python        get_all_start_methods()
 */
MP_API const mp_start_method *mp_get_all_start_methods(size_t *count);

/**
 * "fork", "spawn", "forkserver" or "default".
 *
 * \param method  which.
 * \returns a static string; "?" for what is no start method.
 *
 * \threadsafety  any thread.
 * \processes     any.
 * \python        none: a method is its name
 */
MP_API const char *mp_start_method_name(mp_start_method method);

/**
 * Have the fork server call a function before it serves, so that its children find done what takes long: tables
 * computed, files read, libraries loaded. A server that runs already is given up; the next start launches another.
 *
 * \param preload  runs once in each server; anything but 0 from it fails the start that launched the server, with
 *   MP_EINIT. It must start no thread: fork would not copy it. NULL: nothing more.
 * \returns 0, or
 *   MP_ENOTSUP              no forkserver here, or the program was started by a dynamic linker on its command line;
 *   MP_ENOTARGET, MP_ESTALE as mp_process_start;
 *   MP_EPERM, MP_ESYSTEM    the library that it lies in can not be looked at.
 *
 * \threadsafety  any thread; later starts see it.
 * \processes     any; it concerns the caller and the children it starts later.
 * \python        set_forkserver_preload(modules)
 */
MP_API int mp_set_forkserver_preload(int (*preload)(void));

/**
 * Have spawn and forkserver start another program than this one: for a plug-in whose host is not its own. That program
 * calls mp_freeze_support() first in its main, and the targets lie in libraries that it can load.
 *
 * \param path  copied; NULL: this program again.
 * \returns 0, or MP_EINVAL (empty, or too long), MP_EPERM, MP_ESYSTEM (it can not be executed), or MP_ENOMEM.
 *
 * \threadsafety  any thread; later starts see it.
 * \processes     any; it concerns the caller only.
 * \python        set_executable(path)
 */
MP_NODISCARD MP_API int mp_set_executable(const char *path);

/**
 * The number of CPUs that this process may use: those in its affinity mask, or fewer where a cgroup's quota amounts to
 * fewer (rounded up).
 *
 * \returns the number, at least 1.
 *
 * \threadsafety  any thread.
 * \processes     any.
 * \python        os.process_cpu_count()
 */
MP_API int mp_cpu_count(void);

/** What is worth a line on stderr. */
typedef enum mp_log_level {
    MP_LOG_OFF = 0,
    MP_LOG_ERROR,   /**< something failed that no caller is told of */
    MP_LOG_WARNING, /**< something was put right: a fork server relaunched */
    MP_LOG_INFO,    /**< processes coming and going */
    MP_LOG_DEBUG    /**< every failing call, too */
} mp_log_level;

/**
 * Write what libmp does to stderr, one line each: "[INFO/MainProcess 4711] Process-1 started by spawn". Off at first.
 *
 * \param level  that much and no more.
 *
 * \threadsafety  any thread.
 * \processes     the whole family, from now on.
 * \python        log_to_stderr(level)
 */
MP_API void mp_log_to_stderr(mp_log_level level);

MP_END
#endif
