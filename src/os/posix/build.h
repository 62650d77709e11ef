/* SPDX-License-Identifier: MIT
 *
 * build.h - what tells one build of a library from another: its build-id, or where the linker made none, a digest of
 * its code.
 */
#ifndef MP_OS_POSIX_BUILD_H
#define MP_OS_POSIX_BUILD_H

#include "posix.h"
#include <link.h>

/* A module in this process's memory, as dl_iterate_phdr tells. */
struct mp_os__loaded {
    ElfW(Addr) base; /* what addresses in it are relative to */
    const ElfW(Phdr) * headers;
    int count;
    bool program;
    const char *name;
    unsigned long long unloads; /* of any module, until then: a base may have been another's before */
};

/* The segment of code that holds a relative address; NULL: none. */
const ElfW(Phdr) * mp_os__loaded_code(const struct mp_os__loaded *loaded, uint64_t offset);

void mp_os__build_of_loaded(const struct mp_os__loaded *loaded, uint8_t build[MP_OS_BUILD_MAX]);
/* That of the file as it is now. */
int mp_os__build_of_file(const char *path, uint8_t build[MP_OS_BUILD_MAX]);

#endif
