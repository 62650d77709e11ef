/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "sync.snippet"

int main(void)
{
    mp_freeze_support();
    mp_lock lock;
    mp_process process;
    MP_CHECK(mp_lock_create(&lock, NULL));
    MP_CHECK(mp_process_start(&process, print, &lock, sizeof lock, NULL));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    REQUIRE(mp_lock_locked(lock) == 0);
    return 0;
}
