/* SPDX-License-Identifier: MIT
 *
 * test_machine_posix.c - what is asked of a Linux machine: CPUs and memory as control groups of either version leave them,
 * random bytes. The machine is made of files in a folder.
 */
#include "files.h"
#include "os/os.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CPUS = 8,
    AVAILABLE = 1000 * 1024
};

static char folder[PATH_SIZE], inner[4][PATH_SIZE];
static int inners;
static bool no_affinity, no_entropy;

/* ---- calls that see that machine --------------------------------------------------------------------------------- */

/* "/proc/self/cgroup" is the folder's "cgroup". */
static const char *place_of(const char *path, char place[PATH_SIZE])
{
    static const char *const moved[] = {"/proc/self/cgroup", "/proc/self/mountinfo", "/proc/meminfo", "/dev/urandom"};
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
        if (folder[0] && strcmp(path, moved[i]) == 0) return path_in(place, folder, strrchr(path, '/') + 1);
    return path;
}

#define OPEN(name)                                                \
    int __real_##name(const char *path, int flags, ...);          \
    int __wrap_##name(const char *path, int flags, ...);          \
    int __wrap_##name(const char *path, int flags, ...)           \
    {                                                             \
        char place[PATH_SIZE];                                    \
        return __real_##name(place_of(path, place), flags, 0600); \
    }
#define FOPEN(name)                                         \
    FILE *__real_##name(const char *path, const char *how); \
    FILE *__wrap_##name(const char *path, const char *how); \
    FILE *__wrap_##name(const char *path, const char *how)  \
    {                                                       \
        char place[PATH_SIZE];                              \
        return __real_##name(place_of(path, place), how);   \
    }
OPEN(open)
FOPEN(fopen)
#ifdef TEST_WRAPS_64 /* as they are called where files are large */
OPEN(open64)
FOPEN(fopen64)
#endif

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (number != SYS_sched_getaffinity) return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (no_affinity) {
        errno = ENOSYS;
        return -1;
    }
    *(unsigned long *)a[2] = (1UL << CPUS) - 1;
    return sizeof(unsigned long);
}

int __real_getentropy(void *data, size_t size);
int __wrap_getentropy(void *data, size_t size);
int __wrap_getentropy(void *data, size_t size)
{
    if (!no_entropy) return __real_getentropy(data, size);
    errno = ENOSYS;
    return -1;
}

/* ---- making the machine ------------------------------------------------------------------------------------------ */

static int machine_create(void **state)
{
    (void)state;
    folder_create(folder);
    return 0;
}

static int machine_destroy(void **state)
{
    (void)state;
    no_affinity = no_entropy = false;
    while (inners > 0) folder_remove(inner[--inners]);
    folder_remove(folder);
    folder[0] = 0;
    return 0;
}

static void have(const char *name, const char *text)
{
    char path[PATH_SIZE];
    file_write(path_in(path, folder, name), text);
}

static void have_folder(const char *name)
{
    assert_true(inners < 4);
    assert_int_equal(mkdir(path_in(inner[inners++], folder, name), 0700), 0);
}

/* This process is in the group, whose tree is mounted at the folder, from `root` on. */
static void have_group(const char *group, const char *root, const char *kind)
{
    char text[2 * PATH_SIZE];
    have("cgroup", group);
    (void)snprintf(text, sizeof text, "20 1 0:5 / /proc rw - proc proc rw\n30 20 0:9 %s %s rw,nosuid - %s\n", root,
                   folder, kind);
    have("mountinfo", text);
}

static void have_memory(void)
{
    have("meminfo", "MemTotal:  4000 kB\nMemAvailable:    1000 kB\nCached: 7 kB\n");
}

#define SECOND     "cgroup2 cgroup2 rw"
#define FIRST_CPU  "cgroup cgroup rw,cpuacct,cpu"
#define FIRST_HEAP "cgroup cgroup rw,memory"

/* ---- CPUs -------------------------------------------------------------------------------------------------------- */

static void cpus_without_groups(void **state)
{
    (void)state;
    assert_int_equal(mp_os_cpu_count(), CPUS);
    have("cgroup", "0::/a\n");
    assert_int_equal(mp_os_cpu_count(), CPUS); /* nothing is mounted */
    have_group("no group at all\n0::/a\n", "/", "tmpfs tmpfs rw");
    assert_int_equal(mp_os_cpu_count(), CPUS);
    no_affinity = true;
    assert_int_equal(mp_os_cpu_count(), sysconf(_SC_NPROCESSORS_ONLN));
}

static void cpus_of_version_2(void **state)
{
    static const struct {
        const char *text;
        int count;
    } cases[] = {
        {"max 100000\n", CPUS},  {"150000 100000\n", 2}, {"200000 100000\n", 2}, {"50000 100000\n", 1},
        {"0 100000\n", 1},       {"100000 0\n", CPUS},   {"100000\n", CPUS},     {"", CPUS},
        {"900000 100000", CPUS},
    };
    (void)state;
    have_group("0::/a\n", "/", SECOND);
    have_folder("a");
    assert_int_equal(mp_os_cpu_count(), CPUS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        have("a/cpu.max", cases[i].text);
        assert_int_equal(mp_os_cpu_count(), cases[i].count);
    }
}

static void the_tightest_group_counts(void **state)
{
    (void)state;
    have_group("0::/a/b\n", "/", SECOND);
    have_folder("a");
    have_folder("a/b");
    have("a/b/cpu.max", "500000 100000\n");
    assert_int_equal(mp_os_cpu_count(), 5);
    have("a/cpu.max", "300000 100000\n");
    assert_int_equal(mp_os_cpu_count(), 3);
    have("cpu.max", "200000 100000\n");
    assert_int_equal(mp_os_cpu_count(), 2);
    have("a/b/cpu.max", "100000 100000\n");
    assert_int_equal(mp_os_cpu_count(), 1);
}

static void cpus_of_version_1(void **state)
{
    (void)state;
    have_group("5:cpuset:/x\n4:cpu,cpuacct:/a\n", "/", FIRST_CPU);
    have_folder("a");
    have("a/cpu.cfs_quota_us", "-1\n");
    have("a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(mp_os_cpu_count(), CPUS);
    have("a/cpu.cfs_quota_us", "250000\n");
    assert_int_equal(mp_os_cpu_count(), 3);
    have_group("4:cpu,cpuacct:/a\n", "/", "cgroup cgroup rw,cpuset"); /* another controller's */
    assert_int_equal(mp_os_cpu_count(), CPUS);
    have_group("5:cpuset,xcpu:/a\n", "/", FIRST_CPU);
    assert_int_equal(mp_os_cpu_count(), CPUS);
}

/* In a container the mount begins somewhere within the path; and what lies outside is not to be seen. */
static void groups_in_a_container(void **state)
{
    (void)state;
    have("cpu.max", "600000 100000\n");
    have_folder("sub");
    have("sub/cpu.max", "400000 100000\n");
    have_group("0::/docker/id/sub\n", "/docker/id", SECOND);
    assert_int_equal(mp_os_cpu_count(), 4);
    have_group("0::/docker/id\n", "/docker/id", SECOND);
    assert_int_equal(mp_os_cpu_count(), 6);
    have_group("0::/docker/identical\n", "/docker/id", SECOND); /* no part of it */
    assert_int_equal(mp_os_cpu_count(), 6);
    have_group("0::/../sub\n", "/", SECOND);
    assert_int_equal(mp_os_cpu_count(), 6);
    have_group("0::/\n", "/", SECOND);
    assert_int_equal(mp_os_cpu_count(), 6);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void memory_of_the_machine(void **state)
{
    (void)state;
    assert_true(mp_os_memory_available() == UINT64_MAX); /* it does not say */
    have("meminfo", "MemTotal:  4000 kB\n");
    assert_true(mp_os_memory_available() == UINT64_MAX);
    have("meminfo", "MemTotal:  4000 kB");
    assert_true(mp_os_memory_available() == UINT64_MAX);
    have_memory();
    assert_true(mp_os_memory_available() == AVAILABLE);
}

/* Names of the files differ, and nothing else. */
static void memory_of(const char *limit, const char *usage, const char *idle)
{
    char text[100];
    have_memory();
    assert_true(mp_os_memory_available() == AVAILABLE);
    have(limit, "500000\n");
    assert_true(mp_os_memory_available() == AVAILABLE); /* of which it is not known how much is used */
    have(usage, "400000\n");
    assert_true(mp_os_memory_available() == 100000);
    (void)snprintf(text, sizeof text, "anon 5\n%s 50000\nshmem 0\n", idle); /* files that can be dropped */
    have("memory.stat", text);
    assert_true(mp_os_memory_available() == 150000);
    (void)snprintf(text, sizeof text, "%s 999999999\n", idle);
    have("memory.stat", text);
    assert_true(mp_os_memory_available() == 500000);
    have("memory.stat", "anon 5\n");
    have(usage, "600000\n");
    assert_true(mp_os_memory_available() == 0);
    have(limit, "90000000\n");
    assert_true(mp_os_memory_available() == AVAILABLE);
    have(limit, "9223372036854771712\n");
    assert_true(mp_os_memory_available() == AVAILABLE);
    have(limit, "max\n");
    assert_true(mp_os_memory_available() == AVAILABLE);
}

static void memory_of_version_2(void **state)
{
    (void)state;
    have_group("0::/\n", "/", SECOND);
    memory_of("memory.max", "memory.current", "inactive_file");
}

static void memory_of_version_1(void **state)
{
    (void)state;
    have_group("7:memory:/\n", "/", FIRST_HEAP);
    memory_of("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
}

/* ---- random bytes ------------------------------------------------------------------------------------------------ */

static void random_bytes(void **state)
{
    unsigned char one[300] = {0}, other[300] = {0};
    (void)state;
    assert_int_equal(mp_os_random(one, sizeof one), 0);
    assert_int_equal(mp_os_random(other, sizeof other), 0);
    assert_memory_not_equal(one, other, sizeof one);
    assert_memory_not_equal(one + 250, other + 250, 50); /* all of them */
    no_entropy = true;
    assert_int_equal(mp_os_random(one, sizeof one), ENOENT);
    have("urandom", "");
    assert_int_equal(mp_os_random(one, sizeof one), EIO);
    have("urandom", "0123456789");
    assert_int_equal(mp_os_random(one, 10), 0);
    assert_memory_equal(one, "0123456789", 10);
    assert_int_equal(mp_os_random(one, 11), EIO);
}

#define MACHINE_CASE(name) cmocka_unit_test_setup_teardown(name, machine_create, machine_destroy)

int main(void)
{
    const struct CMUnitTest cases[] = {
        MACHINE_CASE(cpus_without_groups), MACHINE_CASE(cpus_of_version_2),     MACHINE_CASE(the_tightest_group_counts),
        MACHINE_CASE(cpus_of_version_1),   MACHINE_CASE(groups_in_a_container), MACHINE_CASE(memory_of_the_machine),
        MACHINE_CASE(memory_of_version_2), MACHINE_CASE(memory_of_version_1),   MACHINE_CASE(random_bytes),
    };
    return cmocka_run_group_tests_name("machine", cases, NULL, NULL);
}
