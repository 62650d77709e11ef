/* SPDX-License-Identifier: MIT
 *
 * leash.c - what ends with its parent, however that ends: a job of which the parent only has a handle. What is put into it
 * when it is launched (launch.c) is ended with the last handle; what that starts itself is not in it.
 */
#include "os/win32/win32.h"

const int mp_os_leash_code = 0;

static bool set_limits(HANDLE job, DWORD flags)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation = {.LimitFlags = flags}};
    return SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

int mp_os__job_create(HANDLE *job)
{
    HANDLE made = CreateJobObjectW(NULL, NULL);
    if (!made) return mp_os__error();
    if (!set_limits(made, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK)) {
        int error = mp_os__error();
        CloseHandle(made);
        return error;
    }
    *job = made;
    return 0;
}

void mp_os__job_release(HANDLE job)
{
    /* If that should fail, it is kept open rather than closed: that would end them. */
    if (job && set_limits(job, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK)) CloseHandle(job);
}

int mp_os_leash_create(mp_os_leash *leash)
{
    HANDLE job = NULL;
    int error = mp_os__job_create(&job);
    if (!error) *leash = (mp_os_leash){.hold = (intptr_t)job, .lead = MP_OS_NO_HANDLE};
    return error;
}

int mp_os_leash_check(const mp_os_leash *leash)
{
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION any;
    HANDLE job = (HANDLE)leash->hold;
    return QueryInformationJobObject(job, JobObjectBasicAccountingInformation, &any, sizeof any, NULL) ? 0
                                                                                                       : mp_os__error();
}

void mp_os_leash_drop(mp_os_leash *leash)
{
    (void)leash; /* there are no copies of a process */
}

void mp_os_leash_shed(mp_os_leash *leash)
{
    (void)leash;
}

void mp_os_leash_obey(intptr_t lead)
{
    (void)lead; /* it has been in the job from the beginning */
}
