/* SPDX-License-Identifier: MIT
 *
 * server.c - the fork server.
 *
 * The server is this program, launched anew and kept small. For each request it forks; the child tells the family itself
 * when it has ended, or the server does, which reaps it. When the last of its clients is gone it ends.
 *
 * To fork takes longer than all else, so it is done beforehand: a copy, the spare, waits for the next request. There is
 * one at a time. It says whose request that is, takes it, says that it has, and closes its line to the server, which
 * forks the next spare then. So the server knows whose child that is, whenever it is killed. A spare that dies before it
 * has said anything has taken nothing. One that has not said that it has taken it may leave a request behind, of a
 * process of which the server says that it has ended: who takes that sees it.
 *
 * Where a spare would not do, or can not be had, the server takes the request and forks for it: the first one; where
 * another number of processes is allowed than when the spare was forked, so that the fork fails that has to; where it
 * was killed.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/park.h"
#include "primitives/child.h"
#include "primitives/children.h"
#include "primitives/delivery.h"
#include "primitives/funcref.h"
#include "primitives/start.h"

#include <stdlib.h>
#include <string.h>

/* While a child waits for its client's word: ns, and how often before it looks whether the client lives. */
#define SLEEP  INT64_C(20000)
#define SLEEPS 500

/* Its children: who has which pid. */
struct served {
    int64_t pid;
    uint64_t id;
};
static struct {
    struct served *list;
    size_t count, room;
} served;

/* A copy that waits for the next request. spare_wanted: there is none, but the last one had work. */
static struct {
    int64_t pid; /* 0: there is none */
    intptr_t line;
} spare = {.line = MP_OS_NO_HANDLE};
static bool spare_wanted;

static bool served_room(void)
{
    if (served.count < served.room) return true;
    size_t room = served.room ? 2 * served.room : 64;
    struct served *list = realloc(served.list, room * sizeof *list);
    if (!list) return false;
    served.list = list;
    served.room = room;
    return true;
}

static bool answered(const struct mp__process *record)
{
    uint32_t started = atomic_load_explicit(&record->started, memory_order_acquire);
    return started != MP__START_NEW && started != MP__START_WAITED;
}

/* Answer a request: FORKED, and wake who waits. False: it is void, or answered already. */
static bool answer(struct mp__process *record)
{
    uint32_t started = atomic_load_explicit(&record->started, memory_order_relaxed);
    do {
        if (started != MP__START_NEW && started != MP__START_WAITED) return false;
    } while (!atomic_compare_exchange_weak_explicit(&record->started, &started, MP__START_FORKED,
                                                    memory_order_release, /* F1: pid or ending are visible */
                                                    memory_order_relaxed));
    if (started == MP__START_WAITED) mp__park_wake_word(&record->started, 1);
    return true;
}

static void refuse(uint64_t id, int failure)
{
    struct mp__process *record = mp__process_of(id);
    if (!record) return;
    (void)mp__process_end(id, mp__ending_failed(failure));
    (void)answer(record);
}

/* There is room. */
static void served_add(int64_t pid, uint64_t id)
{
    served.list[served.count++] = (struct served){.pid = pid, .id = id};
}

static void served_ended(int64_t pid, int code);

/* The spare is at work, or has ended. What it said is whose child it is now, and that it has taken the request. Between
 * these it may have been killed: no other takes the request then, before the end is told. */
static void spare_left(void)
{
    mp_os_process process = {.pid = spare.pid, .handle = MP_OS_NO_HANDLE, .child = true};
    uint64_t id = mp_os_line_said(spare.line);
    bool taken = mp_os_line_said(spare.line);
    mp_os_channel_close(spare.line);
    spare.pid = 0;
    spare.line = MP_OS_NO_HANDLE;
    spare_wanted = id != 0;
    if (!id) return;
    served_add(process.pid, id);
    mp_os_ending ending = {.known = false};
    if (!taken && mp_os_process_wait(&process, MP_OS_NEVER, &ending) == 0) served_ended(process.pid, ending.code);
}

static void served_ended(int64_t pid, int code)
{
    if (pid == spare.pid) spare_left();
    size_t i = 0;
    while (i < served.count && served.list[i].pid != pid) i++;
    if (i == served.count) return;
    uint64_t id = served.list[i].id;
    served.list[i] = served.list[--served.count];
    struct mp__process *record = mp__process_of(id);
    bool unanswered = record && !answered(record) && mp__process_of(id);
    /* One that was killed before it answered: until it is answered its parent waits, and the record is its own. */
    if (unanswered) (void)mp__process_arrive(record, id, pid);
    const mp_os_ending ending = {.known = true, .code = code};
    mp__process_report(id, &ending);
    if (unanswered) (void)answer(record);
}

static bool has_ended(uint64_t id)
{
    uint64_t ending;
    return mp__process_await(id, 0, &ending) != MP_ETIMEDOUT;
}

/* Whether the client says that this server is fit for it; which it almost always has, by then. */
static bool allowed(const struct mp__process *record, uint64_t id)
{
    for (unsigned sleeps = 0;; sleeps++) {
        uint32_t started = atomic_load_explicit(&record->started, memory_order_acquire);
        if (mp__process_of(id) != record) return false; /* it is about another one, then */
        if (started != MP__START_NEW) return started == MP__START_WAITED;
        if (sleeps % SLEEPS == SLEEPS - 1 && has_ended(record->parent)) return false;
        mp_os_sleep(SLEEP);
    }
}

static _Noreturn void served_child(uint64_t id, struct mp__process *record, mp_os_baggage *baggage)
{
    const struct mp__delivery *delivery = mp__delivery_of(record);
    if (!delivery) mp_os_exit_now(1); /* its starter has given up */
    int error = mp_os_setting_apply(baggage, mp__delivery_setting(delivery), (size_t)delivery->setting_size,
                                    &mp__arena.segment, (intptr_t)delivery->channel);
    if (error) {
        refuse(id, mp_os_error_code(error));
        mp_os_exit_now(1);
    }
    if (!allowed(record, id)) mp_os_exit_now(1);
    /* From elsewhere it has to have a life before it is one of the family. */
    bool came = mp__process_is_elsewhere(record, id) ? mp__process_enter(record, id)
                                                     : mp__process_arrive(record, id, mp_os_pid());
    if (!came || !answer(record)) mp_os_exit_now(1);
    mp__child_receive(record, id, MP__CHILD_SERVED);
}

/* Only the child writes its pid and answers: it may have ended, and its record be another's, by the time that its
 * server comes to that. */
static void serve(uint64_t id, mp_os_baggage *baggage)
{
    struct mp__process *record = mp__process_of(id);
    mp_os_process process;
    /* Mapped here, so that the child need not. */
    const struct mp__delivery *delivery = record ? mp__delivery_of(record) : NULL;
    int failure = served_room() && (!record || delivery) ? 0 : MP_ENOMEM;
    if (record && failure == 0) {
        mp_os_module_remember(&delivery->target);
        mp_os_setting_limit_processes(mp__delivery_setting(delivery), (size_t)delivery->setting_size);
        int error = mp_os_fork(&process);
        if (!error && process.pid == MP_OS_IN_CHILD) {
            mp_os_step_back(false);
            served_child(id, record, baggage);
        }
        if (!error) served_add(process.pid, id);
        failure = error ? mp_os_error_code(error) : 0;
    }
    if (record && failure < 0) refuse(id, failure);
    mp_os_baggage_drop(baggage);
}

/* In the spare. */
static _Noreturn void spare_run(intptr_t channel, intptr_t line)
{
    uint64_t id, taken = 0;
    mp_os_baggage *baggage = NULL;
    mp_os_step_back(false);
    mp__child_get_ready();
    if (mp_os_channel_next(channel, line, &id)) mp_os_exit_now(0);
    struct mp__process *record = mp__process_of(id);
    const struct mp__delivery *delivery = record ? mp__delivery_of(record) : NULL;
    if (!delivery || !mp_os_setting_limits_alike(mp__delivery_setting(delivery), (size_t)delivery->setting_size) ||
        !mp_os_line_say(line, id))
        mp_os_exit_now(0);
    int error = mp_os_channel_take(channel, &taken, &baggage);
    (void)mp_os_line_say(line, id);
    mp_os_channel_close(line);
    if (error) refuse(id, mp_os_error_code(error));
    if (error || taken != id) mp_os_exit_now(1);
    served_child(id, record, baggage);
}

static void spare_fork(intptr_t channel)
{
    intptr_t there;
    mp_os_process process;
    spare_wanted = false;
    if (!served_room() || mp_os_line_create(&spare.line, &there)) return;
    int error = mp_os_fork(&process);
    if (!error && process.pid == MP_OS_IN_CHILD) {
        mp_os_channel_close(spare.line);
        spare_run(channel, there);
    }
    mp_os_channel_close(there);
    if (error) {
        mp_os_channel_close(spare.line);
        spare.line = MP_OS_NO_HANDLE;
    } else {
        spare.pid = process.pid;
    }
}

static int run_preload(uint64_t offset)
{
    union {
        int (*function)(void);
        void *address;
    } found;
    mp_os_module module;
    if (!offset) return 0;
    const void *block = mp__heap_at(offset, sizeof module);
    if (block) memcpy(&module, block, sizeof module);
    mp__heap_free(offset);
    if (!block) return MP_ENOMEM;
    int result = mp__funcref_resolve(&module, &found.address);
    if (result < 0) return result;
    result = found.function() == 0 ? 0 : MP_EINIT;
    mp_os_flush();
    return result;
}

/* Take what is there, if it is, and serve it. */
static void serve_next(intptr_t channel, int failure)
{
    uint64_t id = 0;
    mp_os_baggage *baggage = NULL;
    int error = mp_os_channel_take(channel, &id, &baggage);
    if (error == mp_os_egone) mp_os_exit_now(0);
    if (error && id) refuse(id, mp_os_error_code(error));
    if (error || !id) return;
    if (failure) {
        refuse(id, failure);
        mp_os_exit_now(1);
    }
    serve(id, baggage);
    spare_wanted = true;
}

_Noreturn void mp__server_run(intptr_t channel, uint64_t preload_offset)
{
    mp_os_setting_lift_limits();
    mp__family_serve("fork server");
    (void)mp__family_space();
    int failure = run_preload(preload_offset);
    mp_os_step_back(true);  /* its work is for later: the children's is awaited */
    mp__child_watch_exit(); /* so that a child need not write down what it finds */
    for (;;) {
        if (spare_wanted) spare_fork(channel);
        int error = mp_os_channel_await(channel, spare.line, served_ended);
        if (error == mp_os_egone) mp_os_exit_now(0);
        if (error) continue;
        if (spare.pid) spare_left();
        if (!spare_wanted) serve_next(channel, failure);
    }
}
