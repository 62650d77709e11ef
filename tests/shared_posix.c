/* SPDX-License-Identifier: MIT
 *
 * shared_posix.c - what the tests of locks and shared memory ask of a POSIX system.
 */
#include "shared_support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

long descriptors_open(void)
{
    long count = 0;
    DIR *folder = opendir("/dev/fd");
    if (!folder) return -1;
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

int64_t arena_memory(void)
{
    int64_t found = -1;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[300], target[64];
        struct stat status;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = 0;
        if (strncmp(target, "/memfd:libmp", 12) == 0 && stat(path, &status) == 0)
            found = (int64_t)status.st_blocks * 512;
    }
    closedir(folder);
    return found;
}

static _Atomic uint32_t *counter;

static void tick(int signal)
{
    (void)signal;
    atomic_fetch_add(counter, 1);
}

static void every(suseconds_t microseconds)
{
    struct itimerval interval = {.it_interval.tv_usec = microseconds, .it_value.tv_usec = microseconds};
    setitimer(ITIMER_REAL, &interval, NULL);
}

bool ticks_start(_Atomic uint32_t *ticks)
{
    counter = ticks;
    struct sigaction action = {.sa_handler = tick}; /* no SA_RESTART: calls do end early */
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    every(1000);
    return true;
}

void ticks_stop(void)
{
    every(0);
    signal(SIGALRM, SIG_DFL);
}

int raw_fork_run(int (*function)(void *), void *args)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(function(args));
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 98;
    return WEXITSTATUS(status);
}
