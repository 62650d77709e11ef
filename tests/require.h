/* SPDX-License-Identifier: MIT
 *
 * require.h - checks in children and in other programs, where there is no test framework: what went wrong is told on stderr,
 * and the function returns 1.
 */
#ifndef MP_TESTS_REQUIRE_H
#define MP_TESTS_REQUIRE_H

#include <mp/error.h>

#include <stdio.h>

#define REQUIRE(condition)                                                                                    \
    do {                                                                                                      \
        if (condition) break;                                                                                 \
        fprintf(stderr, "%s:%d: %s: %s (%s)\n", __FILE__, __LINE__, __func__, #condition, mp_error_detail()); \
        return 1;                                                                                             \
    } while (0)

#endif
