/* SPDX-License-Identifier: MIT
 *
 * queue_record.c - a record of several fields goes through a queue.
 *
 *     Python: q.put([42, None, 'hello']); print(q.get())
 */
#include <mp/mp.h>
#include <stdio.h>
#include <string.h>

struct record { /* flat: no pointers; what is shared goes in as a handle */
    int number;
    mp_block more; /* {0}: None */
    char text[16];
};

static int produce(void *args)
{
    mp_queue *queue = args;
    struct record record = {.number = 42, .text = "hello"};
    return mp_queue_put(*queue, &record, sizeof record, MP_FOREVER);
}

int main(void)
{
    mp_freeze_support();
    mp_queue queue;
    mp_process process;
    struct record record;
    MP_CHECK(mp_queue_create(&queue, NULL));
    MP_CHECK(mp_process_start(&process, produce, &queue, sizeof queue, NULL));

    /* NULL: the item has to have exactly that size, or it is MP_EMSGSIZE. */
    MP_CHECK(mp_queue_get(queue, &record, sizeof record, NULL, MP_FOREVER));
    printf("[%d, %s, '%s']\n", record.number, record.more.id ? "a block" : "None", record.text);

    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    mp_queue_destroy(queue);
    return record.number == 42 && !record.more.id && strcmp(record.text, "hello") == 0 ? 0 : 1;
}
