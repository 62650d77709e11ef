/* SPDX-License-Identifier: MIT
 *
 * library_linked.c - a shared library that test_libraries.c is linked with; and, as library_needed, library_dependent.c.
 */
#include "libraries.h"

static int number;

static int add_static(void *args)
{
    return *(int *)args + 300;
}

int linked_add(void *args)
{
    return *(int *)args + 200;
}

mp_target linked_static(void)
{
    return add_static;
}

int linked_preload(void)
{
    number = 77;
    return 0;
}

int linked_number(void *args)
{
    (void)args;
    return number;
}
