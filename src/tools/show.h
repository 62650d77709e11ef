/* SPDX-License-Identifier: MIT
 *
 * show.h - a look, or two, as text or as JSON.
 */
#ifndef MP_TOOLS_SHOW_H
#define MP_TOOLS_SHOW_H

#include "tools/family.h"
#include "tools/out.h"

/* A family as it is shown. */
struct top_view {
    const mp_os_view *view;
    struct top_family before, now; /* related */
    bool twice;                    /* there is a look before */
    char command[1024];
    int64_t pid; /* of who leads it, or of one that has it; 0: none */
};

/* ---- describe.c: what both say ----------------------------------------------------------------------------------- */

struct top_words {
    char at[400];
};
/* Of a process, as one line; "?": there is none. */
struct top_words top_process_name(const struct top_family *family, uint64_t id);
/* Its own name, as one line; or "". */
struct top_words top_object_name(const struct top_object *object);
/* lock "table"; the lock of value #7 */
struct top_words top_object_words(const struct top_family *family, uint64_t id);
/* For what it waits: an item of queue "orders". */
struct top_words top_wait_words(const struct top_family *family, const struct top_thread *thread);
const char *top_wait_name(enum top_wait wait);
const char *top_state_name(const struct top_process *process);
const char *top_method_name(uint32_t method);
const char *top_pool_state_name(uint64_t state);
/* Whether there is nothing to be told of its wait: it is a worker without work, or who supervises it. */
bool top_rests(const struct top_family *family, const struct top_thread *thread);

/* A channel, or one way of a pipe. False: nobody can use it any more. */
struct top_channel {
    const struct top_object *put, *get, *object;
    uint32_t items;
    uint64_t bytes;
    bool pipe, reversed; /* from the second end to the first */
};
bool top_channel_of(const struct top_family *family, const struct top_object *put, struct top_channel *channel);

/* Who waits longest comes first. */
struct top_waits {
    struct top_waiting {
        const struct top_thread *thread;
    } * at; /* to be freed */
    size_t count;
};
bool top_waits_list(const struct top_family *family, bool all, struct top_waits *waits);

/* What libmp has of the system's memory for it. */
uint64_t top_reserved(const struct top_family *family);
/* Objects that a program has made: see mp_stats. */
uint64_t top_object_count(const struct top_family *family);
/* How long ago, in ns; -1: not known. */
static inline int64_t top_since(const struct top_family *family, int64_t moment)
{
    return moment > 0 && moment <= family->when ? family->when - moment : moment > 0 ? 0 : -1;
}

/* ---- text.c, json.c ---------------------------------------------------------------------------------------------- */

/* `chosen`: the line that is marked; none if there is no such one. */
void top_text_list(const struct top_view *views, size_t count, size_t chosen, struct top_out *out);
/* all: also what is idle. */
void top_text_family(const struct top_view *view, bool all, struct top_out *out);
void top_json(const struct top_view *views, size_t count, bool all, struct top_out *out);

#endif
