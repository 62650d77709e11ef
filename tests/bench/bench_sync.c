/* SPDX-License-Identifier: MIT
 *
 * bench_sync.c - two processes that wait for each other, again and again: they take turns by a condition, or by two
 * events, or pass a barrier together. Wherever they run, and both on one CPU, where spinning can not pay. With libmp's,
 * and the system's.
 */
#include "raw.h"
#include <mp/mp.h>
#include <stdatomic.h>

enum {
    CHUNK = 500, /* rounds between two looks at the clock, and before the first one */
    MATCH_NS = 50000000,
    LIMIT_MS = 60000 /* a sample that has not ended by then hangs: it failed */
};

/* ---- libmp's own, in the shape of the others ---- */

struct libmp_condition {
    mp_condition condition;
    _Alignas(64) long number; /* apart from the handle, which is only read */
};

_Static_assert(sizeof(struct libmp_condition) <= BENCH_PAIR_SIZE, "a larger BENCH_PAIR_SIZE");

static int condition_init(void *memory)
{
    struct libmp_condition *mine = memory;
    return mp_condition_create(&mine->condition, NULL) < 0 ? -1 : 0;
}

static int condition_play(void *memory, int side, long rounds)
{
    struct libmp_condition *mine = memory;
    mp_condition condition = mine->condition;
    for (long i = 0; i < rounds; i++) {
        if (mp_condition_acquire(condition, MP_FOREVER) != 0) return -1;
        while (mine->number % 2 != side)
            if (mp_condition_wait(condition, MP_FOREVER) != 0) return -1;
        mine->number++;
        if (mp_condition_notify(condition, 1) < 0 || mp_condition_release(condition) < 0) return -1;
    }
    return 0;
}

static long condition_number(const void *memory)
{
    return ((const struct libmp_condition *)memory)->number;
}

struct libmp_event {
    mp_event turn[2];
    _Alignas(64) long number;
};

_Static_assert(sizeof(struct libmp_event) <= BENCH_PAIR_SIZE, "a larger BENCH_PAIR_SIZE");

static int event_init(void *memory)
{
    struct libmp_event *mine = memory;
    bool works = mp_event_create(&mine->turn[0], &(const mp_event_options){.set = true}) == 0 &&
                 mp_event_create(&mine->turn[1], NULL) == 0;
    return works ? 0 : -1;
}

static int event_play(void *memory, int side, long rounds)
{
    struct libmp_event *mine = memory;
    mp_event turn = mine->turn[side], next = mine->turn[1 - side];
    for (long i = 0; i < rounds; i++) {
        if (mp_event_wait(turn, MP_FOREVER) < 0 || mp_event_clear(turn) < 0) return -1;
        if (mine->number++ % 2 != side) return -1;
        if (mp_event_set(next) < 0) return -1;
    }
    return 0;
}

static long event_number(const void *memory)
{
    return ((const struct libmp_event *)memory)->number;
}

struct libmp_barrier {
    mp_barrier barrier;
    _Alignas(64) atomic_long arrived[2];
};

_Static_assert(sizeof(struct libmp_barrier) <= BENCH_PAIR_SIZE, "a larger BENCH_PAIR_SIZE");

static int barrier_init(void *memory)
{
    struct libmp_barrier *mine = memory;
    return mp_barrier_create(&mine->barrier, 2, NULL) < 0 ? -1 : 0;
}

static int barrier_play(void *memory, int side, long rounds)
{
    struct libmp_barrier *mine = memory;
    mp_barrier barrier = mine->barrier;
    for (long i = 0; i < rounds; i++) {
        long arrived = atomic_fetch_add(&mine->arrived[side], 1);
        if (mp_barrier_wait(barrier, MP_FOREVER) < 0) return -1;
        if (atomic_load(&mine->arrived[1 - side]) <= arrived) return -1;
    }
    return 0;
}

static long barrier_number(const void *memory)
{
    const struct libmp_barrier *mine = memory;
    return atomic_load(&mine->arrived[0]) + atomic_load(&mine->arrived[1]);
}

static const struct bench_pair_kind own_pairs[BENCH_PAIRS] = {
    [BENCH_CONDITION] = {"libmp Condition", condition_init, condition_play, condition_number},
    [BENCH_EVENT] = {"libmp Event", event_init, event_play, event_number},
    [BENCH_BARRIER] = {"libmp Barrier", barrier_init, barrier_play, barrier_number},
};

/* ---- the measurement ---- */

/* In shared memory: one for each subject. */
struct match {
    enum bench_pair pair;
    bool raw, one_cpu;
    long expected;                 /* of the number */
    _Alignas(64) atomic_long last; /* chunk; 0: not decided */
    int64_t ns;                    /* from the first chunk's end to the last one's */
    _Alignas(64) unsigned char memory[BENCH_PAIR_SIZE];
};

struct player {
    mp_block block;
    int side;
};

static const struct bench_pair_kind *kind_of(const struct match *match)
{
    return match->raw ? &raw_pairs[match->pair] : &own_pairs[match->pair];
}

/* The first chunk brings the two together, and does not count. Side 0 has the clock; what it says before a chunk the
 * other one knows after it. */
static int play(void *args)
{
    const struct player *player = args;
    struct match *match = mp_block_data(player->block);
    const struct bench_pair_kind *kind = kind_of(match);
    int side = player->side;
    if (match->one_cpu && raw_one_cpu() < 0) return 1;
    if (kind->play(match->memory, side, CHUNK) < 0) return 1;
    int64_t since = raw_now();
    long chunk = 1;
    do {
        chunk++;
        if (side == 0 && raw_now() - since >= MATCH_NS) atomic_store(&match->last, chunk);
        if (kind->play(match->memory, side, CHUNK) < 0) return 1;
    } while (atomic_load(&match->last) != chunk);
    if (side == 0) match->ns = raw_now() - since;
    return 0;
}

/* Whether both did their part. What one of them does alone, waiting for the other, is ended. */
static bool play_both(mp_block block)
{
    mp_process players[2];
    int started = 0;
    bool works = true;
    for (int side = 0; works && side < 2; side++) {
        struct player player = {block, side};
        works = mp_process_start(&players[side], play, &player, sizeof player, NULL) == 0;
        if (works) started++;
    }
    if (works) works = mp_process_join_all(players, NULL, 2, LIMIT_MS) == 0;
    for (int i = 0; i < started; i++) {
        int code;
        if (!works) (void)mp_process_kill(players[i]);
        (void)mp_process_join(players[i], &code, MP_FOREVER);
        (void)mp_process_close(players[i]);
    }
    return works;
}

/* Nanoseconds of a round. */
static double sample(const void *context)
{
    const mp_block *block = context;
    struct match *match = mp_block_data(*block);
    atomic_store(&match->last, 0);
    if (!play_both(*block)) return -1;
    long chunks = atomic_load(&match->last);
    match->expected += 2 * CHUNK * chunks;
    if (kind_of(match)->number(match->memory) != match->expected) return -1;
    return (double)match->ns / (double)(CHUNK * (chunks - 1));
}

static void measure(enum bench_pair pair, bool one_cpu, const char *name)
{
    const struct bench_metric metric = {name, "ns", 3, 2};
    mp_block blocks[2];
    struct bench_subject subjects[2];
    size_t count = 0;
    if (!bench_wanted(name)) return;
    if (one_cpu && !raw_one_cpu) {
        bench_note(name, "skipped: here a process can not be kept on one CPU");
        return;
    }
    for (int raw = 0; raw < 2; raw++) {
        if (raw && !raw_pairs[pair].name) continue;
        MP_CHECK(mp_block_create(&blocks[count], sizeof(struct match)));
        struct match *match = mp_block_data(blocks[count]);
        match->pair = pair;
        match->raw = raw;
        match->one_cpu = one_cpu;
        const struct bench_pair_kind *kind = kind_of(match);
        if (kind->init(match->memory) < 0)
            bench_note(kind->name, "left out: this system does not have it");
        else
            subjects[count] = (struct bench_subject){kind->name, sample, &blocks[count]}, count++;
    }
    bench_run(&metric, subjects, count);
}

void bench_sync(void)
{
    measure(BENCH_CONDITION, false, "condition_pingpong");
    measure(BENCH_EVENT, false, "event_wake");
    measure(BENCH_BARRIER, false, "barrier_2p");
    measure(BENCH_CONDITION, true, "condition_pingpong_1cpu");
    measure(BENCH_EVENT, true, "event_wake_1cpu");
    measure(BENCH_BARRIER, true, "barrier_2p_1cpu");
}
