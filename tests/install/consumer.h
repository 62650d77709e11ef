/* SPDX-License-Identifier: MIT
 *
 * consumer.h - what a program that uses an installed libmp does, in C and in C++: a process and a pool for each start method,
 * and the functions that a library is most easily built without.
 */
#include <mp/mp.h>
#include <stdio.h>
#include <string.h>

static int child(void *args)
{
    mp_value *total = (mp_value *)args;
    MP_WITH_LOCK(*total) *MP_VALUE(int, *total) += 1;
    return 7;
}

static int square(mp_task *task)
{
    int number = *(const int *)task->input;
    *(int *)task->output = number * number;
    return 0;
}

static int try_method(mp_start_method method, mp_value *total)
{
    mp_process process;
    mp_pool pool;
    mp_process_options options;
    mp_pool_options pool_options;
    int code = 0, inputs[3] = {2, 3, 4}, outputs[3] = {0, 0, 0};
    memset(&options, 0, sizeof options);
    memset(&pool_options, 0, sizeof pool_options);
    options.method = method;
    pool_options.method = method;
    MP_CHECK(mp_process_start(&process, child, total, sizeof *total, &options));
    MP_CHECK(mp_process_join(process, &code, MP_FOREVER));
    MP_CHECK(mp_process_close(process));
    MP_CHECK(mp_pool_create(&pool, 2, &pool_options));
    MP_CHECK(mp_pool_map(pool, square, inputs, sizeof inputs[0], outputs, sizeof outputs[0], 3, NULL));
    MP_CHECK(mp_pool_close(pool));
    MP_CHECK(mp_pool_join(pool, MP_FOREVER));
    MP_CHECK(mp_pool_destroy(pool));
    return code == 7 && outputs[0] == 4 && outputs[1] == 9 && outputs[2] == 16;
}

int main(void)
{
    mp_freeze_support();
    mp_value total;
    size_t count, right = 0;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    if (strcmp(mp_version(), MP_VERSION) != 0) return 1;
    MP_CHECK(mp_value_create(&total, sizeof(int), NULL));
    for (size_t i = 0; i < count; i++) right += (size_t)try_method(methods[i], &total);
    if (*MP_VALUE(int, total) != (int)count || right != count) return 1;
    MP_CHECK(mp_value_destroy(total));
    printf("libmp %s is used\n", mp_version());
    return 0;
}
