/* SPDX-License-Identifier: MIT
 *
 * imap_lines.c - a task for each line of a file, however long that is: it is read a few lines ahead, not as a whole.
 *
 *     imap_lines [file]
 *
 *     Python: for words, line in pool.imap_unordered(count_words, open(path)): ...
 */
#include <ctype.h>
#include <mp/mp.h>
#include <stdio.h>

static int count_words(mp_task *task)
{
    int *words = task->output;
    bool inside = false;
    for (const char *c = task->input; *c; c++) { /* there is a 0 behind each input */
        bool is_word = !isspace((unsigned char)*c);
        if (is_word && !inside) ++*words;
        inside = is_word;
    }
    return 0;
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    FILE *file = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (!file) return perror(argv[1]), 1;

    mp_pool pool;
    mp_imap *lines;
    mp_item item;
    size_t count = 0, words = 0;
    MP_CHECK(mp_pool_create(&pool, 0, NULL));
    MP_CHECK(mp_pool_imap_unordered(pool, &lines, count_words, mp_source_lines, file, sizeof(int), NULL));
    while (MP_CHECK(mp_imap_next(lines, &item, MP_FOREVER))) {
        if (item.outcome.error) {
            fprintf(stderr, "line %zu: %s\n", item.index + 1, mp_strerror(item.outcome.error));
            continue;
        }
        int here = *(const int *)item.output.data;
        if (here > 12) printf("line %zu has %d words: %s\n", item.index + 1, here, (const char *)item.input.data);
        words += (size_t)here;
        count++;
    }
    printf("%zu words in %zu lines\n", words, count);
    mp_imap_destroy(lines);
    mp_pool_destroy(pool);
    if (file != stdin) fclose(file);
    return 0;
}
