/* SPDX-License-Identifier: MIT */
#include "snippet.h"

static int later;

static int try_later(void)
{
    return ++later;
}

static int take(mp_lock lock)
{
#include "error.snippet"
    return result;
}

int main(void)
{
    mp_freeze_support();
    mp_lock lock;
    MP_CHECK(mp_lock_create(&lock, NULL));
    REQUIRE(take(lock) == 0);
    REQUIRE(take(lock) == 1 && later == 1); /* it is held */
    MP_CHECK(mp_lock_destroy(lock));
    REQUIRE(take(lock) == MP_EBADHANDLE); /* of which it tells */
    REQUIRE(strstr(mp_error_detail(), "mp_lock_acquire"));
    return 0;
}
