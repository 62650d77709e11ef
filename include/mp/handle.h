/* SPDX-License-Identifier: MIT
 *
 * mp/handle.h - the names of shared things.
 *
 * A handle is 64 bits that name the same object in every process of the family, under every start method. It is copied
 * like an int, stands in any struct, and travels in a child's arguments. All zero is no object. Each type is a struct
 * of its own, so the compiler catches a lock that is passed as an array.
 *
 * Every function that takes a handle can return MP_EBADHANDLE (what it named is destroyed, of another type, of another
 * family, or was never there); the other headers do not repeat it. The first call of a thread, and the first of a process
 * with a queue or a connection, notes that down: it can also return MP_ENOMEM or MP_ELIMIT (as many threads, processes or
 * objects as the family can have), and one that founds the family MP_ESYSTEM. The other headers do not repeat that either.
 *
 *     struct job { mp_lock lock; mp_array results; int first; };   // for a child: flat, with handles inside
 */
#ifndef MP_HANDLE_H
#define MP_HANDLE_H

#include <mp/compiler.h>

/** Any of those below. */
typedef struct mp_handle {
    uint64_t id; /**< 0: none */
} mp_handle;

/** A process: mp/process.h. */
typedef struct mp_process {
    uint64_t id; /**< 0: none */
} mp_process;
/** A lock: mp/sync.h. */
typedef struct mp_lock {
    uint64_t id; /**< 0: none */
} mp_lock;
/** A lock that its owner may take again: mp/sync.h. */
typedef struct mp_rlock {
    uint64_t id; /**< 0: none */
} mp_rlock;
/** A semaphore: mp/sync.h. */
typedef struct mp_semaphore {
    uint64_t id; /**< 0: none */
} mp_semaphore;
/** A condition: mp/sync.h. */
typedef struct mp_condition {
    uint64_t id; /**< 0: none */
} mp_condition;
/** An event: mp/sync.h. */
typedef struct mp_event {
    uint64_t id; /**< 0: none */
} mp_event;
/** A barrier: mp/sync.h. */
typedef struct mp_barrier {
    uint64_t id; /**< 0: none */
} mp_barrier;
/** A value in shared memory: mp/shared.h. */
typedef struct mp_value {
    uint64_t id; /**< 0: none */
} mp_value;
/** An array in shared memory: mp/shared.h. */
typedef struct mp_array {
    uint64_t id; /**< 0: none */
} mp_array;
/** A block of shared memory: mp/shared.h. */
typedef struct mp_block {
    uint64_t id; /**< 0: none */
} mp_block;
/** A queue: mp/queue.h. */
typedef struct mp_queue {
    uint64_t id; /**< 0: none */
} mp_queue;
/** One end of a pipe: mp/pipe.h. */
typedef struct mp_connection {
    uint64_t id; /**< 0: none */
} mp_connection;
/** A pool of workers: mp/pool.h. */
typedef struct mp_pool {
    uint64_t id; /**< 0: none */
} mp_pool;
/** What comes of something that was submitted to a pool: mp/pool.h. */
typedef struct mp_result {
    uint64_t id; /**< 0: none */
} mp_result;

/** What MP_HANDLE calls. */
static inline mp_handle mp_handle_of(uint64_t id)
{
    mp_handle handle;
    handle.id = id;
    return handle;
}

/** MP_HANDLE(lock): any handle as an mp_handle. */
#define MP_HANDLE(object) mp_handle_of((object).id)

MP_BEGIN

/**
 * What kind of object a handle names.
 *
 * \param handle  any 64 bits at all.
 * \returns the type's name without its prefix ("lock", "process", ...), a static string; NULL if it names nothing. An
 *   rlock that belongs to a value, an array or a condition is an "rlock", too.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        type(object).__name__
 */
MP_API const char *mp_handle_kind(mp_handle handle);

MP_END
#endif
