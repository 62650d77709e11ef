/* SPDX-License-Identifier: MIT
 *
 * repair.h - after a death under the arena's lock.
 *
 * A process can be killed between any two of its instructions, so what it changes under the lock is changed in an order
 * in which every moment can be understood: a table says of each of its items whether it is in use, by one store, and all
 * else, lists and counts, is derived from that and made anew here. MP__THEN stands between stores whose order matters
 * for that: the compiler keeps it, and the processor has done all stores before a death is seen.
 */
#ifndef MP_BASE_REPAIR_H
#define MP_BASE_REPAIR_H

#include <stdatomic.h>

#define MP__THEN atomic_signal_fence(memory_order_seq_cst)

/* Derive anew whatever is derived. The caller has the arena's lock; may be cut short, and done again, at any moment. */
void mp__repair(void);

/* The parts of it, each by who owns the table. */
void mp__control_repair(void);
void mp__holders_repair(void);
void mp__process_repair(void);
void mp__thread_repair(void);
void mp__heap_repair(void);

#endif
