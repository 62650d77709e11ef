/* SPDX-License-Identifier: MIT
 *
 * json.h - reading JSON, strictly: what RFC 8259 does not allow is no JSON.
 */
#ifndef MP_TESTS_JSON_H
#define MP_TESTS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_kind kind;
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

/* NULL if it is no object, or has no such member. */
const struct json *json_member(const struct json *object, const char *key);
/* "" if it is not there, or no string. */
const char *json_text(const struct json *object, const char *key);
/* `otherwise` if it is not there, or no number. */
double json_number(const struct json *object, const char *key, double otherwise);
/* A number in thousandths, exactly, which has no more than three digits behind its point; INT64_MIN: it is none. */
int64_t json_thousandths(const struct json *object, const char *key);

#endif
