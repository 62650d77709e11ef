/* SPDX-License-Identifier: MIT
 *
 * os.h - everything that libmp asks of the operating system. Who ports libmp implements this file and needs no other.
 *
 * Shared by all functions unless one says otherwise:
 *   - They return 0, or the system's own error number (errno, GetLastError()), never a libmp code.
 *     mp_os_error_code() translates. Outputs are untouched on failure.
 *   - Deadlines are absolute, in nanoseconds of mp_os_now(); MP_OS_NEVER is none. One that has passed polls.
 *   - They are called from any thread, hold no lock while they wait, and know nothing of the arena.
 *   - Every descriptor or handle they open is not inherited by other programs that the process starts.
 *   - What waits is not ended by signal handlers.
 */
#ifndef MP_OS_H
#define MP_OS_H

#include <mp/compiler.h>
#include <mp/family.h>
#include <stdatomic.h>
#include <stdbool.h>

#define MP_OS_NEVER INT64_MAX

/* ---- errors ---------------------------------------------------------------------------------------------------- */

/* The libmp code for a system error: MP_ENOMEM, MP_ELIMIT, MP_EPERM, MP_ENOTSUP, MP_EINVAL or MP_ESYSTEM. */
int mp_os_error_code(int error);
/* The system's sentence for it, cut to fit, no newline. */
void mp_os_error_text(int error, char *text, size_t size);
/* "No such thing on this system", and "there is no such process any more". */
extern const int mp_os_enotsup, mp_os_egone;
/* Time was up. */
extern const int mp_os_etimedout;

/* ---- time and the machine -------------------------------------------------------------------------------------- */

/* Nanoseconds of a clock that never goes back and is the same in every process. */
int64_t mp_os_now(void);
void mp_os_sleep(int64_t nanoseconds);
/* Let another thread run, if one waits for this CPU. */
void mp_os_yield(void);
/* From now on whoever runs on a CPU stays there when this process is woken, as in batch processing; or no more. */
void mp_os_step_back(bool back);
/* CPUs this process may use: affinity and cgroup quota; at least 1. */
int mp_os_cpu_count(void);
/* Bytes that could be allocated now without driving the machine, or this process's cgroup, out of memory. UINT64_MAX
 * where that is unknown. */
uint64_t mp_os_memory_available(void);
/* The user this process acts for; the same number in all processes that may share an arena. */
uint64_t mp_os_user(void);
/* Whether the program runs with more privileges than who started it has (setuid). */
bool mp_os_elevated(void);
/* Unpredictable bytes. */
int mp_os_random(void *data, size_t size);
/* One line, in one piece, to stderr. */
void mp_os_write_stderr(const char *text, size_t size);
/* How wide the terminal is that stderr is; 0: it is none. */
int mp_os_stderr_width(void);

/* ---- what this system can do ------------------------------------------------------------------------------------ */

/* The ways to start a process here, the default first. */
const enum mp_start_method *mp_os_start_methods(size_t *count);

/* ---- process and thread ---------------------------------------------------------------------------------------- */

int64_t mp_os_pid(void);
/* Whether other threads run in this process. May err towards true. */
bool mp_os_threaded(void);
/* The number of threads of this process; 0 if it can not be told. */
int mp_os_thread_count(void);
/* Call `child` in the child of every fork() of this process from now on. */
int mp_os_on_fork(void (*child)(void));
/* Call `leave(record)` in each thread at its end, if it has set a record that is not NULL. Once a process. */
int mp_os_on_thread_exit(void (*leave)(void *record));
void mp_os_thread_record(void *record);
/* Call `finish(code)` when the process ends by exit() or return from main; `code` is its exit code, or -1 where the
 * system does not tell. */
int mp_os_on_exit(void (*finish)(int code));
/* End the process at once, with no handler run. */
_Noreturn void mp_os_exit_now(int code);
/* Write out what stdout and stderr have buffered. */
void mp_os_flush(void);
/* stdin becomes the null device, and whatever it had buffered is forgotten. */
int mp_os_stdin_null(void);

/* Become a service that runs until it ends itself: under that name, in no directory of the user's, out of reach of his
 * terminal, with no stream of his but stderr, and that only with `talks`, and no other descriptor but the segment's. A copy
 * of another process gives back what it has of that one's memory, as far as it can; this is all that runs in it. */
typedef struct mp_os_segment mp_os_segment;
void mp_os_become_service(const char *name, const mp_os_segment *segment, bool talks, bool copy);

/* A thread of libmp's own, in which no signal handler runs. *thread is for mp_os_thread_join: it has ended, with all that
 * threads do at their end. */
int mp_os_thread_start(void (*run)(void), intptr_t *thread);
void mp_os_thread_join(intptr_t thread);

/* ---- descriptors for event loops --------------------------------------------------------------------------------- */

/* What an event loop of the program's can watch: readable as long as it is raised (on Windows an event, which is set). To
 * raise or to lower it twice is as once. Should the program have closed it, nothing happens. Async-signal-safe, but the first
 * and the last. */
typedef struct mp_os_pollable {
    mp_fd fd;
    intptr_t other;
    uint64_t identity[2];
} mp_os_pollable;
int mp_os_pollable_create(mp_os_pollable *pollable);
void mp_os_pollable_raise(const mp_os_pollable *pollable);
void mp_os_pollable_lower(const mp_os_pollable *pollable);
void mp_os_pollable_close(const mp_os_pollable *pollable);

/* ---- the shared segment ---------------------------------------------------------------------------------------- */

/* Anonymous memory that can be handed to other processes. */
struct mp_os_segment {
    intptr_t handle;      /* descriptor or HANDLE; the number is the same in a child that was given it */
    uint64_t identity[2]; /* to notice that the program has closed it and the number means something else now */
    uint64_t size;
};

/* Create one of `*size` bytes, or fewer where limits or the system say so, but at least `least`; *size tells. No memory
 * is taken yet. */
int mp_os_segment_create(mp_os_segment *segment, uint64_t *size, uint64_t least);
/* Take over one that was handed to this process. */
int mp_os_segment_adopt(mp_os_segment *segment, intptr_t handle);
/* 0 while the handle is still the segment's; an error if the program has closed it. */
int mp_os_segment_check(const mp_os_segment *segment);
void mp_os_segment_close(mp_os_segment *segment);
/* Reserve address space for a whole segment, nothing accessible in it. Its first `window` bytes are what every process
 * uses: they may be placed so that the rest costs a process that does not use it as little as possible. */
int mp_os_reserve(const mp_os_segment *segment, uint64_t window, void **base);
void mp_os_unreserve(void *base, uint64_t size);
/* The unit of the offsets and sizes of the four below: where views may begin on Windows, and the largest page of any
 * processor that Linux runs on. */
#define MP_OS_GRANULARITY UINT64_C(65536)
/* Make a part of the segment accessible at base + offset. What is accessible already stays so, undisturbed for threads
 * that use it. */
int mp_os_segment_map(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size);
/* Take memory from the system for a part that is mapped, so that using it can not fail. It reads as zero at first; what
 * was taken before keeps its contents. */
int mp_os_segment_commit(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size);
/* Give it back. True: the part reads as zero from now on, and needs a commit again. False: nothing has changed. */
bool mp_os_segment_discard(const mp_os_segment *segment, void *base, uint64_t offset, uint64_t size);

/* ---- guards ---------------------------------------------------------------------------------------------------- */

/* A lock in shared memory, held for moments, whose next owner learns if the last one died with it. */
#define MP_OS_GUARD_SIZE 64
int mp_os_guard_init(void *guard);
/* In the same memory, zero at first, one for all guards: where who waits asks the others whether an owner is dead. On some
 * systems only its parent can tell, which may itself wait for another guard, whose owner waits for this one. */
struct mp_os_inquiry {
    _Atomic uint64_t asked, dead;
};
/* False: the last owner died, and what the guard protects may be half done. The caller has it now, puts
 * that right and then says so; should it die before that, the next one is told the same. */
bool mp_os_guard_acquire(void *guard, struct mp_os_inquiry *inquiry);
void mp_os_guard_repaired(void *guard);
void mp_os_guard_release(void *guard);

/* ---- sleeping -------------------------------------------------------------------------------------------------- */

/* Whether this system can sleep on a word in shared memory. If so, the next two work, and the four after them are not
 * called; if not, the other way round. */
bool mp_os_word_sleeps(void);
/* Sleep while *word is `value`, until woken, or the deadline: mp_os_etimedout. May return 0 for no reason. */
int mp_os_word_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline);
/* How many were woken. Async-signal-safe. */
uint32_t mp_os_word_wake(_Atomic uint32_t *word, uint32_t count);

/* A life: what a thread holds as long as it lives, so that others see at once when it has died, however large its process
 * is and whatever it was doing; and can sleep until then. Where words can be slept on only. MP_OS_LIFE_SIZE bytes in the
 * arena, aligned to 16. */
#define MP_OS_LIFE_SIZE 64
/* By the thread. An error: it can not be told from it that the thread is dead. */
int mp_os_life_begin(void *life);
void mp_os_life_end(void *life);
/* In a copy of the process: the lives of the original's thread are not this one's to end. */
void mp_os_life_forked(void);
/* Whether its thread has died. False may mean that it can not be told. */
bool mp_os_life_is_over(const void *life);
/* Whether its thread lives, for certain. False may mean that it can not be told. */
bool mp_os_life_lasts(const void *life);
/* Whether two that last are the same thread's; as far as can be told by those of one space of pids. */
bool mp_os_life_is_same(const void *one, const void *other);
/* As mp_os_word_wait, and only as long as each of those lives lasts, which they do, or did a moment ago. mp_os_enotsup, at
 * once: this system can not sleep on so much. Of all who sleep beside a life the system wakes one when it is over: who was
 * woken, or sees it, tells the others. */
#define MP_OS_LIVES_MOST 127
int mp_os_word_wait_beside(_Atomic uint32_t *word, uint32_t value, void *const *lives, size_t count, int64_t deadline);
void mp_os_life_tell(void *life);

/* A sleeper: something one thread sleeps on and others wake it by. It lies in the arena, MP_OS_SLEEPER_SIZE bytes,
 * aligned to 16; name is unique in the machine and survives as long as the thread. */
#define MP_OS_SLEEPER_SIZE 64
int mp_os_sleeper_init(void *sleeper, const uint64_t name[2]);
/* By the thread itself, at its end. */
void mp_os_sleeper_fini(void *sleeper);
/* Sleep until it was woken once more than it was waited for, or the deadline: mp_os_etimedout. */
int mp_os_sleeper_wait(void *sleeper, int64_t deadline);
void mp_os_sleeper_wake(void *sleeper, const uint64_t name[2]);

/* ---- other processes ------------------------------------------------------------------------------------------- */

/* A process seen from this one. For a child of this process it is filled when it is started and must be released; for
 * another one, see mp_os_process_open. */
typedef struct mp_os_process {
    int64_t pid;
    intptr_t handle; /* MP_OS_NO_HANDLE: none */
    bool child;      /* of this process, so that this process has to reap it */
    uint64_t birth; /* together with the pid names it once and for all; 0: not known, or not to be had cheaply (fork) */
} mp_os_process;
#define MP_OS_NO_HANDLE ((intptr_t)-1)

/* How a process ended, if that can be told: exit code, or -N for signal N. */
typedef struct mp_os_ending {
    bool known;
    int code;
} mp_os_ending;

/* Copy this process. 0 in both; *child tells: MP_OS_IN_CHILD in the copy. mp_os_enotsup where there is no such thing.
 */
#define MP_OS_IN_CHILD ((int64_t)0)
int mp_os_fork(mp_os_process *child);

/* A leash: processes that shall end when this one does, however that comes about; at once, and whoever else is dead. The
 * `hold` is this process's only; by `lead` it is handed to a new one, if it is not MP_OS_NO_HANDLE. */
typedef struct mp_os_leash {
    intptr_t hold, lead;
    uint64_t identity[2];
} mp_os_leash;
int mp_os_leash_create(mp_os_leash *leash);
/* 0 while the program has not closed it. */
int mp_os_leash_check(const mp_os_leash *leash);
/* In a copy of the process: it holds nobody; and it will not obey it, either. */
void mp_os_leash_drop(mp_os_leash *leash);
void mp_os_leash_shed(mp_os_leash *leash);
/* The exit code of what such an end ends, which a process that ends by itself may have, too. */
extern const int mp_os_leash_code;
/* By the new process: from here on. If its parent has ended already, so does it. */
void mp_os_leash_obey(intptr_t lead);

/* What a new program is started with. */
typedef struct mp_os_launch {
    const char *executable;         /* NULL: the image of this process, whatever has become of its file */
    const char *bootstrap;          /* one more variable, "NAME=value" */
    const char *const *environment; /* changes: "NAME=value" or "NAME"; ends with NULL; may be NULL */
    const char *working_directory;  /* may be NULL */
    const mp_fd *keep;              /* these are passed on besides stdout, stderr and the segment; stdin is null */
    size_t keep_count;
    const mp_os_segment *segment;
    intptr_t channel;         /* to be passed on, too, or MP_OS_NO_HANDLE */
    const mp_os_leash *leash; /* that it shall obey, or NULL */
    bool detached;            /* nobody reaps it, and it is no child of this process; *child is then of no use */
} mp_os_launch;
/* Start a program: 0 only if it runs. What failed, if something did, in *what: a short phrase. mp_os_egone: the file of
 * this program's image is not to be found any more. */
int mp_os_launch_process(const mp_os_launch *launch, mp_os_process *child, const char **what);
/* 0 if a program of that path could be started. */
int mp_os_executable_check(const char *path);
/* 0 if each of them is an open descriptor; or *which is not. */
int mp_os_keep_check(const mp_fd *keep, size_t count, size_t *which);

/* The space of pids that this process lives in: where it is another one, pids mean other processes. `known`: what was told
 * to this process's original before it was copied, or 0; that is cheaper. 0: there is but one. */
uint64_t mp_os_pid_space(uint64_t known);
/* Whether what this thread starts lives there, too. */
bool mp_os_pid_space_is_childrens(void);
/* Whether others than its parent can see that a process has ended before the parent has reaped it. */
bool mp_os_end_is_visible(void);
/* Open another process by its pid, and its birth if that is known (0: it may be told now). mp_os_egone if it has ended,
 * as far as that can be told: while the system remembers one that has ended it may still be opened, and
 * mp_os_process_wait tells. */
int mp_os_process_open(mp_os_process *process, int64_t pid, uint64_t birth);
/* Wait for it to end: 0, or mp_os_etimedout, or mp_os_egone: it has ended, and somebody else has learnt how. A child is
 * not reaped by this: the same can be asked again, by any thread. */
int mp_os_process_wait(mp_os_process *process, int64_t deadline, mp_os_ending *ending);
/* Whether it has ended, as far as this process can see. Changes nothing: a child stays to be reaped. */
bool mp_os_process_is_gone(int64_t pid, uint64_t birth);
/* How many threads it has; 0: the system does not tell, or counts its own among them. */
size_t mp_os_process_threads(int64_t pid);
/* MP_OS_INTERRUPT, TERMINATE, KILL. mp_os_egone if it has ended. */
enum mp_os_signal {
    MP_OS_INTERRUPT,
    MP_OS_TERMINATE,
    MP_OS_KILL
};
int mp_os_process_signal(mp_os_process *process, enum mp_os_signal signal);
/* Reap it, if it is a child and has ended; give back what it takes in this process. */
void mp_os_process_release(mp_os_process *process);

/* ---- the fork server's door ------------------------------------------------------------------------------------ */

/* Whether there can be a fork server. If not, none of the others in this part is called. */
bool mp_os_has_forkserver(void);
/* Two ends of a channel: requests go in at the client's, which any number of processes may have. */
int mp_os_channel_create(intptr_t *server, intptr_t *client, uint64_t identity[2]);
/* 0 while `client` is what mp_os_channel_create or mp_os_channel_adopt made. */
int mp_os_channel_check(intptr_t client, const uint64_t identity[2]);
/* mp_os_egone if nobody reads at the other end any more; another error if that can not be told. */
int mp_os_channel_alive(intptr_t client);
int mp_os_channel_adopt(intptr_t client);
void mp_os_channel_close(intptr_t end);
/* Digests of what would make a server unfit for this process: credentials, no_new_privs, seccomp; and the namespaces, which
 * cost ten times as much. */
uint64_t mp_os_privileges(void);
uint64_t mp_os_name_spaces(void);

/* Everything that is bytes of what a child of this process would inherit: environment with launch->environment applied,
 * umask, signal mask, limits. Written to `buffer` as far as it fits; the size of all of it is returned, 0 if there was
 * no memory to find out. */
size_t mp_os_setting_pack(void *buffer, size_t capacity, const mp_os_launch *launch);
/* Send a request: `tag`, and the descriptors that a child would inherit: working directory, stdout, stderr, keep.
 * mp_os_egone: nobody reads it any more. */
int mp_os_channel_send(intptr_t client, uint64_t tag, const mp_os_launch *launch, const char **what);
/* The descriptors that came with a request. There is one at a time, to be applied or dropped before the next. */
typedef struct mp_os_baggage mp_os_baggage;
/* Wait until there is a request; or, with a line, until nobody is at its other end. Meanwhile ended(pid, code) is called
 * for each child of this process that has ended, and it is reaped. mp_os_egone: no client is left. */
int mp_os_channel_await(intptr_t server, intptr_t line, void (*ended)(int64_t pid, int code));
/* Wait for a request, and tell whose it is, but leave it there. mp_os_egone: no client is left, or nobody is at the
 * line's other end; or what is there is no request. */
int mp_os_channel_next(intptr_t server, intptr_t line, uint64_t *tag);
/* Take a request. Never waits; *tag is 0 if there is none, and else also told with an error. mp_os_egone as above. */
int mp_os_channel_take(intptr_t server, uint64_t *tag, mp_os_baggage **baggage);
/* A line from a copy of this process to this one: the copy says a number or nothing, and closes its end (and from the
 * beginning the other's), by mp_os_channel_close. */
int mp_os_line_create(intptr_t *here, intptr_t *there);
bool mp_os_line_say(intptr_t there, uint64_t number);
/* 0: nothing was said. */
uint64_t mp_os_line_said(intptr_t here);
/* Become as if the client had forked: take over the baggage and what mp_os_setting_pack wrote, close every other
 * descriptor but the segment's and the channel's client end. stdin is null. */
int mp_os_setting_apply(mp_os_baggage *baggage, const void *packed, size_t size, const mp_os_segment *segment,
                        intptr_t client);
void mp_os_baggage_drop(mp_os_baggage *baggage);
/* Close every descriptor but the segment's: whatever others see of this process through them is over. */
void mp_os_close_all(const mp_os_segment *segment);
/* A server may have been launched under limits that hold for no client any more: as soon as it runs it lifts its own as
 * far as it may. How many processes there may be the client says: before the fork that becomes the server's limit. */
void mp_os_setting_lift_limits(void);
void mp_os_setting_limit_processes(const void *packed, size_t size);
/* Whether that is this process's limit already. */
bool mp_os_setting_limits_alike(const void *packed, size_t size);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* The name of a path from the root, which means the same wherever this process goes. mp_os_etoolong: longer than that. */
int mp_os_full_path(const char *path, char *full, size_t size);
extern const int mp_os_etoolong;
/* 0: nothing is there, or a file that another one may take the place of; mp_os_enotsup: a directory, a device ... */
int mp_os_file_check(const char *path);
/* A file that is not there yet; nobody inherits it. mp_os_eexist: it is. */
int mp_os_file_create(const char *path, intptr_t *file);
extern const int mp_os_eexist;
int mp_os_file_write(intptr_t file, const void *data, size_t size);
int mp_os_file_close(intptr_t file);
/* One takes the place of the other, or nothing happens. */
int mp_os_file_rename(const char *from, const char *to);
void mp_os_file_remove(const char *path);

/* ---- functions across exec ------------------------------------------------------------------------------------- */

#define MP_OS_PATH_MAX  4096
#define MP_OS_BUILD_MAX 32

/* A loaded module: the program, or a shared library. */
typedef struct mp_os_module {
    uint64_t offset; /* of the address asked for, from where the module begins */
    bool program;
    uint8_t build[MP_OS_BUILD_MAX]; /* what tells one build of it from another; zero for the program */
    char path[MP_OS_PATH_MAX];      /* absolute; "" for the program */
} mp_os_module;

/* Find the module that an address lies in. mp_os_egone: in none. */
int mp_os_module_of(const void *address, mp_os_module *module);
/* Whether the module's file is still the build that is loaded: 0, mp_os_egone if it is another one or missing. */
int mp_os_module_fresh(const mp_os_module *module);
/* Have a function of the program found faster by copies of this process, which has no other thread. */
void mp_os_module_remember(const mp_os_module *module);
/* The reverse, in another process: load it if need be. mp_os_egone: it is another build. *what as in launch. */
int mp_os_module_resolve(const mp_os_module *module, void **address, const char **what);

/* ---- the environment ------------------------------------------------------------------------------------------- */

/* Copy a variable. False if it is not there, or longer than that. */
bool mp_os_variable(const char *name, char *value, size_t size);
/* Copy a variable, and remove it. False if it is not there, or longer than that. */
bool mp_os_take_variable(const char *name, char *value, size_t size);

/* Apply changes to this process's environment: "NAME=value" or "NAME"; ends with NULL. */
int mp_os_change_environment(const char *const *changes);

/* ---- the working directory -------------------------------------------------------------------------------------- */

/* 0 if a process could work there. */
int mp_os_directory_check(const char *path);
int mp_os_change_directory(const char *path);

#endif
