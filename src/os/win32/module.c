/* SPDX-License-Identifier: MIT
 *
 * module.c - functions across processes: which module an address lies in, and where that is elsewhere.
 *
 * A module is told from another build of it by its PE headers. The loader changes some fields of the copy in memory
 * (the image base), so only those are looked at that it leaves alone.
 */
#include "os/win32/win32.h"
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX  8192
#define SECTIONS_MAX 96 /* the system loads no more */

struct image {
    IMAGE_NT_HEADERS headers;
    IMAGE_SECTION_HEADER sections[SECTIONS_MAX];
    uint8_t build[MP_OS_BUILD_MAX];
};

static uint64_t hash(uint64_t state, const void *data, size_t size)
{
    for (const uint8_t *next = data, *end = next + size; next < end; next++)
        state = (state ^ *next) * UINT64_C(1099511628211);
    return state;
}

/* The linker's check sum and time stamp would do, but linkers that build reproducibly leave out one or both. */
static void identify(struct image *image)
{
    const IMAGE_FILE_HEADER *file = &image->headers.FileHeader;
    const IMAGE_OPTIONAL_HEADER *optional = &image->headers.OptionalHeader;
    uint32_t words[6] = {(uint32_t)file->TimeDateStamp,
                         (uint32_t)optional->SizeOfImage,
                         (uint32_t)optional->CheckSum,
                         (uint32_t)optional->AddressOfEntryPoint,
                         (uint32_t)optional->SizeOfInitializedData,
                         (uint32_t)optional->SizeOfCode};
    uint64_t digest = UINT64_C(14695981039346656037);
    for (unsigned i = 0; i < file->NumberOfSections; i++) {
        const IMAGE_SECTION_HEADER *section = &image->sections[i];
        digest = hash(digest, section->Name, sizeof section->Name);
        digest = hash(digest, &section->Misc.VirtualSize, sizeof section->Misc.VirtualSize);
        digest = hash(digest, &section->VirtualAddress, sizeof section->VirtualAddress);
        digest = hash(digest, &section->SizeOfRawData, sizeof section->SizeOfRawData);
    }
    _Static_assert(sizeof words + sizeof digest <= MP_OS_BUILD_MAX, "it has to fit");
    memset(image->build, 0, sizeof image->build);
    memcpy(image->build, words, sizeof words);
    memcpy(image->build + sizeof words, &digest, sizeof digest);
}

/* Copy the headers at the beginning of a file or a loaded module. */
static bool parse(const char *data, size_t size, struct image *image)
{
    IMAGE_DOS_HEADER dos;
    if (size < sizeof dos) return false;
    memcpy(&dos, data, sizeof dos);
    size_t at = (size_t)dos.e_lfanew;
    if (dos.e_magic != IMAGE_DOS_SIGNATURE || at > size || size - at < sizeof image->headers) return false;
    memcpy(&image->headers, data + at, sizeof image->headers);
    if (image->headers.Signature != IMAGE_NT_SIGNATURE) return false;
    if (image->headers.OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR_MAGIC) return false;
    size_t count = image->headers.FileHeader.NumberOfSections, bytes = count * sizeof *image->sections;
    at += offsetof(IMAGE_NT_HEADERS, OptionalHeader) + image->headers.FileHeader.SizeOfOptionalHeader;
    if (count > SECTIONS_MAX || at > size || size - at < bytes) return false;
    memcpy(image->sections, data + at, bytes);
    identify(image);
    return true;
}

static bool parse_loaded(HMODULE module, struct image *image)
{
    MEMORY_BASIC_INFORMATION memory;
    if (!VirtualQuery(module, &memory, sizeof memory)) return false;
    return parse((const char *)module, memory.RegionSize, image);
}

static int parse_file(const wchar_t *path, struct image *image)
{
    char data[HEADERS_MAX];
    DWORD size, share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE file = CreateFileW(path, GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) return mp_os__error();
    int error = ReadFile(file, data, sizeof data, &size, NULL) ? 0 : mp_os__error();
    CloseHandle(file);
    if (error) return error;
    return parse(data, size, image) ? 0 : ERROR_BAD_EXE_FORMAT;
}

static bool executable_at(const struct image *image, uint64_t offset)
{
    for (unsigned i = 0; i < image->headers.FileHeader.NumberOfSections; i++) {
        const IMAGE_SECTION_HEADER *section = &image->sections[i];
        bool inside = offset >= section->VirtualAddress && offset - section->VirtualAddress < section->Misc.VirtualSize;
        if (inside) return section->Characteristics & IMAGE_SCN_MEM_EXECUTE;
    }
    return false;
}

static bool same_build(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, MP_OS_BUILD_MAX) == 0;
}

static int path_of(HMODULE module, char *path)
{
    wchar_t wide[MP_OS_PATH_MAX]; /* what is longer has more bytes in UTF-8, too */
    DWORD length = GetModuleFileNameW(module, wide, MP_OS_PATH_MAX);
    if (!length) return mp_os__error();
    if (length >= MP_OS_PATH_MAX) return ERROR_FILENAME_EXCED_RANGE;
    return mp_os__from_wide(wide, path, MP_OS_PATH_MAX);
}

int mp_os_module_of(const void *address, mp_os_module *module)
{
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE loaded;
    struct image image;
    if (!GetModuleHandleExW(flags, address, &loaded)) return mp_os_egone;
    uint64_t offset = (uint64_t)((const char *)address - (const char *)loaded);
    if (!parse_loaded(loaded, &image) || !executable_at(&image, offset)) return mp_os_egone;
    char path[MP_OS_PATH_MAX] = "";
    bool program = loaded == GetModuleHandleW(NULL);
    int error = program ? 0 : path_of(loaded, path);
    if (error) return error;
    memset(module, 0, sizeof *module);
    module->offset = offset;
    module->program = program;
    if (program) return 0;
    memcpy(module->build, image.build, sizeof module->build);
    memcpy(module->path, path, strlen(path) + 1);
    return 0;
}

static int program_fresh(void)
{
    wchar_t *path = calloc(MP_OS__PATH_MAX, sizeof *path);
    int error = path ? mp_os__program(path) : ERROR_NOT_ENOUGH_MEMORY;
    free(path);
    return error;
}

int mp_os_module_fresh(const mp_os_module *module)
{
    wchar_t path[MP_OS_PATH_MAX];
    struct image image;
    if (module->program) return program_fresh();
    if (mp_os__to_wide(module->path, path, MP_OS_PATH_MAX) || parse_file(path, &image)) return mp_os_egone;
    return same_build(image.build, module->build) ? 0 : mp_os_egone;
}

/* The library of that path and build. Code of another build is not even loaded: loading runs some of it. */
static int load(const mp_os_module *module, HMODULE *loaded)
{
    wchar_t path[MP_OS_PATH_MAX];
    struct image image;
    int error = mp_os__to_wide(module->path, path, MP_OS_PATH_MAX);
    if (error) return error;
    *loaded = GetModuleHandleW(path);
    if (*loaded) return 0;
    error = parse_file(path, &image);
    if (error) return error;
    if (!same_build(image.build, module->build)) return mp_os_egone;
    *loaded = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    return *loaded ? 0 : mp_os__error();
}

void mp_os_module_remember(const mp_os_module *module)
{
    (void)module;
}

int mp_os_module_resolve(const mp_os_module *module, void **address, const char **what)
{
    HMODULE loaded = GetModuleHandleW(NULL);
    struct image image;
    if (!module->program) {
        *what = "loading the library";
        int error = load(module, &loaded);
        if (error) return error;
    }
    *what = module->program ? "finding the function in the program" : "finding the function in the library";
    if (!parse_loaded(loaded, &image) || !executable_at(&image, module->offset)) return mp_os_egone;
    if (!module->program && !same_build(image.build, module->build)) return mp_os_egone;
    *address = (char *)loaded + module->offset;
    return 0;
}

int mp_os__program(wchar_t *path)
{
    struct image loaded, file;
    if (!parse_loaded(GetModuleHandleW(NULL), &loaded)) return mp_os_egone;
    /* The file can not have been removed, but may have been given another name, and another file its own. */
    DWORD length = GetModuleFileNameW(NULL, path, MP_OS__PATH_MAX);
    for (int attempt = 0; attempt < 2; attempt++) {
        bool found = length && length < MP_OS__PATH_MAX && !parse_file(path, &file);
        if (found && same_build(loaded.build, file.build)) return 0;
        length = MP_OS__PATH_MAX;
        if (!QueryFullProcessImageNameW(GetCurrentProcess(), 0, path, &length)) length = 0;
    }
    return mp_os_egone;
}

int mp_os__program_check(const wchar_t *path)
{
    struct image image = {0};
    int error = parse_file(path, &image);
    if (error) return error;
    DWORD kind = image.headers.FileHeader.Characteristics & (IMAGE_FILE_EXECUTABLE_IMAGE | IMAGE_FILE_DLL);
    return kind == IMAGE_FILE_EXECUTABLE_IMAGE ? 0 : ERROR_BAD_EXE_FORMAT;
}
