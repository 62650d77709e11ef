/* SPDX-License-Identifier: MIT
 *
 * files_posix.c - files.h on POSIX.
 */
#include "files.h"
#include "support.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if __has_include(<sys/auxv.h>)
#include <link.h>
#include <sys/auxv.h>
#endif

void folder_create(char folder[PATH_SIZE])
{
    const char *place = getenv("TMPDIR");
    char made[PATH_SIZE];
    assert_in_range(snprintf(made, sizeof made, "%s/mp-test-XXXXXX", place ? place : "/tmp"), 1, PATH_SIZE - 1);
    assert_non_null(mkdtemp(made));
    assert_non_null(realpath(made, folder));
}

void folder_remove(const char *folder)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        assert_int_equal(unlinkat(dirfd(directory), entry->d_name, 0), 0);
    }
    closedir(directory);
    assert_int_equal(rmdir(folder), 0);
}

void file_copy(const char *from, const char *to)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    assert_true(source >= 0);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    assert_true(target >= 0);
    char buffer[65536];
    ssize_t got;
    while ((got = read(source, buffer, sizeof buffer)) > 0) assert_int_equal(write(target, buffer, (size_t)got), got);
    assert_int_equal(got, 0);
    assert_int_equal(close(target), 0);
    close(source);
}

void file_delete(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

void file_make_unexecutable(const char *path)
{
    assert_int_equal(chmod(path, 0600), 0);
}

void *library_load(const char *folder, const char *path)
{
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(before >= 0);
    if (folder) assert_int_equal(chdir(folder), 0);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) print_error("%s\n", dlerror());
    assert_int_equal(fchdir(before), 0);
    close(before);
    assert_non_null(library);
    return library;
}

void library_unload(void *library)
{
    assert_int_equal(dlclose(library), 0);
}

mp_target library_target(void *library, const char *name)
{
    union {
        void *address;
        mp_target target;
    } found = {.address = dlsym(library, name)};
    assert_non_null(found.address);
    return found.target;
}

void *memory_executable(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    memset(memory, 0xc3, 4096); /* "return", on one processor at least */
    return memory;
}

#ifdef AT_SYSINFO_EHDR
const void *memory_of_kernel(void)
{
    const ElfW(Ehdr) *image = (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
    return image ? (const char *)image + image->e_entry : NULL;
}
#else
const void *memory_of_kernel(void)
{
    return NULL;
}
#endif
