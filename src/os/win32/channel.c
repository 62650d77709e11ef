/* SPDX-License-Identifier: MIT
 *
 * channel.c - the fork server's door: there is no fork here, so no server, and nobody comes by.
 */
#include "os/no_forkserver.h"
#include "os/win32/win32.h"

uint64_t mp_os_privileges(void)
{
    return 0;
}

uint64_t mp_os_name_spaces(void)
{
    return 0;
}
