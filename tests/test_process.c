/* SPDX-License-Identifier: MIT
 *
 * test_process.c - processes: how they end, who may wait for them, what can be asked of them, what they are given.
 */
#include "support.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- targets --------------------------------------------------------------------------------------------------- */

static int nothing(void *args)
{
    return args != NULL;
}

static int give_back(void *args)
{
    return *(const int *)args;
}

static int wait_at(void *args)
{
    return gate_pass(*(const struct gate *)args) ? 0 : 99;
}

static mp_process start(mp_target target, const void *args, size_t size)
{
    mp_process process = {0};
    ok(mp_process_start(&process, target, args, size, NULL));
    return process;
}

/* One that runs until the gate is opened. */
static mp_process start_waiting(struct gate gate)
{
    return start(wait_at, &gate, sizeof gate);
}

/* ---- how a process ends ------------------------------------------------------------------------------------------ */

static void exit_codes(void **state)
{
    static const int codes[] = {0,   1,       2,        127,   128,   255,        256,   257,     -1,
                                -2,  -9,      -15,      -127,  -128,  -129,       70000, INT_MAX, INT_MIN,
                                512, 1 << 16, 0x1234ff, -1005, -1024, 0x7fffff00, -65536};
    enum {
        COUNT = sizeof codes / sizeof codes[0]
    };
    mp_process processes[COUNT];
    int found[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) processes[i] = start(give_back, &codes[i], sizeof codes[i]);
    ok(mp_process_join_all(processes, found, COUNT, LIMIT));
    for (int i = 0; i < COUNT; i++) {
        int again = 42;
        assert_int_equal(found[i], codes[i]);
        ok(mp_process_exitcode(processes[i], &again));
        assert_int_equal(again, codes[i]);
        ok(mp_process_close(processes[i]));
    }
}

static int call_exit(void *args)
{
    exit(*(const int *)args);
}

static int call_quick_exit(void *args)
{
    _Exit(*(const int *)args);
}

static int call_abort(void *args)
{
    (void)args;
    abort();
}

static void exit_calls(void **state)
{
    static const int codes[] = {0, 3, 255, 0x1ff, 0x100};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int wanted = (int)((unsigned)codes[i] & EXIT_BITS);
        assert_ends(start(call_exit, &codes[i], sizeof codes[i]), wanted);
        assert_ends(start(call_quick_exit, &codes[i], sizeof codes[i]), wanted);
    }
}

static void aborts(void **state)
{
    (void)state;
    assert_ends(start(call_abort, NULL, 0), ABORT_CODE);
}

static int kill_self(void *args)
{
    (void)args;
    mp_process_kill(mp_current_process());
    return 0;
}

static int terminate_self(void *args)
{
    (void)args;
    mp_process_terminate(mp_current_process());
    return 0;
}

static void ends_itself(void **state)
{
    (void)state;
    assert_ends(start(kill_self, NULL, 0), -9);
    assert_ends(start(terminate_self, NULL, 0), -15);
}

/* Also on one that has ended, and on a closed one. */
static void ended_by_others(void **state)
{
    static int (*const ways[])(mp_process) = {mp_process_interrupt, mp_process_terminate, mp_process_kill};
    static const int codes[] = {-2, -15, -9};
    struct gate gate = gate_create();
    (void)state;
    for (int i = HAS_SIGNALS ? 0 : 1; i < 3; i++) {
        int code;
        mp_process process = start_waiting(gate);
        ok(ways[i](process));
        ok(mp_process_join(process, &code, LIMIT));
        assert_int_equal(code, codes[i]);
        for (int j = HAS_SIGNALS ? 0 : 1; j < 3; j++) assert_int_equal(ways[j](process), 0);
        ok(mp_process_exitcode(process, &code));
        assert_int_equal(code, codes[i]);
        ok(mp_process_close(process));
        fails(MP_EBADHANDLE, ways[i](process));
    }
    gate_destroy(gate);
}

static void interrupt_without_signals(void **state)
{
    (void)state;
    if (HAS_SIGNALS) skip();
    struct gate gate = gate_create();
    mp_process process = start_waiting(gate);
    fails(MP_ENOTSUP, mp_process_interrupt(process));
    assert_int_equal(mp_process_is_alive(process), 1);
    gate_open(gate);
    assert_ends(process, 0);
    gate_destroy(gate);
}

static void hundred_terminated(void **state)
{
    enum {
        COUNT = 100
    };
    static mp_process processes[COUNT];
    static int codes[COUNT];
    struct gate gate = gate_create();
    (void)state;
    for (int i = 0; i < COUNT; i++) processes[i] = start_waiting(gate);
    for (int i = 0; i < COUNT; i++) ok(mp_process_terminate(processes[i]));
    ok(mp_process_join_all(processes, codes, COUNT, LIMIT));
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(codes[i], -15);
        ok(mp_process_close(processes[i]));
    }
    gate_destroy(gate);
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static void join_polls(void **state)
{
    static const int64_t polls[] = {0, -1, -1000000, INT64_MIN};
    struct gate gate = gate_create();
    int code = 42;
    mp_process process = start_waiting(gate);
    (void)state;
    for (size_t i = 0; i < sizeof polls / sizeof polls[0]; i++) {
        int64_t before = support_now();
        fails(MP_ETIMEDOUT, mp_process_join(process, &code, polls[i]));
        fails(MP_ETIMEDOUT, mp_process_join(process, NULL, polls[i]));
        fails(MP_ETIMEDOUT, mp_process_join_all(&process, &code, 1, polls[i]));
        fails(MP_ETIMEDOUT, mp_process_join_all(&process, NULL, 1, polls[i]));
        assert_true(support_now() - before < 5000);
    }
    assert_int_equal(code, 42);
    gate_open(gate);
    assert_ends(process, 0);
    gate_destroy(gate);
}

static void join_times_out(void **state)
{
    struct gate gate = gate_create();
    int code = 42;
    mp_process process = start_waiting(gate);
    int64_t before = support_now();
    (void)state;
    fails(MP_ETIMEDOUT, mp_process_join(process, &code, 100));
    assert_in_range(support_now() - before, 99, 10000);
    before = support_now();
    fails(MP_ETIMEDOUT, mp_process_join_all(&process, &code, 1, 100));
    assert_in_range(support_now() - before, 99, 10000);
    before = support_now();
    fails(MP_ETIMEDOUT, mp_process_join_all(&process, NULL, 1, 100));
    assert_in_range(support_now() - before, 99, 10000);
    assert_int_equal(code, 42);
    gate_open(gate);
    assert_ends(process, 0);
    gate_destroy(gate);
}

static void huge_timeouts(void **state)
{
    static const int64_t times[] = {MP_FOREVER, INT64_MAX - 1, INT64_MAX / 1000000, INT64_MAX / 1000000 + 1,
                                    INT64_MAX / 2};
    int code;
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        mp_process process = start(nothing, NULL, 0);
        ok(mp_process_join(process, &code, times[i]));
        assert_int_equal(code, 0);
        ok(mp_process_close(process));
    }
}

static void join_twice(void **state)
{
    const int seven = 7;
    mp_process process = start(give_back, &seven, sizeof seven);
    (void)state;
    for (int i = 0; i < 3; i++) {
        int code = 0;
        ok(mp_process_join(process, &code, i ? -1 : LIMIT));
        assert_int_equal(code, 7);
    }
    ok(mp_process_close(process));
}

static void *join_in_thread(void *argument)
{
    int code = -1000;
    mp_process process = *(const mp_process *)argument;
    int result = mp_process_join(process, &code, LIMIT);
    return (void *)(intptr_t)(result < 0 ? result : code);
}

static void join_from_many_threads(void **state)
{
    enum {
        THREADS = 8
    };
    pthread_t threads[THREADS];
    struct gate gate = gate_create();
    mp_process process = start_waiting(gate);
    (void)state;
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, join_in_thread, &process), 0);
    ok(mp_process_kill(process));
    for (int i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_int_equal((intptr_t)result, -9);
    }
    ok(mp_process_close(process));
    gate_destroy(gate);
}

static void join_itself(void **state)
{
    mp_process self = mp_current_process(), two[2];
    int codes[2] = {42, 42};
    (void)state;
    fails(MP_EDEADLK, mp_process_join(self, codes, 0));
    fails(MP_EDEADLK, mp_process_join(self, NULL, MP_FOREVER));
    two[0] = start(nothing, NULL, 0);
    two[1] = self;
    fails(MP_EDEADLK, mp_process_join_all(two, codes, 2, MP_FOREVER));
    fails(MP_EDEADLK, mp_process_join_all(two, NULL, 2, MP_FOREVER));
    assert_int_equal(codes[0], 42);
    assert_ends(two[0], 0);
    assert_int_equal(mp_process_is_alive(self), 1);
    fails(MP_EBUSY, mp_process_close(self));
    fails(MP_EBUSY, mp_process_exitcode(self, codes));
}

static int join_self(void *args)
{
    (void)args;
    return mp_process_join(mp_current_process(), NULL, MP_FOREVER);
}

static void child_joins_itself(void **state)
{
    (void)state;
    assert_ends(start(join_self, NULL, 0), MP_EDEADLK);
}

static void join_without_code(void **state)
{
    const int five = 5, closed = MP_ECLOSED, zero = 0;
    mp_process process = start(give_back, &zero, sizeof zero);
    (void)state;
    assert_int_equal(mp_process_join(process, NULL, LIMIT), 0);
    ok(mp_process_close(process));

    ok(mp_process_start(&process, give_back, &five, sizeof five, &(mp_process_options){.name = "quintus"}));
    fails(MP_EEXIT, mp_process_join(process, NULL, LIMIT));
    char pid[32];
    snprintf(pid, sizeof pid, "%lld", (long long)mp_process_pid(process));
    assert_non_null(strstr(mp_error_detail(), "quintus"));
    assert_non_null(strstr(mp_error_detail(), pid));
    assert_non_null(strstr(mp_error_detail(), "exit code 5"));
    assert_ends(process, 5);

    process = start(give_back, &closed, sizeof closed);
    fails(MP_EEXIT, mp_process_join(process, NULL, LIMIT));
    assert_non_null(strstr(mp_error_detail(), "MP_ECLOSED"));
    assert_ends(process, MP_ECLOSED);

    process = start(kill_self, NULL, 0);
    fails(MP_EEXIT, mp_process_join(process, NULL, LIMIT));
    assert_non_null(strstr(mp_error_detail(), "signal 9"));
    assert_ends(process, -9);
}

/* ---- waiting for many ------------------------------------------------------------------------------------------- */

static void join_all_of_none(void **state)
{
    int code = 42;
    mp_process none = {0};
    (void)state;
    assert_int_equal(mp_process_join_all(NULL, NULL, 0, MP_FOREVER), 0);
    assert_int_equal(mp_process_join_all(&none, &code, 0, MP_FOREVER), 0);
    assert_int_equal(code, 42);
    fails(MP_EINVAL, mp_process_join_all(NULL, &code, 1, MP_FOREVER));
    fails(MP_EINVAL, mp_process_join_all(NULL, NULL, 1, MP_FOREVER));
    fails(MP_EBADHANDLE, mp_process_join_all(&none, &code, 1, MP_FOREVER));
    fails(MP_EBADHANDLE, mp_process_join_all(&none, NULL, 1, MP_FOREVER));
    assert_int_equal(code, 42);
}

static void join_all_plain(void **state)
{
    mp_process processes[5];
    (void)state;
    for (int i = 0; i < 5; i++) processes[i] = start(nothing, NULL, 0);
    assert_int_equal(mp_process_join_all(processes, NULL, 5, LIMIT), 0);
    for (int i = 0; i < 5; i++) assert_ends(processes[i], 0);
}

/* One fails while the others wait for it. */
static void join_all_learns_of_failure(void **state)
{
    struct gate gate = gate_create();
    const int six = 6;
    mp_process processes[4];
    int64_t before = support_now();
    (void)state;
    for (int i = 0; i < 3; i++) processes[i] = start_waiting(gate);
    ok(mp_process_start(&processes[3], give_back, &six, sizeof six, &(mp_process_options){.name = "sextus"}));
    fails(MP_EEXIT, mp_process_join_all(processes, NULL, 4, MP_FOREVER));
    assert_true(support_now() - before < LIMIT / 2);
    assert_non_null(strstr(mp_error_detail(), "sextus"));
    for (int i = 0; i < 3; i++) assert_int_equal(mp_process_is_alive(processes[i]), 1);

    int codes[4] = {42, 42, 42, 42};
    fails(MP_ETIMEDOUT, mp_process_join_all(processes, codes, 4, 50));
    for (int i = 0; i < 4; i++) assert_int_equal(codes[i], 42);
    gate_open(gate);
    ok(mp_process_join_all(processes, codes, 4, LIMIT));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(codes[i], i == 3 ? 6 : 0);
        ok(mp_process_close(processes[i]));
    }
    gate_destroy(gate);
}

/* ---- the family: who is not the parent -------------------------------------------------------------------------- */

/* What processes tell each other. */
struct board {
    struct gate ready, go;
    mp_process middle, last;
    int code, result, seen;
};

static mp_value board_create(struct board **board)
{
    mp_value value = {0};
    ok(mp_value_create(&value, sizeof **board, &(mp_shared_options){.raw = true}));
    *board = MP_VALUE(struct board, value);
    (*board)->ready = gate_create();
    (*board)->go = gate_create();
    return value;
}

static void board_destroy(mp_value value)
{
    const struct board *board = MP_VALUE(struct board, value);
    gate_destroy(board->ready);
    gate_destroy(board->go);
    ok(mp_value_destroy(value));
}

static int join_sibling(void *args)
{
    int code;
    int result = mp_process_join(*(const mp_process *)args, &code, LIMIT);
    return result < 0 ? result : code;
}

static void sibling_joins_sibling(void **state)
{
    struct gate gate = gate_create();
    const int number = 70000;
    (void)state;
    mp_process one = start_waiting(gate), two = start(join_sibling, &one, sizeof one);
    assert_int_equal(mp_process_is_alive(two), 1);
    ok(mp_process_kill(one));
    assert_ends(two, -9);
    assert_ends(one, -9);
    one = start(give_back, &number, sizeof number);
    two = start(join_sibling, &one, sizeof one);
    assert_ends(two, 70000);
    assert_ends(one, 70000);
    gate_destroy(gate);
}

static int poll_sibling(void *args)
{
    const mp_process sibling = *(const mp_process *)args;
    int code;
    if (mp_process_join(sibling, &code, 0) != MP_ETIMEDOUT) return 1;
    if (mp_process_join(sibling, &code, 30) != MP_ETIMEDOUT) return 2;
    if (mp_process_exitcode(sibling, &code) != MP_EBUSY) return 3;
    if (mp_process_close(sibling) != MP_EBUSY) return 4;
    if (mp_process_is_alive(sibling) != 1) return 5;
    if (mp_process_kill(sibling) < 0) return 6;
    if (mp_process_join(sibling, &code, LIMIT) < 0 || code != -9) return 7;
    if (mp_process_is_alive(sibling) != 0) return 8;
    if (mp_process_exitcode(sibling, &code) < 0 || code != -9) return 9;
    return mp_process_terminate(sibling) == 0 ? 0 : 10;
}

static void sibling_kills_sibling(void **state)
{
    struct gate gate = gate_create();
    mp_process one = start_waiting(gate);
    (void)state;
    assert_ends(start(poll_sibling, &one, sizeof one), 0);
    assert_ends(one, -9);
    gate_destroy(gate);
}

static int close_sibling(void *args)
{
    return mp_process_close(*(const mp_process *)args);
}

/* Somebody else closes what its parent has not joined. */
static void sibling_closes_sibling(void **state)
{
    mp_process one = start(nothing, NULL, 0), two;
    int code;
    (void)state;
    ok(mp_process_join(one, &code, LIMIT));
    two = start(close_sibling, &one, sizeof one);
    assert_ends(two, 0);
    fails(MP_EBADHANDLE, mp_process_join(one, &code, LIMIT));
    fails(MP_EBADHANDLE, mp_process_close(one));
}

static int hold_a_child(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    if (mp_process_start(&board->last, wait_at, &board->go, sizeof board->go, NULL) < 0) return 1;
    board->middle = mp_current_process();
    gate_open(board->ready);
    /* Busy: it does not look after its child. */
    return gate_pass(board->go) ? 0 : 2;
}

static void grandparent_joins_grandchild(void **state)
{
#ifdef TEST_PARENT_SEES_ALONE /* see mp_process_join */
    if (mp_get_start_method() != MP_FORKSERVER) skip();
#endif
    struct board *board;
    mp_value value = board_create(&board);
    mp_process middle = start(hold_a_child, &value, sizeof value);
    int code = 0;
    (void)state;
    assert_true(gate_take(board->ready));
    assert_int_equal(board->middle.id, middle.id);
    assert_int_equal(mp_process_is_alive(board->last), 1);
    fails(MP_ETIMEDOUT, mp_process_join(board->last, &code, 0));
    assert_int_equal(mp_process_parent(board->last).id, middle.id);
    ok(mp_process_kill(board->last));
    ok(mp_process_join(board->last, &code, LIMIT));
    assert_int_equal(code, -9);
    assert_int_equal(mp_process_is_alive(middle), 1);
    gate_open(board->go);
    assert_ends(middle, 0);
    assert_ends(board->last, -9);
    board_destroy(value);
}

static int start_and_return(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    const int many = 70001;
    if (mp_process_start(&board->last, give_back, &many, sizeof many, NULL) < 0) return 1;
    gate_open(board->ready);
    return gate_pass(board->go) ? 0 : 2;
}

/* All 32 bits, although its parent, who alone may ask the system, does not ask. */
static void grandchild_returns_all_bits(void **state)
{
    struct board *board;
    mp_value value = board_create(&board);
    mp_process middle = start(start_and_return, &value, sizeof value);
    int code = 0;
    (void)state;
    assert_true(gate_take(board->ready));
    ok(mp_process_join(board->last, &code, LIMIT));
    assert_int_equal(code, 70001);
    gate_open(board->go);
    assert_ends(middle, 0);
    assert_ends(board->last, 70001);
    board_destroy(value);
}

static int watch_parent(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    mp_process parent = mp_parent_process();
    board->seen = mp_process_is_alive(parent);
    board->last = mp_current_process(); /* its parent may be killed before it comes to that */
    gate_open(board->ready);
    board->result = mp_process_join(parent, &board->code, LIMIT);
    return 5;
}

static int hold_a_watcher(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    mp_process watcher;
    if (mp_process_start(&watcher, watch_parent, args, sizeof value, NULL) < 0) return 1;
    return gate_pass(board->go) ? 0 : 2;
}

static void grandchild_sees_its_parent_die(void **state)
{
    struct board *board;
    mp_value value = board_create(&board);
    mp_process middle = start(hold_a_watcher, &value, sizeof value);
    int code = 0;
    (void)state;
    assert_true(gate_take(board->ready));
    ok(mp_process_kill(middle));
    ok(mp_process_join(board->last, &code, LIMIT));
    assert_int_equal(code, 5);
    assert_int_equal(board->seen, 1);
    assert_int_equal(board->result, 0);
    assert_int_equal(board->code, -9);
    assert_ends(middle, -9);
    assert_int_equal(mp_process_parent(board->last).id, 0);
    ok(mp_process_close(board->last));
    board_destroy(value);
}

static int look_at_parent(void *args)
{
    mp_process parent = mp_parent_process();
    int code;
    if (parent.id != ((const mp_process *)args)->id) return 1;
    if (mp_process_is_alive(parent) != 1) return 2;
    if (mp_process_join(parent, &code, 0) != MP_ETIMEDOUT) return 3;
    if (mp_process_close(parent) != MP_EBUSY) return 4;
    if (mp_process_parent(mp_current_process()).id != parent.id) return 5;
    if (mp_process_parent(parent).id != 0) return 6;
    return mp_process_pid(parent) > 0 ? 0 : 7;
}

static void child_knows_its_parent(void **state)
{
    mp_process self = mp_current_process(), child;
    (void)state;
    assert_int_not_equal(self.id, 0);
    assert_int_equal(mp_current_process().id, self.id);
    assert_int_equal(mp_parent_process().id, 0);
    child = start(look_at_parent, &self, sizeof self);
    assert_int_equal(mp_process_parent(child).id, self.id);
    assert_ends(child, 0);
}

static int compare_self(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    board->middle = mp_current_process();
    board->code = (int)mp_process_pid(mp_current_process());
    return 0;
}

static void child_knows_itself(void **state)
{
    struct board *board;
    mp_value value = board_create(&board);
    mp_process child = start(compare_self, &value, sizeof value);
    (void)state;
    assert_int_equal(mp_process_join(child, NULL, LIMIT), 0);
    assert_int_equal(board->middle.id, child.id);
    assert_int_equal(board->code, mp_process_pid(child));
    assert_int_not_equal(board->code, mp_process_pid(mp_current_process()));
    ok(mp_process_close(child));
    board_destroy(value);
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

static void questions(void **state)
{
    struct gate gate = gate_create();
    int code = 42;
    mp_process process = start_waiting(gate);
    (void)state;
    assert_int_equal(mp_process_is_alive(process), 1);
    fails(MP_EBUSY, mp_process_exitcode(process, &code));
    fails(MP_EINVAL, mp_process_exitcode(process, NULL));
    fails(MP_EBUSY, mp_process_close(process));
    assert_int_equal(code, 42);
    int64_t pid = mp_process_pid(process);
    assert_true(pid > 0);
    assert_int_equal(mp_process_is_daemon(process), 0);
    gate_open(gate);
    ok(mp_process_join(process, &code, LIMIT));
    assert_int_equal(mp_process_is_alive(process), 0);
    assert_int_equal(mp_process_pid(process), pid);
    assert_int_equal(mp_process_is_daemon(process), 0);
    assert_non_null(mp_process_name(process));
    ok(mp_process_close(process));

    fails(MP_EBADHANDLE, mp_process_close(process));
    fails(MP_EBADHANDLE, mp_process_join(process, &code, 0));
    fails(MP_EBADHANDLE, mp_process_join(process, NULL, MP_FOREVER));
    fails(MP_EBADHANDLE, mp_process_exitcode(process, &code));
    fails(MP_EBADHANDLE, mp_process_is_alive(process));
    fails(MP_EBADHANDLE, mp_process_is_daemon(process));
    fails(MP_EBADHANDLE, (int)mp_process_pid(process));
    assert_null(mp_process_name(process));
    assert_int_equal(mp_process_parent(process).id, 0);
    gate_destroy(gate);
}

static int daemon_flags(void *args)
{
    mp_process inner;
    (void)args;
    if (mp_process_is_daemon(mp_current_process()) != 1) return 1;
    if (mp_process_start(&inner, nothing, NULL, 0, NULL) < 0) return 2;
    if (mp_process_is_daemon(inner) != 0) return 3;
    return mp_process_join(inner, NULL, LIMIT) == 0 ? mp_process_close(inner) : 4;
}

static void daemon_flag(void **state)
{
    mp_process process;
    (void)state;
    assert_int_equal(mp_process_is_daemon(mp_current_process()), 0);
    ok(mp_process_start(&process, daemon_flags, NULL, 0, &(mp_process_options){.daemon = true}));
    assert_int_equal(mp_process_is_daemon(process), 1);
    assert_ends(process, 0);
}

static int check_names(void *args)
{
    char wanted[300];
    mp_process inner, innermost;
    snprintf(wanted, sizeof wanted, "%s:1", (const char *)args);
    if (strcmp(mp_process_name(mp_current_process()), args) != 0) return 1;
    if (mp_process_start(&inner, nothing, NULL, 0, NULL) < 0) return 2;
    if (strcmp(mp_process_name(inner), wanted) != 0) return 3;
    if (mp_process_start(&innermost, nothing, NULL, 0, NULL) < 0) return 4;
    wanted[strlen(wanted) - 1] = '2';
    if (strcmp(mp_process_name(innermost), wanted) != 0) return 5;
    mp_process both[2] = {inner, innermost};
    if (mp_process_join_all(both, NULL, 2, LIMIT) < 0) return 6;
    return mp_process_close(inner) == 0 && mp_process_close(innermost) == 0 ? 0 : 7;
}

static void default_names(void **state)
{
    mp_process first = start(nothing, NULL, 0), second;
    int number, end = 0;
    char wanted[64];
    (void)state;
    assert_int_equal(sscanf(mp_process_name(first), "Process-%d%n", &number, &end), 1);
    assert_int_equal(strlen(mp_process_name(first)), end);
    snprintf(wanted, sizeof wanted, "Process-%d", number + 1);
    second = start(check_names, wanted, sizeof wanted);
    assert_string_equal(mp_process_name(second), wanted);
    assert_ends(second, 0);
    assert_ends(first, 0);
    assert_string_equal(mp_process_name(mp_current_process()), "MainProcess");
}

static int same_name(void *args)
{
    return strcmp(mp_process_name(mp_current_process()), args) != 0;
}

static void own_names(void **state)
{
    char longest[256], too_long[257];
    const char *const names[] = {"x", "Zoë, the reader", "Process-1", longest};
    mp_process process;
    (void)state;
    memset(longest, 'n', 255);
    longest[255] = '\0';
    memset(too_long, 'n', 256);
    too_long[256] = '\0';
    for (int i = 0; i < 4; i++) {
        char name[256];
        memset(name, 0, sizeof name);
        snprintf(name, sizeof name, "%s", names[i]);
        ok(mp_process_start(&process, same_name, name, sizeof name, &(mp_process_options){.name = name}));
        name[0] = '#'; /* it is copied */
        assert_string_equal(mp_process_name(process), names[i]);
        assert_ends(process, 0);
    }
    fails(MP_EINVAL, mp_process_start(&process, nothing, NULL, 0, &(mp_process_options){.name = too_long}));
    fails(MP_EINVAL, mp_process_start(&process, nothing, NULL, 0, &(mp_process_options){.name = ""}));
}

static void active_children(void **state)
{
    struct gate gate = gate_create();
    mp_process processes[4], found[4];
    size_t count = 42;
    (void)state;
    ok(mp_active_children(NULL, 0, &count));
    assert_int_equal(count, 0);
    for (int i = 0; i < 4; i++) processes[i] = start_waiting(gate);
    ok(mp_active_children(found, 4, &count));
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(found[i].id, processes[i].id);

    memset(found, 0, sizeof found);
    ok(mp_active_children(found, 2, &count));
    assert_int_equal(count, 4);
    assert_int_equal(found[1].id, processes[1].id);
    assert_int_equal(found[2].id, 0);

    ok(mp_process_kill(processes[1]));
    assert_int_equal(mp_process_join(processes[1], &(int){0}, LIMIT), 0);
    ok(mp_active_children(found, 4, &count));
    assert_int_equal(count, 3);
    assert_int_equal(found[0].id, processes[0].id);
    assert_int_equal(found[1].id, processes[2].id);
    assert_int_equal(found[2].id, processes[3].id);

    fails(MP_EINVAL, mp_active_children(NULL, 1, &count));
    fails(MP_EINVAL, mp_active_children(found, 4, NULL));
    gate_open(gate);
    assert_ends(processes[1], -9);
    assert_ends(processes[0], 0);
    assert_ends(processes[2], 0);
    assert_ends(processes[3], 0);
    ok(mp_active_children(NULL, 0, &count));
    assert_int_equal(count, 0);
    gate_destroy(gate);
}

/* Asking for those that run reaps those that do not; their codes stay. */
static void active_children_reaps(void **state)
{
    const int nine = 9;
    mp_process process = start(give_back, &nine, sizeof nine);
    size_t count;
    int64_t until = support_now() + LIMIT;
    (void)state;
    do ok(mp_active_children(NULL, 0, &count));
    while (count && support_now() < until);
    assert_int_equal(count, 0);
    assert_int_equal(support_children(), 0);
    assert_ends(process, 9);
}

static void unjoined(void **state)
{
    struct gate gate = gate_create();
    mp_process found[2];
    size_t count;
    mp_stats before, after;
    (void)state;
    ok(mp_get_stats(&before));
    ok(mp_process_start(NULL, wait_at, &gate, sizeof gate, NULL));
    ok(mp_process_start(NULL, wait_at, &gate, sizeof gate, NULL));
    ok(mp_active_children(found, 2, &count));
    assert_int_equal(count, 2);
    ok(mp_get_stats(&after));
    assert_int_equal(after.processes, before.processes + 2);
    gate_open(gate);
    for (int i = 0; i < 2; i++) {
        int code, result = mp_process_join(found[i], &code, LIMIT);
        if (result != 0) assert_int_equal(result, MP_EBADHANDLE);
    }
    ok(mp_active_children(NULL, 0, &count));
    assert_int_equal(count, 0);
    ok(mp_get_stats(&after));
    assert_int_equal(after.processes, before.processes);
    gate_destroy(gate); /* that no record is left is seen by who runs this test */
}

static void statistics(void **state)
{
    struct gate gate = gate_create();
    mp_stats before, now;
    mp_process processes[3];
    (void)state;
    ok(mp_get_stats(&before));
    for (int i = 0; i < 3; i++) processes[i] = start_waiting(gate);
    ok(mp_get_stats(&now));
    assert_int_equal(now.processes, before.processes + 3);
    assert_int_equal(now.records, before.records);
    gate_open(gate);
    assert_int_equal(mp_process_join_all(processes, NULL, 3, LIMIT), 0);
    ok(mp_get_stats(&now));
    assert_int_equal(now.processes, before.processes);
    assert_int_equal(now.records, before.records + 3);
    assert_int_equal(now.blocks, before.blocks);
    assert_int_equal(now.threads, before.threads);
    for (int i = 0; i < 3; i++) ok(mp_process_close(processes[i]));
    gate_destroy(gate);
}

/* ---- arguments ------------------------------------------------------------------------------------------------- */

static unsigned char byte_at(size_t i)
{
    return (unsigned char)((i * 2654435761u) >> 13);
}

/* Their size stands in front. */
static int check_bytes(void *args)
{
    size_t size;
    unsigned char *bytes = args;
    if ((uintptr_t)args % _Alignof(max_align_t) != 0) return 1;
    memcpy(&size, args, sizeof size);
    for (size_t i = sizeof size; i < size; i++)
        if (bytes[i] != byte_at(i)) return 2;
    memset(args, 0, size); /* its own copy */
    return 0;
}

static void arguments_of_any_size(void **state)
{
    static const size_t sizes[] = {8,    9,    63,    64,    65,    1000,    1024,     1025,
                                   4096, 4097, 65535, 65536, 65537, 1000003, 64u << 20};
    unsigned char *bytes = malloc(64u << 20);
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memcpy(bytes, &sizes[i], sizeof sizes[i]);
        for (size_t j = sizeof sizes[i]; j < sizes[i]; j++) bytes[j] = byte_at(j);
        mp_process process = start(check_bytes, bytes, sizes[i]);
        memset(bytes, 0xee, sizes[i]); /* copied during the call */
        assert_ends(process, 0);
    }
    free(bytes);
}

static int one_byte(void *args)
{
    return *(const unsigned char *)args;
}

static int no_bytes(void *args)
{
    return args ? 1 : 0;
}

static void arguments_of_one_byte_and_none(void **state)
{
    const unsigned char byte = 200;
    (void)state;
    assert_ends(start(one_byte, &byte, 1), 200);
    assert_ends(start(no_bytes, NULL, 0), 0);
    assert_ends(start(no_bytes, &byte, 0), 0);
}

/* ---- families of several generations ---------------------------------------------------------------------------- */

struct plan {
    int depth;
    mp_start_method methods[6];
};

static int descend(void *args)
{
    struct plan plan = *(const struct plan *)args;
    mp_process process;
    int code;
    if (!plan.depth) return 100;
    mp_process_options options = {.method = plan.methods[--plan.depth]};
    int result = mp_process_start(&process, descend, &plan, sizeof plan, &options);
    if (result < 0) return result;
    result = mp_process_join(process, &code, LIMIT);
    if (result == 0) result = mp_process_close(process);
    return result < 0 ? result : code + 1;
}

static void children_of_children(void **state)
{
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            const struct plan plan = {.depth = 2, .methods = {methods[i], methods[j]}};
            assert_ends(start(descend, &plan, sizeof plan), 102);
        }
    }
    const struct plan deep = {.depth = 6};
    assert_ends(start(descend, &deep, sizeof deep), 106);
}

static int tell_default(void *args)
{
    int depth = *(const int *)args;
    if (depth == 0) return (int)mp_get_start_method();
    depth--;
    mp_process process;
    int code;
    if (mp_process_start(&process, tell_default, &depth, sizeof depth, NULL) < 0) return -1;
    return mp_process_join(process, &code, LIMIT) < 0 || mp_process_close(process) < 0 ? -2 : code;
}

static void default_method_is_inherited(void **state)
{
    const int depth = 2, none = 0;
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    mp_process process;
    (void)state;
    assert_ends(start(tell_default, &depth, sizeof depth), (int)mp_get_start_method());
    /* Whatever it was started by itself. */
    for (size_t i = 0; i < count; i++) {
        ok(mp_process_start(&process, tell_default, &none, sizeof none, &(mp_process_options){.method = methods[i]}));
        assert_ends(process, (int)mp_get_start_method());
    }
}

static int start_unjoined_children(void *args)
{
    for (int i = 0; i < 5; i++)
        if (mp_process_start(NULL, wait_at, args, sizeof(struct gate), NULL) < 0) return 1;
    return 17;
}

/* A child's end waits for its own children, whether it has handles to them or not. */
static void child_joins_its_children(void **state)
{
    struct gate gate = gate_create();
    mp_process process = start(start_unjoined_children, &gate, sizeof gate);
    int code;
    mp_stats stats;
    (void)state;
    fails(MP_ETIMEDOUT, mp_process_join(process, &code, 200));
    gate_open(gate);
    assert_ends(process, 17);
    ok(mp_get_stats(&stats));
    assert_int_equal(stats.processes, 1);
    gate_destroy(gate);
}

static int start_daemon(void *args)
{
    mp_value value = *(const mp_value *)args;
    struct board *board = MP_VALUE(struct board, value);
    const mp_process_options options = {.daemon = true};
    return mp_process_start(&board->last, wait_at, &board->go, sizeof board->go, &options) < 0;
}

static void child_ends_its_daemons(void **state)
{
    struct board *board;
    mp_value value = board_create(&board);
    (void)state;
    assert_ends(start(start_daemon, &value, sizeof value), 0);
    assert_int_equal(mp_process_is_alive(board->last), 0);
    assert_ends(board->last, -15);
    board_destroy(value);
}

static void quick_sequence(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        mp_process process = start(give_back, &i, sizeof i);
        assert_ends(process, i);
    }
}

static void many_at_once(void **state)
{
    enum {
        COUNT = 50
    };
    static mp_process processes[COUNT];
    struct gate gate = gate_create();
    mp_stats stats;
    (void)state;
    for (int i = 0; i < COUNT; i++) processes[i] = start_waiting(gate);
    ok(mp_get_stats(&stats));
    assert_int_equal(stats.processes, COUNT + 1);
    gate_open(gate);
    assert_int_equal(mp_process_join_all(processes, NULL, COUNT, LIMIT), 0);
    for (int i = 0; i < COUNT; i++) ok(mp_process_close(processes[i]));
    gate_destroy(gate);
}

static const struct test_case cases[] = {
    CASE(exit_codes),
    CASE(exit_calls),
    CASE(aborts),
    CASE(ends_itself),
    CASE(ended_by_others),
    CASE_ONCE(interrupt_without_signals),
    CASE(hundred_terminated),
    CASE(join_polls),
    CASE(join_times_out),
    CASE(huge_timeouts),
    CASE(join_twice),
    CASE(join_from_many_threads),
    CASE(join_itself),
    CASE(child_joins_itself),
    CASE(join_without_code),
    CASE(join_all_of_none),
    CASE(join_all_plain),
    CASE(join_all_learns_of_failure),
    CASE(sibling_joins_sibling),
    CASE(sibling_kills_sibling),
    CASE(sibling_closes_sibling),
    CASE(grandparent_joins_grandchild),
    CASE(grandchild_returns_all_bits),
    CASE(grandchild_sees_its_parent_die),
    CASE(child_knows_its_parent),
    CASE(child_knows_itself),
    CASE(questions),
    CASE(daemon_flag),
    CASE(default_names),
    CASE(own_names),
    CASE(active_children),
    CASE(active_children_reaps),
    CASE(unjoined),
    CASE(statistics),
    CASE(arguments_of_any_size),
    CASE(arguments_of_one_byte_and_none),
    CASE(children_of_children),
    CASE(default_method_is_inherited),
    CASE(child_joins_its_children),
    CASE(child_ends_its_daemons),
    CASE(quick_sequence),
    CASE(many_at_once),
};

SUPPORT_MAIN("process", cases)
