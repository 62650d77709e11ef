/* SPDX-License-Identifier: MIT
 *
 * flag.h - a flag that can be waited for: the word of an event, and of a result.
 *
 * None of these sets a detail. MP_EBADHANDLE: there is none of that type and id.
 */
#ifndef MP_PRIMITIVES_FLAG_H
#define MP_PRIMITIVES_FLAG_H

#include "base/control.h"

#define MP__FLAG_SET UINT64_C(0x40000000)

/* Its control block and state; NULL: there is none. Async-signal-safe where it is mapped already. */
struct mp__control *mp__flag_find(uint64_t id, enum mp__type type, uint64_t *state);

/* Until it is set, or was since it had that state: 0, MP_ETIMEDOUT, MP_EBADHANDLE. By a thread with a record. */
int mp__flag_await(struct mp__control *control, uint64_t first, int64_t deadline);
/* Likewise for a moment only, without sleeping, as somebody is known to be at work on it: whether it was, or it is no more. */
bool mp__flag_spin(struct mp__control *control, uint64_t first);

/* Async-signal-safe, as mp__flag_find. 0; clear: 1, it was set. */
int mp__flag_set(uint64_t id, enum mp__type type);
int mp__flag_clear(uint64_t id, enum mp__type type);

/* wait.h. */
int mp__flag_look(uint64_t id, enum mp__type type, bool watch);

#endif
