/* SPDX-License-Identifier: MIT
 *
 * config.h - what this process has set about its later starts.
 */
#ifndef MP_PRIMITIVES_CONFIG_H
#define MP_PRIMITIVES_CONFIG_H

#include <mp/family.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether this platform has that start method. */
bool mp__method_available(mp_start_method method);
/* A child begins with its parent's default. */
void mp__method_inherit(mp_start_method method);

/* The program that spawn and forkserver start: its path copied to `path`, "" for this one. */
void mp__executable_get(char *path, size_t size);
bool mp__executable_is_chosen(void);

#endif
