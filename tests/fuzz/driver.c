/* SPDX-License-Identifier: MIT
 *
 * driver.c - runs a fuzz target where there is no libFuzzer: a number of rounds over the inputs that are named, the first one
 * as they are, the others as chance has changed them, which is the same each time.
 *
 *     fuzz_handles rounds file...
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOM 4096

static uint64_t state = 88172645463325252u;

static uint32_t chance(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 16) % below);
}

static size_t load(const char *path, uint8_t bytes[ROOM])
{
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, ROOM, file) : 0;
    if (!file) {
        fprintf(stderr, "%s can not be read\n", path);
        exit(1);
    }
    fclose(file);
    return size;
}

static size_t change(uint8_t bytes[ROOM], size_t size)
{
    static const uint8_t odd[] = {0, 1, 2, 7, 8, 0x7f, 0x80, 0xff};
    size_t at = size ? chance((uint32_t)size) : 0;
    switch (chance(6)) {
    case 0: /* a bit */
        if (size) bytes[at] ^= (uint8_t)(1 << chance(8));
        return size;
    case 1:
        if (size) bytes[at] = odd[chance(sizeof odd)];
        return size;
    case 2:
        if (size) bytes[at] = (uint8_t)chance(256);
        return size;
    case 3: /* one more, somewhere */
        if (size == ROOM) return size;
        memmove(bytes + at + 1, bytes + at, size - at);
        bytes[at] = (uint8_t)chance(256);
        return size + 1;
    case 4: /* some once more, at the end */
        for (uint32_t more = chance(16); size && more && size < ROOM; more--, size++)
            bytes[size] = bytes[at + more % (size - at)];
        return size;
    default: /* cut off */
        return chance(8) ? size : at;
    }
}

int main(int argc, char **argv)
{
    static uint8_t bytes[ROOM];
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0, runs = 0;
    if (argc < 3) {
        fprintf(stderr, "%s rounds file...\n", argv[0]);
        return 1;
    }
    for (long round = 0; round < rounds; round++) {
        for (int i = 2; i < argc; i++, runs++) {
            size_t size = load(argv[i], bytes);
            for (uint32_t changes = round ? 1 + chance(8) : 0; changes; changes--) size = change(bytes, size);
            /* As large as it is, so that a sanitizer sees who reads more. */
            uint8_t *copy = malloc(size ? size : 1);
            if (!copy) return 1;
            memcpy(copy, bytes, size);
            LLVMFuzzerTestOneInput(copy, size);
            free(copy);
        }
    }
    printf("%ld runs\n", runs);
    return 0;
}
