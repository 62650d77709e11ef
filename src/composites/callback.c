/* SPDX-License-Identifier: MIT
 *
 * callback.c - callbacks of the calls that do not wait.
 *
 * For each pool that it has submitted such calls to a process has an inbox (inbox.h), in which those that are finished are
 * found by any of its threads that waits for something of that pool, or polls. It takes out one after the other and calls back
 * with no lock held, so a callback may do whatever other code may. It is not interrupted by another one.
 *
 * The list of what is pending is this process's memory. A job in the inbox has the address of its entry (`cookie`); who takes
 * the job out, or forgets its result, has the entry from then on.
 */
#include "composites/callback.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "composites/inbox.h"
#include "composites/job.h"
#include "composites/progress.h"
#include "primitives/flag.h"
#include "primitives/local.h"

#include <stdlib.h>

struct pending {
    struct pending *next, **link; /* in its mailbox; link NULL: it is in none any more */
    struct mailbox *mailbox;
    uint64_t flag;   /* of that: id */
    uint64_t result; /* once it is known */
    bool hidden;     /* the caller has not got it */
    bool used;       /* by a thread that submits it, or shows how far it is: by no other one then */
    bool dropped;    /* nobody else has it: that one frees it */
    bool passed;     /* it was left in the inbox for that: that one says that there is something */
    mp_call_options options;
    struct mp__progress progress;
};

struct mailbox {
    struct mailbox *next;
    uint64_t pool, inbox, flag;
    struct pending *first;
    size_t shows; /* of those, how many want to show how far they are */
};

_Atomic size_t mp__callbacks, mp__mailboxes;

/* All of it under the lock, which is never held while something else is called. */
static struct mp__local_lock lock;
static struct mailbox *mailboxes;
static struct mailbox *forgotten; /* of this process's original: no leak checker stumbles over them */
static _Thread_local bool running;

static void forked(void)
{
    mp__local_release(&lock);
    if (mailboxes) forgotten = mailboxes;
    mailboxes = NULL;
    running = false;
    atomic_store_explicit(&mp__callbacks, 0, memory_order_relaxed);
    atomic_store_explicit(&mp__mailboxes, 0, memory_order_relaxed);
}

bool mp__callbacks_hold(bool hold)
{
    bool was = running;
    running = hold;
    return was;
}

/* ---- mailboxes --------------------------------------------------------------------------------------------------- */

static struct mailbox *find(uint64_t pool)
{
    struct mailbox *mailbox = mailboxes;
    while (mailbox && mailbox->pool != pool) mailbox = mailbox->next;
    return mailbox;
}

/* There is one for that pool: 0 or an error (detail set). */
static int make_mailbox(const char *call, uint64_t pool_id)
{
    mp__local_acquire(&lock);
    bool there = find(pool_id) != NULL;
    mp__local_release(&lock);
    if (there) return 0;
    mp__family_on_fork(forked);
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (!mailbox) return mp__fail(MP_ENOMEM, "%s: no memory for callbacks", call);
    mailbox->pool = pool_id;
    int result = mp__inbox_create(call, pool_id, false, &mailbox->inbox, &mailbox->flag);
    if (result < 0) {
        free(mailbox);
        return result;
    }
    mp__local_acquire(&lock);
    there = find(pool_id) != NULL;
    if (!there) {
        mailbox->next = mailboxes;
        mailboxes = mailbox;
        atomic_fetch_add_explicit(&mp__mailboxes, 1, memory_order_relaxed);
    }
    mp__local_release(&lock);
    struct mp__pool *pool;
    if (!there) return 0;
    if (mp__pool_enter(call, pool_id, &pool) == 0) { /* another thread was quicker */
        mp__inbox_destroy(pool, mailbox->inbox);
        mp__pool_leave(pool);
    }
    free(mailbox);
    return 0;
}

/* Out of its mailbox: the caller has it. The lock is held. */
static void unlink_pending(struct pending *pending)
{
    if (!pending->link) return;
    *pending->link = pending->next;
    if (pending->next) pending->next->link = pending->link;
    pending->link = NULL;
    pending->mailbox->shows -= !pending->progress.over;
    atomic_fetch_sub_explicit(&mp__callbacks, 1, memory_order_relaxed);
}

/* ---- submitting -------------------------------------------------------------------------------------------------- */

int mp__callback_prepare(struct mp__call *call)
{
    const mp_call_options *options = &call->options;
    if (!options->callback && !options->error_callback && !options->progress_callback && !options->progress) return 0;
    int result = mp__call_check(call);
    if (result == 0) result = mp__thread_join();
    if (result == 0) result = make_mailbox(call->name, call->pool);
    if (result < 0) return result;
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending) return mp__fail(MP_ENOMEM, "%s: no memory for callbacks", call->name);
    pending->hidden = !call->wants;
    pending->used = true;
    pending->options = *options;
    mp__progress_begin(&pending->progress, options, call->count);
    mp__local_acquire(&lock);
    struct mailbox *mailbox = find(call->pool);
    if (mailbox) {
        pending->mailbox = mailbox;
        pending->flag = mailbox->flag;
        pending->link = &mailbox->first;
        pending->next = mailbox->first;
        if (pending->next) pending->next->link = &pending->next;
        mailbox->first = pending;
        mailbox->shows += !pending->progress.over;
        call->inbox = mailbox->inbox;
        atomic_fetch_add_explicit(&mp__callbacks, 1, memory_order_relaxed);
    }
    mp__local_release(&lock);
    if (!mailbox) { /* the pool was destroyed meanwhile */
        free(pending);
        return mp__fail_handle(call->name, call->pool, "pool");
    }
    if (!call->wants) call->wanted = MP__WANTED_CALLBACK;
    call->wants = true;
    call->cookie = pending;
    return 0;
}

void mp__callback_dispose(void *cookie)
{
    struct pending *pending = cookie;
    if (!pending) return;
    mp__progress_abandon(&pending->progress);
    free(pending);
}

/* That thread uses it no more. */
static void let_go(struct pending *pending)
{
    mp__local_acquire(&lock);
    pending->used = false;
    bool dropped = pending->dropped;
    uint64_t flag = pending->passed ? pending->flag : 0;
    pending->passed = false;
    mp__local_release(&lock);
    if (dropped) mp__callback_dispose(pending);
    if (flag) (void)mp__flag_set(flag, MP__RESULT);
}

void mp__callback_submitted(const struct mp__call *call, uint64_t result)
{
    struct pending *pending = call->cookie;
    if (!pending) return;
    pending->result = result;
    let_go(pending);
}

/* Whether the caller is the one who disposes of it. The lock is held. */
static bool drop(struct pending *pending)
{
    unlink_pending(pending);
    pending->dropped = pending->used;
    return !pending->used;
}

void *mp__callback_unlink(void *cookie)
{
    struct pending *pending = cookie;
    if (!pending) return NULL;
    mp__local_acquire(&lock);
    bool mine = drop(pending);
    mp__local_release(&lock);
    return mine ? pending : NULL;
}

void mp__callbacks_forget(uint64_t pool)
{
    struct pending *gone = NULL;
    mp__local_acquire(&lock);
    struct mailbox **link = &mailboxes;
    while (*link && (*link)->pool != pool) link = &(*link)->next;
    struct mailbox *mailbox = *link;
    if (mailbox) {
        *link = mailbox->next;
        atomic_fetch_sub_explicit(&mp__mailboxes, 1, memory_order_relaxed);
    }
    while (mailbox && mailbox->first) {
        struct pending *pending = mailbox->first;
        if (!drop(pending)) continue;
        pending->next = gone;
        gone = pending;
    }
    mp__local_release(&lock);
    while (gone) {
        struct pending *next = gone->next;
        mp__callback_dispose(gone);
        gone = next;
    }
    free(mailbox);
}

void mp__callbacks_settle(uint64_t pool)
{
    bool some = atomic_load_explicit(&mp__mailboxes, memory_order_relaxed) != 0;
    if (some && !mp__control_of(pool, MP__POOL)) mp__callbacks_forget(pool);
}

/* ---- calling back ------------------------------------------------------------------------------------------------ */

void mp__callback_call(const mp_call_options *options, uint64_t result, bool failed)
{
    void (*function)(mp_result, void *) = failed ? options->error_callback : options->callback;
    if (!function) return;
    bool held = mp__callbacks_hold(true);
    function((mp_result){result}, options->context);
    (void)mp__callbacks_hold(held);
}

/* What is finished and was taken out of the inbox. */
struct finished {
    struct pending *pending;
    uint64_t result;
    bool failed;
    mp_progress last;
};

enum taken {
    NONE,
    USED, /* by another thread, which will say when it does not use it any more */
    TAKEN
};

/* Under the pool's lock. */
static enum taken take_first(struct mp__pool *pool, uint64_t inbox_offset, struct finished *finished)
{
    const struct mp__inbox *inbox = mp__inbox_at(inbox_offset);
    uint64_t offset = inbox ? inbox->first : 0;
    const struct mp__job *job = mp__job_at(offset);
    struct pending *pending = job ? (struct pending *)(uintptr_t)job->cookie : NULL;
    if (!pending) return NONE;
    mp__local_acquire(&lock);
    bool used = pending->used;
    pending->passed = used;
    if (!used) unlink_pending(pending);
    mp__local_release(&lock);
    if (used) return USED;
    finished->pending = pending;
    finished->result = job->result;
    finished->failed = job->failed || job->broken;
    mp__job_count(pool, offset, job, &finished->last);
    (void)mp__inbox_take(pool, inbox_offset);
    if (inbox->first) (void)mp__flag_set(inbox->flag, MP__RESULT); /* any other thread may have that */
    return TAKEN;
}

/* 1, 0: there is none, or an error (detail set). */
static int take(const char *call, const struct mailbox *mailbox, struct finished *finished)
{
    struct mp__pool *pool;
    if (mp__flag_clear(mailbox->flag, MP__RESULT) == 0) return 0;
    int result = mp__pool_enter(call, mailbox->pool, &pool);
    if (result < 0) { /* later, perhaps */
        (void)mp__flag_set(mailbox->flag, MP__RESULT);
        return result;
    }
    enum taken taken = take_first(pool, mailbox->inbox, finished);
    mp__pool_leave(pool);
    return taken == TAKEN;
}

/* Whether it had a callback. */
static bool run_one(const struct finished *finished, uint64_t self)
{
    struct pending *pending = finished->pending;
    const mp_call_options *options = &pending->options;
    bool called = finished->failed ? options->error_callback : options->callback;
    (void)mp__flag_set(finished->result, MP__RESULT); /* whoever has finished it may not have come to that */
    pending->progress.now = finished->last;
    mp__progress_end(&pending->progress);
    if (mp__family_id() == self) mp__callback_call(options, finished->result, finished->failed);
    if (mp__family_id() != self) return called; /* a copy of that process, to which nothing of this belongs */
    if (pending->hidden) (void)mp_result_destroy((mp_result){finished->result});
    free(pending);
    return called;
}

/* Nobody has its result any more: it was another process that did that. */
static void give_up(struct pending *pending)
{
    mp__local_acquire(&lock);
    if (pending->link) {
        unlink_pending(pending);
        pending->dropped = true;
    }
    mp__local_release(&lock);
}

/* Those that want to be shown, and are due now. */
static void show(const char *call, uint64_t pool, uint64_t self)
{
    const int64_t time = mp_os_now();
    while (mp__family_id() == self) {
        mp__local_acquire(&lock);
        const struct mailbox *mailbox = find(pool);
        struct pending *pending = mailbox && mailbox->shows ? mailbox->first : NULL;
        while (pending && (pending->used || !mp__progress_is_due(&pending->progress, time))) pending = pending->next;
        if (pending) pending->used = true;
        mp__local_release(&lock);
        if (!pending) return;
        int counted = mp__result_count(call, pool, pending->result, &pending->progress.now);
        if (counted == 1) mp__progress_show(&pending->progress);
        mp__progress_put_off(&pending->progress);
        if (counted == 0) give_up(pending);
        if (mp__family_id() == self) let_go(pending);
    }
}

/* False: there is nothing to be called back for here, nor was there; or this is no place for it. */
static bool look_up(uint64_t pool, struct mailbox *mailbox)
{
    if (running || atomic_load_explicit(&mp__mailboxes, memory_order_relaxed) == 0) return false;
    mp__local_acquire(&lock);
    const struct mailbox *found = find(pool);
    if (found) *mailbox = *found;
    mp__local_release(&lock);
    return found;
}

void mp__callbacks_drain(const char *call, uint64_t pool_id)
{
    const uint64_t self = mp__family_id();
    struct mailbox mailbox;
    struct finished finished;
    struct mp__pool *pool;
    enum taken taken = TAKEN;
    if (!look_up(pool_id, &mailbox)) return;
    while (taken != NONE && mp__family_id() == self && mp__pool_enter(call, pool_id, &pool) == 0) {
        taken = take_first(pool, mailbox.inbox, &finished);
        mp__pool_leave(pool);
        if (taken == TAKEN) (void)run_one(&finished, self);
        if (taken == USED) mp_os_yield();
    }
}

int mp__callbacks_run(const char *call, uint64_t pool)
{
    const uint64_t self = mp__family_id();
    struct mailbox mailbox = {.pool = 0};
    struct finished finished;
    int count = 0, result = 0;
    if (!look_up(pool, &mailbox)) return 0;
    while (mp__family_id() == self && (result = take(call, &mailbox, &finished)) == 1)
        count += run_one(&finished, self);
    show(call, pool, self);
    return result < 0 && !count ? result : count;
}

uint64_t mp__callbacks_flag(uint64_t pool)
{
    if (running || atomic_load_explicit(&mp__mailboxes, memory_order_relaxed) == 0) return 0;
    mp__local_acquire(&lock);
    const struct mailbox *mailbox = find(pool);
    uint64_t flag = mailbox ? mailbox->flag : 0;
    mp__local_release(&lock);
    return flag;
}

int64_t mp__callbacks_slice(uint64_t pool, int64_t deadline)
{
    if (running || !mp__callbacks_wanted()) return deadline;
    mp__local_acquire(&lock);
    const struct mailbox *mailbox = find(pool);
    bool shows = mailbox && mailbox->shows;
    for (const struct pending *pending = shows ? mailbox->first : NULL; pending; pending = pending->next)
        if (!pending->used) deadline = mp__progress_slice(&pending->progress, deadline);
    mp__local_release(&lock);
    return deadline;
}
