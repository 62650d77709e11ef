/* SPDX-License-Identifier: MIT
 *
 * bench_lock.c - lock, add 1 to a shared number, unlock: by one process alone, and by two that want it all the time. With each
 * kind of libmp's that can be held, and the system's.
 */
#include "raw.h"
#include <mp/mp.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    KINDS_MAX = 8,
    ALONE = 200000, /* additions in a sample */
    CHUNK = 1000,   /* additions between two looks at the clock */
    CONTEND_NS = 50000000
};

/* ---- libmp's own lock, in the shape of the others ---- */

struct libmp_lock {
    mp_lock lock;
    _Alignas(64) long number; /* apart from the handle, which is only read */
};

_Static_assert(sizeof(struct libmp_lock) <= BENCH_LOCK_SIZE, "a larger BENCH_LOCK_SIZE");

static int libmp_init(void *memory)
{
    struct libmp_lock *mine = memory;
    return mp_lock_create(&mine->lock, NULL) < 0 ? -1 : 0;
}

static int libmp_add(void *memory, long times)
{
    struct libmp_lock *mine = memory;
    mp_lock lock = mine->lock;
    for (long i = 0; i < times; i++) {
        if (mp_lock_acquire(lock, MP_FOREVER) < 0) return -1;
        mine->number++;
        if (mp_lock_release(lock) < 0) return -1;
    }
    return 0;
}

static long libmp_number(const void *memory)
{
    return ((const struct libmp_lock *)memory)->number;
}

struct libmp_rlock {
    mp_rlock rlock;
    _Alignas(64) long number;
};

_Static_assert(sizeof(struct libmp_rlock) <= BENCH_LOCK_SIZE, "a larger BENCH_LOCK_SIZE");

static int rlock_init(void *memory)
{
    struct libmp_rlock *mine = memory;
    return mp_rlock_create(&mine->rlock, NULL) < 0 ? -1 : 0;
}

static int rlock_add(void *memory, long times)
{
    struct libmp_rlock *mine = memory;
    mp_rlock rlock = mine->rlock;
    for (long i = 0; i < times; i++) {
        if (mp_rlock_acquire(rlock, MP_FOREVER) < 0) return -1;
        mine->number++;
        if (mp_rlock_release(rlock) < 0) return -1;
    }
    return 0;
}

static long rlock_number(const void *memory)
{
    return ((const struct libmp_rlock *)memory)->number;
}

struct libmp_semaphore {
    mp_semaphore semaphore;
    _Alignas(64) long number;
};

_Static_assert(sizeof(struct libmp_semaphore) <= BENCH_LOCK_SIZE, "a larger BENCH_LOCK_SIZE");

static int semaphore_init(void *memory)
{
    struct libmp_semaphore *mine = memory;
    return mp_semaphore_create(&mine->semaphore, 1, NULL) < 0 ? -1 : 0;
}

static int semaphore_add(void *memory, long times)
{
    struct libmp_semaphore *mine = memory;
    mp_semaphore semaphore = mine->semaphore;
    for (long i = 0; i < times; i++) {
        if (mp_semaphore_acquire(semaphore, MP_FOREVER) < 0) return -1;
        mine->number++;
        if (mp_semaphore_release(semaphore) < 0) return -1;
    }
    return 0;
}

static long semaphore_number(const void *memory)
{
    return ((const struct libmp_semaphore *)memory)->number;
}

enum own {
    OWN_LOCK,
    OWN_RLOCK,
    OWN_SEMAPHORE,
    OWN_KINDS
};

static const struct bench_lock_kind own_kinds[OWN_KINDS] = {
    [OWN_LOCK] = {"libmp Lock", libmp_init, libmp_add, libmp_number},
    [OWN_RLOCK] = {"libmp RLock", rlock_init, rlock_add, rlock_number},
    [OWN_SEMAPHORE] = {"libmp Semaphore", semaphore_init, semaphore_add, semaphore_number},
};

static const struct bench_lock_kind *kind_of(size_t i)
{
    return i < OWN_KINDS ? &own_kinds[i] : &raw_locks[i - OWN_KINDS];
}

/* ---- the two measurements ---- */

/* In shared memory: one for each kind of lock. */
struct ring {
    size_t kind;
    long expected; /* of the number */
    _Alignas(64) atomic_int ready;
    int64_t begin[2], end[2];
    long added[2];
    _Alignas(64) unsigned char lock[BENCH_LOCK_SIZE];
};

static double alone(const void *context)
{
    struct ring *ring = mp_block_data(*(const mp_block *)context);
    const struct bench_lock_kind *kind = kind_of(ring->kind);
    int64_t since = raw_now();
    if (kind->add(ring->lock, ALONE) < 0) return -1;
    double ns = (double)(raw_now() - since) / ALONE;
    ring->expected += ALONE;
    return kind->number(ring->lock) == ring->expected ? ns : -1;
}

static int fighter(void *args)
{
    struct ring *ring = mp_block_data(*(mp_block *)args);
    const struct bench_lock_kind *kind = kind_of(ring->kind);
    int me = atomic_fetch_add(&ring->ready, 1);
    while (atomic_load(&ring->ready) < 2) continue;
    ring->begin[me] = raw_now();
    do {
        if (kind->add(ring->lock, CHUNK) < 0) return 1;
        ring->added[me] += CHUNK;
        ring->end[me] = raw_now();
    } while (ring->end[me] - ring->begin[me] < CONTEND_NS);
    return 0;
}

static double contended(const void *context)
{
    const mp_block *block = context;
    struct ring *ring = mp_block_data(*block);
    mp_process fighters[2];
    atomic_store(&ring->ready, 0);
    ring->added[0] = ring->added[1] = 0;
    for (int i = 0; i < 2; i++)
        if (mp_process_start(&fighters[i], fighter, block, sizeof *block, NULL) < 0) return -1;
    if (mp_process_join_all(fighters, NULL, 2, MP_FOREVER) < 0) return -1;
    for (int i = 0; i < 2; i++) mp_process_close(fighters[i]);
    int64_t begin = ring->begin[0] < ring->begin[1] ? ring->begin[0] : ring->begin[1];
    int64_t end = ring->end[0] > ring->end[1] ? ring->end[0] : ring->end[1];
    long added = ring->added[0] + ring->added[1];
    ring->expected += added;
    if (kind_of(ring->kind)->number(ring->lock) != ring->expected) return -1;
    return (double)added / ((double)(end - begin) / 1e9);
}

/* One of our own, and all of the system's. */
static size_t list_subjects(enum own own, mp_block *blocks, struct bench_subject *subjects)
{
    size_t count = 0;
    for (size_t i = 0; i < OWN_KINDS + raw_lock_count && count < KINDS_MAX; i++) {
        if (i < OWN_KINDS && i != (size_t)own) continue;
        MP_CHECK(mp_block_create(&blocks[count], sizeof(struct ring)));
        struct ring *ring = mp_block_data(blocks[count]);
        ring->kind = i;
        if (kind_of(i)->init(ring->lock) < 0)
            bench_note(kind_of(i)->name, "left out: this system does not have it");
        else
            subjects[count] = (struct bench_subject){kind_of(i)->name, NULL, &blocks[count]}, count++;
    }
    return count;
}

static void measure(enum own own, const struct bench_metric *metric, double (*sample)(const void *context))
{
    mp_block blocks[KINDS_MAX];
    struct bench_subject subjects[KINDS_MAX];
    if (!bench_wanted(metric->name)) return;
    size_t count = list_subjects(own, blocks, subjects);
    for (size_t i = 0; i < count; i++) subjects[i].sample = sample;
    bench_run(metric, subjects, count);
}

void bench_lock(void)
{
    measure(OWN_LOCK, &(const struct bench_metric){"lock_uncontended", "ns", 5, 4}, alone);
    measure(OWN_RLOCK, &(const struct bench_metric){"rlock_uncontended", "ns", 5, 4}, alone);
    measure(OWN_SEMAPHORE, &(const struct bench_metric){"semaphore_uncontended", "ns", 5, 4}, alone);
    measure(OWN_LOCK, &(const struct bench_metric){"lock_contended_2p", "ops/s", 3, 2}, contended);
    measure(OWN_SEMAPHORE, &(const struct bench_metric){"semaphore_contended_2p", "ops/s", 3, 2}, contended);
}
