/* SPDX-License-Identifier: MIT
 *
 * test_top.c - mp-top tells of a family in known states what is so.
 */
#include "require.h"
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct json *the(const struct json *list, size_t at)
{
    const struct json *one = list ? list->first : NULL;
    while (one && at--) one = one->next;
    return one;
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static int pass(void *args)
{
    REQUIRE(gate_pass(*(const struct gate *)args));
    return 0;
}

static int seven(void *args)
{
    (void)args;
    return 7;
}

static bool has_seen_sleeper(const struct json *family)
{
    return json_is(top_wait(family, "sleeper"), "for", "unit");
}

static void processes(void **state)
{
    (void)state;
    struct gate gate = gate_create();
    mp_process sleeper, ended, killed;
    struct top_look look;
    ok(mp_process_start(&sleeper, pass, &gate, sizeof gate, &(mp_process_options){.name = "sleeper", .daemon = true}));
    ok(mp_process_start(&ended, seven, NULL, 0, &(mp_process_options){.name = "ended"}));
    ok(mp_process_start(&killed, pass, &gate, sizeof gate, &(mp_process_options){.name = "killed"}));
    int code;
    ok(mp_process_join(ended, &code, LIMIT));
    ok(mp_process_kill(killed));
    ok(mp_process_join(killed, &code, LIMIT));

    top_until(&look, has_seen_sleeper);
    const struct json *family = look.family, *main = top_process(family, "MainProcess");
    assert_int_equal(json_count(json_get(family, "processes")),
                     4); /* what a test before has left would be there, too */
    assert_int_equal(json_number(family, "pid"), mp_process_pid(mp_current_process()));
    assert_int_equal(json_number(main, "pid"), mp_process_pid(mp_current_process()));
    assert_true(json_number(main, "cpu") >= 0);
    assert_true(json_number(main, "load") >= 0);
    assert_true(json_is(main, "method", ""));
    assert_int_equal(json_number(main, "daemon"), 0);
    assert_null(json_get(main, "parent"));
    const struct json *one = top_process(family, "sleeper");
    assert_int_equal(json_number(one, "pid"), mp_process_pid(sleeper));
    assert_int_equal(json_number(one, "daemon"), 1);
    assert_int_equal(json_number(one, "threads"), 1);
    assert_true(json_is(one, "parent", "MainProcess"));
    assert_true(json_is(one, "method", mp_start_method_name(mp_get_start_method())));
    assert_true(json_is(one, "state", "asleep"));
    assert_null(json_get(one, "exit_code"));
    one = top_process(family, "ended");
    assert_true(json_is(one, "state", "ended"));
    assert_int_equal(json_number(one, "exit_code"), 7);
    one = top_process(family, "killed");
    assert_true(json_is(one, "state", "ended"));
    assert_true(json_number(one, "exit_code") == -9);
    top_end(&look);

    /* The pid of any process of it will do. */
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%lld", (long long)mp_process_pid(sleeper));
    top_run(&look.outcome, (const char *const[]){"--json", "--interval", "0.02", pid, NULL});
    assert_int_equal(look.outcome.code, 0);
    look.all = top_json(&look.outcome);
    assert_int_equal(json_number(look.all->first, "pid"), mp_process_pid(mp_current_process()));
    top_end(&look);

    assert_true(gate_open(gate));
    assert_ends(sleeper, 0);
    ok(mp_process_close(ended));
    ok(mp_process_close(killed));
    gate_destroy(gate);
}

/* ---- who waits for what ------------------------------------------------------------------------------------------ */

struct locks {
    mp_lock one, other;
    struct gate taken, go;
};

static int hold(void *args)
{
    const struct locks *locks = args;
    REQUIRE(mp_lock_acquire(locks->one, LIMIT) == 0);
    REQUIRE(gate_open(locks->taken) && gate_pass(locks->go));
    REQUIRE(mp_lock_release(locks->one) == 0);
    return 0;
}

static int want(void *args)
{
    const struct locks *locks = args;
    REQUIRE(mp_lock_acquire(locks->one, MP_FOREVER) == 0);
    REQUIRE(mp_lock_release(locks->one) == 0);
    return 0;
}

static bool is_held_and_wanted(const struct json *family)
{
    const struct json *lock = top_object(family, "locks", "accounts");
    return json_is(top_wait(family, "wants"), "for", "lock") && json_is(top_wait(family, "holds"), "for", "unit") &&
           json_number(lock, "waiters") == 1 && json_is(json_get(lock, "owner"), "process", "holds") &&
           json_number(json_get(lock, "owner"), "certain") == 1;
}

static void lock_that_is_held(void **state)
{
    (void)state;
    struct locks locks = {.taken = gate_create(), .go = gate_create()};
    mp_process holds, wants;
    struct top_look look;
    ok(mp_lock_create(&locks.one, &(mp_lock_options){.name = "accounts"}));
    ok(mp_process_start(&holds, hold, &locks, sizeof locks, &(mp_process_options){.name = "holds"}));
    assert_true(gate_pass(locks.taken));
    ok(mp_process_start(&wants, want, &locks, sizeof locks, &(mp_process_options){.name = "wants"}));

    top_until(&look, is_held_and_wanted);
    const struct json *wait = top_wait(look.family, "wants"), *lock = top_object(look.family, "locks", "accounts");
    assert_true(json_is(wait, "what", "lock \"accounts\""));
    assert_true(json_is(json_get(wait, "owner"), "process", "holds"));
    assert_int_equal(json_number(json_get(wait, "owner"), "pid"), mp_process_pid(holds));
    assert_int_equal(json_number(wait, "pid"), mp_process_pid(wants));
    assert_true(json_number(wait, "waited") > 0);
    assert_true(json_number(lock, "longest") > 0);
    double before = json_number(wait, "waited"), held = json_number(json_get(lock, "owner"), "held");
    assert_true(held > 0);
    assert_int_equal(json_count(json_get(look.family, "deadlocks")), 0);
    top_end(&look);

    /* Nothing has changed but the time. */
    top_until(&look, is_held_and_wanted);
    assert_true(json_number(top_wait(look.family, "wants"), "waited") > before);
    assert_true(json_number(json_get(top_object(look.family, "locks", "accounts"), "owner"), "held") > held);
    top_end(&look);

    top_run(&look.outcome, (const char *const[]){"--interval", "0.02", top_pid(), NULL});
    assert_int_equal(look.outcome.code, 0);
    assert_non_null(strstr(look.outcome.text, "WAITING"));
    assert_non_null(strstr(look.outcome.text, "lock \"accounts\"  holds ("));
    assert_true(gate_open(locks.go));
    assert_ends(holds, 0);
    assert_ends(wants, 0);
    top_begin(&look); /* free: nobody has it */
    assert_int_equal(json_get(top_object(look.family, "locks", "accounts"), "owner")->type, JSON_NULL);
    top_end(&look);
    ok(mp_lock_destroy(locks.one));
    gate_destroy(locks.taken);
    gate_destroy(locks.go);
}

static int embrace(void *args)
{
    const struct locks *locks = args;
    REQUIRE(mp_lock_acquire(locks->one, LIMIT) == 0);
    REQUIRE(gate_open(locks->taken) && gate_take(locks->go));
    /* With a time-out: debug builds refuse to close a circle for ever. Or its owner is killed first. */
    int result = mp_lock_acquire(locks->other, LIMIT);
    REQUIRE(result == 0 || result == MP_OWNERDEAD);
    return 0;
}

static bool is_deadlock(const struct json *family)
{
    return json_count(json_get(family, "deadlocks")) == 1;
}

static void deadlock(void **state)
{
    (void)state;
    struct locks locks = {.taken = gate_create(), .go = gate_create()}, turned;
    mp_process left, right;
    struct top_look look;
    ok(mp_lock_create(&locks.one, &(mp_lock_options){.name = "fork"}));
    ok(mp_lock_create(&locks.other, &(mp_lock_options){.name = "knife"}));
    turned = locks;
    turned.one = locks.other;
    turned.other = locks.one;
    ok(mp_process_start(&left, embrace, &locks, sizeof locks, &(mp_process_options){.name = "left"}));
    ok(mp_process_start(&right, embrace, &turned, sizeof turned, &(mp_process_options){.name = "right"}));
    for (int i = 0; i < 2; i++) assert_true(gate_take(locks.taken));
    for (int i = 0; i < 2; i++) assert_true(gate_open(locks.go));
    top_until(&look, is_deadlock);
    const struct json *circle = json_get(look.family, "deadlocks")->first;
    assert_int_equal(json_count(circle), 2);
    assert_true(json_is(json_find(circle, "process", "left"), "what", "lock \"knife\""));
    assert_true(json_is(json_find(circle, "process", "right"), "what", "lock \"fork\""));
    top_end(&look);
    top_run(&look.outcome, (const char *const[]){top_pid(), NULL});
    assert_non_null(strstr(look.outcome.text, "DEADLOCK: "));
    ok(mp_process_kill(left));
    ok(mp_process_kill(right));
    (void)support_end(left);
    (void)support_end(right);
    ok(mp_lock_destroy(locks.one));
    ok(mp_lock_destroy(locks.other));
    gate_destroy(locks.taken);
    gate_destroy(locks.go);
}

struct joined {
    mp_process other;
    mp_lock lock;
};

/* Who has only ever waited for ends has no record that says so. */
static int join(void *args)
{
    const struct joined *joined = args;
    REQUIRE(mp_lock_acquire(joined->lock, LIMIT) == 0 && mp_lock_release(joined->lock) == 0);
    REQUIRE(mp_process_join(joined->other, NULL, MP_FOREVER) == 0);
    return 0;
}

static bool is_joined(const struct json *family)
{
    return json_is(top_wait(family, "joins"), "for", "end");
}

static void end_that_is_waited_for(void **state)
{
    (void)state;
    struct gate gate = gate_create();
    struct joined joined;
    mp_process joins;
    struct top_look look;
    ok(mp_lock_create(&joined.lock, NULL));
    ok(mp_process_start(&joined.other, pass, &gate, sizeof gate, &(mp_process_options){.name = "other"}));
    ok(mp_process_start(&joins, join, &joined, sizeof joined, &(mp_process_options){.name = "joins"}));
    top_until(&look, is_joined);
    assert_true(json_is(top_wait(look.family, "joins"), "what", "the end of other"));
    top_end(&look);
    assert_true(gate_open(gate));
    assert_ends(joins, 0);
    assert_ends(joined.other, 0);
    gate_destroy(gate);
    ok(mp_lock_destroy(joined.lock));
}

/* ---- queues and pipes -------------------------------------------------------------------------------------------- */

struct queues {
    mp_queue full, empty, busy;
    mp_connection end;
    mp_event stop;
};

static int put_into_full(void *args)
{
    const struct queues *queues = args;
    REQUIRE(mp_queue_put(queues->full, "", 1, LIMIT) == 0);
    return 0;
}

static int get_from_empty(void *args)
{
    const struct queues *queues = args;
    char byte;
    REQUIRE(mp_queue_get(queues->empty, &byte, 1, NULL, LIMIT) == 0);
    return 0;
}

static int receive(void *args)
{
    const struct queues *queues = args;
    char byte;
    REQUIRE(mp_connection_recv(queues->end, &byte, 1, NULL, LIMIT) == 0);
    return 0;
}

static int be_busy(void *args)
{
    const struct queues *queues = args;
    char byte = 0;
    while (!mp_event_is_set(queues->stop)) {
        REQUIRE(mp_queue_put(queues->busy, &byte, 1, LIMIT) == 0);
        REQUIRE(mp_queue_get(queues->busy, &byte, 1, NULL, LIMIT) == 0);
    }
    return 0;
}

static bool all_wait(const struct json *family)
{
    const struct json *busy = top_object(family, "queues", "busy");
    return json_is(top_wait(family, "putter"), "for", "room") && json_is(top_wait(family, "getter"), "for", "item") &&
           json_is(top_wait(family, "receiver"), "for", "item") && json_number(busy, "put_rate") > 0 &&
           json_number(busy, "get_rate") > 0;
}

static void queues_and_pipes(void **state)
{
    (void)state;
    struct queues queues;
    mp_connection other;
    mp_process processes[4];
    struct top_look look;
    int (*const targets[])(void *) = {put_into_full, get_from_empty, receive, be_busy};
    const char *const names[] = {"putter", "getter", "receiver", "busy"};
    ok(mp_queue_create(&queues.full, &(mp_queue_options){.name = "full", .maxsize = 3}));
    ok(mp_queue_create(&queues.empty, &(mp_queue_options){.name = "empty", .joinable = true}));
    ok(mp_queue_create(&queues.busy, &(mp_queue_options){.name = "busy"}));
    ok(mp_pipe_create(&queues.end, &other, &(mp_pipe_options){.name = "pipe"}));
    ok(mp_event_create(&queues.stop, NULL));
    for (int i = 0; i < 3; i++) ok(mp_queue_put(queues.full, "0123456789", 10, 0));
    for (int i = 0; i < 4; i++)
        ok(mp_process_start(&processes[i], targets[i], &queues, sizeof queues,
                            &(mp_process_options){.name = names[i]}));

    top_until(&look, all_wait);
    const struct json *full = top_object(look.family, "queues", "full");
    assert_int_equal(json_number(full, "items"), 3);
    assert_int_equal(json_number(full, "bytes"), 30);
    assert_int_equal(json_number(full, "maxsize"), 3);
    assert_int_equal(json_number(full, "putters"), 1);
    assert_int_equal(json_number(full, "getters"), 0);
    assert_true(json_number(full, "put_rate") == 0);
    assert_true(json_is(top_wait(look.family, "putter"), "what", "room in queue \"full\""));
    const struct json *empty = top_object(look.family, "queues", "empty");
    assert_int_equal(json_number(empty, "items"), 0);
    assert_int_equal(json_number(empty, "getters"), 1);
    assert_int_equal(json_number(empty, "putters"), 0);
    assert_null(json_get(empty, "maxsize"));
    assert_true(json_is(top_wait(look.family, "getter"), "what", "an item of queue \"empty\""));
    assert_true(json_is(top_wait(look.family, "receiver"), "what", "a message of pipe \"pipe\""));
    const struct json *pipe = top_object(look.family, "queues", "pipe");
    assert_true(json_is(pipe, "type", "pipe"));
    top_end(&look);

    ok(mp_event_set(queues.stop));
    ok(mp_queue_put(queues.empty, "", 1, LIMIT));
    ok(mp_connection_send(other, "", 1, LIMIT));
    char item[10];
    ok(mp_queue_get(queues.full, item, sizeof item, NULL, LIMIT));
    for (int i = 0; i < 4; i++) assert_ends(processes[i], 0);
    top_begin(&look);
    assert_int_equal(json_number(top_object(look.family, "queues", "full"), "items"), 3);
    assert_int_equal(json_number(top_object(look.family, "queues", "full"), "bytes"), 21);
    top_end(&look);
    ok(mp_queue_destroy(queues.full));
    ok(mp_queue_destroy(queues.empty));
    ok(mp_queue_destroy(queues.busy));
    ok(mp_connection_close(queues.end));
    ok(mp_connection_close(other));
    ok(mp_event_destroy(queues.stop));
}

/* ---- the other primitives ---------------------------------------------------------------------------------------- */

struct others {
    mp_semaphore semaphore;
    mp_event set, clear;
    mp_barrier barrier;
    mp_condition condition;
    mp_value value;
    struct gate go;
};

static int arrive(void *args)
{
    const struct others *others = args;
    REQUIRE(mp_barrier_wait(others->barrier, LIMIT) >= 0);
    return 0;
}

static int be_notified(void *args)
{
    const struct others *others = args;
    REQUIRE(mp_condition_acquire(others->condition, LIMIT) == 0);
    REQUIRE(mp_condition_wait(others->condition, LIMIT) == 0);
    REQUIRE(mp_condition_release(others->condition) == 0);
    return 0;
}

static int have_value(void *args)
{
    const struct others *others = args;
    bool passed = false;
    MP_WITH_LOCK(others->value) passed = gate_pass(others->go);
    REQUIRE(passed);
    return 0;
}

static bool others_wait(const struct json *family)
{
    const struct json *lock = json_find(json_get(family, "locks"), "of_name", "total");
    return json_is(top_wait(family, "arrives"), "for", "parties") &&
           json_is(top_wait(family, "notified"), "for", "notify") && json_is(json_get(lock, "owner"), "process", "has");
}

static void the_others(void **state)
{
    (void)state;
    struct others others = {.go = gate_create()};
    mp_process arrives, notified, has;
    struct top_look look;
    ok(mp_semaphore_create(&others.semaphore, 3, &(mp_semaphore_options){.name = "tickets", .owned = true}));
    ok(mp_event_create(&others.set, &(mp_event_options){.name = "set", .set = true}));
    ok(mp_event_create(&others.clear, &(mp_event_options){.name = "clear"}));
    ok(mp_barrier_create(&others.barrier, 2, &(mp_barrier_options){.name = "line"}));
    ok(mp_condition_create(&others.condition, &(mp_condition_options){.name = "news"}));
    ok(mp_value_create(&others.value, 8, &(mp_shared_options){.name = "total"}));
    ok(mp_semaphore_acquire(others.semaphore, 0));
    ok(mp_process_start(&arrives, arrive, &others, sizeof others, &(mp_process_options){.name = "arrives"}));
    ok(mp_process_start(&notified, be_notified, &others, sizeof others, &(mp_process_options){.name = "notified"}));
    ok(mp_process_start(&has, have_value, &others, sizeof others, &(mp_process_options){.name = "has"}));
    top_until(&look, others_wait);
    const struct json *one = top_object(look.family, "semaphores", "tickets");
    assert_int_equal(json_number(one, "value"), 2);
    assert_int_equal(json_number(one, "most"), 3);
    assert_int_equal(json_number(top_object(look.family, "events", "set"), "set"), 1);
    assert_int_equal(json_number(top_object(look.family, "events", "clear"), "set"), 0);
    one = top_object(look.family, "barriers", "line");
    assert_int_equal(json_number(one, "arrived"), 1);
    assert_int_equal(json_number(one, "parties"), 2);
    assert_int_equal(json_number(one, "waiters"), 1);
    assert_int_equal(json_number(top_object(look.family, "conditions", "news"), "waiters"), 1);
    assert_true(json_is(top_wait(look.family, "arrives"), "what", "barrier \"line\", 1 of 2 there"));
    assert_true(json_is(json_find(json_get(look.family, "locks"), "of_name", "total"), "of", "value"));
    top_end(&look);
    assert_true(gate_open(others.go));
    assert_true(mp_barrier_wait(others.barrier, LIMIT) >= 0);
    ok(mp_condition_acquire(others.condition, LIMIT));
    ok(mp_condition_notify(others.condition, 1));
    ok(mp_condition_release(others.condition));
    assert_ends(arrives, 0);
    assert_ends(notified, 0);
    assert_ends(has, 0);
    ok(mp_semaphore_release(others.semaphore));
    ok(mp_semaphore_destroy(others.semaphore));
    ok(mp_event_destroy(others.set));
    ok(mp_event_destroy(others.clear));
    ok(mp_barrier_destroy(others.barrier));
    ok(mp_condition_destroy(others.condition));
    ok(mp_value_destroy(others.value));
    gate_destroy(others.go);
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */

static int fail_twice(mp_task *task)
{
    return task->index == 17 || task->index == 71;
}

static void pool(void **state)
{
    (void)state;
    static const char inputs[100];
    mp_pool made;
    struct top_look look;
    ok(mp_pool_create(&made, 2, &(mp_pool_options){.name = "squares"}));
    fails(MP_ETASK, mp_pool_map(made, fail_twice, inputs, 1, NULL, 0, sizeof inputs, NULL));
    top_begin(&look);
    const struct json *seen = top_object(look.family, "pools", "squares");
    assert_true(json_is(seen, "state", "open"));
    assert_int_equal(json_number(seen, "submitted"), 100);
    assert_int_equal(json_number(seen, "done"), 100);
    assert_int_equal(json_number(seen, "failed"), 2);
    assert_int_equal(json_number(seen, "retried"), 0);
    assert_int_equal(json_number(seen, "calls"), 0);
    assert_true(json_number(seen, "rate") == 0);
    assert_int_equal(json_count(json_get(seen, "workers")), 2);
    double tasks = 0;
    for (size_t i = 0; i < 2; i++) tasks += json_number(the(json_get(seen, "workers"), i), "tasks");
    assert_int_equal(tasks, 100);
    top_end(&look);
    ok(mp_pool_destroy(made));
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* What the tests before have left to the janitor may go at any moment: that is waited for. */
static void settle(void)
{
    mp_stats before, after;
    int64_t end = support_now() + LIMIT;
    do {
        ok(mp_get_stats(&before));
        mp_process sleeper;
        int code;
        ok(mp_process_start(&sleeper, seven, NULL, 0, NULL));
        ok(mp_process_join(sleeper, &code, LIMIT));
        ok(mp_process_close(sleeper));
        ok(mp_get_stats(&after));
    } while (memcmp(&before, &after, sizeof before) != 0 && support_now() < end);
}

static void memory(void **state)
{
    (void)state;
    settle();
    mp_block blocks[3];
    mp_lock lock;
    mp_stats before, after;
    struct top_look look;
    for (int i = 0; i < 3; i++) ok(mp_block_create(&blocks[i], 100000));
    ok(mp_lock_create(&lock, NULL));
    ok(mp_get_stats(&before));
    top_begin(&look);
    ok(mp_get_stats(&after));
    assert_int_equal(before.bytes_reserved, after.bytes_reserved); /* it takes none */
    assert_memory_equal(&before, &after, sizeof before);
    const struct json *arena = json_get(look.family, "arena");
    assert_int_equal(json_number(arena, "bytes_used"), after.bytes_used);
    assert_int_equal(json_number(arena, "bytes_reserved"), after.bytes_reserved);
    assert_int_equal(json_number(arena, "blocks"), after.blocks);
    assert_int_equal(json_number(arena, "threads"), after.threads);
    assert_int_equal(json_number(arena, "locks"), 1);
    assert_int_equal(json_number(arena, "shared_blocks"), 3);
    top_end(&look);
    for (int i = 0; i < 3; i++) ok(mp_block_destroy(blocks[i]));
    ok(mp_lock_destroy(lock));
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static void assert_printable(const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->size; i++) {
        unsigned char c = (unsigned char)outcome->text[i];
        assert_true(c == '\n' || c == '\r' || (c >= ' ' && c != 0x7f));
    }
}

static void names_that_are_none(void **state)
{
    (void)state;
    mp_queue queue;
    struct top_look look;
    ok(mp_queue_create(&queue, &(mp_queue_options){.name = "a\"b\\c\033[2J\xff\xc3(\x07"}));
    ok(mp_queue_put(queue, "", 1, 0));
    top_begin(&look);
    assert_int_equal(json_count(json_get(look.family, "queues")), 1);
    const char *name = json_text(json_get(look.family, "queues")->first, "name");
    assert_int_equal(strncmp(name, "a\"b\\c", 5), 0);
    top_end(&look);
    top_run(&look.outcome, (const char *const[]){"--all", top_pid(), NULL});
    assert_int_equal(look.outcome.code, 0);
    assert_printable(&look.outcome);
    assert_non_null(strstr(look.outcome.text, "a\"b\\c?[2J?\?(?"));
    ok(mp_queue_destroy(queue));
}

static void list_of_all(void **state)
{
    (void)state;
    mp_lock lock;
    struct outcome outcome;
    ok(mp_lock_create(&lock, NULL));
    top_run(&outcome, (const char *const[]){"--interval", "0.02", NULL});
    assert_int_equal(outcome.code, 0);
    assert_non_null(strstr(outcome.text, "PROCESSES"));
    assert_non_null(strstr(outcome.text, top_pid()));
    assert_printable(&outcome);
    ok(mp_lock_destroy(lock));
}

static void wrong_use(void **state)
{
    (void)state;
    struct outcome outcome;
    const char *const wrong[][3] = {{"--what"},          {"-1"},         {"0"},      {"1.5"},
                                    {"--interval", "0"}, {"--interval"}, {"1", "2"}, {"--json", "--live"},
                                    {"--live"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        top_run(&outcome, (const char *const[]){wrong[i][0], wrong[i][1], wrong[i][2], NULL});
        assert_int_equal(outcome.code, 2);
        assert_non_null(strstr(outcome.text, "mp-top: "));
    }
    /* The message goes to stderr, which support_program reads, too. */
    top_run(&outcome, (const char *const[]){"--json", "2147483646", NULL});
    assert_int_equal(outcome.code, 1);
    assert_non_null(strstr(outcome.text, "[]"));
    assert_non_null(strstr(outcome.text, "no family of libmp has a process 2147483646"));
    top_run(&outcome, (const char *const[]){"--version", NULL});
    assert_int_equal(outcome.code, 0);
    assert_non_null(strstr(outcome.text, "mp-top " MP_VERSION));
    top_run(&outcome, (const char *const[]){"--help", NULL});
    assert_int_equal(outcome.code, 0);
    assert_non_null(strstr(outcome.text, "Exit codes: 0;"));
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct test_case cases[] = {
    CASE(processes),
    CASE(lock_that_is_held),
    CASE_ONCE(deadlock),
    CASE_ONCE(queues_and_pipes),
    CASE_ONCE(end_that_is_waited_for),
    CASE_ONCE(the_others),
    CASE_ONCE(pool),
    CASE_ONCE(memory),
    CASE_ONCE(names_that_are_none),
    CASE_ONCE(list_of_all),
    CASE_ONCE(wrong_use),
};

SUPPORT_MAIN("top", cases)
