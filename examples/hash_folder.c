/* SPDX-License-Identifier: MIT
 *
 * hash_folder.c - the SHA-256 of each file below a folder, by a pool of workers, and checked by the system's own tool.
 *
 *     hash_folder [folder]
 *
 *     Python: for path, digest in pool.imap(hash_file, walk(folder)): ...
 *
 * The folder is walked while the workers hash: the inputs come from a function that gives one path after the other.
 */
#define _XOPEN_SOURCE 700 /* lstat, popen */
#include <dirent.h>
#include <mp/mp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef S_ISLNK
#define lstat stat /* a system without links */
#endif

enum {
    DIGEST_SIZE = 32,
    PATH_SIZE = 4096,
    DEPTH = 64,
    NOT_READ = 1 /* what a task returns */
};

/* ---- SHA-256, as FIPS 180-4 has it ---- */

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static void add_block(uint32_t state[8], const unsigned char block[64])
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t a = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                     constants[i] + w[i];
        uint32_t b =
            (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += a;
        s[0] = a + b;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static bool hash_stream(FILE *stream, unsigned char digest[DIGEST_SIZE])
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char block[64];
    uint64_t bytes = 0;
    size_t got;
    while ((got = fread(block, 1, 64, stream)) == 64) {
        add_block(state, block);
        bytes += 64;
    }
    bytes += got;
    memset(block + got, 0, 64 - got);
    block[got] = 0x80;
    if (got >= 56) { /* no room for the length */
        add_block(state, block);
        memset(block, 0, 64);
    }
    for (int i = 0; i < 8; i++) block[56 + i] = (unsigned char)(bytes * 8 >> (56 - 8 * i));
    add_block(state, block);
    for (int i = 0; i < DIGEST_SIZE; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
    return !ferror(stream);
}

static int hash_file(mp_task *task)
{
    FILE *stream = fopen(task->input, "rb");
    if (!stream) return NOT_READ;
    bool read = hash_stream(stream, task->output);
    fclose(stream);
    return read ? 0 : NOT_READ;
}

/* ---- The paths: a source. ---- */

struct walk {
    DIR *folders[DEPTH];
    size_t lengths[DEPTH]; /* of their paths */
    int depth;             /* how many are open */
    char path[PATH_SIZE];
};

static void enter(struct walk *walk)
{
    DIR *folder = walk->depth < DEPTH ? opendir(walk->path) : NULL;
    if (!folder) return;
    walk->folders[walk->depth] = folder;
    walk->lengths[walk->depth++] = strlen(walk->path);
}

static int next_file(void *state, mp_bytes *input)
{
    struct walk *walk = state;
    while (walk->depth) {
        struct dirent *item = readdir(walk->folders[walk->depth - 1]);
        size_t length = walk->lengths[walk->depth - 1];
        struct stat status;
        if (!item) {
            closedir(walk->folders[--walk->depth]);
            continue;
        }
        int added = snprintf(walk->path + length, PATH_SIZE - length, "/%s", item->d_name);
        bool fits = added > 0 && (size_t)added < PATH_SIZE - length;
        if (item->d_name[0] == '.' || !fits || lstat(walk->path, &status) != 0) continue;
        if (S_ISDIR(status.st_mode)) enter(walk);
        if (!S_ISREG(status.st_mode) || strpbrk(item->d_name, "\\\n")) continue; /* such names are quoted there */
        *input = (mp_bytes){walk->path, strlen(walk->path)};
        return 1;
    }
    return 0;
}

/* ---- The system's tool reads what we have found. ---- */

static const char *const tools[] = {"sha256sum -c", "shasum -a 256 -c", NULL};

/* One that is there, with its input; or NULL. */
static FILE *start_tool(void)
{
    for (int i = 0; tools[i]; i++) {
        char command[64];
        snprintf(command, sizeof command, "%.*s </dev/null >/dev/null 2>&1", (int)strcspn(tools[i], " "), tools[i]);
        if (system(command) != 0) continue;
        snprintf(command, sizeof command, "%s >/dev/null", tools[i]);
        return popen(command, "w");
    }
    return NULL;
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    struct walk walk = {.depth = 0};
    snprintf(walk.path, sizeof walk.path, "%s", argc > 1 ? argv[1] : ".");
    enter(&walk);
    FILE *tool = start_tool();

    mp_pool pool;
    mp_imap *files;
    mp_item item;
    size_t count = 0, failed = 0;
    MP_CHECK(mp_pool_create(&pool, 0, NULL));
    MP_CHECK(mp_pool_imap(pool, &files, hash_file, next_file, &walk, DIGEST_SIZE,
                          &(mp_call_options){.progress = "hashing", .time_limit_ms = 60000}));
    while (MP_CHECK(mp_imap_next(files, &item, MP_FOREVER))) {
        const char *path = item.input.data;
        char line[2 * DIGEST_SIZE + 1];
        count++;
        if (item.outcome.error) {
            failed++;
            fprintf(stderr, "%s: %s\n", path, mp_strerror(item.outcome.error));
            continue;
        }
        for (size_t i = 0; i < DIGEST_SIZE; i++)
            snprintf(line + 2 * i, 3, "%02x", ((const unsigned char *)item.output.data)[i]);
        if (tool) fprintf(tool, "%s  %s\n", line, path);
        if (count <= 5) printf("%s  %s\n", line, path);
    }
    mp_imap_destroy(files);
    mp_pool_destroy(pool);

    bool same = !tool || count == failed || pclose(tool) == 0;
    printf("... %zu files, %zu not read; %s\n", count, failed,
           !tool  ? "there is no tool here to compare with"
           : same ? "the system's tool finds the same"
                  : "the system's tool finds something else");
    return same && count && !failed ? 0 : 1;
}
