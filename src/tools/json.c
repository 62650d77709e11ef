/* SPDX-License-Identifier: MIT
 *
 * json.c - the same for programs: a list of families. Times are seconds, rates a second; what is not known is null.
 */
#include "base/countword.h"
#include "base/lockword.h"
#include "primitives/flag.h"
#include "tools/show.h"

#include <stdlib.h>
#include <string.h>

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* What separates it from what stands before it. */
static void separate(struct top_out *out)
{
    if (!out->size) return;
    char last = out->at[out->size - 1];
    if (last != '[' && last != '{' && last != ':') top_add(out, ",");
}

static void add_string(struct top_out *out, const char *text)
{
    separate(out);
    top_add(out, "\"");
    while (*text) {
        size_t count = top_character(text);
        if (*text == '"' || *text == '\\')
            top_add(out, "\\%c", *text);
        else if (count)
            top_add_bytes(out, text, count);
        else if ((unsigned char)*text < 0x80)
            top_add(out, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            top_add(out, "\\ufffd");
        text += count ? count : 1;
    }
    top_add(out, "\"");
}

static void add_key(struct top_out *out, const char *key)
{
    separate(out);
    top_add(out, "\"%s\":", key);
}

static void key_string(struct top_out *out, const char *key, const char *value)
{
    add_key(out, key);
    add_string(out, value);
}

static void key_number(struct top_out *out, const char *key, uint64_t value)
{
    add_key(out, key);
    top_add(out, "%llu", (unsigned long long)value);
}

static void key_bool(struct top_out *out, const char *key, bool value)
{
    add_key(out, key);
    top_add(out, value ? "true" : "false");
}

/* Below 0: not known. */
static void key_real(struct top_out *out, const char *key, double value)
{
    add_key(out, key);
    if (value >= 0)
        top_add(out, "%.6f", value);
    else
        top_add(out, "null");
}

static void key_time(struct top_out *out, const char *key, int64_t ns)
{
    key_real(out, key, ns < 0 ? -1 : (double)ns / 1e9);
}

/* 0: not known. */
static void key_pid(struct top_out *out, const char *key, int64_t pid)
{
    add_key(out, key);
    if (pid > 0)
        top_add(out, "%lld", (long long)pid);
    else
        top_add(out, "null");
}

static void begin(struct top_out *out, const char *key, char bracket)
{
    if (key) add_key(out, key);
    if (!key) separate(out);
    if (!key) top_add(out, "\n");
    top_add(out, "%c", bracket);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static void key_process(struct top_out *out, const struct top_family *family, uint64_t id)
{
    const struct top_process *process = top_process_of(family, id);
    key_string(out, "process", top_process_name(family, id).at);
    key_pid(out, "pid", process ? process->pid : 0);
}

static void key_object(struct top_out *out, const struct top_family *family, const struct top_object *object)
{
    const struct top_object *whose = object->whose ? top_object_of(family, object->whose) : NULL;
    add_key(out, "id");
    top_add(out, "\"0x%016llx\"", (unsigned long long)object->id);
    key_string(out, "type", top_type_name(top_type(object)));
    key_string(out, "name", top_object_name(object).at);
    if (!whose) return;
    key_string(out, "of", top_type_name(top_type(whose)));
    key_string(out, "of_name", top_object_name(whose).at);
}

static void add_owner(struct top_out *out, const struct top_family *family, const struct top_object *lock)
{
    const struct top_thread *owner = lock->holder ? top_owner(family, lock) : NULL;
    if (!owner) {
        top_add(out, "null");
        return;
    }
    const struct top_process *process = top_process_of(family, owner->process);
    begin(out, NULL, '{');
    key_process(out, family, owner->process);
    key_number(out, "thread", owner->number);
    key_string(out, "state", process ? top_state_name(process) : "?");
    key_time(out, "held", top_since(family, lock->certain ? lock->held_since : lock->seen_since));
    key_bool(out, "certain", lock->certain);
    top_add(out, "}");
}

static void add_processes(struct top_out *out, const struct top_family *family)
{
    begin(out, "processes", '[');
    for (size_t i = 0; i < family->process_count; i++) {
        const struct top_process *process = &family->processes[i];
        begin(out, NULL, '{');
        key_string(out, "name", top_process_name(family, process->id).at);
        key_pid(out, "pid", process->pid);
        key_string(out, "method", top_method_name(process->method));
        key_string(out, "state", top_state_name(process));
        key_bool(out, "daemon", process->flags & MP__DAEMON);
        if (process->parent) key_string(out, "parent", top_process_name(family, process->parent).at);
        key_number(out, "threads", process->threads);
        key_time(out, "cpu", process->cpu);
        key_real(out, "load", process->load);
        if (process->state == TOP_ENDED) {
            add_key(out, process->failed ? "error" : "exit_code");
            top_add(out, "%d", process->code);
        }
        top_add(out, "}");
    }
    top_add(out, "]");
}

static void add_waits(struct top_out *out, const struct top_family *family)
{
    struct top_waits waits;
    begin(out, "waits", '[');
    if (!top_waits_list(family, true, &waits)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < waits.count; i++) {
        const struct top_thread *thread = waits.at[i].thread;
        const struct top_object *object = top_object_of(family, thread->object);
        begin(out, NULL, '{');
        key_process(out, family, thread->process);
        key_number(out, "thread", thread->number);
        key_string(out, "for", top_wait_name(thread->wait));
        key_string(out, "what", top_wait_words(family, thread).at);
        key_time(out, "waited", top_since(family, thread->since));
        key_bool(out, "rests", top_rests(family, thread));
        if (object) {
            begin(out, "object", '{');
            key_object(out, family, object);
            top_add(out, "}");
        }
        if (object && object->holder) {
            add_key(out, "owner");
            add_owner(out, family, object);
        }
        top_add(out, "}");
    }
    free(waits.at);
    top_add(out, "]");
}

static void add_circles(struct top_out *out, const struct top_view *view)
{
    const struct top_thread *circle[TOP_CIRCLE_MOST];
    begin(out, "deadlocks", '[');
    for (size_t i = 0; i < view->now.thread_count; i++) {
        size_t count = top_circle(view->twice ? &view->before : NULL, &view->now, &view->now.threads[i], circle);
        if (!count) continue;
        begin(out, NULL, '[');
        for (size_t k = 0; k < count; k++) {
            begin(out, NULL, '{');
            key_process(out, &view->now, circle[k]->process);
            key_number(out, "thread", circle[k]->number);
            key_string(out, "what", top_wait_words(&view->now, circle[k]).at);
            top_add(out, "}");
        }
        top_add(out, "]");
    }
    top_add(out, "]");
}

static void add_channels(struct top_out *out, const struct top_family *family)
{
    begin(out, "queues", '[');
    for (size_t i = 0; i < family->object_count; i++) {
        struct top_channel channel;
        const struct top_object *put = &family->objects[i];
        if (!top_channel_of(family, put, &channel)) continue;
        uint32_t most = channel.pipe ? 0 : atomic_load_explicit(&top_side(put)->most, memory_order_relaxed);
        begin(out, NULL, '{');
        key_object(out, family, channel.object);
        if (channel.pipe) key_bool(out, "reversed", channel.reversed);
        key_number(out, "items", channel.items);
        key_number(out, "bytes", channel.bytes);
        if (most && most < INT32_MAX) key_number(out, "maxsize", most);
        key_real(out, "put_rate", put->put_rate);
        key_real(out, "get_rate", put->get_rate);
        key_number(out, "putters", put->putters);
        key_number(out, "getters", put->getters);
        key_number(out, "joiners", put->waiters);
        key_bool(out, "closed", atomic_load_explicit(&top_side(put)->flags, memory_order_relaxed) & MP__SIDE_CLOSED);
        top_add(out, "}");
    }
    top_add(out, "]");
}

/* Of those that belong to something and are free there may be as many as there are values. */
static void add_locks(struct top_out *out, const struct top_family *family, bool all)
{
    begin(out, "locks", '[');
    for (size_t i = 0; i < family->object_count; i++) {
        const struct top_object *object = &family->objects[i];
        if (top_type(object) != MP__LOCK && top_type(object) != MP__RLOCK) continue;
        uint32_t word = top_word(object);
        bool held = word & MP__LOCK_OWNER, died = word & MP__LOCK_DIED;
        if (object->whose && !held && !died && !object->waiters && !all) continue;
        begin(out, NULL, '{');
        key_object(out, family, object);
        add_key(out, "owner");
        add_owner(out, family, object);
        key_bool(out, "owner_died", died);
        key_number(out, "waiters", object->waiters);
        key_time(out, "longest", top_since(family, object->longest));
        top_add(out, "}");
    }
    top_add(out, "]");
}

static void add_value(struct top_out *out, const struct top_object *object)
{
    const struct mp__control *block = &object->block;
    switch (top_type(object)) {
    case MP__SEMAPHORE:
        key_number(out, "value", top_word(object) & MP__COUNT_MOST);
        break;
    case MP__OWNED_SEMAPHORE:
        key_number(out, "value", object->units);
        key_number(out, "most", block->as.owned.count);
        break;
    case MP__EVENT:
        key_bool(out, "set", top_word(object) & MP__FLAG_SET);
        break;
    case MP__BARRIER:
        key_number(out, "arrived", atomic_load_explicit(&block->as.barrier.arrived, memory_order_relaxed));
        key_number(out, "parties", block->as.barrier.parties);
        key_bool(out, "broken", atomic_load_explicit(&block->as.barrier.status, memory_order_relaxed) > 1);
        break;
    default:
        break;
    }
}

static void add_others(struct top_out *out, const struct top_family *family, const char *key, enum mp__type one,
                       enum mp__type other)
{
    begin(out, key, '[');
    for (size_t i = 0; i < family->object_count; i++) {
        const struct top_object *object = &family->objects[i];
        if (top_type(object) != one && top_type(object) != other) continue;
        begin(out, NULL, '{');
        key_object(out, family, object);
        add_value(out, object);
        key_number(out, "waiters", object->waiters);
        key_time(out, "longest", top_since(family, object->longest));
        top_add(out, "}");
    }
    top_add(out, "]");
}

static void add_workers(struct top_out *out, const struct top_family *family, const struct top_pool *pool)
{
    begin(out, "workers", '[');
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct top_worker *worker = &pool->workers[i];
        if (!worker->process) continue;
        begin(out, NULL, '{');
        key_process(out, family, worker->process);
        key_number(out, "tasks", worker->tasks);
        key_time(out, "busy", worker->busy <= INT64_MAX ? (int64_t)worker->busy : -1);
        key_real(out, "share", worker->share);
        if (worker->item) key_number(out, "item", worker->item - 1);
        top_add(out, "}");
    }
    top_add(out, "]");
}

static void add_pools(struct top_out *out, const struct top_family *family)
{
    begin(out, "pools", '[');
    for (size_t i = 0; i < family->pool_count; i++) {
        const struct top_pool *pool = &family->pools[i];
        const struct top_object *object = top_object_of(family, pool->id);
        begin(out, NULL, '{');
        if (object) key_object(out, family, object);
        key_string(out, "state", top_pool_state_name(pool->state));
        key_number(out, "submitted", pool->submitted);
        key_number(out, "done", pool->done);
        key_number(out, "failed", pool->failed);
        key_number(out, "retried", pool->retried);
        key_number(out, "calls", pool->unfinished);
        key_real(out, "rate", pool->rate);
        add_workers(out, family, pool);
        top_add(out, "}");
    }
    top_add(out, "]");
}

static void add_arena(struct top_out *out, const struct top_family *family)
{
    static const char *const regions[] = {"processes", "threads", "objects", "pages", "heap"};
    /* As mp_stats has them. */
    static const struct {
        const char *name;
        enum mp__type type, other;
    } counts[] = {{"locks", MP__LOCK, MP__FREE},
                  {"rlocks", MP__RLOCK, MP__FREE},
                  {"semaphores", MP__SEMAPHORE, MP__OWNED_SEMAPHORE},
                  {"conditions", MP__CONDITION, MP__FREE},
                  {"events", MP__EVENT, MP__FREE},
                  {"barriers", MP__BARRIER, MP__FREE},
                  {"values", MP__VALUE, MP__FREE},
                  {"arrays", MP__ARRAY, MP__FREE},
                  {"shared_blocks", MP__BLOCK, MP__FREE},
                  {"messages", MP__MESSAGE, MP__FREE},
                  {"queues", MP__QUEUE, MP__FREE},
                  {"connections", MP__CONNECTION, MP__FREE},
                  {"pools", MP__POOL, MP__FREE},
                  {"results", MP__RESULT, MP__FREE}};
    begin(out, "arena", '{');
    key_number(out, "bytes_used", family->bytes_used);
    key_number(out, "bytes_reserved", top_reserved(family));
    key_number(out, "blocks", family->blocks);
    key_number(out, "size", family->size);
    key_number(out, "threads", family->thread_count);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        key_number(out, counts[i].name,
                   family->counts[counts[i].type] + (counts[i].other ? (uint64_t)family->counts[counts[i].other] : 0));
    begin(out, "committed", '{');
    for (int i = 0; i < MP__REGION_COUNT; i++) key_number(out, regions[i], family->regions[i].committed);
    top_add(out, "}}");
}

static void add_family(struct top_out *out, const struct top_view *view, bool all)
{
    const struct top_family *family = &view->now;
    begin(out, NULL, '{');
    key_pid(out, "pid", view->pid);
    key_string(out, "command", view->command);
    key_number(out, "layout", family->layout);
    key_bool(out, "another_libmp", family->kind == TOP_FOREIGN);
    if (family->kind == TOP_LIBMP) {
        key_pid(out, "janitor", family->janitor <= INT32_MAX ? (int64_t)family->janitor : 0);
        key_time(out, "interval", view->twice ? family->when - view->before.when : -1);
        key_bool(out, "cut", family->cut);
        add_circles(out, view);
        add_waits(out, family);
        add_processes(out, family);
        add_pools(out, family);
        add_channels(out, family);
        add_locks(out, family, all);
        add_others(out, family, "semaphores", MP__SEMAPHORE, MP__OWNED_SEMAPHORE);
        add_others(out, family, "events", MP__EVENT, MP__EVENT);
        add_others(out, family, "conditions", MP__CONDITION, MP__CONDITION);
        add_others(out, family, "barriers", MP__BARRIER, MP__BARRIER);
        add_arena(out, family);
    }
    top_add(out, "}");
}

void top_json(const struct top_view *views, size_t count, bool all, struct top_out *out)
{
    top_add(out, "[");
    for (size_t i = 0; i < count; i++) add_family(out, &views[i], all);
    top_add(out, "]\n");
}
