/* SPDX-License-Identifier: MIT
 *
 * pool_square.c - a function for each item of an array, in several processes.
 *
 *     Python: with Pool(4) as pool: print(pool.map(square, range(10)))
 */
#include <mp/mp.h>
#include <stdio.h>

static int square(mp_task *task)
{
    const int *x = task->input;
    int *y = task->output;
    *y = *x * *x;
    return 0;
}

int main(void)
{
    mp_freeze_support();
    int in[10], out[10];
    for (int i = 0; i < 10; i++) in[i] = i;

    mp_pool pool;
    MP_CHECK(mp_pool_create(&pool, 4, NULL));
    MP_CHECK(mp_pool_map(pool, square, in, sizeof *in, out, sizeof *out, 10, NULL));
    for (int i = 0; i < 10; i++) printf("%d ", out[i]);
    printf("\n");
    mp_pool_destroy(pool);
    return 0;
}
