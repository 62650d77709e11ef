/* SPDX-License-Identifier: MIT
 *
 * preload.c - the fork server computes a table once, and every child finds it there.
 *
 *     Python: set_forkserver_preload(['module'])
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    LIMIT = 1000000
};

static unsigned char composite[LIMIT + 1];

static int sieve(void)
{
    for (int i = 2; i * i <= LIMIT; i++)
        for (int k = i * i; k <= LIMIT && !composite[i]; k += i) composite[k] = 1;
    return 0;
}

static int is_prime(void *args)
{
    const int *number = args;
    return !composite[*number];
}

int main(void)
{
    mp_freeze_support();
    int numbers[] = {999983, 999985, 4}, result = mp_set_forkserver_preload(sieve);
    mp_process_options options = {.method = MP_FORKSERVER};
    if (result == MP_ENOTSUP) {
        puts("there is no fork server on this platform");
        return 0;
    }
    MP_CHECK(result);
    for (int i = 0; i < 3; i++) {
        int prime;
        mp_process process;
        MP_CHECK(mp_process_start(&process, is_prime, &numbers[i], sizeof numbers[i], &options));
        MP_CHECK(mp_process_join(process, &prime, MP_FOREVER));
        mp_process_close(process);
        printf("%d is %s\n", numbers[i], prime ? "prime" : "not prime");
    }
    return 0;
}
