/* SPDX-License-Identifier: MIT
 *
 * channel.c - the way to the fork server: a pair of sockets that keep messages apart, and carry descriptors.
 *
 * A message is a request: its tag, and the numbers that the descriptors beside it have in the client. The client's end
 * of the channel is always one of them: so the server needs none of its own, and sees the end when the last client is
 * gone.
 */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct message {
    uint64_t tag;
    int32_t count;
    int32_t wanted[MP_OS__BAGGAGE_MAX];
};

/* Room for the descriptors beside a message, aligned as it has to be. */
union control {
    struct cmsghdr align;
    unsigned char room[CMSG_SPACE(MP_OS__BAGGAGE_MAX * sizeof(int))];
};

#if defined(__APPLE__)

#include "os/no_forkserver.h" /* its local sockets keep no messages apart */

#else

bool mp_os_has_forkserver(void)
{
    return true;
}

int mp_os_channel_create(intptr_t *server, intptr_t *client, uint64_t identity[2])
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
    int error = mp_os__descriptors_raise(ends);
    if (error != 0) return error;
    error = mp_os__descriptor_identify(ends[1], identity);
    if (error != 0) {
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    *server = ends[0], *client = ends[1];
    return 0;
}

int mp_os_channel_check(intptr_t client, const uint64_t identity[2])
{
    return mp_os__descriptor_check(client, identity);
}

int mp_os_channel_adopt(intptr_t client)
{
    return client < 0 || client > INT_MAX ? EBADF : mp_os__descriptor_inherited((int)client, false);
}

int mp_os_channel_alive(intptr_t client)
{
    struct pollfd poll_one = {.fd = (int)client, .events = 0};
    int ready;
    do ready = poll(&poll_one, 1, 0);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return errno;
    return poll_one.revents & (POLLHUP | POLLERR | POLLNVAL) ? mp_os_egone : 0;
}

void mp_os_channel_close(intptr_t end)
{
    if (end != MP_OS_NO_HANDLE) close((int)end);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

struct parcel {
    struct message message;
    int descriptors[MP_OS__BAGGAGE_MAX];
};

static bool add(struct parcel *parcel, int descriptor, int wanted)
{
    int32_t *count = &parcel->message.count;
    if (*count == MP_OS__BAGGAGE_MAX) return false;
    parcel->descriptors[*count] = descriptor;
    parcel->message.wanted[(*count)++] = wanted;
    return true;
}

static int open_path(const char *path)
{
#if MP_LINUX
    if (path == NULL) path = "/proc/self/cwd"; /* "." needs a permission that a process may have lost since */
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT || strcmp(path, "/proc/self/cwd") != 0) return fd;
    return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
#else
    return open(path != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
#endif
}

/* Above the standard streams: in the place of a closed one it would be passed on as that. */
static int open_directory(const char *path)
{
    return mp_os__descriptor_raise(open_path(path));
}

static bool pack(struct parcel *parcel, int directory, int client, const mp_os_launch *launch)
{
    add(parcel, directory, MP_OS__DIRECTORY);
    add(parcel, client, client);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) >= 0) add(parcel, fd, fd);
    if (launch->leash != NULL) add(parcel, (int)launch->leash->lead, (int)launch->leash->lead);
    for (size_t i = 0; i < launch->keep_count; i++)
        if (!add(parcel, launch->keep[i], launch->keep[i])) return false;
    return true;
}

static int post(int client, struct parcel *parcel)
{
    size_t numbers = (size_t)parcel->message.count * sizeof(int32_t);
    size_t bytes = (size_t)parcel->message.count * sizeof(int);
    struct iovec data = {.iov_base = &parcel->message, .iov_len = offsetof(struct message, wanted) + numbers};
    union control control;
    memset(&control, 0, CMSG_SPACE(bytes));
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control};
    header.msg_controllen = (__typeof__(header.msg_controllen))CMSG_SPACE(bytes);
    struct cmsghdr *first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = (__typeof__(first->cmsg_len))CMSG_LEN(bytes);
    memcpy(CMSG_DATA(first), parcel->descriptors, bytes);
    ssize_t sent;
    do sent = sendmsg(client, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) return 0;
    return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? mp_os_egone : errno;
}

int mp_os_channel_send(intptr_t client, uint64_t tag, const mp_os_launch *launch, const char **what)
{
    int directory = open_directory(launch->working_directory);
    if (directory < 0) {
        *what = "opening the working directory";
        return errno;
    }
    struct parcel parcel;
    parcel.message.tag = tag;
    parcel.message.count = 0;
    int error = EMFILE;
    *what = "passing on so many descriptors";
    if (pack(&parcel, directory, (int)client, launch)) {
        error = post((int)client, &parcel);
        *what = error == EBADF ? "passing on a descriptor" : "asking the fork server";
    }
    close(directory);
    return error;
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

void mp_os_baggage_drop(mp_os_baggage *baggage)
{
    if (baggage == NULL) return;
    for (int i = 0; i < baggage->count; i++)
        if (baggage->received[i] >= 0) close(baggage->received[i]);
    baggage->count = 0;
}

/* The kernel puts them all into one part, as they were sent. */
static void unpack(struct msghdr *header, mp_os_baggage *baggage)
{
    const struct cmsghdr *part = CMSG_FIRSTHDR(header);
    if (part == NULL || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) return;
    baggage->count = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(baggage->received, CMSG_DATA(part), (size_t)baggage->count * sizeof(int));
}

int mp_os_channel_take(intptr_t server, uint64_t *tag, mp_os_baggage **baggage)
{
    static mp_os_baggage received; /* so that a server without memory can still refuse */
    struct message message;
    union control control;
    struct iovec data = {.iov_base = &message, .iov_len = sizeof message};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *tag = 0;
    ssize_t got = recvmsg((int)server, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
    received.count = 0;
    unpack(&header, &received);
    if (got == 0 && received.count == 0) return mp_os_egone;
    size_t before = offsetof(struct message, wanted), numbers = (size_t)got - before;
    bool whole = (size_t)got >= before && message.count >= 0 && numbers == (size_t)message.count * sizeof(int32_t);
    if (whole) *tag = message.tag;
    /* The kernel leaves out what it has no numbers for. */
    if (!whole || header.msg_flags & MSG_CTRUNC || received.count != message.count) {
        mp_os_baggage_drop(&received);
        return whole ? EMFILE : 0;
    }
    for (int i = 0; i < received.count; i++) received.wanted[i] = message.wanted[i];
    *baggage = &received;
    return 0;
}

/* Told first, reaped then: as long as nobody has been told, the pid is still its own. */
static void reap_all(void (*ended)(int64_t pid, int code))
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        int status, failed = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
        if (failed && errno == EINTR) continue;
        if (failed || info.si_pid == 0) return;
        ended(info.si_pid, info.si_code == CLD_EXITED ? info.si_status : -info.si_status);
        while (waitpid(info.si_pid, &status, WNOHANG) < 0 && errno == EINTR) {}
    }
}

static void wake_up(int number)
{
    (void)number;
}

/* SIGCHLD comes in only while this sleeps, so it can not be missed in between. A handler, because an ignored one would
 * not wake. */
static void watch_children(sigset_t *while_asleep)
{
    struct sigaction action = {.sa_handler = wake_up, .sa_flags = SA_NOCLDSTOP};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, while_asleep);
    sigdelset(while_asleep, SIGCHLD);
    sigaction(SIGCHLD, &action, NULL);
}

static bool is_over(const struct pollfd *polled)
{
    return polled->revents & (POLLHUP | POLLERR | POLLNVAL);
}

int mp_os_channel_await(intptr_t server, intptr_t line, void (*ended)(int64_t pid, int code))
{
    bool lined = line != MP_OS_NO_HANDLE;
    sigset_t while_asleep;
    watch_children(&while_asleep);
    for (;;) {
        reap_all(ended);
        struct pollfd both[2] = {{.fd = (int)server, .events = lined ? 0 : POLLIN}, {.fd = (int)line}};
        int ready = ppoll(both, lined ? 2 : 1, NULL, &while_asleep);
        if (ready < 0 && errno != EINTR) return errno;
        if (ready <= 0) continue;
        if (both[0].revents & POLLIN || (lined && is_over(&both[1]))) return 0;
        if (is_over(&both[0])) return mp_os_egone;
    }
}

int mp_os_channel_next(intptr_t server, intptr_t line, uint64_t *tag)
{
    struct iovec data = {.iov_base = tag, .iov_len = sizeof *tag};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1}; /* no room for descriptors: none come */
    for (;;) {
        struct pollfd both[2] = {{.fd = (int)server, .events = POLLIN}, {.fd = (int)line}};
        int ready = poll(both, 2, -1);
        if (ready < 0 && errno != EINTR) return errno;
        if (ready <= 0) continue;
        if (is_over(&both[1]) || !(both[0].revents & POLLIN)) return mp_os_egone;
        ssize_t got = recvmsg((int)server, &header, MSG_PEEK | MSG_DONTWAIT);
        if (got == (ssize_t)sizeof *tag) return 0;
        if (got >= 0) return mp_os_egone; /* no request: the server takes it, and drops it */
    }
}

/* ---- a line to a copy ------------------------------------------------------------------------------------------ */

int mp_os_line_create(intptr_t *here, intptr_t *there)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
    int error = mp_os__descriptors_raise(ends);
    if (error == 0) *here = ends[0], *there = ends[1];
    return error;
}

bool mp_os_line_say(intptr_t there, uint64_t number)
{
    ssize_t sent;
    do sent = send((int)there, &number, sizeof number, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof number;
}

uint64_t mp_os_line_said(intptr_t here)
{
    uint64_t number = 0;
    ssize_t got = recv((int)here, &number, sizeof number, MSG_DONTWAIT);
    return got == (ssize_t)sizeof number ? number : 0;
}

#endif
