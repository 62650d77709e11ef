/* SPDX-License-Identifier: MIT
 *
 * files.h - files that tests copy, replace and take away, libraries that they load, and memory that is no function.
 *
 * What fails here fails the test; only where a result is returned the caller may go on.
 */
#ifndef MP_TESTS_FILES_H
#define MP_TESTS_FILES_H

#include <mp/process.h>

#include <stdbool.h>
#include <stddef.h>

#define PATH_SIZE 4096

/* How the files of programs and of libraries to be loaded end. */
#ifdef _WIN32
#define PROGRAM_SUFFIX ".exe"
#define LIBRARY_SUFFIX ".dll"
#else
#define PROGRAM_SUFFIX ""
#define LIBRARY_SUFFIX ".so"
#endif

/* A new folder, and its end with all files in it. */
void folder_create(char folder[PATH_SIZE]);
void folder_remove(const char *folder);

/* folder/name; and the file of that name that lies beside the test programs. */
const char *path_in(char path[PATH_SIZE], const char *folder, const char *name);
const char *path_built(char path[PATH_SIZE], const char *name);

/* The copy may be executed. */
void file_copy(const char *from, const char *to);
void file_write(const char *path, const char *text);
/* In use or not: it has another name then, in the same folder. */
void file_hide(const char *path);
/* Gone altogether where the system lets that be done to a file in use; hidden elsewhere. */
void file_delete(const char *path);
/* The path leads to a copy of another file from now on. */
void file_replace(const char *path, const char *by);
void file_make_unexecutable(const char *path);

/* As the path is given, relative to `folder` if that is not NULL. */
void *library_load(const char *folder, const char *path);
void library_unload(void *library);
mp_target library_target(void *library, const char *name);

/* Memory with executable contents that lies in no file, until the process ends. */
void *memory_executable(void);
/* A function that the kernel has put into every process; NULL: it does no such thing here. */
const void *memory_of_kernel(void);

#endif
