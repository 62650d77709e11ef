/* SPDX-License-Identifier: MIT
 *
 * fuzz_channel.c - queues and pipes as a dead process left them: it was putting, getting, going on in another ring, or sending
 * what is larger than that, and was killed between any two of its stores; what it had not committed yet is anything. What is
 * committed is got once, in its order, nothing else is, and when the channel is gone nothing is left (channel.h: Q1 to Q6).
 *
 *     input: which kind, and where its positions begin; then what is done, or half done
 */
#include "base/channel_now.h"
#include "base/message.h"
#include "base/recover.h"
#include "fuzz.h"

#include <stdlib.h>

#define MOST       512
#define MOST_BYTES 40000
#define STEPS      300
#define LARGE      (UINT64_C(1) << 20) /* than the ring of a pipe */

/* A process that there never was: what is its is what a dead one left. */
#define DEAD    (UINT64_C(7) << 32 | mp__handle_tag() | MP__INDEX_MASK)
#define PUTTING (DEAD & ~(UINT64_C(1) << 32))

/* Done one after the other, until it is killed. */
#define STORE(...)              \
    do {                        \
        if (cut-- == 0) return; \
        __VA_ARGS__;            \
    } while (0)

static struct item {
    uint32_t size;
    unsigned char fill;
} items[MOST];
static unsigned first, count; /* of those that have to come */
static bool is_queue;
static mp_queue queue;
static mp_connection near_end, far_end;
static struct mp__side *put, *get;
static uint64_t put_id, get_id;
static unsigned char bytes[MOST_BYTES];

/* ---- what should come -------------------------------------------------------------------------------------------- */

static struct item any_item(struct fuzz_input *input)
{
    uint8_t how = fuzz_byte(input);
    uint32_t size = how % 4 ? how / 4u : fuzz_short(input) % MOST_BYTES;
    return (struct item){size, (unsigned char)(how ^ size)};
}

static void expect(struct item item)
{
    FUZZ_CHECK(count < MOST);
    items[(first + count++) % MOST] = item;
}

static void check_next(const void *data, size_t size)
{
    FUZZ_CHECK(count);
    struct item item = items[first++ % MOST];
    count--;
    FUZZ_CHECK(size == item.size);
    for (size_t i = 0; i < size; i++) FUZZ_CHECK(((const unsigned char *)data)[i] == item.fill);
}

/* ---- in order ---------------------------------------------------------------------------------------------------- */

static void put_item(struct item item)
{
    memset(bytes, item.fill, item.size);
    int result =
        is_queue ? mp_queue_put(queue, bytes, item.size, 0) : mp_connection_send(near_end, bytes, item.size, 0);
    if (fuzz_result(result) == 0)
        expect(item);
    else
        FUZZ_CHECK(!is_queue && result == MP_ETIMEDOUT);
}

static void put_message(struct item item)
{
    mp_message message;
    FUZZ_CHECK(mp_message_create(&message, item.size) == 0);
    memset(message.data, item.fill, item.size);
    int result =
        is_queue ? mp_queue_put_message(queue, &message, 0) : mp_connection_send_message(near_end, &message, 0);
    if (fuzz_result(result) == 0)
        expect(item);
    else
        FUZZ_CHECK(!is_queue && result == MP_ETIMEDOUT && mp_message_destroy(&message) == 0);
}

static void get_as_message(void)
{
    mp_message message;
    int result = is_queue ? mp_queue_get_message(queue, &message, 0) : mp_connection_recv_message(far_end, &message, 0);
    if (fuzz_result(result) == 0) {
        check_next(message.data, message.size);
        FUZZ_CHECK(mp_message_destroy(&message) == 0);
    } else {
        FUZZ_CHECK(result == MP_ETIMEDOUT && count == 0);
    }
}

static void get_item(void)
{
    size_t size = 0;
    memset(bytes, 0xa5, sizeof bytes);
    int result = is_queue ? mp_queue_get(queue, bytes, sizeof bytes, &size, 0)
                          : mp_connection_recv(far_end, bytes, sizeof bytes, &size, 0);
    if (fuzz_result(result) == 0)
        check_next(bytes, size);
    else if (result == MP_EMSGSIZE && size_of(next_header(get, ring_of(get))) == LARGE)
        get_as_message(); /* begun by the dead one, which who has room for it will see */
    else
        FUZZ_CHECK(result == MP_ETIMEDOUT && count == 0);
}

static void count_items(void)
{
    size_t size = 0;
    if (!is_queue) return;
    FUZZ_CHECK(mp_queue_qsize(queue, &size) == 0 && size == count);
    FUZZ_CHECK(mp_queue_empty(queue) == (count == 0));
}

/* ---- by one who is killed: the stores of channel_now.h, channel_put.c, channel_get.c and channel.c, in their order  */

/* Who is about to work there finds it whole. */
static void make_whole(struct mp__side *side, uint64_t id)
{
    FUZZ_CHECK(mp__side_enter(side, id, 0) == 0);
    mp__side_leave(side, id);
}

static void dies(struct mp__side *side)
{
    atomic_store(&side->state, mp__state_of(atomic_load(&side->state)) | MP__LOCK_DIED);
}

static struct mp__ring *ring_with_room(uint32_t granules, uint64_t size)
{
    struct mp__ring *ring = ring_of(put);
    return has_room(put, get, ring, granules, size) ? ring : NULL;
}

static void put_half(struct item item, struct fuzz_input *input, int cut)
{
    uint32_t granules = granules_of(item.size), mask = atomic_load(&put->mask), position = position_of(peek(&put->at));
    struct mp__ring *ring = ring_with_room(granules, item.size);
    if (!ring || item.size > MP__INLINE_MOST) return;
    dies(put);
    STORE(put_down(&put->next_at, advanced(peek(&put->at), 1, granules)));
    STORE(put_down(&put->next_bytes, peek(&put->bytes) + item.size));
    STORE(put_down(&ring->words[(position + granules) & mask], 0));
    for (uint32_t i = 1; i < granules && i < 4; i++) put_down(&ring->words[(position + i) & mask], fuzz_word(input));
    memset(bytes, item.fill, item.size);
    STORE(write_bytes(ring, mask, position + 1, bytes, item.size));
    STORE(put_down(&ring->words[position & mask], header_of(RECORD_BYTES, item.size)); expect(item));
    STORE(put_down(&put->at, peek(&put->next_at)));
    STORE(put_down(&put->bytes, peek(&put->next_bytes)));
}

static void put_message_half(struct item item, int cut)
{
    uint32_t mask = atomic_load(&put->mask), position = position_of(peek(&put->at));
    struct mp__ring *ring = ring_with_room(2, item.size);
    uint64_t id, sent;
    void *data;
    if (!ring) return;
    FUZZ_CHECK(mp__message_create("fuzz", item.size, &id, &data) == 0);
    struct mp__control *message = mp__control_of(id, MP__MESSAGE);
    memset(data, item.fill, item.size);
    put_down(&message->as.message.owner, DEAD);
    dies(put);
    STORE(FUZZ_CHECK(mp__message_send(id, item.size, &sent) == 0); put_down(&message->as.message.owner, DEAD));
    STORE(put_down(&message->as.message.owner, PUTTING));
    STORE(put_down(&put->next_at, advanced(peek(&put->at), 1, 2)));
    STORE(put_down(&put->next_bytes, peek(&put->bytes) + item.size));
    STORE(put_down(&put->moving, sent));
    STORE(put_down(&ring->words[(position + 2) & mask], 0));
    STORE(put_down(&ring->words[(position + 1) & mask], sent));
    STORE(put_down(&ring->words[position & mask], header_of(RECORD_MESSAGE, item.size)); expect(item));
    STORE(put_down(&put->at, peek(&put->next_at)));
    STORE(put_down(&put->bytes, peek(&put->next_bytes)));
    STORE(mp__message_sent(sent, DEAD));
    STORE(put_down(&put->moving, 0));
}

/* It goes on in a ring that follows. */
static void grow_half(int cut)
{
    uint32_t mask = atomic_load(&put->mask);
    uint64_t at = peek(&put->at), offset;
    struct mp__ring *ring = ring_with_room(1, 0);
    if (!is_queue || !ring) return;
    FUZZ_CHECK(mp__ring_create(0, &offset) == 0);
    struct mp__ring *following = mp__heap_at(offset, sizeof *following);
    mp__heap_set_ref(offset, DEAD);
    dies(put);
    STORE(put_down(&put->next_at, advanced(at, 0, 1)));
    STORE(put_down(&put->next_bytes, peek(&put->bytes)));
    STORE(put_down(&put->spare, offset));
    STORE(atomic_store(&following->base, position_of(at) + 1));
    STORE(mp__heap_set_ref(offset, put_id));
    STORE(put_down(&ring->following, offset));
    STORE(put_down(&ring->words[position_of(at) & mask], header_of(RECORD_RING, 0)));
    STORE(put_down(&put->at, peek(&put->next_at)));
    STORE(put_down(&put->ring, offset));
    STORE(atomic_store(&put->mask, atomic_load(&following->mask)));
    STORE(put_down(&put->seen, (uint64_t)count_of(peek(&put->seen)) << 32 | position_of(peek(&put->at))));
    STORE(put_down(&put->spare, 0));
}

/* Some of a message that is larger than the ring. */
static void stream_half(struct fuzz_input *input, int cut)
{
    if (is_queue) return;
    for (int i = 0; i < 3; i++) {
        uint64_t size = i ? fuzz_byte(input) : 0, says = i ? size : LARGE;
        uint32_t granules = granules_of(size), mask = atomic_load(&put->mask), position = position_of(peek(&put->at));
        struct mp__ring *ring = ring_with_room(granules, 0);
        if (!ring) return;
        dies(put);
        if (!i) atomic_fetch_or(&put->flags, MP__SIDE_STREAM);
        STORE(put_down(&put->next_at, advanced(peek(&put->at), !i, granules)));
        STORE(put_down(&put->next_bytes, peek(&put->bytes) + size));
        STORE(put_down(&ring->words[(position + granules) & mask], 0));
        if (size) STORE(put_down(&ring->words[(position + 1) & mask], fuzz_word(input)));
        STORE(put_down(&ring->words[position & mask], header_of(i ? RECORD_CHUNK : RECORD_STREAM, says)));
        STORE(put_down(&put->at, peek(&put->next_at)));
        STORE(put_down(&put->bytes, peek(&put->next_bytes)));
    }
}

static void get_message_half(uint64_t id, uint64_t size, int cut)
{
    struct mp__control *message = mp__control_of(id, MP__MESSAGE);
    FUZZ_CHECK(message);
    STORE(put_down(&get->next_at, advanced(peek(&get->at), 1, 2)));
    STORE(put_down(&get->next_bytes, peek(&get->bytes) + size));
    STORE(put_down(&get->moving, id));
    STORE(put_down(&message->as.message.owner, DEAD));
    STORE(put_down(&get->at, peek(&get->next_at)); first++; count--);
    STORE(put_down(&get->bytes, peek(&get->next_bytes)));
    STORE(put_down(&get->moving, 0));
}

static void follow_half(const struct mp__ring *ring, int cut)
{
    uint64_t following = peek(&ring->following), old = peek(&get->ring);
    const struct mp__ring *next = mp__heap_at(following, sizeof *next);
    FUZZ_CHECK(next);
    STORE(put_down(&get->next_at, advanced(peek(&get->at), 0, 1)));
    STORE(put_down(&get->next_bytes, peek(&get->bytes)));
    STORE(put_down(&get->spare, old));
    STORE(put_down(&get->ring, following));
    STORE(atomic_store(&get->mask, atomic_load(&next->mask)));
    STORE(put_down(&get->at, peek(&get->next_at)));
    STORE(mp__heap_set_ref(old, DEAD));
    STORE(put_down(&get->spare, 0));
    STORE(mp__heap_free(old));
}

static void get_half(int cut)
{
    const struct mp__ring *ring = ring_of(get);
    uint64_t header = next_header(get, ring), size = size_of(header);
    uint32_t mask = atomic_load(&get->mask);
    if (!header) return;
    if (kind_of(header) == RECORD_MESSAGE) {
        dies(get);
        get_message_half(peek(&ring->words[(position_of(peek(&get->at)) + 1) & mask]), size, cut);
    } else if (kind_of(header) == RECORD_RING) {
        dies(get);
        follow_half(ring, cut);
    } else if (kind_of(header) == RECORD_BYTES) {
        dies(get);
        STORE(put_down(&get->next_at, advanced(peek(&get->at), 1, granules_of(size))));
        STORE(put_down(&get->next_bytes, peek(&get->bytes) + size));
        STORE(put_down(&get->at, peek(&get->next_at)); first++; count--);
        STORE(put_down(&get->bytes, peek(&get->next_bytes)));
    }
}

/* ---- an input ---------------------------------------------------------------------------------------------------- */

static void step(struct fuzz_input *input)
{
    uint8_t what = fuzz_byte(input) % 16, cut = what < 8 ? 0 : fuzz_byte(input);
    bool at_once = cut & 128;
    if (count > MOST - 4 && what < 12) what = 4;
    if (what >= 8 && what < 12) make_whole(put, put_id);
    if (what >= 12 && what < 14) make_whole(get, get_id);
    cut %= 16;
    if (what < 3) put_item(any_item(input));
    if (what == 3) put_message(any_item(input));
    if (what == 4 || what == 5) get_item();
    if (what == 6) get_as_message();
    if (what == 7) count_items();
    if (what == 8) put_half(any_item(input), input, cut);
    if (what == 9) put_message_half(any_item(input), cut);
    if (what == 10) grow_half(cut);
    if (what == 11) stream_half(input, cut);
    if (what == 12 || what == 13) get_half(cut);
    if (what >= 14 || at_once) mp__recover_process(DEAD);
}

/* A channel that nobody has used yet, but whose positions have come that far. */
static void begin(uint8_t kind, uint32_t position)
{
    is_queue = kind & 1;
    if (is_queue)
        FUZZ_CHECK(mp_queue_create(&queue, NULL) == 0);
    else
        FUZZ_CHECK(mp_pipe_create(&near_end, &far_end, &(mp_pipe_options){.capacity = kind * 16u}) == 0);
    const struct mp__control *object =
        is_queue ? mp__control_of(queue.id, MP__QUEUE) : mp__control_of(near_end.id, MP__CONNECTION);
    put_id = peek(is_queue ? &object->as.queue.put : &object->as.connection.put);
    get_id = peek(is_queue ? &object->as.queue.get : &object->as.connection.put_other);
    put = mp__side_at(put_id);
    get = mp__side_at(get_id);
    atomic_store(&ring_of(put)->base, position);
    put_down(&put->at, position);
    put_down(&put->next_at, position);
    put_down(&put->seen, position);
    put_down(&get->at, position);
    put_down(&get->next_at, position);
}

static void end(void)
{
    if (is_queue)
        FUZZ_CHECK(mp_queue_destroy(queue) == 0);
    else
        FUZZ_CHECK(mp_connection_close(near_end) == 0 && mp_connection_close(far_end) == 0);
    mp__recover_process(DEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_begin(data, size);
    FUZZ_CHECK(mp__thread_join() == 0);
    fuzz_check_balance();
    first = count = 0;
    uint8_t kind = fuzz_byte(&input);
    begin(kind, kind & 2 ? (uint32_t)fuzz_short(&input) << 16 | 0xff00 : UINT32_MAX - kind * 8u);
    for (int i = 0; i < STEPS && fuzz_left(&input); i++) step(&input);
    if (kind & 4)
        while (count) get_item();
    if (kind & 8) get_item();
    end();
    fuzz_check_balance();
    return 0;
}
