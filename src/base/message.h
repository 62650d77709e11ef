/* SPDX-License-Identifier: MIT
 *
 * message.h - messages: memory with exactly one owner, who changes.
 *
 *     owner   the id of a process: it may use it, and destroy it
 *             that id made even:   that process is putting it into a channel
 *             0:                   it is in a channel
 *
 * Invariants:
 *   - M1: who puts a message gives it another generation first, by compare-and-swap: of all who try one succeeds, and the id
 *     that it was known by is over. The record in the channel has the new one.
 *   - M2: whoever gets it writes itself down as the owner before its get is committed; who has put it makes the owner 0 only if
 *     it still is the one who puts it.
 *   - M3: what a dead process owned or was putting is freed, unless a channel has it: which side->moving tells (channel.h).
 */
#ifndef MP_BASE_MESSAGE_H
#define MP_BASE_MESSAGE_H

#include "base/control.h"

/* This process's: 0 and *id, *data; or MP_ENOMEM, MP_ELIMIT (detail set). */
int mp__message_create(const char *call, uint64_t size, uint64_t *id, void **data);
/* Where it lies in this process, and how long it is; NULL: there is none of that id, or it can not be mapped (no detail
 * set). */
void *mp__message_at(uint64_t id, uint64_t *size);
/* 0: it is this process's; MP_ENOTOWNER, MP_EBADHANDLE (no detail set). */
int mp__message_is_mine(uint64_t id);
/* As it stands there; 0, too, if there is none. */
uint64_t mp__message_owner(uint64_t id);
/* It and its memory go, whoever's it is: 0; or MP_EBADHANDLE: it is over, or somebody else is at it. */
int mp__message_free(uint64_t id);

/* Begin to put it, with so many bytes of it: 0 and the id it has from here on; or MP_EBADHANDLE: it is over. */
int mp__message_send(uint64_t id, uint64_t size, uint64_t *sent);
/* It is in a channel, if that process is still putting it; or whoever is. */
void mp__message_sent(uint64_t id, uint64_t process);
void mp__message_settle(uint64_t id);
/* It is this process's. */
void mp__message_receive(uint64_t id);
/* It is in the channel yet, if it is that dead process's. */
void mp__message_return(uint64_t id, uint64_t process);

/* What was a dead process's: its memory becomes what that has allocated, and it goes. The arena's lock is held. */
void mp__message_sweep(struct mp__control *control, uint64_t id, uint64_t process);

#endif
