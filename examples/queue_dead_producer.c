/* SPDX-License-Identifier: MIT
 *
 * queue_dead_producer.c - the producer dies before it puts anything: who waits for that is told.
 *
 *     Python: p.start(); print(q.get()) - waits for ever
 */
#include <mp/mp.h>
#include <stdio.h>

static int produce(void *args)
{
    mp_queue *queue = args;
    int number = 42;
    MP_CHECK(mp_process_kill(mp_current_process())); /* or a bug that crashes it */
    return mp_queue_put(*queue, &number, sizeof number, MP_FOREVER);
}

int main(void)
{
    mp_freeze_support();
    mp_queue queue;
    mp_process process;
    int number = 0, exit_code;
    MP_CHECK(mp_queue_create(&queue, NULL));
    MP_CHECK(mp_process_start(&process, produce, &queue, sizeof queue, NULL));

    int result = mp_queue_get(queue, &number, sizeof number, NULL, MP_FOREVER);
    printf("get: %s\n", mp_error_name(result)); /* MP_EPEERDEAD: nobody lives who could put something */
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    printf("exit code %d\n", exit_code);

    mp_queue_destroy(queue);
    return result == MP_EPEERDEAD && exit_code == -9 ? 0 : 1;
}
