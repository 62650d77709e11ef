/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "pipe.snippet"

int main(void)
{
    mp_freeze_support();
    mp_connection here, there;
    mp_process process;
    int number = 21;
    MP_CHECK(mp_pipe_create(&here, &there, NULL));
    MP_CHECK(mp_process_start(&process, answer, &there, sizeof there, NULL));
    MP_CHECK(mp_connection_send(here, &number, sizeof number, MP_FOREVER));
    MP_CHECK(mp_connection_recv(here, &number, sizeof number, NULL, MP_FOREVER));
    REQUIRE(number == 42);
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    return 0;
}
