/* SPDX-License-Identifier: MIT
 *
 * pool_supervisor.c - the supervisor of a pool: a process that replaces workers that have ended, and ends those that are to be.
 *
 * All that it knows stands in the pool, so it may be killed anywhere: who waits for something of the pool starts another one
 * then. Its workers are daemons of it, and die with it; their items have failed.
 */
#include "base/deadline.h"
#include "base/error.h"
#include "base/family.h"
#include "composites/inbox.h"
#include "composites/job.h"
#include "composites/pool.h"
#include "primitives/flag.h"
#include "primitives/wait.h"

#include <signal.h>
#include <stdlib.h>

#define MS             INT64_C(1000000)
#define GRACE          (200 * MS)  /* between terminate and kill */
#define NAP            (100 * MS)  /* before a worker that could not be started is tried again */
#define NAP_MOST       (5000 * MS) /* and after many times */
#define PATIENCE       5           /* times in a row */
#define KILLED         (-9)        /* exit code; as a failure, */
#define KILLS_LIKE_ONE 20          /* so many are one */
#define OWNERS         64          /* of imaps that it watches at most */
#define STROLL         (5000 * MS) /* between looks without a reason: whether one who submitted something has died */

struct watch {
    struct mp__pool *pool;
    uint64_t id, self, ended;
    mp_handle *items; /* the kick, the workers, and those who have imaps */
    size_t count;
    int64_t next;      /* when to look again */
    int64_t terminate; /* since when they have been told to end; 0: they have not */
    int64_t retry;     /* when to try again to start one; 0: at once */
    int64_t nap;       /* that it was put off last, ns */
    int failures;      /* in a row: workers that could not be started, or died before they were ready */
    bool news;         /* for those who have no work */
    bool blind;        /* those who have imaps can not be watched */
};

/* ---- the dead ---------------------------------------------------------------------------------------------------- */

/* Why the item that it ran has failed. */
static uint64_t outcome_of(const struct mp__pool_worker *worker, int code)
{
    return worker->verdict ? mp__outcome((int)(int64_t)worker->verdict, code) : mp__outcome(MP_EWORKERDEAD, code);
}

/* Finished jobs whose results nobody has told of: who was to may be dead. */
static void tell_all(const struct mp__pool *pool)
{
    uint64_t state;
    for (struct mp__job *job = mp__job_at(pool->all); job; job = mp__job_at(job->after))
        if (mp__job_is_finished(job) && job->result && mp__flag_find(job->result, MP__RESULT, &state) &&
            !(state & MP__FLAG_SET))
            (void)mp__flag_set(job->result, MP__RESULT);
}

/* A pool whose initializer fails takes nothing more: or workers would be started for ever. */
static void give_up(struct mp__pool *pool, int error, int code, bool killed)
{
    if (!pool->error) {
        pool->error = (uint64_t)(int64_t)error;
        pool->code = (uint64_t)(int64_t)code;
        pool->killed = killed;
    }
}

/* It has ended before it was. A signal may have come by chance, and SIGKILL comes from others. */
static void not_ready(struct watch *watch, int result, int code)
{
    bool unknown =
        result == MP_ESYSTEM || result == MP_EBADHANDLE; /* who could have said how is dead, or has closed it */
    watch->failures += unknown || code == KILLED ? 1 : KILLS_LIKE_ONE;
    if (result < 0 && !unknown)
        give_up(watch->pool, result, 0, false);
    else if ((code > 0 && !unknown) || watch->failures >= PATIENCE * KILLS_LIKE_ONE)
        give_up(watch->pool, MP_EINIT, code, code < 0);
}

/* True if it was there to be buried. */
static bool bury(struct watch *watch, struct mp__pool_worker *worker)
{
    struct mp__pool *pool = watch->pool;
    mp_process process = {worker->process};
    int code = 0, result = mp_process_exitcode(process, &code);
    if (result == MP_EBUSY) return false;
    if (result < 0) code = result;
    if (worker->ready)
        watch->failures = 0;
    else if (pool->state < MP__POOL_TERMINATED)
        not_ready(watch, result, code);
    bool limited = worker->verdict == (uint64_t)(int64_t)MP_ETIMEDOUT;
    bool again = !worker->verdict || limited;
    (void)mp__job_bury(pool, worker, outcome_of(worker, code), again);
    (void)mp_process_close(process);
    return true;
}

/* Whoever waits for it is dead: it is cancelled, and forgotten. If its result was not complete it is forgotten only. True if
 * there was one: the list is another one then. */
static bool forget_one(struct mp__pool *pool)
{
    uint64_t state;
    for (uint64_t offset = pool->all; offset;) {
        struct mp__job *job = mp__job_at(offset);
        if (!job) return false;
        uint64_t result = job->result, after = job->after;
        bool there = result && mp__flag_find(result, MP__RESULT, &state);
        if (result && (!there || job->waits) && mp__process_has_ended(job->submitter)) {
            if (job->waits == MP__WANTED_HERE) (void)mp__job_cancel(pool, offset);
            mp__job_forget(pool, offset, false);
            if (there) (void)mp__control_destroy(result, MP__RESULT, NULL);
            return true;
        }
        offset = after;
    }
    return false;
}

/* ---- those who run too long -------------------------------------------------------------------------------------- */

static void condemn(struct mp__pool_worker *worker, int error)
{
    worker->verdict = (uint64_t)(int64_t)error;
    MP__THEN;
    (void)mp_process_kill((mp_process){worker->process});
}

static void earlier(int64_t *moment, int64_t other)
{
    if (other < *moment) *moment = other;
}

/* Whoever begins later has a later end, so nobody is overlooked who looks again after the shortest limit. */
static void look_at_clock(struct watch *watch, struct mp__pool_worker *worker)
{
    const struct mp__job *job = mp__job_at(worker->claim.job);
    if (!job || !job->time_limit || worker->verdict) return;
    int64_t time = mp_os_now();
    uint64_t at = atomic_load_explicit(&worker->at, memory_order_acquire);
    int64_t limit = (int64_t)job->time_limit;
    int64_t end = (int64_t)atomic_load_explicit(&worker->since, memory_order_relaxed) + limit;
    bool runs = at && !(at & MP__DONE);
    if (runs && end <= time)
        condemn(worker, MP_ETIMEDOUT);
    else
        earlier(&watch->next, runs ? end : time + limit);
}

static void look_for_limits(struct watch *watch)
{
    for (const struct mp__job *job = mp__job_at(watch->pool->all); job; job = mp__job_at(job->after))
        if (job->time_limit && !mp__job_is_finished(job)) earlier(&watch->next, mp_os_now() + (int64_t)job->time_limit);
}

/* ---- the living -------------------------------------------------------------------------------------------------- */

static void end_all(struct watch *watch)
{
    struct mp__pool *pool = watch->pool;
    int64_t time = mp_os_now();
    bool kill = watch->terminate && time >= watch->terminate + GRACE;
    if (!watch->terminate)
        watch->terminate = time;
    else if (!kill) {
        earlier(&watch->next, watch->terminate + GRACE);
        return;
    }
    for (uint64_t i = 0; i < pool->count; i++) {
        mp_process process = {pool->workers[i].process};
        if (process.id) (void)(kill ? mp_process_kill(process) : mp_process_terminate(process));
        if (process.id && !kill && !pool->workers[i].verdict)
            pool->workers[i].verdict = (uint64_t)(int64_t)MP_ECANCELED;
    }
    earlier(&watch->next, time + GRACE);
}

/* Nothing more is done: what is left is cancelled. */
static void cancel_all(struct mp__pool *pool)
{
    for (uint64_t offset = pool->all; offset;) {
        struct mp__job *job = mp__job_at(offset);
        if (!job) return;
        uint64_t after = job->after;
        if (pool->error && !job->broken && !mp__job_is_finished(job)) job->broken = pool->error;
        (void)mp__job_cancel(pool, offset);
        offset = after;
    }
}

/* Whoever joins a pool that is closed waits for the imaps of others, too: should one of those die that is to be seen at once. */
static void watch_owners(struct watch *watch)
{
    const struct mp__inbox *inbox;
    size_t count = 0;
    if (watch->blind) return;
    for (uint64_t offset = watch->pool->inboxes; (inbox = mp__inbox_at(offset)) && count < OWNERS;
         offset = inbox->after) {
        if (!inbox->open) continue;
        watch->items[watch->count++] = (mp_handle){inbox->owner};
        count++;
    }
}

/* Under the lock. Returns the number of workers that are there. */
static uint64_t look(struct watch *watch)
{
    struct mp__pool *pool = watch->pool;
    uint64_t alive = 0;
    bool buried = false;
    for (uint64_t i = 0; i < pool->count; i++)
        if (pool->workers[i].process) buried |= bury(watch, &pool->workers[i]);
    if (pool->error && pool->state < MP__POOL_TERMINATED) pool->state = MP__POOL_TERMINATED;
    if (buried) atomic_store_explicit(&pool->spinner, 0, memory_order_relaxed);
    watch->news = buried || pool->state >= MP__POOL_TERMINATED;
    watch->next = mp_os_now() + STROLL;
    if (pool->state == MP__POOL_TERMINATED) cancel_all(pool);
    while (mp__inbox_bury(pool)) {}
    while (forget_one(pool)) {}
    tell_all(pool);
    mp__inbox_tell_all(pool);
    watch->news |= pool->state == MP__POOL_CLOSED && !pool->unfinished;
    watch->count = 1;
    for (uint64_t i = 0; i < pool->count; i++) {
        struct mp__pool_worker *worker = &pool->workers[i];
        if (!worker->process) continue;
        alive++;
        /* Who has said so may have died before it did it. */
        if (worker->verdict && pool->state < MP__POOL_TERMINATED) (void)mp_process_kill((mp_process){worker->process});
        look_at_clock(watch, worker);
        watch->items[watch->count++] = (mp_handle){worker->process};
    }
    look_for_limits(watch);
    watch_owners(watch);
    if (pool->state == MP__POOL_TERMINATED && alive) end_all(watch);
    return alive;
}

/* Start those that are missing: without the lock, but to write it down. */
static void start_missing(struct watch *watch, uint64_t alive)
{
    struct mp__pool *pool = watch->pool;
    if (watch->retry && mp_os_now() < watch->retry) {
        earlier(&watch->next, watch->retry);
        return;
    }
    for (uint64_t slot = 0; slot < pool->count; slot++) {
        if (pool->workers[slot].process) continue; /* nobody else makes that 0 */
        mp_process process;
        struct mp__worker_args args = {.pool = watch->id, .slot = slot, .supervisor = watch->self};
        mp_process_options options = {.name = "PoolWorker", .daemon = true, .method = (mp_start_method)pool->method};
        int result = mp_process_start(&process, mp__worker, &args, sizeof args, &options);
        if (mp__pool_enter("the supervisor", watch->id, &pool) < 0) return;
        if (result == 0) {
            pool->workers[slot].process = process.id;
            watch->items[watch->count++] = (mp_handle){process.id};
            watch->retry = watch->nap = 0;
            alive++;
        } else {
            if (!watch->nap) mp__log(MP_LOG_WARNING, "a worker could not be started: %s", mp_error_detail());
            watch->nap = !watch->nap ? NAP : watch->nap < NAP_MOST ? 2 * watch->nap : watch->nap;
            watch->retry = mp_os_now() + watch->nap;
            earlier(&watch->next, watch->retry);
            watch->failures += KILLS_LIKE_ONE;
            if (watch->failures >= PATIENCE * KILLS_LIKE_ONE && !alive) give_up(pool, result, 0, false);
            if (pool->error) watch->next = 0;
        }
        mp__pool_leave(pool);
        if (result < 0) return;
    }
}

/* Whether workers are wanted that are not there. */
static bool is_short(const struct mp__pool *pool, uint64_t alive)
{
    return alive < pool->count &&
           (pool->state == MP__POOL_OPEN || (pool->state == MP__POOL_CLOSED && pool->unfinished));
}

/* False: all is over. */
static bool supervise(struct watch *watch)
{
    if (mp__pool_enter("the supervisor", watch->id, &watch->pool) < 0) return false;
    struct mp__pool *pool = watch->pool;
    (void)mp__flag_clear(pool->kick, MP__RESULT);
    uint64_t alive = look(watch);
    bool wanted = is_short(pool, alive), over = !alive && !wanted && pool->state != MP__POOL_OPEN;
    if (over) pool->state = MP__POOL_ENDED;
    if (watch->news)
        mp__pool_leave_and_ring(pool, UINT32_MAX);
    else
        mp__pool_leave(pool);
    if (over) (void)mp__flag_set(watch->ended, MP__RESULT);
    if (over) return false;
    if (wanted) start_missing(watch, alive);
    size_t which;
    int result = mp__wait(watch->items, watch->count, &which, watch->next);
    bool goes_on = result == 0 || result == MP_ETIMEDOUT || result == MP_EBADHANDLE || !watch->blind;
    watch->blind = goes_on && result < 0 && result != MP_ETIMEDOUT && result != MP_EBADHANDLE;
    return goes_on;
}

int mp__supervisor(void *arguments)
{
    const struct mp__supervisor_args *args = arguments;
    struct watch watch = {.id = args->pool, .self = mp__family_id()};
    signal(SIGINT, SIG_IGN);
    if (mp__pool_enter("the supervisor", args->pool, &watch.pool) < 0) return 0;
    struct mp__pool *pool = watch.pool;
    uint64_t supervisor = args->previous; /* still, if who started this one has died */
    if (atomic_compare_exchange_strong_explicit(&pool->supervisor, &supervisor, watch.self, memory_order_relaxed,
                                                memory_order_relaxed))
        supervisor = watch.self;
    bool wanted = supervisor == watch.self;
    watch.items = wanted ? calloc(pool->count + OWNERS + 1, sizeof *watch.items) : NULL;
    if (watch.items) watch.items[0] = (mp_handle){pool->kick};
    watch.ended = pool->ended;
    /* What its predecessor has left: those end, too. */
    for (uint64_t i = 0; watch.items && i < pool->count; i++)
        if (pool->workers[i].process) (void)mp_process_kill((mp_process){pool->workers[i].process});
    mp__pool_leave(pool);
    if (!watch.items) return wanted ? MP_ENOMEM : 0;
    while (supervise(&watch)) {}
    free(watch.items);
    return 0;
}
