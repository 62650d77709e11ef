/* SPDX-License-Identifier: MIT
 *
 * leash.c - what ends with its parent, however that ends: a job of which the parent only has a handle. What is put into it
 * when it is launched (launch.c) is ended with the last handle; what that starts itself is not in it.
 */
#include "os/win32/win32.h"

const int mp_os_leash_code = 0;

int mp_os_leash_create(mp_os_leash *leash)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    if (!job) return mp_os__error();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    if (!SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
        int error = mp_os__error();
        CloseHandle(job);
        return error;
    }
    *leash = (mp_os_leash){.hold = (intptr_t)job, .lead = MP_OS_NO_HANDLE};
    return 0;
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
