/* SPDX-License-Identifier: MIT
 *
 * errors.c - every failure is a number, a name and a sentence; nothing is thrown and nothing crashes.
 *
 *     Python: try: ... except ValueError as e: print(e)
 */
#include <mp/mp.h>
#include <stdio.h>
#include <string.h>

static void show(const char *what, int result)
{
    printf("%s: %d %s, %s\n    %s\n", what, result, mp_error_name(result), mp_strerror(result), mp_error_detail());
}

int main(void)
{
    mp_freeze_support();
    mp_lock lock, stray;
    MP_CHECK(mp_lock_create(&lock, NULL)); /* in a program: the message, and the end of this process */

    memset(&stray, 0x5a, sizeof stray);
    show("a lock made of garbage", mp_lock_acquire(stray, 0));
    show("a lock taken for an rlock", mp_rlock_acquire((mp_rlock){lock.id}, 0));
    show("no target", mp_process_start(NULL, NULL, NULL, 0, NULL));
    show("waiting for oneself", mp_process_join(mp_current_process(), NULL, MP_FOREVER));

    mp_lock_destroy(lock);
    int result = mp_lock_acquire(lock, MP_FOREVER); /* in a library: test for < 0 */
    if (result < 0) show("a lock destroyed before", result);
    return result == MP_EBADHANDLE ? 0 : 1;
}
