/* SPDX-License-Identifier: MIT
 *
 * guard.c - guards in a word: a kernel object each would have to be opened by every process.
 */
#include "os/win32/win32.h"

#include "os/guard_word.h"

static bool is_dead(int64_t pid)
{
    mp_os_process process;
    mp_os_ending ending;
    int error = mp_os_process_open(&process, pid, 0);
    if (error) return error == mp_os_egone;
    error = mp_os_process_wait(&process, 0, &ending);
    mp_os_process_release(&process);
    return error == 0;
}
