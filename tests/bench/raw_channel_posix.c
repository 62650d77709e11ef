/* SPDX-License-Identifier: MIT
 *
 * raw_channel_posix.c - messages by hand: what spinning processes can do at all, a futex, sockets, pipes, message queues.
 */
#include "raw.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<linux/futex.h>)
#include <linux/futex.h>
#include <sys/syscall.h>
#define HAS_FUTEX 1
#endif
#if __has_include(<mqueue.h>)
#include <fcntl.h>
#include <mqueue.h>
#define HAS_MQ 1
#endif
#endif

const bool raw_inherits = true;

/* ---- messages ---- */

/* The number stands at both ends of the message. */
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

/* ---- the limit: a ring of slots of 64 bytes, and two words, spun on ---- */

enum {
    SLOTS = 4096,
    SLOT = 64
};

struct ring {
    _Alignas(128) atomic_ulong head;
    _Alignas(128) atomic_ulong tail;
    _Alignas(128) atomic_uint word[2][32];
    _Alignas(128) unsigned char message[SLOT];
    _Alignas(128) unsigned char slot[SLOTS][SLOT];
};

_Static_assert(sizeof(struct ring) <= BENCH_CHANNEL_SIZE, "a larger BENCH_CHANNEL_SIZE");

static int ring_init(void *memory, size_t size)
{
    (void)memory;
    return size == SLOT ? 0 : -1;
}

static int ring_put(void *memory, size_t size, uint64_t first, long count)
{
    struct ring *ring = memory;
    unsigned long tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    unsigned long head = atomic_load_explicit(&ring->head, memory_order_acquire);
    unsigned char message[SLOT] = {0};
    for (long i = 0; i < count; i++) {
        while (tail - head == SLOTS) head = atomic_load_explicit(&ring->head, memory_order_acquire);
        number(message, size, first + (uint64_t)i);
        memcpy(ring->slot[tail % SLOTS], message, SLOT);
        atomic_store_explicit(&ring->tail, ++tail, memory_order_release);
    }
    return 0;
}

static int ring_get(void *memory, size_t size, uint64_t first, long count)
{
    struct ring *ring = memory;
    unsigned long head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    unsigned long tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    unsigned char message[SLOT];
    int bad = 0;
    for (long i = 0; i < count; i++) {
        while (head == tail) tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        memcpy(message, ring->slot[head % SLOTS], SLOT);
        atomic_store_explicit(&ring->head, ++head, memory_order_release);
        bad |= check(message, size, first + (uint64_t)i);
    }
    return bad;
}

#if HAS_FUTEX
static void tell(atomic_uint *word, bool sleeps)
{
    if (sleeps) syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void await(atomic_uint *word, unsigned turn, bool sleeps)
{
    while (atomic_load(word) != turn)
        if (sleeps) syscall(SYS_futex, word, FUTEX_WAIT, turn - 1, NULL, NULL, 0);
}
#else
static void tell(atomic_uint *word, bool sleeps)
{
    (void)word, (void)sleeps;
}

static void await(atomic_uint *word, unsigned turn, bool sleeps)
{
    (void)sleeps;
    while (atomic_load(word) != turn) {}
}
#endif

/* The message lies in shared memory; who is told spins, or sleeps, on a word. */
static int play(void *memory, int side, long rounds, bool sleeps)
{
    struct ring *ring = memory;
    atomic_uint *mine = &ring->word[side][0], *other = &ring->word[1 - side][0];
    unsigned turn = atomic_load(mine);
    unsigned char message[SLOT] = {0};
    for (long i = 0; i < rounds; i++) {
        turn++;
        if (side == 1) await(other, turn, sleeps);
        if (side == 0)
            number(message, SLOT, turn);
        else
            memcpy(message, ring->message, SLOT);
        if (check(message, SLOT, turn) < 0) return -1;
        memcpy(ring->message, message, SLOT);
        atomic_store_explicit(mine, turn, memory_order_release);
        tell(mine, sleeps);
        if (side == 1) continue;
        await(other, turn, sleeps);
        memcpy(message, ring->message, SLOT);
        if (check(message, SLOT, turn) < 0) return -1;
    }
    return 0;
}

static int spin_ping(void *memory, size_t size, long rounds)
{
    (void)size;
    return play(memory, 0, rounds, false);
}

static int spin_pong(void *memory, size_t size, long rounds)
{
    (void)size;
    return play(memory, 1, rounds, false);
}

#if HAS_FUTEX
static int futex_ping(void *memory, size_t size, long rounds)
{
    (void)size;
    return play(memory, 0, rounds, true);
}

static int futex_pong(void *memory, size_t size, long rounds)
{
    (void)size;
    return play(memory, 1, rounds, true);
}
#endif

/* ---- descriptors: messages with their length in front ---- */

struct line {
    int to[2], from[2]; /* of the side that puts, or pings: [0] to read, [1] to write; and of the other one */
};

static int read_all(int fd, void *buffer, size_t size)
{
    for (char *at = buffer; size > 0;) {
        ssize_t got = read(fd, at, size);
        if (got == 0 || (got < 0 && errno != EINTR)) return -1;
        if (got > 0) at += got, size -= (size_t)got;
    }
    return 0;
}

static int write_all(int fd, const void *buffer, size_t size)
{
    for (const char *at = buffer; size > 0;) {
        ssize_t put = write(fd, at, size);
        if (put < 0 && errno != EINTR) return -1;
        if (put > 0) at += put, size -= (size_t)put;
    }
    return 0;
}

static int socket_init(void *memory, size_t size)
{
    struct line *line = memory;
    int ends[2];
    (void)size;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return -1;
    *line = (struct line){.to = {ends[0], ends[0]}, .from = {ends[1], ends[1]}};
    return 0;
}

static void socket_fini(void *memory)
{
    const struct line *line = memory;
    close(line->to[0]);
    close(line->from[0]);
}

static int pipe_init(void *memory, size_t size)
{
    struct line *line = memory;
    int there[2], back[2];
    (void)size;
    if (pipe(there) < 0 || pipe(back) < 0) return -1;
    *line = (struct line){.to = {back[0], there[1]}, .from = {there[0], back[1]}};
    return 0;
}

static void pipe_fini(void *memory)
{
    const struct line *line = memory;
    for (int i = 0; i < 2; i++) {
        close(line->to[i]);
        close(line->from[i]);
    }
}

static int send_framed(int fd, char *message, size_t size)
{
    uint32_t length = (uint32_t)size;
    memcpy(message, &length, sizeof length);
    return write_all(fd, message, sizeof length + size);
}

static int receive_framed(int fd, char *message, size_t size)
{
    uint32_t length;
    if (read_all(fd, &length, sizeof length) < 0 || length != size) return -1;
    return read_all(fd, message, size);
}

static int line_put(void *memory, size_t size, uint64_t first, long count)
{
    const struct line *line = memory;
    char *message = calloc(1, size + sizeof(uint32_t));
    int result = message ? 0 : -1;
    for (long i = 0; result == 0 && i < count; i++) {
        number(message + sizeof(uint32_t), size, first + (uint64_t)i);
        result = send_framed(line->to[1], message, size);
    }
    free(message);
    return result;
}

static int line_get(void *memory, size_t size, uint64_t first, long count)
{
    const struct line *line = memory;
    char *message = malloc(size);
    int result = message ? 0 : -1;
    for (long i = 0; result == 0 && i < count; i++) {
        result = receive_framed(line->from[0], message, size);
        if (result == 0) result = check(message, size, first + (uint64_t)i);
    }
    free(message);
    return result;
}

static int line_ping(void *memory, size_t size, long rounds)
{
    const struct line *line = memory;
    char message[SLOT] = {0};
    for (long i = 0; i < rounds; i++) {
        number(message, size, (uint64_t)i);
        if (write_all(line->to[1], message, size) < 0 || read_all(line->to[0], message, size) < 0) return -1;
        if (check(message, size, (uint64_t)i) < 0) return -1;
    }
    return 0;
}

static int line_pong(void *memory, size_t size, long rounds)
{
    const struct line *line = memory;
    char message[SLOT];
    for (long i = 0; i < rounds; i++)
        if (read_all(line->from[0], message, size) < 0 || write_all(line->from[1], message, size) < 0) return -1;
    return 0;
}

/* ---- POSIX message queues ---- */

#if HAS_MQ
static int mq_init(void *memory, size_t size)
{
    struct line *line = memory;
    char name[64];
    struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = (long)size};
    (void)snprintf(name, sizeof name, "/mp_bench_%ld", (long)getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
    if (queue == (mqd_t)-1) return -1;
    mq_unlink(name);
    line->to[1] = line->from[0] = queue;
    return 0;
}

static void mq_fini(void *memory)
{
    mq_close(((const struct line *)memory)->to[1]);
}

static int mq_put(void *memory, size_t size, uint64_t first, long count)
{
    const struct line *line = memory;
    char message[1024] = {0};
    for (long i = 0; i < count; i++) {
        number(message, size, first + (uint64_t)i);
        if (mq_send(line->to[1], message, size, 0) < 0) return -1;
    }
    return 0;
}

static int mq_get(void *memory, size_t size, uint64_t first, long count)
{
    const struct line *line = memory;
    char message[1024];
    for (long i = 0; i < count; i++) {
        if (mq_receive(line->from[0], message, size, NULL) != (ssize_t)size) return -1;
        if (check(message, size, first + (uint64_t)i) < 0) return -1;
    }
    return 0;
}
#endif

const struct bench_channel_kind raw_channels[] = {
    {"limit: spinning SPSC ring", ring_init, NULL, ring_put, ring_get, NULL, NULL, SLOT, SLOT, true},
    {"limit: shared-memory spin", ring_init, NULL, NULL, NULL, spin_ping, spin_pong, SLOT, SLOT, true},
#if HAS_FUTEX
    {"shared-memory futex", ring_init, NULL, NULL, NULL, futex_ping, futex_pong, SLOT, SLOT, true},
#endif
#if HAS_MQ
    {"POSIX mq", mq_init, mq_fini, mq_put, mq_get, NULL, NULL, 8, 1024, false},
#endif
    {"unix stream socketpair, framed", socket_init, socket_fini, line_put, line_get, NULL, NULL, 8, 0, true},
    {"unix stream socketpair", socket_init, socket_fini, NULL, NULL, line_ping, line_pong, SLOT, SLOT, true},
    {"pipe(2)", pipe_init, pipe_fini, NULL, NULL, line_ping, line_pong, SLOT, SLOT, true},
};
const size_t raw_channel_count = sizeof raw_channels / sizeof *raw_channels;
