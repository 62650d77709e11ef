/* SPDX-License-Identifier: MIT
 *
 * sleep.c - sleeping on a semaphore that other processes find by its name, as WaitOnAddress does not cross processes.
 *
 * The thread that sleeps on it has created it, and closes it at its end. Who wakes opens it; one that is not there any
 * more needs no waking. Opening costs more than waking, so each process keeps the last few open. That does no harm when
 * the thread ends and a later one is given its name: as long as anybody has the semaphore open, the name leads to it.
 */
#include "os/no_lives.h"
#include "os/win32/win32.h"

#define CACHED 32

/* What lies in the arena. The handle means something to the thread's own process only. */
struct sleeper {
    uint64_t handle;
};
_Static_assert(sizeof(struct sleeper) <= MP_OS_SLEEPER_SIZE, "it has to fit into its place");

static struct open_sleeper {
    uint64_t name[2];
    HANDLE semaphore; /* NULL: none */
} cache[CACHED];      /* under cache_lock: shared to look and wake, exclusive to change */
static SRWLOCK cache_lock = SRWLOCK_INIT;

bool mp_os_word_sleeps(void)
{
    return false;
}

int mp_os_word_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    (void)word, (void)value, (void)deadline;
    return mp_os_enotsup;
}

uint32_t mp_os_word_wake(_Atomic uint32_t *word, uint32_t count)
{
    (void)word, (void)count;
    return 0;
}

#define NAME_SIZE 48

static wchar_t *append_hex(wchar_t *text, uint64_t number)
{
    for (int shift = 60; shift >= 0; shift -= 4) *text++ = L"0123456789abcdef"[number >> shift & 15];
    return text;
}

static void name_of(const uint64_t name[2], wchar_t *text)
{
    for (const wchar_t *from = L"Local\\mp-"; *from;) *text++ = *from++;
    text = append_hex(text, name[0]);
    *text++ = L'-';
    *append_hex(text, name[1]) = 0;
}

int mp_os_sleeper_init(void *sleeper, const uint64_t name[2])
{
    wchar_t text[NAME_SIZE];
    name_of(name, text);
    HANDLE semaphore = CreateSemaphoreW(NULL, 0, LONG_MAX, text);
    if (!semaphore) return mp_os__error();
    /* It may be left from a thread that had the name before, with wakes that this one is not to be bothered by. */
    while (WaitForSingleObject(semaphore, 0) == WAIT_OBJECT_0) continue;
    *(struct sleeper *)sleeper = (struct sleeper){(uint64_t)(uintptr_t)semaphore};
    return 0;
}

void mp_os_sleeper_fini(void *sleeper)
{
    struct sleeper *mine = sleeper;
    if (mine->handle) CloseHandle((HANDLE)(uintptr_t)mine->handle);
    mine->handle = 0;
}

int mp_os_sleeper_wait(void *sleeper, int64_t deadline)
{
    return mp_os__wait((HANDLE)(uintptr_t)((struct sleeper *)sleeper)->handle, deadline);
}

static struct open_sleeper *place_of(const uint64_t name[2])
{
    uint64_t hash = (name[0] ^ name[1] << 32 ^ name[1]) * UINT64_C(0x9E3779B97F4A7C15);
    return &cache[hash >> 32 & (CACHED - 1)];
}

/* Wake it if it is open already. */
static bool wake_open(const uint64_t name[2])
{
    const struct open_sleeper *place = place_of(name);
    AcquireSRWLockShared(&cache_lock);
    bool found = place->semaphore && place->name[0] == name[0] && place->name[1] == name[1];
    if (found) ReleaseSemaphore(place->semaphore, 1, NULL);
    ReleaseSRWLockShared(&cache_lock);
    return found;
}

void mp_os_sleeper_wake(void *sleeper, const uint64_t name[2])
{
    (void)sleeper;
    if (wake_open(name)) return;
    wchar_t text[NAME_SIZE];
    name_of(name, text);
    HANDLE semaphore = OpenSemaphoreW(SEMAPHORE_MODIFY_STATE, FALSE, text);
    if (!semaphore) return;
    ReleaseSemaphore(semaphore, 1, NULL);
    struct open_sleeper *place = place_of(name);
    AcquireSRWLockExclusive(&cache_lock);
    HANDLE replaced = place->semaphore;
    *place = (struct open_sleeper){{name[0], name[1]}, semaphore};
    ReleaseSRWLockExclusive(&cache_lock);
    if (replaced) CloseHandle(replaced);
}
