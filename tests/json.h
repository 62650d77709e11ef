/* SPDX-License-Identifier: MIT
 *
 * json.h - reading JSON, strictly: what RFC 8259 does not allow is no JSON.
 */
#ifndef MP_TESTS_JSON_H
#define MP_TESTS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_LIST,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    const char *key;           /* of a member of an object */
    const char *text;          /* of a string, decoded; of a number, as it stands there */
    struct json *first, *next; /* of an array or object; of what that consists of */
    size_t count;              /* items, or members */
};

/* The whole of a text; NULL: it is none, and *wrong says where, counted in bytes. To be freed as a whole. */
struct json *json_read(const char *text, size_t size, size_t *wrong);
/* Likewise, of a file; NULL also if it can not be read. */
struct json *json_read_file(const char *path, size_t *wrong);
void json_free(struct json *root);

/* None of these minds NULL. */
const struct json *json_get(const struct json *object, const char *key);     /* NULL: it has no such member */
const char *json_text(const struct json *object, const char *key);           /* "": that is no string */
double json_number(const struct json *object, const char *key);              /* -1: no number, true (1) or false (0) */
bool json_is(const struct json *object, const char *key, const char *value); /* that text */
size_t json_count(const struct json *list);
/* Of a list of objects, the one where that is said. */
const struct json *json_find(const struct json *list, const char *key, const char *value);
/* A number in thousandths, exactly, which has no more than three digits behind its point; INT64_MIN: it is none. */
int64_t json_thousandths(const struct json *object, const char *key);

#endif
