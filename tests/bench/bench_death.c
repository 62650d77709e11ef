/* SPDX-License-Identifier: MIT
 *
 * bench_death.c - from the kill of a lock's owner to the return of who waits for it, by the size of the owner.
 */
#include "raw.h"
#include <mp/mp.h>
#include <stdatomic.h>

/* In shared memory. */
struct scene {
    mp_lock lock, never; /* never: somebody holds it all the time */
    mp_process owner;
    size_t size;
    atomic_int held, waiting;
    int64_t since;
};

enum {
    HELD = 1,
    NO_MEMORY
};

/* This thread does nothing for so long. */
static void rest(const struct scene *scene, int64_t ms)
{
    (void)!mp_lock_acquire(scene->never, ms);
}

static int own(void *args)
{
    struct scene *scene = mp_block_data(*(mp_block *)args);
    void *memory = raw_touch(scene->size);
    if (memory && mp_lock_acquire(scene->lock, MP_FOREVER) >= 0)
        atomic_store(&scene->held, HELD);
    else
        atomic_store(&scene->held, NO_MEMORY);
    while (atomic_load(&scene->held) == HELD) rest(scene, MP_FOREVER);
    return 0;
}

static int kill_owner(void *args)
{
    struct scene *scene = mp_block_data(*(mp_block *)args);
    while (!atomic_load(&scene->waiting)) rest(scene, 1);
    rest(scene, 5); /* by then it sleeps */
    scene->since = raw_now();
    return mp_process_kill(scene->owner);
}

/* Microseconds; negative: it failed. */
static double notice(const void *context)
{
    const mp_block *block = context;
    struct scene *scene = mp_block_data(*block);
    mp_process killer;
    int code;
    atomic_store(&scene->held, 0);
    atomic_store(&scene->waiting, 0);
    if (mp_process_start(&scene->owner, own, block, sizeof *block, NULL) < 0) return -1;
    while (!atomic_load(&scene->held)) rest(scene, 1);
    bool held = atomic_load(&scene->held) == HELD;
    double us = -1;
    if (held && mp_process_start(&killer, kill_owner, block, sizeof *block, NULL) == 0) {
        atomic_store(&scene->waiting, 1);
        int result = mp_lock_acquire(scene->lock, MP_FOREVER);
        int64_t now = raw_now();
        if (result == MP_OWNERDEAD) us = (double)(now - scene->since) / 1e3;
        (void)mp_lock_release(scene->lock);
        if (mp_process_join(killer, NULL, MP_FOREVER) < 0) us = -1;
        (void)mp_process_close(killer);
    }
    (void)mp_process_join(scene->owner, &code, MP_FOREVER);
    (void)mp_process_close(scene->owner);
    return us;
}

void bench_death(void)
{
    static const struct bench_metric metric = {"death_notice", "us", 1, 1};
    static const struct {
        const char *name;
        size_t size;
    } owners[] = {{"libmp Lock, owner of 1 MB", (size_t)1 << 20}, {"libmp Lock, owner of 2 GB", (size_t)1 << 31}};
    struct bench_subject subjects[2];
    mp_block blocks[2];
    if (!bench_wanted(metric.name)) return;
    void *memory = raw_touch(owners[0].size);
    if (!memory) {
        bench_note(metric.name, "skipped: here is no memory of a given size to be had");
        return;
    }
    raw_untouch(memory, owners[0].size);
    for (size_t i = 0; i < 2; i++) {
        MP_CHECK(mp_block_create(&blocks[i], sizeof(struct scene)));
        struct scene *scene = mp_block_data(blocks[i]);
        scene->size = owners[i].size;
        MP_CHECK(mp_lock_create(&scene->lock, NULL));
        MP_CHECK(mp_lock_create(&scene->never, NULL));
        MP_CHECK(mp_lock_acquire(scene->never, 0));
        subjects[i] = (struct bench_subject){owners[i].name, notice, &blocks[i]};
    }
    bench_run(&metric, subjects, 2);
}
