/* SPDX-License-Identifier: MIT
 *
 * test_os_posix.c - the port by itself: files of libraries that are damaged, requests to the fork server that are none,
 * handles that have become something else, parts of a segment that there are not.
 */
#include "files.h"
#include "os/os.h"
#include "support.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- files of libraries ------------------------------------------------------------------------------------------- */

struct image {
    unsigned char *bytes;
    size_t size;
};

static struct image image_read(const char *path)
{
    struct image image = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    image.size = (size_t)ftell(file);
    rewind(file);
    image.bytes = malloc(image.size);
    assert_non_null(image.bytes);
    assert_int_equal(fread(image.bytes, 1, image.size, file), image.size);
    fclose(file);
    return image;
}

/* Another file at that path: what is loaded keeps its own. */
static void image_write(const char *path, const struct image *image, size_t size)
{
    file_delete(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image->bytes, 1, size, file), size);
    fclose(file);
}

static ElfW(Phdr) * segment_of(const struct image *image, unsigned type, int which)
{
    ElfW(Ehdr) *header = (void *)image->bytes;
    ElfW(Phdr) *segments = (void *)(image->bytes + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == type && which-- == 0) return &segments[i];
    return NULL;
}

/* The build-id's note. */
static ElfW(Nhdr) * note_of(const struct image *image)
{
    ElfW(Phdr) * segment;
    for (int i = 0; (segment = segment_of(image, PT_NOTE, i)) != NULL; i++) {
        size_t unit = segment->p_align == 8 ? 8 : 4;
        for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= segment->p_filesz;) {
            ElfW(Nhdr) *note = (void *)(image->bytes + segment->p_offset + at);
            if (note->n_type == NT_GNU_BUILD_ID) return note;
            at += sizeof *note + ((note->n_namesz + unit - 1) & ~(unit - 1)) +
                  ((note->n_descsz + unit - 1) & ~(unit - 1));
        }
    }
    return NULL;
}

enum damage {
    CLASS,
    HEADER_SIZE,
    HEADERS_BEYOND,
    NO_HEADERS,
    NOTE_NAME,
    NOTE_SIZE,
    NOTE_EMPTY,
    NOTE_OTHER,
    NOTE_SEGMENT_EMPTY,
    NOTE_SEGMENT_HUGE,
    NOTE_SEGMENT_BEYOND,
    DAMAGES
};

static bool damage(struct image *image, enum damage which)
{
    ElfW(Ehdr) *header = (void *)image->bytes;
    ElfW(Nhdr) *note = note_of(image);
    ElfW(Phdr) * segment;
    if (which >= NOTE_NAME && !note) return false;
    switch (which) {
    case CLASS:
        header->e_ident[EI_CLASS] ^= 3;
        break;
    case HEADER_SIZE:
        header->e_phentsize++;
        break;
    case HEADERS_BEYOND:
        header->e_phoff = image->size;
        break;
    case NO_HEADERS:
        header->e_phnum = 0;
        break;
    case NOTE_NAME:
        note->n_namesz = UINT32_MAX;
        break;
    case NOTE_SIZE:
        note->n_descsz = UINT32_MAX;
        break;
    case NOTE_EMPTY:
        note->n_descsz = 0;
        break;
    case NOTE_OTHER:
        note->n_type++;
        break;
    default:
        for (int i = 0; (segment = segment_of(image, PT_NOTE, i)) != NULL; i++)
            if (which == NOTE_SEGMENT_EMPTY)
                segment->p_filesz = 0;
            else if (which == NOTE_SEGMENT_HUGE)
                segment->p_filesz = 2 << 20;
            else
                segment->p_offset = image->size;
    }
    return true;
}

/* What is damaged is not the build that is loaded; and what was mended is. */
static void damaged_library(const char *name)
{
    char folder[PATH_SIZE], path[PATH_SIZE], original[PATH_SIZE];
    static mp_os_module module;
    folder_create(folder);
    file_copy(path_built(original, name), path_in(path, folder, "copy" LIBRARY_SUFFIX));
    void *library = library_load(NULL, path);
    assert_int_equal(mp_os_module_of((const void *)(uintptr_t)library_target(library, "loaded_build"), &module), 0);
    assert_false(module.program);
    assert_int_equal(mp_os_module_fresh(&module), 0);
    struct image whole = image_read(path);
    for (int which = 0; which < DAMAGES; which++) {
        struct image image = image_read(path);
        if (damage(&image, (enum damage)which)) {
            image_write(path, &image, image.size);
            if (mp_os_module_fresh(&module) != mp_os_egone)
                fail_msg("%s is taken for the same, damage %d", name, which);
        }
        free(image.bytes);
        image_write(path, &whole, whole.size);
        assert_int_equal(mp_os_module_fresh(&module), 0);
    }
    const size_t sizes[] = {0, 1, SELFMAG, sizeof(ElfW(Ehdr)) - 1, sizeof(ElfW(Ehdr)), sizeof(ElfW(Ehdr)) + 7, 500};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        image_write(path, &whole, sizes[i]);
        assert_int_equal(mp_os_module_fresh(&module), mp_os_egone);
    }
    file_delete(path);
    assert_int_equal(mp_os_module_fresh(&module), mp_os_egone);
    free(whole.bytes);
    library_unload(library);
    folder_remove(folder);
}

static void damaged_libraries(void **state)
{
    (void)state;
    damaged_library("library_loaded" LIBRARY_SUFFIX);
    damaged_library("library_loaded_bare" LIBRARY_SUFFIX);
}

static void no_module(void **state)
{
    static mp_os_module module;
    (void)state;
    assert_int_equal(mp_os_module_of(NULL, &module), mp_os_egone);
    assert_int_equal(mp_os_module_of(memory_executable(), &module), mp_os_egone);
}

/* ---- the fork server's door --------------------------------------------------------------------------------------- */

static void not_a_channel(void **state)
{
    const uint64_t identity[2] = {1, 2};
    (void)state;
    assert_int_equal(mp_os_channel_adopt(-1), EBADF);
    assert_int_equal(mp_os_channel_adopt((intptr_t)INT_MAX + 1), EBADF);
    assert_int_equal(mp_os_channel_check(-1, identity), EBADF);
    assert_int_equal(mp_os_channel_check((intptr_t)INT_MAX + 1, identity), EBADF);
    assert_int_equal(mp_os_channel_check(STDERR_FILENO, identity), EBADF); /* another thing */
    mp_os_channel_close(MP_OS_NO_HANDLE);
}

static void requests(void **state)
{
    intptr_t server, client, line, other;
    uint64_t identity[2], tag = 7;
    mp_os_baggage *baggage = NULL;
    const char *what = NULL;
    (void)state;
    assert_true(mp_os_has_forkserver());
    assert_int_equal(mp_os_channel_create(&server, &client, identity), 0);
    assert_int_equal(mp_os_line_create(&line, &other), 0);
    assert_int_equal(mp_os_channel_check(client, identity), 0);
    assert_int_equal(mp_os_channel_alive(client), 0);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), 0);
    assert_int_equal(tag, 0); /* there is none */

    long before = support_descriptors();
    mp_os_launch launch = {.channel = client};
    assert_int_equal(mp_os_channel_send(client, 4711, &launch, &what), 0);
    assert_int_equal(mp_os_channel_next(server, line, &tag), 0);
    assert_int_equal(tag, 4711);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), 0);
    assert_int_equal(tag, 4711);
    assert_true(support_descriptors() > before);
    mp_os_baggage_drop(baggage);
    assert_int_equal(support_descriptors(), before);
    mp_os_baggage_drop(baggage); /* nothing is left in it */
    mp_os_baggage_drop(NULL);

    launch.working_directory = "/there is no such directory";
    assert_int_equal(mp_os_channel_send(client, 1, &launch, &what), ENOENT);
    assert_string_equal(what, "opening the working directory");
    launch.working_directory = NULL;
    static mp_fd many[300];
    for (int i = 0; i < 300; i++) many[i] = STDERR_FILENO;
    launch.keep = many, launch.keep_count = 300;
    assert_int_equal(mp_os_channel_send(client, 1, &launch, &what), EMFILE);
    assert_string_equal(what, "passing on so many descriptors");
    many[0] = 1 << 20;
    launch.keep_count = 1;
    assert_int_equal(mp_os_channel_send(client, 1, &launch, &what), EBADF);
    assert_string_equal(what, "passing on a descriptor");
    launch.keep_count = 0;

    mp_os_channel_close(server);
    assert_int_equal(mp_os_channel_alive(client), mp_os_egone);
    assert_int_equal(mp_os_channel_send(client, 1, &launch, &what), mp_os_egone);
    mp_os_channel_close(client);
    mp_os_channel_close(line);
    mp_os_channel_close(other);
}

/* They are taken away, and are no requests. */
static void no_requests(void **state)
{
    const struct {
        uint64_t tag;
        int32_t count, wanted[1];
    } count_of_one = {4711, 1, {-1}}, count_of_many = {4711, 1000, {0}}, negative = {4711, -1, {0}};
    intptr_t server, client;
    uint64_t identity[2], tag = 7;
    mp_os_baggage *baggage = NULL;
    (void)state;
    assert_int_equal(mp_os_channel_create(&server, &client, identity), 0);
    assert_int_equal(send((int)client, "1234", 4, 0), 4);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), 0);
    assert_int_equal(tag, 0);
    assert_int_equal(send((int)client, &count_of_many, sizeof count_of_many, 0), (int)sizeof count_of_many);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), 0);
    assert_int_equal(tag, 0);
    assert_int_equal(send((int)client, &negative, sizeof negative, 0), (int)sizeof negative);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), 0);
    assert_int_equal(tag, 0);
    /* A request whose descriptors have not come: it can be refused by its name. */
    assert_int_equal(send((int)client, &count_of_one, sizeof count_of_one, 0), (int)sizeof count_of_one);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), EMFILE);
    assert_int_equal(tag, 4711);
    assert_null(baggage);
    mp_os_channel_close(client);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), mp_os_egone);
    mp_os_channel_close(server);
    assert_int_equal(mp_os_channel_take(server, &tag, &baggage), EBADF);
}

static void lines(void **state)
{
    intptr_t here, there, server, client;
    uint64_t identity[2], tag;
    (void)state;
    assert_int_equal(mp_os_channel_create(&server, &client, identity), 0);
    assert_int_equal(mp_os_line_create(&here, &there), 0);
    assert_int_equal(mp_os_line_said(here), 0);
    assert_true(mp_os_line_say(there, 12));
    assert_int_equal(mp_os_line_said(here), 12);
    assert_int_equal(mp_os_line_said(here), 0);
    mp_os_channel_close(there);
    assert_int_equal(mp_os_line_said(here), 0);
    assert_false(mp_os_line_say(here, 1));
    /* Who waits for a request waits no longer than the other end of the line is there, or any client. */
    assert_int_equal(mp_os_channel_next(server, here, &tag), mp_os_egone);
    mp_os_channel_close(here);
    assert_int_equal(mp_os_line_create(&here, &there), 0);
    mp_os_channel_close(client);
    assert_int_equal(mp_os_channel_next(server, here, &tag), mp_os_egone);
    mp_os_channel_close(server);
    mp_os_channel_close(here);
    mp_os_channel_close(there);
}

/* ---- settings ----------------------------------------------------------------------------------------------------- */

/* What is not whole is taken over in no part. */
static void settings_cut_off(void **state)
{
    static char packed[1 << 20];
    const mp_os_launch launch = {0};
    const mp_os_segment segment = {.handle = MP_OS_NO_HANDLE};
    (void)state;
    size_t size = mp_os_setting_pack(packed, sizeof packed, &launch);
    assert_in_range(size, 100, sizeof packed);
    assert_int_equal(mp_os_setting_pack(NULL, 0, &launch), size); /* how much it would be */
    const char *path = getenv("PATH");
    assert_int_equal(mp_os_setting_apply(NULL, packed, 3, &segment, -1), EINVAL);
    assert_int_equal(mp_os_setting_apply(NULL, packed, size - 1, &segment, -1), EINVAL);
    packed[size - 1] = 'x'; /* the last variable has no end */
    assert_int_equal(mp_os_setting_apply(NULL, packed, size, &segment, -1), EINVAL);
    assert_ptr_equal(getenv("PATH"), path);
    assert_false(mp_os_setting_limits_alike(packed, 3));
    assert_true(mp_os_setting_limits_alike(packed, size));
    mp_os_setting_limit_processes(packed, 3);
    assert_true(mp_os_setting_limits_alike(packed, size));
}

/* ---- segments ------------------------------------------------------------------------------------------------------ */

#define KIB ((uint64_t)1024)

static void no_segments(void **state)
{
    mp_os_segment segment = {.handle = 77};
    int ends[2];
    (void)state;
    assert_int_equal(mp_os_segment_adopt(&segment, -1), EBADF);
    assert_int_equal(mp_os_segment_adopt(&segment, (intptr_t)INT_MAX + 1), EBADF);
    assert_int_equal(mp_os_segment_adopt(&segment, 1 << 20), EBADF);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(mp_os_segment_adopt(&segment, ends[0]), EINVAL); /* it has no size */
    assert_int_equal(segment.handle, 77);
    close(ends[0]);
    close(ends[1]);
    uint64_t size = 0;
    assert_int_equal(mp_os_segment_create(&segment, &size, 64 * KIB), ENOMEM);
    assert_int_equal(segment.handle, 77);
    segment = (mp_os_segment){.handle = MP_OS_NO_HANDLE};
    mp_os_segment_close(&segment);
    assert_int_equal(segment.handle, MP_OS_NO_HANDLE);
}

/* A limit on the size of files is one on that of a segment; where it is too low there is none. */
static void segment_under_limit(void **state)
{
    struct rlimit original, low;
    mp_os_segment segment;
    uint64_t size = 1024 * KIB;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &original), 0);
    low = original;
    low.rlim_cur = 300 * KIB;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int error = mp_os_segment_create(&segment, &size, 64 * KIB);
    uint64_t other = 1024 * KIB;
    mp_os_segment none;
    int second = mp_os_segment_create(&none, &other, 512 * KIB);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &original), 0);
    assert_int_equal(error, 0);
    assert_int_equal(size, 256 * KIB);
    assert_int_equal(segment.size, size);
    assert_int_equal(second, ENOMEM);
    mp_os_segment_close(&segment);
}

/* Valgrind gives a program less address space. */
static void segment_under_valgrind(void **state)
{
    const uint64_t wanted = KIB << 24;
    uint64_t size = wanted;
    mp_os_segment segment;
    (void)state;
    assert_int_equal(setenv("LD_PRELOAD", "/usr/libexec/valgrind/vgpreload_core-amd64-linux.so", 1), 0);
    int error = mp_os_segment_create(&segment, &size, 64 * KIB);
    assert_int_equal(unsetenv("LD_PRELOAD"), 0);
    assert_int_equal(error, 0);
    assert_true(size <= KIB << 22);
    mp_os_segment_close(&segment);
}

/* The program has closed the descriptor before all of it was mapped: the rest is found by way of the first part. */
static void segment_mapped_after_close(void **state)
{
    mp_os_segment segment;
    uint64_t size = 256 * KIB;
    void *base, *other;
    (void)state;
    assert_int_equal(mp_os_segment_create(&segment, &size, size), 0);
    assert_int_equal(mp_os_reserve(&segment, 0, &base), 0);
    assert_int_equal(mp_os_reserve(&segment, 64 * KIB, &other), 0);
    assert_int_equal(mp_os_segment_map(&segment, base, 0, 64 * KIB), 0);
    assert_int_equal(mp_os_segment_map(&segment, other, 0, size), 0);
    memset(other, 7, size);
    close((int)segment.handle);
    assert_int_equal(mp_os_segment_map(&segment, base, 128 * KIB, 128 * KIB), 0);
    assert_int_equal(((unsigned char *)base)[200 * KIB], 7);
    ((unsigned char *)base)[size - 1] = 8;
    assert_int_equal(((unsigned char *)other)[size - 1], 8);
    mp_os_segment_close(&segment);
    mp_os_unreserve(base, size);
    mp_os_unreserve(other, size);
}

static void parts_of_a_segment(void **state)
{
    mp_os_segment segment;
    uint64_t size = 1024 * KIB;
    void *base;
    (void)state;
    assert_int_equal(mp_os_segment_create(&segment, &size, size), 0);
    assert_int_equal(mp_os_reserve(&segment, 0, &base), 0);
    assert_int_equal(mp_os_segment_map(&segment, base, size + 64 * KIB, 0), EINVAL);
    assert_int_equal(mp_os_segment_map(&segment, base, 64 * KIB, size), EINVAL);
    assert_int_equal(mp_os_segment_commit(&segment, base, size + 64 * KIB, 0), EINVAL);
    assert_int_equal(mp_os_segment_commit(&segment, base, 64 * KIB, size), EINVAL);
    assert_int_equal(mp_os_segment_map(&segment, base, 0, 0), 0);
    assert_int_equal(mp_os_segment_map(&segment, base, 0, size), 0);
    assert_int_equal(mp_os_segment_commit(&segment, base, 0, size), 0);
    memset(base, 1, size);
    assert_true(mp_os_segment_discard(&segment, base, 0, 0));
    assert_int_equal(*(unsigned char *)base, 1);
    /* The program has closed it: what is mapped stays, and can be told from the rest. */
    int handle = (int)segment.handle;
    close(handle);
    assert_int_equal(mp_os_segment_check(&segment), EBADF);
    assert_int_equal(mp_os_segment_map(&segment, base, 0, 64 * KIB), EBADF);
    assert_int_equal(*(unsigned char *)base, 1);
    assert_int_equal(mp_os_segment_commit(&segment, base, 0, 64 * KIB), 0);
    mp_os_segment_close(&segment);
    mp_os_unreserve(base, size);
    mp_os_unreserve(NULL, 0);
}

/* ---- sleeping ------------------------------------------------------------------------------------------------------- */

static void words(void **state)
{
    _Atomic uint32_t word = 5;
    (void)state;
    assert_true(mp_os_word_sleeps());
    assert_int_equal(mp_os_word_wait(&word, 6, MP_OS_NEVER), 0); /* it is another value */
    assert_int_equal(mp_os_word_wait(&word, 5, mp_os_now()), mp_os_etimedout);
    assert_int_equal(mp_os_word_wait(&word, 5, -1), mp_os_etimedout);
    assert_int_equal(mp_os_word_wake(&word, UINT32_MAX), 0);
}

static void lives(void **state)
{
    _Alignas(16) static unsigned char own[MP_OS_LIFE_SIZE], other[MP_OS_LIFE_SIZE], none[MP_OS_LIFE_SIZE];
    void *const both[] = {own, none};
    _Atomic uint32_t word = 5;
    (void)state;
    if (HAS_TSAN) skip();
    assert_int_equal(mp_os_life_begin(own), 0);
    assert_int_equal(mp_os_life_begin(other), 0);
    assert_true(mp_os_life_lasts(own));
    assert_false(mp_os_life_is_over(own));
    assert_true(mp_os_life_is_same(own, other));
    assert_false(mp_os_life_lasts(none));
    assert_false(mp_os_life_is_over(none));
    assert_false(mp_os_life_is_same(none, own));
    /* Nobody sleeps beside one that does not last. */
    int slept = mp_os_word_wait_beside(&word, 5, both, 2, MP_OS_NEVER);
    assert_true(slept == 0 || slept == mp_os_enotsup);
    slept = mp_os_word_wait_beside(&word, 5, both, 1, -1);
    assert_true(slept == mp_os_etimedout || slept == mp_os_enotsup);
    slept = mp_os_word_wait_beside(&word, 6, both, 1, MP_OS_NEVER);
    assert_true(slept == 0 || slept == mp_os_enotsup);
    mp_os_life_end(other);
    mp_os_life_end(own);
    assert_false(mp_os_life_lasts(own));
    assert_false(mp_os_life_is_over(own)); /* it ended in order */
}

/* Where words can not be slept on these are used. */
static void sleepers(void **state)
{
    _Alignas(16) unsigned char sleeper[MP_OS_SLEEPER_SIZE];
    const uint64_t name[2] = {11, 12};
    (void)state;
    assert_int_equal(mp_os_sleeper_init(sleeper, name), 0);
    assert_int_equal(mp_os_sleeper_wait(sleeper, 0), mp_os_etimedout);
    assert_int_equal(mp_os_sleeper_wait(sleeper, mp_os_now() + 1000000), mp_os_etimedout);
    mp_os_sleeper_wake(sleeper, name);
    mp_os_sleeper_wake(sleeper, name);
    mp_os_sleeper_wake(sleeper, name);
    assert_int_equal(mp_os_sleeper_wait(sleeper, MP_OS_NEVER), 0);
    assert_int_equal(mp_os_sleeper_wait(sleeper, mp_os_now() + INT64_C(30000000000)), 0);
    assert_int_equal(mp_os_sleeper_wait(sleeper, 0), 0);
    assert_int_equal(mp_os_sleeper_wait(sleeper, 0), mp_os_etimedout);
    mp_os_sleeper_fini(sleeper);
}

/* ---- starting programs ---------------------------------------------------------------------------------------------- */

static int launch_with(const mp_os_launch *launch, const char **what)
{
    mp_os_process process;
    mp_os_ending ending = {.known = false};
    *what = "nothing";
    int error = mp_os_launch_process(launch, &process, what);
    if (error != 0) return error;
    assert_int_equal(mp_os_process_wait(&process, MP_OS_NEVER, &ending), 0);
    mp_os_process_release(&process);
    assert_true(ending.known);
    return -1 - ending.code;
}

/* Each step of a start can fail; it says which one. */
static void launches(void **state)
{
    char folder[PATH_SIZE], path[PATH_SIZE], original[PATH_SIZE], before[PATH_SIZE];
    const mp_fd zero[] = {STDIN_FILENO}, none[] = {1 << 20};
    const char *what;
    (void)state;
    folder_create(folder);
    assert_non_null(getcwd(before, sizeof before));
    file_copy(path_built(original, "program_bare"), path_in(path, folder, "program"));
    mp_os_launch launch = {.executable = path, .channel = MP_OS_NO_HANDLE};
    int code = launch_with(&launch, &what);
    assert_in_range(-1 - code, 0, 255);
    launch.keep = zero, launch.keep_count = 1;
    assert_int_equal(launch_with(&launch, &what), code);
    launch.keep = none;
    assert_int_equal(launch_with(&launch, &what), EBADF);
    assert_string_equal(what, "passing on a descriptor");
    launch.keep_count = 0;

    launch.working_directory = "/there is no such directory";
    assert_int_equal(launch_with(&launch, &what), ENOENT);
    assert_string_equal(what, "changing to the working directory");
    launch.working_directory = "/";
    launch.executable = "./program"; /* as seen from here, not from there */
    assert_int_equal(launch_with(&launch, &what), ENOENT);
    assert_string_equal(what, "running the program");
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(launch_with(&launch, &what), code);
    assert_int_equal(chdir(before), 0);

    file_hide(path);
    file_write(path, "no program");
    launch.executable = path;
    assert_int_equal(launch_with(&launch, &what), EACCES);
    assert_string_equal(what, "running the program");
    const mp_os_segment segment = {.handle = 1 << 20, .size = 65536};
    launch.segment = &segment;
    assert_int_equal(launch_with(&launch, &what), EBADF);
    assert_string_equal(what, "passing on a descriptor");
    folder_remove(folder);
}

/* ---- errors -------------------------------------------------------------------------------------------------------- */

static void error_texts(void **state)
{
    char text[200] = "untouched", tiny[4];
    (void)state;
    mp_os_error_text(ENOENT, text, 0);
    assert_string_equal(text, "untouched");
    mp_os_error_text(ENOENT, text, sizeof text);
    assert_non_null(strchr(text, ' '));
    mp_os_error_text(987654, text, sizeof text);
    assert_non_null(strstr(text, "987654"));
    mp_os_error_text(ENOENT, tiny, sizeof tiny);
    assert_int_equal(strlen(tiny), 3);
}

static void processes_that_are_none(void **state)
{
    mp_os_process process = {.pid = 42};
    (void)state;
    assert_int_equal(mp_os_process_open(&process, 0, 0), mp_os_egone);
    assert_int_equal(mp_os_process_open(&process, -5, 0), mp_os_egone);
    assert_int_equal(mp_os_process_open(&process, getpid(), 1), mp_os_egone); /* born at another time */
    assert_int_equal(process.pid, 42);
    assert_int_equal(mp_os_process_threads(0), 0);
    mp_os_process child;
    assert_int_equal(mp_os_fork(&child), 0);
    if (child.pid == MP_OS_IN_CHILD) mp_os_exit_now(3);
    mp_os_ending ending;
    assert_int_equal(mp_os_process_wait(&child, MP_OS_NEVER, &ending), 0);
    assert_true(ending.known);
    assert_int_equal(ending.code, 3);
    int64_t pid = child.pid;
    assert_true(mp_os_process_is_gone(pid, 0)); /* though it could still be reaped */
    assert_int_equal(mp_os_process_signal(&child, MP_OS_KILL), mp_os_egone);
    mp_os_process_release(&child);
    assert_int_equal(child.pid, 0);
    assert_false(mp_os_process_is_gone(getpid(), 0));
}

static const struct test_case cases[] = {
    CASE_ONCE(damaged_libraries),
    CASE_ONCE(no_module),
    CASE_ONCE(not_a_channel),
    CASE_ONCE(requests),
    CASE_ONCE(no_requests),
    CASE_ONCE(lines),
    CASE_ONCE(settings_cut_off),
    CASE_ONCE(no_segments),
    CASE_ONCE(segment_under_limit),
    CASE_ONCE(segment_under_valgrind),
    CASE_ONCE(segment_mapped_after_close),
    CASE_ONCE(parts_of_a_segment),
    CASE_ONCE(words),
    CASE_ONCE(lives),
    CASE_ONCE(sleepers),
    CASE_ONCE(launches),
    CASE_ONCE(error_texts),
    CASE_ONCE(processes_that_are_none),
};

SUPPORT_MAIN("os", cases)
