/* SPDX-License-Identifier: MIT
 *
 * value_lock.c - ten processes add to one number, and none of them loses an addition.
 *
 *     Python: with v.get_lock(): v.value += 1
 */
#include <mp/mp.h>
#include <stdio.h>

static int add(void *args)
{
    mp_value *value = args;
    int *n = MP_VALUE(int, *value);
    for (int i = 0; i < 1000; i++) {
        MP_WITH_LOCK(*value) *n += 1; /* without the lock two processes may write the same sum */
    }
    return 0;
}

int main(void)
{
    mp_freeze_support();
    mp_value value;
    mp_process processes[10];
    MP_CHECK(mp_value_create(&value, sizeof(int), NULL)); /* begins as 0 */
    for (int i = 0; i < 10; i++) MP_CHECK(mp_process_start(&processes[i], add, &value, sizeof value, NULL));
    MP_CHECK(mp_process_join_all(processes, NULL, 10, MP_FOREVER));
    int sum = *MP_VALUE(int, value);
    printf("10 processes x 1000 = %d\n", sum);
    return sum == 10000 ? 0 : 1;
}
