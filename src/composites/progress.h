/* SPDX-License-Identifier: MIT
 *
 * progress.h - telling how far a call has come: a bar on a terminal, or a function of the caller's, a few times a second.
 */
#ifndef MP_COMPOSITES_PROGRESS_H
#define MP_COMPOSITES_PROGRESS_H

#include <mp/pool.h>
#include <stdbool.h>
#include <stdint.h>

struct mp__progress {
    mp_progress now; /* the caller's, but for the total and the seconds */
    int64_t begun, next;
    void (*callback)(const mp_progress *progress, void *context);
    void *context;
    bool draws, over; /* over: from the beginning, if nobody wants to know */
    size_t drawn;     /* characters of the last line */
    char label[32];
};

/* total 0: it is not known. */
void mp__progress_begin(struct mp__progress *progress, const mp_call_options *options, size_t total);
/* Whether it is time for mp__progress_show, at that moment. */
bool mp__progress_is_due(const struct mp__progress *progress, int64_t time);
void mp__progress_show(struct mp__progress *progress);
/* There is nothing to show now: later. */
void mp__progress_put_off(struct mp__progress *progress);
/* The last time, if there is anything to show. */
void mp__progress_end(struct mp__progress *progress);
/* Nobody wants to know any more: a line that was begun is ended. */
void mp__progress_abandon(struct mp__progress *progress);
/* How long to wait at most, before it may be due. */
int64_t mp__progress_slice(const struct mp__progress *progress, int64_t deadline);

#endif
