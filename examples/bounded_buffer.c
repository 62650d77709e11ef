/* SPDX-License-Identifier: MIT
 *
 * bounded_buffer.c - two conditions and one lock: who puts waits while it is full, who takes while it is empty.
 *
 *     Python: with lock: not_empty.wait_for(lambda: count > 0); ...; not_full.notify()
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    ROOM = 8,
    PRODUCERS = 3,
    CONSUMERS = 2,
    EACH = 2000, /* items of one producer */
    END = 0      /* the item that tells a consumer to stop */
};

struct buffer { /* in a block of shared memory */
    mp_lock lock;
    mp_condition not_full, not_empty; /* both with that lock */
    int first, count;
    int items[ROOM];
};

struct job {
    mp_block buffer;
    mp_value sum; /* int64_t */
    int number;
};

static void put(struct buffer *buffer, int item)
{
    MP_WITH_LOCK(buffer->lock) {
        while (buffer->count == ROOM) MP_CHECK(mp_condition_wait(buffer->not_full, MP_FOREVER));
        buffer->items[(buffer->first + buffer->count) % ROOM] = item;
        buffer->count++;
        mp_condition_notify(buffer->not_empty, 1);
    }
}

static int take(struct buffer *buffer)
{
    int item = END;
    MP_WITH_LOCK(buffer->lock) {
        while (buffer->count == 0) MP_CHECK(mp_condition_wait(buffer->not_empty, MP_FOREVER));
        item = buffer->items[buffer->first];
        buffer->first = (buffer->first + 1) % ROOM;
        buffer->count--;
        mp_condition_notify(buffer->not_full, 1);
    }
    return item;
}

static int produce(void *args)
{
    const struct job *job = args;
    for (int i = 1; i <= EACH; i++) put(mp_block_data(job->buffer), job->number * EACH + i);
    return 0;
}

static int consume(void *args)
{
    const struct job *job = args;
    int64_t sum = 0;
    for (int item; (item = take(mp_block_data(job->buffer))) != END;) sum += item;
    MP_WITH_LOCK(job->sum) *MP_VALUE(int64_t, job->sum) += sum;
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct job job = {0};
    mp_process producers[PRODUCERS], consumers[CONSUMERS];
    MP_CHECK(mp_value_create(&job.sum, sizeof(int64_t), NULL));
    MP_CHECK(mp_block_create(&job.buffer, sizeof(struct buffer))); /* zero: empty */
    struct buffer *buffer = mp_block_data(job.buffer);
    MP_CHECK(mp_lock_create(&buffer->lock, NULL));
    MP_CHECK(mp_condition_create(&buffer->not_full, &(mp_condition_options){.lock = buffer->lock}));
    MP_CHECK(mp_condition_create(&buffer->not_empty, &(mp_condition_options){.lock = buffer->lock}));

    for (job.number = 0; job.number < CONSUMERS; job.number++)
        MP_CHECK(mp_process_start(&consumers[job.number], consume, &job, sizeof job, NULL));
    for (job.number = 0; job.number < PRODUCERS; job.number++)
        MP_CHECK(mp_process_start(&producers[job.number], produce, &job, sizeof job, NULL));
    MP_CHECK(mp_process_join_all(producers, NULL, PRODUCERS, MP_FOREVER));
    for (int i = 0; i < CONSUMERS; i++) put(buffer, END);
    MP_CHECK(mp_process_join_all(consumers, NULL, CONSUMERS, MP_FOREVER));

    int items = PRODUCERS * EACH;
    int64_t sum = *MP_VALUE(int64_t, job.sum);
    printf("%d items through room for %d, sum %lld\n", items, ROOM, (long long)sum);
    return sum == (int64_t)items * (items + 1) / 2 ? 0 : 1;
}
