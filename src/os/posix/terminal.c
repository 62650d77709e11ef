/* SPDX-License-Identifier: MIT
 *
 * terminal.c - a terminal taken, and put back however the program ends.
 *
 * Signals are let in only while it waits for a key: so one that comes at any time ends that wait, and nothing else.
 */
#include "os/look.h"
#include "posix.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ENDING (sizeof ending / sizeof *ending)

static struct termios before;
static sigset_t outside;
static bool taken, registered;
static volatile sig_atomic_t ended, resized;

void mp_os_terminal_write(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, text, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            ended = 1;
            return;
        }
        text += written;
        size -= (size_t)written;
    }
}

void mp_os_terminal_end(void)
{
    static const char leave[] = "\033[?25h\033[?1049l"; /* the cursor, and the other screen */
    if (!taken) return;
    taken = false;
    mp_os_terminal_write(leave, sizeof leave - 1);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

static void hear(int number)
{
    if (number == SIGWINCH)
        resized = 1;
    else
        ended = 1;
}

static void listen_to(int number, sigset_t *all)
{
    struct sigaction action = {.sa_handler = hear};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    sigaddset(all, number);
}

int mp_os_terminal_begin(void)
{
    static const char enter[] = "\033[?1049h\033[?25l\033[2J";
    sigset_t all;
    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) return mp_os_enotsup;
    sigemptyset(&all);
    for (size_t i = 0; i < ENDING; i++) listen_to(ending[i], &all);
    listen_to(SIGWINCH, &all);
    sigprocmask(SIG_BLOCK, &all, &outside);
    for (size_t i = 0; i < ENDING; i++) sigdelset(&outside, ending[i]);
    sigdelset(&outside, SIGWINCH);
    if (!registered) atexit(mp_os_terminal_end);
    registered = taken = true;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    mp_os_terminal_write(enter, sizeof enter - 1);
    return 0;
}

void mp_os_terminal_size(int *columns, int *rows)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *columns = known ? size.ws_col : 80;
    *rows = known ? size.ws_row : 24;
}

/* More of a key that sends several characters, which come at once. */
static int more(void)
{
    struct timeval moment = {.tv_usec = 50000};
    unsigned char typed = 0;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(STDIN_FILENO, &set);
    if (select(STDIN_FILENO + 1, &set, NULL, NULL, &moment) <= 0 || read(STDIN_FILENO, &typed, 1) != 1) return 0;
    return typed;
}

static int escaped(void)
{
    int typed = more();
    if (typed != '[' && typed != 'O') return '\033';
    typed = more();
    switch (typed) {
    case 'A':
        return MP_OS_KEY_UP;
    case 'B':
        return MP_OS_KEY_DOWN;
    case 'C':
        return MP_OS_KEY_RIGHT;
    case 'D':
        return MP_OS_KEY_LEFT;
    default:
        break;
    }
    int first = typed;
    while (typed >= ' ' && typed < '@') typed = more();
    return first == '5' ? MP_OS_KEY_PAGE_UP : first == '6' ? MP_OS_KEY_PAGE_DOWN : MP_OS_KEY_NONE;
}

int mp_os_terminal_key(int64_t deadline)
{
    for (;;) {
        if (ended) return MP_OS_KEY_END;
        if (resized) {
            resized = 0;
            return MP_OS_KEY_RESIZED;
        }
        int64_t left = deadline == MP_OS_NEVER ? INT64_C(1000000000) : deadline - mp_os_now();
        if (left < 0) left = 0;
        struct timespec time = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(STDIN_FILENO, &set);
        int ready = pselect(STDIN_FILENO + 1, &set, NULL, NULL, &time, &outside);
        if (ready == 0 && deadline != MP_OS_NEVER) return MP_OS_KEY_NONE;
        if (ready < 0 && errno != EINTR) return MP_OS_KEY_END;
        if (ready <= 0) continue;
        unsigned char typed;
        ssize_t got = read(STDIN_FILENO, &typed, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || typed == 3) return MP_OS_KEY_END;
        return typed == '\033' ? escaped() : typed;
    }
}
