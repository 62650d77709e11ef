/* SPDX-License-Identifier: MIT
 *
 * test_janitor.c - the deaths that nobody waits for: of parents, of owners that sleepers know nothing of, of the janitor
 * itself.
 */
#include "base/arena.h"
#include "base/family.h"
#include "inside.h"
#include "require.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

/* What a child is given. */
struct job {
    mp_block board; /* struct board */
    struct gate begun, ready, never;
    mp_lock lock;
    mp_start_method method;
    bool daemon;
};

/* What children let others know. */
struct board {
    mp_process child;
    _Atomic uint64_t owner;
    _Atomic int result;
};

static struct job job_create(void)
{
    struct job job = {.method = mp_get_start_method()};
    ok(mp_block_create(&job.board, sizeof(struct board)));
    ok(mp_lock_create(&job.lock, NULL));
    job.begun = gate_create();
    job.ready = gate_create();
    job.never = gate_create();
    return job;
}

static void job_destroy(const struct job *job)
{
    gate_destroy(job->begun);
    gate_destroy(job->ready);
    gate_destroy(job->never);
    ok(mp_lock_destroy(job->lock));
    ok(mp_block_destroy(job->board));
}

static mp_process start(mp_target target, const struct job *job)
{
    mp_process process;
    ok(mp_process_start(&process, target, job, job ? sizeof *job : 0, NULL));
    return process;
}

static void end_with(mp_process process, int wanted)
{
    int code = 0;
    ok(mp_process_join(process, &code, LIMIT));
    assert_int_equal(code, wanted);
    ok(mp_process_close(process));
}

/* One that was killed after its parent: nobody may have looked before the system's own first process had reaped it. */
static void end_orphan(mp_process process)
{
    int code = -9, result = mp_process_join(process, &code, LIMIT);
    if (result != MP_ESYSTEM) ok(result);
    assert_int_equal(code, -9);
    ok(mp_process_close(process));
}

/* ---- parents --------------------------------------------------------------------------------------------------- */

static int wait_forever(void *args)
{
    const struct job *job = args;
    REQUIRE(gate_open(job->begun));
    REQUIRE(gate_pass(job->never));
    return 70007;
}

static int have_child(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    REQUIRE(mp_process_start(&board->child, wait_forever, job, sizeof *job,
                             &(mp_process_options){.method = job->method, .daemon = job->daemon}) == 0);
    REQUIRE(gate_take(job->begun));
    REQUIRE(gate_open(job->ready));
    REQUIRE(gate_pass(job->never));
    return 0;
}

/* A child of ours with a child of its own, which runs. */
static mp_process start_parent(const struct job *job, mp_process *child)
{
    mp_process parent = start(have_child, job);
    assert_true(gate_take(job->ready));
    *child = ((struct board *)mp_block_data(job->board))->child;
    assert_int_equal(mp_process_is_alive(*child), 1);
    return parent;
}

static void daemon_ends_with_killed_parent(void **state)
{
    (void)state;
    struct job job = job_create();
    job.daemon = true;
    mp_process child, parent = start_parent(&job, &child);
    ok(mp_process_kill(parent));
    end_with(parent, -9);
    end_with(child, -9);
    job_destroy(&job);
}

static void others_outlive_killed_parent(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process child, parent = start_parent(&job, &child);
    ok(mp_process_kill(parent));
    end_with(parent, -9);
    assert_int_equal(mp_process_is_alive(child), 1);
    assert_true(gate_open(job.never));
    end_with(child, 70007);
    job_destroy(&job);
}

/* The system tells nobody, or only the janitor. */
static void killed_orphan(void **state)
{
    (void)state;
    struct job job = job_create();
    mp_process child, parent = start_parent(&job, &child);
    ok(mp_process_kill(parent));
    end_with(parent, -9);
    ok(mp_process_kill(child));
    end_with(child, -9);
    job_destroy(&job);
}

static void *start_in_thread(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    return (void *)(intptr_t)mp_process_start(&board->child, wait_forever, job, sizeof *job,
                                              &(mp_process_options){.daemon = true});
}

/* That is no end of its process. */
static void daemon_outlives_thread(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, start_in_thread, &job), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    ok((int)(intptr_t)result);
    assert_true(gate_take(job.begun));
    mp_process next = start(wait_forever, &job); /* the janitor looks at all again */
    assert_true(gate_take(job.begun));
    assert_int_equal(mp_process_is_alive(board->child), 1);
    assert_true(gate_open(job.never));
    end_with(board->child, 70007);
    end_with(next, 70007);
    job_destroy(&job);
}

/* ---- the janitor ----------------------------------------------------------------------------------------------- */

static int nothing(void *args)
{
    (void)args;
    return 3;
}

/* There is one, which is not `before`. */
static int64_t await_janitor(int64_t before)
{
    struct mp__janitor *janitor = &mp__header()->janitor;
    int64_t end = support_now() + LIMIT, pid;
    while (pid = atomic_load(&janitor->pid), !pid || pid == before || mp_os_process_is_gone(pid, 0)) {
        assert_true(support_now() < end);
        mp_os_sleep(MS);
    }
    return pid;
}

/* The same, should an earlier case have left a dead one; and killed who was about to start another. */
static int64_t have_janitor(void)
{
    const struct mp__janitor *janitor = &mp__header()->janitor;
    int64_t end = support_now() + LIMIT, pid;
    do {
        assert_true(support_now() < end);
        end_with(start(nothing, NULL), 3);
        pid = atomic_load(&janitor->pid);
    } while (!pid || mp_os_process_is_gone(pid, 0));
    return pid;
}

static int kill_by_pid(int64_t pid, bool wait)
{
    mp_os_process process;
    mp_os_ending ending;
    int error = mp_os_process_open(&process, pid, 0);
    if (error) return -error;
    error = mp_os_process_signal(&process, MP_OS_KILL);
    if (!error && wait) error = mp_os_process_wait(&process, MP_OS_NEVER, &ending);
    mp_os_process_release(&process);
    return -error;
}

static void kill_janitor(int64_t pid)
{
    ok(kill_by_pid(pid, true));
}

static bool is_gone(int64_t pid)
{
    int64_t end = support_now() + LIMIT;
    while (!mp_os_process_is_gone(pid, 0)) {
        if (support_now() > end) return false;
        mp_os_sleep(MS);
    }
    return true;
}

static void one_for_all(void **state)
{
    (void)state;
    struct job job = job_create();
    end_with(start(nothing, &job), 3);
    int64_t pid = have_janitor();
    for (int i = 0; i < 10; i++) end_with(start(nothing, &job), 3);
    assert_int_equal(await_janitor(0), pid);
    job_destroy(&job);
}

/* Whoever starts a process starts another one. */
static void killed_and_missed(void **state)
{
    (void)state;
    struct job job = job_create();
    end_with(start(nothing, &job), 3);
    int64_t pid = have_janitor();
    kill_janitor(pid);
    end_with(start(nothing, &job), 3);
    pid = await_janitor(pid);
    job.daemon = true;
    mp_process child, parent = start_parent(&job, &child);
    kill_janitor(pid);
    ok(mp_process_kill(parent));
    end_with(parent, -9);
    end_with(start(nothing, &job), 3);
    end_orphan(child);
    job_destroy(&job);
}

static bool system_has_leashes(void)
{
    mp_os_leash leash;
    if (mp_os_leash_create(&leash)) return false;
    mp_os_leash_shed(&leash);
    return true;
}

/* It and a parent: the system itself sees to the daemon. */
static void killed_with_parent(void **state)
{
    (void)state;
    struct job job = job_create();
    job.daemon = true;
    mp_process child, parent = start_parent(&job, &child);
    int64_t pid = mp_process_pid(child);
    kill_janitor(have_janitor());
    ok(mp_process_kill(parent));
    if (system_has_leashes())
        assert_true(is_gone(pid));
    else
        end_with(start(nothing, &job), 3);
    end_with(parent, -9);
    end_orphan(child);
    job_destroy(&job);
}

static int take_and_wait(void *args)
{
    const struct job *job = args;
    struct board *board = mp_block_data(job->board);
    int result = mp_lock_acquire(job->lock, LIMIT);
    REQUIRE(result == 0 || result == MP_OWNERDEAD);
    atomic_store(&board->result, result);
    atomic_store(&board->owner, mp_current_process().id);
    REQUIRE(gate_open(job->ready));
    REQUIRE(gate_pass(job->never));
    return mp_lock_release(job->lock);
}

/* Two sleep behind a third, who lets one of them have it and lives on: when that one dies, the other knows nothing of it. */
static void owner_unknown_to_sleeper(void **state)
{
    (void)state;
    struct job job = job_create();
    struct board *board = mp_block_data(job.board);
    ok(mp_lock_acquire(job.lock, 0));
    mp_process both[2] = {start(take_and_wait, &job), start(take_and_wait, &job)};
    while (inside_waiters(job.lock) < 2) mp_os_sleep(MS);
    ok(mp_lock_release(job.lock));
    assert_true(gate_take(job.ready));
    int first = atomic_load(&board->owner) == both[1].id;
    ok(mp_process_kill(both[first]));
    assert_true(gate_take(job.ready));
    assert_int_equal(atomic_load(&board->owner), both[!first].id);
    assert_int_equal(atomic_load(&board->result), MP_OWNERDEAD);
    assert_true(gate_open(job.never));
    end_with(both[first], -9);
    end_with(both[!first], 0);
    job_destroy(&job);
}

/* A sleeper sees the janitor's death, and to another one. */
static void killed_before_sleeper(void **state)
{
    (void)state;
    struct job job = job_create();
    ok(mp_lock_acquire(job.lock, 0));
    mp_process sleeper = start(take_and_wait, &job);
    int64_t pid = have_janitor();
    kill_janitor(pid);
    pid = await_janitor(pid);
    kill_janitor(pid);
    (void)await_janitor(pid);
    ok(mp_lock_release(job.lock));
    assert_true(gate_take(job.ready));
    assert_true(gate_open(job.never));
    end_with(sleeper, 0);
    job_destroy(&job);
}

static void killed_with_owner(void **state)
{
    (void)state;
    struct job job = job_create();
    const struct board *board = mp_block_data(job.board);
    mp_process owner = start(take_and_wait, &job);
    assert_true(gate_take(job.ready));
    mp_process sleeper = start(take_and_wait, &job);
    kill_janitor(have_janitor());
    ok(mp_process_kill(owner));
    assert_true(gate_take(job.ready));
    assert_int_equal(atomic_load(&board->result), MP_OWNERDEAD);
    assert_true(gate_open(job.never));
    end_with(owner, -9);
    end_with(sleeper, 0);
    job_destroy(&job);
}

/* ---- what a killed writer may have left ------------------------------------------------------------------------- */

static uint64_t random_bits(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t bits = *random >> 33 | *random << 31;
    return *random >> 60 < 6 ? bits >> (bits & 63) : bits; /* many are small */
}

/* Anything, in what only the dead one has written of its own. */
static void scribble(mp_process process, uint64_t *random)
{
    struct mp__process *record = mp__process_of(process.id);
    assert_non_null(record);
    atomic_store(&record->delivery, random_bits(random));
    atomic_store(&record->returned, random_bits(random));
    atomic_store(&record->birth, random_bits(random));
    atomic_store(&record->space, random_bits(random) % 2 ? atomic_load(&record->space) : random_bits(random));
    atomic_store(&record->started, (uint32_t)random_bits(random));
    record->parent = random_bits(random);
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        struct mp__thread *thread = mp__thread_at(number);
        if (!atomic_load(&thread->stamp) || atomic_load(&thread->process) != process.id) continue;
        for (int i = 0; i < MP__INTENTS; i++) atomic_store(&thread->intents[i], random_bits(random));
        atomic_store(&thread->sleeping_on, random_bits(random));
        thread->sleeping_next = (uint32_t)random_bits(random);
    }
}

/* Whoever recovers it goes on, and everybody else's things are as they were. */
static void records_of_garbage(void **state)
{
    (void)state;
    uint64_t random = 42;
    struct job job = job_create();
    mp_block witness;
    ok(mp_block_create(&witness, 5000));
    memset(mp_block_data(witness), 0x77, 5000);
    for (int i = 0; i < 40; i++) {
        mp_process victim = start(take_and_wait, &job);
        assert_true(gate_take(job.ready));
        int64_t pid = mp_process_pid(victim);
        int code, result;
        scribble(victim, &random);
        ok(kill_by_pid(pid, false));
        result = mp_lock_acquire(job.lock, LIMIT);
        assert_int_equal(result, MP_OWNERDEAD);
        ok(mp_lock_release(job.lock));
        result = mp_process_join(victim, &code, LIMIT);
        assert_true(result == 0 || result == MP_ESYSTEM || result == MP_ENOFREEZE);
        (void)mp_process_close(victim);
        assert_true(mp__process_of(victim.id) == NULL);
    }
    const unsigned char *bytes = mp_block_data(witness);
    for (int i = 0; i < 5000; i++) assert_int_equal(bytes[i], 0x77);
    ok(mp_block_destroy(witness));
    job_destroy(&job);
}

/* ---- the end of a family --------------------------------------------------------------------------------------- */

/* Nothing is left of it: no janitor, no daemon, no fork server. */
static void family_ends(const char *how, int code)
{
    struct outcome outcome;
    const char *const arguments[] = {mp_start_method_name(mp_get_start_method()), how, NULL};
    support_program(&outcome, "program_janitor", arguments);
    if (outcome.code != code) print_error("%s\n", outcome.text);
    assert_int_equal(outcome.code, code);
    int count = 0;
    for (const char *at = outcome.text; (at = strstr(at, "pid ")) != NULL; count++) {
        int64_t pid = strtoll(at += 4, NULL, 10);
        assert_true(pid > 0);
        assert_true(is_gone(pid));
    }
    assert_int_equal(count, 3);
}

static void family_ends_in_order(void **state)
{
    (void)state;
    family_ends("leave", 0);
}

static void family_is_killed(void **state)
{
    (void)state;
    family_ends("killed", -9);
}

static void records_of_orphans(void **state)
{
    (void)state;
    struct outcome outcome;
    support_program(&outcome, "program_janitor",
                    (const char *const[]){mp_start_method_name(mp_get_start_method()), "orphans", NULL});
    if (outcome.code != 0) print_error("%s\n", outcome.text);
    assert_int_equal(outcome.code, 0);
}

int main(int argc, char **argv)
{
    /* Where only a parent sees that a process has ended, those that have none any more end when the system's first process
     * has come to reap them. */
    static const struct test_case for_parents[] = {
        CASE(daemon_outlives_thread),
        CASE(owner_unknown_to_sleeper),
        CASE(records_of_garbage),
    };
    static const struct test_case cases[] = {
        CASE(daemon_ends_with_killed_parent),
        CASE(others_outlive_killed_parent),
        CASE(killed_orphan),
        CASE(daemon_outlives_thread),
        CASE(one_for_all),
        CASE(killed_and_missed),
        CASE(killed_with_parent),
        CASE(owner_unknown_to_sleeper),
        CASE(killed_before_sleeper),
        CASE(killed_with_owner),
        CASE(records_of_garbage),
        CASE(family_ends_in_order),
        CASE(family_is_killed),
        CASE(records_of_orphans),
    };
    mp_freeze_support();
    if (!mp_os_end_is_visible())
        return support_run("janitor", for_parents, sizeof for_parents / sizeof for_parents[0], argc, argv);
    return support_run("janitor", cases, sizeof cases / sizeof cases[0], argc, argv);
}
