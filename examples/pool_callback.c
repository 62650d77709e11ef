/* SPDX-License-Identifier: MIT
 *
 * pool_callback.c - tasks that are submitted one by one, and functions that are called when they are done.
 *
 *     Python: pool.apply_async(divide, (x,), callback=done, error_callback=failed)
 *
 * They are called here, in main's thread, while it waits for the pool: no lock is needed for what they change.
 */
#include <mp/mp.h>
#include <stdio.h>

struct totals {
    int sum, failed;
};

static int divide(mp_task *task)
{
    const int *x = task->input;
    if (*x == 0) return 1; /* or a crash: that is a failure like any other */
    *(int *)task->output = 1000 / *x;
    return 0;
}

static void done(mp_result result, void *context)
{
    struct totals *totals = context;
    int y;
    MP_CHECK(mp_result_get(result, &y, sizeof y, NULL, 0)); /* it is there */
    totals->sum += y;
}

static void failed(mp_result result, void *context)
{
    struct totals *totals = context;
    mp_outcome outcome;
    MP_CHECK(mp_result_outcome(result, 0, &outcome));
    printf("one has failed: %s, %d\n", mp_strerror(outcome.error), outcome.code);
    totals->failed++;
}

int main(void)
{
    mp_freeze_support();
    mp_pool pool;
    struct totals totals = {0, 0};
    const mp_call_options options = {.callback = done, .error_callback = failed, .context = &totals};
    MP_CHECK(mp_pool_create(&pool, 2, NULL));
    for (int x = 0; x < 10; x++) /* nobody keeps the results: the library destroys them */
        MP_CHECK(mp_pool_apply_async(pool, NULL, divide, &x, sizeof x, sizeof x, &options));
    MP_CHECK(mp_pool_close(pool));
    MP_CHECK(mp_pool_join(pool, MP_FOREVER));
    printf("sum %d, %d failed\n", totals.sum, totals.failed);
    mp_pool_destroy(pool);
    return totals.sum == 2827 && totals.failed == 1 ? 0 : 1;
}
