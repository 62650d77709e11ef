/* SPDX-License-Identifier: MIT
 *
 * build.c - see build.h. Of a library in memory, and of a file; what takes long is remembered.
 *
 * What is remembered stands in lists that only grow, at their front: without locks, which a child forked at the wrong
 * moment would find held.
 */
#include "build.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- build-id -------------------------------------------------------------------------------------------------- */

static size_t padded(size_t size, size_t alignment)
{
    size_t unit = alignment == 8 ? 8 : 4;
    return (size + unit - 1) & ~(unit - 1);
}

/* Find it among the notes of one segment. */
static bool find_build_id(const unsigned char *notes, size_t size, size_t alignment, uint8_t build[MP_OS_BUILD_MAX])
{
    ElfW(Nhdr) note;
    const uint32_t build_id = 3; /* NT_GNU_BUILD_ID */
    size_t at = 0;
    while (at <= size && size - at >= sizeof note) {
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note;
        if (note.n_namesz > size - name) return false;
        size_t data = name + padded(note.n_namesz, alignment);
        if (data > size || note.n_descsz > size - data) return false;
        if (note.n_type == build_id && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0 && note.n_descsz > 0) {
            size_t length = note.n_descsz < MP_OS_BUILD_MAX ? note.n_descsz : MP_OS_BUILD_MAX;
            memset(build, 0, MP_OS_BUILD_MAX);
            memcpy(build, notes + data, length);
            return true;
        }
        at = data + padded(note.n_descsz, alignment);
    }
    return false;
}

/* ---- digest ---------------------------------------------------------------------------------------------------- */

struct digest {
    uint64_t a, b;
};

/* Two different multiplications of each 8 bytes; all but the last call with a multiple of 8. */
static void digest_add(struct digest *digest, const unsigned char *data, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, data + at, size - at < 8 ? size - at : 8);
        digest->a = (digest->a ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        digest->a ^= digest->a >> 29;
        digest->b = (digest->b + word) * UINT64_C(0xd6e8feb86659fd93);
        digest->b ^= digest->b >> 32;
    }
}

static void digest_end(struct digest *digest, uint64_t size, uint8_t build[MP_OS_BUILD_MAX])
{
    memset(build, 0, MP_OS_BUILD_MAX);
    memcpy(build, &digest->a, 8);
    memcpy(build + 8, &digest->b, 8);
    memcpy(build + 16, &size, 8);
    build[MP_OS_BUILD_MAX - 1] = 1; /* no digest is a build-id of that length or less */
}

/* The code that a digest is made of. */
static const ElfW(Phdr) * first_code(const ElfW(Phdr) * headers, int count)
{
    for (int i = 0; i < count; i++)
        if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & (PF_X | PF_R)) == (PF_X | PF_R)) return &headers[i];
    return NULL;
}

/* ---- in memory ------------------------------------------------------------------------------------------------- */

const ElfW(Phdr) * mp_os__loaded_code(const struct mp_os__loaded *loaded, uint64_t offset)
{
    for (int i = 0; i < loaded->count; i++) {
        const ElfW(Phdr) *header = &loaded->headers[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
        if (offset >= header->p_vaddr && offset - header->p_vaddr < header->p_memsz) return header;
    }
    return NULL;
}

struct known_code {
    struct known_code *next;
    ElfW(Addr) base;
    unsigned long long unloads;
    uint8_t build[MP_OS_BUILD_MAX];
};
static _Atomic(struct known_code *) known_code;

static void remember_code(const struct mp_os__loaded *loaded, const uint8_t build[MP_OS_BUILD_MAX])
{
    struct known_code *known = malloc(sizeof *known);
    if (known == NULL) return;
    known->base = loaded->base;
    known->unloads = loaded->unloads;
    memcpy(known->build, build, MP_OS_BUILD_MAX);
    known->next = atomic_load(&known_code);
    while (!atomic_compare_exchange_weak(&known_code, &known->next, known)) {}
}

static void digest_loaded(const struct mp_os__loaded *loaded, uint8_t build[MP_OS_BUILD_MAX])
{
    for (const struct known_code *known = atomic_load(&known_code); known != NULL; known = known->next) {
        if (known->base != loaded->base || known->unloads != loaded->unloads) continue;
        memcpy(build, known->build, MP_OS_BUILD_MAX);
        return;
    }
    struct digest digest = {1, 2};
    const ElfW(Phdr) *code = first_code(loaded->headers, loaded->count);
    if (code != NULL) digest_add(&digest, (const unsigned char *)(loaded->base + code->p_vaddr), code->p_filesz);
    digest_end(&digest, code != NULL ? code->p_filesz : 0, build);
    remember_code(loaded, build);
}

void mp_os__build_of_loaded(const struct mp_os__loaded *loaded, uint8_t build[MP_OS_BUILD_MAX])
{
    for (int i = 0; i < loaded->count; i++) {
        const ElfW(Phdr) *header = &loaded->headers[i];
        if (header->p_type != PT_NOTE) continue;
        const unsigned char *notes = (const unsigned char *)(loaded->base + header->p_vaddr);
        if (find_build_id(notes, header->p_memsz, header->p_align, build)) return;
    }
    digest_loaded(loaded, build);
}

/* ---- on disk --------------------------------------------------------------------------------------------------- */

static bool read_at(int fd, void *data, size_t size, uint64_t offset)
{
    unsigned char *next = data;
    while (size > 0) {
        ssize_t got = pread(fd, next, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        next += got, size -= (size_t)got, offset += (uint64_t)got;
    }
    return true;
}

static bool notes_in_file(int fd, const ElfW(Phdr) * header, uint8_t build[MP_OS_BUILD_MAX])
{
    size_t size = header->p_filesz;
    if (size == 0 || size > 1 << 20) return false;
    unsigned char *notes = malloc(size);
    bool found = notes != NULL && read_at(fd, notes, size, header->p_offset) &&
                 find_build_id(notes, size, header->p_align, build);
    free(notes);
    return found;
}

static bool digest_file(int fd, const ElfW(Phdr) * code, uint8_t build[MP_OS_BUILD_MAX])
{
    struct digest digest = {1, 2};
    unsigned char buffer[16384];
    uint64_t size = code != NULL ? code->p_filesz : 0;
    for (uint64_t at = 0; at < size;) {
        size_t part = size - at < sizeof buffer ? (size_t)(size - at) : sizeof buffer;
        if (!read_at(fd, buffer, part, code->p_offset + at)) return false;
        digest_add(&digest, buffer, part);
        at += part;
    }
    digest_end(&digest, size, build);
    return true;
}

static bool build_in(int fd, uint8_t build[MP_OS_BUILD_MAX])
{
    ElfW(Ehdr) header;
    const unsigned char width = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    if (!read_at(fd, &header, sizeof header, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
    if (header.e_ident[EI_CLASS] != width || header.e_phentsize != sizeof(ElfW(Phdr))) return false;
    size_t size = header.e_phnum * sizeof(ElfW(Phdr));
    ElfW(Phdr) *headers = calloc(1, size + 1);
    bool found = false, read = headers != NULL && read_at(fd, headers, size, header.e_phoff);
    for (int i = 0; read && !found && i < header.e_phnum; i++)
        found = headers[i].p_type == PT_NOTE && notes_in_file(fd, &headers[i], build);
    if (read && !found) found = digest_file(fd, first_code(headers, header.e_phnum), build);
    free(headers);
    return found;
}

struct known_file {
    struct known_file *next;
    struct stat status;
    uint8_t build[MP_OS_BUILD_MAX];
    char path[];
};
static _Atomic(struct known_file *) known_files;

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

static void remember_file(const char *path, const struct stat *status, const uint8_t build[MP_OS_BUILD_MAX])
{
    /* Within the grain of its time stamps, a file could change and look the same. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - status->st_ctim.tv_sec < 2) return;
    size_t length = strlen(path) + 1;
    struct known_file *known = malloc(sizeof *known + length);
    if (known == NULL) return;
    known->status = *status;
    memcpy(known->build, build, MP_OS_BUILD_MAX);
    memcpy(known->path, path, length);
    known->next = atomic_load(&known_files);
    while (!atomic_compare_exchange_weak(&known_files, &known->next, known)) {}
}

int mp_os__build_of_file(const char *path, uint8_t build[MP_OS_BUILD_MAX])
{
    struct stat status;
    if (stat(path, &status) != 0) return errno;
    for (const struct known_file *known = atomic_load(&known_files); known != NULL; known = known->next) {
        if (!same_file(&known->status, &status) || strcmp(known->path, path) != 0) continue;
        memcpy(build, known->build, MP_OS_BUILD_MAX);
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = fstat(fd, &status) != 0 ? errno : build_in(fd, build) ? 0 : ENOEXEC;
    close(fd);
    if (error == 0) remember_file(path, &status, build);
    return error;
}
