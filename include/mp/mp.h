/* SPDX-License-Identifier: MIT
 *
 * mp/mp.h - all of libmp.
 *
 *     #include <mp/mp.h>
 *
 *     static int hello(void *args) { return puts(args) < 0; }
 *
 *     int main(void)
 *     {
 *         mp_freeze_support();
 *         mp_process process;
 *         MP_CHECK(mp_process_start(&process, hello, "bob", sizeof "bob", NULL));
 *         return MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
 *     }
 */
#ifndef MP_MP_H
#define MP_MP_H

#include <mp/error.h>
#include <mp/family.h>
#include <mp/handle.h>
#include <mp/message.h>
#include <mp/pipe.h>
#include <mp/pool.h>
#include <mp/process.h>
#include <mp/queue.h>
#include <mp/shared.h>
#include <mp/sync.h>
#include <mp/trace.h>
#include <mp/wait.h>

#endif
