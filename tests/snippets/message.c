/* SPDX-License-Identifier: MIT */
#include "snippet.h"

static void put(mp_queue queue)
{
#include "message.snippet"
    REQUIRE(!message.data);
}

int main(void)
{
    mp_freeze_support();
    mp_queue queue;
    mp_message got;
    MP_CHECK(mp_queue_create(&queue, NULL));
    put(queue);
    MP_CHECK(mp_queue_get_message(queue, &got, MP_FOREVER));
    REQUIRE(got.size == 1000 * sizeof(double));
    REQUIRE(((double *)got.data)[0] > 1.4 && ((double *)got.data)[0] < 1.6);
    MP_CHECK(mp_message_destroy(&got));
    return 0;
}
