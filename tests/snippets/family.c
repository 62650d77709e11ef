/* SPDX-License-Identifier: MIT */
#include "snippet.h"

static int nothing(void *args)
{
    (void)args;
    return 0;
}

static int run(void)
{
    mp_process process;
    MP_CHECK(mp_process_start(&process, nothing, NULL, 0, NULL));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    REQUIRE(mp_get_start_method() == MP_SPAWN);
    mp_block block;
    REQUIRE(mp_block_create(&block, 65 << 20) < 0);
    return 0;
}

#include "family.snippet"
