/* SPDX-License-Identifier: MIT
 *
 * early_exit.c - a producer has ended, and been joined, before anybody gets what it has put.
 *
 *     Python: q.put('X' * 1000000); and in the parent p.join(); q.get() - a deadlock, as its manual says
 *
 * There is no thread that feeds the queue: an item is in shared memory when its put returns.
 */
#include <mp/mp.h>
#include <stdio.h>
#include <string.h>

static char text[1000000];

static int produce(void *args)
{
    mp_queue *queue = args;
    memset(text, 'X', sizeof text);
    return mp_queue_put(*queue, text, sizeof text, MP_FOREVER);
}

int main(void)
{
    mp_freeze_support();
    mp_queue queue;
    mp_process process;
    MP_CHECK(mp_queue_create(&queue, NULL));
    MP_CHECK(mp_process_start(&process, produce, &queue, sizeof queue, NULL));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER)); /* first */
    MP_CHECK(mp_process_close(process));

    MP_CHECK(mp_queue_get(queue, text, sizeof text, NULL, MP_FOREVER)); /* and then */
    size_t count = 0;
    for (size_t i = 0; i < sizeof text; i++) count += text[i] == 'X';
    printf("%zu of %zu bytes arrived, from a process that is no more\n", count, sizeof text);
    mp_queue_destroy(queue);
    return count == sizeof text ? 0 : 1;
}
