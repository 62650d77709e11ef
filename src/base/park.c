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
#include "base/repair.h"
#include "base/thread.h"
#include "base/trace.h"

#include <mp/error.h>
#include <signal.h>

/* ---- spinning -------------------------------------------------------------------------------------------------- */

#define SPIN_LEAST   INT64_C(1000)  /* ns */
#define SPIN_DEFAULT INT64_C(20000) /* less than what falling asleep and being woken cost together */
#define PAUSES_MOST  64u
#define PAUSES_CLOCK 8u /* from so many on the clock is looked at */

/* Two that wait for each other, and both sleep, each wait for as long as it takes to be woken: neither would ever learn that
 * spinning pays, were it not tried for longer now and then. */
#define TRY_EVERY 16u

static _Thread_local int64_t spin_average = SPIN_LEAST * 4; /* ns after which spins have paid */
static _Thread_local uint32_t spins;
static _Atomic int32_t cpus; /* 0: not asked yet */

static bool alone(void)
{
    int32_t count = atomic_load_explicit(&cpus, memory_order_relaxed);
    if (!count) {
        count = mp_os_cpu_count();
        atomic_store_explicit(&cpus, count, memory_order_relaxed);
    }
    return count == 1;
}

struct mp__spin mp__spin_begin_long(void)
{
    int64_t most = mp__header()->spin_ns;
    if (most == 0) most = SPIN_DEFAULT;
    if (most < 0 || alone()) return (struct mp__spin){.start = 0};
    return (struct mp__spin){.start = mp_os_now(), .limit = most, .pauses = 1};
}

struct mp__spin mp__spin_begin(void)
{
    struct mp__spin spin = mp__spin_begin_long();
    if (2 * spin_average < spin.limit && ++spins % TRY_EVERY) spin.limit = 2 * spin_average;
    return spin;
}

bool mp__spin_again(struct mp__spin *spin)
{
    if (!spin->start) return false;
    for (uint32_t i = 0; i < spin->pauses; i++) mp__pause();
    if (spin->pauses >= PAUSES_CLOCK && mp_os_now() - spin->start >= spin->limit) return false;
    if (spin->pauses < PAUSES_MOST) spin->pauses *= 2;
    return true;
}

bool mp__spin_again_soon(struct mp__spin *spin)
{
    if (!spin->start) return false;
    mp__pause();
    return ++spin->pauses % PAUSES_CLOCK || mp_os_now() - spin->start < spin->limit;
}

void mp__spin_end(struct mp__spin *spin, bool paid)
{
    if (!spin->start) return;
    int64_t more = paid ? mp_os_now() - spin->start - spin_average : -spin_average;
    spin_average += more > 0 ? more / 2 : more / 8;
    if (spin_average < SPIN_LEAST / 2) spin_average = SPIN_LEAST / 2;
}

/* ---- sleeping -------------------------------------------------------------------------------------------------- */

static struct mp__bucket *bucket_of(uint64_t offset)
{
    uint64_t hash = (offset >> 3) * UINT64_C(0x9e3779b97f4a7c15);
    return &mp__header()->buckets[(hash >> 32) % MP__PARK_BUCKETS];
}

static void wake(struct mp__thread *thread, uint32_t number)
{
    uint64_t name[2];
    mp__thread_sleeper_name(number, name);
    mp_os_sleeper_wake(thread->sleeper, name);
}

/* Whoever was here last died: the chain may be torn, and a wake lost. All who sleep here look for themselves. */
static void bucket_repair(struct mp__bucket *bucket)
{
    bucket->first = 0;
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        struct mp__thread *thread = mp__thread_at(number);
        /* S1: if it sleeps elsewhere, the word that is read here is that or a later one, never one of this bucket */
        if (!thread || !atomic_load_explicit(&thread->sleeping, memory_order_acquire) ||
            bucket_of(atomic_load_explicit(&thread->sleeping_on, memory_order_relaxed)) != bucket)
            continue;
        wake(thread, number);
        atomic_store_explicit(&thread->sleeping, 0, memory_order_relaxed);
    }
}

/* A signal handler must not wait for a bucket that the thread has which it interrupts: whom it would have woken there that
 * thread wakes when it has done. */
#define DUE_MOST 8
static _Thread_local struct {
    volatile sig_atomic_t inside, count;
    struct {
        _Atomic uint32_t *word;
        uint32_t count;
    } due[DUE_MOST];
} interrupted;

static uint32_t wake_from_chain(_Atomic uint32_t *word, uint32_t count);

static bool put_off(_Atomic uint32_t *word, uint32_t count)
{
    if (!interrupted.inside) return false;
    sig_atomic_t at = interrupted.count;
    for (sig_atomic_t i = 0; i < at; i++) {
        if (interrupted.due[i].word != word) continue;
        interrupted.due[i].count = UINT32_MAX;
        return true;
    }
    if (at == DUE_MOST) return true; /* they look for themselves before long */
    interrupted.due[at].word = word;
    interrupted.due[at].count = count;
    atomic_signal_fence(memory_order_seq_cst);
    interrupted.count = at + 1;
    return true;
}

static struct mp__bucket *bucket_lock(uint64_t offset)
{
    struct mp__bucket *bucket = bucket_of(offset);
    interrupted.inside = 1;
    atomic_signal_fence(memory_order_seq_cst);
    if (!mp_os_guard_acquire(bucket->guard, &mp__header()->inquiry)) {
        bucket_repair(bucket);
        mp_os_guard_repaired(bucket->guard);
    }
    return bucket;
}

static void bucket_unlock(struct mp__bucket *bucket)
{
    mp_os_guard_release(bucket->guard);
    atomic_signal_fence(memory_order_seq_cst);
    interrupted.inside = 0;
    atomic_signal_fence(memory_order_seq_cst);
    while (interrupted.count > 0) { /* a handler that comes now finds nobody inside, and adds nothing */
        sig_atomic_t last = interrupted.count - 1;
        _Atomic uint32_t *word = interrupted.due[last].word;
        uint32_t count = interrupted.due[last].count;
        interrupted.count = last;
        (void)wake_from_chain(word, count);
    }
}

/* The next link of a chain, or NULL. What a dead thread has left may lead round in a circle, or nowhere: a chain longer than
 * there are threads is none, and is repaired. */
static uint32_t *chain_next(struct mp__bucket *bucket, const uint32_t *link, uint32_t *length)
{
    struct mp__thread *thread = mp__thread_at(*link);
    if (thread && (*length)++ < mp__thread_top()) return &thread->sleeping_next;
    bucket_repair(bucket);
    return NULL;
}

static void chain_leave(struct mp__bucket *bucket, struct mp__thread *thread, uint32_t number)
{
    uint32_t *link = &bucket->first, length = 0;
    while (link && *link && *link != number) link = chain_next(bucket, link, &length);
    if (link && *link) *link = thread->sleeping_next;
    MP__THEN;
    atomic_store_explicit(&thread->sleeping, 0, memory_order_relaxed);
}

static void leave(uint64_t offset, struct mp__thread *thread, uint32_t number)
{
    struct mp__bucket *bucket = bucket_lock(offset);
    if (atomic_load_explicit(&thread->sleeping, memory_order_relaxed)) chain_leave(bucket, thread, number);
    bucket_unlock(bucket);
}

void mp__park_forget(struct mp__thread *thread, uint32_t number)
{
    if (atomic_load_explicit(&thread->sleeping, memory_order_acquire))
        leave(atomic_load_explicit(&thread->sleeping_on, memory_order_relaxed), thread, number);
}

#define BETWEEN_SLICES INT64_C(2000000) /* ns: no more than it takes to look */

/* Whoever sleeps on the same again after a slice of its time has slept all along; unless it has taken a lock meanwhile: what a
 * thread has that sleeps it has had since then. */
static _Thread_local struct {
    const _Atomic uint32_t *word;
    uint64_t taken;
    int64_t woke;
} sliced;

struct mp__span mp__park_asleep(const _Atomic uint32_t *word)
{
    struct mp__thread *self = mp__self.record;
    if (!self) return (struct mp__span){0, 0};
    int64_t now = mp_os_now();
    if (word != sliced.word || atomic_load_explicit(&self->taken, memory_order_relaxed) != sliced.taken ||
        now - sliced.woke > BETWEEN_SLICES)
        atomic_store_explicit(&self->asleep_since, (uint64_t)now, memory_order_relaxed);
    atomic_store_explicit(&self->asleep_on, (uint64_t)((const char *)word - (const char *)mp__header()),
                          memory_order_release); /* after the moment: who reads both reads this one first */
    return mp__trace_open();
}

void mp__park_awake(const struct mp__span *span, const _Atomic uint32_t *word, int error)
{
    struct mp__thread *self = mp__self.record;
    sliced.word = error == mp_os_etimedout ? word : NULL;
    if (!self) return;
    sliced.taken = atomic_load_explicit(&self->taken, memory_order_relaxed);
    if (sliced.word) sliced.woke = mp_os_now();
    atomic_store_explicit(&self->asleep_on, 0, memory_order_relaxed);
    if (span->begin) mp__trace_close(span, MP__TRACE_SLEEP, mp__trace_of_word(word), 0);
}

static int sleep_in_chain(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    struct mp__thread *self = mp__self.record;
    if (!self) { /* it has given up its record, to end */
        mp_os_sleep(50000);
        return 0;
    }
    uint64_t offset = (uint64_t)((char *)word - (char *)mp__header());
    struct mp__bucket *bucket = bucket_lock(offset);
    if (atomic_load_explicit(word, memory_order_relaxed) != value) {
        bucket_unlock(bucket);
        return 0;
    }
    atomic_store_explicit(&self->sleeping_on, offset, memory_order_relaxed);
    self->sleeping_next = bucket->first;
    atomic_store_explicit(&self->sleeping, 1, memory_order_release); /* S1 */
    MP__THEN;
    bucket->first = mp__self.owner;
    bucket_unlock(bucket);
    int error = mp_os_sleeper_wait(self->sleeper, deadline);
    leave(offset, self, mp__self.owner);
    return error;
}

static uint32_t wake_from_chain(_Atomic uint32_t *word, uint32_t count)
{
    uint32_t woken = 0;
    if (put_off(word, count)) return 1; /* for all that is known */
    uint64_t offset = (uint64_t)((char *)word - (char *)mp__header());
    struct mp__bucket *bucket = bucket_lock(offset);
    uint32_t *link = &bucket->first, length = 0;
    while (*link && woken < count) {
        uint32_t number = *link;
        struct mp__thread *thread = mp__thread_at(number);
        uint32_t *next = chain_next(bucket, link, &length);
        if (!next) { /* all of them are awake */
            woken = count;
            break;
        }
        if (atomic_load_explicit(&thread->sleeping_on, memory_order_relaxed) != offset) {
            link = next;
            continue;
        }
        wake(thread, number); /* first: it stays in the chain until that is done */
        MP__THEN;
        *link = *next;
        MP__THEN;
        atomic_store_explicit(&thread->sleeping, 0, memory_order_relaxed);
        woken++;
    }
    bucket_unlock(bucket);
    return woken;
}

int mp__park_sleep(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    struct mp__span span = mp__park_asleep(word);
    int error = mp_os_word_sleeps() ? mp_os_word_wait(word, value, deadline) : sleep_in_chain(word, value, deadline);
    mp__park_awake(&span, word, error);
    return error == mp_os_etimedout ? MP_ETIMEDOUT : 0;
}

bool mp__park_sleep_beside(void *life, _Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    void *const both[] = {mp__header()->janitor.life, life};
    bool beside_janitor = mp_os_life_lasts(both[0]), beside = life && mp_os_life_lasts(life);
    if (!mp_os_word_sleeps()) return false;
    if (life && mp_os_life_is_over(life)) return true; /* there is something to be done */
    struct mp__span span = mp__park_asleep(word);
    int error = mp_os_word_wait_beside(word, value, beside_janitor ? both : both + 1, (size_t)beside_janitor + beside,
                                       deadline);
    mp__park_awake(&span, word, error);
    if (beside && !mp_os_life_lasts(life)) mp_os_life_tell(life);
    if (beside_janitor && !mp_os_life_lasts(both[0])) mp_os_life_tell(both[0]);
    return error == 0 || error == mp_os_etimedout;
}

void mp__park_sleep_behind(uint32_t number, _Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    struct mp__thread *thread = mp__thread_at(number);
    if (!mp__park_sleep_beside(thread ? thread->life : NULL, word, value, deadline))
        (void)mp__park_sleep(word, value, deadline);
}

uint32_t mp__park_wake_word(_Atomic uint32_t *word, uint32_t count)
{
    return mp_os_word_sleeps() ? mp_os_word_wake(word, count) : wake_from_chain(word, count);
}
