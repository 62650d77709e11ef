/* SPDX-License-Identifier: MIT */
#include "snippet.h"

static int printed;

#define printf(format, number) (printed = (number))
#define main                   readme
#include "readme.snippet"
#undef main

int main(void)
{
    int result = readme();
    REQUIRE(printed == 4000);
    return result;
}
