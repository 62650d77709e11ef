/* SPDX-License-Identifier: MIT
 *
 * support_posix.c - descriptors, children and other programs, on POSIX.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#ifndef PATIENCE
#define PATIENCE 1 /* more where every process is slowed down by what counts in it */
#endif

long support_descriptors(void)
{
    long count = 0;
    for (int fd = 0; fd < 4096; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

void support_tick(int microseconds)
{
    struct itimerval every = {.it_interval.tv_usec = microseconds, .it_value.tv_usec = microseconds};
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

bool support_readable(mp_fd fd, int milliseconds)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    int64_t deadline = support_now() + milliseconds;
    for (;;) {
        int64_t left = deadline - support_now();
        int result = poll(&polled, 1, left > 0 ? (int)left : 0);
        if (result > 0) return polled.revents == POLLIN;
        if (result == 0) return false;
        assert_int_equal(errno, EINTR);
    }
}

/* 0: none; else some ended or running child is there. */
long support_children(void)
{
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
    if (info.si_pid == 0) return 1;
    static pid_t told; /* this is asked again and again */
    if (info.si_pid != told) print_error("a zombie: pid %ld\n", (long)info.si_pid);
    told = info.si_pid;
    return 1000;
}

/* ---- other programs -------------------------------------------------------------------------------------------- */

static char folder[2048];

void support_set_program(const char *path)
{
    const char *end = strrchr(path, '/');
    char *whole = realpath("/proc/self/exe", NULL);
    if (whole) path = whole, end = strrchr(whole, '/');
    snprintf(folder, sizeof folder, "%.*s", end ? (int)(end - path) : 1, end ? path : ".");
    free(whole);
}

const char *support_folder(void)
{
    return folder;
}

/* Until the pipe ends, which it does when all who have it have ended, or the time does. */
static bool read_all(int fd, struct outcome *outcome, int64_t until)
{
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int64_t left = until - support_now();
        if (left <= 0) return false;
        if (poll(&one, 1, (int)left) <= 0) continue;
        char text[4096];
        ssize_t got = read(fd, text, sizeof text);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return true;
        size_t room = sizeof outcome->text - 1 - outcome->size;
        size_t taken = (size_t)got < room ? (size_t)got : room;
        memcpy(outcome->text + outcome->size, text, taken);
        outcome->size += taken;
    }
}

void support_program(struct outcome *outcome, const char *name, const char *const *arguments)
{
    char path[2304];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    support_program_at(outcome, path, arguments);
}

void support_program_at(struct outcome *outcome, const char *path, const char *const *arguments)
{
    char *list[16] = {(char *)(uintptr_t)path};
    int count = 1, ends[2], status = 0;
    memset(outcome, 0, sizeof *outcome);
    for (; arguments && *arguments && count < 15; arguments++) list[count++] = (char *)(uintptr_t)*arguments;
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    pid_t pid = -1;
    int error = posix_spawn(&pid, path, &actions, NULL, list, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        print_error("%s can not be run: %s\n", path, strerror(error));
        fail();
    }
    outcome->timed_out = !read_all(ends[0], outcome, support_now() + PATIENCE * LIMIT);
    close(ends[0]);
    if (outcome->timed_out) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    outcome->code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    outcome->text[outcome->size] = '\0';
}
