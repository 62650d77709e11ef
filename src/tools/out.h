/* SPDX-License-Identifier: MIT
 *
 * out.h - text that grows, and tables of it. What others have named comes out as one line that a terminal can be given.
 */
#ifndef MP_TOOLS_OUT_H
#define MP_TOOLS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero at first; to be freed. Without memory `failed` is set, and nothing more is added. */
struct top_out {
    char *at;
    size_t size, capacity;
    bool failed;
    bool marks; /* lines begin with what they are: TOP_MARK_... */
};
#define TOP_MARK_HEADING '\001'
#define TOP_MARK_ALARM   '\002'

#if defined(__clang__)
#define TOP_FORMAT(text, first) __attribute__((format(printf, text, first)))
#elif defined(__GNUC__)
#define TOP_FORMAT(text, first) __attribute__((format(gnu_printf, text, first)))
#else
#define TOP_FORMAT(text, first)
#endif

void top_out_free(struct top_out *out);
void top_add(struct top_out *out, const char *format, ...) TOP_FORMAT(2, 3);
void top_add_bytes(struct top_out *out, const char *bytes, size_t size);
/* A mark, where they are wanted. */
void top_mark_line(struct top_out *out, char mark);

/* How long the character is that begins there, in UTF-8; 0: none does, or it is not to be shown. Neither is the end. */
size_t top_character(const char *text);
/* Any bytes up to a 0, `most` at most, as one line. */
void top_clean(const char *from, size_t most, char *text, size_t size);

/* Numbers as one reads them. */
struct top_number {
    char at[32];
};
struct top_number top_duration(int64_t ns);
struct top_number top_bytes(uint64_t bytes);
struct top_number top_rate(double rate); /* below 0: not known */
struct top_number top_share(double share);

/* A table: headings, separated by '|', right-aligned those that begin with '>'; then cell by cell. It is only there if there are
 * any. The last column is as wide as it is. */
#define TOP_COLUMNS_MOST 16
struct top_table {
    const char *headings;
    size_t columns, cells;
    struct top_out text; /* cells, each with its 0 */
};
void top_table_begin(struct top_table *table, const char *headings);
void top_cell(struct top_table *table, const char *format, ...) TOP_FORMAT(2, 3);
/* Written, after an empty line, and freed. */
void top_table_end(struct top_table *table, struct top_out *out);

#endif
