/* SPDX-License-Identifier: MIT
 *
 * deadlock.c - looking for circles of waiters.
 *
 * A circle is looked through twice. What has not changed in between was true all at once: a thread that waits takes no other
 * lock, so what it held when it was seen waiting again it held when it was seen waiting first. (One whose time was over, and
 * who came back in between, may deceive who counts such waits, too.)
 */
#include "base/deadlock.h"
#include "base/control.h"
#include "base/error.h"
#include "base/family.h"
#include "base/lockword.h"
#include "base/park.h"
#include "base/thread.h"

#include <stdio.h>

#define MOST 64 /* longer ones are not reported */

/* A lock, and who has it. */
struct link {
    uint64_t state, place; /* of the lock word in the arena */
    uint32_t owner;
};

static const struct mp__control *control_of(const struct link *link)
{
    /* A state is the first thing in its control block, and an even place. */
    return (const struct mp__control *)(void *)mp__arena_word(link->place & ~UINT64_C(7));
}

/* It was killed: what it holds is free before long. */
static bool is_being_killed(const struct mp__thread *thread)
{
    uint64_t id = atomic_load_explicit(&thread->process, memory_order_relaxed);
    const struct mp__process *process = mp__process_of(id);
    return process && mp__process_expected(process, id);
}

/* Where the word lies that a thread waits for; 0: it does not wait for a lock, or not for ever, if that counts. */
static uint64_t place_waited_for(uint32_t number, bool forever)
{
    const struct mp__thread *thread = mp__thread_at(number);
    if (thread && is_being_killed(thread)) return 0;
    for (int i = MP__INTENTS; thread && i-- > 0;) {
        uint64_t intent = atomic_load_explicit(&thread->intents[i], memory_order_seq_cst);
        if (intent & MP__INTENT_WAITS)
            return forever && !(intent & MP__INTENT_FOREVER) ? 0 : intent & ~MP__INTENT_FLAGS;
    }
    return 0;
}

/* From the lock at that place to one that this thread has: how many links, or 0. */
static size_t follow(uint64_t place, bool forever, struct link *links)
{
    for (size_t count = 0; place && count < MOST; place = place_waited_for(links[count++].owner, forever)) {
        links[count] = (struct link){.place = place};
        const struct mp__control *control = control_of(&links[count]);
        if (!control) return 0;
        links[count].state = atomic_load_explicit(&control->state, memory_order_seq_cst);
        links[count].owner = (uint32_t)links[count].state & MP__LOCK_OWNER;
        if (!links[count].owner) return 0;
        if (links[count].owner == mp__self.owner) return count + 1;
    }
    return 0;
}

static bool same(const struct link *one, const struct link *other, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (one[i].place != other[i].place || one[i].owner != other[i].owner ||
            mp__generation_of(one[i].state) != mp__generation_of(other[i].state))
            return false;
    return true;
}

/* ---- telling --------------------------------------------------------------------------------------------------- */

struct text {
    char at[384];
    size_t size;
};

static void add(struct text *text, const char *format, const char *one, const char *two)
{
    size_t room = sizeof text->at - text->size;
    int size = snprintf(text->at + text->size, room, format, one, two);
    if (size > 0) text->size += (size_t)size < room ? (size_t)size : room - 1;
}

static void add_owner(struct text *text, uint32_t number)
{
    const struct mp__thread *thread = mp__thread_at(number);
    uint64_t id = thread ? atomic_load_explicit(&thread->process, memory_order_relaxed) : 0;
    const struct mp__process *process = id ? mp__process_of(id) : NULL;
    const char *name = process ? process->name : "a process";
    if (number == mp__self.owner)
        add(text, "held by this thread of %s%s", name, "");
    else
        add(text, "held by %s%s", id == mp__family_id() ? "another thread of " : "", name);
}

static void describe(const char *call, const struct link *links, size_t count)
{
    struct text text = {.size = 0};
    for (size_t i = 0; i < count; i++) {
        const struct mp__control *control = control_of(&links[i]);
        const char *type = mp__type_name((enum mp__type)atomic_load_explicit(&control->type, memory_order_relaxed));
        add(&text, i ? ", which waits for %s \"%s\", " : "%s \"%s\" is ", type ? type : "lock", control->name);
        add_owner(&text, links[i].owner);
    }
    (void)mp__fail(MP_EDEADLK, "%s: a circle of waiters: %s", call, text.at);
}

bool mp__deadlock_found(const struct mp__detect *detect, _Atomic uint64_t *state)
{
    struct link links[MOST], again[MOST];
    uint64_t place = (uint64_t)((char *)mp__word_of(state) - (char *)mp__header());
    atomic_thread_fence(memory_order_seq_cst);            /* what this thread waits for is written down */
    size_t count = follow(place, detect->forever, links); /* 0: there is none */
    if (count < detect->least || follow(place, detect->forever, again) != count || !same(links, again, count))
        return false;
    describe(detect->call, links, count);
    return true;
}
