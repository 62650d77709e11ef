/* SPDX-License-Identifier: MIT
 *
 * waiter.c - waiting to be told, and telling.
 */
#include "base/waiter.h"
#include "base/deadline.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/recover.h"
#include "base/thread.h"

#define ASLEEP UINT32_C(0x80000000)
#define TOLD   UINT32_C(0x70000000)
#define TURN   UINT32_C(0x0fffffff)

static enum mp__told told_of(uint32_t word)
{
    return (enum mp__told)((word & TOLD) >> 28);
}

static uint32_t with_told(uint32_t word, enum mp__told told)
{
    return (word & ~TOLD) | (uint32_t)told << 28;
}

/* Nobody can tell it anything. */
static uint32_t closed(uint32_t word)
{
    return with_told(word, MP__TOLD_CLOSED);
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

uint64_t mp__waiter_ticket(void)
{
    return atomic_fetch_add_explicit(&mp__header()->ticket, 1, memory_order_relaxed) + 1;
}

void mp__waiter_begin(uint64_t object, uint64_t ticket)
{
    struct mp__thread *self = mp__self.record;
    uint32_t turn = (atomic_load_explicit(&self->told, memory_order_relaxed) + 1) & TURN;
    atomic_store_explicit(&self->told, turn, memory_order_release); /* W1 */
    atomic_store_explicit(&self->ticket, ticket, memory_order_release);
    atomic_store_explicit(&self->waits_for, object, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst); /* W5 */
}

enum mp__told mp__waiter_end(void)
{
    struct mp__thread *self = mp__self.record;
    uint32_t turn = (atomic_load_explicit(&self->told, memory_order_relaxed) + 1) & TURN;
    uint32_t last = atomic_exchange_explicit(&self->told, closed(turn), memory_order_acq_rel); /* W1, W2 */
    atomic_store_explicit(&self->waits_for, 0, memory_order_release);
    return told_of(last);
}

static void spin_until_told(_Atomic uint32_t *word)
{
    struct mp__spin spin = mp__spin_begin();
    bool paid = false;
    while (!paid && mp__spin_again(&spin)) paid = atomic_load_explicit(word, memory_order_relaxed) & TOLD;
    mp__spin_end(&spin, paid);
}

static void sleep_until_told(_Atomic uint32_t *word, int64_t deadline)
{
    uint32_t seen = atomic_fetch_or_explicit(word, ASLEEP, memory_order_relaxed) | ASLEEP; /* W3 */
    if (!(seen & TOLD)) mp__janitor_sleep(word, seen, deadline);
    atomic_fetch_and_explicit(word, ~ASLEEP, memory_order_relaxed);
}

/* Should one who waits for the same be dead, what that has been told is this one's business. */
static void look_at_others(uint64_t object)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        if (thread && thread != mp__self.record &&
            atomic_load_explicit(&thread->waits_for, memory_order_acquire) == object)
            (void)mp__recover_if_dead(number, true);
    }
}

/* MP__TOLD_LOOK is heard once. */
static enum mp__told hear(_Atomic uint32_t *word)
{
    uint32_t seen = atomic_load_explicit(word, memory_order_acquire); /* W2 */
    while (told_of(seen) == MP__TOLD_LOOK)
        if (atomic_compare_exchange_weak_explicit(word, &seen, seen & ~TOLD, memory_order_acquire,
                                                  memory_order_acquire))
            return MP__TOLD_LOOK;
    return told_of(seen);
}

enum mp__told mp__waiter_wait(int64_t deadline)
{
    struct mp__thread *self = mp__self.record;
    enum mp__told told = hear(&self->told);
    if (told) return told;
    if (mp__deadline_passed(deadline)) return MP__TOLD_NOTHING;
    spin_until_told(&self->told);
    told = hear(&self->told);
    if (told || mp__deadline_passed(deadline)) return told;
    sleep_until_told(&self->told, deadline);
    told = hear(&self->told);
    if (told || mp__deadline_passed(deadline)) return told;
    look_at_others(atomic_load_explicit(&self->waits_for, memory_order_relaxed));
    return MP__TOLD_LOOK;
}

/* ---- telling --------------------------------------------------------------------------------------------------- */

struct message {
    uint64_t object, tickets;
    enum mp__told told;
    bool later;
    bool bits; /* tickets is a set of them */
};

static bool is_meant(uint64_t ticket, const struct message *message)
{
    return message->bits ? (ticket & message->tickets) != 0 : ticket <= message->tickets;
}

/* Whether it waits for that, and has not been told yet; *word is what it sleeps on then. */
static bool waits(const struct mp__thread *thread, const struct message *message, uint32_t *word)
{
    *word = atomic_load_explicit(&thread->told, memory_order_acquire); /* W1 */
    return atomic_load_explicit(&thread->waits_for, memory_order_acquire) == message->object &&
           is_meant(atomic_load_explicit(&thread->ticket, memory_order_acquire), message) &&
           told_of(*word) <= MP__TOLD_LOOK;
}

/* Those that are to be woken later; more than these are woken at once. */
#define CALLS_MOST 16
static _Thread_local uint32_t calls[CALLS_MOST];

void mp__waiters_call(void)
{
    while (mp__self.calls) {
        struct mp__thread *thread = mp__thread_at(calls[--mp__self.calls]);
        if (thread) (void)mp__park_wake_word(&thread->told, 1);
    }
}

static void call(struct mp__thread *thread, uint32_t number, bool later)
{
    if (later && mp__self.calls < CALLS_MOST)
        calls[mp__self.calls++] = number;
    else
        (void)mp__park_wake_word(&thread->told, 1);
}

static bool tell(uint32_t number, const struct message *message)
{
    struct mp__thread *thread = mp__thread_at(number);
    uint32_t seen;
    do {
        if (!thread || !waits(thread, message, &seen)) return false;
        if (told_of(seen) == message->told) { /* by one who may have died before he woke it */
            if (seen & ASLEEP) call(thread, number, message->later);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&thread->told, &seen, with_told(seen, message->told),
                                                    memory_order_release, memory_order_relaxed)); /* W1, W2 */
    if (seen & ASLEEP) call(thread, number, message->later);
    return true;
}

/* The one that has the lowest ticket above that; 0: nobody. */
static uint32_t next_in_line(const struct message *message, uint64_t *above)
{
    uint32_t next = 0, word;
    uint64_t lowest = 0;
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        if (!thread || !waits(thread, message, &word)) continue;
        uint64_t ticket = atomic_load_explicit(&thread->ticket, memory_order_relaxed);
        if (ticket <= *above || (next && ticket >= lowest)) continue;
        next = number;
        lowest = ticket;
    }
    *above = lowest;
    return next;
}

static uint32_t tell_some(const struct message *message, uint32_t count)
{
    uint32_t done = 0, number;
    uint64_t above = 0;
    atomic_thread_fence(memory_order_seq_cst); /* W5 */
    if (count == MP__WAITERS_ALL) {
        for (number = 1; number <= mp__thread_top(); number++) done += tell(number, message);
        return done;
    }
    while (done < count && (number = next_in_line(message, &above)) != 0)
        done += !mp__thread_is_dead(number, false) && tell(number, message);
    return done;
}

uint32_t mp__waiters_tell(uint64_t object, uint64_t tickets, uint32_t count, enum mp__told told)
{
    return tell_some(&(struct message){.object = object, .tickets = tickets, .told = told}, count);
}

uint32_t mp__waiters_tell_later(uint64_t object, uint64_t tickets, uint32_t count, enum mp__told told)
{
    return tell_some(&(struct message){.object = object, .tickets = tickets, .told = told, .later = true}, count);
}

void mp__waiters_tell_watchers(uint64_t object, uint64_t bits)
{
    (void)tell_some(&(struct message){.object = object, .tickets = bits, .told = MP__TOLD_LOOK, .bits = true},
                    MP__WAITERS_ALL);
}

/* What each waits for; 0: nothing. */
static uint64_t object_of(uint32_t number)
{
    const struct mp__thread *thread = mp__thread_at(number);
    return thread ? atomic_load_explicit(&thread->waits_for, memory_order_acquire) : 0;
}

/* The lock that a waiter needs to go on; 0: it waits for no condition. */
static uint64_t lock_of(uint64_t object)
{
    const struct mp__control *control = mp__control_of(object, MP__CONDITION);
    return control ? control->as.condition.lock : 0;
}

void mp__waiters_lost_lock(uint64_t lock)
{
    atomic_thread_fence(memory_order_seq_cst); /* W5 */
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        uint64_t object = object_of(number);
        if (object && lock_of(object) == lock)
            (void)tell(number, &(struct message){.object = object, .tickets = MP__TICKETS_ALL, .told = MP__TOLD_LOOK});
    }
    mp__waiters_call();
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

void mp__waiters_lost(struct mp__control *barrier, uint64_t id, uint64_t round)
{
    uint64_t lost = atomic_load_explicit(&barrier->as.barrier.lost, memory_order_relaxed);
    while (lost < round && !atomic_compare_exchange_weak_explicit(&barrier->as.barrier.lost, &lost, round,
                                                                  memory_order_release, memory_order_relaxed)) {}
    (void)mp__waiters_tell(id, MP__TICKETS_ALL, MP__WAITERS_ALL, MP__TOLD_LOOK);
}

static void pass_on(struct mp__thread *dead)
{
    uint64_t object = atomic_load_explicit(&dead->waits_for, memory_order_acquire);
    struct mp__control *control = object ? mp__control_any(object) : NULL;
    if (!control) return;
    uint32_t word = atomic_load_explicit(&dead->told, memory_order_acquire);
    while (told_of(word) <= MP__TOLD_LOOK) /* nobody shall tell it from here on */
        if (atomic_compare_exchange_weak_explicit(&dead->told, &word, closed(word), memory_order_acq_rel,
                                                  memory_order_acquire))
            break;
    switch (atomic_load_explicit(&control->type, memory_order_relaxed)) {
    case MP__CONDITION:
    case MP__OWNED_SEMAPHORE:
        if (told_of(word) == MP__TOLD_GO) /* W4 */
            (void)mp__waiters_tell(object, MP__TICKETS_ALL, 1, MP__TOLD_GO);
        break;
    case MP__BARRIER: {
        uint64_t ticket = atomic_load_explicit(&dead->ticket, memory_order_relaxed);
        if (ticket != MP__TICKETS_ALL) mp__waiters_lost(control, object, ticket); /* else it had not arrived */
        break;
    }
    default:
        break;
    }
}

/* Who was told something, and sleeps. */
static bool wake_told(uint32_t number)
{
    struct mp__thread *thread = mp__thread_at(number);
    uint32_t word = atomic_load_explicit(&thread->told, memory_order_acquire);
    if (told_of(word) && word & ASLEEP) (void)mp__park_wake_word(&thread->told, 1); /* W3 */
    return told_of(word);
}

void mp__waiters_call_all(void)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++)
        if (object_of(number)) (void)wake_told(number);
}

void mp__waiters_after_death(struct mp__thread *dead)
{
    pass_on(dead);
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        uint64_t object = object_of(number);
        if (!object || mp__thread_at(number) == dead || wake_told(number)) continue;
        uint64_t lock = lock_of(object);
        if (mp__control_is_over(object) || (lock && mp__control_is_over(lock)))
            (void)tell(number, &(struct message){.object = object, .tickets = MP__TICKETS_ALL, .told = MP__TOLD_LOOK});
    }
    atomic_store_explicit(&dead->waits_for, 0, memory_order_release);
}
