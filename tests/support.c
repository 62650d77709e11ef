/* SPDX-License-Identifier: MIT
 *
 * support.c - the portable part of what the tests share.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- cases ----------------------------------------------------------------------------------------------------- */

/* A case with a start method. */
struct run {
    mp_start_method method;
    struct support_counts before;
    char name[160];
};

void support_count(struct support_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    ok(mp_get_stats(&counts->stats));
    counts->children = support_children();
    counts->descriptors = support_descriptors();
}

static bool same(const char *what, uint64_t before, uint64_t after)
{
    if (before == after) return true;
    print_error("left over: %s: %llu before, %llu after\n", what, (unsigned long long)before,
                (unsigned long long)after);
    return false;
}

bool support_balanced(const struct support_counts *before, const struct support_counts *after)
{
    const mp_stats *was = &before->stats, *is = &after->stats;
    bool all = same("descriptors", (uint64_t)before->descriptors, (uint64_t)after->descriptors);
    all &= same("children to be reaped", (uint64_t)before->children, (uint64_t)after->children);
    all &= same("bytes", was->bytes_used, is->bytes_used);
    all &= same("blocks", was->blocks, is->blocks);
    all &= same("processes", was->processes, is->processes);
    all &= same("records", was->records, is->records);
    all &= same("threads", was->threads, is->threads);
    all &= same("locks", was->locks, is->locks);
    all &= same("rlocks", was->rlocks, is->rlocks);
    all &= same("semaphores", was->semaphores, is->semaphores);
    all &= same("conditions", was->conditions, is->conditions);
    all &= same("events", was->events, is->events);
    all &= same("barriers", was->barriers, is->barriers);
    all &= same("values", was->values, is->values);
    all &= same("arrays", was->arrays, is->arrays);
    all &= same("messages", was->messages, is->messages);
    all &= same("queues", was->queues, is->queues);
    all &= same("connections", was->connections, is->connections);
    all &= same("pools", was->pools, is->pools);
    all &= same("results", was->results, is->results);
    return all & same("shared blocks", was->shared_blocks, is->shared_blocks);
}

static bool counts_equal(const struct support_counts *one, const struct support_counts *two)
{
    const mp_stats *a = &one->stats, *b = &two->stats;
    return one->descriptors == two->descriptors && one->children == two->children && a->bytes_used == b->bytes_used &&
           a->blocks == b->blocks && a->processes == b->processes && a->records == b->records &&
           a->threads == b->threads && a->locks == b->locks && a->rlocks == b->rlocks &&
           a->semaphores == b->semaphores && a->conditions == b->conditions && a->events == b->events &&
           a->barriers == b->barriers && a->values == b->values && a->arrays == b->arrays &&
           a->shared_blocks == b->shared_blocks && a->messages == b->messages && a->queues == b->queues &&
           a->connections == b->connections && a->pools == b->pools && a->results == b->results;
}

static int set_up(void **state)
{
    struct run *run = *state;
    ok(mp_set_start_method(run->method));
    support_count(&run->before);
    return 0;
}

/* A process that was killed is cleaned up after by who notices, which may be the fork server: just now. */
static int tear_down(void **state)
{
    struct run *run = *state;
    struct support_counts after;
    int64_t until = support_now() + 2000;
    do support_count(&after);
    while (!counts_equal(&run->before, &after) && support_now() < until);
    return support_balanced(&run->before, &after) ? 0 : -1;
}

static int nothing(void *args)
{
    (void)args;
    return 0;
}

/* What the first start by a method leaves for the next ones: a fork server, and the way to it. */
static void warm_up(void)
{
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    for (size_t i = 0; i < count; i++) {
        mp_process process;
        const mp_process_options options = {.method = methods[i], .daemon = true};
        if (mp_process_start(&process, nothing, NULL, 0, &options) == 0) support_end(process);
    }
}

int support_run(const char *group, const struct test_case *cases, size_t count, int argc, char **argv)
{
    size_t methods, total = 0;
    const mp_start_method *all = mp_get_all_start_methods(&methods);
    struct CMUnitTest *tests = calloc(count * methods, sizeof *tests);
    struct run *runs = calloc(count * methods, sizeof *runs);
    if (!tests || !runs) return 1;
    support_set_program(argv[0]);
    if (getenv("MP_TEST_LOG")) mp_log_to_stderr((mp_log_level)atoi(getenv("MP_TEST_LOG")));
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    for (size_t m = 0; m < methods; m++) {
        for (size_t i = 0; i < count; i++) {
            if (cases[i].flags & ONCE && m > 0) continue;
            if (cases[i].flags & NO_FORK && all[m] == MP_FORK) continue;
            struct run *run = &runs[total];
            run->method = cases[i].flags & ONCE ? MP_DEFAULT : all[m];
            snprintf(run->name, sizeof run->name, "%s:%s", mp_start_method_name(run->method), cases[i].name);
            tests[total++] =
                (struct CMUnitTest){run->name, cases[i].run, set_up, cases[i].flags & LEAVES ? NULL : tear_down, run};
        }
    }
    warm_up();
    int failed = _cmocka_run_group_tests(group, tests, total, NULL, NULL);
    free(tests);
    free(runs);
    return failed ? 1 : 0;
}

/* ---- checks ---------------------------------------------------------------------------------------------------- */

int support_ok(int result, const char *call, const char *file, int line)
{
    if (result >= 0) return result;
    print_error("%s: %s: %s\n", call, mp_error_name(result), mp_error_detail());
    _fail(file, line);
    return result;
}

void support_fails(int wanted, int result, const char *call, const char *file, int line)
{
    if (result == wanted && (mp_error_detail()[0] || wanted >= 0)) return;
    print_error("%s: %s (%d) instead of %s; the detail: %s\n", call, mp_error_name(result), result,
                mp_error_name(wanted), mp_error_detail());
    _fail(file, line);
}

int support_end(mp_process process)
{
    int code;
    ok(mp_process_join(process, &code, LIMIT));
    ok(mp_process_close(process));
    return code;
}

/* ---- gates and time -------------------------------------------------------------------------------------------- */

struct gate gate_create(void)
{
    struct gate gate = {{0}};
    ok(mp_semaphore_create(&gate.semaphore, 0, &(mp_semaphore_options){.name = "gate"}));
    return gate;
}

void gate_destroy(struct gate gate)
{
    ok(mp_semaphore_destroy(gate.semaphore));
}

bool gate_open(struct gate gate)
{
    return mp_semaphore_release(gate.semaphore) == 0;
}

bool gate_take(struct gate gate)
{
    return mp_semaphore_acquire(gate.semaphore, LIMIT) == 0;
}

bool gate_pass(struct gate gate)
{
    return gate_take(gate) && gate_open(gate);
}

int64_t support_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
