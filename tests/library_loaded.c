/* SPDX-License-Identifier: MIT
 *
 * library_loaded.c - a library that test_libraries.c loads while it runs. Two are built of this, with another BUILD.
 */
#include "libraries.h"

static int number;

int loaded_build(void *args)
{
    (void)args;
    return BUILD;
}

int loaded_number(void *args)
{
    (void)args;
    return number;
}

static int add_static(void *args)
{
    return *(int *)args + 10 * BUILD;
}

static int preload(void)
{
    number = BUILD;
    return 0;
}

int loaded_functions(void *receives)
{
    *(struct loaded_functions *)receives = (struct loaded_functions){add_static, preload};
    return 0;
}
