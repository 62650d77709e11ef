/* SPDX-License-Identifier: MIT
 *
 * wordcount.c - count the words of all files below a folder with several processes, once per start method, and with a pool.
 *
 *     wordcount [folder [processes]]
 *
 *     Python: Process(target=work, args=(next, total, list)), the first two made by Value(); pool.imap_unordered(count, paths)
 *
 * Each process takes the next file from a shared counter until none is left, counts in memory of its own, and merges
 * what it found into one table in shared memory. With a pool each file is a task, whose output is a table as large as need be.
 * A plain count, without libmp, says whether they got it right.
 *
 * A word is a run of ASCII letters, digits, and bytes over 127, in lower case, cut to WORD_MAX bytes. Left out are
 * links, files with a NUL among their first bytes, and folders whose name begins with a dot or in which CMake builds.
 */
#define _XOPEN_SOURCE 700 /* lstat */
#include <dirent.h>
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#ifndef S_ISLNK
#define lstat stat /* a system without links */
#endif

#ifndef MP_EXAMPLE_TREE
#define MP_EXAMPLE_TREE "."
#endif

enum {
    WORD_MAX = 55,
    TOP = 10,
    PROCESSES_MAX = 256
};

/* ---- A table of words: open addressing, a power of two of slots, at most half of them used. ---- */

struct entry {
    uint64_t count; /* 0: the slot is free */
    char word[WORD_MAX + 1];
};

struct table {
    struct entry *slots;
    size_t capacity, used;
};

static struct entry *find(const struct table *table, const char *word)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *c = word; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    size_t i = (size_t)(hash ^ hash >> 32) & (table->capacity - 1);
    while (table->slots[i].count && strcmp(table->slots[i].word, word) != 0) i = (i + 1) & (table->capacity - 1);
    return &table->slots[i];
}

static void add(struct table *table, const char *word, uint64_t count)
{
    struct entry *entry = find(table, word);
    if (!entry->count) {
        memcpy(entry->word, word, strlen(word) + 1);
        table->used++;
    }
    entry->count += count;
}

static void add_all(struct table *table, const struct table *more)
{
    for (size_t i = 0; i < more->capacity; i++)
        if (more->slots[i].count) add(table, more->slots[i].word, more->slots[i].count);
}

static size_t capacity_for(size_t words)
{
    size_t capacity = 1024;
    while (capacity < 2 * words) capacity *= 2;
    return capacity;
}

static void *must(void *memory)
{
    if (memory) return memory;
    fprintf(stderr, "wordcount: out of memory\n");
    exit(1);
}

/* Count more in a table in memory of our own, which grows. */
static void count_word(struct table *table, const char *word, uint64_t count)
{
    if (table->capacity < 2 * (table->used + 1)) {
        struct table larger = {.capacity = capacity_for(2 * (table->used + 1))};
        larger.slots = must(calloc(larger.capacity, sizeof *larger.slots));
        add_all(&larger, table);
        free(table->slots);
        *table = larger;
    }
    add(table, word, count);
}

/* ---- The list of files: {8 bytes size, path, NUL} one after the other. ---- */

struct list {
    char *bytes;
    size_t size, room, count;
};

static void append(struct list *list, const void *bytes, size_t size)
{
    if (list->size + size > list->room) {
        list->room = 2 * (list->size + size);
        list->bytes = must(realloc(list->bytes, list->room));
    }
    memcpy(list->bytes + list->size, bytes, size);
    list->size += size;
}

static bool is_text(const char *path)
{
    char start[1024];
    FILE *stream = fopen(path, "rb");
    if (!stream) return false;
    size_t got = fread(start, 1, sizeof start, stream);
    fclose(stream);
    return !memchr(start, '\0', got);
}

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = must(malloc(size));
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* The folder of a build: it holds copies, and may change while we count. */
static bool is_build(const char *folder)
{
    struct stat unused;
    char *cache = join(folder, "CMakeCache.txt");
    bool found = stat(cache, &unused) == 0;
    free(cache);
    return found;
}

/* Append the files below a folder; whether it could be read. What can not be read below it is left out. */
static bool list_folder(struct list *list, const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory) return false;
    for (struct dirent *item; (item = readdir(directory));) {
        struct stat status;
        char *path = join(folder, item->d_name);
        bool found = lstat(path, &status) == 0;
        if (found && S_ISREG(status.st_mode) && is_text(path)) {
            uint64_t size = (uint64_t)status.st_size; /* what is appended while we count does not count */
            append(list, &size, sizeof size);
            append(list, path, strlen(path) + 1);
            list->count++;
        } else if (found && S_ISDIR(status.st_mode) && item->d_name[0] != '.' && !is_build(path)) {
            list_folder(list, path);
        }
        free(path);
    }
    closedir(directory);
    return true;
}

/* The offset in the list of the file after the one at this offset. */
static uint64_t after(const char *list, uint64_t offset)
{
    return offset + sizeof(uint64_t) + strlen(list + offset + sizeof(uint64_t)) + 1;
}

/* Count the words of a file in the list; returns their number. */
static uint64_t count_file(struct table *table, const char *file)
{
    char word[WORD_MAX + 1];
    size_t length = 0;
    uint64_t words = 0, size;
    memcpy(&size, file, sizeof size);
    FILE *stream = fopen(file + sizeof size, "rb");
    if (!stream) return 0;
    for (int c = 0; c != EOF;) {
        c = size > 0 ? getc(stream) : EOF;
        size--;
        if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c > 127) {
            if (length < WORD_MAX) word[length++] = (char)c;
        } else if (length > 0) {
            word[length] = '\0';
            count_word(table, word, 1);
            length = 0;
            words++;
        }
    }
    fclose(stream);
    return words;
}

/* ---- The same with processes. ---- */

struct total { /* in shared memory, to be touched by who holds its lock */
    uint64_t words, used;
    mp_array slots; /* of struct entry: whoever finds it too small puts a larger one in its place */
};

struct job { /* what a worker is told: nothing but handles */
    mp_block list;
    mp_value next;  /* uint64_t: the offset in the list of the first file that nobody has taken */
    mp_value total; /* struct total */
};

static mp_array create_slots(size_t capacity)
{
    mp_array slots;
    MP_CHECK(mp_array_create(&slots, capacity, sizeof(struct entry), &(mp_shared_options){.raw = true}));
    return slots;
}

static struct table table_in(mp_array slots, uint64_t used)
{
    return (struct table){MP_ARRAY(struct entry, slots), mp_array_length(slots), (size_t)used};
}

static void merge(struct total *total, const struct table *mine, uint64_t words)
{
    struct table table = table_in(total->slots, total->used);
    if (table.capacity < 2 * (table.used + mine->used)) {
        mp_array larger = create_slots(capacity_for(table.used + mine->used));
        struct table moved = table_in(larger, 0);
        add_all(&moved, &table);
        mp_array_destroy(total->slots);
        total->slots = larger;
        table = moved;
    }
    add_all(&table, mine);
    total->used = table.used;
    total->words += words;
}

static int work(void *args)
{
    const struct job *job = args;
    const char *list = mp_block_data(job->list);
    uint64_t *next = MP_VALUE(uint64_t, job->next), mine = 0, words = 0, size = mp_block_size(job->list) - 1;
    struct table table = {0};
    while (mine < size) {
        MP_WITH_LOCK(job->next) {
            mine = *next;
            if (mine < size) *next = after(list, mine);
        }
        if (mine < size) words += count_file(&table, list + mine);
    }
    MP_WITH_LOCK(job->total) merge(MP_VALUE(struct total, job->total), &table, words);
    free(table.slots);
    return 0;
}

static double milliseconds(void)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    return (double)now.tv_sec * 1e3 + (double)now.tv_usec / 1e3;
}

static void report(const char *how, uint64_t words, uint64_t different, double since)
{
    printf("%-12s %10llu words, %8llu different, %9.1f ms\n", how, (unsigned long long)words,
           (unsigned long long)different, milliseconds() - since);
}

static bool is_equal(const char *how, const struct table *table, uint64_t total, const struct table *plain,
                     uint64_t words)
{
    bool equal = total == words && table->used == plain->used;
    for (size_t i = 0; equal && i < plain->capacity; i++)
        if (plain->slots[i].count) equal = find(table, plain->slots[i].word)->count == plain->slots[i].count;
    if (!equal) fprintf(stderr, "wordcount: %s and plain counts differ\n", how);
    return equal;
}

/* Count with processes; returns whether they found what the plain count found. */
static bool count_with(mp_start_method method, struct job *job, int processes, const struct table *plain,
                       uint64_t words)
{
    mp_process workers[PROCESSES_MAX];
    double since = milliseconds();
    MP_CHECK(mp_value_create(&job->next, sizeof(uint64_t), NULL));
    MP_CHECK(mp_value_create(&job->total, sizeof(struct total), NULL));
    struct total *total = MP_VALUE(struct total, job->total);
    total->slots = create_slots(capacity_for(0));
    for (int i = 0; i < processes; i++)
        MP_CHECK(mp_process_start(&workers[i], work, job, sizeof *job, &(mp_process_options){.method = method}));
    MP_CHECK(mp_process_join_all(workers, NULL, (size_t)processes, MP_FOREVER));
    report(mp_start_method_name(method), total->words, total->used, since);

    struct table table = table_in(total->slots, (size_t)total->used);
    bool equal = is_equal(mp_start_method_name(method), &table, total->words, plain, words);
    for (int i = 0; i < processes; i++) mp_process_close(workers[i]);
    mp_array_destroy(total->slots);
    mp_value_destroy(job->total);
    mp_value_destroy(job->next);
    return equal;
}

/* ---- The same with a pool. ---- */

struct found { /* a task's output */
    uint64_t words;
    struct entry entries[];
};

static int count_task(mp_task *task)
{
    struct table table = {0};
    uint64_t words = count_file(&table, task->input);
    if (mp_task_reserve(task, sizeof(struct found) + table.used * sizeof(struct entry)) < 0) return 1;
    struct found *found = task->output;
    found->words = words;
    size_t count = 0;
    for (size_t i = 0; i < table.capacity; i++)
        if (table.slots[i].count) found->entries[count++] = table.slots[i];
    free(table.slots);
    return 0;
}

/* A source: one file of the list after the other. */
struct cursor {
    const struct list *list;
    uint64_t next;
};

static int next_file(void *state, mp_bytes *input)
{
    struct cursor *cursor = state;
    if (cursor->next >= cursor->list->size) return 0;
    uint64_t file = cursor->next;
    cursor->next = after(cursor->list->bytes, file);
    *input = (mp_bytes){cursor->list->bytes + file, (size_t)(cursor->next - file)};
    return 1;
}

static bool count_with_pool(const struct list *list, int processes, const struct table *plain, uint64_t words)
{
    struct cursor cursor = {.list = list};
    struct table table = {0};
    uint64_t total = 0;
    mp_pool pool;
    mp_imap *files;
    mp_item item;
    double since = milliseconds();
    MP_CHECK(mp_pool_create(&pool, processes, NULL));
    MP_CHECK(mp_pool_imap_unordered(pool, &files, count_task, next_file, &cursor, 0, NULL));
    while (MP_CHECK(mp_imap_next(files, &item, MP_FOREVER))) {
        const struct found *found = item.output.data;
        if (!found) {
            fprintf(stderr, "wordcount: %s\n", mp_strerror(item.outcome.error));
            continue;
        }
        size_t count = (item.output.size - sizeof *found) / sizeof *found->entries;
        for (size_t i = 0; i < count; i++) count_word(&table, found->entries[i].word, found->entries[i].count);
        total += found->words;
    }
    mp_imap_destroy(files);
    mp_pool_destroy(pool);
    report("pool", total, table.used, since);
    bool equal = is_equal("pool", &table, total, plain, words);
    free(table.slots);
    return equal;
}

static int by_count(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->word, y->word);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const char *folder = argc > 1 ? argv[1] : MP_EXAMPLE_TREE;
    int processes = argc > 2 ? atoi(argv[2]) : mp_cpu_count();
    processes = processes < 2 ? 2 : processes > PROCESSES_MAX ? PROCESSES_MAX : processes;
    struct list list = {0};
    if (!list_folder(&list, folder)) {
        fprintf(stderr, "wordcount: can not read the folder %s\n", folder);
        return 1;
    }
    printf("%zu text files below %s, %d processes\n", list.count, folder, processes);

    struct table plain = {0};
    uint64_t words = 0;
    double since = milliseconds();
    for (uint64_t file = 0; file < list.size; file = after(list.bytes, file))
        words += count_file(&plain, list.bytes + file);
    report("plain", words, plain.used, since);

    struct job job;
    MP_CHECK(mp_block_create(&job.list, list.size + 1));
    if (list.size > 0) memcpy(mp_block_data(job.list), list.bytes, list.size);
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    bool equal = true;
    for (size_t i = 0; i < count; i++) equal &= count_with(methods[i], &job, processes, &plain, words);
    equal &= count_with_pool(&list, processes, &plain, words);

    if (plain.used > 0) qsort(plain.slots, plain.capacity, sizeof *plain.slots, by_count);
    for (size_t i = 0; i < TOP && i < plain.used; i++)
        printf("%10llu %s\n", (unsigned long long)plain.slots[i].count, plain.slots[i].word);
    mp_block_destroy(job.list);
    free(plain.slots);
    free(list.bytes);
    return equal ? 0 : 1;
}
