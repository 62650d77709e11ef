/* SPDX-License-Identifier: MIT
 *
 * clock.c - the clock that deadlines are measured by, and waiting for it.
 */
#include "os/win32/win32.h"

#define SECOND INT64_C(1000000000)

/* Windows 10 1803 knows timers that do not wait for the next tick, which may be 16 ms away. */
#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

int64_t mp_os_now(void)
{
    /* Constant since the system was booted, so it does not matter which thread stores it, and when. */
    static _Atomic int64_t known_frequency;
    int64_t frequency = atomic_load_explicit(&known_frequency, memory_order_relaxed);
    LARGE_INTEGER value;
    if (!frequency) {
        QueryPerformanceFrequency(&value);
        frequency = value.QuadPart;
        atomic_store_explicit(&known_frequency, frequency, memory_order_relaxed);
    }
    QueryPerformanceCounter(&value);
    /* In two parts: ticks * 10^9 would overflow 15 minutes after the boot at 10 MHz. */
    return value.QuadPart / frequency * SECOND + value.QuadPart % frequency * SECOND / frequency;
}

static bool sleep_precisely(int64_t nanoseconds)
{
    HANDLE timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
    if (!timer) return false;
    LARGE_INTEGER due = {.QuadPart = -(nanoseconds / 100 + 1)}; /* negative: from now, in 100 ns */
    bool slept =
        SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE) && WaitForSingleObject(timer, INFINITE) == WAIT_OBJECT_0;
    CloseHandle(timer);
    return slept;
}

void mp_os_sleep(int64_t nanoseconds)
{
    int64_t now = mp_os_now();
    int64_t end = nanoseconds > MP_OS_NEVER - now ? MP_OS_NEVER : now + nanoseconds;
    for (int64_t rest = nanoseconds; rest > 0; rest = end - mp_os_now()) {
        if (rest < SECOND && sleep_precisely(rest)) continue;
        Sleep((DWORD)((rest < 1000 * SECOND ? rest : 1000 * SECOND) / 1000000 + 1));
    }
}

void mp_os_yield(void)
{
    SwitchToThread();
}

void mp_os_step_back(bool back)
{
    (void)back; /* for a fork server, that there is not */
}

int mp_os__wait(HANDLE object, int64_t deadline)
{
    /* Waits end at ticks of the system's clock, which may be a little before the deadline: look again. */
    for (;;) {
        DWORD slice = INFINITE;
        int64_t rest = deadline == MP_OS_NEVER ? 1 : deadline - mp_os_now();
        if (rest <= 0)
            slice = 0;
        else if (deadline != MP_OS_NEVER)
            slice = (DWORD)((rest < 1000 * SECOND ? rest : 1000 * SECOND) / 1000000 + 1);
        DWORD result = WaitForSingleObject(object, slice);
        if (result == WAIT_OBJECT_0) return 0;
        if (result != WAIT_TIMEOUT) return mp_os__error();
        if (rest <= 0) return mp_os_etimedout;
    }
}
