/* SPDX-License-Identifier: MIT
 *
 * thread.c - thread records.
 */
#include "base/thread.h"
#include "base/error.h"
#include "base/family.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/recover.h"
#include "base/repair.h"
#include "base/trace.h"

#include <string.h>

_Thread_local struct mp__self mp__self;

struct mp__thread *mp__thread_at(uint32_t number)
{
    if (!number) return NULL;
    return mp__arena_at(MP__REGION_THREADS, (uint64_t)(number - 1) * sizeof(struct mp__thread),
                        sizeof(struct mp__thread));
}

static void intend(_Atomic uint32_t *word, uint64_t flag)
{
    uint32_t depth = mp__self.intents++;
    uint64_t offset = (uint64_t)((char *)word - (char *)mp__header());
    if (mp__self.record && depth < MP__INTENTS)
        atomic_store_explicit(&mp__self.record->intents[depth], offset | flag, memory_order_release); /* I1 */
    atomic_signal_fence(memory_order_seq_cst);
}

void mp__thread_intend(_Atomic uint32_t *word)
{
    intend(word, 0);
}

void mp__thread_intend_to_take(_Atomic uint32_t *word, bool forever)
{
    intend(word, forever ? MP__INTENT_WAITS | MP__INTENT_FOREVER : MP__INTENT_WAITS);
}

void mp__thread_done(void)
{
    uint32_t depth = --mp__self.intents;
    if (mp__self.record && depth < MP__INTENTS)
        atomic_store_explicit(&mp__self.record->intents[depth], 0,
                              memory_order_release); /* I1: what it intended is done */
}

void mp__thread_sleeper_name(uint32_t number, uint64_t name[2])
{
    name[0] = mp__header()->nonce;
    name[1] = number;
}

uint32_t mp__thread_top(void)
{
    return atomic_load_explicit(&mp__header()->threads_top, memory_order_relaxed);
}

/* A free record; the arena's lock is held. */
static int take(uint32_t *number)
{
    struct mp__header *header = mp__header();
    if (header->free_threads) {
        struct mp__thread *thread = mp__thread_at(header->free_threads);
        if (!thread) return MP_ENOMEM;
        *number = header->free_threads;
        header->free_threads = thread->next;
        return 0;
    }
    uint32_t top = mp__thread_top() + 1;
    int result = mp__arena_grow(MP__REGION_THREADS, top * sizeof(struct mp__thread));
    if (result < 0) return result;
    atomic_store_explicit(&header->threads_top, top, memory_order_relaxed);
    *number = top;
    return mp__thread_at(*number) ? 0 : MP_ENOMEM;
}

void mp__thread_give_back(struct mp__thread *thread, uint32_t number)
{
    struct mp__header *header = mp__header();
    mp__park_forget(thread, number);
    mp__trace_leave(thread);
    for (int i = 0; i < MP__INTENTS; i++) atomic_store_explicit(&thread->intents[i], 0, memory_order_relaxed);
    atomic_store_explicit(&thread->stamp, 0, memory_order_release); /* from here on it is free: mp__thread_repair */
    thread->next = header->free_threads;
    header->free_threads = number;
}

void mp__thread_repair(void)
{
    struct mp__header *header = mp__header();
    header->free_threads = 0;
    for (uint32_t number = mp__thread_top(); number > 0; number--) {
        struct mp__thread *thread = mp__thread_at(number);
        if (!thread || atomic_load_explicit(&thread->stamp, memory_order_relaxed)) continue;
        thread->next = header->free_threads;
        header->free_threads = number;
    }
}

int mp__thread_join(void)
{
    if (mp__self.record) return 0;
    int result = mp__arena_join();
    if (result < 0) return result;
    uint64_t process = mp__family_self();
    if (!process) return mp__fail_code();

    uint32_t number = 0;
    mp__arena_lock();
    result = take(&number);
    struct mp__thread *thread = result == 0 ? mp__thread_at(number) : NULL;
    uint64_t stamp = 0;
    if (thread) {
        stamp = atomic_fetch_add_explicit(&mp__header()->stamp, 1, memory_order_relaxed) + 1;
        atomic_store_explicit(&thread->process, process, memory_order_relaxed);
        if (mp_os_word_sleeps() && mp_os_life_begin(thread->life))
            mp__log(MP_LOG_WARNING, "others will be slow to notice that this thread is dead");
        atomic_store_explicit(&thread->sleeping, 0, memory_order_relaxed);
        atomic_store_explicit(&thread->waits_for, 0, memory_order_relaxed);
        atomic_store_explicit(&thread->idles, 0, memory_order_relaxed);
        atomic_store_explicit(&thread->asleep_on, 0, memory_order_relaxed);
        atomic_store_explicit(&thread->taken, 0, memory_order_relaxed);
        thread->track = 0;
        atomic_store_explicit(&thread->stamp, stamp, memory_order_release);
    }
    mp__arena_unlock();
    if (result == 0 && !thread) result = MP_ENOMEM;
    if (result == MP_ELIMIT) return mp__fail(MP_ELIMIT, "no more threads can use libmp in this family");
    if (result < 0) return mp__fail(result, "no memory to register a thread");

    if (!mp_os_word_sleeps()) {
        uint64_t name[2];
        mp__thread_sleeper_name(number, name);
        int error = mp_os_sleeper_init(thread->sleeper, name);
        if (error) {
            mp__arena_lock();
            mp__thread_give_back(thread, number);
            mp__arena_unlock();
            return mp__fail_os(error, "something for a thread to sleep on could not be made");
        }
    }
    mp__self = (struct mp__self){.record = thread, .owner = number, .stamp = stamp};
    mp_os_thread_record(thread);
    mp__janitor_ring();
    mp__trace_join();
    return 0;
}

void mp__thread_forget(void)
{
    mp__self = (struct mp__self){.record = NULL};
}

void mp__thread_leave(void)
{
    struct mp__thread *thread = mp__self.record;
    uint32_t number = mp__self.owner;
    if (!thread) return;
    /* It may end within a wait, in a signal handler. */
    bool owes = mp__self.took || mp__self.intents || atomic_load_explicit(&thread->waits_for, memory_order_relaxed);
    uint64_t stamp = mp__self.stamp;
    mp__thread_forget();
    if (mp_os_word_sleeps())
        mp_os_life_end(thread->life);
    else
        mp_os_sleeper_fini(thread->sleeper);
    if (owes) {
        mp__recover(number, stamp);
    } else {
        mp__arena_lock();
        mp__thread_give_back(thread, number);
        mp__arena_unlock();
    }
}

void mp__thread_reclaim(uint64_t process)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        struct mp__thread *thread = mp__thread_at(number);
        uint64_t stamp = thread ? atomic_load_explicit(&thread->stamp, memory_order_acquire) : 0;
        if (stamp && atomic_load_explicit(&thread->process, memory_order_relaxed) == process)
            mp__recover(number, stamp);
    }
}

static bool process_is_gone(uint64_t id, bool thorough)
{
    if (mp__process_has_ended(id)) return true;
    const struct mp__process *record = thorough ? mp__process_of(id) : NULL;
    return record && mp__process_is_gone(record, id);
}

bool mp__thread_lives_of(uint64_t process)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        if (thread && atomic_load_explicit(&thread->stamp, memory_order_acquire) &&
            atomic_load_explicit(&thread->process, memory_order_relaxed) == process && mp_os_life_lasts(thread->life))
            return true;
    }
    return false;
}

bool mp__thread_is_dead(uint32_t number, bool thorough)
{
    const struct mp__thread *thread = mp__thread_at(number);
    uint64_t stamp = thread ? atomic_load_explicit(&thread->stamp, memory_order_acquire) : 0;
    if (!stamp) return false;
    uint64_t process = atomic_load_explicit(&thread->process, memory_order_relaxed);
    bool dead = mp_os_word_sleeps() && mp_os_life_is_over(thread->life);
    if (!dead && process != mp__family_id()) dead = process_is_gone(process, thorough);
    return dead && atomic_load_explicit(&thread->stamp, memory_order_acquire) == stamp;
}

uint32_t mp__thread_count(uint64_t process)
{
    uint32_t count = 0;
    mp__arena_lock();
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        struct mp__thread *thread = mp__thread_at(number);
        if (thread && atomic_load_explicit(&thread->stamp, memory_order_relaxed) &&
            (!process || atomic_load_explicit(&thread->process, memory_order_relaxed) == process))
            count++;
    }
    mp__arena_unlock();
    return count;
}
