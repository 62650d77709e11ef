/* SPDX-License-Identifier: MIT
 *
 * lock_timeout.c - acquire with a time limit, and release by somebody else: a lock as a gate.
 *
 *     Python: lock.acquire(timeout=0.05), lock.locked(), lock.release()
 */
#include <mp/mp.h>
#include <stdio.h>

static int open_gate(void *args)
{
    mp_lock *gate = args;
    return mp_lock_release(*gate); /* a Lock may be released by any process; an RLock only by who holds it */
}

int main(void)
{
    mp_freeze_support();
    mp_lock gate;
    mp_process process;
    MP_CHECK(mp_lock_create(&gate, &(mp_lock_options){.name = "gate"}));
    MP_CHECK(mp_lock_acquire(gate, MP_FOREVER));

    int result = mp_lock_acquire(gate, 50);
    printf("again within 50 ms: %s\n", mp_error_name(result)); /* MP_ETIMEDOUT */

    MP_CHECK(mp_process_start(&process, open_gate, &gate, sizeof gate, NULL));
    MP_CHECK(mp_lock_acquire(gate, MP_FOREVER)); /* until the child has opened it */
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    printf("held again: %s\n", MP_CHECK(mp_lock_locked(gate)) ? "yes" : "no");
    MP_CHECK(mp_lock_release(gate));

    result = mp_lock_release(gate);
    printf("released once too often: %s\n", mp_error_name(result)); /* MP_EOVERFLOW */
    mp_process_close(process);
    mp_lock_destroy(gate);
    return 0;
}
