/* SPDX-License-Identifier: MIT
 *
 * start.c - mp_process_start: everything that the start methods have in common.
 */
#include "primitives/start.h"
#include "base/control.h"
#include "base/error.h"
#include "base/holders.h"
#include "base/janitor.h"
#include "base/recover.h"
#include "base/thread.h"
#include "base/trace.h"
#include "primitives/child.h"
#include "primitives/children.h"
#include "primitives/config.h"
#include "primitives/delivery.h"
#include "primitives/funcref.h"
#include "primitives/janitor_main.h"
#include "primitives/leash.h"

#include <string.h>

static int check_name(const char *name)
{
    if (!name) return 0;
    if (!*name) return mp__fail(MP_EINVAL, "mp_process_start: options.name is empty; NULL gives the default");
    if (strlen(name) >= MP__PROCESS_NAME_SIZE)
        return mp__fail(MP_EINVAL, "mp_process_start: options.name is longer than %d bytes", MP__PROCESS_NAME_SIZE - 1);
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ')
            return mp__fail(MP_EINVAL, "mp_process_start: options.name has a control character in it (%d)", *at);
    return 0;
}

static int check_environment(const char *const *environment)
{
    for (; environment && *environment; environment++)
        if (!**environment || **environment == '=')
            return mp__fail(MP_EINVAL, "mp_process_start: options.environment: \"%.100s\" has no name", *environment);
    return 0;
}

static int check_place(const mp_process_options *options)
{
    int error = options->working_directory ? mp_os_directory_check(options->working_directory) : 0;
    if (error) return mp__fail_os(error, "mp_process_start: working directory %.300s", options->working_directory);
    if (options->keep_count && !options->keep) return mp__fail(MP_EINVAL, "mp_process_start: options.keep is NULL");
    size_t which = 0;
    if (mp_os_keep_check(options->keep, options->keep_count, &which))
        return mp__fail(MP_EINVAL, "mp_process_start: options.keep[%zu] is not open", which);
    return 0;
}

static int check_method(mp_start_method method)
{
    if ((int)method < MP_DEFAULT || (int)method > MP_FORKSERVER)
        return mp__fail(MP_EINVAL, "mp_process_start: %d is no start method", (int)method);
    if (!mp__method_available(method))
        return mp__fail(MP_ENOTSUP, "mp_process_start: there is no %s on this platform; spawn is everywhere",
                        mp_start_method_name(method));
    return 0;
}

/* Everything about the call that can be wrong before anything is changed. */
static int check(struct mp__start *start, mp_start_method method)
{
    if (!start->target) return mp__fail(MP_EINVAL, "mp_process_start: target is NULL");
    if (start->args_size && !start->args)
        return mp__fail(MP_EINVAL, "mp_process_start: args is NULL, and args_size is not 0");
    int result = check_method(method);
    if (result == 0) result = check_name(start->options->name);
    if (result == 0) result = check_environment(start->options->environment);
    if (result == 0) result = check_place(start->options);
    return result;
}

/* This process turns out to be a copy of what it was. */
static void forked(void)
{
    mp__children_forget();
    mp__server_forked();
    mp__leash_forked();
}

int mp__start_give(struct mp__start *start)
{
    int handles = mp__holders_give(start->args, start->args_size, start->id);
    start->gives = handles > 0;
    return handles < 0 ? handles : 0;
}

static int by_method(struct mp__start *start, mp_start_method method, mp_os_process *process)
{
    mp_os_flush();
    switch (method) {
    case MP_FORK:
        return mp__start_fork(start, process);
    case MP_SPAWN:
        return mp__start_spawn(start, process);
    default:
        return mp__start_forkserver(start, process);
    }
}

/* From a record to a running process that this one looks after. */
static int run(struct mp__start *start, mp_start_method method)
{
    struct mp__child *child = mp__child_prepare();
    if (!child) return MP_ENOMEM;
    mp_os_process process = {.handle = MP_OS_NO_HANDLE};
    int result = by_method(start, method, &process);
    if (result < 0)
        mp__child_cancel(child);
    else
        mp__child_add(child, start->id, &process, start->options->daemon);
    return result;
}

/* What concerns all methods; the target has been described where that is needed. */
static int begin(struct mp__start *start, mp_start_method method, mp_process *process)
{
    int result = mp__thread_join();
    if (result < 0) return result;
    mp__family_on_fork(forked);
    mp__recover_by_looking(mp__children_look);
    mp__janitor_launch_by(mp__janitor_launch);
    (void)mp__janitor_ensure(true);
    mp__child_watch_exit();
    mp__children_tidy();

    result = mp__process_create(start->options->name, start->options->daemon ? MP__DAEMON : 0, (uint32_t)method,
                                (uint32_t)mp_get_start_method(), &start->id);
    if (result < 0) return result;
    start->record = mp__process_of(start->id);
    start->launch = (mp_os_launch){.environment = start->options->environment,
                                   .working_directory = start->options->working_directory,
                                   .keep = start->options->keep,
                                   .keep_count = start->options->keep_count,
                                   .segment = &mp__arena.segment,
                                   .channel = MP_OS_NO_HANDLE,
                                   .leash = start->options->daemon ? mp__leash() : NULL};
    struct mp__span span = mp__trace_open();
    result = run(start, method);
    if (span.begin) mp__trace_close(&span, MP__TRACE_START, mp__trace_named(start->id), start->id);
    if (result == 0 && start->gives) mp__holders_given(start->args, start->args_size, start->id);
    if (result < 0) {
        mp__process_undeliver(start->record, start->id);
        (void)mp__process_remove(start->id);
        return result;
    }
    mp__janitor_ring(); /* should it have died before it could do that itself */
    mp__log(MP_LOG_INFO, "%s started by %s", start->record->name, mp_start_method_name(method));
    if (process)
        process->id = start->id;
    else
        mp__process_unname(start->id);
    return 0;
}

/* Apart, so that a fork does not have its large module description on the stack, which the child would have to copy. */
static __attribute__((noinline)) int begin_elsewhere(struct mp__start *start, mp_start_method method,
                                                     mp_process *process)
{
    mp_os_module module;
    union {
        mp_target target;
        const void *address;
    } function = {.target = start->target};
    int result = mp__bootstrap_check("mp_process_start");
    if (result == 0) result = mp__funcref_make("mp_process_start", "target", function.address, &module);
    if (result < 0) return result;
    start->module = &module;
    result = begin(start, method, process);
    start->module = NULL;
    return result;
}

int mp_process_start(mp_process *process, mp_target target, const void *args, size_t args_size,
                     const mp_process_options *options)
{
    static const mp_process_options defaults;
    struct mp__start start = {
        .target = target, .args = args, .args_size = args_size, .options = options ? options : &defaults};
    mp_start_method method = start.options->method == MP_DEFAULT ? mp_get_start_method() : start.options->method;
    int result = check(&start, method);
    if (result < 0) return result;
    return method == MP_FORK ? begin(&start, method, process) : begin_elsewhere(&start, method, process);
}
