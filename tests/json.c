/* SPDX-License-Identifier: MIT
 *
 * json.c - reading JSON.
 */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64

/* All values lie in one block, and all strings in another, neither larger than the text says. */
struct document {
    struct json root;
    char *strings;
    struct json *values;
};

struct reader {
    const char *begin, *at, *end;
    char *strings;
    struct json *values;
    int depth;
};

static bool read_value(struct reader *reader, struct json *value);

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at) reader->at++;
}

static bool take(struct reader *reader, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) return false;
    reader->at += length;
    return true;
}

static size_t digits(struct reader *reader)
{
    const char *from = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
    return (size_t)(reader->at - from);
}

static const char *keep(struct reader *reader, const char *from, size_t length)
{
    char *kept = reader->strings;
    memcpy(kept, from, length);
    kept[length] = '\0';
    reader->strings += length + 1;
    return kept;
}

static bool read_number(struct reader *reader, struct json *value)
{
    const char *from = reader->at;
    (void)take(reader, "-");
    const char *whole = reader->at;
    size_t count = digits(reader);
    if (count == 0 || (count > 1 && *whole == '0')) return false;
    if (take(reader, ".") && digits(reader) == 0) return false;
    if (take(reader, "e") || take(reader, "E")) {
        if (!take(reader, "+")) (void)take(reader, "-");
        if (digits(reader) == 0) return false;
    }
    value->type = JSON_NUMBER;
    value->text = keep(reader, from, (size_t)(reader->at - from));
    return true;
}

static int hex(struct reader *reader)
{
    unsigned number = 0;
    for (int i = 0; i < 4; i++) {
        const char *all = "0123456789abcdef0123456789ABCDEF", *found;
        if (reader->at == reader->end || !*reader->at || !(found = strchr(all, *reader->at++))) return -1;
        number = number << 4 | (unsigned)((found - all) & 15);
    }
    return (int)number;
}

static bool read_escape(struct reader *reader)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end) return false;
    const char *found = *reader->at ? strchr(names, *reader->at) : NULL;
    bool by_number = *reader->at++ == 'u';
    if (found) *reader->strings++ = meant[found - names];
    if (found || !by_number) return found;
    int number = hex(reader);
    if (number < 0 || (number >= 0xd800 && number < 0xe000))
        return false; /* beyond the first plane: nobody here writes that */
    if (number >= 0x800) *reader->strings++ = (char)(0xe0 | number >> 12);
    if (number >= 0x80) *reader->strings++ = (char)(number >= 0x800 ? 0x80 | (number >> 6 & 63) : 0xc0 | number >> 6);
    *reader->strings++ = (char)(number >= 0x80 ? 0x80 | (number & 63) : number);
    return true;
}

static bool is_utf8(const unsigned char *at)
{
    static const unsigned char least[] = {0, 0, 0xc2, 0xe0, 0xf0};
    for (; *at; at++) {
        if (*at < 0x80) continue;
        size_t length = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
        if (*at < least[length] || *at > 0xf4) return false;
        for (; length > 1; length--)
            if ((*++at & 0xc0) != 0x80) return false;
    }
    return true;
}

static const char *read_string(struct reader *reader)
{
    char *kept = reader->strings;
    if (!take(reader, "\"")) return NULL;
    for (;;) {
        if (reader->at == reader->end || (unsigned char)*reader->at < ' ') return NULL;
        char next = *reader->at++;
        if (next == '"') break;
        if (next != '\\')
            *reader->strings++ = next;
        else if (!read_escape(reader))
            return NULL;
    }
    *reader->strings++ = '\0';
    return is_utf8((const unsigned char *)kept) ? kept : NULL;
}

/* Items of an array, or members of an object. */
static bool read_items(struct reader *reader, struct json *value, bool keyed, const char *end)
{
    struct json **link = &value->first;
    value->type = keyed ? JSON_OBJECT : JSON_LIST;
    skip_space(reader);
    if (take(reader, end)) return true;
    if (++reader->depth > DEPTH) return false;
    do {
        struct json *item = reader->values++;
        skip_space(reader);
        if (keyed && !(item->key = read_string(reader))) return false;
        if (keyed) skip_space(reader);
        if (keyed && !take(reader, ":")) return false;
        if (!read_value(reader, item)) return false;
        *link = item;
        link = &item->next;
        value->count++;
        skip_space(reader);
    } while (take(reader, ","));
    reader->depth--;
    return take(reader, end);
}

static bool read_value(struct reader *reader, struct json *value)
{
    skip_space(reader);
    if (take(reader, "{")) return read_items(reader, value, true, "}");
    if (take(reader, "[")) return read_items(reader, value, false, "]");
    if (take(reader, "null")) return true;
    value->type = JSON_FALSE;
    if (take(reader, "false")) return true;
    value->type = JSON_TRUE;
    if (take(reader, "true")) return true;
    value->type = JSON_STRING;
    if (reader->at < reader->end && *reader->at == '"') return (value->text = read_string(reader)) != NULL;
    return read_number(reader, value);
}

struct json *json_read(const char *text, size_t size, size_t *wrong)
{
    size_t values = 1;
    for (size_t i = 0; i < size; i++) values += strchr(",[{", text[i]) != NULL && text[i] != '\0';
    struct document *document = calloc(1, sizeof *document);
    if (!document) abort();
    document->strings =
        malloc(2 * size + 1); /* what has no quotes around it, a number, is as long as it was, and a 0 */
    document->values = calloc(values, sizeof *document->values);
    if (!document->strings || !document->values) abort();
    struct reader reader = {text, text, text + size, document->strings, document->values, 0};
    bool good = read_value(&reader, &document->root);
    skip_space(&reader);
    *wrong = (size_t)(reader.at - text);
    if (good && reader.at == reader.end) return &document->root;
    json_free(&document->root);
    return NULL;
}

struct json *json_read_file(const char *path, size_t *wrong)
{
    *wrong = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    size_t size = 0, room = 1 << 16, got;
    char *text = malloc(room);
    while (text && (got = fread(text + size, 1, room - size, file)) > 0)
        if ((size += got) == room) text = realloc(text, room *= 2);
    fclose(file);
    struct json *root = text ? json_read(text, size, wrong) : NULL;
    free(text);
    return root;
}

void json_free(struct json *root)
{
    struct document *document = (struct document *)(void *)root; /* its first member */
    if (!document) return;
    free(document->strings);
    free(document->values);
    free(document);
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT) return NULL;
    for (const struct json *member = object->first; member; member = member->next)
        if (strcmp(member->key, key) == 0) return member;
    return NULL;
}

const char *json_text(const struct json *object, const char *key)
{
    const struct json *member = json_get(object, key);
    return member && member->type == JSON_STRING ? member->text : "";
}

double json_number(const struct json *object, const char *key)
{
    const struct json *member = json_get(object, key);
    if (!member) return -1;
    if (member->type == JSON_NUMBER) return strtod(member->text, NULL);
    return member->type == JSON_TRUE ? 1 : member->type == JSON_FALSE ? 0 : -1;
}

bool json_is(const struct json *object, const char *key, const char *value)
{
    return strcmp(json_text(object, key), value) == 0;
}

size_t json_count(const struct json *list)
{
    return list ? list->count : 0;
}

const struct json *json_find(const struct json *list, const char *key, const char *value)
{
    const struct json *item = list ? list->first : NULL;
    while (item && !json_is(item, key, value)) item = item->next;
    return item;
}

int64_t json_thousandths(const struct json *object, const char *key)
{
    const struct json *member = json_get(object, key);
    if (!member || member->type != JSON_NUMBER || strpbrk(member->text, "eE-")) return INT64_MIN;
    char *point;
    int64_t number = strtoll(member->text, &point, 10) * 1000;
    static const int unit[] = {100, 10, 1};
    if (*point == '.' && strlen(point) > 4) return INT64_MIN;
    for (int i = 0; *point == '.' && point[i + 1]; i++) number += (point[i + 1] - '0') * unit[i];
    return number;
}
