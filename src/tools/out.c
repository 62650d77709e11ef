/* SPDX-License-Identifier: MIT
 *
 * out.c - text that grows, and tables of it.
 */
#include "tools/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text -------------------------------------------------------------------------------------------------------- */

void top_out_free(struct top_out *out)
{
    free(out->at);
    *out = (struct top_out){.marks = out->marks};
}

static bool has_room(struct top_out *out, size_t more)
{
    size_t wanted = out->size + more + 1, larger = out->capacity ? out->capacity : 4096;
    if (out->failed || wanted < more) return false;
    if (wanted <= out->capacity) return true;
    while (larger < wanted) larger *= 2;
    char *grown = realloc(out->at, larger);
    out->failed = !grown;
    if (!grown) return false;
    out->at = grown;
    out->capacity = larger;
    return true;
}

void top_add_bytes(struct top_out *out, const char *bytes, size_t size)
{
    if (!has_room(out, size)) return;
    memcpy(out->at + out->size, bytes, size);
    out->size += size;
    out->at[out->size] = 0;
}

static void add_list(struct top_out *out, const char *format, va_list list)
{
    va_list again;
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0 || !has_room(out, (size_t)size)) return;
    (void)vsnprintf(out->at + out->size, (size_t)size + 1, format, list);
    out->size += (size_t)size;
}

void top_add(struct top_out *out, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add_list(out, format, list);
    va_end(list);
}

void top_mark_line(struct top_out *out, char mark)
{
    if (out->marks) top_add_bytes(out, &mark, 1);
}

/* ---- what others have named -------------------------------------------------------------------------------------- */

size_t top_character(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (*at < 0x80) return *at >= ' ' && *at != 0x7f;
    size_t size = *at >= 0xc2 && *at < 0xe0 ? 2 : *at >= 0xe0 && *at < 0xf0 ? 3 : *at >= 0xf0 && *at < 0xf5 ? 4 : 0;
    uint32_t code = size ? *at & (0x7fu >> size) : 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    /* Longer than it need be, half a character of another encoding, a control character, one that turns text around. */
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    if ((code >= 0x200b && code < 0x2010) || (code >= 0x2028 && code < 0x2030) || (code >= 0x2066 && code < 0x2070))
        return 0;
    return size;
}

void top_clean(const char *from, size_t most, char *text, size_t size)
{
    char whole[512];
    size_t at = 0;
    if (most > sizeof whole - 1) most = sizeof whole - 1;
    memcpy(whole, from, most);
    whole[most] = 0;
    for (const char *next = whole; *next;) {
        size_t count = top_character(next);
        if (at + (count ? count : 1) >= size) break;
        if (count)
            memcpy(text + at, next, count);
        else
            text[at] = '?';
        at += count ? count : 1;
        next += count ? count : 1;
    }
    text[at] = 0;
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

struct top_number top_duration(int64_t ns)
{
    struct top_number text;
    double seconds = ns > 0 ? (double)ns / 1e9 : 0;
    unsigned long long all = (unsigned long long)seconds;
    if (all < 100)
        (void)snprintf(text.at, sizeof text.at, "%.2f s", seconds);
    else if (all < 3600)
        (void)snprintf(text.at, sizeof text.at, "%llu:%02llu min", all / 60, all % 60);
    else
        (void)snprintf(text.at, sizeof text.at, "%llu:%02llu h", all / 3600, all / 60 % 60);
    return text;
}

static struct top_number scaled(double value, double step, const char *const *units, size_t count, const char *behind)
{
    struct top_number text;
    size_t unit = 0;
    for (; value >= step - 0.5 && unit + 1 < count; unit++) value /= step;
    const char *format = unit && value < 9.95 ? "%.1f %s%s" : "%.0f %s%s";
    (void)snprintf(text.at, sizeof text.at, format, value, units[unit], behind);
    return text;
}

struct top_number top_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    return scaled((double)bytes, 1024, units, sizeof units / sizeof *units, "");
}

struct top_number top_rate(double rate)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    if (rate < 0) return (struct top_number){"-"};
    return scaled(rate, 1000, units, sizeof units / sizeof *units, "/s");
}

struct top_number top_share(double share)
{
    struct top_number text = {"-"};
    if (share >= 0) (void)snprintf(text.at, sizeof text.at, "%.0f %%", share * 100);
    return text;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

void top_table_begin(struct top_table *table, const char *headings)
{
    *table = (struct top_table){.headings = headings, .columns = 1};
    for (const char *at = headings; *at; at++) table->columns += *at == '|';
}

void top_cell(struct top_table *table, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add_list(&table->text, format, list);
    va_end(list);
    top_add_bytes(&table->text, "", 1);
    table->cells++;
}

static void add_padded(struct top_out *out, const char *text, size_t width, bool right, bool last)
{
    size_t blanks = width - width_of(text);
    for (size_t i = 0; right && i < blanks; i++) top_add_bytes(out, " ", 1);
    top_add_bytes(out, text, strlen(text));
    for (size_t i = 0; !right && !last && i < blanks; i++) top_add_bytes(out, " ", 1);
    if (!last) top_add_bytes(out, "  ", 2);
}

/* The next line may have blanks at its end, where its last cells are empty. */
static void end_line(struct top_out *out, size_t begin)
{
    while (!out->failed && out->size > begin && out->at[out->size - 1] == ' ') out->size--;
    top_add_bytes(out, "\n", 1);
}

void top_table_end(struct top_table *table, struct top_out *out)
{
    char headings[256];
    const char *titles[TOP_COLUMNS_MOST];
    size_t widths[TOP_COLUMNS_MOST] = {0}, columns = 0;
    bool right[TOP_COLUMNS_MOST];
    (void)snprintf(headings, sizeof headings, "%s", table->headings);
    for (char *at = headings; at && columns < TOP_COLUMNS_MOST; columns++) {
        char *end = strchr(at, '|');
        if (end) *end = 0;
        right[columns] = *at == '>';
        titles[columns] = at + right[columns];
        widths[columns] = width_of(titles[columns]);
        at = end ? end + 1 : NULL;
    }
    const char *cell = table->text.at;
    if (table->text.failed) out->failed = true;
    bool there = table->cells && !out->failed;
    for (size_t i = 0; there && i < table->cells; i++, cell += strlen(cell) + 1)
        if (width_of(cell) > widths[i % columns]) widths[i % columns] = width_of(cell);
    if (there) {
        top_add_bytes(out, "\n", 1);
        top_mark_line(out, TOP_MARK_HEADING);
        size_t begin = out->size;
        for (size_t i = 0; i < columns; i++) add_padded(out, titles[i], widths[i], right[i], i + 1 == columns);
        end_line(out, begin);
    }
    cell = table->text.at;
    size_t begin = out->size;
    for (size_t i = 0; there && i < table->cells; i++, cell += strlen(cell) + 1) {
        size_t column = i % columns;
        if (!column) begin = out->size;
        add_padded(out, cell, widths[column], right[column], column + 1 == columns);
        if (column + 1 == columns) end_line(out, begin);
    }
    top_out_free(&table->text);
}
