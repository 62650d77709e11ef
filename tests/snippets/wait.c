/* SPDX-License-Identifier: MIT */
#include "snippet.h"

struct args {
    mp_queue queue;
    mp_event end;
};

static int put(void *args)
{
    const struct args *with = args;
    int number = 42, result = mp_queue_put(with->queue, &number, sizeof number, MP_FOREVER);
    return result < 0 ? result : mp_event_wait(with->end, MP_FOREVER);
}

static size_t wait_for(mp_queue queue, mp_process process)
{
#include "wait.snippet"
    REQUIRE(index == 1 || number == 42);
    return index;
}

int main(void)
{
    mp_freeze_support();
    struct args with;
    mp_process process;
    MP_CHECK(mp_queue_create(&with.queue, NULL));
    MP_CHECK(mp_event_create(&with.end, NULL));
    MP_CHECK(mp_process_start(&process, put, &with, sizeof with, NULL));
    REQUIRE(wait_for(with.queue, process) == 0);
    MP_CHECK(mp_event_set(with.end));
    REQUIRE(wait_for(with.queue, process) == 1);
    return 0;
}
