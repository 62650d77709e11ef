/* SPDX-License-Identifier: MIT
 *
 * config.c - settings and counts of the family, and of this process's later starts.
 */
#include "primitives/config.h"
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/thread.h"
#include "primitives/local.h"
#include "primitives/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mp_version(void)
{
    return MP_VERSION;
}

int mp_configure(const mp_config *config)
{
    return mp__arena_configure(config);
}

static void count_processes(mp_stats *stats)
{
    uint32_t top = mp__process_top();
    for (uint32_t slot = 1; slot < top; slot++) {
        const struct mp__process *record = mp__process_at(slot);
        uint64_t id = record ? atomic_load_explicit(&record->handle, memory_order_acquire) : 0;
        if (!id || !mp__process_of(id)) continue;
        if (mp__process_ending(record, id))
            stats->records++;
        else
            stats->processes++;
    }
}

int mp_get_stats(mp_stats *stats)
{
    if (!stats) return mp__fail(MP_EINVAL, "mp_get_stats: stats is NULL");
    int result = mp__thread_join();
    if (result < 0) return result;
    mp_stats now = {0};
    (void)mp__process_tidy(false);
    mp__heap_count(&now.bytes_used, &now.blocks, &now.bytes_reserved);
    count_processes(&now);
    now.threads = mp__thread_count(0);
    const struct mp__header *header = mp__header();
    mp__arena_lock();
    now.locks = header->counts[MP__LOCK];
    now.rlocks = header->counts[MP__RLOCK];
    now.semaphores = header->counts[MP__SEMAPHORE] + header->counts[MP__OWNED_SEMAPHORE];
    now.conditions = header->counts[MP__CONDITION];
    now.events = header->counts[MP__EVENT];
    now.barriers = header->counts[MP__BARRIER];
    now.values = header->counts[MP__VALUE];
    now.arrays = header->counts[MP__ARRAY];
    now.shared_blocks = header->counts[MP__BLOCK];
    now.messages = header->counts[MP__MESSAGE];
    now.queues = header->counts[MP__QUEUE];
    now.connections = header->counts[MP__CONNECTION];
    now.pools = header->counts[MP__POOL];
    now.results = header->counts[MP__RESULT];
    mp__arena_unlock();
    *stats = now;
    return 0;
}

/* ---- start methods --------------------------------------------------------------------------------------------- */

static _Atomic int default_method; /* MP_DEFAULT: the platform's */

const mp_start_method *mp_get_all_start_methods(size_t *count)
{
    size_t number;
    const mp_start_method *methods = mp_os_start_methods(&number);
    if (count) *count = number;
    return methods;
}

bool mp__method_available(mp_start_method method)
{
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    for (size_t i = 0; i < count; i++)
        if (methods[i] == method) return true;
    return false;
}

const char *mp_start_method_name(mp_start_method method)
{
    switch (method) {
    case MP_DEFAULT:
        return "default";
    case MP_FORK:
        return "fork";
    case MP_SPAWN:
        return "spawn";
    case MP_FORKSERVER:
        return "forkserver";
    default:
        return "?";
    }
}

void mp__method_inherit(mp_start_method method)
{
    atomic_store_explicit(&default_method, (int)method, memory_order_relaxed);
}

int mp_set_start_method(mp_start_method method)
{
    if ((int)method < MP_DEFAULT || (int)method > MP_FORKSERVER)
        return mp__fail(MP_EINVAL, "mp_set_start_method: %d is no start method", (int)method);
    if (method != MP_DEFAULT && !mp__method_available(method))
        return mp__fail(MP_ENOTSUP, "mp_set_start_method: there is no %s on this platform; spawn is everywhere",
                        mp_start_method_name(method));
    mp__method_inherit(method);
    return 0;
}

mp_start_method mp_get_start_method(void)
{
    mp_start_method method = (mp_start_method)atomic_load_explicit(&default_method, memory_order_relaxed);
    return method == MP_DEFAULT ? mp_get_all_start_methods(NULL)[0] : method;
}

/* ---- the program ----------------------------------------------------------------------------------------------- */

static struct mp__local_lock executable_lock;
static char *executable; /* NULL: this one */

int mp_set_executable(const char *path)
{
    if (path && (!*path || strlen(path) >= MP_OS_PATH_MAX))
        return mp__fail(MP_EINVAL, "mp_set_executable: the path is empty or longer than %d bytes", MP_OS_PATH_MAX - 1);
    int error = path ? mp_os_executable_check(path) : 0;
    if (error) return mp__fail_os(error, "mp_set_executable: %s", path);
    char *copy = path ? malloc(strlen(path) + 1) : NULL;
    if (path && !copy) return mp__fail(MP_ENOMEM, "mp_set_executable: no memory");
    if (copy) memcpy(copy, path, strlen(path) + 1);
    mp__local_acquire(&executable_lock);
    char *old = executable;
    executable = copy;
    mp__local_release(&executable_lock);
    free(old);
    mp__server_renew();
    return 0;
}

void mp__executable_get(char *path, size_t size)
{
    mp__local_acquire(&executable_lock);
    (void)snprintf(path, size, "%s", executable ? executable : "");
    mp__local_release(&executable_lock);
}

bool mp__executable_is_chosen(void)
{
    mp__local_acquire(&executable_lock);
    bool chosen = executable != NULL;
    mp__local_release(&executable_lock);
    return chosen;
}

int mp_cpu_count(void)
{
    return mp_os_cpu_count();
}
