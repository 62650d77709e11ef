/* SPDX-License-Identifier: MIT
 *
 * test_guard_posix.c - two guards, and an owner whose death only its parent can see, on systems that have no robust locks: the
 * parent waits for the other guard, whose owner waits for the dead one's.
 */
#include "os/os.h"
#include "support.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    _Alignas(64) char first[MP_OS_GUARD_SIZE];
    _Alignas(64) char second[MP_OS_GUARD_SIZE];
    struct mp_os_inquiry inquiry;
    _Atomic int stage;
};

static void await(const struct scene *scene, int stage)
{
    while (atomic_load(&scene->stage) < stage) mp_os_yield();
}

static void die_with_second(struct scene *scene)
{
    (void)mp_os_guard_acquire(scene->second, &scene->inquiry);
    atomic_store(&scene->stage, 1);
    for (;;) pause();
}

static int take_both(struct scene *scene)
{
    bool whole = mp_os_guard_acquire(scene->first, &scene->inquiry);
    atomic_store(&scene->stage, 2);
    await(scene, 3);
    if (!whole || mp_os_guard_acquire(scene->second, &scene->inquiry)) return 1; /* its owner is dead */
    mp_os_guard_repaired(scene->second);
    mp_os_guard_release(scene->second);
    mp_os_guard_release(scene->first);
    return 0;
}

static void parent_is_asked(void **state)
{
    (void)state;
    struct scene *scene = mmap(NULL, sizeof *scene, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(scene, MAP_FAILED);
    assert_int_equal(mp_os_guard_init(scene->first), 0);
    assert_int_equal(mp_os_guard_init(scene->second), 0);
    for (int round = 0; round < 3; round++) {
        int status = 1;
        siginfo_t info;
        atomic_store(&scene->stage, 0);
        pid_t dying = fork();
        if (dying == 0) die_with_second(scene);
        await(scene, 1);
        pid_t taking = fork();
        if (taking == 0) _exit(take_both(scene));
        await(scene, 2);
        assert_int_equal(kill(dying, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t)dying, &info, WEXITED | WNOWAIT), 0); /* dead, and not reaped */
        alarm(LIMIT / 1000);
        atomic_store(&scene->stage, 3);
        assert_true(mp_os_guard_acquire(scene->first, &scene->inquiry));
        mp_os_guard_release(scene->first);
        assert_true(waitpid(taking, &status, 0) == taking && status == 0);
        alarm(0);
        assert_int_equal(waitpid(dying, NULL, 0), dying);
    }
    munmap(scene, sizeof *scene);
}

static const struct test_case cases[] = {CASE_ONCE(parent_is_asked)};

SUPPORT_MAIN("guard", cases)
