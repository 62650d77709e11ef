/* SPDX-License-Identifier: MIT
 *
 * relate.c - what follows from what was seen: who waits for what, who has it and since when, and how quickly things go on.
 */
#include "base/lockword.h"
#include "base/watch.h"
#include "tools/family.h"

#define FIELD_BELL  offsetof(struct mp__side, bell)
#define FIELD_DONE  offsetof(struct mp__side, most) /* of a get side: who waits until all is done */
#define FIELD_STATE 8                               /* below that: the word of the state */

static double seconds_between(const struct top_family *before, const struct top_family *now)
{
    return now->when > before->when ? (double)(now->when - before->when) / 1e9 : 0;
}

static bool lives(const struct top_process *process)
{
    return process && process->state != TOP_ENDED && process->state != TOP_DEAD;
}

/* ---- what belongs to what ---------------------------------------------------------------------------------------- */

static void name_lock(struct top_family *family, const struct top_object *owner, uint64_t lock)
{
    struct top_object *object = top_object_of(family, lock);
    if (object && (top_type(object) == MP__LOCK || top_type(object) == MP__RLOCK)) object->whose = owner->id;
}

static void find_parts(struct top_family *family)
{
    for (size_t i = 0; i < family->object_count; i++) {
        struct top_object *object = &family->objects[i];
        const struct mp__control *block = &object->block;
        switch (top_type(object)) {
        case MP__PUT_SIDE:
        case MP__GET_SIDE:
            object->whose = atomic_load_explicit(&top_side(object)->object, memory_order_relaxed);
            break;
        case MP__VALUE:
        case MP__ARRAY:
            if (block->as.data.own_lock) name_lock(family, object, block->as.data.lock);
            break;
        case MP__CONDITION:
            if (block->as.condition.own_lock) name_lock(family, object, block->as.condition.lock);
            break;
        default:
            break;
        }
    }
}

struct top_object *top_other_side(const struct top_family *family, const struct top_object *side)
{
    enum mp__type other = top_type(side) == MP__PUT_SIDE ? MP__GET_SIDE : MP__PUT_SIDE;
    struct top_object *found =
        top_object_of(family, atomic_load_explicit(&top_side(side)->other, memory_order_relaxed));
    return found && top_type(found) == other ? found : NULL;
}

uint32_t top_items(const struct top_object *side)
{
    return (uint32_t)(atomic_load_explicit(&top_side(side)->at, memory_order_relaxed) >> 32);
}

/* ---- what a thread waits for ------------------------------------------------------------------------------------- */

/* Of an object, by the field that is slept on. */
static void wait_of(const struct top_family *family, struct top_object *object, uint64_t field,
                    struct top_thread *thread)
{
    static const enum top_wait of_state[MP__TYPE_COUNT] = {
        [MP__SEMAPHORE] = TOP_WAITS_UNIT, [MP__EVENT] = TOP_WAITS_SET, [MP__RESULT] = TOP_WAITS_RESULT};
    enum mp__type type = top_type(object);
    bool put = type == MP__PUT_SIDE, side = put || type == MP__GET_SIDE;
    if (field == FIELD_BELL && side)
        thread->wait = put ? TOP_WAITS_ITEM : TOP_WAITS_ROOM;
    else if (field == FIELD_BELL && type == MP__POOL)
        thread->wait = TOP_WAITS_WORK;
    else if (field == FIELD_DONE && side)
        thread->wait = TOP_WAITS_DONE;
    else if (field < FIELD_STATE)
        thread->wait = of_state[type] ? of_state[type] : TOP_WAITS_LOCK;
    else
        thread->wait = TOP_WAITS_OTHER;
    thread->object = side && object->whose ? object->whose : object->id;
    /* Channels are told of by their put sides. */
    struct top_object *counts = side && !put ? top_other_side(family, object) : object;
    if (!counts) return;
    bool gets = thread->wait == TOP_WAITS_ITEM || (thread->wait == TOP_WAITS_LOCK && !put);
    bool puts = thread->wait == TOP_WAITS_ROOM || thread->wait == TOP_WAITS_LOCK;
    uint32_t *count = side && gets ? &counts->getters : side && puts ? &counts->putters : &counts->waiters;
    ++*count;
    if (thread->since && (!counts->longest || thread->since < counts->longest)) counts->longest = thread->since;
}

static void wait_at(const struct top_family *family, uint64_t place, struct top_thread *thread)
{
    uint64_t offset = 0;
    switch (top_region_of(family, place, &offset)) {
    case MP__REGION_CONTROLS: {
        const uint64_t tag = (uint64_t)family->tag << 24, index = offset / sizeof(struct mp__control);
        for (size_t low = 0, high = family->object_count; low < high;) { /* of whatever generation */
            size_t middle = (low + high) / 2;
            uint64_t there = (uint32_t)family->objects[middle].id - tag;
            if (there == index) {
                wait_of(family, &family->objects[middle], offset % sizeof(struct mp__control), thread);
                return;
            }
            if (there < index)
                low = middle + 1;
            else
                high = middle;
        }
        break;
    }
    case MP__REGION_PROCESSES:
        if (!top_process_of(family, thread->record)) break;
        thread->wait = thread->starts ? TOP_WAITS_START : TOP_WAITS_END;
        thread->object = thread->record;
        return;
    default:
        break;
    }
    thread->wait = TOP_WAITS_OTHER;
}

static void wait_told(const struct top_family *family, struct top_thread *thread)
{
    struct top_object *object = top_object_of(family, thread->waits_for);
    enum mp__type type = object ? top_type(object) : MP__FREE;
    thread->wait = thread->waits_for == MP__WATCHES ? TOP_WAITS_ANY
                   : type == MP__CONDITION          ? TOP_WAITS_NOTIFY
                   : type == MP__BARRIER            ? TOP_WAITS_PARTIES
                   : type == MP__OWNED_SEMAPHORE    ? TOP_WAITS_UNIT
                                                    : TOP_WAITS_OTHER;
    if (!object) return;
    thread->object = object->id;
    object->waiters++;
    if (thread->since && (!object->longest || thread->since < object->longest)) object->longest = thread->since;
}

/* It does not sleep on a word of the family's: for the end of a process the system tells it, for one. */
static void wait_idle(const struct top_family *family, struct top_thread *thread)
{
    struct top_object *side = top_object_of(family, thread->idles);
    if (side) {
        if (top_type(side) == MP__PUT_SIDE || top_type(side) == MP__GET_SIDE) wait_of(family, side, FIELD_BELL, thread);
    } else if (top_process_of(family, thread->idles)) {
        thread->wait = TOP_WAITS_END;
        thread->object = thread->idles;
    }
}

/* Who wakes now and then to look for itself has waited on. */
static int64_t since_before(const struct top_family *before, const struct top_thread *thread)
{
    const struct top_thread *then = before ? top_thread_of(before, thread->number) : NULL;
    if (!then || then->stamp != thread->stamp || then->intent != thread->intent || then->idles != thread->idles ||
        then->waits_for != thread->waits_for || then->wait == TOP_AWAKE)
        return 0;
    return then->since ? then->since : before->when;
}

static void find_wait(const struct top_family *before, const struct top_family *family, struct top_thread *thread)
{
    uint64_t offset;
    if (!lives(top_process_of(family, thread->process))) return;
    bool told = thread->waits_for &&
                (!thread->asleep_on || top_region_of(family, thread->asleep_on, &offset) == MP__REGION_THREADS);
    if (!thread->asleep_on && !thread->intent && !thread->idles && !told) return;
    bool known = thread->asleep_on && thread->asleep_since > 0 && thread->asleep_since <= family->when;
    thread->since = known ? thread->asleep_since : since_before(before, thread);
    if (thread->intent)
        wait_at(family, thread->intent, thread);
    else if (told)
        wait_told(family, thread);
    else if (thread->asleep_on)
        wait_at(family, thread->asleep_on, thread);
    else
        wait_idle(family, thread);
}

/* ---- who has a lock ---------------------------------------------------------------------------------------------- */

const struct top_thread *top_owner(const struct top_family *family, const struct top_object *object)
{
    return top_thread_of(family, top_word(object) & MP__LOCK_OWNER);
}

/* An owner that has taken no lock since has it still. One that sleeps has taken none since it fell asleep (park.c). */
static void find_holder(const struct top_family *before, const struct top_family *now, struct top_object *object)
{
    const struct top_thread *owner = top_owner(now, object);
    if (!owner) return;
    object->holder = owner->stamp;
    object->taken = owner->taken;
    object->held_since = object->seen_since = now->when;
    const struct top_object *then = before ? top_object_of(before, object->id) : NULL;
    if (then && then->holder == object->holder) {
        object->seen_since = then->seen_since;
        object->certain = then->taken == object->taken;
        if (object->certain) object->held_since = then->held_since;
    }
    if (owner->asleep_on && owner->asleep_since > 0 && owner->asleep_since < now->begun) {
        object->certain = true;
        if (owner->asleep_since < object->held_since) object->held_since = owner->asleep_since;
    }
    if (object->held_since < object->seen_since) object->seen_since = object->held_since;
}

/* ---- circles ----------------------------------------------------------------------------------------------------- */

static bool has_waited(const struct top_family *before, const struct top_thread *thread)
{
    const struct top_thread *then = before ? top_thread_of(before, thread->number) : NULL;
    return !before || (then && then->stamp == thread->stamp && then->taken == thread->taken &&
                       then->wait == thread->wait && then->object == thread->object);
}

/* The thread that this one waits for. */
static const struct top_thread *next_of(const struct top_family *family, const struct top_thread *thread)
{
    const struct top_object *object = top_object_of(family, thread->object);
    if (thread->wait == TOP_WAITS_LOCK)
        return object && (top_type(object) == MP__LOCK || top_type(object) == MP__RLOCK) ? top_owner(family, object)
                                                                                         : NULL;
    const struct top_process *process = thread->wait == TOP_WAITS_END ? top_process_of(family, thread->object) : NULL;
    return process && process->threads == 1 ? top_thread_of(family, process->thread) : NULL;
}

size_t top_circle(const struct top_family *before, const struct top_family *now, const struct top_thread *first,
                  const struct top_thread **circle)
{
    size_t count = 0;
    for (const struct top_thread *thread = first; thread && count < TOP_CIRCLE_MOST; thread = next_of(now, thread)) {
        if (count && thread == first) return count;
        if (thread->number < first->number || !has_waited(before, thread)) return 0;
        circle[count++] = thread;
    }
    return 0;
}

/* ---- rates ------------------------------------------------------------------------------------------------------- */

static void find_rates(const struct top_family *before, const struct top_family *now, struct top_object *put)
{
    double seconds = seconds_between(before, now);
    const struct top_object *get = top_other_side(now, put);
    const struct top_object *put_then = top_object_of(before, put->id);
    const struct top_object *get_then = get ? top_object_of(before, get->id) : NULL;
    if (seconds <= 0 || !get || !put_then || !get_then) return;
    put->put_rate = (uint32_t)(top_items(put) - top_items(put_then)) / seconds;
    put->get_rate = (uint32_t)(top_items(get) - top_items(get_then)) / seconds;
}

const struct top_pool *top_pool_of(const struct top_family *family, uint64_t id)
{
    size_t low = 0, high = family->pool_count;
    while (low < high) { /* they lie as their objects do */
        size_t middle = (low + high) / 2;
        if (family->pools[middle].id == id) return &family->pools[middle];
        if ((family->pools[middle].id & MP__INDEX_MASK) < (id & MP__INDEX_MASK))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void find_pool_rates(const struct top_family *before, const struct top_family *now, struct top_pool *pool)
{
    double seconds = seconds_between(before, now);
    const struct top_pool *then = top_pool_of(before, pool->id);
    pool->rate = -1;
    if (seconds <= 0 || !then) return;
    pool->rate = pool->done > then->done ? (double)(pool->done - then->done) / seconds : 0;
    for (uint32_t i = 0; i < pool->count && i < then->count; i++) {
        struct top_worker *worker = &pool->workers[i];
        const struct top_worker *was = &then->workers[i];
        if (!worker->process || worker->process != was->process) continue;
        /* What it does now is counted when that is over. */
        double busy = worker->busy > was->busy ? (double)(worker->busy - was->busy) / 1e9 / seconds : 0;
        if (worker->item && was->item && worker->busy == was->busy) busy = 1;
        worker->share = busy < 1 ? busy : 1;
    }
}

static void find_load(const struct top_family *before, struct top_family *now)
{
    double seconds = seconds_between(before, now);
    for (size_t i = 0; seconds > 0 && i < now->process_count; i++) {
        struct top_process *process = &now->processes[i];
        const struct top_process *then = top_process_of(before, process->id);
        if (then && then->cpu >= 0 && process->cpu >= then->cpu)
            process->load = (double)(process->cpu - then->cpu) / 1e9 / seconds;
    }
}

static struct top_process *process_of(struct top_family *now, uint64_t id)
{
    const struct top_process *found = top_process_of(now, id);
    return found ? &now->processes[found - now->processes] : NULL;
}

static void describe_processes(struct top_family *now)
{
    for (size_t i = 0; i < now->thread_count; i++) {
        struct top_process *process = process_of(now, now->threads[i].process);
        if (!process) continue;
        process->threads++;
        process->asleep += now->threads[i].wait != TOP_AWAKE;
        process->thread = now->threads[i].number;
    }
    for (size_t i = 0; now->processes && i < now->process_count; i++) { /* where the system does not tell */
        struct top_process *process = &now->processes[i];
        if (process->state == TOP_ALIVE && process->threads && process->asleep == process->threads)
            process->state = TOP_ASLEEP;
    }
    for (size_t i = 0; i < now->pool_count; i++) {
        const struct top_pool *pool = &now->pools[i];
        struct top_process *supervisor = process_of(now, pool->supervisor);
        if (supervisor) supervisor->pool = pool->id;
        for (uint32_t k = 0; k < pool->count; k++) {
            struct top_process *worker = process_of(now, pool->workers[k].process);
            if (worker) worker->pool = pool->id;
        }
    }
}

bool top_is_alive(const struct top_family *family)
{
    for (size_t i = 0; i < family->process_count; i++)
        if (lives(&family->processes[i])) return true;
    return false;
}

void top_family_relate(const struct top_family *before, struct top_family *now)
{
    if (now->kind != TOP_LIBMP) return;
    if (before && before->kind != TOP_LIBMP) before = NULL;
    find_parts(now);
    for (size_t i = 0; i < now->thread_count; i++) find_wait(before, now, &now->threads[i]);
    describe_processes(now);
    for (size_t i = 0; i < now->object_count; i++) {
        struct top_object *object = &now->objects[i];
        enum mp__type type = top_type(object);
        if (type == MP__LOCK || type == MP__RLOCK) find_holder(before, now, object);
        if (type == MP__PUT_SIDE && before) find_rates(before, now, object);
    }
    for (size_t i = 0; i < now->pool_count; i++) {
        now->pools[i].rate = -1;
        if (before) find_pool_rates(before, now, &now->pools[i]);
    }
    if (before) find_load(before, now);
}
