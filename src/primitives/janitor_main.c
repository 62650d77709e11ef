/* SPDX-License-Identifier: MIT
 *
 * janitor_main.c - the janitor: one small process that looks after the deaths that nobody waits for.
 *
 * It sleeps on the lives (os.h) of all threads and processes of its family, and when one is over it looks at everybody:
 *   - what a dead thread held is taken from it: those who wait for it may not know that they wait for this one;
 *   - how a process ended is told, if nobody else does: its parent is dead, or never asks;
 *   - daemons whose parents are dead are ended.
 * Nothing of what it does is its own business, all may be done twice, and all that it knows it finds in the arena: so it may
 * be killed anywhere, and the next one begins anew. With its family it ends.
 *
 * While the family changes it looks now and then and is not to be rung for; when it has found it unchanged it sleeps. Who has
 * no life, or one that is over although the process runs (its first thread has ended), it has to look at all the time.
 */
#include "primitives/janitor_main.h"
#include "base/error.h"
#include "base/family.h"
#include "base/heap.h"
#include "base/janitor.h"
#include "base/recover.h"
#include "base/thread.h"
#include "base/watch.h"
#include "primitives/children.h"
#include "primitives/start.h"

#define NAP INT64_C(40000000) /* ns between looks while the family changes, or somebody's life does not tell */

/* ---- looking --------------------------------------------------------------------------------------------------- */

static void watch(struct mp__round *round, void *life)
{
    if (round->count < MP_OS_LIVES_MOST) round->lives[round->count] = life;
    round->count++;
}

/* Its process's life is watched, and is the same: which leaves room for as many processes again. */
static bool is_first_thread(const struct mp__thread *thread)
{
    const struct mp__process *process = mp__process_of(atomic_load_explicit(&thread->process, memory_order_relaxed));
    return process && mp_os_life_is_same(thread->life, process->life);
}

static void look_at_threads(struct mp__round *round)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        struct mp__thread *thread = mp__thread_at(number);
        uint64_t stamp = thread ? atomic_load_explicit(&thread->stamp, memory_order_acquire) : 0;
        if (!stamp || !mp_os_word_sleeps()) continue;
        if (mp_os_life_is_over(thread->life)) {
            mp__recover(number, stamp);
            continue;
        }
        round->members += stamp;
        if (mp_os_life_lasts(thread->life) && !is_first_thread(thread)) watch(round, thread->life);
    }
}

static bool is_orphan(const struct mp__process *record)
{
    return record->parent && mp__process_has_ended(record->parent);
}

/* Tell how it ended. If that is not to be seen from here, but its parent may see it: that shall tell. */
static void report(struct mp__round *round, struct mp__process *record, uint64_t id)
{
    mp_os_process process;
    mp_os_ending ending = {.known = false};
    int64_t pid = mp__process_pid(record, id);
    bool elsewhere = mp__process_is_elsewhere(record, id), runs = false;
    mp_os_life_tell(record->life);
    mp__watch_tell_all(); /* X3 */
    bool here = pid > 0 && !elsewhere &&
                mp_os_process_open(&process, pid, atomic_load_explicit(&record->birth, memory_order_acquire)) == 0;
    if (here) {
        runs = mp_os_process_wait(&process, 0, &ending) == mp_os_etimedout;
        mp_os_process_release(&process);
    }
    if (runs || ((here || elsewhere) && !ending.known && !mp__process_has_ended(record->parent)))
        round->again = true;
    else
        mp__process_report(id, &ending);
}

/* Its starter is dead, and it has not come: it never will. */
static void give_up(struct mp__process *record, uint64_t id)
{
    if (mp__process_give_up(record, id)) (void)mp__process_end(id, mp__ending_failed(MP_ESYSTEM));
}

static void learn_birth(struct mp__process *record, uint64_t id)
{
    mp_os_process process;
    int64_t pid = mp__process_pid(record, id);
    if (pid <= 0 || atomic_load_explicit(&record->birth, memory_order_relaxed) ||
        mp__process_is_elsewhere(record, id) || mp_os_process_open(&process, pid, 0))
        return;
    if (mp_os_life_lasts(record->life)) /* so that was this one */
        mp__process_learn_birth(record, id, process.birth);
    mp_os_process_release(&process);
}

static void look_at_living(struct mp__round *round, struct mp__process *record, uint64_t id)
{
    round->nobody = false;
    round->members += id;
    learn_birth(record, id);
    if (mp_os_life_lasts(record->life))
        watch(round, record->life);
    else
        round->again = true;
    if (atomic_load_explicit(&record->flags, memory_order_relaxed) & MP__DAEMON && is_orphan(record)) {
        if (mp__process_of(id) == record) (void)mp__process_signal(id, MP_OS_KILL);
        round->again = true;
    }
}

static void look_at_processes(struct mp__round *round)
{
    uint32_t top = mp__process_top();
    for (uint32_t slot = 1; slot < top; slot++) {
        struct mp__process *record = mp__process_at(slot);
        uint64_t id = record ? atomic_load_explicit(&record->handle, memory_order_acquire) : 0;
        if (record && !id && mp__process_is_stray(record)) mp__recover_strays();
        if (!id) continue;
        if (!mp__process_of(id)) {
            mp__process_discard(slot, id); /* who removed it may have died in that */
            continue;
        }
        if (mp__process_ending(record, id)) {
            mp__process_settle(record, id);
            continue;
        }
        if (!mp__process_pid(record, id) && is_orphan(record)) give_up(record, id);
        if (mp__process_is_gone(record, id))
            report(round, record, id);
        else
            look_at_living(round, record, id);
    }
}

void mp__janitor_look(struct mp__round *round)
{
    round->members = 0;
    round->nobody = true;
    round->again = false;
    round->count = 0;
    look_at_threads(round);
    look_at_processes(round);
}

/* The arena's lock is held. */
static bool nobody_is_left(void)
{
    for (uint32_t slot = 1; slot < mp__header()->processes_top; slot++) {
        const struct mp__process *record = mp__process_at(slot);
        uint64_t id = record ? atomic_load_explicit(&record->handle, memory_order_acquire) : 0;
        if (id && !mp__process_ending(record, id)) return false;
    }
    return true;
}

/* ---- being the janitor ----------------------------------------------------------------------------------------- */

/* Until somebody dies, or has rung since. False: this system can not do that. */
static bool sleep_on(struct mp__round *round, uint32_t bell)
{
    return mp_os_word_sleeps() && mp_os_word_wait_beside(&mp__header()->janitor.bell, bell, round->lives, round->count,
                                                         MP_OS_NEVER) != mp_os_enotsup;
}

static void serve(void)
{
    static struct mp__round round;
    uint64_t members = 0;
    for (bool lying = false;;) {
        uint32_t bell = lying ? mp__janitor_lie_down() : 0;
        mp__janitor_look(&round);
        if (round.nobody && mp__janitor_retire(nobody_is_left)) return;
        bool settled = round.members == members && !round.again && !round.nobody && round.count <= MP_OS_LIVES_MOST;
        members = round.members;
        if (settled && !lying) {
            lying = true; /* and look once more: J1 */
        } else if (!settled || !sleep_on(&round, bell)) {
            lying = false;
            mp__janitor_get_up();
            mp_os_sleep(NAP);
        }
    }
}

_Noreturn void mp__janitor_run(bool copy)
{
    mp__family_serve("janitor");
    mp_os_become_service("mp-janitor", &mp__arena.segment,
                         atomic_load_explicit(&mp__header()->log_level, memory_order_relaxed) != MP_LOG_OFF, copy);
    if (mp__janitor_claim()) {
        mp__log(MP_LOG_DEBUG, "begins");
        mp__heap_be_janitor();
        mp__watch_tell_all(); /* X3: the one before may have died in that */
        serve();
    }
    mp_os_exit_now(0);
}

/* ---- launching one --------------------------------------------------------------------------------------------- */

/* A program that can not be run anew has a copy of it made; of a copy, whose parent ends at once: as that of somebody else it
 * is nobody's child. */
static int copy_launch(void)
{
    mp_os_process between, process;
    mp_os_ending ending;
    int error = mp_os_fork(&between);
    if (error) return error;
    if (between.pid == MP_OS_IN_CHILD) {
        if (mp_os_fork(&process) == 0 && process.pid == MP_OS_IN_CHILD) mp__janitor_run(true);
        mp_os_exit_now(0);
    }
    (void)mp_os_process_wait(&between, MP_OS_NEVER, &ending);
    mp_os_process_release(&between);
    return 0;
}

static int program_launch(void)
{
    char bootstrap[MP__BOOTSTRAP_SIZE];
    mp_os_process process;
    mp__bootstrap_write(bootstrap, MP__ROLE_JANITOR, 0, 0);
    const mp_os_launch launch = {
        .bootstrap = bootstrap, .segment = &mp__arena.segment, .channel = MP_OS_NO_HANDLE, .detached = true};
    return mp__launch(&launch, "the janitor", &process);
}

void mp__janitor_launch(void)
{
    /* The first process of another space, which the next one started here will be, ends that with itself. */
    if (!mp_os_pid_space_is_childrens()) return;
    if (mp__bootstrap_possible() && program_launch() == 0) return;
    int error = copy_launch();
    if (error) mp__log(MP_LOG_WARNING, "no janitor could be started (error %d)", error);
}
