/* SPDX-License-Identifier: MIT
 *
 * support_win32.c - handles, children and other programs, on Win32.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

long support_descriptors(void)
{
    DWORD count = 0;
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (long)count;
}

/* Nobody is reaped here; handles are counted. */
long support_children(void)
{
    return 0;
}

bool support_readable(mp_fd fd, int milliseconds)
{
    return WaitForSingleObject(fd, (DWORD)milliseconds) == WAIT_OBJECT_0;
}

static char folder[2048];

void support_set_program(const char *path)
{
    (void)path;
    GetModuleFileNameA(NULL, folder, sizeof folder);
    char *end = strrchr(folder, '\\');
    if (end) *end = '\0';
}

const char *support_folder(void)
{
    return folder;
}

static HANDLE run(const char *command, HANDLE output)
{
    STARTUPINFOA startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION info;
    char line[4096];
    startup.hStdOutput = startup.hStdError = output;
    snprintf(line, sizeof line, "%s", command);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info)) return NULL;
    CloseHandle(info.hThread);
    return info.hProcess;
}

void support_program(struct outcome *outcome, const char *name, const char *const *arguments)
{
    char path[2304];
    snprintf(path, sizeof path, "%s\\%s.exe", folder, name);
    support_program_at(outcome, path, arguments);
}

/* The output goes to a file: a pipe can not be read with a limit in time. */
void support_program_at(struct outcome *outcome, const char *program, const char *const *arguments)
{
    SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
    char command[4096], place[MAX_PATH], path[MAX_PATH];
    memset(outcome, 0, sizeof *outcome);
    int size = snprintf(command, sizeof command, "\"%s\"", program);
    for (; arguments && *arguments; arguments++)
        size += snprintf(command + size, sizeof command - (size_t)size, " %s", *arguments);
    GetTempPathA(sizeof place, place);
    GetTempFileNameA(place, "mpt", 0, path);
    HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inheritable,
                              CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    HANDLE process = file == INVALID_HANDLE_VALUE ? NULL : run(command, file);
    if (!process) {
        print_error("%s can not be run: %lu\n", command, (unsigned long)GetLastError());
        fail();
    }
    DWORD code = 0, got = 0;
    outcome->timed_out = WaitForSingleObject(process, LIMIT) != WAIT_OBJECT_0;
    if (outcome->timed_out) TerminateProcess(process, 1);
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    SetFilePointer(file, 0, NULL, FILE_BEGIN);
    (void)ReadFile(file, outcome->text, sizeof outcome->text - 1, &got, NULL);
    CloseHandle(file);
    outcome->size = got;
    outcome->code = (int)code;
}
