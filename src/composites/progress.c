/* SPDX-License-Identifier: MIT
 *
 * progress.c - a bar on a terminal.
 *
 *     squares [=========>                    ]  31%  3100/10000  1.2 k/s  0:06 left
 */
#include "composites/progress.h"
#include "base/deadline.h"
#include "composites/callback.h"
#include "os/os.h"

#include <stdio.h>
#include <string.h>

#define INTERVAL  INT64_C(100000000) /* ns */
#define BAR       30                 /* characters */
#define LINE_SIZE 160

void mp__progress_begin(struct mp__progress *progress, const mp_call_options *options, size_t total)
{
    memset(progress, 0, sizeof *progress);
    progress->draws = options->progress && mp_os_stderr_width() > 0;
    progress->callback = options->progress_callback;
    progress->context = options->context;
    progress->over = !progress->draws && !progress->callback;
    if (progress->over) return;
    progress->now.total = total;
    progress->begun = mp_os_now();
    progress->next = progress->begun + INTERVAL;
    if (options->progress) (void)snprintf(progress->label, sizeof progress->label, "%s", options->progress);
    for (char *c = progress->label; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' '; /* it is one line */
}

bool mp__progress_is_due(const struct mp__progress *progress, int64_t time)
{
    return !progress->over && time >= progress->next;
}

void mp__progress_abandon(struct mp__progress *progress)
{
    if (!progress->over && progress->drawn) mp_os_write_stderr("\n", 1);
    progress->over = true;
}

int64_t mp__progress_slice(const struct mp__progress *progress, int64_t deadline)
{
    return progress->over || progress->next > deadline ? deadline : progress->next;
}

/* ---- a line ------------------------------------------------------------------------------------------------------ */

static size_t put_rate(char *text, size_t size, double rate)
{
    static const char *const units[] = {"", " k", " M", " G"};
    size_t unit = 0;
    while (rate >= 999.5 && unit < 3) {
        rate /= 1000;
        unit++;
    }
    return (size_t)snprintf(text, size, rate < 9.95 ? "%.1f%s/s" : "%.0f%s/s", rate, units[unit]);
}

static size_t put_time(char *text, size_t size, double seconds)
{
    unsigned long all = seconds < 3.6e6 ? (unsigned long)(seconds + 0.5) : 3600000;
    if (all >= 3600) return (size_t)snprintf(text, size, "%lu:%02lu:%02lu", all / 3600, all / 60 % 60, all % 60);
    return (size_t)snprintf(text, size, "%lu:%02lu", all / 60, all % 60);
}

static size_t put_bar(char *text, size_t size, const mp_progress *now)
{
    char bar[BAR + 1];
    size_t full = now->done < now->total ? (size_t)((double)now->done / (double)now->total * BAR) : BAR;
    memset(bar, ' ', BAR);
    memset(bar, '=', full);
    if (full < BAR) bar[full] = '>';
    bar[BAR] = 0;
    int percent = now->done < now->total ? (int)((double)now->done / (double)now->total * 100) : 100;
    return (size_t)snprintf(text, size, " [%s] %3d%%  %zu/%zu", bar, percent, now->done, now->total);
}

static size_t put_line(char *text, size_t size, const struct mp__progress *progress, bool last)
{
    const mp_progress *now = &progress->now;
    double rate = now->seconds > 0 ? (double)now->done / now->seconds : 0;
    size_t at = (size_t)snprintf(text, size, "\r%s", progress->label);
    if (now->total)
        at += put_bar(text + at, size - at, now);
    else
        at += (size_t)snprintf(text + at, size - at, " %zu", now->done);
    at += (size_t)snprintf(text + at, size - at, "  ");
    at += put_rate(text + at, size - at, rate);
    if (now->failed) at += (size_t)snprintf(text + at, size - at, "  %zu failed", now->failed);
    at += (size_t)snprintf(text + at, size - at, "  ");
    if (last) {
        at += (size_t)snprintf(text + at, size - at, "in ");
        at += put_time(text + at, size - at, now->seconds);
    } else if (now->total && rate > 0) {
        at += put_time(text + at, size - at, (double)(now->total - now->done) / rate);
        at += (size_t)snprintf(text + at, size - at, " left");
    }
    return at;
}

static void draw(struct mp__progress *progress, bool last)
{
    char text[LINE_SIZE + LINE_SIZE];
    size_t length = put_line(text, LINE_SIZE, progress, last), width = (size_t)mp_os_stderr_width();
    if (width > 1 && length > width)
        length = width; /* without the '\r': or the next one would begin in the next line */
    size_t shown = length;
    while (length < progress->drawn) text[length++] = ' '; /* over what was longer */
    progress->drawn = shown;
    if (last) text[length++] = '\n';
    mp_os_write_stderr(text, length);
}

static void tell(struct mp__progress *progress, bool last)
{
    progress->now.seconds = (double)(mp_os_now() - progress->begun) / 1e9;
    if (progress->draws) draw(progress, last);
    if (!progress->callback) return;
    bool held = mp__callbacks_hold(true);
    progress->callback(&progress->now, progress->context);
    (void)mp__callbacks_hold(held);
}

void mp__progress_put_off(struct mp__progress *progress)
{
    progress->next = mp_os_now() + INTERVAL;
}

void mp__progress_show(struct mp__progress *progress)
{
    if (!progress->over) tell(progress, false);
    mp__progress_put_off(progress);
}

void mp__progress_end(struct mp__progress *progress)
{
    if (progress->over) return;
    progress->over = true;
    tell(progress, true);
}
