/* SPDX-License-Identifier: MIT
 *
 * fuzz_bootstrap.c - what a launched program is handed: a variable with anything in it, and a descriptor of anything. The
 * variable is understood, and then says the same when it is written again, or refused; a descriptor that is not the arena of
 * its family is refused, and nothing has changed.
 *
 *     input: a byte; then, if that is odd, the variable's text; else what is different from an arena's header, and how large
 *     the file is
 */
#include "base/arena.h"
#include "fuzz.h"
#include "primitives/start.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the variable ------------------------------------------------------------------------------------------------ */

static void read_variable(struct fuzz_input *input)
{
    char text[MP__BOOTSTRAP_SIZE] = "", again[MP__BOOTSTRAP_SIZE];
    struct mp__bootstrap bootstrap, same;
    fuzz_bytes(input, text, sizeof text - 1);
    if (!mp__bootstrap_read(text, &bootstrap)) return;
    FUZZ_CHECK(bootstrap.role <= MP__ROLE_JANITOR && bootstrap.segment >= 0);
    FUZZ_CHECK(bootstrap.role != MP__ROLE_CHILD || bootstrap.where <= UINT32_MAX);
    (void)snprintf(again, sizeof again, "%x,%" PRIx64 ",%" PRIx64 ",%" PRIx64 ",%" PRIx64, (unsigned)bootstrap.role,
                   (uint64_t)bootstrap.segment, bootstrap.nonce, bootstrap.where, bootstrap.what);
    FUZZ_CHECK(mp__bootstrap_read(again, &same));
    FUZZ_CHECK(same.role == bootstrap.role && same.segment == bootstrap.segment && same.nonce == bootstrap.nonce &&
               same.where == bootstrap.where && same.what == bootstrap.what);
}

/* ---- the arena --------------------------------------------------------------------------------------------------- */

static struct mp__header whole; /* of one that was founded here */
static uint64_t whole_size;
static int file;

static void leave_family(void)
{
    mp_os_unreserve(mp__header(), mp__arena.segment.size);
    memset((void *)&mp__arena, 0, sizeof mp__arena);
    mp__arena.segment.handle = MP_OS_NO_HANDLE;
}

static void have_file(void)
{
    if (file) return;
    FUZZ_CHECK(mp_configure(&(mp_config){.arena_bytes = 1 << 20, .max_processes = 100}) == 0);
    FUZZ_CHECK(mp__arena_join() == 0);
    memcpy((void *)&whole, mp__header(), sizeof whole);
    whole_size = mp__arena.segment.size;
    mp_os_segment_close(&mp__arena.segment);
    mp__arena.segment.size = whole_size;
    leave_family();
    FILE *without_name = tmpfile();
    FUZZ_CHECK(without_name);
    file = fileno(without_name);
}

/* Of a header that was taken for an arena's: all that this process computes from it lies in the file. */
static void check_family(void)
{
    const struct mp__header *header = mp__header();
    FUZZ_CHECK(header->magic == MP__MAGIC && header->size == mp__arena.segment.size);
    for (int name = 0; name < MP__REGION_COUNT; name++) {
        uint64_t committed = header->regions[name].committed;
        for (uint64_t at = 0; at < committed; at += committed / 7 + 1) {
            char *byte = mp__arena_at((enum mp__region_name)name, at, 1);
            if (byte) (void)*(volatile char *)byte; /* it is there */
        }
        if (committed) {
            const char *last = mp__arena_at((enum mp__region_name)name, committed - 1, 1);
            FUZZ_CHECK(!last || (uint64_t)(last - (const char *)header) < header->size);
        }
        FUZZ_CHECK(!mp__arena_at((enum mp__region_name)name, header->regions[name].limit, 1));
    }
    uint64_t place = 1;
    for (int i = 0; i < 64; i++, place *= 3) {
        const _Atomic uint32_t *word = mp__arena_word(place & ~UINT64_C(3));
        FUZZ_CHECK(!word || (uint64_t)((const char *)word - (const char *)header) < header->size);
    }
}

static void adopt(struct fuzz_input *input)
{
    static struct mp__header header;
    have_file();
    memcpy((void *)&header, &whole, sizeof header);
    uint64_t nonce = header.nonce, size = whole_size;
    uint8_t how = fuzz_byte(input);
    if (how & 1) size = fuzz_word(input) % (4 * whole_size);
    if (how & 2) size = size / MP_OS_GRANULARITY * MP_OS_GRANULARITY;
    if (how & 4) header.size = size; /* and says so */
    for (unsigned often = fuzz_byte(input) % 16; often && fuzz_left(input); often--) {
        uint8_t place = fuzz_byte(input), what = fuzz_byte(input);
        if (what & 1)
            ((unsigned char *)&header)[place * 2 % 320] ^= what;
        else /* one of the words that say where things lie */
            ((uint64_t *)(void *)header.regions)[place % (MP__REGION_COUNT * sizeof *header.regions / 8)] =
                what & 2 ? fuzz_word(input) : fuzz_word(input) % (2 * whole_size);
    }
    size_t written = size < sizeof header ? (size_t)size : sizeof header;
    FUZZ_CHECK(ftruncate(file, 0) == 0 && pwrite(file, (void *)&header, written, 0) == (ssize_t)written);
    FUZZ_CHECK(ftruncate(file, (off_t)size) == 0);
    int result = fuzz_result(mp__arena_adopt(how & 8 ? (intptr_t)fuzz_word(input) >> how / 16 * 4 : file, nonce));
    FUZZ_CHECK((result == 0) == (mp__header() != NULL));
    if (result < 0) return;
    FUZZ_CHECK(size == whole_size || how & 4);
    check_family();
    leave_family();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_begin(data, size);
    if (fuzz_byte(&input) & 1)
        read_variable(&input);
    else
        adopt(&input);
    return 0;
}
