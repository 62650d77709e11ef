/* SPDX-License-Identifier: MIT
 *
 * bootstrap.c - from one program to the next: mp_freeze_support, and what it looks for.
 *
 * A launched program is told by an environment variable who it is to be, and by an inherited descriptor where the arena
 * is. The variable is removed at once: programs that the child runs see nothing of it.
 */
#include "base/arena.h"
#include "base/error.h"
#include "primitives/child.h"
#include "primitives/config.h"
#include "primitives/janitor_main.h"
#include "primitives/start.h"

#include <inttypes.h>
#include <mp/family.h>
#include <stdio.h>

#define VARIABLE "_MP_BOOTSTRAP"

enum {
    NOT_CALLED,
    CALLED,
    CALLED_LATE,   /* after threads were started */
    CALLED_SECOND, /* after other calls of libmp */
};
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
        return mp__fail(MP_EPERM,
                        "%s: spawn and forkserver are refused in a program that is setuid or setgid; use fork", call);
    if (mp__executable_is_chosen()) return 0; /* it is that program's matter */
    switch (atomic_load_explicit(&freeze_support, memory_order_relaxed)) {
    case CALLED:
        return 0;
    case CALLED_LATE:
        return mp__fail(MP_ENOFREEZE,
                        "%s: mp_freeze_support() was called after threads were started: a child would start "
                        "them, too. Make it the first line of main()",
                        call);
    case CALLED_SECOND:
        return mp__fail(MP_ENOFREEZE,
                        "%s: mp_freeze_support() was called after libmp had been used already: a child would come by "
                        "there, too, and not know yet what it is. Make it the first line of main()",
                        call);
    default:
        return mp__fail(MP_ENOFREEZE,
                        "%s: a child by spawn or forkserver is this program again: add the line mp_freeze_support(); "
                        "at the start of main(), or use fork",
                        call);
    }
}

bool mp__bootstrap_possible(void)
{
    return !mp_os_elevated() &&
           (mp__executable_is_chosen() || atomic_load_explicit(&freeze_support, memory_order_relaxed) == CALLED);
}

/* What the variable says: role, segment, nonce, where, what; in hexadecimal, with commas between them. */
#define WORDS 5

void mp__bootstrap_write(char text[MP__BOOTSTRAP_SIZE], enum mp__role role, uint64_t where, uint64_t what)
{
    (void)snprintf(text, MP__BOOTSTRAP_SIZE, VARIABLE "=%x,%" PRIx64 ",%" PRIx64 ",%" PRIx64 ",%" PRIx64,
                   (unsigned)role, (uint64_t)mp__arena.segment.handle, mp__header()->nonce, where, what);
}

/* One number, written as it is above. NULL: none. sscanf would cost every child five page faults. */
static const char *parse(const char *text, uint64_t *word)
{
    int digits = 0;
    for (*word = 0; digits <= 16; text++, digits++) {
        if (*text >= '0' && *text <= '9')
            *word = *word << 4 | (uint64_t)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            *word = *word << 4 | (uint64_t)(*text - 'a' + 10);
        else
            break;
    }
    return digits > 0 && digits <= 16 ? text : NULL;
}

bool mp__bootstrap_read(const char *text, struct mp__bootstrap *bootstrap)
{
    uint64_t words[WORDS];
    for (int i = 0; i < WORDS; i++) {
        const char *end = parse(text, &words[i]);
        if (!end || *end != (i == WORDS - 1 ? 0 : ',')) return false;
        text = end + 1;
    }
    if (words[0] > MP__ROLE_JANITOR || words[1] > INTPTR_MAX) return false;
    if (words[0] == MP__ROLE_CHILD && words[3] > UINT32_MAX) return false;
    if (words[0] == MP__ROLE_SERVER && words[4] > INTPTR_MAX) return false;
    *bootstrap = (struct mp__bootstrap){.role = (enum mp__role)words[0],
                                        .segment = (intptr_t)words[1],
                                        .nonce = words[2],
                                        .where = words[3],
                                        .what = words[4]};
    return true;
}

int mp__launch(const mp_os_launch *launch, const char *who, mp_os_process *process)
{
    int error = mp_os_segment_check(launch->segment);
    if (error)
        return mp__fail(MP_ESYSTEM,
                        "%s: the program has closed a descriptor that is libmp's (%" PRIdPTR
                        ", the arena): it can not be handed to a child. Close only your own, or use fork",
                        who, launch->segment->handle);
    char executable[MP_OS_PATH_MAX];
    mp__executable_get(executable, sizeof executable);
    mp_os_launch with = *launch;
    with.executable = executable[0] ? executable : NULL;
    const char *what = "start";
    error = mp_os_launch_process(&with, process, &what);
    if (error == mp_os_egone) return mp__fail(MP_ESTALE, "%s: %s: start the program anew", who, what);
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
    struct mp__bootstrap told;
    if (!mp__bootstrap_read(text, &told)) give_up("what its parent told it makes no sense");
    if (mp__header()) give_up("it has used libmp before mp_freeze_support(), which has to be the first line of main()");
    if (mp__arena_adopt(told.segment, told.nonce) < 0) give_up(mp_error_detail());
    if (told.role == MP__ROLE_SERVER) mp__server_run((intptr_t)told.what, told.where);
    if (told.role == MP__ROLE_JANITOR) mp__janitor_run(false);
    struct mp__process *record = mp__process_at((uint32_t)told.where);
    if (!record || atomic_load_explicit(&record->handle, memory_order_acquire) != told.what)
        give_up("its parent has forgotten it");
    mp__child_receive(record, told.what, MP__CHILD_PROGRAM);
}

void mp_freeze_support(void)
{
    char text[MP__BOOTSTRAP_SIZE];
    /* The first call counts: a child comes no further. */
    if (atomic_load_explicit(&freeze_support, memory_order_relaxed) == NOT_CALLED)
        atomic_store_explicit(&freeze_support,
                              mp__header()        ? CALLED_SECOND
                              : threads_started() ? CALLED_LATE
                                                  : CALLED,
                              memory_order_relaxed);
    if (mp_os_take_variable(VARIABLE, text, sizeof text) && !mp_os_elevated()) become(text);
}
