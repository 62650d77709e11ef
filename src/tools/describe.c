/* SPDX-License-Identifier: MIT
 *
 * describe.c - what things are called.
 */
#include "base/lockword.h"
#include "tools/show.h"

#include <stdio.h>
#include <stdlib.h>

struct top_words top_process_name(const struct top_family *family, uint64_t id)
{
    const struct top_process *process = top_process_of(family, id);
    struct top_words words = {"?"};
    if (process) top_clean(process->name, sizeof process->name - 1, words.at, sizeof words.at);
    return words;
}

struct top_words top_object_name(const struct top_object *object)
{
    struct top_words words = {""};
    bool side = top_type(object) == MP__PUT_SIDE || top_type(object) == MP__GET_SIDE; /* they have none */
    if (!side) top_clean(object->block.name, MP__NAME_SIZE, words.at, sizeof words.at);
    return words;
}

static void describe(const struct top_object *object, struct top_words *words)
{
    const char *type = top_type_name(top_type(object));
    struct top_words name = top_object_name(object);
    if (*name.at)
        (void)snprintf(words->at, sizeof words->at, "%s \"%.200s\"", type, name.at);
    else
        (void)snprintf(words->at, sizeof words->at, "%s #%u", type, (unsigned)(object->id & MP__INDEX_MASK));
}

struct top_words top_object_words(const struct top_family *family, uint64_t id)
{
    struct top_words words = {"something"};
    const struct top_object *object = top_object_of(family, id);
    if (!object) return words;
    const struct top_object *whose = object->whose ? top_object_of(family, object->whose) : NULL;
    if (!whose) {
        describe(object, &words);
    } else if (top_type(object) == MP__LOCK || top_type(object) == MP__RLOCK) {
        struct top_words of;
        describe(whose, &of);
        (void)snprintf(words.at, sizeof words.at, "the lock of %.350s", of.at);
    } else {
        describe(whose, &words);
    }
    return words;
}

const char *top_wait_name(enum top_wait wait)
{
    static const char *const names[] = {
        [TOP_AWAKE] = "nothing",       [TOP_WAITS_LOCK] = "lock",     [TOP_WAITS_ITEM] = "item",
        [TOP_WAITS_ROOM] = "room",     [TOP_WAITS_DONE] = "done",     [TOP_WAITS_UNIT] = "unit",
        [TOP_WAITS_SET] = "event",     [TOP_WAITS_NOTIFY] = "notify", [TOP_WAITS_PARTIES] = "parties",
        [TOP_WAITS_RESULT] = "result", [TOP_WAITS_WORK] = "work",     [TOP_WAITS_END] = "end",
        [TOP_WAITS_START] = "start",   [TOP_WAITS_ANY] = "any",       [TOP_WAITS_OTHER] = "other",
    };
    return names[wait];
}

struct top_words top_wait_words(const struct top_family *family, const struct top_thread *thread)
{
    struct top_words words, object = top_object_words(family, thread->object);
    const struct top_object *found = top_object_of(family, thread->object);
    const char *before = "";
    switch (thread->wait) {
    case TOP_WAITS_LOCK:
        if (found && top_type(found) != MP__LOCK && top_type(found) != MP__RLOCK) before = "a turn at ";
        break;
    case TOP_WAITS_ITEM:
        before = found && top_type(found) == MP__CONNECTION ? "a message of " : "an item of ";
        break;
    case TOP_WAITS_ROOM:
        before = "room in ";
        break;
    case TOP_WAITS_DONE:
        before = "the work on items of ";
        break;
    case TOP_WAITS_RESULT: {
        uint64_t pool = found ? atomic_load_explicit(&found->block.as.result.pool, memory_order_relaxed) : 0;
        object = top_object_words(family, pool);
        before = "a result of ";
        break;
    }
    case TOP_WAITS_WORK:
        before = "work of ";
        break;
    case TOP_WAITS_END:
        object = top_process_name(family, thread->object);
        before = "the end of ";
        break;
    case TOP_WAITS_START:
        object = top_process_name(family, thread->object);
        before = "the start of ";
        break;
    case TOP_WAITS_ANY:
        (void)snprintf(object.at, sizeof object.at, "any of several things");
        break;
    case TOP_WAITS_PARTIES:
        if (!found) break;
        (void)snprintf(words.at, sizeof words.at, "%.300s, %u of %u there", object.at,
                       (unsigned)atomic_load_explicit(&found->block.as.barrier.arrived, memory_order_relaxed),
                       (unsigned)found->block.as.barrier.parties);
        return words;
    default:
        break;
    }
    (void)snprintf(words.at, sizeof words.at, "%s%.370s", before, object.at);
    return words;
}

const char *top_state_name(const struct top_process *process)
{
    static const char *const names[] = {
        [TOP_STARTING] = "starting", [TOP_ALIVE] = "alive", [TOP_RUNNING] = "running", [TOP_ASLEEP] = "asleep",
        [TOP_STOPPED] = "stopped",   [TOP_DEAD] = "dead",   [TOP_ENDED] = "ended",
    };
    return names[process->state];
}

const char *top_method_name(uint32_t method)
{
    static const char *const names[] = {"", "fork", "spawn", "forkserver"};
    return method < sizeof names / sizeof *names ? names[method] : "?";
}

const char *top_pool_state_name(uint64_t state)
{
    static const char *const names[] = {"open", "closed", "terminated", "ended"};
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

bool top_rests(const struct top_family *family, const struct top_thread *thread)
{
    if (thread->wait == TOP_WAITS_WORK) return true;
    const struct top_process *process = thread->wait == TOP_WAITS_ANY ? top_process_of(family, thread->process) : NULL;
    const struct top_pool *pool = process && process->pool ? top_pool_of(family, process->pool) : NULL;
    return pool && pool->supervisor == process->id;
}

bool top_channel_of(const struct top_family *family, const struct top_object *put, struct top_channel *channel)
{
    const struct top_object *get = top_type(put) == MP__PUT_SIDE ? top_other_side(family, put) : NULL;
    if (!get) return false;
    const struct top_object *object = top_object_of(family, put->whose), *other = top_object_of(family, get->whose);
    bool reversed = object && other && (object->id & MP__INDEX_MASK) > (other->id & MP__INDEX_MASK);
    if (!object) object = other;
    if (!object) return false;
    uint64_t in = atomic_load_explicit(&top_side(put)->bytes, memory_order_relaxed);
    uint64_t out = atomic_load_explicit(&top_side(get)->bytes, memory_order_relaxed);
    int32_t items = (int32_t)(top_items(put) - top_items(get));
    *channel = (struct top_channel){.put = put,
                                    .get = get,
                                    .object = object,
                                    .items = items > 0 ? (uint32_t)items : 0,
                                    .bytes = in > out ? in - out : 0,
                                    .pipe = top_type(object) == MP__CONNECTION,
                                    .reversed = reversed};
    return true;
}

/* Those whose moment is known, the longest first; then the others. */
static int compare_waits(const void *one, const void *other)
{
    const struct top_thread *a = ((const struct top_waiting *)one)->thread;
    const struct top_thread *b = ((const struct top_waiting *)other)->thread;
    int64_t since_a = a->since ? a->since : INT64_MAX, since_b = b->since ? b->since : INT64_MAX;
    if (since_a != since_b) return since_a < since_b ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

bool top_waits_list(const struct top_family *family, bool all, struct top_waits *waits)
{
    *waits = (struct top_waits){.at = malloc((family->thread_count + 1) * sizeof *waits->at)};
    if (!waits->at) return false;
    for (size_t i = 0; i < family->thread_count; i++) {
        const struct top_thread *thread = &family->threads[i];
        if (thread->wait != TOP_AWAKE && (all || !top_rests(family, thread))) waits->at[waits->count++].thread = thread;
    }
    if (waits->count > 1) qsort(waits->at, waits->count, sizeof *waits->at, compare_waits);
    return true;
}

uint64_t top_reserved(const struct top_family *family)
{
    uint64_t sum = family->regions[MP__REGION_PROCESSES].offset + family->backed;
    for (int i = 0; i < MP__REGION_HEAP; i++) sum += family->regions[i].committed;
    return sum;
}

uint64_t top_object_count(const struct top_family *family)
{
    uint64_t sum = 0;
    for (int type = MP__LOCK; type <= MP__RESULT; type++) sum += family->counts[type];
    return sum;
}
