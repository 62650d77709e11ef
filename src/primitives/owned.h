/* SPDX-License-Identifier: MIT
 *
 * owned.h - the semaphore whose units are somebody's. As the public functions, which call these.
 */
#ifndef MP_PRIMITIVES_OWNED_H
#define MP_PRIMITIVES_OWNED_H

#include <mp/sync.h>

int mp__owned_create(mp_semaphore *semaphore, uint32_t value, const char *name);
int mp__owned_acquire(mp_semaphore semaphore, int64_t timeout_ms);
int mp__owned_release(mp_semaphore semaphore);
int mp__owned_get_value(mp_semaphore semaphore);
int mp__owned_look(const char *call, uint64_t id); /* 1: there is a unit; 0; or an error */
int mp__owned_destroy(mp_semaphore semaphore);

#endif
