/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "queue.snippet"

int main(void)
{
    mp_freeze_support();
    mp_queue queue;
    mp_process process;
    struct record record;
    MP_CHECK(mp_queue_create(&queue, NULL));
    MP_CHECK(mp_process_start(&process, produce, &queue, sizeof queue, NULL));
    MP_CHECK(mp_queue_get(queue, &record, sizeof record, NULL, MP_FOREVER));
    REQUIRE(record.number == 42 && strcmp(record.text, "hello") == 0);
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    return 0;
}
