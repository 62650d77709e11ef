/* SPDX-License-Identifier: MIT
 *
 * screen.c - live: drawn anew in its place, until a key ends it.
 */
#include "tools/top.h"

#include <stdio.h>
#include <string.h>

struct screen {
    const struct top_options *options;
    struct top_session session;
    bool listed;    /* all families, of which one can be chosen */
    int64_t opened; /* the pid of the one that is looked at otherwise */
    int64_t found;  /* when they were looked for */
    size_t chosen, first;
    bool all;
};

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

/* As much of a line as fits. */
static void add_line(struct top_out *frame, const char *line, size_t size, int columns)
{
    const char *before = "", *after = "";
    if (size && *line == TOP_MARK_HEADING) before = "\033[1m", after = "\033[0m";
    if (size && *line == TOP_MARK_ALARM) before = "\033[1;31m", after = "\033[0m";
    if (*before) line++, size--;
    size_t end = 0;
    for (int width = 0; end < size; width++) {
        size_t next = end + 1;
        while (next < size && ((unsigned char)line[next] & 0xc0) == 0x80) next++;
        if (width == columns) break;
        end = next;
    }
    top_add(frame, "%s", before);
    top_add_bytes(frame, line, end);
    top_add(frame, "%s\033[K", after);
}

static size_t count_lines(const struct top_out *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->size; i++) count += text->at[i] == '\n';
    return count;
}

static void add_status(const struct screen *screen, size_t lines, size_t rows, struct top_out *frame, int columns)
{
    char text[200];
    bool more = lines > rows;
    (void)snprintf(text, sizeof text, "%s%s%s  q: end", screen->listed ? "up, down: choose  Enter: look at it" : "",
                   !screen->listed && !screen->options->pid ? "Esc: all families  " : "",
                   screen->listed ? ""
                   : screen->all  ? "a: less"
                                  : "a: all");
    size_t at = strlen(text);
    if (more) (void)snprintf(text + at, sizeof text - at, "  up, down: line %zu of %zu", screen->first + 1, lines);
    top_add(frame, "\033[7m");
    add_line(frame, text, strlen(text), columns);
    top_add(frame, "\033[0m");
}

static void draw_text(struct screen *screen, const struct top_out *text)
{
    struct top_out frame = {.size = 0};
    int columns, height;
    mp_os_terminal_size(&columns, &height);
    size_t lines = count_lines(text), rows = height > 1 ? (size_t)height - 1 : 1, row = 0, line = 0;
    if (screen->first + rows > lines) screen->first = lines > rows ? lines - rows : 0;
    top_add(&frame, "\033[H");
    const char *at = text->at ? text->at : "", *end = at + text->size;
    while (at < end && row < rows) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next) next = end;
        if (line++ >= screen->first) {
            add_line(&frame, at, (size_t)(next - at), columns);
            top_add(&frame, "\r\n");
            row++;
        }
        at = next + 1;
    }
    top_add(&frame, "\033[J\033[%d;1H", height);
    add_status(screen, lines, rows, &frame, columns);
    if (!frame.failed) mp_os_terminal_write(frame.at, frame.size);
    top_out_free(&frame);
}

static void draw(struct screen *screen)
{
    struct top_out text = {.marks = true};
    const struct top_session *session = &screen->session;
    if (!session->count)
        top_add(&text, screen->listed ? "no family of libmp is running\n" : "the family has ended\n");
    else if (screen->listed)
        top_text_list(session->views, session->count, screen->chosen, &text);
    else
        top_text_family(&session->views[0], screen->all, &text);
    if (!text.failed) draw_text(screen, &text);
    top_out_free(&text);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

/* Look for families, or for that one. */
static void find(struct screen *screen)
{
    struct top_options options = *screen->options;
    options.pid = screen->listed ? 0 : screen->opened;
    int64_t chosen = screen->chosen < screen->session.count ? screen->session.views[screen->chosen].pid : 0;
    top_session_close(&screen->session);
    if (top_session_open(&options, &screen->session)) top_session_close(&screen->session);
    screen->chosen = 0;
    for (size_t i = 0; i < screen->session.count; i++)
        if (screen->session.views[i].pid == chosen) screen->chosen = i;
}

static void look(struct screen *screen)
{
    if (screen->listed)
        find(screen); /* there may be others */
    else if (!top_session_look(&screen->session))
        top_session_close(&screen->session);
}

static void open_chosen(struct screen *screen)
{
    if (!screen->listed || screen->chosen >= screen->session.count) return;
    screen->opened = screen->session.views[screen->chosen].pid;
    screen->listed = false;
    screen->first = 0;
    find(screen);
}

static void list(struct screen *screen)
{
    if (screen->listed || screen->options->pid || screen->options->file) return;
    screen->listed = true;
    screen->first = 0;
    find(screen);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static void move(struct screen *screen, int by)
{
    size_t *what = screen->listed ? &screen->chosen : &screen->first, most = screen->session.count;
    if (by < 0)
        *what -= *what < (size_t)-by ? *what : (size_t)-by;
    else
        *what += (size_t)by; /* draw_text knows how many lines there are */
    if (screen->listed && *what >= most) *what = most ? most - 1 : 0;
}

/* False: the user has seen enough. */
static bool press(struct screen *screen, int key)
{
    switch (key) {
    case MP_OS_KEY_END:
    case 'q':
    case 'Q':
        return false;
    case MP_OS_KEY_UP:
    case 'k':
        move(screen, -1);
        break;
    case MP_OS_KEY_DOWN:
    case 'j':
        move(screen, 1);
        break;
    case MP_OS_KEY_PAGE_UP:
        move(screen, -10);
        break;
    case MP_OS_KEY_PAGE_DOWN:
    case ' ':
        move(screen, 10);
        break;
    case '\r':
    case '\n':
    case MP_OS_KEY_RIGHT:
        open_chosen(screen);
        break;
    case '\033':
    case MP_OS_KEY_LEFT:
        list(screen);
        break;
    case 'a':
        screen->all = !screen->all;
        break;
    default:
        break;
    }
    return true;
}

int top_live(const struct top_options *options)
{
    struct screen screen = {
        .options = options, .listed = !options->pid && !options->file, .opened = options->pid, .all = options->all};
    int error = mp_os_terminal_begin();
    if (error) {
        (void)fprintf(stderr, "mp-top: --live needs a terminal\n");
        return 2;
    }
    find(&screen);
    bool there = screen.session.count || screen.listed;
    for (bool goes_on = there; goes_on;) {
        int64_t next = mp_os_now() + options->interval;
        draw(&screen);
        int key;
        while (goes_on && (key = mp_os_terminal_key(next)) != MP_OS_KEY_NONE) {
            goes_on = press(&screen, key);
            if (goes_on) draw(&screen);
        }
        if (goes_on) look(&screen);
    }
    top_session_close(&screen.session);
    mp_os_terminal_end();
    if (!there) (void)fprintf(stderr, "mp-top: no family of libmp has a process %lld\n", (long long)options->pid);
    return there ? 0 : 1;
}
