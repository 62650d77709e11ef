/* SPDX-License-Identifier: MIT
 *
 * data.h - what values, arrays and blocks have in common: a control block that names memory in the heap.
 */
#ifndef MP_PRIMITIVES_DATA_H
#define MP_PRIMITIVES_DATA_H

#include "base/control.h"
#include <mp/shared.h>

/* What one of them is. */
struct mp__data {
    uint64_t offset; /* 0: nothing there */
    uint64_t size, item_size;
    uint64_t lock; /* id, or 0 */
    bool own_lock;
};

/* Create one of that type; `call` names the public function in errors. 0 and *id, or MP_EINVAL, MP_ENOMEM, MP_ELIMIT.
 */
int mp__data_create(const char *call, enum mp__type type, uint64_t size, uint64_t item_size,
                    const mp_shared_options *options, uint64_t *id);
/* Read it; false (and a detail) if the id names none of that type. */
bool mp__data_read(const char *call, uint64_t id, enum mp__type type, struct mp__data *data);
/* Where it lies in this process; NULL if it can not be mapped. */
void *mp__data_at(const struct mp__data *data);
int mp__data_destroy(const char *call, uint64_t id, enum mp__type type);

#endif
