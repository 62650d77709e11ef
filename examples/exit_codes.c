/* SPDX-License-Identifier: MIT
 *
 * exit_codes.c - how a process ended: what its target returned, what it gave to exit, or the signal that ended it.
 *
 *     Python: p.join(); p.exitcode
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>

static int returns(void *args)
{
    (void)args;
    return 70000; /* all 32 bits arrive, on every platform */
}

static int exits(void *args)
{
    (void)args;
    exit(3);
}

static int waits(void *args)
{
    mp_lock *held = args;
    return mp_lock_acquire(*held, MP_FOREVER);
}

int main(void)
{
    mp_freeze_support();
    mp_process process;
    int exit_code;

    MP_CHECK(mp_process_start(&process, returns, NULL, 0, NULL));
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    printf("returned:   %d\n", exit_code);

    MP_CHECK(mp_process_start(&process, exits, NULL, 0, NULL));
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    printf("exited:     %d\n", exit_code);

    int result = mp_process_join(process, NULL, 0); /* no room for a code: anything but 0 is an error */
    printf("asked only whether all was well: %s: %s\n", mp_error_name(result), mp_error_detail());

    mp_lock held;
    MP_CHECK(mp_lock_create(&held, NULL));
    MP_CHECK(mp_lock_acquire(held, MP_FOREVER));
    MP_CHECK(mp_process_start(&process, waits, &held, sizeof held, NULL));
    result = mp_process_join(process, &exit_code, 20);
    printf("after 20 ms: %s, alive: %d\n", mp_error_name(result), MP_CHECK(mp_process_is_alive(process)));
    MP_CHECK(mp_process_terminate(process));
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    printf("terminated: %d\n", exit_code); /* -15: SIGTERM, on Windows, too */
    return exit_code == -15 ? 0 : 1;
}
