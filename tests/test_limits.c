/* SPDX-License-Identifier: MIT
 *
 * test_limits.c - when the system gives no more: each failure has a name and leaves nothing behind, and all works again
 * when the limit is lifted. program_limits.c does it, since limits would hurt the test itself.
 */
#include "support.h"

static void run(const char *kind)
{
    static struct outcome outcome;
    const char *const arguments[] = {kind, mp_start_method_name(mp_get_start_method()), NULL};
    support_program(&outcome, "program_limits", arguments);
    if (outcome.code == 77) {
        print_message("%s", outcome.text);
        skip();
    }
    if (outcome.code != 0 || outcome.timed_out) print_error("exit code %d\n%s\n", outcome.code, outcome.text);
    assert_false(outcome.timed_out);
    assert_int_equal(outcome.code, 0);
}

#define KIND(function, kind)           \
    static void function(void **state) \
    {                                  \
        (void)state;                   \
        run(kind);                     \
    }

KIND(memory, "memory")           /* an allocation of the C library fails */
KIND(memory_from, "memory-from") /* and all later ones */
KIND(commit, "commit")           /* no memory for the arena */
KIND(maps, "maps")               /* no window into it */
KIND(forks, "forks")             /* no process */
KIND(children, "children")       /* no memory in the child */
KIND(server, "server")           /* none in the fork server */
KIND(server_from, "server-from") /* nor later */
KIND(server_forks, "server-forks")
KIND(descriptors, "descriptors")
KIND(descriptors_low, "descriptors-low") /* with stdin closed */
KIND(address, "address")
KIND(file, "file")
KIND(processes, "processes")

static const struct test_case cases[] = {
    CASE(memory),          CASE(memory_from), CASE(commit),      CASE(maps),         CASE(forks),
    CASE(children),        CASE(server),      CASE(server_from), CASE(server_forks), CASE(descriptors),
    CASE(descriptors_low), CASE(address),     CASE(file),        CASE(processes),
};

SUPPORT_MAIN("limits", cases)
