/* SPDX-License-Identifier: MIT
 *
 * start_forkserver.c - the clients' side of the fork server (server.c).
 *
 * A client writes target, arguments and its setting into the arena and sends the child's id, with the descriptors that
 * the child shall inherit. All processes of a family that descend from who launched a server use it: its channel goes
 * with every start.
 *
 * A request is answered in the child's record:
 *
 *     started   NEW -> WAITED              by the client: the server is fit for it
 *               WAITED -> FORKED           by the child, once it has become what the client asked for
 *               NEW or WAITED -> FORKED    by the server, if it could not fork: `ending` says FAILED then, and there is
 *                                          no pid; or if the child was killed before
 *               NEW or WAITED -> VOID      by the client, to whom the server is not fit, or who has seen that it is dead,
 *                                          and asks another one, for another record: should a child have come of it yet,
 *                                          it ends at once
 */
#include "base/arena.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/park.h"
#include "primitives/children.h"
#include "primitives/config.h"
#include "primitives/delivery.h"
#include "primitives/funcref.h"
#include "primitives/local.h"
#include "primitives/start.h"

#include <stdlib.h>
#include <string.h>

#define SLICE    INT64_C(50000000) /* ns between looks whether the server lives */
#define ATTEMPTS 3                 /* servers that may die on one start */

/* The server that this process uses, protected by `guard`. */
static struct mp__local_lock guard;
static struct {
    intptr_t channel; /* MP_OS_NO_HANDLE: none */
    uint64_t identity[2];
    uint64_t privileges, name_spaces; /* of who launched it */
    uint64_t generation;              /* of preload and executable */
} server = {.channel = MP_OS_NO_HANDLE};

static int (*preload)(void);
static _Atomic uint64_t wanted_generation; /* grows when a new server is needed for what was set */

void mp__server_renew(void)
{
    atomic_fetch_add_explicit(&wanted_generation, 1, memory_order_relaxed);
}

int mp_set_forkserver_preload(int (*function)(void))
{
    union {
        int (*function)(void);
        const void *address;
    } given = {.function = function};
    if (!mp__method_available(MP_FORKSERVER))
        return mp__fail(MP_ENOTSUP, "mp_set_forkserver_preload: there is no forkserver on this platform");
    mp_os_module module;
    int result = function ? mp__funcref_make("mp_set_forkserver_preload", "preload", given.address, &module) : 0;
    if (result < 0) return result;
    mp__local_acquire(&guard);
    preload = function;
    mp__server_renew();
    mp__local_release(&guard);
    return 0;
}

/* ---- the client: launching a server ---------------------------------------------------------------------------- */

/* guard is held. */
static void forget_server(void)
{
    /* The number may be somebody else's by now. */
    if (server.channel != MP_OS_NO_HANDLE && mp_os_channel_check(server.channel, server.identity) == 0)
        mp_os_channel_close(server.channel);
    server.channel = MP_OS_NO_HANDLE;
}

/* A block that describes the preload function; 0: there is none. */
static int preload_deliver(uint64_t *offset)
{
    union {
        int (*function)(void);
        const void *address;
    } given = {.function = preload};
    *offset = 0;
    if (!preload) return 0;
    mp_os_module module;
    int result = mp__funcref_make("mp_process_start", "the preload function", given.address, &module);
    if (result < 0) return result;
    void *block = NULL;
    if (mp__heap_alloc(sizeof module, MP__HEAP_NOBODYS, offset) == 0) block = mp__heap_at(*offset, sizeof module);
    if (!block) return mp__fail(MP_ENOMEM, "mp_process_start: no memory for the preload function's name");
    memcpy(block, &module, sizeof module);
    return 0;
}

/* guard is held. */
static int launch_server(uint64_t privileges, uint64_t generation)
{
    intptr_t door, channel;
    uint64_t identity[2], offset;
    int result = preload_deliver(&offset);
    if (result < 0) return result;
    int error = mp_os_channel_create(&door, &channel, identity);
    if (error) {
        if (offset) mp__heap_free(offset);
        return mp__fail_os(error, "mp_process_start: a channel to a fork server");
    }
    char bootstrap[MP__BOOTSTRAP_SIZE];
    mp__bootstrap_write(bootstrap, MP__ROLE_SERVER, offset, (uint64_t)door);
    mp_os_launch launch = {.bootstrap = bootstrap, .segment = &mp__arena.segment, .channel = door, .detached = true};
    mp_os_process process;
    result = mp__launch(&launch, "mp_process_start: the fork server", &process);
    mp_os_channel_close(door);
    if (result < 0) {
        mp_os_channel_close(channel);
        if (offset) mp__heap_free(offset);
        return result;
    }
    server.channel = channel;
    memcpy(server.identity, identity, sizeof identity);
    server.privileges = privileges;
    server.name_spaces = mp_os_name_spaces();
    server.generation = generation;
    mp__log(MP_LOG_INFO, "fork server launched");
    return 0;
}

/* A channel to a server that is fit for this process's children, unless this has changed its namespaces. */
static int ensure_server(intptr_t *channel, uint64_t *name_spaces)
{
    uint64_t privileges = mp_os_privileges();
    int result = 0;
    mp__local_acquire(&guard);
    uint64_t generation = atomic_load_explicit(&wanted_generation, memory_order_relaxed);
    if (server.channel != MP_OS_NO_HANDLE &&
        (server.privileges != privileges || server.generation != generation ||
         mp_os_channel_check(server.channel, server.identity) || mp_os_channel_alive(server.channel) == mp_os_egone)) {
        mp__log(MP_LOG_WARNING, "the fork server is dead or not fit any more: another one");
        forget_server();
    }
    if (server.channel == MP_OS_NO_HANDLE) result = launch_server(privileges, generation);
    *channel = server.channel;
    *name_spaces = server.name_spaces;
    mp__local_release(&guard);
    return result;
}

intptr_t mp__server_channel(void)
{
    mp__local_acquire(&guard);
    intptr_t channel = server.channel;
    if (channel != MP_OS_NO_HANDLE && mp_os_channel_check(channel, server.identity)) channel = MP_OS_NO_HANDLE;
    mp__local_release(&guard);
    return channel;
}

void mp__server_hand_on(struct mp__delivery *delivery, intptr_t channel)
{
    delivery->channel = channel;
    memcpy(delivery->channel_identity, server.identity, sizeof server.identity);
    delivery->privileges = server.privileges;
    delivery->name_spaces = server.name_spaces;
}

void mp__server_inherit(const struct mp__delivery *delivery)
{
    intptr_t channel = (intptr_t)delivery->channel;
    if (channel == MP_OS_NO_HANDLE || mp_os_channel_adopt(channel)) return;
    server.channel = channel;
    memcpy(server.identity, delivery->channel_identity, sizeof server.identity);
    server.privileges = delivery->privileges;
    server.name_spaces = delivery->name_spaces;
    server.generation = atomic_load_explicit(&wanted_generation, memory_order_relaxed);
}

void mp__server_forked(void)
{
    mp__local_release(&guard);
}

/* ---- the client: a request ------------------------------------------------------------------------------------- */

/* Nothing shall come of a request. False: it has been decided on already. */
static bool withdraw(struct mp__process *record, uint32_t started)
{
    return atomic_compare_exchange_strong_explicit(&record->started, &started, MP__START_VOID, memory_order_acquire,
                                                   memory_order_acquire);
}

/* Whether the server that was asked lives in this thread's namespaces. To find out takes as long as the new process needs
 * to be ready, which runs nothing before it is allowed to: by NEW becoming WAITED. */
static bool same_name_spaces(intptr_t channel, uint64_t name_spaces)
{
    if (mp_os_name_spaces() == name_spaces) return true;
    mp__log(MP_LOG_WARNING, "the fork server lives in other namespaces: another one");
    mp__local_acquire(&guard);
    if (server.channel == channel) forget_server();
    mp__local_release(&guard);
    return false;
}

/* 0: forked. MP_EPEERDEAD: the server is dead, and nothing will come of it. Else why it could not be. */
static int await_fork(struct mp__process *record, uint64_t id, intptr_t channel)
{
    for (;;) { /* no spinning: the server may want this CPU */
        uint32_t started = atomic_load_explicit(&record->started, memory_order_acquire); /* F1 */
        if (started == MP__START_FORKED) break;
        if (started == MP__START_NEW &&
            !atomic_compare_exchange_strong_explicit(&record->started, &started, MP__START_WAITED, memory_order_acquire,
                                                     memory_order_acquire))
            continue;
        int slept = mp__park_sleep(&record->started, MP__START_WAITED, mp_os_now() + SLICE);
        if (slept != MP_ETIMEDOUT || mp_os_channel_alive(channel) != mp_os_egone) continue;
        if (withdraw(record, MP__START_WAITED)) return MP_EPEERDEAD;
    }
    uint64_t ending = mp__process_ending(record, id);
    bool failed = ending & MP__FAILED && !mp__process_pid(record, id);
    return failed ? mp__ending_code(ending) : 0;
}

static int deliver(struct mp__start *start)
{
    char local[8192]; /* most settings fit, and need not be packed twice */
    size_t size = mp_os_setting_pack(local, sizeof local, &start->launch);
    for (;;) {
        void *room;
        if (size == 0) return mp__fail(MP_ENOMEM, "mp_process_start: no memory for the child's environment");
        int result = mp__delivery_create(start->record, start->module, start->args, start->args_size, size, &room);
        if (result < 0) return result;
        if (size <= sizeof local) {
            memcpy(room, local, size);
            break;
        }
        size_t needed = mp_os_setting_pack(room, size, &start->launch);
        if (needed > 0 && needed <= size) break;
        mp__process_undeliver(start->record, start->id); /* it has grown meanwhile */
        size = needed;
    }
    mp__server_hand_on(mp__delivery_of(start->record), start->launch.channel);
    if (start->launch.leash) mp__delivery_of(start->record)->lead = start->launch.leash->lead;
    return 0;
}

/* One try with one server. */
static int request(struct mp__start *start)
{
    intptr_t channel;
    uint64_t name_spaces;
    int result = ensure_server(&channel, &name_spaces);
    if (result < 0) return result;
    start->launch.channel = channel;
    result = deliver(start);
    if (result == 0) result = mp__start_give(start);
    if (result < 0) return result;
    const char *what = "asking the fork server";
    int error = mp_os_channel_send(channel, start->id, &start->launch, &what);
    if (error == mp_os_egone) return MP_EPEERDEAD;
    if (error) return mp__fail_os(error, "mp_process_start: %s", what);
    if (!same_name_spaces(channel, name_spaces) && withdraw(start->record, MP__START_NEW)) return MP_EPEERDEAD;
    result = await_fork(start->record, start->id, channel);
    if (result == MP_EINIT)
        return mp__fail(result, "mp_process_start: the preload function of the fork server did not return 0");
    if (result < 0 && result != MP_EPEERDEAD)
        return mp__fail(result, "mp_process_start: the fork server could not start the process: %s",
                        mp_strerror(result));
    return result;
}

/* The same start, as another process record: what becomes of the first one is uncertain. */
static int begin_again(struct mp__start *start)
{
    uint64_t id;
    const struct mp__process *old = start->record;
    int result = mp__process_create(old->name, atomic_load(&old->flags), old->method, old->default_method, &id);
    if (result < 0) return result;
    mp__process_undeliver(start->record, start->id);
    (void)mp__process_remove(start->id);
    start->id = id;
    start->record = mp__process_of(id);
    return 0;
}

/* Servers die as soon as they are asked: what is the likeliest cause. */
static int explain_death(void)
{
    if (mp__executable_is_chosen())
        return mp__fail(MP_ENOFREEZE,
                        "mp_process_start: no fork server can be had: the program that mp_set_executable() "
                        "chose does not begin with mp_freeze_support(), or can not be one and said why "
                        "on stderr");
    mp__local_acquire(&guard);
    bool preloads = preload != NULL;
    mp__local_release(&guard);
    if (preloads)
        return mp__fail(MP_EINIT, "mp_process_start: no fork server can be had: it ends, most likely in its preload "
                                  "function");
    return mp__fail(MP_ESYSTEM, "mp_process_start: no fork server can be had: it ends as soon as it is asked; what it "
                                "said on stderr may tell why. Spawn needs none");
}

int mp__start_forkserver(struct mp__start *start, mp_os_process *process)
{
    int result = request(start);
    for (int i = 1; i < ATTEMPTS && result == MP_EPEERDEAD; i++) {
        result = begin_again(start);
        if (result == 0) result = request(start);
    }
    if (result == MP_EPEERDEAD) return explain_death();
    if (result < 0) return result;
    *process =
        (mp_os_process){.pid = mp__process_pid(start->record, start->id), .handle = MP_OS_NO_HANDLE, .child = false};
    mp__process_born(start->record, start->id, process);
    return 0;
}
