/* SPDX-License-Identifier: MIT
 *
 * items.c - one of each that can be waited for, but processes.
 */
#include "items.h"

struct items items_create(void)
{
    struct items items;
    char byte;
    ok(mp_queue_create(&items.queue, NULL));
    fails(MP_ETIMEDOUT, mp_queue_get(items.queue, &byte, 1, NULL, 0));
    ok(mp_pipe_create(&items.near, &items.far, NULL));
    assert_int_equal(mp_connection_poll(items.far, 0), 0);
    ok(mp_event_create(&items.event, NULL));
    ok(mp_semaphore_create(&items.semaphore, 0, NULL));
    ok(mp_semaphore_create(&items.owned, 1, &(mp_semaphore_options){.owned = true}));
    ok(mp_semaphore_acquire(items.owned, 0));
    return items;
}

void items_destroy(const struct items *items)
{
    ok(mp_queue_destroy(items->queue));
    ok(mp_connection_close(items->near));
    ok(mp_connection_close(items->far));
    ok(mp_event_destroy(items->event));
    ok(mp_semaphore_destroy(items->semaphore));
    ok(mp_semaphore_destroy(items->owned));
}

mp_handle items_handle(const struct items *items, int kind)
{
    const mp_handle handles[ITEM_KINDS] = {MP_HANDLE(items->queue), MP_HANDLE(items->near), MP_HANDLE(items->event),
                                           MP_HANDLE(items->semaphore), MP_HANDLE(items->owned)};
    return handles[kind];
}

int items_make_ready(const struct items *items, int kind)
{
    switch (kind) {
    case QUEUE:
        return mp_queue_put(items->queue, "item", 4, LIMIT);
    case CONNECTION:
        return mp_connection_send(items->far, "item", 4, LIMIT);
    case EVENT:
        return mp_event_set(items->event);
    case SEMAPHORE:
        return mp_semaphore_release(items->semaphore);
    default:
        return mp_semaphore_release(items->owned);
    }
}

int items_make_unready(const struct items *items, int kind)
{
    char item[4];
    mp_message message;
    int result;
    switch (kind) {
    case QUEUE:
        return mp_queue_get(items->queue, item, sizeof item, NULL, 0);
    case CONNECTION:
        result = mp_connection_recv_message(items->near, &message, 0);
        return result < 0 ? result : mp_message_destroy(&message);
    case EVENT:
        return mp_event_clear(items->event);
    case SEMAPHORE:
        return mp_semaphore_acquire(items->semaphore, 0);
    default:
        return mp_semaphore_acquire(items->owned, 0);
    }
}
