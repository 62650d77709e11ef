/* SPDX-License-Identifier: MIT
 *
 * raw_posix.c - what one would write by hand: fork, posix_spawn, a robust mutex, a semaphore, a condition, an event,
 * a barrier.
 */
#include "raw.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int64_t raw_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- processes ---- */

static double join(pid_t pid, int64_t since)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return status == 0 ? (double)(raw_now() - since) / 1e3 : -1;
}

static double fork_join(const void *unused)
{
    (void)unused;
    int64_t since = raw_now();
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid < 0 ? -1 : join(pid, since);
}

static double spawn_join(const void *unused)
{
    (void)unused;
    pid_t pid;
    const char *self = access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe" : bench_options.program;
    char name[] = "mp_bench", end[] = "--end", *argv[] = {name, end, NULL};
    int64_t since = raw_now();
    return posix_spawn(&pid, self, NULL, NULL, argv, environ) != 0 ? -1 : join(pid, since);
}

double (*const raw_fork)(const void *unused) = fork_join;
double (*const raw_spawn)(const void *unused) = spawn_join;

/* ---- one CPU ---- */

#ifdef CPU_SET /* where one can choose */
static int one_cpu(void)
{
    cpu_set_t mine, first;
    size_t cpu = 0;
    if (sched_getaffinity(0, sizeof mine, &mine) < 0) return -1;
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &mine)) cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    return sched_setaffinity(0, sizeof first, &first);
}

int (*const raw_one_cpu)(void) = one_cpu;
#else
int (*const raw_one_cpu)(void) = NULL;
#endif

/* ---- memory ---- */

/* The number after a word in a file: limit if there is no such thing. */
static uint64_t number_in(const char *path, const char *format, uint64_t limit)
{
    char line[128];
    unsigned long long number;
    FILE *stream = fopen(path, "r");
    while (stream && fgets(line, sizeof line, stream)) {
        if (sscanf(line, format, &number) == 1) {
            limit = number;
            break;
        }
    }
    if (stream) fclose(stream);
    return limit;
}

/* Whether that much is free, by all that the system tells. Where it tells nothing, mmap decides. */
static bool is_free(uint64_t size)
{
    uint64_t machine = number_in("/proc/meminfo", "MemAvailable: %llu", UINT64_MAX >> 10) << 10;
    uint64_t group = number_in("/sys/fs/cgroup/memory.max", "%llu", UINT64_MAX);
    uint64_t used = number_in("/sys/fs/cgroup/memory.current", "%llu", 0);
    uint64_t spare = 512u << 20;
    return machine >= size + spare && (group == UINT64_MAX || group >= used + size + spare);
}

void *raw_touch(size_t size)
{
    if (!is_free(size)) return NULL;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
#ifdef MADV_NOHUGEPAGE
    madvise(memory, size, MADV_NOHUGEPAGE);
#endif
    for (size_t i = 0; i < size; i += 4096) memory[i] = 1;
    return memory;
}

void raw_untouch(void *memory, size_t size)
{
    munmap(memory, size);
}

/* ---- locks, each with its number right behind it ---- */

#if _POSIX_VERSION >= 200809L /* robust mutexes came with it */
struct robust {
    pthread_mutex_t mutex;
    long number;
};
_Static_assert(sizeof(struct robust) <= BENCH_LOCK_SIZE, "a larger BENCH_LOCK_SIZE");

static int robust_init(void *memory)
{
    struct robust *mine = memory;
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) return -1;
    bool works = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                 pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                 pthread_mutex_init(&mine->mutex, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return works ? 0 : -1;
}

static int robust_add(void *memory, long times)
{
    struct robust *mine = memory;
    for (long i = 0; i < times; i++) {
        if (pthread_mutex_lock(&mine->mutex) != 0) return -1;
        mine->number++;
        if (pthread_mutex_unlock(&mine->mutex) != 0) return -1;
    }
    return 0;
}

static long robust_number(const void *memory)
{
    return ((const struct robust *)memory)->number;
}
#endif

struct semaphore {
    sem_t sem;
    long number;
};
_Static_assert(sizeof(struct semaphore) <= BENCH_LOCK_SIZE, "a larger BENCH_LOCK_SIZE");

static int semaphore_init(void *memory)
{
    struct semaphore *mine = memory;
    return sem_init(&mine->sem, 1, 1);
}

static int semaphore_add(void *memory, long times)
{
    struct semaphore *mine = memory;
    for (long i = 0; i < times; i++) {
        while (sem_wait(&mine->sem) != 0)
            if (errno != EINTR) return -1;
        mine->number++;
        if (sem_post(&mine->sem) != 0) return -1;
    }
    return 0;
}

static long semaphore_number(const void *memory)
{
    return ((const struct semaphore *)memory)->number;
}

const struct bench_lock_kind raw_locks[] = {
#if _POSIX_VERSION >= 200809L
    {"pthread robust pshared mutex", robust_init, robust_add, robust_number},
#endif
    {"sem_t pshared", semaphore_init, semaphore_add, semaphore_number},
};
const size_t raw_lock_count = sizeof raw_locks / sizeof *raw_locks;

/* ---- what two processes wait for each other with, and the number ---- */

struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

static int monitor_init(struct monitor *monitor)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t changed;
    if (pthread_mutexattr_init(&mutex) != 0) return -1;
    if (pthread_condattr_init(&changed) != 0) {
        pthread_mutexattr_destroy(&mutex);
        return -1;
    }
    bool works = pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0 &&
                 pthread_condattr_setpshared(&changed, PTHREAD_PROCESS_SHARED) == 0 &&
                 pthread_mutex_init(&monitor->mutex, &mutex) == 0 &&
                 pthread_cond_init(&monitor->changed, &changed) == 0;
    pthread_condattr_destroy(&changed);
    pthread_mutexattr_destroy(&mutex);
    return works ? 0 : -1;
}

struct condition {
    struct monitor monitor;
    long number;
};
_Static_assert(sizeof(struct condition) <= BENCH_PAIR_SIZE, "a larger BENCH_PAIR_SIZE");

static int condition_init(void *memory)
{
    return monitor_init(&((struct condition *)memory)->monitor);
}

static int condition_play(void *memory, int side, long rounds)
{
    struct condition *mine = memory;
    struct monitor *monitor = &mine->monitor;
    for (long i = 0; i < rounds; i++) {
        if (pthread_mutex_lock(&monitor->mutex) != 0) return -1;
        while (mine->number % 2 != side)
            if (pthread_cond_wait(&monitor->changed, &monitor->mutex) != 0) return -1;
        mine->number++;
        if (pthread_cond_signal(&monitor->changed) != 0 || pthread_mutex_unlock(&monitor->mutex) != 0) return -1;
    }
    return 0;
}

static long condition_number(const void *memory)
{
    return ((const struct condition *)memory)->number;
}

struct event {
    _Alignas(64) struct monitor monitor; /* apart from the other event */
    bool set;
};

static int event_wait(struct event *event)
{
    if (pthread_mutex_lock(&event->monitor.mutex) != 0) return -1;
    while (!event->set)
        if (pthread_cond_wait(&event->monitor.changed, &event->monitor.mutex) != 0) return -1;
    return pthread_mutex_unlock(&event->monitor.mutex) == 0 ? 0 : -1;
}

static int event_set(struct event *event)
{
    if (pthread_mutex_lock(&event->monitor.mutex) != 0) return -1;
    event->set = true;
    if (pthread_cond_broadcast(&event->monitor.changed) != 0) return -1;
    return pthread_mutex_unlock(&event->monitor.mutex) == 0 ? 0 : -1;
}

static int event_clear(struct event *event)
{
    if (pthread_mutex_lock(&event->monitor.mutex) != 0) return -1;
    event->set = false;
    return pthread_mutex_unlock(&event->monitor.mutex) == 0 ? 0 : -1;
}

struct events {
    struct event turn[2];
    long number;
};
_Static_assert(sizeof(struct events) <= BENCH_PAIR_SIZE, "a larger BENCH_PAIR_SIZE");

static int events_init(void *memory)
{
    struct events *mine = memory;
    mine->turn[0].set = true;
    return monitor_init(&mine->turn[0].monitor) < 0 ? -1 : monitor_init(&mine->turn[1].monitor);
}

static int events_play(void *memory, int side, long rounds)
{
    struct events *mine = memory;
    struct event *turn = &mine->turn[side], *next = &mine->turn[1 - side];
    for (long i = 0; i < rounds; i++) {
        if (event_wait(turn) < 0 || event_clear(turn) < 0) return -1;
        if (mine->number++ % 2 != side) return -1;
        if (event_set(next) < 0) return -1;
    }
    return 0;
}

static long events_number(const void *memory)
{
    return ((const struct events *)memory)->number;
}

#if _POSIX_BARRIERS > 0
struct barrier {
    pthread_barrier_t barrier;
    atomic_long arrived[2];
};
_Static_assert(sizeof(struct barrier) <= BENCH_PAIR_SIZE, "a larger BENCH_PAIR_SIZE");

static int barrier_init(void *memory)
{
    struct barrier *mine = memory;
    pthread_barrierattr_t attributes;
    if (pthread_barrierattr_init(&attributes) != 0) return -1;
    bool works = pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                 pthread_barrier_init(&mine->barrier, &attributes, 2) == 0;
    pthread_barrierattr_destroy(&attributes);
    return works ? 0 : -1;
}

static int barrier_play(void *memory, int side, long rounds)
{
    struct barrier *mine = memory;
    for (long i = 0; i < rounds; i++) {
        long arrived = atomic_fetch_add(&mine->arrived[side], 1);
        int result = pthread_barrier_wait(&mine->barrier);
        if (result != 0 && result != PTHREAD_BARRIER_SERIAL_THREAD) return -1;
        if (atomic_load(&mine->arrived[1 - side]) <= arrived) return -1;
    }
    return 0;
}

static long barrier_number(const void *memory)
{
    const struct barrier *mine = memory;
    return atomic_load(&mine->arrived[0]) + atomic_load(&mine->arrived[1]);
}
#endif

const struct bench_pair_kind raw_pairs[BENCH_PAIRS] = {
    [BENCH_CONDITION] = {"pthread condition", condition_init, condition_play, condition_number},
    [BENCH_EVENT] = {"pthread event", events_init, events_play, events_number},
#if _POSIX_BARRIERS > 0
    [BENCH_BARRIER] = {"pthread barrier", barrier_init, barrier_play, barrier_number},
#endif
};
