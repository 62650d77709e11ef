/* SPDX-License-Identifier: MIT
 *
 * parcel.h - what queues and pipes share: from arguments to a parcel (base/channel.h), and from errors to texts.
 */
#ifndef MP_PRIMITIVES_PARCEL_H
#define MP_PRIMITIVES_PARCEL_H

#include "base/channel.h"
#include "base/message.h"

#include <mp/message.h>

/* The detail of what a message is that it should not be. */
int mp__message_fail(const char *call, uint64_t id, int result);
/* A message that is to be put: 0, or an error (detail set). */
int mp__parcel_of_message(const char *call, const mp_message *message, struct mp__parcel *parcel);
/* One that was got. */
int mp__message_of_parcel(const struct mp__parcel *parcel, mp_message *message);

#endif
