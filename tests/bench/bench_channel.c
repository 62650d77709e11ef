/* SPDX-License-Identifier: MIT
 *
 * bench_channel.c - messages from one process to another: there and back, in streams, from two to two, and a gigabyte. With
 * libmp's pipe and queue, and what one would write by hand.
 */
#include "base/arena.h"
#include "raw.h"
#include <mp/mp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STREAM_NS = 60000000,
    LIMIT_MS = 60000, /* a sample that has not ended by then hangs: it failed */
    SUBJECTS_MAX = 16
};

#define GIB ((size_t)1 << 30)

/* ---- libmp's own, in the shape of the others ---- */

static void number(void *message, size_t size, uint64_t value)
{
    memcpy(message, &value, sizeof value);
    memcpy((char *)message + size - sizeof value, &value, sizeof value);
}

static int check(const void *message, size_t size, uint64_t value)
{
    uint64_t first, last;
    memcpy(&first, message, sizeof first);
    memcpy(&last, (const char *)message + size - sizeof last, sizeof last);
    return first == value && last == value ? 0 : -1;
}

struct libmp_pipe {
    mp_connection a, b;
};

static int pipe_init(void *memory, size_t size)
{
    struct libmp_pipe *mine = memory;
    (void)size;
    return mp_pipe_create(&mine->a, &mine->b, NULL) < 0 ? -1 : 0;
}

static void pipe_fini(void *memory)
{
    const struct libmp_pipe *mine = memory;
    mp_connection_close(mine->a);
    mp_connection_close(mine->b);
}

static int pipe_put(void *memory, size_t size, uint64_t first, long count)
{
    mp_connection end = ((const struct libmp_pipe *)memory)->a;
    static char message[65536];
    for (long i = 0; i < count; i++) {
        number(message, size, first + (uint64_t)i);
        if (mp_connection_send(end, message, size, MP_FOREVER) < 0) return -1;
    }
    return 0;
}

static int pipe_get(void *memory, size_t size, uint64_t first, long count)
{
    mp_connection end = ((const struct libmp_pipe *)memory)->b;
    static char message[65536];
    for (long i = 0; i < count; i++) {
        if (mp_connection_recv(end, message, size, NULL, MP_FOREVER) < 0) return -1;
        if (check(message, size, first + (uint64_t)i) < 0) return -1;
    }
    return 0;
}

static int pipe_ping(void *memory, size_t size, long rounds)
{
    mp_connection end = ((const struct libmp_pipe *)memory)->a;
    char message[64] = {0};
    for (long i = 0; i < rounds; i++) {
        number(message, size, (uint64_t)i);
        if (mp_connection_send(end, message, size, MP_FOREVER) < 0) return -1;
        if (mp_connection_recv(end, message, size, NULL, MP_FOREVER) < 0) return -1;
        if (check(message, size, (uint64_t)i) < 0) return -1;
    }
    return 0;
}

static int pipe_pong(void *memory, size_t size, long rounds)
{
    mp_connection end = ((const struct libmp_pipe *)memory)->b;
    char message[64];
    for (long i = 0; i < rounds; i++) {
        if (mp_connection_recv(end, message, size, NULL, MP_FOREVER) < 0) return -1;
        if (mp_connection_send(end, message, size, MP_FOREVER) < 0) return -1;
    }
    return 0;
}

struct libmp_queue {
    mp_queue queue;
};

static int queue_init(void *memory, size_t size)
{
    struct libmp_queue *mine = memory;
    (void)size;
    return mp_queue_create(&mine->queue, NULL) < 0 ? -1 : 0;
}

static void queue_fini(void *memory)
{
    mp_queue_destroy(((const struct libmp_queue *)memory)->queue);
}

static int queue_put(void *memory, size_t size, uint64_t first, long count)
{
    mp_queue queue = ((const struct libmp_queue *)memory)->queue;
    static char message[65536];
    for (long i = 0; i < count; i++) {
        number(message, size, first + (uint64_t)i);
        if (mp_queue_put(queue, message, size, MP_FOREVER) < 0) return -1;
    }
    return 0;
}

static int queue_get(void *memory, size_t size, uint64_t first, long count)
{
    mp_queue queue = ((const struct libmp_queue *)memory)->queue;
    static char message[65536];
    for (long i = 0; i < count; i++) {
        if (mp_queue_get(queue, message, size, NULL, MP_FOREVER) < 0) return -1;
        if (first != UINT64_MAX && check(message, size, first + (uint64_t)i) < 0) return -1;
    }
    return 0;
}

enum own {
    OWN_PIPE,
    OWN_QUEUE,
    OWN_KINDS
};

static const struct bench_channel_kind own_kinds[OWN_KINDS] = {
    [OWN_PIPE] = {"libmp Pipe", pipe_init, pipe_fini, pipe_put, pipe_get, pipe_ping, pipe_pong, 0, 0, true},
    [OWN_QUEUE] = {"libmp Queue", queue_init, queue_fini, queue_put, queue_get, NULL, NULL, 0, 0, false},
};

static const struct bench_channel_kind *kind_of(size_t i)
{
    return i < OWN_KINDS ? &own_kinds[i] : &raw_channels[i - OWN_KINDS];
}

/* ---- a match between processes ---- */

/* In shared memory: one for each subject. */
struct match {
    size_t kind, size;
    int pairs;
    long chunk;
    bool blocked;
    atomic_long stop; /* of a stream: not 0; there and back: the last chunk */
    struct {
        _Alignas(64) atomic_long total; /* chunks that this producer puts; 0: not decided */
    } producer[2];
    _Alignas(64) atomic_long left; /* chunks that consumers may take, of several producers */
    int64_t begin[2], end[2];
    _Alignas(64) long got[2];
    _Alignas(64) unsigned char memory[BENCH_CHANNEL_SIZE];
};

struct player {
    mp_block block;
    int index;
    mp_handle handles[2]; /* of libmp's: who is given them is expected */
};

/* It puts one chunk more when it has seen the end: who gets has something to wait for until it knows the number. */
static int produce(void *args)
{
    const struct player *player = args;
    struct match *match = mp_block_data(player->block);
    const struct bench_channel_kind *kind = kind_of(match->kind);
    for (long done = 0;; done++) {
        bool last = atomic_load(&match->stop);
        if (last) atomic_store(&match->producer[player->index].total, done + 1);
        if (kind->put(match->memory, match->size, (uint64_t)(done * match->chunk), match->chunk) < 0) return 1;
        if (last) return 0;
    }
}

static int consume(void *args)
{
    const struct player *player = args;
    struct match *match = mp_block_data(player->block);
    const struct bench_channel_kind *kind = kind_of(match->kind);
    int64_t since = 0, now = 0;
    long done = 0;
    do {
        if (kind->get(match->memory, match->size, (uint64_t)(done * match->chunk), match->chunk) < 0) return 1;
        done++;
        now = raw_now();
        if (!since) since = now; /* the first chunk brings the two together */
        if (now - since >= STREAM_NS) atomic_store(&match->stop, 1);
    } while (atomic_load(&match->producer[0].total) != done);
    match->begin[0] = since;
    match->end[0] = now;
    match->got[0] = (done - 1) * match->chunk;
    return 0;
}

/* One of two consumers: whatever comes, until an item of another size says that it is the end. */
static int consume_any(void *args)
{
    const struct player *player = args;
    struct match *match = mp_block_data(player->block);
    mp_queue queue = ((const struct libmp_queue *)(const void *)match->memory)->queue;
    char message[65536];
    size_t size;
    int64_t since = 0;
    long got = 0;
    for (;; got++) {
        if (mp_queue_get(queue, message, sizeof message, &size, MP_FOREVER) < 0) return 1;
        if (!since) since = raw_now();
        if (size != match->size) break;
        if (got % 1024 == 0 && raw_now() - since >= STREAM_NS) atomic_store(&match->stop, 1);
    }
    match->begin[player->index] = since;
    match->end[player->index] = raw_now();
    match->got[player->index] = got;
    return 0;
}

static int produce_any(void *args)
{
    const struct player *player = args;
    struct match *match = mp_block_data(player->block);
    mp_queue queue = ((const struct libmp_queue *)(const void *)match->memory)->queue;
    while (!atomic_load(&match->stop))
        if (queue_put(match->memory, match->size, 0, 1000) < 0) return 1;
    return mp_queue_put(queue, "end", 3, MP_FOREVER) < 0;
}

static int ping(void *args)
{
    const struct player *player = args;
    struct match *match = mp_block_data(player->block);
    const struct bench_channel_kind *kind = kind_of(match->kind);
    bool first = player->index == 0;
    int (*play)(void *, size_t, long) = first ? kind->ping : kind->pong;
    int64_t since = 0, now = 0;
    long done = 0;
    do {
        done++;
        /* Side 0 has the clock; what it says before a chunk the other one knows after it. */
        if (first && since && raw_now() - since >= STREAM_NS) atomic_store(&match->stop, done);
        if (play(match->memory, match->size, match->chunk) < 0) return 1;
        now = raw_now();
        if (!since) since = now;
    } while (atomic_load(&match->stop) != done);
    if (first) {
        match->begin[0] = since;
        match->end[0] = now;
        match->got[0] = (done - 1) * match->chunk;
    }
    return 0;
}

/* Whether all did their part. */
static bool play(mp_block block, const mp_target *targets, const int *indexes, int count)
{
    mp_process players[4];
    int started = 0;
    bool works = true;
    const mp_process_options options = {.method = raw_inherits ? MP_FORK : MP_DEFAULT};
    const struct match *match = mp_block_data(block);
    for (; works && started < count; started += works) {
        struct player player = {.block = block, .index = indexes[started]};
        if (match->kind < OWN_KINDS) memcpy(player.handles, match->memory, sizeof player.handles);
        works = mp_process_start(&players[started], targets[started], &player, sizeof player, &options) == 0;
    }
    if (works) works = mp_process_join_all(players, NULL, (size_t)count, LIMIT_MS) == 0;
    for (int i = 0; i < started; i++) {
        int code;
        if (!works) (void)mp_process_kill(players[i]);
        (void)mp_process_join(players[i], &code, MP_FOREVER);
        (void)mp_process_close(players[i]);
    }
    return works;
}

static bool play_match(mp_block block)
{
    static const mp_target rally[] = {ping, ping}, stream[] = {produce, consume},
                           many[] = {produce_any, produce_any, consume_any, consume_any};
    static const int indexes[] = {0, 1}, zeros[] = {0, 0}, both[] = {0, 1, 0, 1};
    struct match *match = mp_block_data(block);
    if (match->pairs == 2) return play(block, many, both, 4);
    return match->pairs ? play(block, stream, zeros, 2) : play(block, rally, indexes, 2);
}

/* Messages, or rounds, in a second; or -1. */
static double rate(const void *context)
{
    const mp_block *block = context;
    struct match *match = mp_block_data(*block);
    int64_t begin = INT64_MAX, end = 0, spin_ns = mp__header()->spin_ns;
    long got = 0;
    atomic_store(&match->stop, 0);
    atomic_store(&match->producer[0].total, 0);
    if (match->blocked) mp__header()->spin_ns = -1; /* nobody spins in this family */
    bool works = play_match(*block);
    mp__header()->spin_ns = spin_ns;
    if (!works) return -1;
    for (int i = 0; i < (match->pairs == 2 ? 2 : 1); i++) {
        if (match->begin[i] < begin) begin = match->begin[i];
        if (match->end[i] > end) end = match->end[i];
        got += match->got[i];
    }
    return (double)got / ((double)(end - begin) / 1e9);
}

static double round_ns(const void *context)
{
    double rounds = rate(context);
    return rounds > 0 ? 1e9 / rounds : -1;
}

static double gigabytes(const void *context)
{
    const mp_block *block = context;
    double messages = rate(context);
    return messages > 0 ? messages * (double)((const struct match *)mp_block_data(*block))->size / 1e9 : -1;
}

/* ---- the metrics ---- */

struct plan {
    const char *name, *unit;
    size_t size;
    int pairs; /* 0: there and back */
    long chunk;
    bool blocked;
    double (*sample)(const void *);
};

static bool takes_part(const struct plan *plan, const struct bench_channel_kind *kind, size_t i)
{
    if (!kind->name || plan->size < kind->least || (kind->most && plan->size > kind->most)) return false;
    if (plan->pairs == 2) return i == OWN_QUEUE;
    bool sleeper = strcmp(kind->name, "shared-memory futex") == 0;
    if (plan->pairs == 0 && plan->blocked != sleeper && i != OWN_PIPE) return false;
    return plan->pairs ? kind->put != NULL : kind->ping != NULL;
}

static void measure(const struct plan *plan)
{
    const struct bench_metric metric = {plan->name, plan->unit, 3, 2};
    mp_block blocks[SUBJECTS_MAX];
    struct bench_subject subjects[SUBJECTS_MAX];
    size_t count = 0;
    if (!bench_wanted(plan->name)) return;
    for (size_t i = 0; i < OWN_KINDS + raw_channel_count && count < SUBJECTS_MAX; i++) {
        const struct bench_channel_kind *kind = kind_of(i);
        if (!takes_part(plan, kind, i)) continue;
        MP_CHECK(mp_block_create(&blocks[count], sizeof(struct match)));
        struct match *match = mp_block_data(blocks[count]);
        match->kind = i;
        match->size = plan->size;
        match->pairs = plan->pairs;
        match->chunk = plan->chunk;
        match->blocked = plan->blocked;
        if (kind->init(match->memory, plan->size) < 0) {
            bench_note(kind->name, "left out: this system does not have it");
            MP_CHECK(mp_block_destroy(blocks[count]));
            continue;
        }
        subjects[count] = (struct bench_subject){kind->name, plan->sample, &blocks[count]};
        count++;
    }
    bench_run(&metric, subjects, count);
    for (size_t i = 0; i < count; i++) {
        struct match *match = mp_block_data(blocks[i]);
        if (kind_of(match->kind)->fini) kind_of(match->kind)->fini(match->memory);
        MP_CHECK(mp_block_destroy(blocks[i]));
    }
}

/* ---- a gigabyte ---- */

struct giga {
    mp_connection a, b;
    mp_queue queue;
    mp_event touched, ready;
    enum giga_way {
        BY_PIPE,
        BY_QUEUE,
        BY_MESSAGE
    } way;
};

/* It has its gigabyte, and puts it when the other one is there. */
static int put_giga(void *args)
{
    const struct giga *giga = args;
    char *data = raw_touch(GIB);
    if (!data || mp_event_set(giga->touched) < 0 || mp_event_wait(giga->ready, MP_FOREVER) < 0) return 1;
    return (giga->way == BY_PIPE ? mp_connection_send(giga->a, data, GIB, MP_FOREVER)
                                 : mp_queue_put(giga->queue, data, GIB, MP_FOREVER)) < 0;
}

static double giga_copied(const void *context)
{
    struct giga giga = {.way = *(const enum giga_way *)context};
    mp_process process;
    int code = 1;
    char *data = raw_touch(GIB);
    MP_CHECK(mp_pipe_create(&giga.a, &giga.b, NULL));
    MP_CHECK(mp_queue_create(&giga.queue, NULL));
    MP_CHECK(mp_event_create(&giga.ready, NULL));
    MP_CHECK(mp_event_create(&giga.touched, NULL));
    MP_CHECK(mp_process_start(&process, put_giga, &giga, sizeof giga, NULL));
    int result = mp_event_wait(giga.touched, LIMIT_MS);
    int64_t since = raw_now();
    MP_CHECK(mp_event_set(giga.ready));
    if (!data) result = MP_ENOMEM;
    if (result == 0 && giga.way == BY_PIPE) result = mp_connection_recv(giga.b, data, GIB, NULL, LIMIT_MS);
    if (result == 0 && giga.way == BY_QUEUE) result = mp_queue_get(giga.queue, data, GIB, NULL, LIMIT_MS);
    int64_t ns = raw_now() - since;
    MP_CHECK(mp_process_join(process, &code, MP_FOREVER));
    MP_CHECK(mp_process_close(process));
    MP_CHECK(mp_event_destroy(giga.ready));
    MP_CHECK(mp_event_destroy(giga.touched));
    MP_CHECK(mp_queue_destroy(giga.queue));
    MP_CHECK(mp_connection_close(giga.a));
    MP_CHECK(mp_connection_close(giga.b));
    if (data) raw_untouch(data, GIB);
    return result < 0 || code ? -1 : (double)GIB / (double)ns;
}

static double giga_memcpy(const void *context)
{
    (void)context;
    char *from = raw_touch(GIB), *to = raw_touch(GIB);
    int64_t since = raw_now();
    if (from && to) memcpy(to, from, GIB);
    int64_t ns = raw_now() - since;
    bool works = from && to && to[GIB - 1] == from[GIB - 1];
    if (from) raw_untouch(from, GIB);
    if (to) raw_untouch(to, GIB);
    return works ? (double)GIB / (double)ns : -1;
}

/* Hand it back as often as it comes. */
struct handed {
    mp_queue there, back;
};

static int return_giga(void *args)
{
    const struct handed *handed = args;
    mp_message message;
    int result;
    while ((result = mp_queue_get_message(handed->there, &message, MP_FOREVER)) == 0)
        if (mp_queue_put_message(handed->back, &message, MP_FOREVER) < 0) return 1;
    return result != MP_ECLOSED;
}

/* Microseconds from one process to the other. */
static double giga_handed_over(const void *context)
{
    enum {
        ROUNDS = 10000
    };
    struct handed handed;
    mp_process process;
    mp_message message;
    (void)context;
    MP_CHECK(mp_queue_create(&handed.there, NULL));
    MP_CHECK(mp_queue_create(&handed.back, NULL));
    MP_CHECK(mp_process_start(&process, return_giga, &handed, sizeof handed, NULL));
    MP_CHECK(mp_message_create(&message, GIB));
    memset(message.data, 1, 4096);
    int64_t since = 0;
    for (int i = 0; i <= ROUNDS; i++) {
        MP_CHECK(mp_queue_put_message(handed.there, &message, MP_FOREVER));
        MP_CHECK(mp_queue_get_message(handed.back, &message, MP_FOREVER));
        if (i == 0) since = raw_now();
    }
    int64_t ns = raw_now() - since;
    MP_CHECK(mp_message_destroy(&message));
    MP_CHECK(mp_queue_close(handed.there));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    MP_CHECK(mp_process_close(process));
    MP_CHECK(mp_queue_destroy(handed.there));
    MP_CHECK(mp_queue_destroy(handed.back));
    return (double)ns / 1e3 / (2 * ROUNDS);
}

static void measure_giga(void)
{
    static const enum giga_way pipe = BY_PIPE, queue = BY_QUEUE;
    const struct bench_subject copied[] = {{"libmp Pipe", giga_copied, &pipe},
                                           {"libmp Queue", giga_copied, &queue},
                                           {"limit: memcpy once", giga_memcpy, NULL}};
    const struct bench_subject handed[] = {{"libmp Queue zero-copy", giga_handed_over, NULL}};
    if (!bench_wanted("one_1GB")) return;
    bench_run(&(const struct bench_metric){"one_1GB", "GB/s", 1, 1}, copied, 3);
    bench_run(&(const struct bench_metric){"one_1GB", "us", 1, 2}, handed, 1);
}

void bench_channel(void)
{
    static const struct plan plans[] = {
        {"rtt_64B", "ns", 64, 0, 1000, false, round_ns},          {"rtt_64B_blocked", "ns", 64, 0, 100, true, round_ns},
        {"stream_64B", "msg/s", 64, 1, 10000, false, rate},       {"stream_1KB", "msg/s", 1024, 1, 5000, false, rate},
        {"stream_64KB", "GB/s", 65536, 1, 200, false, gigabytes}, {"mpmc_64B_2p2c", "msg/s", 64, 2, 1000, false, rate},
    };
    MP_CHECK(mp_get_stats(&(mp_stats){0})); /* there is a family */
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) measure(&plans[i]);
    measure_giga();
}
