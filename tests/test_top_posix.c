/* SPDX-License-Identifier: MIT
 *
 * test_top_posix.c - mp-top changes nothing, and nothing that a family does, or has become, ends it: members that are killed at
 * any moment, an arena full of nonsense, a terminal that is taken away.
 */
#include "require.h"
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 24) % below;
}

/* A program with these streams. */
static pid_t run(const char *path, const char *const *arguments, int in, int out)
{
    char *list[16] = {(char *)(uintptr_t)path};
    int count = 1;
    for (; *arguments && count < 15; arguments++) list[count++] = (char *)(uintptr_t)*arguments;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    pid_t pid = -1;
    int error = posix_spawn(&pid, path, &actions, NULL, list, environ);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(error, 0);
    return pid;
}

static int end_of(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- it only reads ----------------------------------------------------------------------------------------------- */

static bool is_segment(const char *link)
{
    return strstr(link, "/memfd:libmp") || strstr(link, "/libmp-");
}

/* How a process has the segment open: its flags, or -1. */
static int flags_of_segment(pid_t pid)
{
    for (int fd = 3; fd < 64; fd++) {
        char path[64], link[128] = "";
        unsigned flags = 0;
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        if (readlink(path, link, sizeof link - 1) <= 0 || !is_segment(link)) continue;
        (void)snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
        FILE *info = fopen(path, "r");
        int found = info ? fscanf(info, "pos: %*d flags: %o", &flags) : 0;
        if (info) (void)fclose(info);
        if (found == 1) return (int)flags;
    }
    return -1;
}

static bool maps_segment(pid_t pid)
{
    char path[64], line[512];
    bool found = false;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) found = found || is_segment(line);
    (void)fclose(maps);
    return found;
}

static void it_only_reads(void **state)
{
    (void)state;
    mp_lock lock;
    ok(mp_lock_create(&lock, NULL));
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(maps_segment(getpid())); /* it would be seen */
    assert_int_equal(flags_of_segment(getpid()) & O_ACCMODE, O_RDWR);
    pid_t tool = run(MP_TOP, (const char *const[]){"--interval", "1000", top_pid(), NULL}, null, null);
    int flags = -1;
    for (int64_t end = support_now() + LIMIT; flags < 0 && support_now() < end;) flags = flags_of_segment(tool);
    assert_true(flags >= 0);
    assert_int_equal(flags & O_ACCMODE, O_RDONLY);
    assert_false(maps_segment(tool));
    kill(tool, SIGKILL);
    assert_int_equal(end_of(tool), -SIGKILL);
    close(null);
    ok(mp_lock_destroy(lock));
}

/* ---- members are killed ------------------------------------------------------------------------------------------ */

struct toys {
    mp_lock lock;
    mp_queue queue;
    mp_semaphore semaphore;
};

static int nothing(void *args)
{
    (void)args;
    return 0;
}

static int play(void *args)
{
    const struct toys *toys = args;
    for (unsigned i = 0;; i++) {
        char byte = 0;
        mp_process process;
        mp_value value;
        int result = mp_lock_acquire(toys->lock, LIMIT);
        if (result < 0 && result != MP_OWNERDEAD) return 1;
        if (mp_queue_put(toys->queue, &byte, 1, 0) == 0 && mp_queue_get(toys->queue, &byte, 1, NULL, 0) < 0) byte = 1;
        (void)mp_lock_release(toys->lock);
        if (mp_value_create(&value, 8, &(mp_shared_options){.name = "toy"}) == 0) (void)mp_value_destroy(value);
        if (i % 64 || mp_process_start(&process, nothing, NULL, 0, &(mp_process_options){.daemon = true}) < 0) continue;
        (void)mp_process_join(process, NULL, LIMIT);
        (void)mp_process_close(process);
    }
}

enum {
    PLAYERS = 3
};

/* The family whose members are killed: this program, run as `victim`. It says the pids of its processes. */
static int victim(void)
{
    struct toys toys;
    mp_process players[PLAYERS];
    REQUIRE(mp_lock_create(&toys.lock, NULL) == 0);
    REQUIRE(mp_queue_create(&toys.queue, &(mp_queue_options){.name = "toys"}) == 0);
    for (int i = 0; i < PLAYERS; i++) {
        REQUIRE(mp_process_start(&players[i], play, &toys, sizeof toys, &(mp_process_options){.daemon = true}) == 0);
        printf("%lld\n", (long long)mp_process_pid(players[i]));
    }
    printf("go\n");
    fflush(stdout);
    (void)mp_process_join_all(players, NULL, PLAYERS, MP_FOREVER);
    for (;;) pause();
}

struct killer {
    pid_t pids[PLAYERS + 1]; /* the leader is the last */
    unsigned pauses[PLAYERS + 1];
};

static void *kill_all(void *args)
{
    const struct killer *killer = args;
    for (int i = 0; i <= PLAYERS; i++) {
        usleep(killer->pauses[i]);
        kill(killer->pids[i], SIGKILL);
    }
    return NULL;
}

static void members_that_are_killed(void **state)
{
    (void)state;
    char self[2304], pid[32];
    (void)snprintf(self, sizeof self, "%s/test_top_posix", support_folder());
    for (int round = 0; round < 12; round++) {
        struct killer killer = {.pids = {0}};
        int ends[2], looks = 0;
        long long number;
        pthread_t thread;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t leader = run(self, (const char *const[]){"victim", NULL}, -1, ends[1]);
        close(ends[1]);
        FILE *said = fdopen(ends[0], "r");
        for (int i = 0; i < PLAYERS; i++) {
            assert_int_equal(fscanf(said, "%lld", &number), 1);
            killer.pids[i] = (pid_t)number;
        }
        killer.pids[PLAYERS] = leader;
        for (int i = 0; i <= PLAYERS; i++) killer.pauses[i] = (unsigned)chance(20000);
        (void)snprintf(pid, sizeof pid, "%lld", (long long)leader);
        assert_int_equal(pthread_create(&thread, NULL, kill_all, &killer), 0);
        struct outcome outcome;
        do {
            top_run(&outcome, (const char *const[]){"--json", "--all", "--interval", "0.001", pid, NULL});
            assert_in_range(outcome.code, 0, 1);
            assert_false(outcome.timed_out);
            char *message = strstr(outcome.text, "mp-top: "); /* stderr comes first, or last */
            char *list = strchr(outcome.text, '[');
            assert_non_null(list);
            if (message && message > list) *message = 0;
            memmove(outcome.text, list, strlen(list) + 1);
            json_free(top_json(&outcome));
            looks++;
        } while (outcome.code == 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(end_of(leader), -SIGKILL);
        (void)fclose(said);
        assert_true(looks > 0);
    }
}

/* ---- nonsense ---------------------------------------------------------------------------------------------------- */

static int wait_for_ever(void *args)
{
    const struct toys *toys = args;
    return mp_semaphore_acquire(toys->semaphore, MP_FOREVER) < 0;
}

static int nothing_of_it(mp_task *task)
{
    return task->index % 10 == 0;
}

/* All of this family's segment. */
static char *copy_segment(size_t *size)
{
    char path[64], link[128];
    char *copy = NULL;
    for (int fd = 3; fd < 64 && !copy; fd++) {
        struct stat status;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, link, sizeof link - 1);
        if (length <= 0) continue;
        link[length] = 0;
        if (!is_segment(link) || fstat(fd, &status) != 0) continue;
        *size = (size_t)status.st_size;
        copy = malloc(*size);
        assert_non_null(copy);
        assert_int_equal(pread(fd, copy, *size, 0), *size);
    }
    assert_non_null(copy);
    return copy;
}

static void damage(char *at, size_t size)
{
    static const uint64_t values[] = {0, 1, UINT64_MAX, UINT32_MAX, INT64_MAX, 0x10000, 0xffff, UINT64_C(1) << 63};
    const size_t tables = size < 0x60000 ? size : 0x60000;
    const size_t most = chance(3) ? tables : chance(2) ? 0x4000 : size;
    for (uint64_t i = 1 + chance(48); i-- > 0;) {
        size_t place = (size_t)chance(most / 8) * 8;
        uint64_t value = chance(2) ? values[chance(sizeof values / sizeof *values)] : chance(size);
        if (chance(2))
            memcpy(at + place, &value, chance(2) ? 8 : 4);
        else
            at[place + chance(8)] = (char)chance(256);
    }
}

static void write_file(const char *path, const char *from, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (size) {
        ssize_t written = write(fd, from, size);
        assert_true(written > 0);
        from += written;
        size -= (size_t)written;
    }
    close(fd);
}

static void assert_survives(const char *path, bool json)
{
    struct outcome outcome;
    const char *const as_json[] = {"--json", "--all", "--interval", "0.001", "--file", path, NULL};
    top_run(&outcome, json ? as_json : as_json + 1);
    if (outcome.code < 0 || outcome.code > 1) print_error("%s\n", outcome.text);
    assert_in_range(outcome.code, 0, 1);
    assert_false(outcome.timed_out);
    if (json && !outcome.code && outcome.size < sizeof outcome.text - 1) json_free(top_json(&outcome));
}

static void nonsense(void **state)
{
    (void)state;
    static const char inputs[40];
    struct toys toys;
    mp_rlock rlock;
    mp_barrier barrier;
    mp_condition condition;
    mp_connection one, other;
    mp_pool pool;
    mp_array array;
    mp_process waits;
    ok(mp_lock_create(&toys.lock, &(mp_lock_options){.name = "lock"}));
    ok(mp_queue_create(&toys.queue, NULL));
    ok(mp_semaphore_create(&toys.semaphore, 1, &(mp_semaphore_options){.owned = true}));
    ok(mp_rlock_create(&rlock, NULL));
    ok(mp_barrier_create(&barrier, 2, NULL));
    ok(mp_condition_create(&condition, NULL));
    ok(mp_pipe_create(&one, &other, NULL));
    ok(mp_array_create(&array, 4, 10, NULL));
    ok(mp_pool_create(&pool, 2, &(mp_pool_options){.name = "pool"}));
    fails(MP_ETASK, mp_pool_map(pool, nothing_of_it, inputs, 1, NULL, 0, sizeof inputs, NULL));
    ok(mp_semaphore_acquire(toys.semaphore, 0));
    ok(mp_lock_acquire(toys.lock, 0));
    ok(mp_queue_put(toys.queue, "item", 4, 0));
    ok(mp_process_start(&waits, wait_for_ever, &toys, sizeof toys, NULL));

    char path[] = "/tmp/test_top_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    size_t size = 0;
    char *copy = copy_segment(&size), *damaged = malloc(size);
    assert_non_null(damaged);
    write_file(path, copy, size);
    assert_survives(path, true);
    for (int round = 0; round < 150; round++) {
        memcpy(damaged, copy, size);
        damage(damaged, size);
        write_file(path, damaged, chance(8) ? size : (size_t)chance(size) + 1);
        assert_survives(path, round % 3 != 0);
    }
    /* Of another libmp. */
    memcpy(damaged, copy, size);
    damaged[8] = 99;
    write_file(path, damaged, size);
    struct outcome outcome;
    top_run(&outcome, (const char *const[]){"--interval", "0.001", "--file", path, NULL});
    assert_int_equal(outcome.code, 0);
    assert_non_null(strstr(outcome.text, "another libmp, of layout 99"));
    unlink(path);
    free(copy);
    free(damaged);

    ok(mp_semaphore_release(toys.semaphore));
    ok(mp_lock_release(toys.lock));
    assert_ends(waits, 0);
    ok(mp_pool_destroy(pool));
    ok(mp_array_destroy(array));
    ok(mp_connection_close(one));
    ok(mp_connection_close(other));
    ok(mp_condition_destroy(condition));
    ok(mp_barrier_destroy(barrier));
    ok(mp_rlock_destroy(rlock));
    ok(mp_semaphore_destroy(toys.semaphore));
    ok(mp_queue_destroy(toys.queue));
    ok(mp_lock_destroy(toys.lock));
}

/* ---- live -------------------------------------------------------------------------------------------------------- */

/* A terminal: what is drawn on it comes out of `master`. */
struct terminal {
    int master, slave;
    struct termios before;
    pid_t tool;
    char text[1 << 16];
    size_t size;
};

static void open_terminal(struct terminal *terminal, const char *const *arguments)
{
    struct winsize size = {.ws_row = 30, .ws_col = 100};
    *terminal = (struct terminal){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    assert_true(terminal->master >= 0);
    assert_int_equal(grantpt(terminal->master), 0);
    assert_int_equal(unlockpt(terminal->master), 0);
    terminal->slave = open(ptsname(terminal->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal->slave >= 0);
    ioctl(terminal->slave, TIOCSWINSZ, &size);
    assert_int_equal(tcgetattr(terminal->slave, &terminal->before), 0);
    terminal->tool = run(MP_TOP, arguments, terminal->slave, terminal->slave);
}

/* Until one of these has been drawn, from now on. */
static void await_text(struct terminal *terminal, const char *one, const char *other)
{
    int64_t end = support_now() + LIMIT;
    terminal->size = 0;
    terminal->text[0] = 0;
    while (!strstr(terminal->text, one) && !(other && strstr(terminal->text, other))) {
        struct pollfd ready = {.fd = terminal->master, .events = POLLIN};
        assert_true(support_now() < end);
        if (poll(&ready, 1, 100) <= 0) continue;
        size_t room = sizeof terminal->text - 1 - terminal->size;
        if (room < 4096) { /* the end of it, which a word may begin in */
            memmove(terminal->text, terminal->text + terminal->size - 100, 100);
            terminal->size = 100;
            room = sizeof terminal->text - 1 - terminal->size;
        }
        ssize_t got = read(terminal->master, terminal->text + terminal->size, room);
        assert_true(got > 0);
        for (size_t i = terminal->size; i < terminal->size + (size_t)got; i++)
            if (!terminal->text[i]) terminal->text[i] = '?';
        terminal->size += (size_t)got;
        terminal->text[terminal->size] = 0;
    }
}

static void press(const struct terminal *terminal, const char *keys)
{
    assert_int_equal(write(terminal->master, keys, strlen(keys)), strlen(keys));
}

/* It has ended, and the terminal is as it was. */
static void close_terminal(struct terminal *terminal)
{
    struct termios after;
    await_text(terminal, "\033[?1049l", NULL);
    assert_int_equal(end_of(terminal->tool), 0);
    assert_int_equal(tcgetattr(terminal->slave, &after), 0);
    assert_int_equal(after.c_lflag, terminal->before.c_lflag);
    close(terminal->slave);
    close(terminal->master);
}

static void live(void **state)
{
    (void)state;
    static struct terminal terminal;
    mp_lock lock;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) skip(); /* no terminals here */
    close(master);
    ok(mp_lock_create(&lock, &(mp_lock_options){.name = "idle lock"}));
    open_terminal(&terminal, (const char *const[]){"--live", "--interval", "0.02", top_pid(), NULL});
    await_text(&terminal, "PROCESS", NULL);
    await_text(&terminal, "MainProcess", NULL); /* again */
    press(&terminal, "a");
    await_text(&terminal, "idle lock", NULL);
    press(&terminal, "j\033[B\033[6~k\033[A\033[5~ ");
    struct winsize small = {.ws_row = 4, .ws_col = 20};
    ioctl(terminal.slave, TIOCSWINSZ, &small);
    kill(terminal.tool, SIGWINCH); /* it is not the terminal's session, which would be told */
    await_text(&terminal, "\033[4;1H", NULL);
    press(&terminal, "q");
    close_terminal(&terminal);

    open_terminal(&terminal, (const char *const[]){"--live", "--interval", "0.02", NULL});
    await_text(&terminal, "COMMAND", NULL);
    press(&terminal, "j\r");
    await_text(&terminal, "family of", "the family has ended");
    press(&terminal, "\033[D");
    await_text(&terminal, "COMMAND", NULL);
    press(&terminal, "\003"); /* Ctrl-C */
    close_terminal(&terminal);

    open_terminal(&terminal, (const char *const[]){"--live", "--interval", "1000", top_pid(), NULL});
    await_text(&terminal, "PROCESS", NULL);
    kill(terminal.tool, SIGTERM);
    close_terminal(&terminal);
    ok(mp_lock_destroy(lock));
}

/* ---- a family whose descriptor is closed --------------------------------------------------------------------------- */

static int closed(void)
{
    mp_lock lock;
    REQUIRE(mp_lock_create(&lock, &(mp_lock_options){.name = "seen"}) == 0);
    for (int fd = 3; fd < 256; fd++) close(fd);
    printf("go\n");
    fflush(stdout);
    for (;;) pause();
}

static void descriptor_that_is_closed(void **state)
{
    (void)state;
    char self[2304], pid[32], line[16];
    int ends[2];
    struct outcome outcome;
    (void)snprintf(self, sizeof self, "%s/test_top_posix", support_folder());
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t tool = run(self, (const char *const[]){"closed", NULL}, -1, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], line, sizeof line), 3);
    (void)snprintf(pid, sizeof pid, "%lld", (long long)tool);
    top_run(&outcome, (const char *const[]){"--interval", "0.001", "--all", pid, NULL});
    if (outcome.code == 0)
        assert_non_null(strstr(outcome.text, "lock \"seen\""));
    else
        assert_non_null(strstr(outcome.text, "has closed its descriptor"));
    kill(tool, SIGKILL);
    assert_int_equal(end_of(tool), -SIGKILL);
    close(ends[0]);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct test_case cases[] = {
    CASE_ONCE(it_only_reads), CASE_ONCE(members_that_are_killed),   CASE_ONCE(nonsense),
    CASE_ONCE(live),          CASE_ONCE(descriptor_that_is_closed),
};

int main(int argc, char **argv)
{
    mp_freeze_support();
    if (argc == 2 && strcmp(argv[1], "victim") == 0) return victim();
    if (argc == 2 && strcmp(argv[1], "closed") == 0) return closed();
    seed = (uint64_t)support_now();
    printf("seed %llu\n", (unsigned long long)seed);
    if (mp_configure(&(mp_config){.arena_bytes = 1 << 20}) < 0) return 1;
    return support_run("top_posix", cases, sizeof cases / sizeof cases[0], argc, argv);
}
