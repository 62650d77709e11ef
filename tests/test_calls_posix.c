/* SPDX-License-Identifier: MIT
 *
 * test_calls_posix.c - what needs no system call makes none: a child that may make no call but to end does it, and lives.
 */
#include "os/os.h"
#include "require.h"
#include "support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TIMES = 10000
};

struct job {
    mp_lock lock;
    mp_rlock rlock;
    mp_semaphore semaphore, owned;
    mp_condition condition;
    mp_event event;
    mp_barrier barrier;
    mp_value value;
    mp_queue queue;
    mp_connection near, far;
    mp_block board; /* struct board */
};

struct board {
    _Atomic int begun, stop;
    int taken;
};

static struct job job_create(void)
{
    struct job job;
    ok(mp_lock_create(&job.lock, NULL));
    ok(mp_rlock_create(&job.rlock, NULL));
    ok(mp_semaphore_create(&job.semaphore, 1, NULL));
    ok(mp_semaphore_create(&job.owned, 1, &(mp_semaphore_options){.owned = true}));
    ok(mp_condition_create(&job.condition, NULL));
    ok(mp_event_create(&job.event, NULL));
    ok(mp_barrier_create(&job.barrier, 1, NULL));
    ok(mp_value_create(&job.value, sizeof(int), NULL));
    ok(mp_queue_create(&job.queue, &(mp_queue_options){.joinable = true}));
    ok(mp_pipe_create(&job.near, &job.far, NULL));
    ok(mp_block_create(&job.board, sizeof(struct board)));
    return job;
}

static void job_destroy(const struct job *job)
{
    ok(mp_lock_destroy(job->lock));
    ok(mp_rlock_destroy(job->rlock));
    ok(mp_semaphore_destroy(job->semaphore));
    ok(mp_semaphore_destroy(job->owned));
    ok(mp_condition_destroy(job->condition));
    ok(mp_event_destroy(job->event));
    ok(mp_barrier_destroy(job->barrier));
    ok(mp_value_destroy(job->value));
    ok(mp_queue_destroy(job->queue));
    ok(mp_connection_close(job->near));
    ok(mp_connection_close(job->far));
    ok(mp_block_destroy(job->board));
}

/* From here on any call ends the process, but the one that is its end. */
static bool allow_nothing(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Through a queue and a pipe, as bytes and as a message. To create one takes memory out of the arena, for which one may have to
 * wait. */
static int send_all(const struct job *job, mp_message *message)
{
    const mp_handle items[3] = {MP_HANDLE(job->event), MP_HANDLE(job->near), MP_HANDLE(job->queue)};
    char bytes[100] = "bytes";
    size_t index = 0;
    REQUIRE(mp_queue_put(job->queue, bytes, sizeof bytes, MP_FOREVER) == 0);
    REQUIRE(mp_wait(items, 3, &index, MP_FOREVER) == 0 && index == 2);
    REQUIRE(mp_queue_get(job->queue, bytes, sizeof bytes, NULL, MP_FOREVER) == 0);
    REQUIRE(mp_queue_put_message(job->queue, message, MP_FOREVER) == 0);
    REQUIRE(mp_queue_get_message(job->queue, message, MP_FOREVER) == 0);
    REQUIRE(mp_connection_send_message(job->far, message, MP_FOREVER) == 0);
    REQUIRE(mp_connection_poll(job->near, MP_FOREVER) == 1);
    REQUIRE(mp_connection_recv_message(job->near, message, MP_FOREVER) == 0);
    REQUIRE(mp_connection_send(job->near, bytes, sizeof bytes, MP_FOREVER) == 0);
    REQUIRE(mp_connection_recv(job->far, bytes, sizeof bytes, NULL, MP_FOREVER) == 0);
    for (int i = 0; i < 2; i++) REQUIRE(mp_queue_task_done(job->queue) == 0);
    REQUIRE(mp_queue_join(job->queue, MP_FOREVER) == 0);
    return 0;
}

/* Each operation, alone. */
static int use_all(const struct job *job, mp_message *message)
{
    REQUIRE(mp_lock_acquire(job->lock, MP_FOREVER) == 0);
    REQUIRE(mp_lock_locked(job->lock) == 1);
    REQUIRE(mp_lock_release(job->lock) == 0);
    for (int i = 0; i < 2; i++) REQUIRE(mp_rlock_acquire(job->rlock, 1000) == 0);
    for (int i = 0; i < 2; i++) REQUIRE(mp_rlock_release(job->rlock) == 0);
    REQUIRE(mp_semaphore_acquire(job->semaphore, MP_FOREVER) == 0);
    REQUIRE(mp_semaphore_get_value(job->semaphore) == 0);
    REQUIRE(mp_semaphore_release(job->semaphore) == 0);
    REQUIRE(mp_semaphore_acquire(job->owned, MP_FOREVER) == 0);
    REQUIRE(mp_semaphore_release(job->owned) == 0);
    REQUIRE(mp_condition_acquire(job->condition, MP_FOREVER) == 0);
    REQUIRE(mp_condition_notify(job->condition, 1) == 0);
    REQUIRE(mp_condition_notify_all(job->condition) == 0);
    REQUIRE(mp_condition_release(job->condition) == 0);
    REQUIRE(mp_event_set(job->event) == 0);
    REQUIRE(mp_event_wait(job->event, MP_FOREVER) == 0);
    REQUIRE(mp_event_clear(job->event) == 0);
    REQUIRE(mp_event_is_set(job->event) == 0);
    REQUIRE(mp_barrier_wait(job->barrier, MP_FOREVER) == 0);
    MP_WITH_LOCK(job->value) *MP_VALUE(int, job->value) += 1;
    return send_all(job, message);
}

static int use_all_alone(void *args)
{
    const struct job *job = args;
    mp_message message;
    REQUIRE(mp_message_create(&message, 1000) == 0);
    REQUIRE(use_all(job, &message) == 0); /* what is done once: a thread's record, mappings, the binding of functions */
    REQUIRE(allow_nothing());
    for (int i = 0; i < TIMES; i++) REQUIRE(use_all(job, &message) == 0);
    mp_os_exit_now(3);
}

static int call_something(void *args)
{
    (void)args;
    REQUIRE(allow_nothing());
    (void)getppid();
    return 0;
}

static void none_alone(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process process;
    ok(mp_process_start(&process, call_something, NULL, 0, NULL));
    assert_int_equal(support_end(process), -31); /* so this would be noticed: SIGSYS */
    ok(mp_process_start(&process, use_all_alone, &job, sizeof job, NULL));
    assert_ends(process, 3);
    job_destroy(&job);
}

/* One that is awake, and takes what it gets: it never sleeps. */
static int poll_all(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    atomic_store(&board->begun, 1);
    while (!atomic_load(&board->stop)) {
        if (mp_lock_acquire(job->lock, 0) == 0) REQUIRE(mp_lock_release(job->lock) == 0);
        if (mp_rlock_acquire(job->rlock, 0) == 0) REQUIRE(mp_rlock_release(job->rlock) == 0);
        if (mp_semaphore_acquire(job->semaphore, 0) == 0) REQUIRE(mp_semaphore_release(job->semaphore) == 0);
        int number, result = mp_event_wait(job->event, 0);
        REQUIRE(result == 0 || result == MP_ETIMEDOUT);
        if (mp_queue_get(job->queue, &number, sizeof number, NULL, 0) == 0) REQUIRE(number == board->taken++);
        if (mp_connection_recv(job->near, &number, sizeof number, NULL, 0) == 0)
            REQUIRE(mp_connection_send(job->near, &number, sizeof number, 0) == 0);
    }
    return 0;
}

static int give_to_the_awake(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int number;
    REQUIRE(mp_lock_acquire(job->lock, LIMIT) == 0);
    REQUIRE(mp_lock_release(job->lock) == 0);
    REQUIRE(mp_connection_poll(job->far, 0) == 0);
    REQUIRE(allow_nothing());
    for (int i = 0; i < TIMES; i++) {
        while (mp_lock_acquire(job->lock, 0) != 0) {}
        REQUIRE(mp_lock_release(job->lock) == 0);
        while (mp_rlock_acquire(job->rlock, 0) != 0) {}
        REQUIRE(mp_rlock_release(job->rlock) == 0);
        REQUIRE(mp_semaphore_release(job->semaphore) == 0);
        REQUIRE(mp_event_set(job->event) == 0);
        REQUIRE(mp_event_clear(job->event) == 0);
        while (mp_queue_put(job->queue, &i, sizeof i, 0) != 0) {}
        REQUIRE(mp_connection_send(job->far, &i, sizeof i, 0) == 0);
        while (mp_connection_recv(job->far, &number, sizeof number, NULL, 0) != 0) {}
        REQUIRE(number == i);
    }
    atomic_store(&board->stop, 1);
    mp_os_exit_now(3);
}

static void none_towards_the_awake(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process polling, giving;
    ok(mp_process_start(&polling, poll_all, &job, sizeof job, NULL));
    while (!atomic_load(&board->begun)) mp_os_sleep(1000000);
    ok(mp_process_start(&giving, give_to_the_awake, &job, sizeof job, NULL));
    assert_ends(giving, 3);
    assert_ends(polling, 0);
    job_destroy(&job);
}

static const struct test_case cases[] = {
    CASE_ONCE(none_alone),
    CASE_ONCE(none_towards_the_awake),
};

SUPPORT_MAIN("calls", cases)
