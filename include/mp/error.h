/* SPDX-License-Identifier: MIT
 *
 * mp/error.h - results: how every function of libmp says whether it worked.
 *
 * One rule for every function that returns int, unless its comment says otherwise: negative is a failure, outputs are
 * untouched and nothing is held; anything else is success. Success is 0, except where a function answers a question
 * (1 yes, 0 no), returns a number, or has a remark: MP_OWNERDEAD. So test `< 0`, or let MP_CHECK do it.
 *
 * An optional output that is NULL means "I expect the plain case": any other case is then an error (join without an
 * exit_code fails unless the process ended with 0).
 *
 * Functions return, all but mp_freeze_support() in a child. Only the macros in capitals (MP_CHECK, MP_WITH_LOCK, MP_VALUE,
 * MP_ARRAY) end the process.
 *
 * No call may be made by a signal handler unless its comment says so.
 *
 *     int result = mp_lock_acquire(lock, 1000);
 *     if (result == MP_ETIMEDOUT) return try_later();
 *     if (result < 0) fprintf(stderr, "%s\n", mp_error_detail());
 */
#ifndef MP_ERROR_H
#define MP_ERROR_H

#include <mp/compiler.h>

/** All errors, each as X(name, number, sentence).
 *
 * Below -1000: a target may return one as its exit code, and -N stays "killed by signal N". The numbers are the same
 * on every platform and never change.
 *
 * What is larger than the whole arena is MP_EINVAL for a value, an array or a block, MP_EMSGSIZE for a message or an item
 * of a queue, and MP_ENOMEM elsewhere. */
#define MP_ERRORS(X)                                                                      \
    X(MP_EINVAL, -1001, "an argument is not acceptable")                                  \
    X(MP_EBADHANDLE, -1002, "the handle is of another type, destroyed, or was never one") \
    X(MP_ENOMEM, -1003, "out of memory, in this process or in the arena")                 \
    X(MP_ETIMEDOUT, -1004, "the time ended first")                                        \
    X(MP_ECLOSED, -1005, "closed")                                                        \
    X(MP_EPEERDEAD, -1006, "nobody is left who could answer")                             \
    X(MP_EMSGSIZE, -1007, "it does not fit; nothing was moved")                           \
    X(MP_ENOTOWNER, -1008, "not the caller's")                                            \
    X(MP_EDEADLK, -1009, "waiting would close a circle of waiters")                       \
    X(MP_EOVERFLOW, -1010, "released, or reported done, more often than taken")           \
    X(MP_EBROKEN, -1011, "the barrier is broken")                                         \
    X(MP_EBUSY, -1012, "not now: in use, running, or not there yet")                      \
    X(MP_ENOTSUP, -1013, "not available on this platform")                                \
    X(MP_ESTALE, -1014, "the program or library on disk is another build")                \
    X(MP_ENOTARGET, -1015, "the function lies in no module that the child can load")      \
    X(MP_ENOFREEZE, -1016, "mp_freeze_support() is missing at the start of main()")       \
    X(MP_ELIMIT, -1017, "a limit on processes, threads, objects or descriptors")          \
    X(MP_EPERM, -1018, "the system does not permit it")                                   \
    X(MP_ETASK, -1019, "the task returned something else than 0")                         \
    X(MP_EWORKERDEAD, -1020, "the worker died while it ran the task")                     \
    X(MP_ECANCELED, -1021, "cancelled")                                                   \
    X(MP_EEXIT, -1022, "the process ended with another exit code than 0")                 \
    X(MP_EINIT, -1023, "an initializer or preload function failed")                       \
    X(MP_ESYSTEM, -1024, "the operating system failed; mp_error_detail() says how")

/** Every result below 0, and MP_OWNERDEAD. */
enum mp_error_code {
/** \cond */
#define MP_ENUMERATOR(name, value, text) name = value,
    MP_ERRORS(MP_ENUMERATOR)
#undef MP_ENUMERATOR
    /** \endcond */
    MP_OWNERDEAD = 1 /**< success with a remark: the lock is held, but its last owner died holding it */
};

MP_BEGIN

/**
 * The sentence that belongs to a result.
 *
 * \param code  any result of libmp; 0 and MP_OWNERDEAD have sentences, too.
 * \returns a static string, never NULL; "an unknown result" for a number that is none of libmp's.
 *
 * \threadsafety  any thread; async-signal-safe.
 * \processes     any.
 * \python        str(exception)
 */
MP_API const char *mp_strerror(int code);

/**
 * The name of a result: "MP_ETIMEDOUT".
 *
 * \param code  any result of libmp; that of 0 is "0".
 * \returns a static string, never NULL; "?" for a number that is none of libmp's.
 *
 * \threadsafety  any thread; async-signal-safe.
 * \processes     any.
 * \python        type(exception).__name__
 */
MP_API const char *mp_error_name(int code);

/**
 * What went wrong in this thread's last failing call: the call, the object, what the operating system said, and what to
 * do about it. One line without a newline.
 *
 * \returns this thread's text, valid until its next failing call; "" before the first one. Never NULL. Not changed by
 *   calls that succeed.
 *
 * \threadsafety  each thread has its own.
 * \processes     any.
 * \python        the exception's message
 */
MP_API const char *mp_error_detail(void);

/**
 * MP_CHECK(call): the value of the call, if it succeeded; otherwise a message on stderr and the end of this process
 * with exit code 1. The children that it has started itself are ended first. For programs and targets; libraries test
 * the result.
 *
 *     size_t n = (size_t)MP_CHECK(mp_barrier_parties(barrier));
 */
#define MP_CHECK(call) mp_check((call), #call, __FILE__, __LINE__)

/** What MP_CHECK calls. */
MP_API int mp_check(int result, const char *call, const char *file, int line);

/** The same where NULL is the failure, for MP_VALUE and MP_ARRAY. */
MP_API void *mp_check_data(void *data, const char *call, const char *file, int line);

MP_END
#endif
