/* SPDX-License-Identifier: MIT
 *
 * service.c - becoming a process that serves others: out of reach of the terminal, with nothing of the user's in its hands.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if MP_LINUX
#include <sys/prctl.h>
#endif

/* No handler of the program's runs here, and what a terminal sends to whom it started is not meant for this one. */
static void set_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) sigaction(ignored[i], &action, NULL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* Who reads what the program writes must not have to wait for this one to end, too. */
static void set_descriptors(int segment, bool talks)
{
    int last = talks ? STDERR_FILENO : STDOUT_FILENO;
    mp_os__descriptors_close(last + 1, segment - 1, false);
    mp_os__descriptors_close(segment + 1, INT_MAX, false);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
        if (fd != null && (fd < STDERR_FILENO || !talks)) dup2(null, fd);
    if (null > STDERR_FILENO) close(null);
}

#if MP_LINUX

static void set_name(const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* ---- memory that a copy does not need -------------------------------------------------------------------------- */

#define LEAST_SHED ((uintptr_t)1 << 20)

struct mapping {
    uintptr_t begin, end;
    bool shared, nameless;
};

/* "7f00-7f10 rw-p 00000000 00:00 0    [name]" */
static bool parse(const char *line, struct mapping *mapping)
{
    char *at;
    mapping->begin = (uintptr_t)strtoull(line, &at, 16);
    if (*at != '-') return false;
    mapping->end = (uintptr_t)strtoull(at + 1, &at, 16);
    if (at[0] != ' ' || strlen(at) < 6) return false;
    mapping->shared = at[4] == 's';
    for (int spaces = 0; *at != '\0' && spaces < 5; at++) spaces += *at == ' ';
    mapping->nameless = at[strspn(at, " 0")] == '\0';
    return true;
}

static bool has_inside(const struct mapping *mapping, const void *place)
{
    return (uintptr_t)place >= mapping->begin && (uintptr_t)place < mapping->end;
}

/* Large, anonymous, not what follows a file's (static variables), and neither this thread's stack nor its own data. */
static bool is_of_no_use(const struct mapping *mapping, uintptr_t end_of_named)
{
    return mapping->nameless && !mapping->shared && mapping->end - mapping->begin >= LEAST_SHED &&
           mapping->begin != end_of_named && !has_inside(mapping, mapping) && !has_inside(mapping, &errno);
}

/* As long as the copy has the original's memory the system keeps two of each page that changes there. */
static void shed_memory(void)
{
    char text[4096];
    size_t have = 0;
    uintptr_t end_of_named = 0;
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t got; maps >= 0 && (got = read(maps, text + have, sizeof text - 1 - have)) > 0;) {
        have += (size_t)got;
        text[have] = '\0';
        char *line = text, *end;
        for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            struct mapping mapping;
            *end = '\0';
            if (!parse(line, &mapping)) continue;
            if (is_of_no_use(&mapping, end_of_named))
                munmap((void *)mapping.begin, mapping.end - mapping.begin);
            else if (!mapping.nameless || mapping.begin == end_of_named)
                end_of_named = mapping.end;
        }
        have = (size_t)(text + have - line);
        memmove(text, line, have);
        if (have == sizeof text - 1) have = 0; /* no line is so long but one with a path */
    }
    if (maps >= 0) close(maps);
}

#else

static void set_name(const char *name)
{
    (void)name;
}

static void shed_memory(void)
{
}

#endif

void mp_os_become_service(const char *name, const mp_os_segment *segment, bool talks, bool copy)
{
    setsid();
    set_signals();
    set_descriptors((int)segment->handle, talks);
    if (chdir("/") != 0) {} /* it stays where it is, then */
    set_name(name);
    if (copy && !mp_os__sanitized()) shed_memory();
}
