/* SPDX-License-Identifier: MIT
 *
 * text.c - tables. What one wants to see first when a program hangs comes first: who waits, for what, and who has that.
 */
#include "base/countword.h"
#include "base/lockword.h"
#include "primitives/flag.h"
#include "tools/show.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME 40 /* characters of a process's name in a table */

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static struct top_number pid_of(int64_t pid)
{
    struct top_number text = {"-"};
    if (pid > 0) (void)snprintf(text.at, sizeof text.at, "%lld", (long long)pid);
    return text;
}

static void count_processes(const struct top_family *family, size_t *living, size_t *ended)
{
    *living = *ended = 0;
    for (size_t i = 0; i < family->process_count; i++) {
        bool over = family->processes[i].state == TOP_ENDED || family->processes[i].state == TOP_DEAD;
        ++*(over ? ended : living);
    }
}

/* ---- all families ------------------------------------------------------------------------------------------------ */

static size_t count_waits(const struct top_family *family)
{
    size_t count = 0;
    for (size_t i = 0; i < family->thread_count; i++)
        count += family->threads[i].wait != TOP_AWAKE && !top_rests(family, &family->threads[i]);
    return count;
}

void top_text_list(const struct top_view *views, size_t count, size_t chosen, struct top_out *out)
{
    struct top_table table;
    top_table_begin(&table, chosen < count ? " |>PID|>PROCESSES|>THREADS|>WAITING|>OBJECTS|>USED|>MEMORY|COMMAND"
                                           : ">PID|>PROCESSES|>THREADS|>WAITING|>OBJECTS|>USED|>MEMORY|COMMAND");
    for (size_t i = 0; i < count; i++) {
        const struct top_family *family = &views[i].now;
        size_t living, ended;
        count_processes(family, &living, &ended);
        if (chosen < count) top_cell(&table, "%s", i == chosen ? ">" : "");
        top_cell(&table, "%s", pid_of(views[i].pid).at);
        if (family->kind == TOP_FOREIGN) {
            for (int k = 0; k < 6; k++) top_cell(&table, "-");
            top_cell(&table, "%s (another libmp, of layout %u)", views[i].command, (unsigned)family->layout);
            continue;
        }
        top_cell(&table, "%zu", living);
        top_cell(&table, "%zu", family->thread_count);
        top_cell(&table, "%zu", count_waits(family));
        top_cell(&table, "%llu", (unsigned long long)top_object_count(family));
        top_cell(&table, "%s", top_bytes(family->bytes_used).at);
        top_cell(&table, "%s", top_bytes(top_reserved(family)).at);
        top_cell(&table, "%s", views[i].command);
    }
    top_table_end(&table, out);
}

/* ---- who waits --------------------------------------------------------------------------------------------------- */

/* As much of a process's name as fits into a table. */
static struct top_words short_name(const struct top_family *family, uint64_t id)
{
    struct top_words words = top_process_name(family, id);
    size_t at = 0;
    for (int i = 0; i < NAME && words.at[at]; i++) at += top_character(words.at + at);
    words.at[at] = 0;
    return words;
}

static struct top_words thread_words(const struct top_family *family, const struct top_thread *thread)
{
    const struct top_process *process = thread ? top_process_of(family, thread->process) : NULL;
    struct top_words words = {"a thread that has ended"}, name = short_name(family, thread ? thread->process : 0);
    if (!process) return words;
    if (process->threads > 1)
        (void)snprintf(words.at, sizeof words.at, "%.300s, thread %u", name.at, (unsigned)thread->number);
    else
        words = name;
    return words;
}

/* Somebody's, who is dead or stopped, is told of. */
static struct top_words owner_words(const struct top_family *family, const struct top_object *object)
{
    const struct top_thread *owner = top_owner(family, object);
    const struct top_process *process = owner ? top_process_of(family, owner->process) : NULL;
    struct top_words words = thread_words(family, owner), with = {""};
    bool worth =
        process && (process->state == TOP_DEAD || process->state == TOP_STOPPED || process->state == TOP_ENDED);
    (void)snprintf(with.at, sizeof with.at, "%.200s (%s%s%s)", words.at, process ? pid_of(process->pid).at : "-",
                   worth ? ", " : "", worth ? top_state_name(process) : "");
    return with;
}

static struct top_words held_words(const struct top_family *family, const struct top_object *object)
{
    struct top_words words;
    int64_t since = top_since(family, object->certain ? object->held_since : object->seen_since);
    /* Asleep or not, it may have had it for longer. */
    (void)snprintf(words.at, sizeof words.at, "%s%s", object->certain ? ">= " : "seen ", top_duration(since).at);
    return words;
}

static const struct top_object *lock_waited_for(const struct top_family *family, const struct top_thread *thread)
{
    const struct top_object *object = thread->wait == TOP_WAITS_LOCK ? top_object_of(family, thread->object) : NULL;
    return object && object->holder ? object : NULL;
}

static void add_waits(const struct top_view *view, bool all, struct top_out *out)
{
    const struct top_family *family = &view->now;
    struct top_waits waits;
    struct top_table table;
    if (!top_waits_list(family, all, &waits)) {
        out->failed = true;
        return;
    }
    top_table_begin(&table, "WAITING|>PID|>HOW LONG|FOR|HELD BY|>HOW LONG");
    for (size_t i = 0; i < waits.count; i++) {
        const struct top_thread *thread = waits.at[i].thread;
        const struct top_process *process = top_process_of(family, thread->process);
        const struct top_object *lock = lock_waited_for(family, thread);
        int64_t since = top_since(family, thread->since);
        top_cell(&table, "%s", thread_words(family, thread).at);
        top_cell(&table, "%s", pid_of(process ? process->pid : 0).at);
        top_cell(&table, "%s", since < 0 ? "-" : top_duration(since).at);
        top_cell(&table, "%s", top_wait_words(family, thread).at);
        top_cell(&table, "%s", lock ? owner_words(family, lock).at : "");
        top_cell(&table, "%s", lock ? held_words(family, lock).at : "");
    }
    top_table_end(&table, out);
    free(waits.at);
}

static void add_circles(const struct top_view *view, struct top_out *out)
{
    const struct top_thread *circle[TOP_CIRCLE_MOST];
    size_t told = 0;
    for (size_t i = 0; i < view->now.thread_count && told < 16; i++) {
        size_t count = top_circle(view->twice ? &view->before : NULL, &view->now, &view->now.threads[i], circle);
        if (!count) continue;
        if (!told++) top_add(out, "\n");
        top_mark_line(out, TOP_MARK_ALARM);
        top_add(out, "DEADLOCK: ");
        for (size_t k = 0; k < count; k++) {
            top_add(out, "%s%s waits for %s", k ? "; " : "", thread_words(&view->now, circle[k]).at,
                    top_wait_words(&view->now, circle[k]).at);
            if (circle[k]->wait == TOP_WAITS_LOCK)
                top_add(out, ", held by %s", thread_words(&view->now, circle[(k + 1) % count]).at);
        }
        top_add(out, "\n");
    }
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static struct top_words end_words(const struct top_process *process)
{
    struct top_words words = {""};
    if (process->failed)
        (void)snprintf(words.at, sizeof words.at, "not started: error %d", process->code);
    else if (process->state == TOP_ENDED && process->code < 0)
        (void)snprintf(words.at, sizeof words.at, "signal %d", -process->code);
    else if (process->state == TOP_ENDED)
        (void)snprintf(words.at, sizeof words.at, "exit code %d", process->code);
    else if (process->state == TOP_DEAD && process->returned)
        (void)snprintf(words.at, sizeof words.at, "returned %d, not reaped yet", process->code);
    else if (process->state == TOP_DEAD)
        (void)snprintf(words.at, sizeof words.at, "its family has not been told yet");
    else
        (void)snprintf(words.at, sizeof words.at, "%s%s%s", process->flags & MP__DAEMON ? "daemon" : "",
                       process->flags & MP__DAEMON && process->elsewhere ? ", " : "",
                       process->elsewhere ? "in another space of pids" : "");
    return words;
}

static void add_processes(const struct top_family *family, struct top_out *out)
{
    struct top_table table;
    top_table_begin(&table, "PROCESS|>PID|PARENT|METHOD|STATE|>CPU|>CPU TIME|>THREADS|");
    for (size_t i = 0; i < family->process_count; i++) {
        const struct top_process *process = &family->processes[i];
        top_cell(&table, "%s", short_name(family, process->id).at);
        top_cell(&table, "%s", pid_of(process->pid).at);
        top_cell(&table, "%s", process->parent ? short_name(family, process->parent).at : "");
        top_cell(&table, "%s", top_method_name(process->method));
        top_cell(&table, "%s", top_state_name(process));
        top_cell(&table, "%s", process->state == TOP_ENDED ? "" : top_share(process->load).at);
        top_cell(&table, "%s", process->cpu < 0 ? "" : top_duration(process->cpu).at);
        top_cell(&table, "%u", (unsigned)process->threads);
        top_cell(&table, "%s", end_words(process).at);
    }
    top_table_end(&table, out);
}

/* ---- channels ---------------------------------------------------------------------------------------------------- */

static struct top_words channel_words(const struct top_family *family, const struct top_channel *channel)
{
    struct top_words words, object = top_object_words(family, channel->object->id);
    (void)snprintf(words.at, sizeof words.at, "%.300s%s", object.at,
                   !channel->pipe      ? ""
                   : channel->reversed ? ", 2nd to 1st end"
                                       : ", 1st to 2nd end");
    return words;
}

static struct top_words channel_waiters(const struct top_channel *channel)
{
    struct top_words words = {""};
    const struct top_object *put = channel->put;
    const struct {
        uint32_t count;
        const char *what;
    } kinds[] = {{put->putters, "put"}, {put->getters, "get"}, {put->waiters, "join"}};
    size_t at = 0;
    for (int i = 0; i < 3; i++)
        if (kinds[i].count)
            at += (size_t)snprintf(words.at + at, sizeof words.at - at, "%s%u to %s", at ? ", " : "",
                                   (unsigned)kinds[i].count, kinds[i].what);
    if (atomic_load_explicit(&top_side(put)->flags, memory_order_relaxed) & MP__SIDE_CLOSED)
        (void)snprintf(words.at + at, sizeof words.at - at, "%sclosed", at ? ", " : "");
    return words;
}

static void add_channels(const struct top_family *family, bool all, struct top_out *out)
{
    struct top_table table;
    top_table_begin(&table, "QUEUE, PIPE|>ITEMS|>OF|>BYTES|>PUT|>GOT|WAITING");
    for (size_t i = 0; i < family->object_count; i++) {
        struct top_channel channel;
        const struct top_object *put = &family->objects[i];
        if (!top_channel_of(family, put, &channel)) continue;
        bool busy =
            channel.items || put->putters || put->getters || put->waiters || put->put_rate > 0 || put->get_rate > 0;
        if (!busy && !all) continue;
        uint32_t most = channel.pipe ? 0 : atomic_load_explicit(&top_side(put)->most, memory_order_relaxed);
        top_cell(&table, "%s", channel_words(family, &channel).at);
        top_cell(&table, "%u", (unsigned)channel.items);
        if (most && most < INT32_MAX)
            top_cell(&table, "%u", (unsigned)most);
        else
            top_cell(&table, "any");
        top_cell(&table, "%s", top_bytes(channel.bytes).at);
        top_cell(&table, "%s", top_rate(put->put_rate).at);
        top_cell(&table, "%s", top_rate(put->get_rate).at);
        top_cell(&table, "%s", channel_waiters(&channel).at);
    }
    top_table_end(&table, out);
}

/* ---- locks, and the like ----------------------------------------------------------------------------------------- */

static void add_locks(const struct top_family *family, bool all, struct top_out *out)
{
    struct top_table table;
    top_table_begin(&table, "LOCK|HELD BY|>HOW LONG|>WAITING|>LONGEST");
    for (size_t i = 0; i < family->object_count; i++) {
        const struct top_object *object = &family->objects[i];
        if (top_type(object) != MP__LOCK && top_type(object) != MP__RLOCK) continue;
        bool held = top_word(object) & MP__LOCK_OWNER, died = top_word(object) & MP__LOCK_DIED;
        if (!held && !died && !object->waiters && !all) continue;
        int64_t longest = top_since(family, object->longest);
        top_cell(&table, "%s", top_object_words(family, object->id).at);
        top_cell(&table, "%s", held ? owner_words(family, object).at : died ? "the last one has died" : "");
        top_cell(&table, "%s", object->holder ? held_words(family, object).at : "");
        top_cell(&table, "%u", (unsigned)object->waiters);
        top_cell(&table, "%s", longest < 0 ? "" : top_duration(longest).at);
    }
    top_table_end(&table, out);
}

static struct top_words value_words(const struct top_object *object)
{
    struct top_words words = {""};
    const struct mp__control *block = &object->block;
    switch (top_type(object)) {
    case MP__SEMAPHORE:
        (void)snprintf(words.at, sizeof words.at, "%u", (unsigned)(top_word(object) & MP__COUNT_MOST));
        break;
    case MP__OWNED_SEMAPHORE:
        (void)snprintf(words.at, sizeof words.at, "%u of %u", (unsigned)object->units, (unsigned)block->as.owned.count);
        break;
    case MP__EVENT:
        (void)snprintf(words.at, sizeof words.at, "%s", top_word(object) & MP__FLAG_SET ? "set" : "not set");
        break;
    case MP__BARRIER: {
        static const char *const states[] = {"", ", its action runs", ", broken", ", broken by a death"};
        uint32_t status = atomic_load_explicit(&block->as.barrier.status, memory_order_relaxed);
        (void)snprintf(words.at, sizeof words.at, "%u of %u there%s",
                       (unsigned)atomic_load_explicit(&block->as.barrier.arrived, memory_order_relaxed),
                       (unsigned)block->as.barrier.parties, status < 4 ? states[status] : "");
        break;
    }
    default:
        break;
    }
    return words;
}

static bool is_other(enum mp__type type)
{
    return type == MP__SEMAPHORE || type == MP__OWNED_SEMAPHORE || type == MP__EVENT || type == MP__BARRIER ||
           type == MP__CONDITION;
}

static void add_others(const struct top_family *family, bool all, struct top_out *out)
{
    struct top_table table;
    top_table_begin(&table, "OTHER|VALUE|>WAITING|>LONGEST");
    for (size_t i = 0; i < family->object_count; i++) {
        const struct top_object *object = &family->objects[i];
        if (!is_other(top_type(object)) || (!object->waiters && !all)) continue;
        int64_t longest = top_since(family, object->longest);
        top_cell(&table, "%s", top_object_words(family, object->id).at);
        top_cell(&table, "%s", value_words(object).at);
        top_cell(&table, "%u", (unsigned)object->waiters);
        top_cell(&table, "%s", longest < 0 ? "" : top_duration(longest).at);
    }
    top_table_end(&table, out);
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */

static void add_workers(const struct top_family *family, const struct top_pool *pool, struct top_out *out)
{
    struct top_table table;
    top_table_begin(&table, "  WORKER|>PID|>TASKS|>BUSY|AT");
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct top_worker *worker = &pool->workers[i];
        const struct top_process *process = top_process_of(family, worker->process);
        if (!worker->process) continue;
        top_cell(&table, "  %s", short_name(family, worker->process).at);
        top_cell(&table, "%s", pid_of(process ? process->pid : 0).at);
        top_cell(&table, "%llu", (unsigned long long)worker->tasks);
        top_cell(&table, "%s", top_share(worker->share).at);
        if (worker->item)
            top_cell(&table, "item %llu%s", (unsigned long long)worker->item - 1,
                     worker->verdict ? ", to be killed" : "");
        else
            top_cell(&table, "%s", "");
    }
    top_table_end(&table, out);
}

static void add_pools(const struct top_family *family, struct top_out *out)
{
    for (size_t i = 0; i < family->pool_count; i++) {
        const struct top_pool *pool = &family->pools[i];
        struct top_table table;
        top_table_begin(&table, "POOL|STATE|>WORKERS|>SUBMITTED|>DONE|>FAILED|>RETRIED|>RATE|>CALLS");
        top_cell(&table, "%s", top_object_words(family, pool->id).at);
        top_cell(&table, "%s", top_pool_state_name(pool->state));
        top_cell(&table, "%u", (unsigned)pool->alive);
        top_cell(&table, "%llu", (unsigned long long)pool->submitted);
        top_cell(&table, "%llu", (unsigned long long)pool->done);
        top_cell(&table, "%llu", (unsigned long long)pool->failed);
        top_cell(&table, "%llu", (unsigned long long)pool->retried);
        top_cell(&table, "%s", top_rate(pool->rate).at);
        top_cell(&table, "%llu", (unsigned long long)pool->unfinished);
        top_table_end(&table, out);
        add_workers(family, pool, out);
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void add_memory(const struct top_family *family, struct top_out *out)
{
    static const char *const names[] = {"processes", "threads", "objects", "pages", "heap"};
    struct top_table table;
    top_table_begin(&table, "MEMORY|>TAKEN|>OF");
    for (int i = 0; i < MP__REGION_COUNT; i++) {
        const struct top_region *region = &family->regions[i];
        top_cell(&table, "%s", names[i]);
        top_cell(&table, "%s", top_bytes(i == MP__REGION_HEAP ? family->backed : region->committed).at);
        top_cell(&table, "%s", top_bytes(region->limit).at);
    }
    top_table_end(&table, out);
}

static void add_counts(const struct top_family *family, struct top_out *out)
{
    const char *between = "";
    top_add(out, "  ");
    for (int type = MP__LOCK; type <= MP__RESULT; type++) {
        uint32_t count = family->counts[type];
        if (!count) continue;
        const char *name = type == MP__CONNECTION ? "end of pipe" : top_type_name((enum mp__type)type);
        bool ends = type == MP__CONNECTION && count != 1;
        top_add(out, "%s%u %s%s", between, (unsigned)count, ends ? "ends of pipes" : name, ends ? "" : plural(count));
        between = ", ";
    }
    top_add(out, "%s\n", *between ? "" : "no objects");
}

void top_text_family(const struct top_view *view, bool all, struct top_out *out)
{
    const struct top_family *family = &view->now;
    size_t living, ended;
    top_mark_line(out, TOP_MARK_HEADING);
    top_add(out, "family of %s  %s\n", pid_of(view->pid).at, view->command);
    if (family->kind == TOP_FOREIGN) {
        top_add(out, "  another libmp, of layout %u: this one knows layout %d only\n", (unsigned)family->layout,
                MP__LAYOUT_VERSION);
        return;
    }
    count_processes(family, &living, &ended);
    top_add(out, "  %zu process%s", living, living == 1 ? "" : "es");
    if (ended) top_add(out, " and %zu that ended", ended);
    top_add(out, ", %zu thread%s", family->thread_count, plural(family->thread_count));
    top_add(out, ", %s in %llu block%s", top_bytes(family->bytes_used).at, (unsigned long long)family->blocks,
            plural(family->blocks));
    top_add(out, ", %s from the system\n", top_bytes(top_reserved(family)).at);
    add_counts(family, out);
    if (family->cut) top_add(out, "  (there is more than is shown)\n");
    add_circles(view, out);
    add_waits(view, all, out);
    add_processes(family, out);
    add_pools(family, out);
    add_channels(family, all, out);
    add_locks(family, all, out);
    add_others(family, all, out);
    if (all) add_memory(family, out);
}
