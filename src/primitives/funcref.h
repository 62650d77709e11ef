/* SPDX-License-Identifier: MIT
 *
 * funcref.h - a function as another run of this program can find it: module, offset, build.
 */
#ifndef MP_PRIMITIVES_FUNCREF_H
#define MP_PRIMITIVES_FUNCREF_H

#include "os/os.h"

/* Describe a function. `call` and `what` name it in errors. 0, or MP_ENOTARGET, MP_ESTALE, MP_ENOTSUP, MP_ESYSTEM. */
int mp__funcref_make(const char *call, const char *what, const void *function, mp_os_module *module);

/* Find it in this process. 0, or MP_ENOTARGET, MP_ESTALE (detail set). */
int mp__funcref_resolve(const mp_os_module *module, void **function);

#endif
