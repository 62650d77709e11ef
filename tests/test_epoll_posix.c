/* SPDX-License-Identifier: MIT
 *
 * test_epoll_posix.c - descriptors of libmp's in an epoll of the program's; and a program that closes them.
 */
#include "require.h"
#include "support.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    QUEUE,
    STOP,
    WORKER,
    OWN,
    WATCHED,
    ITEMS = 500
};

struct job {
    mp_queue queue;
    mp_event stop;
    struct gate gate;
};

static int work(void *args)
{
    const struct job *job = args;
    for (int i = 0; i < ITEMS; i++) REQUIRE(mp_queue_put(job->queue, &i, sizeof i, LIMIT) == 0);
    REQUIRE(mp_event_set(job->stop) == 0);
    REQUIRE(gate_take(job->gate));
    return 7;
}

/* What is readable, as a set of bits. */
static unsigned ready_in(int epoll, int timeout_ms)
{
    struct epoll_event events[WATCHED];
    int count;
    do count = epoll_wait(epoll, events, WATCHED, timeout_ms);
    while (count < 0 && errno == EINTR);
    assert_true(count >= 0);
    unsigned ready = 0;
    for (int i = 0; i < count; i++) {
        assert_int_equal(events[i].events, EPOLLIN);
        ready |= 1u << events[i].data.u32;
    }
    return ready;
}

static void epoll_tells_of_all(void **state)
{
    (void)state;
    struct job job = {.gate = gate_create()};
    int own[2], fds[WATCHED], epoll = epoll_create1(EPOLL_CLOEXEC);
    mp_process worker;
    ok(mp_queue_create(&job.queue, NULL));
    ok(mp_event_create(&job.stop, NULL));
    assert_int_equal(pipe(own), 0);
    ok(mp_process_start(&worker, work, &job, sizeof job, NULL));
    ok(mp_wait_fd(MP_HANDLE(job.queue), &fds[QUEUE]));
    ok(mp_wait_fd(MP_HANDLE(job.stop), &fds[STOP]));
    ok(mp_wait_fd(MP_HANDLE(worker), &fds[WORKER]));
    fds[OWN] = own[0];
    for (uint32_t i = 0; i < WATCHED; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event), 0);
    }
    for (int got = 0; got < ITEMS;) {
        int number;
        if (!(ready_in(epoll, LIMIT) & 1u << QUEUE)) continue;
        ok(mp_queue_get(job.queue, &number, sizeof number, NULL, 0));
        assert_int_equal(number, got++);
    }
    ok(mp_event_wait(job.stop, LIMIT));
    while (ready_in(epoll, LIMIT) != 1u << STOP) {}
    assert_int_equal(write(own[1], "", 1), 1);
    assert_int_equal(ready_in(epoll, LIMIT), 1u << STOP | 1u << OWN);
    ok(mp_event_clear(job.stop));
    assert_int_equal(ready_in(epoll, LIMIT), 1u << OWN);
    assert_true(gate_open(job.gate));
    while (!(ready_in(epoll, LIMIT) & 1u << WORKER)) {}
    int code = 0;
    ok(mp_process_join(worker, &code, 0));
    assert_int_equal(code, 7);
    assert_int_equal(close(epoll), 0);
    assert_int_equal(close(own[0]) | close(own[1]), 0);
    ok(mp_process_close(worker));
    ok(mp_queue_destroy(job.queue));
    ok(mp_event_destroy(job.stop));
    gate_destroy(job.gate);
}

/* The other one of two descriptors that are the same pipe. */
static int other_end(int fd)
{
    struct stat one, two;
    assert_int_equal(fstat(fd, &one), 0);
    for (int other = 0; other < 1024; other++)
        if (other != fd && fstat(other, &two) == 0 && two.st_dev == one.st_dev && two.st_ino == one.st_ino)
            return other;
    fail_msg("a descriptor of libmp's is a pipe, with an end to write to");
    return -1;
}

/* The number means something else then: nothing is written to that, nothing read from it, and it stays open. */
static void closed_by_the_program(void **state)
{
    (void)state;
    mp_event event;
    int fd, low[2], high[2];
    char byte = 0;
    ok(mp_event_create(&event, NULL));
    ok(mp_wait_fd(MP_HANDLE(event), &fd));
    assert_int_equal(pipe(low), 0);
    int written = other_end(fd);
    high[0] = dup2(low[0], fd);
    high[1] = dup2(low[1], written);
    assert_int_equal(high[0], fd);
    assert_int_equal(high[1], written);
    assert_int_equal(write(low[1], "x", 1), 1);
    for (int i = 0; i < 20; i++) {
        ok(mp_event_set(event));
        ok(mp_event_clear(event));
    }
    ok(mp_wait_fd_close(MP_HANDLE(event)));
    assert_int_equal(read(high[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_false(support_readable(high[0], 0));
    for (int i = 0; i < 2; i++) assert_int_equal(close(low[i]) | close(high[i]), 0);
    ok(mp_event_destroy(event));
}

/* There are no descriptors left: that is told, nothing is half done, and later there may be. */
static void without_descriptors(void **state)
{
    (void)state;
    mp_event event;
    struct rlimit before, none;
    int fd = 77;
    ok(mp_event_create(&event, NULL));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    int one = dup(0);
    for (int spare = 0; spare < 2; spare++) { /* none, then one, of two */
        none.rlim_cur = (rlim_t)one + (rlim_t)spare;
        assert_int_equal(close(one), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        int result = mp_wait_fd(MP_HANDLE(event), &fd);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        fails(MP_ELIMIT, result);
        assert_int_equal(fd, 77);
        one = dup(0);
    }
    assert_int_equal(close(one), 0);
    fails(MP_EBADHANDLE, mp_wait_fd_close(MP_HANDLE(event)));
    ok(mp_wait_fd(MP_HANDLE(event), &fd));
    ok(mp_event_destroy(event));
}

static const struct test_case cases[] = {
    CASE_ONCE(without_descriptors),
    CASE(epoll_tells_of_all),
    CASE_ONCE(closed_by_the_program),
};

SUPPORT_MAIN("epoll", cases)
