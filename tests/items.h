/* SPDX-License-Identifier: MIT
 *
 * items.h - one of each that can be waited for, but processes; and what makes it ready, and no more.
 */
#ifndef MP_TESTS_ITEMS_H
#define MP_TESTS_ITEMS_H

#include "support.h"

enum {
    QUEUE,
    CONNECTION,
    EVENT,
    SEMAPHORE,
    OWNED,
    ITEM_KINDS
};

struct items {
    mp_queue queue;
    mp_connection near, far; /* of a pipe: the first is waited for */
    mp_event event;
    mp_semaphore semaphore, owned;
};

/* None is ready: this process has the owned semaphore's unit. It uses the queue and the pipe's far end: neither is ready
 * because others are dead, but the queue if they were its only other users. */
struct items items_create(void);
void items_destroy(const struct items *items);
mp_handle items_handle(const struct items *items, int kind);

/* By any process; of the owned semaphore by who has its unit. */
int items_make_ready(const struct items *items, int kind);
/* By one that need not wait for it; what is put and sent are 4 bytes, which are received as a message. */
int items_make_unready(const struct items *items, int kind);

#endif
