/* SPDX-License-Identifier: MIT
 *
 * bootstrap.c - from one program to the next: mp_freeze_support, and what it looks for.
 *
 * A launched program is told by an environment variable who it is to be, and by an inherited descriptor where the arena is.
 * The variable is removed at once: programs that the child runs see nothing of it.
 */
#include "base/arena.h"
#include "base/error.h"
#include "primitives/child.h"
#include "primitives/config.h"
#include "primitives/start.h"

#include <inttypes.h>
#include <mp/family.h>
#include <stdio.h>
#include <stdlib.h>

#define VARIABLE "_MP_BOOTSTRAP"

enum { NOT_CALLED, CALLED, CALLED_LATE };
static _Atomic int freeze_support;
static int threads_at_load;

/* Libraries that start threads when they are loaded are not this program's mistake. */
#ifdef __GNUC__
__attribute__((constructor)) static void loaded(void)
{
    if (mp_os_threaded()) threads_at_load = mp_os_thread_count();
}
#endif

static bool threads_started(void)
{
    return mp_os_threaded() && mp_os_thread_count() > (threads_at_load > 1 ? threads_at_load : 1);
}

int mp__bootstrap_check(const char *call)
{
    if (mp_os_elevated())
        return mp__fail(MP_EPERM, "%s: spawn and forkserver are refused in a program that is setuid or setgid; use fork",
                        call);
    char executable[MP_OS_PATH_MAX];
    mp__executable_get(executable, sizeof executable);
    if (executable[0]) return 0; /* it is that program's matter */
    switch (atomic_load_explicit(&freeze_support, memory_order_relaxed)) {
    case CALLED: return 0;
    case CALLED_LATE:
        return mp__fail(MP_ENOFREEZE, "%s: mp_freeze_support() was called after threads were started: a child would start "
                                      "them, too. Make it the first line of main()",
                        call);
    default:
        return mp__fail(MP_ENOFREEZE, "%s: a child by spawn or forkserver is this program again. Add the line\n"
                                      "    mp_freeze_support();\nat the start of main(), or use fork",
                        call);
    }
}

void mp__bootstrap_write(char text[MP__BOOTSTRAP_SIZE], enum mp__role role, uint64_t id, intptr_t channel)
{
    (void)snprintf(text, MP__BOOTSTRAP_SIZE, VARIABLE "=%d,%" PRIxPTR ",%" PRIx64 ",%" PRIx64 ",%" PRIxPTR, (int)role,
                   (uintptr_t)mp__arena.segment.handle, mp__header()->nonce, id, (uintptr_t)channel);
}

int mp__launch(const mp_os_launch *launch, const char *who, mp_os_process *process)
{
    int error = mp_os_segment_check(launch->segment);
    if (error)
        return mp__fail(MP_ESYSTEM, "%s: the program has closed a descriptor that is libmp's (%" PRIdPTR
                                    ", the arena): it can not be handed to a child. Close only your own, or use fork",
                        who, launch->segment->handle);
    char executable[MP_OS_PATH_MAX];
    mp__executable_get(executable, sizeof executable);
    mp_os_launch with = *launch;
    with.executable = executable[0] ? executable : NULL;
    const char *what = "start";
    error = mp_os_launch_process(&with, process, &what);
    return error ? mp__fail_os(error, "%s: %s", who, what) : 0;
}

/* This program was launched to be somebody, and can not. */
static _Noreturn void give_up(const char *why)
{
    char text[768];
    int size = snprintf(text, sizeof text, "libmp: this program was started as a child, and can not be one: %s\n", why);
    if (size > 0) mp_os_write_stderr(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
    mp_os_exit_now(1);
}

static _Noreturn void become(const char *text)
{
    int role;
    uintptr_t segment, channel;
    uint64_t nonce, id;
    if (sscanf(text, "%d,%" SCNxPTR ",%" SCNx64 ",%" SCNx64 ",%" SCNxPTR, &role, &segment, &nonce, &id, &channel) != 5)
        give_up("what its parent told it makes no sense");
    if (mp__arena_adopt((intptr_t)segment, nonce) < 0) give_up(mp_error_detail());
    if (role == MP__ROLE_SERVER) mp__server_run((intptr_t)channel, id);
    const struct mp__process *record = mp__process_of(id);
    if (!record) give_up("its parent has forgotten it");
    mp__child_receive(id, MP__CHILD_PROGRAM);
}

void mp_freeze_support(void)
{
    char text[MP__BOOTSTRAP_SIZE];
    atomic_store_explicit(&freeze_support, threads_started() ? CALLED_LATE : CALLED, memory_order_relaxed);
    if (mp_os_take_variable(VARIABLE, text, sizeof text) && !mp_os_elevated()) become(text);
}
