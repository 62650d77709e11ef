/* SPDX-License-Identifier: MIT
 *
 * imap_source.c - where the inputs of an imap come from, and how they are gathered.
 */
#include "base/line.h"
#include "composites/imap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNED(size) (((size) + 1 + 15) / 16 * 16) /* with the 0 behind it */
#define BATCH_BYTES   ((size_t)65536)               /* that a batch has at most, if there are several items */

/* ---- sources ----------------------------------------------------------------------------------------------------- */

int mp_source_array(void *items, mp_bytes *input)
{
    mp_items *left = items;
    if (!left || !input) return mp__fail(MP_EINVAL, "mp_source_array: %s is NULL", left ? "input" : "items");
    if (!left->count) return 0;
    *input = (mp_bytes){left->items, left->item_size};
    if (left->items) left->items = (const char *)left->items + left->item_size;
    left->count--;
    return 1;
}

int mp_source_lines(void *file, mp_bytes *input)
{
    const char *line;
    size_t size;
    if (!file || !input) return mp__fail(MP_EINVAL, "mp_source_lines: %s is NULL", file ? "input" : "file");
    int result = mp__line_read(file, &line, &size);
    if (result < 0) return mp__fail(result, "mp_source_lines: the file can not be read: %s", strerror(errno));
    if (!line) return 0;
    *input = (mp_bytes){line, size};
    return 1;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

void mp__imap_end(mp_imap *imap, int failure)
{
    imap->exhausted = true;
    if (imap->failure || !failure) return;
    imap->failure = failure;
    (void)snprintf(imap->detail, sizeof imap->detail, "%s", mp_error_detail());
}

/* 0 or an error (detail set). */
static int keep(mp_imap *imap, const mp_bytes *input)
{
    if ((!input->data && input->size) || input->size > INT64_MAX / 4)
        return mp__fail(MP_EINVAL, "mp_imap_next: the source gave %zu bytes at %p", input->size, input->data);
    size_t needed = imap->size + ALIGNED(input->size);
    if (needed > imap->capacity) {
        size_t capacity = needed < 4096 ? 4096 : 2 * needed;
        char *bytes = realloc(imap->bytes, capacity);
        if (!bytes) return mp__fail(MP_ENOMEM, "mp_imap_next: no memory for an input of %zu bytes", input->size);
        imap->bytes = bytes;
        imap->capacity = capacity;
    }
    if (input->size) memcpy(imap->bytes + imap->size, input->data, input->size);
    memset(imap->bytes + imap->size + input->size, 0, needed - imap->size - input->size);
    imap->items[imap->gathered++] = (struct mp__pool_item){.input = imap->size, .input_size = input->size};
    imap->size = needed;
    imap->read++;
    return 0;
}

/* One input more: 0; or an error (detail set) that may pass. */
static int read_one(mp_imap *imap)
{
    int more = 1;
    if (!imap->is_unread) {
        imap->unread = (mp_bytes){NULL, 0};
        more = imap->source(imap->state, &imap->unread);
    }
    int interrupted = mp__imap_interrupted(imap);
    if (interrupted < 0) return interrupted;
    imap->dry = more == MP_ETIMEDOUT;
    if (imap->dry) return 0;
    if (more < 0 && imap->source != mp_source_lines)
        more = mp__fail(more, "mp_imap_next: the source has failed with %d: %s", more, mp_strerror(more));
    int kept = more > 0 ? keep(imap, &imap->unread) : 0;
    imap->is_unread = kept == MP_ENOMEM && imap->source != mp_source_lines; /* whose memory is the thread's */
    if (imap->is_unread) return kept;
    if (more <= 0 || kept < 0) mp__imap_end(imap, more < 0 ? more : kept);
    return 0;
}

int mp__imap_gather(mp_imap *imap, size_t most)
{
    const bool may_be_slow = imap->source != mp_source_array; /* to ask for the time costs as much as all else */
    const int64_t begun = may_be_slow ? mp_os_now() : 0;
    int64_t time = begun;
    int result = 0;
    imap->dry = false;
    while (result == 0 && !imap->dry && !imap->exhausted && imap->gathered < most && imap->size < BATCH_BYTES &&
           time - begun <= MP__READ_SLOW) {
        result = read_one(imap);
        if (!may_be_slow) continue;
        int64_t now = mp_os_now();
        imap->reading = now - time;
        time = now;
    }
    return result;
}
