/* SPDX-License-Identifier: MIT
 *
 * test_trace.c - the timeline: the file is what Perfetto takes, its spans nest, and it says what has happened. Each scenario is
 * a program of its own (program_trace.c), so a family of its own.
 */
#include "json.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS = 1000,
    TASKS = 50000
};

static char path[4096];
static struct json *file;

/* ---- reading it -------------------------------------------------------------------------------------------------- */

static const struct json *events(void)
{
    const struct json *found = json_get(file, "traceEvents");
    assert_non_null(found);
    assert_int_equal(found->type, JSON_LIST);
    return found;
}

/* A span as it nests. */
struct span {
    int64_t pid, tid, begin, end; /* ns */
    const struct json *event;
};

static int by_place(const void *a, const void *b)
{
    const struct span *one = a, *two = b;
    if (one->pid != two->pid) return one->pid < two->pid ? -1 : 1;
    if (one->tid != two->tid) return one->tid < two->tid ? -1 : 1;
    if (one->begin != two->begin) return one->begin < two->begin ? -1 : 1;
    return one->end > two->end ? -1 : one->end < two->end;
}

static struct span span_of(const struct json *event)
{
    int64_t begin = json_thousandths(event, "ts"), length = json_thousandths(event, "dur");
    if (begin < 0 || length < 0 || !*json_text(event, "name") || !*json_text(event, "cat"))
        fail_msg("a span of \"%s\" has no times, or is of no category", json_text(event, "name"));
    return (struct span){(int64_t)json_number(event, "pid"), (int64_t)json_number(event, "tid"), begin, begin + length,
                         event};
}

/* Those of each thread either follow each other or lie within each other. */
static size_t check_nesting(struct span *spans, size_t count)
{
    size_t wrong = 0, depth = 0;
    struct span *open = calloc(count + 1, sizeof *open);
    assert_non_null(open);
    qsort(spans, count, sizeof *spans, by_place);
    for (size_t i = 0; i < count; i++) {
        if (i && (spans[i].pid != spans[i - 1].pid || spans[i].tid != spans[i - 1].tid)) depth = 0;
        while (depth && open[depth - 1].end <= spans[i].begin) depth--;
        if (depth && open[depth - 1].end < spans[i].end) {
            print_error("\"%s\" (%.3f to %.3f us) reaches out of \"%s\" (%.3f to %.3f us)\n",
                        json_text(spans[i].event, "name"), (double)spans[i].begin / 1e3, (double)spans[i].end / 1e3,
                        json_text(open[depth - 1].event, "name"), (double)open[depth - 1].begin / 1e3,
                        (double)open[depth - 1].end / 1e3);
            wrong++;
        }
        open[depth++] = spans[i];
    }
    free(open);
    return wrong;
}

/* All that holds of each file. */
static void check_file(void)
{
    const struct json *all = events();
    struct span *spans = calloc(all->count + 1, sizeof *spans);
    size_t count = 0;
    assert_non_null(spans);
    for (const struct json *event = all->first; event; event = event->next) {
        const char *phase = json_text(event, "ph");
        assert_true(json_number(event, "pid") > 0 && json_number(event, "tid") > 0);
        if (strcmp(phase, "X") == 0)
            spans[count++] = span_of(event);
        else if (strcmp(phase, "M") == 0)
            assert_non_null(json_get(json_get(event, "args"), "name"));
        else if (strcmp(phase, "s") == 0 || strcmp(phase, "f") == 0)
            assert_true(*json_text(event, "id"));
        else
            fail_msg("an event of the phase \"%s\"", phase);
    }
    size_t wrong = check_nesting(spans, count);
    free(spans);
    assert_int_equal(wrong, 0);
}

/* Run that program, and read what it has written. */
static void run(const char *scenario)
{
    struct outcome outcome;
    char method[8];
    size_t wrong;
    snprintf(path, sizeof path, "test_trace_%s_%d.json", scenario, (int)mp_get_start_method());
    snprintf(method, sizeof method, "%d", (int)mp_get_start_method());
    support_program(&outcome, "program_trace", (const char *const[]){scenario, method, path, NULL});
    if (outcome.code != 0) fail_msg("%s ends with %d: %s", scenario, outcome.code, outcome.text);
    file = json_read_file(path, &wrong);
    if (!file) fail_msg("%s is no JSON at %zu", path, wrong);
    check_file();
}

static void done(void)
{
    json_free(file);
    file = NULL;
    assert_int_equal(remove(path), 0);
}

/* How many spans of that name there are, and what one of their arguments is in sum. */
static int count_spans(const char *name, const char *argument, double *sum)
{
    int count = 0;
    double all = 0;
    for (const struct json *event = events()->first; event; event = event->next) {
        if (!json_is(event, "ph", "X") || !json_is(event, "name", name)) continue;
        count++;
        if (argument) all += json_number(json_get(event, "args"), argument);
    }
    if (sum) *sum = all;
    return count;
}

static double sum_of(const char *name, const char *argument)
{
    double sum;
    (void)count_spans(name, argument, &sum);
    return sum;
}

/* The life of the process of that name. */
static const struct json *life(const char *name)
{
    const struct json *found = NULL;
    for (const struct json *event = events()->first; event; event = event->next) {
        if (!json_is(event, "ph", "X") || !json_is(event, "cat", "process") || !json_is(event, "name", name)) continue;
        assert_null(found);
        found = event;
    }
    assert_non_null(found);
    return found;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

#define JOBS "jobs \"\\????\xc3\xa4"

/* What was recorded, by call or by variable, is all there. */
static void check_everything(void)
{
    static const char *const methods[] = {"", "fork", "spawn", "forkserver"};
    assert_true(json_number(json_get(file, "otherData"), "lost") == 0);
    assert_true(json_is(json_get(file, "otherData"), "libmp", mp_version()));
    assert_true(sum_of("put " JOBS, "items") == ITEMS);
    assert_true(sum_of("put " JOBS, "bytes") == ITEMS * (double)sizeof(int));
    assert_true(sum_of("get " JOBS, "items") == ITEMS);
    assert_true(sum_of("send", "items") == 2 && sum_of("recv", "items") == 2);
    assert_true(sum_of("send", "bytes") == 9 && sum_of("recv", "bytes") == 9);
    assert_true(sum_of("task of pool adders", "tasks") + sum_of("tasks of pool adders", "tasks") == TASKS);
    assert_true(count_spans("acquire lock ledger", NULL, NULL) == 1);
    assert_true(count_spans("start producer", NULL, NULL) == 1);
    const struct json *child = life("producer"), *main_life = life("MainProcess");
    assert_true(json_is(json_get(child, "args"), "method", methods[mp_get_start_method()]));
    assert_true(json_is(json_get(main_life, "args"), "method", "none"));
    assert_true(json_number(main_life, "ts") <= json_number(child, "ts"));
    assert_true(json_thousandths(main_life, "ts") + json_thousandths(main_life, "dur") >=
                json_thousandths(child, "ts") + json_thousandths(child, "dur"));
    int from = 0, to = 0;
    for (const struct json *event = events()->first; event; event = event->next) {
        from += json_is(event, "ph", "s");
        to += json_is(event, "ph", "f");
    }
    assert_int_equal(from, 4);       /* the producer, the pool's supervisor, its workers */
    assert_true(to == 3 || to == 4); /* a worker may have been ended before it began */
}

static void by_call(void **state)
{
    (void)state;
    run("call");
    check_everything();
    done();
}

static void set_variable(const char *name, const char *value)
{
#ifdef _WIN32
    assert_int_equal(_putenv_s(name, value ? value : ""), 0);
#else
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
#endif
}

static void by_variable(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "test_trace_variable_%d.json", (int)mp_get_start_method());
    set_variable("MP_TRACE", name);
    run("variable");
    set_variable("MP_TRACE", NULL);
    check_everything();
    done();
}

/* Its pid is in the name: the file is found by that of the first process, which is in the file, too. */
static void pid_in_the_name(void **state)
{
    (void)state;
    char name[64], wanted[64];
    size_t wrong;
    set_variable("MP_TRACE", "test_trace_%p.json");
    struct outcome outcome;
    support_program(&outcome, "program_trace", (const char *const[]){"pid", "0", "test_trace_none.json", NULL});
    set_variable("MP_TRACE", NULL);
    assert_int_equal(outcome.code, 0);
    snprintf(name, sizeof name, "test_trace_%ld.json", strtol(outcome.text, NULL, 10));
    file = json_read_file(name, &wrong);
    assert_non_null(file);
    snprintf(wanted, sizeof wanted, "%ld", (long)json_number(life("MainProcess"), "pid"));
    assert_string_equal(wanted, strtok(outcome.text, "\r\n"));
    snprintf(path, sizeof path, "%s", name);
    done();
}

/* Elevated or not, an empty variable is none. */
static void empty_variable(void **state)
{
    (void)state;
    struct outcome outcome;
    set_variable("MP_TRACE", "");
    support_program(&outcome, "program_trace", (const char *const[]){"variable", "0", "test_trace_none.json", NULL});
    set_variable("MP_TRACE", NULL);
    assert_int_equal(outcome.code, 0);
    FILE *none = fopen("test_trace_none.json", "rb");
    assert_null(none);
}

static void killed(void **state)
{
    (void)state;
    run("killed");
    const struct json *victim = life("victim");
    assert_true(sum_of("put " JOBS, "items") == 10);
    assert_true(json_thousandths(victim, "dur") > 0);
    assert_true(json_number(json_get(victim, "args"), "exit") == -9);
    done();
}

static void wraps(void **state)
{
    (void)state;
    run("wraps"); /* 201 events, of which 16 are kept */
    assert_true(json_number(json_get(file, "otherData"), "lost") == 201 - 16);
    assert_true(sum_of("get back", "items") == 1);
    assert_true(sum_of("put back", "items") + sum_of("put " JOBS, "items") == 15);
    done();
}

static void stops(void **state)
{
    (void)state;
    run("stops");
    assert_true(sum_of("put " JOBS, "items") == 5);
    assert_true(count_spans("get " JOBS, NULL, NULL) == 0);
    assert_true(count_spans("get back", NULL, NULL) == 1 && sum_of("get back", "items") == 0);
    assert_true(count_spans("put back", NULL, NULL) == 1 && sum_of("put back", "bytes") == 0);
    done();
}

static void pool(void **state)
{
    (void)state;
    run("pool");
    double sum = 0, last = 0;
    for (const struct json *event = events()->first; event; event = event->next) {
        if (!json_is(event, "cat", "pool")) continue;
        double first = json_number(json_get(event, "args"), "first"),
               tasks = json_number(json_get(event, "args"), "tasks");
        assert_true(first + tasks <= 10000 + 256 || first >= 20000); /* stopped at the one, begun again at the other */
        sum += tasks;
        if (first > last) last = first;
    }
    assert_true(sum > 30000 && sum <= 40000 + 256 + 1);
    assert_true(last >= 20000);
    assert_true(count_spans("wait for result", NULL, NULL) >= 1);
    done();
}

static void small(void **state)
{
    (void)state;
    run("small");
    assert_true(json_number(json_get(file, "otherData"), "lost") > 0);
    assert_true(sum_of("put " JOBS, "items") >= 1);
    (void)life("Process-60");
    done();
}

static void nowhere(void **state)
{
    (void)state;
    struct outcome outcome;
    set_variable("MP_TRACE", "no/such/folder/file");
    support_program(&outcome, "program_trace", (const char *const[]){"nowhere", "0", "test_trace_none.json", NULL});
    set_variable("MP_TRACE", NULL);
    if (outcome.code != 0) fail_msg("%s", outcome.text);
    assert_non_null(strstr(outcome.text, "libmp: the timeline is not written: MP_TRACE"));
}

static void busy(void **state)
{
    (void)state;
    run("busy");
    assert_true(count_spans("put back", NULL, NULL) > 0);
    done();
}

static void copy(void **state)
{
    (void)state;
    run("copy");
    (void)life("MainProcess");
    done();
}

static void refused(void **state)
{
    (void)state;
    run("refused");
    assert_int_equal(events()->count, 0);
    done();
}

static const struct test_case cases[] = {
    CASE(by_call),      CASE(by_variable), CASE_ONCE(pid_in_the_name), CASE_ONCE(empty_variable),
    CASE(killed),       CASE_ONCE(wraps),  CASE_ONCE(stops),           CASE(busy),
    CASE_ONCE(copy),    CASE_ONCE(pool),   CASE_ONCE(small),           CASE_ONCE(nowhere),
    CASE_ONCE(refused),
};
SUPPORT_MAIN("trace", cases)
