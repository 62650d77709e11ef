/* SPDX-License-Identifier: MIT
 *
 * test_progress_posix.c - the bar that is drawn on a terminal, and on nothing else.
 */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is written to stderr between the two calls, to a terminal or a pipe. */
static int saved, reading;

static void capture(bool terminal)
{
    int ends[2];
    fflush(stderr);
    saved = dup(STDERR_FILENO);
    if (terminal) {
        ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
        ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
    } else {
        assert_int_equal(pipe(ends), 0);
    }
    assert_true(ends[1] >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    reading = ends[0];
    assert_true(fcntl(reading, F_SETFL, O_NONBLOCK) >= 0);
}

static void captured(char *text, size_t room)
{
    size_t size = 0;
    ssize_t got;
    while (size + 1 < room && (got = read(reading, text + size, room - size - 1)) > 0) size += (size_t)got;
    text[size] = 0;
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(reading);
}

struct seen {
    struct gate gate;
    int times;
};

static void open_gate(const mp_progress *progress, void *context)
{
    struct seen *seen = context;
    (void)progress;
    if (++seen->times == 2) (void)gate_open(seen->gate);
}

static int wait_for_gate(mp_task *task)
{
    const struct gate *gate = task->input;
    if (task->index >= 2 && !gate_pass(*gate)) return 99;
    return task->index == 1 ? 42 : 0;
}

/* A map of ten items with a bar; the last eight are done after it was shown twice. */
static void map(char *text, size_t room, bool terminal)
{
    mp_pool pool;
    struct seen seen = {.gate = gate_create()};
    struct gate gates[10];
    for (int i = 0; i < 10; i++) gates[i] = seen.gate;
    ok(mp_pool_create(&pool, 2, NULL));
    capture(terminal);
    int result = mp_pool_map(
        pool, wait_for_gate, gates, sizeof *gates, NULL, 0, 10,
        &(mp_call_options){.progress = "ten items", .progress_callback = open_gate, .context = &seen, .chunk_size = 1});
    captured(text, room);
    assert_int_equal(result, MP_ETASK);
    assert_in_range(seen.times, 3, 1000);
    ok(mp_pool_destroy(pool));
    gate_destroy(seen.gate);
}

static void draws(void **state)
{
    char text[8192];
    (void)state;
    map(text, sizeof text, true);
    assert_ptr_equal(strstr(text, "\rten items ["), text);
    assert_non_null(strstr(text, "/10  "));
    assert_non_null(strstr(text, "] 100%  10/10  "));
    assert_non_null(strstr(text, "  1 failed  in 0:0"));
    const char *end = strchr(text, '\n'); /* one line: the terminal has made "\r\n" of its end */
    assert_non_null(end);
    assert_int_equal(end[1], 0);
    int lines = 0;
    for (const char *c = text; *c; c++) lines += *c == '\r' && c[1] != '\n';
    assert_in_range(lines, 3, 1000);
}

static void stays_silent(void **state)
{
    char text[8192];
    (void)state;
    map(text, sizeof text, false);
    assert_string_equal(text, "");
}

/* An imap of an unknown number of items: how many are done. */
static int next_number(void *state, mp_bytes *input)
{
    int *next = state;
    *input = (mp_bytes){next, sizeof *next};
    return ++*next <= 30;
}

static int nothing(mp_task *task)
{
    (void)task;
    return 0;
}

static void counts(void **state)
{
    char text[8192];
    (void)state;
    mp_pool pool;
    mp_imap *imap;
    mp_item item;
    int next = 0, items = 0;
    ok(mp_pool_create(&pool, 2, NULL));
    capture(true);
    int result = mp_pool_imap(pool, &imap, nothing, next_number, &next, 0, &(mp_call_options){.progress = "lines"});
    while (result == 0 && mp_imap_next(imap, &item, LIMIT) == 1) items++;
    mp_imap_destroy(imap);
    captured(text, sizeof text);
    assert_int_equal(items, 30);
    const char *last = strrchr(text, 'l');
    assert_non_null(last);
    assert_int_equal(strncmp(last, "lines 30  ", 10), 0);
    ok(mp_pool_destroy(pool));
}

static const struct test_case cases[] = {
    CASE(draws),
    CASE(stays_silent),
    CASE(counts),
};

SUPPORT_MAIN("progress", cases)
