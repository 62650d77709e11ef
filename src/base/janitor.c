/* SPDX-License-Identifier: MIT
 *
 * janitor.c - the family's janitor, as the members see it.
 */
#include "base/janitor.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/park.h"
#include "base/recover.h"

#define PATIENCE INT64_C(300000000) /* ns that one which was launched may take to come; should two come, one goes */
#define TRUST    INT64_C(500000000) /* ns between looks at one whose life does not tell */

static void (*launcher)(void);

#define ASLEEP UINT32_C(1)
#define ONE    UINT32_C(2)

void mp__janitor_ring(void)
{
    _Atomic uint32_t *bell = &mp__header()->janitor.bell;
    atomic_thread_fence(memory_order_seq_cst); /* J1 */
    if (!(atomic_load_explicit(bell, memory_order_relaxed) & ASLEEP)) return;
    atomic_fetch_add_explicit(bell, ONE, memory_order_relaxed);
    mp_os_word_wake(bell, 1);
}

uint32_t mp__janitor_lie_down(void)
{
    uint32_t before = atomic_fetch_or_explicit(&mp__header()->janitor.bell, ASLEEP, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* J1 */
    return before | ASLEEP;
}

void mp__janitor_get_up(void)
{
    atomic_fetch_and_explicit(&mp__header()->janitor.bell, ~ASLEEP, memory_order_relaxed);
}

void mp__janitor_launch_by(void (*launch)(void))
{
    if (launcher != launch) launcher = launch;
}

/* That it is dead one sign tells: should there be two for a moment, that does no harm. */
static bool is_there(const struct mp__janitor *janitor, bool thorough)
{
    static _Atomic int64_t seen; /* when the system said so */
    int64_t pid = atomic_load_explicit(&janitor->pid, memory_order_acquire);
    if (!pid || mp_os_life_is_over(janitor->life)) return false;
    if (mp_os_life_lasts(janitor->life)) return true;
    int64_t now = mp_os_now();
    if (!thorough && now - atomic_load_explicit(&seen, memory_order_relaxed) < TRUST) return true;
    if (mp_os_process_is_gone(pid, atomic_load_explicit(&janitor->birth, memory_order_relaxed))) return false;
    atomic_store_explicit(&seen, now, memory_order_relaxed);
    return true;
}

bool mp__janitor_ensure(bool thorough)
{
    struct mp__janitor *janitor = &mp__header()->janitor;
    if (!launcher) return false;
    if (is_there(janitor, thorough)) return true;
    int64_t now = mp_os_now(), launched = atomic_load_explicit(&janitor->launched, memory_order_relaxed);
    if (launched && now - launched < PATIENCE) return false;
    if (!atomic_compare_exchange_strong_explicit(&janitor->launched, &launched, now, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    if (atomic_load_explicit(&janitor->pid, memory_order_relaxed))
        mp__log(MP_LOG_WARNING, "the family's janitor is dead: another one");
    launcher();
    return false;
}

void mp__janitor_sleep(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    bool watched = mp__janitor_ensure(false) && mp_os_word_sleeps();
    int64_t until = mp__deadline_slice(deadline, watched ? MP__PARK_SLICE_TOLD : MP__PARK_SLICE);
    if (!mp__park_sleep_beside(NULL, word, value, until)) (void)mp__park_sleep(word, value, until);
    mp__recover_look();
    (void)mp__janitor_ensure(false); /* whose death may be what it was woken by, and nobody else */
}

bool mp__janitor_claim(void)
{
    struct mp__janitor *janitor = &mp__header()->janitor;
    mp_os_process self = {.pid = mp_os_pid(), .handle = MP_OS_NO_HANDLE};
    (void)mp_os_process_open(&self, self.pid, 0); /* for its birth */
    mp__arena_lock();
    bool free = !is_there(janitor, true);
    if (free) {
        atomic_store_explicit(&janitor->pid, 0, memory_order_relaxed);
        (void)mp_os_life_begin(janitor->life);
        atomic_store_explicit(&janitor->birth, self.birth, memory_order_relaxed);
        mp__janitor_get_up();
        atomic_store_explicit(&janitor->pid, self.pid, memory_order_release);
    }
    atomic_store_explicit(&janitor->launched, 0, memory_order_relaxed);
    mp__arena_unlock();
    mp_os_process_release(&self);
    return free;
}

bool mp__janitor_retire(bool (*nobody)(void))
{
    struct mp__janitor *janitor = &mp__header()->janitor;
    mp__arena_lock();
    /* Who is new takes this lock after its record is there, and before it looks for a janitor. */
    bool retires = nobody();
    if (retires) {
        mp_os_life_end(janitor->life);
        atomic_store_explicit(&janitor->pid, 0, memory_order_release);
    }
    mp__arena_unlock();
    return retires;
}
