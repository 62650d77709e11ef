/* SPDX-License-Identifier: MIT */
#include "snippet.h"

static int put(void *args)
{
    int number = 42;
    return mp_queue_put(*(mp_queue *)args, &number, sizeof number, MP_FOREVER);
}

static int wait_for(mp_queue queue, mp_process process)
{
#include "wait.snippet"
    REQUIRE(index == 1 || number == 42);
    return (int)index;
}

int main(void)
{
    mp_freeze_support();
    mp_queue queue;
    mp_process process;
    MP_CHECK(mp_queue_create(&queue, NULL));
    MP_CHECK(mp_process_start(&process, put, &queue, sizeof queue, NULL));
    REQUIRE(wait_for(queue, process) == 0); /* before it ends, and of two that are ready the first */
    REQUIRE(wait_for(queue, process) == 1);
    return 0;
}
