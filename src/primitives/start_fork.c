/* SPDX-License-Identifier: MIT
 *
 * start_fork.c - fork: the child is a copy, and finds target and arguments where its parent had them.
 */
#include "base/error.h"
#include "primitives/child.h"
#include "primitives/config.h"
#include "primitives/leash.h"
#include "primitives/start.h"

static bool keeps_stdin(const mp_process_options *options)
{
    for (size_t i = 0; i < options->keep_count; i++)
        if (options->keep[i] == 0) return true;
    return false;
}

/* In the child: what the options ask for, then the target. */
static _Noreturn void child(const struct mp__start *start)
{
    const mp_process_options *options = start->options;
    int error = options->working_directory ? mp_os_change_directory(options->working_directory) : 0;
    if (!error) error = mp_os_change_environment(options->environment);
    if (!error && !keeps_stdin(options)) error = mp_os_stdin_null();
    if (error) mp__child_fail(start->id, mp__fail_os(error, "working directory, environment, or standard input"));
    mp__leash_obey(options->daemon);
    mp__child_run(start->record, start->id, MP__CHILD_COPY, start->target, start->args, start->args_size);
}

int mp__start_fork(struct mp__start *start, mp_os_process *process)
{
    int result = mp__start_give(start);
    if (result < 0) return result;
    int error = mp_os_fork(process);
    if (error) return mp__fail_os(error, "mp_process_start: fork");
    if (process->pid == MP_OS_IN_CHILD) child(start);
    mp__process_born(start->record, start->id, process);
    return 0;
}
