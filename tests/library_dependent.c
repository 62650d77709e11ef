/* SPDX-License-Identifier: MIT
 *
 * library_dependent.c - a library that test_libraries.c loads, and that can only be loaded where library_needed is beside
 * it.
 */
#include "libraries.h"

int dependent_add(void *args)
{
    return linked_add(args);
}
