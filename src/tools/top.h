/* SPDX-License-Identifier: MIT
 *
 * top.h - what was asked for, and the families that are shown.
 */
#ifndef MP_TOOLS_TOP_H
#define MP_TOOLS_TOP_H

#include "tools/show.h"

struct top_options {
    int64_t pid;      /* 0: all families */
    int64_t interval; /* ns */
    const char *file; /* a saved segment, for tests */
    bool json, live, all;
};

/* Families found, and looked at. */
struct top_session {
    mp_os_views found;
    struct top_view *views; /* those of `found` that are worth it */
    size_t count;
};

/* 0, or an error of the system's. To be closed. */
int top_session_open(const struct top_options *options, struct top_session *session);
/* Look again, at all that are there yet; those that are not are left out. False: no memory. */
bool top_session_look(struct top_session *session);
void top_session_close(struct top_session *session);

/* Until the user ends it: main's result. */
int top_live(const struct top_options *options);

#endif
