/* SPDX-License-Identifier: MIT
 *
 * operations.c - what mp_kill does to processes in the middle of.
 */
#include "operations.h"
#include "base/family.h"
#include "base/holders.h"
#include "base/park.h"
#include "inside.h"
#include "primitives/janitor_main.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <time.h>

const char *operation_failed_at;

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- locks ----------------------------------------------------------------------------------------------------- */

static int lock_prepare(struct stage *stage)
{
    return mp_lock_create(&stage->lock, NULL);
}

static int lock_acquire(struct stage *stage)
{
    return mp_lock_acquire(stage->lock, MP_FOREVER);
}

static int lock_release(struct stage *stage)
{
    return mp_lock_release(stage->lock);
}

static int lock_take_and_give(struct stage *stage)
{
    for (int i = 0; i < 3; i++) {
        int result = mp_lock_acquire(stage->lock, LIMIT);
        if (result >= 0) result = mp_lock_release(stage->lock);
        if (result < 0) return result;
    }
    return 0;
}

/* A second time without a remark: it is told once. */
static int lock_check(struct stage *stage)
{
    int found = mp_lock_acquire(stage->lock, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(mp_lock_acquire(stage->lock, 0) == 0);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(mp_lock_destroy(stage->lock) == 0);
    return found;
}

static int take_and_give(void *args)
{
    mp_lock lock = *(const mp_lock *)args;
    int result = mp_lock_acquire(lock, LIMIT);
    if (result < 0) return result;
    int released = mp_lock_release(lock);
    return released < 0 ? released : result;
}

static int waited_prepare(struct stage *stage)
{
    int result = mp_block_create(&stage->board, sizeof(struct board));
    return result < 0 ? result : lock_prepare(stage);
}

/* Until somebody sleeps for it. */
static int hold_until_awaited(void *args)
{
    const struct stage *stage = args;
    struct board *board = mp_block_data(stage->board);
    int result = mp_lock_acquire(stage->lock, 0);
    atomic_store(&board->held, 1);
    while (result == 0 && !inside_somebody_sleeps(stage->lock.id) && !atomic_load(&board->over)) mp_os_sleep(100000);
    return result == 0 ? mp_lock_release(stage->lock) : result;
}

static int contended_prepare(struct stage *stage)
{
    int result = waited_prepare(stage);
    struct board *board = result == 0 ? mp_block_data(stage->board) : NULL;
    if (result == 0)
        result = mp_process_start(&board->other, hold_until_awaited, stage, sizeof *stage,
                                  &(mp_process_options){.method = MP_FORK});
    while (result == 0 && !atomic_load(&board->held)) (void)mp_process_join(board->other, NULL, 1);
    return result;
}

static int contended_check(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int code = 0;
    atomic_store(&board->over, 1);
    int found = lock_check(stage);
    HOLDS(found >= 0);
    HOLDS(mp_process_join(board->other, &code, LIMIT) == 0 && code == 0);
    HOLDS(mp_process_close(board->other) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return found;
}

/* The child has it, and another process sleeps for it. */
static int hold_before_waiter(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int result = mp_lock_acquire(stage->lock, MP_FOREVER);
    if (result < 0) return result;
    result = mp_process_start(&board->waiter, take_and_give, &stage->lock, sizeof stage->lock,
                              &(mp_process_options){.method = MP_FORK});
    while (result == 0 && !inside_somebody_sleeps(stage->lock.id)) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

/* The waiter, a child of the dead one, comes through, too, and has given the lock back. */
static int waited_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int code = 0, found = mp_lock_acquire(stage->lock, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(mp_process_join(board->waiter, &code, LIMIT) == 0);
    HOLDS(code == 0 || (code == MP_OWNERDEAD && found == 0)); /* it is told once */
    HOLDS(mp_process_close(board->waiter) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    HOLDS(lock_check(stage) == 0);
    return code == MP_OWNERDEAD ? code : found;
}

/* Two sleep behind the survivor, who has it; and then, as far as anybody can see, the child has it and always had. */
static int take_before_strangers(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    struct mp__control *control = mp__control_of(stage->lock.id, MP__LOCK);
    const mp_process_options options = {.method = MP_FORK};
    int result = mp_process_start(&board->waiter, take_and_give, &stage->lock, sizeof stage->lock, &options);
    if (result == 0)
        result = mp_process_start(&board->other, take_and_give, &stage->lock, sizeof stage->lock, &options);
    /* Two threads more than there are now have come to sleep, or are about to. */
    while (result == 0 && !(inside_somebody_sleeps(stage->lock.id) && inside_waiters(stage->lock) == 2))
        (void)mp_process_join(board->waiter, NULL, 1);
    if (result == 0) (void)mp_process_join(board->waiter, NULL, 1);
    uint64_t state = atomic_load(&control->state);
    while (
        !atomic_compare_exchange_weak(&control->state, &state, (state & ~(uint64_t)MP__LOCK_OWNER) | mp__self.owner)) {}
    return result;
}

static int strangers_prepare(struct stage *stage)
{
    int result = waited_prepare(stage);
    return result < 0 ? result : mp_lock_acquire(stage->lock, 0);
}

/* They come through although the survivor does nothing for them. */
static int strangers_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int codes[2] = {0};
    HOLDS(mp_process_join(board->waiter, &codes[0], LIMIT) == 0);
    HOLDS(mp_process_join(board->other, &codes[1], LIMIT) == 0);
    HOLDS(codes[0] == 0 || (codes[0] == MP_OWNERDEAD && codes[1] == 0));
    HOLDS(codes[1] == 0 || codes[1] == MP_OWNERDEAD);
    HOLDS(mp_process_close(board->waiter) == 0);
    HOLDS(mp_process_close(board->other) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    HOLDS(lock_check(stage) == 0);
    return codes[0] + codes[1];
}

static int lock_with(struct stage *stage)
{
    MP_WITH_LOCK(stage->array) MP_ARRAY(int, stage->array)[1]++;
    return 0;
}

static int rlock_prepare(struct stage *stage)
{
    return mp_rlock_create(&stage->rlock, NULL);
}

static int rlock_use(struct stage *stage)
{
    int result = 0;
    for (int i = 0; i < 3 && result == 0; i++) result = mp_rlock_acquire(stage->rlock, MP_FOREVER);
    for (int i = 0; i < 3 && result == 0; i++) result = mp_rlock_release(stage->rlock);
    return result;
}

static int rlock_check(struct stage *stage)
{
    int found = mp_rlock_acquire(stage->rlock, LIMIT);
    HOLDS(found == 0 || found == MP_OWNERDEAD);
    HOLDS(mp_rlock_acquire(stage->rlock, 0) == 0);
    HOLDS(mp_rlock_release(stage->rlock) == 0);
    HOLDS(mp_rlock_release(stage->rlock) == 0);
    HOLDS(mp_rlock_locked(stage->rlock) == 0);
    HOLDS(mp_rlock_destroy(stage->rlock) == 0);
    return found;
}

static int array_prepare(struct stage *stage)
{
    return mp_array_create(&stage->array, sizeof(int), 4, NULL);
}

static int array_check(struct stage *stage)
{
    int64_t since = now_ms();
    MP_WITH_LOCK(stage->array) MP_ARRAY(int, stage->array)[1]++;
    HOLDS(now_ms() - since < LIMIT);
    HOLDS(mp_array_destroy(stage->array) == 0);
    return 0;
}

/* A lock that somebody else holds, for a time. */
static int held_prepare(struct stage *stage)
{
    int result = lock_prepare(stage);
    return result < 0 ? result : mp_lock_acquire(stage->lock, 0);
}

static int lock_acquire_in_vain(struct stage *stage)
{
    return mp_lock_acquire(stage->lock, 1) == MP_ETIMEDOUT ? 0 : MP_ESYSTEM;
}

static int held_check(struct stage *stage)
{
    HOLDS(mp_lock_release(stage->lock) == 0);
    int found = lock_check(stage);
    HOLDS(found == 0);
    return found;
}

/* ---- semaphores ------------------------------------------------------------------------------------------------ */

static int semaphore_prepare(struct stage *stage)
{
    return mp_semaphore_create(&stage->semaphore, 2, NULL);
}

static int semaphore_take_and_give(struct stage *stage)
{
    int result = mp_semaphore_acquire(stage->semaphore, MP_FOREVER);
    return result < 0 ? result : mp_semaphore_release(stage->semaphore);
}

/* The dead one may have had one of the units. */
static int semaphore_check(struct stage *stage)
{
    int value = mp_semaphore_get_value(stage->semaphore);
    HOLDS(value == 1 || value == 2);
    for (int i = 0; i < value; i++) HOLDS(mp_semaphore_acquire(stage->semaphore, 0) == 0);
    HOLDS(mp_semaphore_acquire(stage->semaphore, 0) == MP_ETIMEDOUT);
    HOLDS(mp_semaphore_destroy(stage->semaphore) == 0);
    return 0;
}

static int semaphore_create_and_destroy(struct stage *stage)
{
    (void)stage;
    mp_semaphore semaphore;
    int result = mp_semaphore_create(&semaphore, 2, NULL);
    return result < 0 ? result : mp_semaphore_destroy(semaphore);
}

static int semaphore_create_check(struct stage *stage)
{
    HOLDS(semaphore_prepare(stage) == 0);
    return semaphore_check(stage);
}

static int take_unit(void *args)
{
    return mp_semaphore_acquire(*(const mp_semaphore *)args, LIMIT);
}

/* No unit, and one who sleeps for one. */
static int awaited_prepare(struct stage *stage)
{
    int result = mp_block_create(&stage->board, sizeof(struct board));
    if (result == 0) result = mp_semaphore_create(&stage->semaphore, 0, NULL);
    struct board *board = result == 0 ? mp_block_data(stage->board) : NULL;
    if (result == 0)
        result = mp_process_start(&board->waiter, take_unit, &stage->semaphore, sizeof stage->semaphore,
                                  &(mp_process_options){.method = MP_FORK});
    while (result == 0 && !inside_somebody_sleeps(stage->semaphore.id)) (void)mp_process_join(board->waiter, NULL, 1);
    return result;
}

static int semaphore_release(struct stage *stage)
{
    return mp_semaphore_release(stage->semaphore);
}

/* Where there is a unit nobody sleeps for one, without any help; where there is none, it was not added, or the dead one has
 * it. */
static int awaited_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    int code = 0, result = MP_ETIMEDOUT;
    if (mp_semaphore_get_value(stage->semaphore) == 0) result = mp_process_join(board->waiter, &code, 5);
    if (result == MP_ETIMEDOUT && mp_semaphore_get_value(stage->semaphore) == 0) {
        result = mp_process_join(board->waiter, &code, 5); /* between taking and ending */
        if (result == MP_ETIMEDOUT) HOLDS(mp_semaphore_release(stage->semaphore) == 0);
    }
    if (result == MP_ETIMEDOUT) result = mp_process_join(board->waiter, &code, LIMIT);
    HOLDS(result == 0 && code == 0);
    HOLDS(mp_process_close(board->waiter) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    HOLDS(mp_semaphore_destroy(stage->semaphore) == 0);
    return 0;
}

/* And a third one, who adds a unit when another one comes for it. */
static int add_when_awaited(void *args)
{
    const struct stage *stage = args;
    const struct board *board = mp_block_data(stage->board);
    while (!atomic_load(&board->over) && !atomic_load(&board->held)) mp_os_sleep(100000);
    return mp_semaphore_release(stage->semaphore);
}

static int two_await_prepare(struct stage *stage)
{
    int result = awaited_prepare(stage);
    struct board *board = result == 0 ? mp_block_data(stage->board) : NULL;
    return result < 0 ? result
                      : mp_process_start(&board->other, add_when_awaited, stage, sizeof *stage,
                                         &(mp_process_options){.method = MP_FORK});
}

static int acquire_among_two(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    atomic_store(&board->held, 1);                            /* the third one adds while this one looks, or sleeps */
    int result = mp_semaphore_acquire(stage->semaphore, 200); /* the other one may get it */
    return result == MP_ETIMEDOUT ? 0 : result;
}

static int two_await_check(struct stage *stage)
{
    struct board *board = mp_block_data(stage->board);
    int code = 0;
    atomic_store(&board->over, 1);
    HOLDS(mp_process_join(board->other, &code, LIMIT) == 0 && code == 0);
    HOLDS(mp_process_close(board->other) == 0);
    return awaited_check(stage);
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static int block_use(struct stage *stage)
{
    mp_block block;
    int result = mp_block_create(&block, stage->size);
    return result < 0 ? result : mp_block_destroy(block);
}

static int small(struct stage *stage)
{
    stage->size = 100;
    return 0;
}

static int large(struct stage *stage)
{
    stage->size = 200000;
    return 0;
}

/* What goes back to the system when it is freed. */
static int huge(struct stage *stage)
{
    stage->size = 2 << 20;
    return 0;
}

/* The allocator still gives what it is asked for, and nothing twice. */
static int block_check(struct stage *stage)
{
    mp_block blocks[4];
    for (int i = 0; i < 4; i++) {
        HOLDS(mp_block_create(&blocks[i], stage->size) == 0);
        unsigned char *data = mp_block_data(blocks[i]);
        HOLDS(data != NULL);
        for (size_t k = 0; k < stage->size; k += 64) HOLDS(data[k] == 0);
        memset(data, i + 1, stage->size);
    }
    for (int i = 0; i < 4; i++) {
        const unsigned char *data = mp_block_data(blocks[i]);
        for (size_t k = 0; k < stage->size; k += 64) HOLDS(data[k] == i + 1);
        HOLDS(mp_block_destroy(blocks[i]) == 0);
    }
    return 0;
}

static int array_use(struct stage *stage)
{
    mp_array array;
    (void)stage;
    int result = mp_array_create(&array, sizeof(int), 10, NULL);
    return result < 0 ? result : mp_array_destroy(array);
}

static int array_use_check(struct stage *stage)
{
    HOLDS(array_prepare(stage) == 0);
    return array_check(stage);
}

static int lock_use(struct stage *stage)
{
    (void)stage;
    mp_lock lock;
    int result = mp_lock_create(&lock, NULL);
    return result < 0 ? result : mp_lock_destroy(lock);
}

static int rlock_create_and_destroy(struct stage *stage)
{
    (void)stage;
    mp_rlock rlock;
    int result = mp_rlock_create(&rlock, NULL);
    return result < 0 ? result : mp_rlock_destroy(rlock);
}

static int value_use(struct stage *stage)
{
    (void)stage;
    mp_value value;
    int result = mp_value_create(&value, sizeof(int), NULL);
    return result < 0 ? result : mp_value_destroy(value);
}

static int rlock_create_check(struct stage *stage)
{
    HOLDS(rlock_prepare(stage) == 0);
    HOLDS(rlock_check(stage) == 0);
    return 0;
}

static int lock_use_check(struct stage *stage)
{
    HOLDS(lock_prepare(stage) == 0);
    HOLDS(lock_check(stage) == 0);
    return 0;
}

/* ---- holders --------------------------------------------------------------------------------------------------- */

static bool nobody_holds(void)
{
    mp__arena_lock(); /* who died under it has left things to be put right */
    bool none = !mp__header()->counts[MP__HOLDERS];
    mp__arena_unlock();
    return none;
}

static int held_object_prepare(struct stage *stage)
{
    return mp_block_create(&stage->block, 100);
}

static int join_holders(struct stage *stage)
{
    return mp__holders_join(mp__control_of(stage->block.id, MP__BLOCK), stage->block.id);
}

static int join_holders_check(struct stage *stage)
{
    const struct mp__control *control = mp__control_of(stage->block.id, MP__BLOCK);
    struct mp__process *peer;
    HOLDS(join_holders(stage) == 0);
    HOLDS(mp__holders_look(&(struct mp__wanted){control, stage->block.id, 0, 0}, &peer) == MP__PEERS_ALIVE);
    HOLDS(!mp__process_ending(peer, mp_current_process().id));
    HOLDS(mp_block_destroy(stage->block) == 0);
    HOLDS(nobody_holds());
    return 0;
}

static int hold_and_destroy(struct stage *stage)
{
    (void)stage;
    mp_block block;
    int result = mp_block_create(&block, 100);
    if (result == 0) result = mp__holders_join(mp__control_of(block.id, MP__BLOCK), block.id);
    return result < 0 ? result : mp_block_destroy(block);
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

static int nothing(void *args)
{
    return args ? 3 : 4;
}

static int start_and_join(struct stage *stage)
{
    mp_process process;
    int code, result = mp_process_start(&process, nothing, &stage->lock, sizeof stage->lock,
                                        &(mp_process_options){.method = stage->method});
    if (result == 0) result = mp_process_join(process, &code, LIMIT);
    return result < 0 ? result : mp_process_close(process);
}

/* How it ended is what it returns. */
static int start_newborn(struct stage *stage)
{
    mp_process process;
    int code = 0;
    HOLDS(mp_process_start(&process, nothing, &stage->lock, sizeof stage->lock,
                           &(mp_process_options){.method = stage->method}) == 0);
    HOLDS(mp_process_join(process, &code, 10 * LIMIT) == 0);
    HOLDS(mp_process_close(process) == 0);
    HOLDS(code == 3 || code == -KILLED);
    return code == 3 ? 3 : KILLED;
}

/* A program that is run anew finds all at the same addresses each time. */
static int at_known_places(struct stage *stage)
{
    (void)stage;
    return personality(ADDR_NO_RANDOMIZE) < 0 ? MP_ESYSTEM : 0;
}

/* A server that has a spare ready. */
static int have_server(struct stage *stage)
{
    int result = at_known_places(stage);
    return result < 0 ? result : start_and_join(stage);
}

/* What the child gives back on its way out. */
static int hold_some(struct stage *stage)
{
    mp_block block;
    int result = mp_lock_acquire(stage->lock, MP_FOREVER);
    if (result == 0) result = mp_block_create(&block, 100);
    return result == 0 ? mp_block_destroy(block) : result;
}

static int nothing_more(struct stage *stage)
{
    (void)stage;
    return 0;
}

/* It is registered by the first call; the survivor may find its record, and that it has ended. */
static int registration(struct stage *stage)
{
    (void)stage;
    return mp_current_process().id && mp_lock_locked(stage->lock) == 0 ? 0 : MP_ESYSTEM;
}

/* ---- the janitor ----------------------------------------------------------------------------------------------- */

static int hold_and_be_killed(void *args)
{
    const struct stage *stage = args;
    struct board *board = mp_block_data(stage->board);
    mp_block block;
    if (mp_lock_acquire(stage->lock, 0) < 0 || mp_block_create(&block, 1000) < 0) return 1;
    board->left = block;
    if (mp_process_start(NULL, nothing, NULL, 0, &(mp_process_options){.method = MP_FORK}) < 0) return 1;
    (void)mp_process_kill(mp_current_process());
    return 1;
}

static pid_t janitor(void)
{
    return (pid_t)atomic_load(&mp__header()->janitor.pid);
}

/* There is work for it, and it does not come to that: the child does it instead. */
static int corpses_prepare(struct stage *stage)
{
    int64_t end = now_ms() + LIMIT;
    int result = start_and_join(stage);
    if (result == 0) result = waited_prepare(stage);
    while (result == 0 && !janitor() && now_ms() < end) mp_os_sleep(1000000);
    return result < 0 ? result : janitor() && kill(janitor(), SIGSTOP) == 0 ? 0 : MP_ESYSTEM;
}

static int corpses_make(struct stage *stage)
{
    mp_process process;
    siginfo_t info;
    int result =
        mp_process_start(&process, hold_and_be_killed, stage, sizeof *stage, &(mp_process_options){.method = MP_FORK});
    if (result < 0) return result;
    mp__process_unname(process.id);
    while (waitid(P_PID, (id_t)mp_process_pid(process), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
    return 0;
}

static int look(struct stage *stage)
{
    static struct mp__round round;
    (void)stage;
    mp__janitor_look(&round);
    return 0;
}

static int corpses_check(struct stage *stage)
{
    const struct board *board = mp_block_data(stage->board);
    HOLDS(kill(janitor(), SIGCONT) == 0);
    HOLDS(mp_block_destroy(board->left) == 0);
    int found = mp_lock_acquire(stage->lock, LIMIT);
    HOLDS(found == MP_OWNERDEAD);
    HOLDS(mp_lock_release(stage->lock) == 0);
    HOLDS(lock_check(stage) == 0);
    HOLDS(mp_block_destroy(stage->board) == 0);
    return found;
}

/* ---- growth ---------------------------------------------------------------------------------------------------- */

/* One more does not fit into what the table of objects has. */
static int fill_table(struct stage *stage)
{
    (void)stage;
    mp_lock lock;
    while (mp__header()->controls_top < MP__HEAD_CONTROLS)
        if (mp_lock_create(&lock, NULL) < 0) return MP_ESYSTEM;
    return 0;
}

static int process_check(struct stage *stage)
{
    mp_process process;
    int code = 0;
    HOLDS(mp_process_start(&process, nothing, &stage->size, sizeof stage->size,
                           &(mp_process_options){.method = MP_FORK}) == 0);
    HOLDS(mp_process_join(process, &code, LIMIT) == 0 && code == 3);
    HOLDS(mp_process_close(process) == 0);
    HOLDS(mp_lock_destroy(stage->lock) == 0);
    HOLDS(nobody_holds());
    return 0;
}

const struct operation operations[] = {
    {.name = "lock acquire", .prepare = lock_prepare, .operate = lock_acquire, .check = lock_check},
    {.name = "lock, taken and given",
     .prepare = lock_prepare,
     .operate = lock_take_and_give,
     .check = lock_check,
     .paired = true},
    {.name = "lock release",
     .prepare = lock_prepare,
     .before = lock_acquire,
     .operate = lock_release,
     .check = lock_check},
    {.name = "lock acquire in vain", .prepare = held_prepare, .operate = lock_acquire_in_vain, .check = held_check},
    {.name = "lock acquire, contended",
     .prepare = contended_prepare,
     .operate = lock_acquire,
     .check = contended_check},
    {.name = "lock release to a waiter",
     .prepare = waited_prepare,
     .before = hold_before_waiter,
     .operate = lock_release,
     .check = waited_check},
    {.name = "lock release to strangers",
     .prepare = strangers_prepare,
     .before = take_before_strangers,
     .operate = lock_release,
     .check = strangers_check},
    {.name = "rlock, three deep", .prepare = rlock_prepare, .operate = rlock_use, .check = rlock_check, .paired = true},
    {.name = "MP_WITH_LOCK", .prepare = array_prepare, .operate = lock_with, .check = array_check, .paired = true},
    {.name = "semaphore, taken and given",
     .prepare = semaphore_prepare,
     .operate = semaphore_take_and_give,
     .check = semaphore_check,
     .paired = true},
    {.name = "semaphore release", .prepare = awaited_prepare, .operate = semaphore_release, .check = awaited_check},
    {.name = "semaphore acquire, awaited",
     .prepare = two_await_prepare,
     .operate = acquire_among_two,
     .check = two_await_check},
    {.name = "semaphore, created",
     .operate = semaphore_create_and_destroy,
     .check = semaphore_create_check,
     .creates = 1},
    {.name = "lock, created", .operate = lock_use, .check = lock_use_check, .creates = 1, .paired = true},
    {.name = "rlock, created",
     .operate = rlock_create_and_destroy,
     .check = rlock_create_check,
     .creates = 1,
     .rlocks = true},
    {.name = "value with its lock", .operate = value_use, .check = array_use_check, .creates = 1},
    {.name = "block, small",
     .prepare = small,
     .operate = block_use,
     .check = block_check,
     .creates = 1,
     .paired = true},
    {.name = "block, large", .prepare = large, .operate = block_use, .check = block_check, .creates = 1},
    {.name = "block, huge", .prepare = huge, .operate = block_use, .check = block_check, .creates = 1},
    {.name = "array with its lock", .operate = array_use, .check = array_use_check, .creates = 1, .paired = true},
    {.name = "holder of an object",
     .prepare = held_object_prepare,
     .operate = join_holders,
     .check = join_holders_check,
     .paired = true},
    {.name = "object with a holder", .prepare = small, .operate = hold_and_destroy, .check = block_check, .creates = 1},
    {.name = "process, by fork",
     .prepare = lock_prepare,
     .operate = start_and_join,
     .method = MP_FORK,
     .check = process_check,
     .creates = 1},
    {.name = "process, by spawn",
     .prepare = lock_prepare,
     .operate = start_and_join,
     .method = MP_SPAWN,
     .check = process_check,
     .creates = 1},
    {.name = "process, by forkserver",
     .prepare = lock_prepare,
     .operate = start_and_join,
     .method = MP_FORKSERVER,
     .check = process_check,
     .creates = 1},
    {.name = "newborn, by fork",
     .prepare = lock_prepare,
     .operate = start_newborn,
     .check = process_check,
     .method = MP_FORK,
     .newborn = true},
    {.name = "newborn, by spawn",
     .prepare = lock_prepare,
     .before = at_known_places,
     .operate = start_newborn,
     .check = process_check,
     .method = MP_SPAWN,
     .newborn = true},
    {.name = "newborn, by forkserver",
     .prepare = lock_prepare,
     .before = have_server,
     .operate = start_newborn,
     .check = process_check,
     .method = MP_FORKSERVER,
     .newborn = true},
    {.name = "registration",
     .prepare = lock_prepare,
     .operate = registration,
     .check = lock_check,
     .creates = 1,
     .plain = true},
    {.name = "exit",
     .prepare = lock_prepare,
     .before = hold_some,
     .operate = nothing_more,
     .check = lock_check,
     .exits = true},
    {.name = "janitor",
     .prepare = corpses_prepare,
     .before = corpses_make,
     .operate = look,
     .check = corpses_check,
     .method = MP_FORK},
    {.name = "table of objects, grown",
     .prepare = fill_table,
     .operate = lock_use,
     .check = lock_use_check,
     .creates = 1000,
     .fresh = true},
    {.name = "heap, grown", .prepare = huge, .operate = block_use, .check = block_check, .creates = 1, .fresh = true},
};

const size_t operations_count = sizeof operations / sizeof *operations;
