/* SPDX-License-Identifier: MIT
 *
 * start_methods.c - fork, spawn and forkserver, and what a child sees of its parent's variables under each.
 *
 *     Python: for method in get_all_start_methods(): get_context(method).Process(target=look)
 *
 * Fork copies the parent as it is; spawn runs the program anew; forkserver copies a clean process that did nothing but
 * start. So a variable that main has set is set in a child of fork only. What a child shall know under every method
 * goes into its arguments.
 */
#include <mp/mp.h>
#include <stdio.h>

static int variable; /* 0 in the program as it is on disk */

static int look(void *args)
{
    const int *told = args;
    const char *method = mp_process_name(mp_current_process());
    printf("%-10s variable %d, told %d\n", method, variable, *told);
    return 0;
}

int main(void)
{
    mp_freeze_support();
    variable = 1;
    size_t count;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    printf("the default here is %s\n", mp_start_method_name(mp_get_start_method()));
    for (size_t i = 0; i < count; i++) {
        mp_process process;
        mp_process_options options = {.method = methods[i], .name = mp_start_method_name(methods[i])};
        MP_CHECK(mp_process_start(&process, look, &variable, sizeof variable, &options));
        MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
        mp_process_close(process);
    }
    MP_CHECK(mp_set_start_method(MP_SPAWN)); /* what every platform has, for the starts that do not say it */
    printf("now it is %s\n", mp_start_method_name(mp_get_start_method()));
    return 0;
}
