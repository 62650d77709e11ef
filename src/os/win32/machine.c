/* SPDX-License-Identifier: MIT
 *
 * machine.c - CPUs, memory, the user, chance, and stderr.
 */
#include "os/win32/win32.h"
#include <ntsecapi.h>

/* The share of all CPUs that the job allows, in 1/10000. */
static uint64_t job_share(void)
{
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = {0};
    const DWORD hard = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &rate, sizeof rate, NULL)) return 10000;
    return (rate.ControlFlags & hard) == hard && rate.CpuRate ? rate.CpuRate : 10000;
}

int mp_os_cpu_count(void)
{
    DWORD_PTR mine = 0, all = 0;
    uint64_t machine = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS), count = machine;
    /* A mask that is not narrowed covers one group of up to 64 CPUs, or is 0; children may go to other groups. */
    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) && mine != all)
        count = (uint64_t)__builtin_popcountll(mine);
    uint64_t allowed = (machine * job_share() + 9999) / 10000;
    if (count > allowed) count = allowed;
    return count ? (int)count : 1;
}

uint64_t mp_os_memory_available(void)
{
    MEMORYSTATUSEX status = {.dwLength = sizeof status};
    return GlobalMemoryStatusEx(&status) ? status.ullAvailPageFile : UINT64_MAX;
}

uint64_t mp_os_user(void)
{
    union {
        TOKEN_USER user;
        uint8_t room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } told;
    HANDLE token;
    DWORD size;
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a of the SID */
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return 0;
    if (GetTokenInformation(token, TokenUser, &told, sizeof told, &size)) {
        const uint8_t *sid = told.user.User.Sid;
        for (DWORD i = 0, end = GetLengthSid(told.user.User.Sid); i < end; i++)
            hash = (hash ^ sid[i]) * UINT64_C(1099511628211);
    }
    CloseHandle(token);
    return hash;
}

bool mp_os_elevated(void)
{
    return false; /* who starts an elevated program hands neither environment nor handles to it */
}

int mp_os_random(void *data, size_t size)
{
    char *next = data;
    while (size) {
        ULONG part = size < 65536 ? (ULONG)size : 65536;
        if (!RtlGenRandom(next, part)) return ERROR_GEN_FAILURE;
        next += part;
        size -= part;
    }
    return 0;
}

void mp_os_write_stderr(const char *text, size_t size)
{
    HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
    wchar_t wide[1024];
    DWORD mode, written;
    if (!out || out == INVALID_HANDLE_VALUE || size > INT_MAX) return;
    /* A console takes bytes for its own code page. */
    if (GetConsoleMode(out, &mode)) {
        int length = MultiByteToWideChar(CP_UTF8, 0, text, (int)size, wide, 1024);
        if (length > 0 && WriteConsoleW(out, wide, (DWORD)length, &written, NULL)) return;
    }
    WriteFile(out, text, (DWORD)size, &written, NULL);
}
