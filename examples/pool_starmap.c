/* SPDX-License-Identifier: MIT
 *
 * pool_starmap.c - several inputs for each task, and a result that is got later.
 *
 *     Python: pool.starmap_async(power, zip(bases, exponents)); result.get()
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    N = 6
};

static int power(mp_task *task)
{
    const double *base = task->inputs[0];
    const int *exponent = task->inputs[1];
    double *result = task->output;
    *result = 1;
    for (int i = 0; i < *exponent; i++) *result *= *base;
    return 0;
}

int main(void)
{
    mp_freeze_support();
    const double bases[N] = {2, 3, 0.5, 10, 1.5, -2};
    const int exponents[N] = {10, 4, 3, 6, 2, 5};
    const mp_column columns[] = {{bases, sizeof *bases}, {exponents, sizeof *exponents}};
    double powers[N];

    mp_pool pool;
    mp_result result;
    MP_CHECK(mp_pool_create(&pool, 0, NULL));
    MP_CHECK(mp_pool_starmap_async(pool, &result, power, columns, 2, sizeof *powers, N, NULL));
    printf("submitted\n");
    MP_CHECK(mp_result_get(result, powers, sizeof powers, NULL, MP_FOREVER));
    for (int i = 0; i < N; i++) printf("%g ^ %d = %g\n", bases[i], exponents[i], powers[i]);
    mp_pool_destroy(pool);
    return 0;
}
