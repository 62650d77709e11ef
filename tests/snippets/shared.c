/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "shared.snippet"

int main(void)
{
    mp_freeze_support();
    mp_value total;
    mp_process processes[3];
    MP_CHECK(mp_value_create(&total, sizeof(long), NULL));
    for (int i = 0; i < 3; i++) MP_CHECK(mp_process_start(&processes[i], add, &total, sizeof total, NULL));
    MP_CHECK(mp_process_join_all(processes, NULL, 3, MP_FOREVER));
    REQUIRE(*MP_VALUE(long, total) == 3);
    return 0;
}
