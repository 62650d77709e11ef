/* SPDX-License-Identifier: MIT
 *
 * module.c - functions across exec: in which module an address lies, and back.
 */
#include "build.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

/* A static program of glibc should not be linked with all of the dynamic linker for the sake of a library that it can
 * not have. */
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
extern __typeof__(dlopen) dlopen __attribute__((weak));
extern __typeof__(dlinfo) dlinfo __attribute__((weak));
#define CAN_LOAD (dlopen != NULL && dlinfo != NULL)
#endif
#endif
#ifndef CAN_LOAD
#define CAN_LOAD true
#endif

/* ---- looking through what is loaded ---------------------------------------------------------------------------- */

/* Exactly one of them is looked for: code at an address, a dynamic section at an address, or else the program. */
struct search {
    const void *code, *dynamic;
    struct mp_os__loaded found;
    int seen;
};

static bool has_dynamic(const struct mp_os__loaded *loaded, const void *dynamic)
{
    for (int i = 0; i < loaded->count; i++)
        if (loaded->headers[i].p_type == PT_DYNAMIC &&
            (const void *)(loaded->base + loaded->headers[i].p_vaddr) == dynamic)
            return true;
    return false;
}

static int look(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct search *search = argument;
    struct mp_os__loaded loaded = {.base = info->dlpi_addr,
                                   .headers = info->dlpi_phdr,
                                   .count = info->dlpi_phnum,
                                   .program = search->seen++ == 0, /* it always comes first */
                                   .name = info->dlpi_name};
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) loaded.unloads = info->dlpi_subs;
    bool is_it = loaded.program;
    if (search->code != NULL)
        is_it = mp_os__loaded_code(&loaded, (ElfW(Addr))((uintptr_t)search->code - loaded.base)) != NULL;
    else if (search->dynamic != NULL)
        is_it = has_dynamic(&loaded, search->dynamic);
    if (is_it) search->found = loaded;
    return is_it;
}

/* ---- from address to module ------------------------------------------------------------------------------------ */

#if defined(__linux__)

/* What the kernel puts into every process. No child finds it at the same offset, and no file holds it. */
static bool is_kernels(const struct mp_os__loaded *loaded)
{
    unsigned long image = getauxval(AT_SYSINFO_EHDR);
    for (int i = 0; image != 0 && i < loaded->count; i++)
        if (loaded->headers[i].p_type == PT_LOAD && image - (loaded->base + loaded->headers[i].p_vaddr) < 4096)
            return true;
    return false;
}

/* Run as an argument of the dynamic linker. The kernel was told to run that, so /proc/self/exe is that, too, and the
 * kernel has loaded no interpreter, though the program asks for one. */
static bool run_by_linker(void)
{
    struct search search = {.seen = 0};
    dl_iterate_phdr(look, &search);
    if (getauxval(AT_BASE) != 0) return false;
    for (int i = 0; i < search.found.count; i++)
        if (search.found.headers[i].p_type == PT_INTERP) return true;
    return false;
}

/* The file that is mapped at an address. */
static int path_mapped(const void *address, char *path)
{
    static const char deleted[] = " (deleted)";
    FILE *file = fopen("/proc/self/maps", "re");
    if (file == NULL) return errno;
    char line[MP_OS_PATH_MAX + 128];
    int error = ENOENT;
    while (error == ENOENT && fgets(line, sizeof line, file) != NULL) {
        unsigned long long first, end;
        char *name = strchr(line, '/');
        if (sscanf(line, "%llx-%llx", &first, &end) != 2 || (uintptr_t)address < first || (uintptr_t)address >= end)
            continue;
        if (name == NULL) break;
        size_t length = strcspn(name, "\n"), tail = sizeof deleted - 1;
        if (length > tail && memcmp(name + length - tail, deleted, tail) == 0) length -= tail;
        error = length < MP_OS_PATH_MAX ? 0 : ENAMETOOLONG;
        if (error == 0) memcpy(path, name, length), path[length] = '\0';
    }
    fclose(file);
    return error;
}

#else

static bool is_kernels(const struct mp_os__loaded *loaded)
{
    (void)loaded;
    return false;
}

static bool run_by_linker(void)
{
    return false;
}

static int path_mapped(const void *address, char *path)
{
    Dl_info info;
    if (dladdr(address, &info) == 0) return ENOENT;
    return realpath(info.dli_fname, path) != NULL ? 0 : errno;
}

#endif

static int path_of(const struct mp_os__loaded *loaded, const void *address, char *path)
{
    if (loaded->name == NULL || loaded->name[0] != '/') return path_mapped(address, path);
    size_t length = strlen(loaded->name);
    if (length >= MP_OS_PATH_MAX) return ENAMETOOLONG;
    memcpy(path, loaded->name, length + 1);
    return 0;
}

int mp_os_module_of(const void *address, mp_os_module *module)
{
    struct search search = {.code = address};
    if (address == NULL || dl_iterate_phdr(look, &search) == 0 || is_kernels(&search.found)) return mp_os_egone;
    static _Atomic int by_linker; /* 0: not looked yet; 1: no; 2: yes */
    if (atomic_load(&by_linker) == 0) atomic_store(&by_linker, run_by_linker() ? 2 : 1);
    if (atomic_load(&by_linker) == 2) return mp_os_enotsup;

    const struct mp_os__loaded *loaded = &search.found;
    if (!loaded->program) {
        int error = path_of(loaded, address, module->path);
        if (error != 0) return error;
        mp_os__build_of_loaded(loaded, module->build);
    } else {
        module->path[0] = '\0';
        memset(module->build, 0, sizeof module->build);
    }
    module->program = loaded->program;
    module->offset = (uintptr_t)address - loaded->base;
    return 0;
}

int mp_os_module_fresh(const mp_os_module *module)
{
    if (module->program) return 0;
    uint8_t build[MP_OS_BUILD_MAX];
    int error = mp_os__build_of_file(module->path, build);
    if (error != 0) return error == ENOENT || error == ENOEXEC || error == ENOTDIR ? mp_os_egone : error;
    return memcmp(build, module->build, sizeof build) == 0 ? 0 : mp_os_egone;
}

/* ---- and back -------------------------------------------------------------------------------------------------- */

/* A library that is there already need not be on disk any more. One that is not there is looked at before it is
 * loaded: loading runs code of it. It is never unloaded. */
static int load(const mp_os_module *module, struct mp_os__loaded *loaded, const char **what)
{
    *what = "loading the library";
    if (!CAN_LOAD) return mp_os_enotsup;
    void *handle = dlopen(module->path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (handle == NULL) {
        int error = mp_os_module_fresh(module);
        if (error != 0) return error;
        handle = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
    }
    struct link_map *map;
    if (handle == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return ENOEXEC;
    struct search search = {.dynamic = map->l_ld};
    if (dl_iterate_phdr(look, &search) == 0) return ENOEXEC;
    *loaded = search.found;
    return 0;
}

static int find(const mp_os_module *module, struct mp_os__loaded *loaded, const char **what)
{
    struct search search = {.seen = 0};
    if (module->program) {
        dl_iterate_phdr(look, &search);
        *loaded = search.found;
        return 0;
    }
    int error = load(module, loaded, what);
    if (error != 0) return error;
    uint8_t build[MP_OS_BUILD_MAX];
    mp_os__build_of_loaded(loaded, build);
    *what = "comparing the library's build";
    return memcmp(build, module->build, sizeof build) == 0 ? 0 : mp_os_egone;
}

/* The part of the program in which a function was found last. What a fork server has found its children need not look
 * for: that costs each of them five page faults. */
static ElfW(Addr) program_base;
static uint64_t program_code, program_code_end;

static bool program_known(const mp_os_module *module)
{
    return module->program && module->offset >= program_code && module->offset < program_code_end;
}

void mp_os_module_remember(const mp_os_module *module)
{
    struct search search = {.seen = 0};
    if (!module->program || program_known(module)) return;
    dl_iterate_phdr(look, &search);
    const ElfW(Phdr) *code = mp_os__loaded_code(&search.found, module->offset);
    if (code == NULL) return;
    program_base = search.found.base;
    program_code = code->p_vaddr;
    program_code_end = code->p_vaddr + code->p_memsz;
}

int mp_os_module_resolve(const mp_os_module *module, void **address, const char **what)
{
    struct mp_os__loaded loaded = {0};
    if (program_known(module)) {
        *address = (void *)(uintptr_t)(program_base + (ElfW(Addr))module->offset);
        return 0;
    }
    int error = find(module, &loaded, what);
    if (error != 0) return error;
    *what = "finding the function";
    if (mp_os__loaded_code(&loaded, module->offset) == NULL) return mp_os_egone;
    *address = (void *)(uintptr_t)(loaded.base + (ElfW(Addr))module->offset);
    return 0;
}
