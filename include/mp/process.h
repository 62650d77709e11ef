/* SPDX-License-Identifier: MIT
 *
 * mp/process.h - processes: start them, wait for them, end them.
 *
 *     static int work(void *args)
 *     {
 *         const int *number = args;
 *         return *number % 2;
 *     }
 *
 *     int main(void)
 *     {
 *         mp_freeze_support();
 *         int number = 42, exit_code;
 *         mp_process process;
 *         MP_CHECK(mp_process_start(&process, work, &number, sizeof number, NULL));
 *         MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
 *         mp_process_close(process);
 *         return exit_code;
 *     }
 *
 * At the end of a process (return from main, exit, return from its target) its daemon children are ended and the others
 * are joined. A process that leaves by _exit, exec, abort or a signal does neither: its daemons are killed then, by the system
 * or by the family's janitor, and the others go on.
 *
 * The first start in a family also starts its janitor: one small process, seen as mp-janitor, that looks after the deaths
 * that nobody waits for, and ends with the family.
 *
 * A child's standard input is the null device. Fork copies everything else; spawn and forkserver pass on standard
 * output and error, the environment, the working directory, the umask, the signal mask and the resource limits of the
 * moment, and no descriptor but those in options.keep.
 */
#ifndef MP_PROCESS_H
#define MP_PROCESS_H

#include <mp/error.h>
#include <mp/family.h>
#include <mp/handle.h>
#include <stdbool.h>

MP_BEGIN

/** What a child runs.
 *
 * args is the child's own copy of the bytes given to mp_process_start, aligned for any type, NULL if there were none.
 * The value returned is the exit code, all 32 bits of it on every platform. Under spawn and forkserver it may be any
 * function that lies in the program or in a shared library, static ones included. */
typedef int (*mp_target)(void *args);

/** How to start. All zero is all defaults; everything is copied during the call. */
typedef struct mp_process_options {
    const char *name;               /**< for people; copied, up to 255 bytes. NULL: "Process-N", in a child of it
                                         "Process-N:M" */
    mp_start_method method;         /**< the default of this process */
    bool daemon;                    /**< ended, not joined, when its parent ends: by mp_process_terminate, and a second
                                         later by mp_process_kill; by that at once if the parent does not end in order. Its
                                         own children are no daemons, and go on */
    const char *working_directory;  /**< the parent's, now */
    const char *const *environment; /**< ends with NULL; "NAME=value" or "NAME" (removed), applied to the parent's */
    const mp_fd *keep;              /**< descriptors the child shall have too, under the same number */
    size_t keep_count;              /**< how many */
} mp_process_options;

/**
 * Start a process.
 *
 * It does not wait for the child to get anywhere. The parent's stdout and stderr are flushed first.
 *
 * \param process    receives the process. NULL: nobody will join it, its record goes when it ends; it is still joined,
 *                   or ended if it is a daemon, at the parent's exit.
 * \param target     what it runs.
 * \param args       bytes for the target, with handles in them if you like, but no pointers; NULL if args_size is 0.
 * \param args_size  their number; any.
 * \param options    NULL: all defaults.
 * \returns 0, or
 *   MP_EINVAL     target is NULL, args is NULL and its size is not 0, no such method, a name that is empty, longer than
 *                 255 bytes or has control characters in it, a variable without a name, keep is NULL and keep_count is
 *                 not 0, a descriptor to keep that is not open;
 *   MP_ENOMEM     no room for arguments or records, or none for another process;
 *   MP_ELIMIT     no more processes or descriptors allowed to this user, process, or family;
 *   MP_EPERM      the system refuses; also spawn and forkserver in a program that is setuid;
 *   MP_ENOTSUP    no such start method here, or too little of /proc, or the program was started by a dynamic linker on its
 *                 command line;
 *   MP_ENOTARGET  spawn, forkserver: target lies in no module that a child can load (a nested function, JIT code), or in
 *                 this program, when mp_set_executable() has chosen another;
 *   MP_ESTALE     spawn, forkserver: the library target lies in was replaced on disk since it was loaded; on Windows
 *                 also: the program was;
 *   MP_ENOFREEZE  spawn, forkserver: the program did not call mp_freeze_support() at the start of main;
 *   MP_EINIT      forkserver: the preload function failed, or the server ended in it;
 *   MP_ESYSTEM    anything else the system said.
 *
 * \threadsafety  any thread, any number at once. MP_FORK in a process with threads is as unsafe as fork.
 * \processes     any process of the family, children included.
 * \python        Process(target=, args=, name=, daemon=).start()
 */
MP_NODISCARD MP_API int mp_process_start(mp_process *process, mp_target target, const void *args, size_t args_size,
                                         const mp_process_options *options);

/**
 * Wait for a process to end.
 *
 * May be called again; after success it returns at once. A signal handler that runs meanwhile does not end the wait.
 *
 * What the process held by its descriptors (file locks, ports, pipes) is free then. Of a fork server's child the system
 * may still be taking down the memory.
 *
 * \param process     the process.
 * \param exit_code   receives what its target returned, or what it gave to exit (its lowest 8 bits on POSIX), or -N if
 *                    signal N killed it. NULL: anything but 0 is MP_EEXIT.
 * \param timeout_ms  milliseconds; 0 or less polls, MP_FOREVER waits for ever.
 * \returns 0, or
 *   MP_ETIMEDOUT  still running when the time ended;
 *   MP_EEXIT      it ended with another exit code than 0, and exit_code is NULL; mp_error_detail() tells how;
 *   MP_EDEADLK    the caller is the process;
 *   MP_ESTALE     the child found another build of the target's library than its parent had; it has run nothing;
 *   MP_ENOTARGET  the child could not load the target's library; it has run nothing;
 *   MP_ENOMEM     the child had no memory for its arguments; it has run nothing;
 *   MP_ELIMIT     it had no descriptor for its standard input; it has run nothing;
 *   MP_EPERM, MP_ESYSTEM  also: the child could not change its directory or open the null device; it has run nothing;
 *   MP_ESYSTEM    it has ended, and how is lost: its target did not return, mp_process_kill() was not called, and somebody
 *                 else than libmp has reaped it (waitpid(-1), SIGCHLD ignored; the system, after its parent's death); or its
 *                 parent was killed while it started it;
 *   MP_ENOFREEZE  the program that mp_set_executable() chose has ended without becoming the child: it does not begin
 *                 with mp_freeze_support(), or is linked with another build of libmp.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family. On systems other than Linux and Windows only its parent can see that it was
 *                killed: others learn of that when the parent next starts, or waits for, any child.
 * \python        Process.join(timeout), and .exitcode
 */
MP_API int mp_process_join(mp_process process, int *exit_code, int64_t timeout_ms);

/**
 * Wait for many processes to end.
 *
 * \param processes   the processes.
 * \param exit_codes  receives one code each. NULL: MP_EEXIT as soon as one has ended with anything but 0, although
 *                    others run: they may be waiting for it.
 * \param count       their number; 0 is success at once.
 * \param timeout_ms  for all of them together; as for mp_process_join.
 * \returns 0, or as mp_process_join, or MP_EINVAL (processes is NULL and count is not 0), or MP_ENOMEM also: no memory for
 *   the codes. exit_codes is untouched unless all have ended.
 *
 * \threadsafety  any thread, any number at once.
 * \processes     any process of the family.
 * \python        for p in processes: p.join()
 */
MP_API int mp_process_join_all(const mp_process *processes, int *exit_codes, size_t count, int64_t timeout_ms);

/**
 * Whether a process still runs.
 *
 * \returns 1 (runs), 0 (has ended), or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Process.is_alive()
 */
MP_API int mp_process_is_alive(mp_process process);

/**
 * How a process ended, without waiting.
 *
 * \param process    the process.
 * \param exit_code  receives it, as from mp_process_join.
 * \returns 0, or MP_EBUSY (it runs), MP_EINVAL (exit_code is NULL), or as mp_process_join: MP_ESTALE, MP_ENOTARGET,
 *   MP_ENOMEM, MP_ELIMIT, MP_EPERM, MP_ESYSTEM, MP_ENOFREEZE.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Process.exitcode
 */
MP_API int mp_process_exitcode(mp_process process, int *exit_code);

/**
 * Send a process SIGINT. One that has ended is left alone, and that is success.
 *
 * \returns 0, or MP_EPERM, MP_ESYSTEM, or MP_ENOTSUP (Windows has no such thing; or it was started in another
 *          pid namespace).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, the process itself included.
 * \python        Process.interrupt()
 */
MP_API int mp_process_interrupt(mp_process process);

/**
 * Send a process SIGTERM; on Windows, end it with exit code -15. One that has ended is left alone, and that is success.
 * Its own children go on, but for its daemons.
 *
 * \returns 0, or MP_EPERM, MP_ESYSTEM, MP_ENOTSUP (it was started in another pid namespace).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, the process itself included.
 * \python        Process.terminate()
 */
MP_API int mp_process_terminate(mp_process process);

/**
 * Send a process SIGKILL; on Windows, end it with exit code -9. As mp_process_terminate otherwise.
 *
 * \returns 0, or MP_EPERM, MP_ESYSTEM, MP_ENOTSUP (it was started in another pid namespace).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, the process itself included.
 * \python        Process.kill()
 */
MP_API int mp_process_kill(mp_process process);

/**
 * Forget a process that has ended: its record goes, its handles name nothing from now on.
 *
 * \returns 0, or MP_EBUSY (it runs).
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        Process.close()
 */
MP_API int mp_process_close(mp_process process);

/**
 * The system's number of a process.
 *
 * \returns it, also when the process has ended; 0 if it is not known here: the process was started in another pid namespace.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Process.pid
 */
MP_API int64_t mp_process_pid(mp_process process);

/**
 * The name of a process.
 *
 * \returns UTF-8 in the arena, valid until the process is closed; NULL if the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Process.name
 */
MP_API const char *mp_process_name(mp_process process);

/**
 * The process that started a process.
 *
 * \returns it, {0} if it was founder of the family, or has been closed, or the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        none
 */
MP_API mp_process mp_process_parent(mp_process process);

/**
 * Whether a process was started as a daemon.
 *
 * \returns 1, 0, or an error.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Process.daemon
 */
MP_API int mp_process_is_daemon(mp_process process);

/**
 * The process that calls. One that libmp did not start (the founder, or a child of a plain fork()) has a handle, too;
 * the record of such a child goes when it has ended and the family is short of records.
 *
 * \returns it; {0} if there is no family and none can be founded.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        current_process()
 */
MP_API mp_process mp_current_process(void);

/**
 * The process that started the caller.
 *
 * \returns it; {0} in the founder of the family, or when it has been closed.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        parent_process()
 */
MP_API mp_process mp_parent_process(void);

/**
 * The children of the caller that still run, in the order in which they were started. Those that have ended are reaped;
 * they keep their exit codes. Children that were started without a handle are among them: the record of such a one goes with
 * its end, and a call with its handle may then be MP_EBADHANDLE.
 *
 * \param children  receives as many as fit; may be NULL if capacity is 0.
 * \param capacity  room in it.
 * \param count     receives the number of all of them, whatever fitted.
 * \returns 0, or MP_EINVAL.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        active_children()
 */
MP_API int mp_active_children(mp_process *children, size_t capacity, size_t *count);

MP_END
#endif
