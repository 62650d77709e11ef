/* SPDX-License-Identifier: MIT
 *
 * operations_sync.c - what mp_kill does to processes that use conditions, events, barriers and semaphores with owners.
 */
#include "inside.h"
#include "operations.h"

/* ---- what the others do ---------------------------------------------------------------------------------------- */

static int start_other(mp_process *process, mp_target target, const struct stage *stage)
{
    return mp_process_start(process, target, stage, sizeof *stage, &(mp_process_options){.method = MP_FORK});
}

static int board_create(struct stage *stage, struct board **board)
{
    int result = mp_block_create(&stage->board, sizeof(struct board));
    *board = result == 0 ? mp_block_data(stage->board) : NULL;
    return result;
}

/* How it ended, once it has; nobody has to help it. */
static int end_of(mp_process process, int *code)
{
    int result = mp_process_join(process, code, LIMIT);
    return result < 0 ? result : mp_process_close(process);
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

static int await_event(void *args)
{
    return mp_event_wait(((const struct stage *)args)->event, LIMIT);
}

static int event_prepare(struct stage *stage)
{
    struct board *board;
    int result = board_create(stage, &board);
    if (result == 0) result = mp_event_create(&stage->event, NULL);
    if (result == 0) result = start_other(&board->waiter, await_event, stage);
    while (result == 0 && !inside_somebody_sleeps(stage->event.id)) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

static int event_set(struct stage *stage)
{
    return mp_event_set(stage->event);
}

static int event_set_and_clear(struct stage *stage)
{
    int result = mp_event_set(stage->event);
    return result < 0 ? result : mp_event_clear(stage->event);
}

static int event_wait_in_vain(struct stage *stage)
{
    return mp_event_wait(stage->event, 1) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
}

/* If it was ever set, who waits goes on without any help. */
static int event_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    const struct mp__control *control = mp__control_of(stage->event.id, MP__EVENT);
    int code = 0;
    bool was_set = atomic_load(&control->state) & UINT32_C(0x7fffffff);
    if (!was_set) HOLDS(mp_event_set(stage->event) == 0);
    HOLDS(end_of(board->waiter, &code) == 0 && code == 0);
    HOLDS(mp_event_destroy(stage->event) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

/* ---- conditions ------------------------------------------------------------------------------------------------ */

static int await_condition(void *args)
{
    const struct stage *stage = args;
    int result = mp_condition_acquire(stage->condition, LIMIT);
    if (result >= 0) result = mp_condition_wait(stage->condition, LIMIT);
    if (result < 0) return result;
    int released = mp_condition_release(stage->condition);
    return released < 0 ? released : result;
}

static int condition_prepare(struct stage *stage)
{
    struct board *board;
    int result = board_create(stage, &board);
    return result < 0 ? result : mp_condition_create(&stage->condition, NULL);
}

/* Two who wait. */
static int awaited_condition_prepare(struct stage *stage)
{
    int result = condition_prepare(stage);
    struct board *board = result == 0 ? mp_block_data(stage->board) : NULL;
    if (result == 0) result = start_other(&board->waiter, await_condition, stage);
    if (result == 0) result = start_other(&board->other, await_condition, stage);
    while (result == 0 && inside_waiting_for(stage->condition.id, 0) < 2) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

static int condition_notify(struct stage *stage)
{
    int result = mp_condition_acquire(stage->condition, LIMIT);
    if (result == 0) result = mp_condition_notify(stage->condition, 1);
    return result < 0 ? result : mp_condition_release(stage->condition);
}

static int condition_end(struct stage *stage)
{
    HOLDS(mp_condition_destroy(stage->condition) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

/* Both come through once all are notified; the death in between is told to one at most. */
static int condition_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int codes[2] = {0}, found = mp_condition_acquire(stage->condition, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_condition_notify_all(stage->condition) == 0);
    HOLDS(mp_condition_release(stage->condition) == 0);
    HOLDS(end_of(board->waiter, &codes[0]) == 0);
    HOLDS(end_of(board->other, &codes[1]) == 0);
    HOLDS(codes[0] >= 0 && codes[1] >= 0 && found + codes[0] + codes[1] <= MP_OWNERDEAD);
    return condition_end(stage);
}

/* Another one waits behind the child, and one of the two is notified. */
static int notify_one_of_two(void *args)
{
    const struct stage *stage = args;
    struct board *board = mp_block_data(stage->board);
    while (inside_waiting_for(stage->condition.id, 0) < 1 && !atomic_load(&board->over)) mp_os_sleep(100000);
    int result = start_other(&board->waiter, await_condition, stage);
    while (result == 0 && !inside_waiting_for(stage->condition.id, board->waiter.id)) mp_os_sleep(100000);
    if (result == 0) result = mp_condition_acquire(stage->condition, LIMIT);
    if (result >= 0 && mp_condition_notify(stage->condition, 1) < 0) return MP_ESYSTEM;
    if (result < 0) return result;
    if (mp_condition_release(stage->condition) < 0) return MP_ESYSTEM;
    if (result == MP_OWNERDEAD) atomic_store(&board->held, 2);
    int code = 0; /* its child is its own to be waited for */
    int64_t patience = 5;
    for (;;) {
        result = mp_process_join(board->waiter, &code, patience);
        if (result != MP_ETIMEDOUT) break;
        /* It has not been told: the child was, who has come through, or died with the lock. */
        bool over = atomic_load(&board->over);
        int found = mp_condition_acquire(stage->condition, LIMIT);
        if (found < 0) return found;
        bool used = atomic_load(&board->held) || found == MP_OWNERDEAD;
        if (found == MP_OWNERDEAD) atomic_store(&board->held, 2);
        if (used && mp_condition_notify(stage->condition, 1) < 0) return MP_ESYSTEM;
        if (mp_condition_release(stage->condition) < 0) return MP_ESYSTEM;
        if (patience == LIMIT) return MP_ETIMEDOUT; /* a lost notification */
        if (over || used) patience = LIMIT;
    }
    if (result < 0) return result;
    result = mp_process_close(board->waiter);
    return result < 0 ? result : code;
}

static int notified_prepare(struct stage *stage)
{
    int result = condition_prepare(stage);
    struct board *board = result == 0 ? mp_block_data(stage->board) : NULL;
    return result < 0 ? result : start_other(&board->other, notify_one_of_two, stage);
}

static int condition_wait(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int result = mp_condition_acquire(stage->condition, LIMIT);
    if (result == 0) result = mp_condition_wait(stage->condition, LIMIT);
    if (result >= 0) atomic_store(&board->held, 1);
    return result < 0 ? result : mp_condition_release(stage->condition);
}

/* No notification is lost. */
static int notified_check(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int code = 0;
    atomic_store(&board->over, 1);
    HOLDS(end_of(board->other, &code) == 0);
    HOLDS(code >= 0);
    int found = mp_condition_acquire(stage->condition, LIMIT);
    HOLDS(found >= 0);
    HOLDS(mp_condition_release(stage->condition) == 0);
    return condition_end(stage);
}

static int condition_create_and_destroy(struct stage *stage)
{
    mp_condition condition;
    (void)stage;
    int result = mp_condition_create(&condition, NULL);
    return result < 0 ? result : mp_condition_destroy(condition);
}

static int condition_create_check(struct stage *stage)
{
    HOLDS(condition_create_and_destroy(stage) == 0);
    return 0;
}

/* ---- barriers -------------------------------------------------------------------------------------------------- */

static int await_barrier(void *args)
{
    return mp_barrier_wait(((const struct stage *)args)->barrier, LIMIT);
}

static int act(void *context)
{
    struct board *board = mp_block_data(*(const mp_block *)context);
    atomic_fetch_add(&board->held, 1);
    return 0;
}

/* Two of three wait; with an action, if there is a board to be told. */
static int barrier_prepare_with(struct stage *stage, bool action, int waiters)
{
    struct board *board;
    int result = board_create(stage, &board);
    const mp_barrier_options options = {
        .action = action ? act : NULL, .context = &stage->board, .context_size = sizeof stage->board};
    if (result == 0) result = mp_barrier_create(&stage->barrier, 3, &options);
    if (result == 0) result = start_other(&board->waiter, await_barrier, stage);
    if (result == 0 && waiters > 1) result = start_other(&board->other, await_barrier, stage);
    while (result == 0 && mp_barrier_n_waiting(stage->barrier) < waiters) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

static int barrier_prepare(struct stage *stage)
{
    return barrier_prepare_with(stage, false, 2);
}

static int barrier_action_prepare(struct stage *stage)
{
    return barrier_prepare_with(stage, true, 2);
}

static int barrier_lonely_prepare(struct stage *stage)
{
    return barrier_prepare_with(stage, false, 1);
}

static int barrier_wait(struct stage *stage)
{
    int result = mp_barrier_wait(stage->barrier, LIMIT);
    return result == 2 ? 0 : MP_ESYSTEM;
}

static int barrier_wait_in_vain(struct stage *stage)
{
    return mp_barrier_wait(stage->barrier, 1) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
}

static int barrier_abort(struct stage *stage)
{
    return mp_barrier_abort(stage->barrier);
}

static int barrier_reset(struct stage *stage)
{
    return mp_barrier_reset(stage->barrier);
}

static int barrier_end(struct stage *stage)
{
    HOLDS(mp_barrier_reset(stage->barrier) == 0);
    HOLDS(mp_barrier_broken(stage->barrier) == 0);
    HOLDS(mp_barrier_n_waiting(stage->barrier) == 0);
    HOLDS(mp_barrier_wait(stage->barrier, 0) == MP_ETIMEDOUT);
    HOLDS(mp_barrier_destroy(stage->barrier) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return 0;
}

/* Who waits goes on, or is told; if the third one has not come yet, when somebody comes in its place. */
static int barrier_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int codes[2] = {0};
    if (mp_barrier_n_waiting(stage->barrier) == 2) {
        int result = mp_barrier_wait(stage->barrier, LIMIT);
        HOLDS(result == 2 || result == MP_EPEERDEAD);
    }
    HOLDS(end_of(board->waiter, &codes[0]) == 0);
    HOLDS(end_of(board->other, &codes[1]) == 0);
    for (int i = 0; i < 2; i++) HOLDS((codes[i] >= 0 && codes[i] < 2) || codes[i] == MP_EPEERDEAD);
    HOLDS(codes[0] != codes[1] || codes[0] < 0);
    return barrier_end(stage);
}

static int barrier_broken_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int codes[2] = {0};
    HOLDS(mp_barrier_abort(stage->barrier) == 0); /* it may not have come to that */
    HOLDS(end_of(board->waiter, &codes[0]) == 0);
    HOLDS(end_of(board->other, &codes[1]) == 0);
    for (int i = 0; i < 2; i++) HOLDS(codes[i] == MP_EBROKEN || codes[i] == MP_EPEERDEAD);
    return barrier_end(stage);
}

static int barrier_lonely_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int code = 0;
    HOLDS(mp_barrier_abort(stage->barrier) == 0);
    HOLDS(end_of(board->waiter, &code) == 0);
    HOLDS(code == MP_EBROKEN || code == MP_EPEERDEAD);
    return barrier_end(stage);
}

/* A member ends, and the child learns of it first: it tells the others. */
static int end_when_told(void *args)
{
    const struct stage *stage = args;
    const struct board *board = mp_block_data(stage->board);
    while (!atomic_load(&board->over)) mp_os_sleep(100000);
    return 0;
}

static int member_prepare(struct stage *stage)
{
    struct board *board;
    int result = board_create(stage, &board);
    if (result == 0) result = start_other(&board->other, end_when_told, stage);
    const mp_barrier_options options = {.members = &board->other, .member_count = 1};
    if (result == 0) result = mp_barrier_create(&stage->barrier, 3, &options);
    if (result == 0) result = start_other(&board->waiter, await_barrier, stage);
    while (result == 0 && !inside_waiting_for(stage->barrier.id, 0)) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

static int join_member(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    atomic_store(&board->over, 1);
    return mp_process_join(board->other, NULL, LIMIT);
}

static int member_check(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int code = 0;
    atomic_store(&board->over, 1);
    HOLDS(end_of(board->waiter, &code) == 0);
    HOLDS(code == MP_EPEERDEAD);
    HOLDS(end_of(board->other, &code) == 0 && code == 0);
    return barrier_end(stage);
}

static int barrier_create_and_destroy(struct stage *stage)
{
    mp_barrier barrier;
    const mp_process members[] = {mp_current_process()};
    const mp_barrier_options options = {.action = act,
                                        .context = &stage->board,
                                        .context_size = sizeof stage->board,
                                        .members = members,
                                        .member_count = 1};
    int result = mp_barrier_create(&barrier, 2, &options);
    return result < 0 ? result : mp_barrier_destroy(barrier);
}

static int barrier_create_check(struct stage *stage)
{
    HOLDS(barrier_create_and_destroy(stage) == 0);
    return 0;
}

/* ---- semaphores with owners ------------------------------------------------------------------------------------ */

static int owned_prepare(struct stage *stage)
{
    return mp_semaphore_create(&stage->semaphore, 2, &(mp_semaphore_options){.owned = true});
}

static int owned_take_and_give(struct stage *stage)
{
    int result = mp_semaphore_acquire(stage->semaphore, LIMIT);
    return result < 0 ? result : mp_semaphore_release(stage->semaphore);
}

/* What the dead one had has come back. */
static int owned_check(struct stage *stage)
{
    for (int i = 0; i < 2; i++) HOLDS(mp_semaphore_acquire(stage->semaphore, LIMIT) == 0);
    HOLDS(mp_semaphore_acquire(stage->semaphore, 0) == MP_ETIMEDOUT);
    for (int i = 0; i < 2; i++) HOLDS(mp_semaphore_release(stage->semaphore) == 0);
    HOLDS(mp_semaphore_get_value(stage->semaphore) == 2);
    HOLDS(mp_semaphore_destroy(stage->semaphore) == 0);
    return 0;
}

static int take_unit(void *args)
{
    return mp_semaphore_acquire(((const struct stage *)args)->semaphore, LIMIT);
}

/* The child has both units, and another one waits for one. */
static int owned_awaited_prepare(struct stage *stage)
{
    struct board *board;
    int result = board_create(stage, &board);
    return result < 0 ? result : owned_prepare(stage);
}

static int owned_hold_before_waiter(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int result = 0;
    for (int i = 0; i < 2 && result == 0; i++) result = mp_semaphore_acquire(stage->semaphore, 0);
    if (result == 0) result = start_other(&board->waiter, take_unit, stage);
    while (result == 0 && !inside_waiting_for(stage->semaphore.id, 0)) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

static int owned_release(struct stage *stage)
{
    return mp_semaphore_release(stage->semaphore);
}

static int owned_awaited_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int code = 0;
    HOLDS(end_of(board->waiter, &code) == 0 && code == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return owned_check(stage);
}

static int owned_create_and_destroy(struct stage *stage)
{
    (void)stage;
    mp_semaphore semaphore;
    int result = mp_semaphore_create(&semaphore, 2, &(mp_semaphore_options){.owned = true});
    return result < 0 ? result : mp_semaphore_destroy(semaphore);
}

static int owned_create_check(struct stage *stage)
{
    HOLDS(owned_create_and_destroy(stage) == 0);
    return 0;
}

const struct operation operations_sync[] = {
    {.name = "event set", .prepare = event_prepare, .operate = event_set, .check = event_check, .paired = true},
    {.name = "event, set and cleared",
     .prepare = event_prepare,
     .operate = event_set_and_clear,
     .check = event_check,
     .paired = true},
    {.name = "event wait", .prepare = event_prepare, .operate = event_wait_in_vain, .check = event_check},
    {.name = "condition notify",
     .prepare = awaited_condition_prepare,
     .operate = condition_notify,
     .check = condition_check,
     .paired = true},
    {.name = "condition wait", .prepare = notified_prepare, .operate = condition_wait, .check = notified_check},
    {.name = "condition, created",
     .operate = condition_create_and_destroy,
     .check = condition_create_check,
     .creates = 1},
    {.name = "barrier wait, the last one", .prepare = barrier_prepare, .operate = barrier_wait, .check = barrier_check},
    {.name = "barrier wait, with an action",
     .prepare = barrier_action_prepare,
     .operate = barrier_wait,
     .check = barrier_check},
    {.name = "barrier wait in vain",
     .prepare = barrier_lonely_prepare,
     .operate = barrier_wait_in_vain,
     .check = barrier_lonely_check},
    {.name = "barrier abort", .prepare = barrier_prepare, .operate = barrier_abort, .check = barrier_broken_check},
    {.name = "barrier reset", .prepare = barrier_prepare, .operate = barrier_reset, .check = barrier_broken_check},
    {.name = "barrier, a member's end told", .prepare = member_prepare, .operate = join_member, .check = member_check},
    {.name = "barrier, created",
     .operate = barrier_create_and_destroy,
     .check = barrier_create_check,
     .creates = 1,
     .memory = true},
    {.name = "owned semaphore, taken and given",
     .prepare = owned_prepare,
     .operate = owned_take_and_give,
     .check = owned_check,
     .paired = true},
    {.name = "owned semaphore release",
     .prepare = owned_awaited_prepare,
     .before = owned_hold_before_waiter,
     .operate = owned_release,
     .check = owned_awaited_check},
    {.name = "owned semaphore, created",
     .operate = owned_create_and_destroy,
     .check = owned_create_check,
     .creates = 1,
     .memory = true},
};

const size_t operations_sync_count = sizeof operations_sync / sizeof *operations_sync;
