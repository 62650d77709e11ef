/* SPDX-License-Identifier: MIT
 *
 * holders.c - who could yet do what others wait for.
 *
 * Holders are told of by blocks of the table of objects, which stay what they are (layout.h): seven processes each, and the id
 * of the next block. A holder whose end is known is overwritten by the next new one, so that there are no more blocks than
 * there were holders at a time. All that is changed is changed under the arena's lock, and read without it: a block that is
 * given back meanwhile has another generation, an entry that is overwritten was dead.
 *
 *     H1: what led to an entry, or to the block it is in, happened before; stored with release, read with acquire.
 */
#include "base/holders.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/eventcount.h"
#include "base/janitor.h"
#include "base/park.h"
#include "base/recover.h"
#include "base/repair.h"
#include "base/thread.h"

#include <string.h>

/* Of arguments: handles stand in front of data, and whoever hands over a GiB shall not wait for this. */
#define LOOKED_AT ((size_t)1 << 20)
#define ANYWHERE  4096 /* in so many bytes they may stand anywhere: structs are packed sometimes */

_Atomic uint64_t mp__holds[MP__HOLDS];

/* The first block of holders that an object, or a block, names; NULL: there is none. */
static struct mp__control *block_after(const struct mp__control *control, uint64_t *id)
{
    *id = atomic_load_explicit(&control->holders, memory_order_acquire); /* H1 */
    return *id ? mp__control_of(*id, MP__HOLDERS) : NULL;
}

/* ---- changing: the arena's lock is held ------------------------------------------------------------------------- */

struct contents {
    uint64_t next, process;
};

static void fill(struct mp__control *block, const void *with)
{
    const struct contents *contents = with;
    atomic_store_explicit(&block->holders, contents->next, memory_order_relaxed);
    atomic_store_explicit(&block->as.held_by[0], contents->process, memory_order_relaxed);
}

/* One more block, in front of the others, with one entry. Until it is named there it belongs to nothing: repair. */
static int block_add(struct mp__control *object, uint64_t id, uint64_t process)
{
    const struct contents contents = {.next = atomic_load_explicit(&object->holders, memory_order_relaxed),
                                      .process = process};
    uint64_t block;
    int result = mp__control_take(MP__HOLDERS, NULL, id, fill, &contents, &block);
    if (result < 0) return result;
    MP__THEN;
    atomic_store_explicit(&object->holders, block, memory_order_release); /* H1 */
    return 0;
}

static int insert(struct mp__control *object, uint64_t id, uint64_t process)
{
    _Atomic uint64_t *room = NULL;
    uint64_t block_id;
    for (struct mp__control *block = object; (block = block_after(block, &block_id)) != NULL;) {
        for (int i = 0; i < MP__HOLDERS_MOST; i++) {
            uint64_t holder = atomic_load_explicit(&block->as.held_by[i], memory_order_relaxed);
            if (holder == process) return 0;
            if (!room && (!holder || mp__process_has_ended(holder))) room = &block->as.held_by[i];
        }
    }
    if (!room) return block_add(object, id, process);
    atomic_store_explicit(room, process, memory_order_release); /* H1 */
    return 0;
}

static int remember(struct mp__control *object, uint64_t id, uint64_t process)
{
    (void)id;
    uint64_t held = atomic_load_explicit(&object->held, memory_order_relaxed);
    if (held != process)
        atomic_store_explicit(&object->held, held ? MP__HELD_BY_MANY : process, memory_order_release); /* H1 */
    return 0;
}

/* It belongs to nothing: its object is no more, or does not know it. Not if something of that can not be mapped. */
static bool is_lost(const struct mp__control *lost)
{
    uint64_t id = atomic_load_explicit(&lost->creator, memory_order_relaxed);
    const struct mp__control *block = mp__control_any(id);
    while (block && block != lost) {
        const struct mp__control *next = block_after(block, &id);
        if (!id) return true;
        block = next;
    }
    return !block && mp__control_is_over(id);
}

void mp__holders_repair(void)
{
    for (uint32_t index = mp__header()->controls_top; --index > 0;) {
        const struct mp__control *lost = mp__control_indexed(index);
        if (!lost || atomic_load_explicit(&lost->type, memory_order_relaxed) != MP__HOLDERS) continue;
        uint64_t state = atomic_load_explicit(&lost->state, memory_order_relaxed);
        if (mp__generation_of(state) & 1 && is_lost(lost))
            mp__control_retire(state >> 32 << 32 | mp__handle_tag() | index, MP__HOLDERS);
    }
}

/* ---- joining, giving -------------------------------------------------------------------------------------------- */

int mp__holders_join(struct mp__control *object, uint64_t id)
{
    uint64_t self = mp__family_self();
    if (!self) return mp__fail_code();
    mp__arena_lock();
    int result = mp__control_alive(object, id) ? insert(object, id, self) : MP_EBADHANDLE;
    if (result == 0) result = remember(object, id, self);
    mp__arena_unlock();
    if (result == 0) atomic_store_explicit(&mp__holds[id % MP__HOLDS], mp__hold_mark(id), memory_order_relaxed);
    return result;
}

/* The object whose handle stands there, if any. */
static struct mp__control *object_at(const unsigned char *bytes, uint64_t *id)
{
    memcpy(id, bytes, sizeof *id);
    if ((*id & MP__TAG_MASK) != mp__handle_tag() || !(mp__generation_of(*id) & 1)) return NULL;
    struct mp__control *control = mp__control_any(*id);
    uint32_t type = control ? atomic_load_explicit(&control->type, memory_order_relaxed) : MP__FREE;
    return type == MP__FREE || type == MP__PROCESS || type >= MP__PUT_SIDE ? NULL : control; /* no objects */
}

/* Of those whose handles stand there: anywhere in few bytes, in many where the compiler aligns them to. How many there are, or
 * what went wrong with one. */
static int for_each(const void *bytes, size_t size, uint64_t process,
                    int (*what)(struct mp__control *, uint64_t, uint64_t))
{
    int result = 0, count = 0;
    uint64_t id;
    if (size > LOOKED_AT) size = LOOKED_AT;
    size_t step = size <= ANYWHERE ? 1 : _Alignof(mp_handle);
    for (size_t at = 0; result == 0 && at + sizeof id <= size; at += step) {
        struct mp__control *object = object_at((const unsigned char *)bytes + at, &id);
        if (!object) continue;
        mp__arena_lock();
        if (mp__control_alive(object, id)) result = what(object, id, process);
        mp__arena_unlock();
        count++;
    }
    return result < 0 ? result : count;
}

int mp__holders_give(const void *bytes, size_t size, uint64_t process)
{
    int result = for_each(bytes, size, process, insert);
    return result < 0 ? mp__fail(result, "mp_process_start: no room to note down what the process is given") : result;
}

void mp__holders_given(const void *bytes, size_t size, uint64_t process)
{
    (void)for_each(bytes, size, process, remember);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

/* False: it is dead. *peer: it, if its life is better to sleep on than that of the one before. */
static bool is_alive(uint64_t process, struct mp__process **peer)
{
    struct mp__process *record = mp__process_of(process);
    if (!record) return !mp__control_is_over(process);
    if (mp__process_is_gone(record, process)) return false;
    if (!*peer || mp_os_life_lasts(record->life)) *peer = record;
    return true;
}

#define DEEP 8 /* processes that wait for each other's ends */

/* Of one that asks: while it is about to sleep what others say of themselves will do. `sure`: before it is said that all are
 * dead those threads count, too, that libmp knows nothing of. */
struct question {
    const struct mp__wanted *wanted;
    bool sure;
};

static bool is_idle(uint64_t process, const struct question *question, int depth);

/* Whether waiting for the end of that process is in vain. */
static bool ends_in_vain(uint64_t process, const struct question *question, int depth)
{
    if (process == mp__family_id()) return true;
    const struct mp__process *record = mp__process_of(process);
    return record && depth < DEEP && !mp__process_is_gone(record, process) && is_idle(process, question, depth + 1);
}

/* Whether it can have so many threads only. */
static bool has_threads(uint64_t process, size_t number)
{
    const struct mp__process *record = mp__process_of(process);
    int64_t pid = record ? mp__process_pid(record, process) : 0;
    return pid <= 0 || mp__process_is_elsewhere(record, process) || mp_os_process_threads(pid) <= number;
}

static bool is_idle(uint64_t process, const struct question *question, int depth)
{
    const uint64_t wanted = question->wanted->idle;
    size_t idle = 0;
    for (uint32_t number = 1; wanted && number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        if (!thread || !atomic_load_explicit(&thread->stamp, memory_order_acquire) ||
            atomic_load_explicit(&thread->process, memory_order_relaxed) != process)
            continue;
        uint64_t idles = atomic_load_explicit(&thread->idles, memory_order_acquire);
        if (!idles || (idles != wanted && !ends_in_vain(idles, question, depth))) return false;
        idle++;
    }
    return idle && (!question->sure || has_threads(process, idle));
}

static bool counts(uint64_t process, const struct question *question, struct mp__process **peer)
{
    return process != question->wanted->besides && is_alive(process, peer) && !is_idle(process, question, 0);
}

static enum mp__peers look(const struct question *question, struct mp__process **peer)
{
    const struct mp__wanted *wanted = question->wanted;
    const struct mp__control *object = wanted->object;
    uint64_t held = atomic_load_explicit(&object->held, memory_order_acquire), block_id; /* H1 */
    bool alive = false;
    *peer = NULL;
    for (const struct mp__control *block = object; (block = block_after(block, &block_id)) != NULL;) {
        for (int i = 0; i < MP__HOLDERS_MOST; i++) {
            uint64_t holder = atomic_load_explicit(&block->as.held_by[i], memory_order_acquire); /* H1 */
            if (!holder || !counts(holder, question, peer)) continue;
            alive = true;
            if (*peer && mp_os_life_lasts((*peer)->life)) return MP__PEERS_ALIVE;
        }
    }
    if (alive || (block_id && !mp__control_is_over(block_id))) return MP__PEERS_ALIVE; /* what can not be mapped */
    if (!mp__control_alive(object, wanted->id)) return MP__PEERS_NONE;
    bool others = held && held != wanted->besides;
    bool of_queue = atomic_load_explicit(&object->type, memory_order_relaxed) == MP__QUEUE;
    uint64_t creator = atomic_load_explicit(&object->creator, memory_order_relaxed);
    struct mp__process *none = NULL; /* no peer: of what is no queue it does not count once there is another holder */
    if (creator && (of_queue || !others) && counts(creator, question, &none)) return MP__PEERS_ALIVE;
    return others || (creator && creator != wanted->besides) ? MP__PEERS_DEAD : MP__PEERS_NONE;
}

/* That all are dead only counts if nobody has come meanwhile where it had looked already: nobody can under the arena's lock. */
enum mp__peers mp__holders_look(const struct mp__wanted *wanted, struct mp__process **peer)
{
    enum mp__peers peers = look(&(struct question){wanted, false}, peer);
    if (peers != MP__PEERS_DEAD) return peers;
    mp__arena_lock();
    peers = look(&(struct question){wanted, true}, peer);
    mp__arena_unlock();
    return peers;
}

static int sleep_beside(const struct mp__wanted *wanted, _Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    struct mp__process *peer;
    if (mp__holders_look(wanted, &peer) == MP__PEERS_DEAD) return MP_EPEERDEAD;
    bool told = peer && mp_os_life_lasts(peer->life) &&
                mp__park_sleep_beside(peer->life, word, value, mp__deadline_slice(deadline, MP__PARK_SLICE_TOLD));
    if (!told) (void)mp__park_sleep(word, value, mp__deadline_slice(deadline, MP__PARK_SLICE));
    return mp__deadline_passed(deadline) ? MP_ETIMEDOUT : 0;
}

int mp__holders_sleep(const struct mp__wanted *wanted, _Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    mp__recover_look();
    (void)mp__janitor_ensure(false);
    if (deadline == MP_OS_NEVER) mp__thread_idles(wanted->idle);
    atomic_thread_fence(memory_order_seq_cst); /* H2 */
    int result = sleep_beside(wanted, word, value, deadline);
    mp__thread_idles(0);
    return result;
}

/* Those who sleep at queues look again. */
static void wake_idle(void)
{
    for (uint32_t number = 1; number <= mp__thread_top(); number++) {
        const struct mp__thread *thread = mp__thread_at(number);
        uint64_t idles = thread ? atomic_load_explicit(&thread->idles, memory_order_acquire) : 0;
        struct mp__control *side = idles ? mp__control_of(idles, MP__PUT_SIDE) : NULL;
        if (idles && !side) side = mp__control_of(idles, MP__GET_SIDE);
        if (side) mp__eventcount_ring(&((struct mp__side *)(void *)side)->bell, UINT32_MAX);
    }
}

void mp__holders_join_begins(uint64_t process)
{
    mp__thread_idles(process);
    if (!process || !mp__header()) return;
    atomic_thread_fence(memory_order_seq_cst); /* H2 */
    wake_idle();
}
