/* SPDX-License-Identifier: MIT
 *
 * shared_support.c - what the tests of locks and shared memory have in common.
 */
#include "shared_support.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int complain(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: in a child or a thread: not so: %s (%s)\n", file, line, what, mp_error_detail());
    fflush(stderr);
    return 99;
}

void assert_result(int result, int wanted, const char *call, const char *file, int line)
{
    if (result == wanted) return;
    print_error("%s:%d: %s is %d (%s), not %d (%s); the last detail: %s\n", file, line, call, result,
                mp_error_name(result), wanted, mp_error_name(wanted), mp_error_detail());
    _fail(file, line);
}

/* ---- children -------------------------------------------------------------------------------------------------- */

size_t methods_get(mp_start_method methods[METHODS_MOST])
{
    size_t count;
    const mp_start_method *all = mp_get_all_start_methods(&count);
    assert_in_range(count, 1, METHODS_MOST);
    memcpy(methods, all, count * sizeof *methods);
    return count;
}

void each_method(void (*test)(mp_start_method method))
{
    mp_start_method methods[METHODS_MOST];
    size_t count = methods_get(methods);
    for (size_t i = 0; i < count; i++) {
        print_message("  - %s\n", mp_start_method_name(methods[i]));
        test(methods[i]);
    }
}

void children_start(mp_process *children, size_t count, mp_start_method method, mp_target target, const void *args,
                    size_t size)
{
    mp_process_options options = {.method = method};
    for (size_t i = 0; i < count; i++) assert_ok(mp_process_start(&children[i], target, args, size, &options));
}

void children_join(mp_process *children, size_t count)
{
    int bad = 0;
    for (size_t i = 0; i < count; i++) {
        int code = -1;
        int result = mp_process_join(children[i], &code, PATIENCE_MS);
        if (result < 0 || code != 0) {
            print_error("child %u of %u: %s, exit code %d\n", (unsigned)i, (unsigned)count, mp_error_name(result),
                        code);
            bad++;
        }
        if (result == MP_ETIMEDOUT) {
            mp_process_kill(children[i]);
            mp_process_join(children[i], &code, MP_FOREVER);
        }
        mp_process_close(children[i]);
    }
    assert_int_equal(bad, 0);
}

int child_run(mp_start_method method, mp_target target, const void *args, size_t size)
{
    mp_process child;
    int code = -1;
    children_start(&child, 1, method, target, args, size);
    int result = mp_process_join(child, &code, PATIENCE_MS);
    if (result == MP_ETIMEDOUT) {
        mp_process_kill(child);
        mp_process_join(child, &code, MP_FOREVER);
    }
    mp_process_close(child);
    assert_result(result, 0, "mp_process_join", __FILE__, __LINE__);
    return code;
}

static void capture_path(char path[64], mp_process parent)
{
    (void)snprintf(path, 64, "mp-test-stderr-%" PRId64 ".txt", mp_process_pid(parent));
}

int stderr_capture(void)
{
    char path[64];
    capture_path(path, mp_parent_process());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, 2) < 0) return -1;
    return close(fd);
}

void stderr_forget(void)
{
    char path[64];
    capture_path(path, mp_current_process());
    remove(path);
}

int child_run_captured(mp_start_method method, mp_target target, const void *args, size_t size, char *text, size_t room)
{
    char path[64];
    capture_path(path, mp_current_process());
    remove(path);
    int code = child_run(method, target, args, size);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(text, 1, room - 1, file);
    text[length] = 0;
    fclose(file);
    remove(path);
    return code;
}

/* ---- what must be the same before and after -------------------------------------------------------------------- */

struct usage usage_now(void)
{
    struct usage usage;
    assert_ok(mp_get_stats(&usage.stats));
    usage.descriptors = descriptors_open();
    return usage;
}

bool stats_equal(const mp_stats *a, const mp_stats *b)
{
    return a->bytes_used == b->bytes_used && a->blocks == b->blocks && a->processes == b->processes &&
           a->records == b->records && a->threads == b->threads && a->locks == b->locks && a->rlocks == b->rlocks &&
           a->semaphores == b->semaphores && a->conditions == b->conditions && a->events == b->events &&
           a->barriers == b->barriers && a->values == b->values && a->arrays == b->arrays &&
           a->shared_blocks == b->shared_blocks;
}

void assert_usage(const struct usage *before)
{
    struct usage now = usage_now();
    assert_int_equal(now.stats.bytes_used, before->stats.bytes_used);
    assert_int_equal(now.stats.blocks, before->stats.blocks);
    assert_int_equal(now.stats.processes, before->stats.processes);
    assert_int_equal(now.stats.records, before->stats.records);
    assert_int_equal(now.stats.threads, before->stats.threads);
    assert_int_equal(now.stats.locks, before->stats.locks);
    assert_int_equal(now.stats.rlocks, before->stats.rlocks);
    assert_int_equal(now.stats.semaphores, before->stats.semaphores);
    assert_int_equal(now.stats.conditions, before->stats.conditions);
    assert_int_equal(now.stats.events, before->stats.events);
    assert_int_equal(now.stats.barriers, before->stats.barriers);
    assert_int_equal(now.stats.values, before->stats.values);
    assert_int_equal(now.stats.arrays, before->stats.arrays);
    assert_int_equal(now.stats.shared_blocks, before->stats.shared_blocks);
    assert_int_equal(now.descriptors, before->descriptors);
}

static int nothing(void *args)
{
    (void)args;
    return 0;
}

int warm_up(void **state)
{
    (void)state;
    mp_start_method methods[METHODS_MOST];
    size_t count = methods_get(methods);
    for (size_t i = 0; i < count; i++)
        if (child_run(methods[i], nothing, NULL, 0) != 0) return -1;
    return 0;
}

/* ---- odds and ends --------------------------------------------------------------------------------------------- */

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

bool await_count(_Atomic uint32_t *counter, uint32_t count)
{
    int64_t end = now_ms() + PATIENCE_MS;
    while (atomic_load(counter) < count) {
        if (now_ms() > end) return false;
        sched_yield();
    }
    return true;
}

void nap(int64_t microseconds)
{
    struct timespec time = {.tv_sec = (time_t)(microseconds / 1000000),
                            .tv_nsec = (long)(microseconds % 1000000 * 1000)};
    nanosleep(&time, NULL);
}

int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t stress_ms(int seconds)
{
    const char *wanted = getenv("MP_TEST_SECONDS");
    int64_t chosen = wanted ? strtoll(wanted, NULL, 10) : 0;
    return (chosen > 0 ? chosen : seconds) * 1000;
}

/* Eight bytes at a time, and each at a place of its own: two blocks that overlap do not agree anywhere. */
static uint64_t pattern_at(size_t i, uint64_t key)
{
    return (key + i) * UINT64_C(0x9e3779b97f4a7c15) ^ key;
}

void pattern_fill(void *data, size_t size, uint64_t key)
{
    unsigned char *bytes = data;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = pattern_at(i, key);
        memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
    }
}

bool pattern_holds(const void *data, size_t size, uint64_t key)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = pattern_at(i, key);
        if (memcmp(bytes + i, &word, size - i < 8 ? size - i : 8) != 0) return false;
    }
    return true;
}

bool all_zero(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}
