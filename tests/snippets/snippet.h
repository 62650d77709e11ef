/* SPDX-License-Identifier: MIT
 *
 * snippet.h - what a program needs that runs the code of a header's opening comment, or of a page, taken out by extract.py: it
 * does what is promised there, or the program says what it does not, and fails.
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(what)                                                            \
    do {                                                                         \
        if (what) break;                                                         \
        fprintf(stderr, "%s:%d: it is not so: %s\n", __FILE__, __LINE__, #what); \
        exit(1);                                                                 \
    } while (0)
