/* SPDX-License-Identifier: MIT
 *
 * top.c - mp-top: what families of processes do, seen from outside.
 */
#include "tools/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

static const char usage[] =
    "mp-top [PID] [--json | --live] [--all] [--interval SECONDS]\n"
    "\n"
    "What families of processes made with libmp do: all of this user's, a line each; or the one that PID\n"
    "belongs to, whole: who waits for what, who has it, processes, pools, queues, locks. It only reads.\n"
    "\n"
    "  --json               for programs: a list of families, whole\n"
    "  --live               on the terminal, again and again; q ends it\n"
    "  --all                also what is idle\n"
    "  --interval SECONDS   between the two looks that rates are made of (0.2), or between all (live: 1)\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0; 1: there is no such family; 2: wrong use, or this system does not let it look.\n";

/* ---- options ----------------------------------------------------------------------------------------------------- */

static bool read_number(const char *text, double least, double most, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && *number >= least && *number <= most;
}

/* -1: go on; or the exit code. */
static int read_options(int argc, char **argv, struct top_options *options)
{
    double number;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--help") == 0) {
            return fputs(usage, stdout) < 0 ? 2 : 0;
        } else if (strcmp(argv[i], "--version") == 0) {
            return printf("mp-top %s\n", MP_VERSION) < 0 ? 2 : 0;
        } else if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
        } else if (strcmp(argv[i], "--live") == 0) {
            options->live = true;
        } else if (strcmp(argv[i], "--all") == 0) {
            options->all = true;
        } else if (strcmp(argv[i], "--interval") == 0 && read_number(value, 0.001, 3600, &number)) {
            options->interval = (int64_t)(number * (double)SECOND);
            i++;
        } else if (strcmp(argv[i], "--file") == 0 && *value) {
            options->file = value;
            i++;
        } else if (*argv[i] != '-' && !options->pid && read_number(argv[i], 1, INT32_MAX, &number) &&
                   number == (double)(int64_t)number) {
            options->pid = (int64_t)number;
        } else {
            (void)fprintf(stderr, "mp-top: %s: that is not understood; mp-top --help\n", argv[i]);
            return 2;
        }
    }
    if (options->json && options->live) {
        (void)fprintf(stderr, "mp-top: --json or --live\n");
        return 2;
    }
    if (!options->interval) options->interval = options->live ? SECOND : SECOND / 5;
    return -1;
}

/* ---- once -------------------------------------------------------------------------------------------------------- */

static int fail(int error)
{
    char text[200];
    if (error == mp_os_enotsup) {
        (void)fprintf(stderr, "mp-top: this system does not tell what other processes have open\n");
    } else {
        mp_os_error_text(error, text, sizeof text);
        (void)fprintf(stderr, "mp-top: %s\n", text);
    }
    return 2;
}

static int tell_none(const struct top_options *options, bool denied)
{
    if (denied)
        (void)fprintf(stderr,
                      "mp-top: process %lld has closed its descriptor of the family's memory: only an administrator "
                      "may look at it\n",
                      (long long)options->pid);
    else if (options->pid)
        (void)fprintf(stderr, "mp-top: no family of libmp has a process %lld\n", (long long)options->pid);
    else
        (void)fprintf(stderr, "mp-top: no family of libmp is running\n");
    return 1;
}

static int show_once(const struct top_options *options)
{
    struct top_session session;
    struct top_out out = {.size = 0};
    int error = top_session_open(options, &session);
    bool denied = !error && session.found.denied;
    if (!error && session.count) {
        mp_os_sleep(options->interval);
        if (!top_session_look(&session)) error = mp_os_enomem;
    }
    bool whole = options->pid || options->file;
    if (!error && options->json)
        top_json(session.views, session.count, options->all, &out);
    else if (!error && !whole)
        top_text_list(session.views, session.count, session.count, &out);
    for (size_t i = 0; !error && !options->json && whole && i < session.count; i++)
        top_text_family(&session.views[i], options->all, &out);
    if (!error && out.failed) error = mp_os_enomem;
    int result = error ? fail(error) : session.count ? 0 : tell_none(options, denied);
    /* A table begins with an empty line. */
    size_t skipped = !error && out.size && *out.at == '\n';
    if (!error && out.size > skipped && fwrite(out.at + skipped, out.size - skipped, 1, stdout) != 1) result = 2;
    if (fflush(stdout)) result = 2;
    top_out_free(&out);
    top_session_close(&session);
    return result;
}

int main(int argc, char **argv)
{
    struct top_options options = {.pid = 0};
    int result = read_options(argc, argv, &options);
    if (result >= 0) return result;
    return options.live ? top_live(&options) : show_once(&options);
}
