/* SPDX-License-Identifier: MIT
 *
 * repair.c - after a death under the arena's lock.
 */
#include "base/repair.h"
#include "base/error.h"

void mp__repair(void)
{
    mp__control_repair();
    mp__holders_repair();
    mp__process_repair();
    mp__thread_repair();
    mp__heap_repair();
    mp__log(MP_LOG_WARNING, "a process died while it changed the family's tables: they are whole again");
}
