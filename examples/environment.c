/* SPDX-License-Identifier: MIT
 *
 * environment.c - a child with a name, an environment and a working directory of its own.
 *
 *     Python: Process(name='reader').start() after os.environ and os.chdir, which change the parent, too
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int look(void *args)
{
    (void)args;
    const char *language = getenv("LANGUAGE"), *home = getenv("HOME");
    FILE *here = fopen("environment.c", "rb"); /* relative to the working directory */
    printf("I am %s, LANGUAGE is %s, HOME is %s, the source is %s\n", mp_process_name(mp_current_process()),
           language ? language : "not set", home ? home : "not set", here ? "here" : "not here");
    if (here) fclose(here);
    return language && strcmp(language, "eo") == 0 && !home ? 0 : 1;
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    mp_process process;
    const mp_process_options options = {
        .name = "reader",
        .environment = (const char *const[]){"LANGUAGE=eo", "HOME", NULL}, /* set one, remove one */
        .working_directory = argc > 1 ? argv[1] : "..",
    };
    MP_CHECK(mp_process_start(&process, look, NULL, 0, &options));
    return MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
}
