/* SPDX-License-Identifier: MIT
 *
 * semaphore_limit.c - a semaphore as a limit: many workers, of which three at a time do what is expensive.
 *
 *     Python: with BoundedSemaphore(3): download(url)
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    WORKERS = 10,
    AT_ONCE = 3
};

struct site {
    mp_semaphore downloads;
    mp_array counts; /* now, and at most so far */
};

/* For as long as that takes. */
static void download(mp_array counts)
{
    int *count = MP_ARRAY(int, counts);
    MP_WITH_LOCK(counts) {
        count[0]++;
        if (count[0] > count[1]) count[1] = count[0];
    }
    for (volatile long work = 0; work < 1000000; work++) {}
    MP_WITH_LOCK(counts) count[0]--;
}

static int worker(void *args)
{
    struct site *site = args;
    MP_WITH_LOCK(site->downloads) download(site->counts);
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct site site;
    mp_process workers[WORKERS];
    MP_CHECK(
        mp_semaphore_create(&site.downloads, AT_ONCE, &(mp_semaphore_options){.name = "downloads", .bounded = true}));
    MP_CHECK(mp_array_create(&site.counts, 2, sizeof(int), NULL));

    for (int i = 0; i < WORKERS; i++) MP_CHECK(mp_process_start(&workers[i], worker, &site, sizeof site, NULL));
    MP_CHECK(mp_process_join_all(workers, NULL, WORKERS, MP_FOREVER));

    int most = MP_ARRAY(int, site.counts)[1];
    printf("%d workers, %s\n", WORKERS, most <= AT_ONCE ? "never more than 3 at once" : "too many at once");
    int result = mp_semaphore_release(site.downloads);
    printf("released once too often: %s\n", mp_error_name(result)); /* MP_EOVERFLOW: it is bounded */

    for (int i = 0; i < WORKERS; i++) mp_process_close(workers[i]);
    mp_array_destroy(site.counts);
    mp_semaphore_destroy(site.downloads);
    return most > AT_ONCE;
}
