/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "pool.snippet"

int main(void)
{
    mp_freeze_support();
    int in[100], out[100];
    for (int i = 0; i < 100; i++) in[i] = i;
    squares(in, out, 100);
    for (int i = 0; i < 100; i++) REQUIRE(out[i] == i * i);
    return 0;
}
