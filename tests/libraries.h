/* SPDX-License-Identifier: MIT
 *
 * libraries.h - what the libraries of test_libraries.c have.
 */
#ifndef MP_TESTS_LIBRARIES_H
#define MP_TESTS_LIBRARIES_H

#include <mp/process.h>

/* ---- library_linked: the program is linked with it -------------------------------------------------------------- */

int linked_add(void *args);    /* an int, plus 200 */
mp_target linked_static(void); /* a static function of it: an int, plus 300 */
int linked_preload(void);      /* for the fork server */
int linked_number(void *args); /* 77 if that has run in this process or the one it is a copy of, else 0 */

/* ---- library_loaded, and library_loaded_other: another build of the same, with BUILD 2 instead of 1 --------------- */

int loaded_build(void *args);  /* BUILD */
int loaded_number(void *args); /* BUILD if the preload function has run, as above, else 0 */
int loaded_functions(void *receives);
struct loaded_functions {
    mp_target add_static; /* an int, plus 10 * BUILD */
    int (*preload)(void);
};

/* ---- library_dependent: needs library_needed, a copy of library_linked, beside it ------------------------------- */

int dependent_add(void *args); /* as linked_add, by calling it */

#endif
