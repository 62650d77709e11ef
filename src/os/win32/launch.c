/* SPDX-License-Identifier: MIT
 *
 * launch.c - starting a program, with exactly the handles it is meant to have.
 *
 * A handle is inherited only if it is both in the list given to CreateProcess and marked as inheritable. The ones to be
 * passed on under their own number are marked for that moment only. One lock makes launches take turns, so that none
 * takes a mark away that another needs. (A program that calls CreateProcess itself just then, without such a list,
 * passes them on as well; there is nothing to be done about it.)
 */
#include "os/win32/win32.h"
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static SRWLOCK launching = SRWLOCK_INIT;

static bool is_handle(HANDLE handle)
{
    DWORD flags;
    /* Numbers below 0 mean "this process" and the like: they would mean something else in the child. */
    return (intptr_t)handle > 0 && GetHandleInformation(handle, &flags);
}

int mp_os_keep_check(const mp_fd *keep, size_t count, size_t *which)
{
    for (*which = 0; *which < count; (*which)++)
        if (!is_handle(keep[*which])) return ERROR_INVALID_HANDLE;
    return 0;
}

static int wide_copy(const char *text, wchar_t **copy)
{
    size_t capacity = strlen(text) + 1;
    wchar_t *wide = calloc(capacity, sizeof *wide);
    int error = wide ? mp_os__to_wide(text, wide, capacity) : ERROR_NOT_ENOUGH_MEMORY;
    if (error)
        free(wide);
    else
        *copy = wide;
    return error;
}

int mp_os_executable_check(const char *path)
{
    wchar_t *wide;
    int error = wide_copy(path, &wide);
    if (error) return error;
    error = mp_os__program_check(wide);
    free(wide);
    return error;
}

/* The handles a child gets. The first three are copies made for it, so that the program's own stay as they are. */
struct luggage {
    HANDLE *handles; /* each once: the system refuses doubles */
    DWORD *flags;    /* what has to be set again */
    size_t count;
    HANDLE standard[3]; /* NULL: it has none */
};

static void give_back(struct luggage *luggage)
{
    for (size_t i = 0; i < luggage->count; i++)
        SetHandleInformation(luggage->handles[i], HANDLE_FLAG_INHERIT, luggage->flags[i] & HANDLE_FLAG_INHERIT);
    for (int i = 0; i < 3; i++)
        if (luggage->standard[i]) CloseHandle(luggage->standard[i]);
    free(luggage->handles);
    free(luggage->flags);
}

static int add(struct luggage *luggage, HANDLE handle)
{
    DWORD flags;
    for (size_t i = 0; i < luggage->count; i++)
        if (luggage->handles[i] == handle) return 0;
    if (!is_handle(handle)) return ERROR_INVALID_HANDLE;
    if (!GetHandleInformation(handle, &flags)) return mp_os__error();
    if (!SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) return mp_os__error();
    luggage->handles[luggage->count] = handle;
    luggage->flags[luggage->count++] = flags;
    return 0;
}

static HANDLE copy_of(DWORD standard)
{
    HANDLE original = GetStdHandle(standard), copy, self = GetCurrentProcess();
    /* A program without a console may have none, or one that is closed: its children have none, then. */
    if (!is_handle(original)) return NULL;
    return DuplicateHandle(self, original, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS) ? copy : NULL;
}

static int pack_standard(struct luggage *luggage)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    HANDLE null = CreateFileW(L"NUL", GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL);
    if (null == INVALID_HANDLE_VALUE) return mp_os__error();
    luggage->standard[0] = null;
    luggage->standard[1] = copy_of(STD_OUTPUT_HANDLE);
    luggage->standard[2] = copy_of(STD_ERROR_HANDLE);
    int error = 0;
    for (int i = 0; i < 3 && !error; i++)
        if (luggage->standard[i]) error = add(luggage, luggage->standard[i]);
    return error;
}

/* What is in the luggage when this fails has to be given back, too. */
static int pack(struct luggage *luggage, const mp_os_launch *launch)
{
    size_t capacity = launch->keep_count + 5;
    luggage->handles = calloc(capacity, sizeof *luggage->handles);
    luggage->flags = calloc(capacity, sizeof *luggage->flags);
    if (!luggage->handles || !luggage->flags) return ERROR_NOT_ENOUGH_MEMORY;
    int error = pack_standard(luggage);
    if (!error) error = add(luggage, (HANDLE)launch->segment->handle);
    if (!error && launch->channel != MP_OS_NO_HANDLE) error = add(luggage, (HANDLE)launch->channel);
    for (size_t i = 0; i < launch->keep_count && !error; i++) error = add(luggage, launch->keep[i]);
    return error;
}

/* What CreateProcess is told in words. */
struct words {
    wchar_t *program, *command, *environment, *directory;
};

static void forget(struct words *words)
{
    free(words->program);
    free(words->command);
    free(words->environment);
    free(words->directory);
}

static int find_program(const mp_os_launch *launch, struct words *words)
{
    if (launch->executable) return wide_copy(launch->executable, &words->program);
    words->program = calloc(MP_OS__PATH_MAX, sizeof *words->program);
    return words->program ? mp_os__program(words->program) : ERROR_NOT_ENOUGH_MEMORY;
}

static int compose(const mp_os_launch *launch, struct words *words, const char **what)
{
    int error = find_program(launch, words);
    *what = error == mp_os_egone ? "this program's file has been renamed or replaced" : "the program's path";
    if (error) return error;
    *what = "the environment";
    error = mp_os__environment(launch->environment, launch->bootstrap, &words->environment);
    if (error) return error;
    *what = "the working directory";
    error = launch->working_directory ? wide_copy(launch->working_directory, &words->directory) : 0;
    if (error) return error;
    *what = "the command line";
    words->command = _wcsdup(GetCommandLineW()); /* CreateProcess writes into it */
    return words->command ? 0 : ERROR_NOT_ENOUGH_MEMORY;
}

#define ATTEMPTS 5

/* JobList, of Windows 10: in the job from its first instruction. */
#define ATTRIBUTE_JOBS ProcThreadAttributeValue(13, FALSE, TRUE, FALSE)

/* Wine fails with an internal error, without a process, if another one that was created just before is ended at that moment,
 * whoever does so. That has nothing to do with this one, which is created at the next attempt. */
static int call_create(const struct words *words, DWORD flags, STARTUPINFOEXW *startup, PROCESS_INFORMATION *created)
{
    int error = ERROR_INTERNAL_ERROR;
    for (int i = 0; i < ATTEMPTS && error == ERROR_INTERNAL_ERROR; i++)
        error = CreateProcessW(words->program, words->command, NULL, NULL, TRUE, flags, words->environment,
                               words->directory, &startup->StartupInfo, created)
                    ? 0
                    : mp_os__error();
    return error;
}

/* In a job, NULL for none. Where that can not be from the beginning it is put there before it runs, if it is for good. */
static int create(const struct words *words, struct luggage *luggage, LPPROC_THREAD_ATTRIBUTE_LIST attributes,
                  HANDLE job, bool for_good, PROCESS_INFORMATION *created)
{
    STARTUPINFOEXW startup = {.lpAttributeList = attributes};
    startup.StartupInfo.cb = sizeof startup;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = luggage->standard[0];
    startup.StartupInfo.hStdOutput = luggage->standard[1];
    startup.StartupInfo.hStdError = luggage->standard[2];
    if (!UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, luggage->handles,
                                   luggage->count * sizeof(HANDLE), NULL, NULL))
        return mp_os__error();
    DWORD flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT;
    bool in_job = job && UpdateProcThreadAttribute(attributes, 0, ATTRIBUTE_JOBS, &job, sizeof job, NULL, NULL);
    if (job && !in_job && for_good) flags |= CREATE_SUSPENDED;
    int error = call_create(words, flags, &startup, created);
    if (error) return error;
    if (flags & CREATE_SUSPENDED) {
        (void)AssignProcessToJobObject(job, created->hProcess); /* if not, the janitor ends it */
        ResumeThread(created->hThread);
    }
    return 0;
}

static int create_with_list(const struct words *words, struct luggage *luggage, HANDLE job, bool for_good,
                            PROCESS_INFORMATION *created)
{
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(NULL, 2, 0, &size); /* fails, and tells the size */
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = malloc(size);
    if (!attributes) return ERROR_NOT_ENOUGH_MEMORY;
    int error = InitializeProcThreadAttributeList(attributes, 2, 0, &size) ? 0 : mp_os__error();
    if (!error) {
        error = create(words, luggage, attributes, job, for_good, created);
        DeleteProcThreadAttributeList(attributes);
    }
    free(attributes);
    return error;
}

/* Should this process die within the system's call, which makes a process that does not run yet, nobody would ever have it
 * run: so until that call returns it is in a job that ends with this one, where it can be in one from the beginning. Without
 * one it is launched all the same. */
static int create_safely(const struct words *words, struct luggage *luggage, const mp_os_leash *leash,
                         PROCESS_INFORMATION *created)
{
    HANDLE nursery = NULL;
    if (leash) return create_with_list(words, luggage, (HANDLE)leash->hold, true, created);
    int error = mp_os__job_create(&nursery);
    if (!error) error = create_with_list(words, luggage, nursery, false, created);
    mp_os__job_release(nursery);
    return error ? create_with_list(words, luggage, NULL, false, created) : 0;
}

int mp_os_launch_process(const mp_os_launch *launch, mp_os_process *child, const char **what)
{
    struct words words = {0};
    struct luggage luggage = {0};
    PROCESS_INFORMATION created = {0};
    int error = compose(launch, &words, what);
    if (!error) {
        AcquireSRWLockExclusive(&launching);
        *what = "passing on handles";
        error = pack(&luggage, launch);
        if (!error) {
            *what = "starting the program";
            error = create_safely(&words, &luggage, launch->leash, &created);
        }
        give_back(&luggage);
        ReleaseSRWLockExclusive(&launching);
    }
    forget(&words);
    if (error) return error;
    CloseHandle(created.hThread);
    if (launch->detached)
        CloseHandle(created.hProcess);
    else
        *child = (mp_os_process){.pid = (int64_t)created.dwProcessId,
                                 .handle = (intptr_t)created.hProcess,
                                 .child = true,
                                 .birth = mp_os__birth(created.hProcess)};
    return 0;
}
