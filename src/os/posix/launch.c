/* SPDX-License-Identifier: MIT
 *
 * launch.c - starting a program.
 *
 * As in posix_spawn, the child shares this process's memory until it runs the program: so it copies nothing, and this
 * thread sleeps meanwhile. Until then it may not change anything here, and no handler of ours may run in it: so all
 * signals are blocked before, and only let in again when no handler is left.
 *
 * Where that can not be (a sanitizer, another system), it is forked. Some emulators turn the former into a fork, too.
 * What failed is then learnt from a pipe, that ends when the program runs; else from memory. The first start finds out.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#if MP_LINUX
#include <sys/syscall.h>
#endif

enum step {
    STEP_NONE,
    STEP_START,
    STEP_STDIN,
    STEP_KEEP,
    STEP_DIRECTORY,
    STEP_PROGRAM
};
static const char *const phrases[] = {
    [STEP_NONE] = "",
    [STEP_START] = "creating a process",
    [STEP_STDIN] = "opening /dev/null",
    [STEP_KEEP] = "passing on a descriptor",
    [STEP_DIRECTORY] = "changing to the working directory",
    [STEP_PROGRAM] = "running the program",
};

struct failure {
    int error;
    enum step step;
};

/* All that the child needs. */
struct plan {
    const mp_os_launch *launch;
    const char *path;
    char **arguments, **environment;
    int report;             /* the pipe's writing end */
    sigset_t signals;       /* this thread's mask */
    char *stacks;           /* two, of STACK bytes, above a page that can not be touched; NULL: fork */
    struct failure failure; /* the child's to write, if `shared` */
    volatile bool shared;   /* set by the child: this process sees it if memory is shared */
};

/* ---- in the child: only what is async-signal-safe -------------------------------------------------------------- */

/* What exec would do, but sooner, because this thread's handlers must not run here. */
static void forget_handlers(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0) continue;
        if (!(action.sa_flags & SA_SIGINFO) && (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) continue;
        action.sa_handler = SIG_DFL;
        action.sa_flags = 0;
        sigaction(number, &action, NULL);
    }
}

static bool keeps_stdin(const mp_os_launch *launch)
{
    for (size_t i = 0; i < launch->keep_count; i++)
        if (launch->keep[i] == STDIN_FILENO) return true;
    return false;
}

static int set_stdin(const mp_os_launch *launch)
{
    if (keeps_stdin(launch)) return 0;
    int null = open("/dev/null", O_RDONLY);
    if (null < 0) return errno;
    if (null == STDIN_FILENO) return 0;
    int error = dup2(null, STDIN_FILENO) < 0 ? errno : 0;
    close(null);
    return error;
}

static int pass_on(const mp_os_launch *launch)
{
    mp_os__descriptors_close(STDERR_FILENO + 1, INT_MAX, true);
    mp_os__descriptor_inherited(STDOUT_FILENO, true); /* if it is open at all */
    mp_os__descriptor_inherited(STDERR_FILENO, true);
    int error = 0;
    for (size_t i = 0; i < launch->keep_count && error == 0; i++)
        error = mp_os__descriptor_inherited(launch->keep[i], true);
    if (error == 0 && launch->segment != NULL) error = mp_os__descriptor_inherited((int)launch->segment->handle, true);
    if (error == 0 && launch->channel != MP_OS_NO_HANDLE)
        error = mp_os__descriptor_inherited((int)launch->channel, true);
    if (error == 0 && launch->leash != NULL) error = mp_os__descriptor_inherited((int)launch->leash->lead, true);
    return error;
}

static void signals_restore(struct plan *plan);

static struct failure become(struct plan *plan)
{
    const mp_os_launch *launch = plan->launch;
    forget_handlers();
    int error = set_stdin(launch);
    if (error != 0) return (struct failure){error, STEP_STDIN};
    error = pass_on(launch);
    if (error != 0) return (struct failure){error, STEP_KEEP};
    if (launch->working_directory != NULL && chdir(launch->working_directory) != 0)
        return (struct failure){errno, STEP_DIRECTORY};
    signals_restore(plan);
    execve(plan->path, plan->arguments, plan->environment);
    return (struct failure){errno, STEP_PROGRAM};
}

static void report(struct plan *plan, struct failure failure)
{
    plan->failure = failure;
    while (plan->report >= 0 && write(plan->report, &failure, sizeof failure) < 0 && errno == EINTR) {}
}

static int run(void *argument)
{
    struct plan *plan = argument;
    plan->shared = true;
    report(plan, become(plan));
    _exit(127);
}

/* ---- starting -------------------------------------------------------------------------------------------------- */

#if MP_LINUX

/* More than glibc takes for the same: the dynamic linker may save large registers here. */
#define STACK ((size_t)64 << 10)

/* By the kernel's own call: the library's leaves out the signals that it uses itself. */
static void signals_block(struct plan *plan)
{
    uint64_t all[2] = {~UINT64_C(0), ~UINT64_C(0)};
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, all, &plan->signals, (size_t)(_NSIG / 8));
}

static void signals_restore(struct plan *plan)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &plan->signals, NULL, (size_t)(_NSIG / 8));
}

static void stacks_create(struct plan *plan)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    if (mp_os__sanitized()) return;
    char *made = mmap(NULL, guard + 2 * STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (made == MAP_FAILED) return;
    plan->stacks = made + guard;
    if (mprotect(plan->stacks, 2 * STACK, PROT_READ | PROT_WRITE) == 0) return;
    munmap(made, guard + 2 * STACK);
    plan->stacks = NULL;
}

static void stacks_destroy(struct plan *plan)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    if (plan->stacks != NULL) munmap(plan->stacks - guard, guard + 2 * STACK);
}

/* `last` is the signal that tells its parent of its end; with 0, only who knows of __WALL finds it. */
static pid_t begin(struct plan *plan, int (*child)(void *), size_t top, int last)
{
    if (plan->stacks != NULL) {
        pid_t pid = clone(child, plan->stacks + top, CLONE_VM | CLONE_VFORK | last, plan);
        if (pid >= 0 || (errno != EINVAL && errno != ENOSYS)) return pid;
    }
    pid_t pid = fork();
    if (pid == 0) child(plan);
    return pid;
}

#define WAIT_ALSO __WALL

#else

#define STACK ((size_t)0)

static void signals_block(struct plan *plan)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &plan->signals);
}

static void signals_restore(struct plan *plan)
{
    pthread_sigmask(SIG_SETMASK, &plan->signals, NULL);
}

static void stacks_create(struct plan *plan)
{
    (void)plan;
}

static void stacks_destroy(struct plan *plan)
{
    (void)plan;
}

static pid_t begin(struct plan *plan, int (*child)(void *), size_t top, int last)
{
    (void)top, (void)last;
    pid_t pid = fork();
    if (pid == 0) child(plan);
    return pid;
}

#define WAIT_ALSO 0

#endif

/* The one in between, whose end leaves the program an orphan. */
static int run_detached(void *argument)
{
    struct plan *plan = argument;
    plan->shared = true;
    if (begin(plan, run, STACK, SIGCHLD) < 0) report(plan, (struct failure){errno, STEP_START});
    _exit(0);
}

static void reap(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, WAIT_ALSO) < 0 && errno == EINTR) {}
}

/* Whether it runs a program already: POSIX has setpgid refused then. So it is asked for what is the case anyway. */
static bool runs(pid_t pid)
{
    return setpgid(pid, getpgid(pid)) != 0 && errno == EACCES;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | WAIT_ALSO) != 0) return errno == ECHILD;
    return info.si_pid == pid;
}

/* What the child has written. The pipe ends with the child, or when the program runs; but what another thread has
 * forked meanwhile may hold it open. Who was killed before it came to that has not failed: how it ended will be told. Of one
 * that is detached this is but the one in between. */
static struct failure learn_failure(int pipe_end, pid_t pid, bool detached)
{
    struct failure failure = {0, STEP_NONE};
    struct pollfd poll_one = {.fd = pipe_end, .events = POLLIN};
    while (poll(&poll_one, 1, 5) <= 0)
        if (runs(pid) || (!detached && has_ended(pid) && poll(&poll_one, 1, 0) <= 0)) return failure;
    if (read(pipe_end, &failure, sizeof failure) != (ssize_t)sizeof failure) failure = (struct failure){0, STEP_NONE};
    return failure;
}

/* No handler and no cancellation may come between, or the child would act on it, too. */
static pid_t begin_alone(struct plan *plan)
{
    int old_state;
    bool detached = plan->launch->detached;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_state);
    signals_block(plan);
    pid_t pid = begin(plan, detached ? run_detached : run, detached ? 2 * STACK : STACK, detached ? 0 : SIGCHLD);
    int error = errno;
    signals_restore(plan);
    pthread_setcancelstate(old_state, &old_state);
    errno = error;
    return pid;
}

static struct failure start(struct plan *plan, pid_t *started)
{
    static _Atomic bool sharing; /* once seen, it is relied on, and there is no pipe */
    int ends[2] = {-1, -1};
    struct failure failure = {0, STEP_START};
    stacks_create(plan);
    if (plan->stacks == NULL || !atomic_load_explicit(&sharing, memory_order_relaxed))
        failure.error = mp_os__pipe(ends);
    plan->report = ends[1];
    if (failure.error == 0 && (*started = begin_alone(plan)) < 0) failure.error = errno;
    if (ends[1] >= 0) close(ends[1]);
    if (failure.error == 0) {
        /* Without a pipe it shares this memory, also if it was killed before it could say so. */
        failure =
            plan->shared || ends[0] < 0 ? plan->failure : learn_failure(ends[0], *started, plan->launch->detached);
        if (plan->shared) atomic_store_explicit(&sharing, true, memory_order_relaxed);
        if (plan->launch->detached || failure.error != 0) reap(*started);
    }
    if (ends[0] >= 0) close(ends[0]);
    stacks_destroy(plan);
    return failure;
}

/* ---- the port's functions -------------------------------------------------------------------------------------- */

/* A relative path is this process's, not that of the child's working directory; *made is to be freed. */
static int find_program(const mp_os_launch *launch, const char **path, char **made)
{
    *path = launch->executable != NULL ? launch->executable : mp_os__image_path();
    if (*path == NULL) return mp_os_enotsup;
    if (**path == '/' || launch->working_directory == NULL) return 0;
    char directory[MP_OS_PATH_MAX];
    if (getcwd(directory, sizeof directory) == NULL) return errno;
    size_t before = strlen(directory), after = strlen(*path) + 1;
    *made = malloc(before + 1 + after);
    if (*made == NULL) return ENOMEM;
    memcpy(*made, directory, before);
    (*made)[before] = '/';
    memcpy(*made + before + 1, *path, after);
    *path = *made;
    return 0;
}

int mp_os_launch_process(const mp_os_launch *launch, mp_os_process *child, const char **what)
{
    char *made = NULL, *alone[2] = {NULL, NULL};
    struct plan plan = {.launch = launch};
    pid_t pid = -1;
    struct failure failure = {find_program(launch, &plan.path, &made), STEP_PROGRAM};
    if (failure.error != 0) goto done;
    failure.error = launch->segment != NULL ? mp_os_segment_check(launch->segment) : 0;
    failure.step = STEP_KEEP;
    if (failure.error != 0) goto done;
    failure.error = mp_os__environment_changed(launch, &plan.environment);
    failure.step = STEP_START;
    if (failure.error != 0) goto done;
    plan.arguments = mp_os__image_arguments();
    if (plan.arguments == NULL) {
        alone[0] = (char *)(uintptr_t)plan.path;
        plan.arguments = alone;
    }
    failure = start(&plan, &pid);
    /* Nothing but /proc can have failed to be found so. */
    if (failure.error == ENOENT && failure.step == STEP_PROGRAM && launch->executable == NULL &&
        access("/proc/self", F_OK) != 0)
        failure.error = mp_os_enotsup;
done:
    free(plan.environment);
    free(made);
    if (failure.error != 0)
        *what = phrases[failure.step];
    else
        *child = (mp_os_process){.pid = pid, .handle = MP_OS_NO_HANDLE, .child = !launch->detached};
    return failure.error;
}

int mp_os_executable_check(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return errno;
    if (!S_ISREG(status.st_mode)) return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

int mp_os_keep_check(const mp_fd *keep, size_t count, size_t *which)
{
    for (*which = 0; *which < count; (*which)++)
        if (fcntl(keep[*which], F_GETFD) < 0) return errno;
    return 0;
}
