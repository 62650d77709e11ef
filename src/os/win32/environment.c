/* SPDX-License-Identifier: MIT
 *
 * environment.c - the environment: this process's, and what a child's is to be.
 */
#include "os/win32/win32.h"
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

bool mp_os_variable(const char *name, char *value, size_t size)
{
    wchar_t wide_name[256], wide[4096];
    if (mp_os__to_wide(name, wide_name, 256)) return false;
    DWORD length = GetEnvironmentVariableW(wide_name, wide, 4096);
    return length > 0 && length < 4096 && !mp_os__from_wide(wide, value, size);
}

bool mp_os_take_variable(const char *name, char *value, size_t size)
{
    wchar_t wide_name[256];
    if (mp_os__to_wide(name, wide_name, 256) || GetEnvironmentVariableW(wide_name, NULL, 0) == 0) return false;
    bool fits = mp_os_variable(name, value, size);
    SetEnvironmentVariableW(wide_name, NULL);
    _wputenv_s(wide_name, L""); /* the C library has a copy of its own */
    return fits;
}

/* "NAME=value" or "NAME", at most one for each name but in an environment that came that way. */
struct entries {
    const wchar_t **items;
    size_t count;
};

/* The '=' that a name begins with is part of it: "=C:=C:\dir" is a shell's current directory of a drive. */
static size_t name_length(const wchar_t *entry)
{
    const wchar_t *end = entry[0] ? wcschr(entry + 1, L'=') : NULL;
    return end ? (size_t)(end - entry) : wcslen(entry);
}

static int compare_names(const wchar_t *a, const wchar_t *b)
{
    return CompareStringOrdinal(a, (int)name_length(a), b, (int)name_length(b), TRUE) - CSTR_EQUAL;
}

static int compare_items(const void *a, const void *b)
{
    return compare_names(*(const wchar_t *const *)a, *(const wchar_t *const *)b);
}

static void apply(struct entries *entries, const wchar_t *change)
{
    size_t kept = 0;
    for (size_t i = 0; i < entries->count; i++)
        if (compare_names(entries->items[i], change)) entries->items[kept++] = entries->items[i];
    if (change[name_length(change)] == L'=') entries->items[kept++] = change;
    entries->count = kept;
}

/* As one block: sorted, each entry with its terminator, and one more at the end. */
static wchar_t *join(const struct entries *entries)
{
    size_t length = 2;
    for (size_t i = 0; i < entries->count; i++) length += wcslen(entries->items[i]) + 1;
    wchar_t *block = calloc(length, sizeof *block), *next = block;
    if (!block) return NULL;
    qsort(entries->items, entries->count, sizeof *entries->items, compare_items);
    for (size_t i = 0; i < entries->count; i++) {
        size_t size = wcslen(entries->items[i]) + 1;
        memcpy(next, entries->items[i], size * sizeof *next);
        next += size;
    }
    return block;
}

/* Apply one change given in UTF-8; *room is where its UTF-16 goes, and has space for it. */
static int apply_text(struct entries *entries, const char *change, wchar_t **room)
{
    int error = mp_os__to_wide(change, *room, strlen(change) + 1);
    if (error) return error;
    apply(entries, *room);
    *room += wcslen(*room) + 1;
    return 0;
}

static int build(const wchar_t *current, const char *const *changes, const char *addition, wchar_t **block)
{
    size_t count = 1, units = strlen(addition) + 1; /* UTF-16 never has more units than UTF-8 has bytes */
    for (const wchar_t *entry = current; *entry; entry += wcslen(entry) + 1) count++;
    for (const char *const *change = changes; change && *change; change++) count++, units += strlen(*change) + 1;
    struct entries entries = {.items = calloc(count, sizeof *entries.items)};
    wchar_t *texts = calloc(units, sizeof *texts), *room = texts;
    int error = entries.items && texts ? 0 : ERROR_NOT_ENOUGH_MEMORY;
    if (!error) {
        for (const wchar_t *entry = current; *entry; entry += wcslen(entry) + 1) entries.items[entries.count++] = entry;
        for (const char *const *change = changes; !error && change && *change; change++)
            error = apply_text(&entries, *change, &room);
        if (!error) error = apply_text(&entries, addition, &room);
    }
    if (!error) {
        wchar_t *joined = join(&entries);
        if (joined)
            *block = joined;
        else
            error = ERROR_NOT_ENOUGH_MEMORY;
    }
    free(texts);
    free(entries.items);
    return error;
}

int mp_os__environment(const char *const *changes, const char *addition, wchar_t **block)
{
    wchar_t *current = GetEnvironmentStringsW();
    if (!current) return ERROR_NOT_ENOUGH_MEMORY;
    int error = build(current, changes, addition, block);
    FreeEnvironmentStringsW(current);
    return error;
}
