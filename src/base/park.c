/* SPDX-License-Identifier: MIT
 *
 * park.c - spinning and sleeping.
 *
 * Where the system can not sleep on a word in shared memory, sleepers form chains in the arena, hashed by the word they
 * sleep on, and each sleeps on a sleeper of its own (os.h):
 *
 *     sleeper: lock the bucket, look at the word, join the chain, unlock, sleep, lock, leave the chain, unlock
 *     waker:   change the word; lock the bucket, take as many as wanted out of the chain and wake them, unlock
 *
 * The word is looked at under the bucket's lock, and changed before the waker takes that: no wake is missed. One that
 * comes together with the deadline makes that thread's next sleep end early, which sleeps may do.
 */
#include "base/park.h"
#include "base/deadline.h"
#include "base/thread.h"

#include <mp/error.h>

/* ---- spinning -------------------------------------------------------------------------------------------------- */

#define SPIN_LEAST   INT64_C(1000)  /* ns */
#define SPIN_DEFAULT INT64_C(20000) /* less than what falling asleep and being woken cost together */
#define PAUSES_MOST  64u

static _Thread_local int64_t spin_average = SPIN_LEAST * 4; /* ns after which spins have paid */
static _Atomic int32_t cpus;                                /* 0: not asked yet */

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static bool alone(void)
{
    int32_t count = atomic_load_explicit(&cpus, memory_order_relaxed);
    if (!count) {
        count = mp_os_cpu_count();
        atomic_store_explicit(&cpus, count, memory_order_relaxed);
    }
    return count == 1;
}

struct mp__spin mp__spin_begin(void)
{
    int64_t most = mp__header()->spin_ns;
    if (most == 0) most = SPIN_DEFAULT;
    if (most < 0 || alone()) return (struct mp__spin){.start = 0};
    int64_t limit = 2 * spin_average;
    if (limit > most) limit = most;
    return (struct mp__spin){.start = mp_os_now(), .limit = limit, .pauses = 1};
}

bool mp__spin_again(struct mp__spin *spin)
{
    if (!spin->start) return false;
    for (uint32_t i = 0; i < spin->pauses; i++) pause_cpu();
    if (spin->pauses < PAUSES_MOST)
        spin->pauses *= 2;
    else if (mp_os_now() - spin->start >= spin->limit)
        return false;
    return true;
}

void mp__spin_end(struct mp__spin *spin, bool paid)
{
    if (!spin->start) return;
    if (paid)
        spin_average += (mp_os_now() - spin->start - spin_average) / 8;
    else
        spin_average -= spin_average / 8;
    if (spin_average < SPIN_LEAST / 2) spin_average = SPIN_LEAST / 2;
}

/* ---- sleeping -------------------------------------------------------------------------------------------------- */

static struct mp__bucket *bucket_lock(uint64_t offset)
{
    uint64_t hash = (offset >> 3) * UINT64_C(0x9e3779b97f4a7c15);
    struct mp__bucket *bucket = &mp__header()->buckets[hash >> 56];
    for (uint32_t tries = 1; atomic_exchange_explicit(&bucket->lock, 1, memory_order_acquire); tries++)
        if (tries % 64 == 0)
            mp_os_yield();
        else
            pause_cpu();
    return bucket;
}

static void bucket_unlock(struct mp__bucket *bucket)
{
    atomic_store_explicit(&bucket->lock, 0, memory_order_release);
}

static void chain_leave(struct mp__bucket *bucket, struct mp__thread *thread, uint32_t number)
{
    uint32_t *link = &bucket->first;
    while (*link && *link != number) {
        struct mp__thread *other = mp__thread_at(*link);
        if (!other) return;
        link = &other->sleeping_next;
    }
    if (*link) *link = thread->sleeping_next;
    thread->sleeping = 0;
}

static int sleep_in_chain(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    struct mp__thread *self = mp__self.record;
    if (!self) { /* a newcomer, which waits for the arena's lock: there is no record to sleep with yet */
        mp_os_sleep(50000);
        return 0;
    }
    uint64_t offset = (uint64_t)((char *)word - (char *)mp__header());
    struct mp__bucket *bucket = bucket_lock(offset);
    if (atomic_load_explicit(word, memory_order_relaxed) != value) {
        bucket_unlock(bucket);
        return 0;
    }
    self->sleeping_on = offset;
    self->sleeping_next = bucket->first;
    self->sleeping = 1;
    bucket->first = mp__self.owner;
    bucket_unlock(bucket);
    int error = mp_os_sleeper_wait(self->sleeper, deadline);
    bucket = bucket_lock(offset);
    if (self->sleeping) chain_leave(bucket, self, mp__self.owner);
    bucket_unlock(bucket);
    return error == mp_os_etimedout ? MP_ETIMEDOUT : 0;
}

static void wake_from_chain(_Atomic uint32_t *word, uint32_t count)
{
    uint64_t offset = (uint64_t)((char *)word - (char *)mp__header());
    struct mp__bucket *bucket = bucket_lock(offset);
    uint32_t *link = &bucket->first;
    while (*link && count) {
        uint32_t number = *link;
        struct mp__thread *thread = mp__thread_at(number);
        if (!thread) break;
        if (thread->sleeping_on != offset) {
            link = &thread->sleeping_next;
            continue;
        }
        *link = thread->sleeping_next;
        thread->sleeping = 0;
        uint64_t name[2];
        mp__thread_sleeper_name(number, name);
        mp_os_sleeper_wake(thread->sleeper, name);
        count--;
    }
    bucket_unlock(bucket);
}

int mp__park_sleep(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    if (!mp_os_word_sleeps()) return sleep_in_chain(word, value, deadline);
    return mp_os_word_wait(word, value, deadline) == mp_os_etimedout ? MP_ETIMEDOUT : 0;
}

void mp__park_wake_word(_Atomic uint32_t *word, uint32_t count)
{
    if (mp_os_word_sleeps())
        mp_os_word_wake(word, count);
    else
        wake_from_chain(word, count);
}
