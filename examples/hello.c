/* SPDX-License-Identifier: MIT
 *
 * hello.c - the smallest program: one child, one argument.
 *
 *     Python: p = Process(target=hello, args=('bob',)); p.start(); p.join()
 */
#include <mp/mp.h>
#include <stdio.h>

static int hello(void *args)
{
    const char *name = args;
    printf("hello %s\n", name);
    return 0;
}

int main(void)
{
    mp_freeze_support();
    mp_process process;
    int exit_code;
    MP_CHECK(mp_process_start(&process, hello, "bob", sizeof "bob", NULL));
    MP_CHECK(mp_process_join(process, &exit_code, MP_FOREVER));
    return exit_code;
}
