/* SPDX-License-Identifier: MIT
 *
 * fuzz_module.c - functions across an exec: a file that is, or is not, a library; and where a function was said to be. What is
 * no build of that library is told so, and an address that is found is code, at that offset of that module.
 *
 *     input: a byte; then a file's bytes, or a module's description as it was told, or an address
 */
#include "fuzz.h"
#include "os/posix/build.h"
#include "primitives/funcref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int file = -1;
static char path[64];

static void have_file(void)
{
    if (file >= 0) return;
    FILE *without_name = tmpfile();
    FUZZ_CHECK(without_name);
    file = fileno(without_name);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", file);
}

/* Whatever a file has in it, it has a build or is no library; and each time the same. */
static void read_file(struct fuzz_input *input)
{
    uint8_t build[MP_OS_BUILD_MAX], again[MP_OS_BUILD_MAX];
    mp_os_module module = {.program = false};
    size_t size = fuzz_left(input);
    FUZZ_CHECK(ftruncate(file, 0) == 0 && pwrite(file, input->at, size, 0) == (ssize_t)size);
    int error = mp_os__build_of_file(path, build);
    FUZZ_CHECK(error == 0 || error == ENOEXEC);
    FUZZ_CHECK(mp_os__build_of_file(path, again) == error && (error || memcmp(build, again, sizeof build) == 0));
    memcpy(module.path, path, sizeof path);
    FUZZ_CHECK(mp_os_module_fresh(&module) != 0 || memcmp(build, module.build, sizeof build) == 0);
    if (!error) memcpy(module.build, build, sizeof build);
    FUZZ_CHECK((mp_os_module_fresh(&module) == 0) == (error == 0));
}

/* A description as it was told, with something else in it. */
static void resolve(struct fuzz_input *input)
{
    static const void *const known[] = {(const void *)(uintptr_t)LLVMFuzzerTestOneInput,
                                        (const void *)(uintptr_t)mp_process_start, (const void *)(uintptr_t)strtoul,
                                        (const void *)(uintptr_t)dl_iterate_phdr};
    mp_os_module module = {0}, found = {0};
    uint8_t how = fuzz_byte(input);
    void *address = NULL;
    FUZZ_CHECK(mp_os_module_of(known[how % 4], &module) == 0);
    if (how & 4) module.offset = fuzz_word(input);
    if (how & 8) module.offset += (uint64_t)(int64_t)(int16_t)fuzz_short(input);
    if (how & 16) fuzz_bytes(input, module.build, sizeof module.build);
    if (how & 32) module.build[fuzz_byte(input) % MP_OS_BUILD_MAX] ^= 1;
    if (how & 64) memcpy(module.path, path, sizeof path);
    if (how & 128) module.program = !module.program;
    if (fuzz_left(input)) {
        uint8_t place = fuzz_byte(input);
        module.path[place] ^= (char)(fuzz_byte(input) % 2);
    }
    int result = fuzz_result(mp__funcref_resolve(&module, &address));
    FUZZ_CHECK(result == 0 || result == MP_ESTALE || result == MP_ENOTARGET);
    if (how % 16 < 4 && how < 16 && !module.program && !fuzz_left(input)) mp_os_module_remember(&module);
    if (result < 0) return;
    FUZZ_CHECK(mp_os_module_of(address, &found) == 0 && found.program == module.program);
    FUZZ_CHECK(found.offset == module.offset &&
               memcmp(found.build, module.build, sizeof found.build * !found.program) == 0);
}

/* Any address: a module that has it, or none. */
static void describe(struct fuzz_input *input)
{
    mp_os_module module = {0};
    uint64_t number = fuzz_word(input);
    if (fuzz_byte(input) & 1) number += (uintptr_t)LLVMFuzzerTestOneInput;
    const void *address = (const void *)(uintptr_t)number;
    void *again = NULL;
    int result = fuzz_result(mp__funcref_make("fuzz", "number", address, &module));
    FUZZ_CHECK(result == 0 || result == MP_ENOTARGET || result == MP_ESTALE);
    if (result == 0) FUZZ_CHECK(mp__funcref_resolve(&module, &again) == 0 && again == address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_begin(data, size);
    have_file();
    switch (fuzz_byte(&input) % 4) {
    case 0:
        resolve(&input);
        break;
    case 1:
        describe(&input);
        break;
    default:
        read_file(&input);
    }
    return 0;
}
