/* SPDX-License-Identifier: MIT
 *
 * pool_crash.c - a map in which workers crash: each failure is that of one item.
 *
 *     Python: pool.map() never returns
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    N = 10
};

static int risky(mp_task *task)
{
    const int *x = task->input;
    int *y = task->output;
    if (*x == 3) abort();
    if (*x == 6) return 42;
    if (*x == 8) exit(1);
    *y = 100 / (*x + 1);
    return 0;
}

int main(void)
{
    mp_freeze_support();
    int in[N], out[N] = {0};
    mp_outcome outcomes[N];
    for (int i = 0; i < N; i++) in[i] = i;

    mp_pool pool;
    MP_CHECK(mp_pool_create(&pool, 2, NULL));
    int result = mp_pool_map(pool, risky, in, sizeof *in, out, sizeof *out, N,
                             &(mp_call_options){.outcomes = outcomes, .retries = 1});
    if (result < 0) printf("%s\n", mp_error_detail());
    int failed = 0;
    for (int i = 0; i < N; i++) {
        failed += outcomes[i].error != 0;
        switch (outcomes[i].error) {
        case 0:
            printf("%d: %d\n", i, out[i]);
            break;
        case MP_EWORKERDEAD:
            printf("%d: its worker died, exit code %d\n", i, outcomes[i].code);
            break;
        case MP_ETASK:
            printf("%d: it returned %d\n", i, outcomes[i].code);
            break;
        default:
            printf("%d: %s\n", i, mp_strerror(outcomes[i].error));
        }
    }
    mp_pool_destroy(pool);
    return result == MP_EWORKERDEAD && failed == 3 ? 0 : 1;
}
