/* SPDX-License-Identifier: MIT
 *
 * files_win32.c - files.h on Win32, where a file in use can be renamed, and not removed.
 */
#include "files.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

void folder_create(char folder[PATH_SIZE])
{
    char place[MAX_PATH], name[MAX_PATH];
    assert_true(GetTempPathA(sizeof place, place) > 0);
    assert_true(GetTempFileNameA(place, "mpt", 0, name) != 0); /* makes a file, to be sure that it is new */
    assert_true(DeleteFileA(name));
    assert_true(CreateDirectoryA(name, NULL));
    snprintf(folder, PATH_SIZE, "%s", name);
}

/* A program's file can go when its family's janitor has, which comes a moment after the family. */
static bool remove_soon(const char *path)
{
    int64_t end = support_now() + LIMIT;
    while (!DeleteFileA(path)) {
        if (GetLastError() != ERROR_ACCESS_DENIED || support_now() > end) return false;
        Sleep(1);
    }
    return true;
}

void folder_remove(const char *folder)
{
    char pattern[PATH_SIZE], path[PATH_SIZE];
    WIN32_FIND_DATAA entry;
    HANDLE search = FindFirstFileA(path_in(pattern, folder, "*"), &entry);
    assert_true(search != INVALID_HANDLE_VALUE);
    do
        if (!(entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            assert_true(remove_soon(path_in(path, folder, entry.cFileName)));
    while (FindNextFileA(search, &entry));
    FindClose(search);
    assert_true(RemoveDirectoryA(folder));
}

void file_copy(const char *from, const char *to)
{
    assert_true(CopyFileA(from, to, TRUE));
}

void file_delete(const char *path)
{
    file_hide(path);
}

/* Nothing says so here but its contents. */
void file_make_unexecutable(const char *path)
{
    assert_true(DeleteFileA(path));
    file_write(path, "no program\r\n");
}

void *library_load(const char *folder, const char *path)
{
    char before[PATH_SIZE];
    assert_in_range(GetCurrentDirectoryA(sizeof before, before), 1, sizeof before - 1);
    if (folder) assert_true(SetCurrentDirectoryA(folder));
    HMODULE library = LoadLibraryExA(path, NULL, folder ? 0 : LOAD_WITH_ALTERED_SEARCH_PATH);
    assert_true(SetCurrentDirectoryA(before));
    assert_non_null(library);
    return library;
}

void library_unload(void *library)
{
    assert_true(FreeLibrary(library));
}

mp_target library_target(void *library, const char *name)
{
    union {
        FARPROC address;
        mp_target target;
    } found = {.address = GetProcAddress(library, name)};
    assert_true(found.address != NULL);
    return found.target;
}

void *memory_executable(void)
{
    void *memory = VirtualAlloc(NULL, 4096, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
    assert_non_null(memory);
    memset(memory, 0xc3, 4096);
    return memory;
}

const void *memory_of_kernel(void)
{
    return NULL;
}
