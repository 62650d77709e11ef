/* SPDX-License-Identifier: MIT
 *
 * top.h - mp-top, run by its tests.
 */
#ifndef MP_TESTS_TOP_H
#define MP_TESTS_TOP_H

#include "json.h"
#include "support.h"

/* Run it with these arguments, the last one NULL. */
void top_run(struct outcome *outcome, const char *const *arguments);
/* What it has said, which has to be JSON. To be freed. */
struct json *top_json(struct outcome *outcome);

/* What it says of this family; `family` is the one. Ended by top_end. */
struct top_look {
    struct outcome outcome;
    struct json *all;
    const struct json *family;
};
void top_begin(struct top_look *look);
void top_end(struct top_look *look);
/* The same again and again, until that is true of it. */
void top_until(struct top_look *look, bool (*is_so)(const struct json *family));

/* This process's pid. */
const char *top_pid(void);
/* A process of a family, by name. */
const struct json *top_process(const struct json *family, const char *name);
const struct json *top_wait(const struct json *family, const char *process);
const struct json *top_object(const struct json *family, const char *kind, const char *name);

#endif
