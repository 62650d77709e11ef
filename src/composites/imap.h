/* SPDX-License-Identifier: MIT
 *
 * imap.h - an imap, in the process that has made it.
 */
#ifndef MP_COMPOSITES_IMAP_H
#define MP_COMPOSITES_IMAP_H

#include "base/error.h"
#include "base/family.h"
#include "composites/pool.h"
#include "composites/progress.h"

#define MP__BATCH_MOST ((size_t)256)  /* items that a batch has at most */
#define MP__READ_SLOW  INT64_C(50000) /* ns: longer is long; and its first item does not wait longer for others */

struct mp__batch {
    struct mp__batch *next; /* as they were submitted, in order; or as they came back */
    uint64_t job;           /* offset */
    uint64_t first;
    size_t count;
    bool finished;
};

struct mp__batches {
    struct mp__batch *first, *last;
};

struct mp_imap {
    const char *name; /* of the call that has made it */
    uint64_t owner, pool, inbox, flag;
    mp_task_function function;
    mp_source source;
    void *state;
    size_t output_size, workers;
    bool ordered;
    mp_call_options options;
    /* The inputs. */
    size_t read; /* items */
    bool exhausted, is_shut;
    bool stopped;    /* by options.stop */
    bool dry;        /* it had nothing when it was asked last, and may have something later */
    int64_t reading; /* ns that it took to read it last */
    bool is_unread;  /* there was no memory for what it gave last: */
    mp_bytes unread;
    int failure;           /* why it ends early, or 0 */
    char detail[256];      /* of that */
    size_t batch_size;     /* items */
    char *bytes;           /* of those that are gathered */
    size_t size, capacity; /* bytes there */
    size_t gathered;
    struct mp__pool_item items[MP__BATCH_MOST];
    /* The window. */
    size_t outside; /* items that are submitted, and not handed out */
    struct mp__batches submitted, finished;
    struct mp__batch *current; /* its items are being handed out */
    size_t at;                 /* up to that one */
    struct mp__progress progress;
    uint64_t thread;   /* that has called last: its number */
    bool busy, doomed; /* a call of it is going on; and it is to be destroyed then */
};

/* ---- imap_source.c ----------------------------------------------------------------------------------------------- */

/* Read until so many items are gathered, or some for a while: 0 or an error (detail set) that may pass. */
int mp__imap_gather(mp_imap *imap, size_t most);
/* Nothing more is read. It ends when what is submitted has been handed out, with that failure, if it is one (detail set). */
void mp__imap_end(mp_imap *imap, int failure);

/* Whether to ask the source is likely to take longer than what can be had meanwhile. */
static inline bool mp__imap_is_slow(const mp_imap *imap)
{
    return imap->reading > MP__READ_SLOW;
}

/* Whether this is a copy, made by fork(), of the process that has made it: its inbox is that one's. */
static inline bool mp__imap_is_copy(const mp_imap *imap)
{
    return imap->owner != mp__family_id();
}
/* Whether what was called of the caller's has made an end of that: 0, or an error (detail set). */
static inline int mp__imap_interrupted(const mp_imap *imap)
{
    if (mp__imap_is_copy(imap)) return mp__fail(MP_ENOTOWNER, "mp_imap_next: the imap is another process's");
    return imap->doomed ? mp__fail(MP_ECANCELED, "mp_imap_next: the imap was destroyed meanwhile") : 0;
}

#endif
