/* SPDX-License-Identifier: MIT
 *
 * layout.h - what lies where in the arena. Every process of the family sees these structures, each at an address of its
 * own; nothing in them is a pointer.
 *
 *     offset 0                                                                                    header->size
 *     +--------+-----------+---------+----------+-------+--------------------+-----------+-  -+-------+
 *     | header | processes | threads | controls | pages | heap: 64 KiB pages | processes | .. | pages |
 *     +--------+-----------+---------+----------+-------+--------------------+-----------+-  -+-------+
 *     \__ the head: the first items of four tables ____/                      \_____ their rests ____/
 *
 * Most processes have all that they need in the head and in the first pages of the heap, which is one window into the
 * segment: each more has to be copied at a fork, and undone at an exit, with page tables of its own.
 *
 * The tables and the heap are five regions, each filled from its front; `committed` says how far. Memory below that is
 * there, in every process that has mapped it. Each process maps a region as far as it has had to look (mp__arena_at), in
 * steps that double, and never unmaps.
 *
 * Fields are fixed-width and naturally aligned, 64-bit ones by force: 32-bit compilers align them to 4.
 */
#ifndef MP_BASE_LAYOUT_H
#define MP_BASE_LAYOUT_H

#include "os/os.h"
#include <mp/family.h>
#include <stdalign.h>
#include <stddef.h>

#define MP__MAGIC          UINT64_C(0x3130616e6572616d) /* "marena01" */
#define MP__LAYOUT_VERSION 1
#define MP__HEAD_SIZE      (4 * MP_OS_GRANULARITY) /* header and processes, threads, controls, pages: one granule each */

enum mp__region_name {
    MP__REGION_PROCESSES,
    MP__REGION_THREADS,
    MP__REGION_CONTROLS,
    MP__REGION_PAGES,
    MP__REGION_HEAP,
    MP__REGION_COUNT
};

struct mp__region {
    alignas(8) uint64_t offset, first, rest; /* so many bytes lie at `offset`, those behind at `rest`; constant */
    alignas(8) uint64_t limit;               /* bytes; constant */
    alignas(8) _Atomic uint64_t committed;   /* bytes; grows only; written under the arena's lock.
                                            * L1: stored with release after the commit; read with acquire by who maps */
};

/* What a control block is for. */
enum mp__type {
    MP__FREE,
    MP__PROCESS,
    MP__LOCK,
    MP__RLOCK,
    MP__SEMAPHORE,
    MP__OWNED_SEMAPHORE,
    MP__CONDITION,
    MP__EVENT,
    MP__BARRIER,
    MP__VALUE,
    MP__ARRAY,
    MP__BLOCK,
    MP__MESSAGE,
    MP__QUEUE,
    MP__CONNECTION,
    MP__POOL,
    MP__RESULT,
    MP__PUT_SIDE, /* no objects: the two sides of a channel, struct mp__side */
    MP__GET_SIDE,
    MP__HOLDERS, /* no object: some holders of one, holders.h */
    MP__TYPE_COUNT
};

#define MP__NAME_SIZE    32
#define MP__HOLDERS_MOST 7

/* What a handle names: 128 bytes, never anything but a control block, so that a stale handle can always be looked at.
 *
 *     state   63            32 31      0
 *             | generation    | word    |      generation odd: alive, even: free
 *
 * The generation grows by one at creation and at destruction. What a call does to an object it does by compare-and-swap
 * on the whole state, so on one destroyed meanwhile it fails by itself. The word is the object's own (the lock word);
 * who sleeps, sleeps on it. A control block whose generation is used up is not used again.
 *
 * All else in it is written before the state that makes it alive is released, and read after that is acquired (C1); but who
 * holds it, which changes under the arena's lock. */
struct mp__control {
    alignas(8) _Atomic uint64_t state;
    _Atomic uint32_t type;               /* enum mp__type; changes only while not alive */
    uint32_t next;                       /* of the free ones: index, or 0; under the arena's lock */
    alignas(8) _Atomic uint64_t creator; /* process; 0: not known. Of holders: the object */
    alignas(8) _Atomic uint64_t held;    /* by whom it ever was: 0, the only process, or MP__HELD_BY_MANY */
    alignas(8) _Atomic uint64_t holders; /* the first, or next, block of them; 0: none */
    union {
        struct {
            _Atomic uint32_t part;     /* belongs to something else: not to be destroyed alone */
            _Atomic uint32_t detects;  /* enum mp__detects */
            alignas(8) uint64_t maker; /* of a part: the process that creates what it belongs to; then 0 */
            alignas(8) uint64_t nothing;
            /* rlock: generation, and how often its owner has taken it since the first time; where nothing that any other
             * object has looks like it: who comes late, to one that was destroyed meanwhile, changes nothing then. */
            alignas(8) _Atomic uint64_t again;
        } lock;
        struct {
            alignas(8) uint64_t offset; /* of the data in the arena; 0: none (an array of length 0) */
            alignas(8) uint64_t size;   /* in bytes, as asked for */
            alignas(8) uint64_t item_size;
            alignas(8) uint64_t lock; /* handle, or 0 */
            uint32_t own_lock;        /* goes with it */
        } data;
        struct {
            _Atomic uint32_t slot; /* in the process table */
        } process;
        struct {
            _Atomic uint32_t most; /* units there may be */
        } semaphore;
        struct {                       /* owned.c; the word is a lock's, and all of it is looked at under that */
            alignas(8) uint64_t units; /* offset of an array: the process that has it, or 0 */
            uint32_t count;
        } owned;
        struct {                      /* condition.c; the word: somebody may be waiting who has not been told */
            alignas(8) uint64_t lock; /* handle of a lock or an rlock */
            uint32_t own_lock;        /* goes with it */
        } condition;
        struct { /* barrier.c; the word is a lock's, and all but `lost`, `ended` and the members changes under that */
            uint32_t parties;
            _Atomic uint32_t arrived, status;  /* in this round */
            _Atomic uint32_t actor;            /* number of the thread that runs the action, or 0 */
            alignas(8) _Atomic uint64_t round; /* from 1 */
            alignas(8) _Atomic uint64_t lost;  /* the last round in which somebody died */
            _Atomic uint32_t ended;            /* a member has */
            uint32_t members;                  /* how many */
            alignas(8) uint64_t extras;        /* offset of the rest, or 0 */
        } barrier;
        struct {                                        /* message.c */
            alignas(8) _Atomic uint64_t offset;         /* of its memory in the arena */
            alignas(8) _Atomic uint64_t capacity, size; /* bytes: of that, and of what is in it */
            alignas(8) _Atomic uint64_t owner;          /* message.h */
        } message;
        struct {                                  /* queue.c */
            alignas(8) _Atomic uint64_t put, get; /* ids of the sides */
            _Atomic uint32_t joinable, waits;     /* options */
        } queue;
        struct {                                        /* pipe.c: one end */
            alignas(8) _Atomic uint64_t peer;           /* the other one */
            alignas(8) _Atomic uint64_t put, put_other; /* the channel it sends into: ids of the sides; or 0 */
            alignas(8) _Atomic uint64_t get, get_other; /* that it receives from */
        } connection;
        struct { /* pool.c: the word is a lock's (monitor.h) */
            uint32_t nothing;
            _Atomic uint32_t bell;              /* where a side has its own: who has no work sleeps on that */
            alignas(8) _Atomic uint64_t offset; /* of a struct mp__pool in the heap; 0: not yet, or not any more */
            alignas(8) _Atomic uint64_t size;
            alignas(8) _Atomic uint64_t maker; /* the process that creates or destroys it; or 0 */
        } pool;
        struct {                               /* a result, or a flag of a pool's own: the word is that (flag.h) */
            alignas(8) _Atomic uint64_t pool;  /* that it belongs to, and goes with */
            alignas(8) _Atomic uint64_t job;   /* offset; 0: none, or not any more. Under the pool's lock */
            alignas(8) _Atomic uint64_t maker; /* the process that creates or destroys it; or 0 */
        } result;
        alignas(8) _Atomic uint64_t held_by[MP__HOLDERS_MOST]; /* holders: processes, or 0 */
        alignas(8) _Atomic uint64_t all[7];
    } as;
    alignas(8) char name[MP__NAME_SIZE];
};
_Static_assert(sizeof(struct mp__control) == 128, "control blocks are an array of 128 bytes each");
#define MP__HELD_BY_MANY UINT64_C(1) /* no id */

/* One side of a channel (channel.h): a control block with other contents. The state's word is a lock, under which all of it
 * changes but the bell, and what says otherwise. The first cache line is all that is used for most messages. */
struct mp__side {
    alignas(8) _Atomic uint64_t state;
    _Atomic uint32_t type;
    uint32_t next;
    alignas(8) _Atomic uint64_t at;         /* items so far << 32 | position: of the next record to be put, or got */
    alignas(8) _Atomic uint64_t seen;       /* put: no further than that is the other side, in this ring */
    alignas(8) _Atomic uint64_t ring;       /* offset of a struct mp__ring */
    _Atomic uint32_t mask;                  /* its */
    _Atomic uint32_t bell;                  /* an eventcount: put: who waits for items; get: who waits for room */
    alignas(8) _Atomic uint64_t bytes;      /* of all items so far */
    alignas(8) _Atomic uint64_t next_bytes; /* Q2: what it will be, and `at`, once what is being done is committed */
    alignas(8) _Atomic uint64_t next_at;
    alignas(8) _Atomic uint64_t object; /* the queue or the connection that it belongs to */
    alignas(8) _Atomic uint64_t maker;  /* the process that creates or destroys that, or 0; under the arena's lock */
    alignas(8) _Atomic uint64_t moving; /* the message that is being put, or got; or 0 */
    alignas(8) _Atomic uint64_t spare;  /* offset of the ring that is about to be used, or has been; or 0 */
    alignas(8) _Atomic uint64_t other;  /* the other side; constant */
    alignas(8) _Atomic uint64_t most_bytes; /* put: constant. get: of a queue: items that were said to be done */
    _Atomic uint32_t most;                  /* put: items there may be; constant. get: R2 */
    _Atomic uint32_t flags;                 /* enum mp__side_flag; set by anybody */
};
_Static_assert(sizeof(struct mp__side) == sizeof(struct mp__control), "sides are control blocks");
/* Who rings late must not change anything else: no other object has the bit of sleepers there. */
_Static_assert(offsetof(struct mp__side, bell) == offsetof(struct mp__control, as.pool.bell), "one place for bells");

enum mp__side_flag {
    MP__SIDE_CLOSED = 1, /* put: nothing more is put */
    MP__SIDE_FIXED = 2,  /* it has one ring only: of a pipe */
    MP__SIDE_STREAM = 4  /* in the middle of a message that is larger than the ring */
};

/* Records lie one behind the other, in granules of 8 bytes: a header, and what it says. */
struct mp__ring {
    alignas(8) _Atomic uint64_t following; /* offset of the ring in which it goes on, once there is one */
    _Atomic uint32_t base;                 /* the position that begins it, or one that has been got since */
    _Atomic uint32_t mask;                 /* granules, a power of two, less 1 */
    uint8_t room[48];
    alignas(8) _Atomic uint64_t words[];
};
_Static_assert(sizeof(struct mp__ring) == 64, "the head of a ring is a cache line");

/* A process: what the family knows of it. A slot is taken when the process is started, given up when it is closed, and
 * then taken by another one: whoever comes late with an address of the record must not touch that. So what is written by
 * others than the process and its starter carries a tag of the process's id, and changes by compare-and-swap, or it is
 * written under the arena's lock, under which slots change hands, while `handle` is still that id:
 *
 *     end      63       32 31          3 2         1        0
 *              | code    | tag         | awaited | failed | ended |
 *
 *     ended    set once, by whoever learns of the end first: who reaps it, or the process itself at its last instruction
 *              (fork server's children); code is the exit code then, or with `failed` a libmp error
 *     awaited  somebody sleeps on the lower half
 *     code     before it has ended: 0, or how it will have ended, should nobody be told by the system (it was killed)
 *
 *     returned 0, or `ended` and what its target returned: by the process itself, before its exit handlers run
 *
 *     pid      63        32 31  0
 *              | tag     | pid |       pid 0: not known yet; MP__PID_NEVER: its starter died before it came, and if it
 *                                      comes all the same it ends; MP__PID_ELSEWHERE: it came, and lives in another space
 *                                      of pids than its starter, who may yet tell what its pid is there. P1: leaves 0 by
 *                                      compare-and-swap; what else makes up the record is visible to who has seen that */
#define MP__PID_NEVER     UINT32_MAX
#define MP__PID_ELSEWHERE (UINT32_MAX - 1)
#define MP__ENDED         UINT64_C(1)
#define MP__FAILED        UINT64_C(2)
#define MP__AWAITED       UINT64_C(4)

/* Of an id. Its generation alone is not enough: the next process in the slot may have another index of the same generation. */
static inline uint32_t mp__process_tag(uint64_t id)
{
    return (uint32_t)(id >> 32) + (uint32_t)id * UINT32_C(0x9e3779b1);
}

static inline uint64_t mp__end_tag(uint64_t id)
{
    return (uint32_t)(mp__process_tag(id) << 3);
}
static inline bool mp__end_is_of(uint64_t end, uint64_t id)
{
    return (uint32_t)(end >> 3 << 3) == mp__end_tag(id);
}

static inline uint64_t mp__pid_word(uint64_t id, int64_t pid)
{
    return (uint64_t)mp__process_tag(id) << 32 | (uint32_t)pid;
}
static inline bool mp__pid_is_of(uint64_t word, uint64_t id)
{
    return word >> 32 == mp__process_tag(id);
}

static inline uint64_t mp__ending(int code)
{
    return (uint64_t)(uint32_t)code << 32 | MP__ENDED;
}
static inline uint64_t mp__ending_failed(int error)
{
    return mp__ending(error) | MP__FAILED;
}
static inline int mp__ending_code(uint64_t ending)
{
    return (int)(int32_t)(uint32_t)(ending >> 32);
}

/* A request to a fork server: who gets from NEW or WAITED to FORKED or VOID first has decided. */
enum mp__process_started {
    MP__START_NEW,    /* the parent still looks whether the server is fit for it: the new process waits for that */
    MP__START_WAITED, /* it is, and the parent sleeps */
    MP__START_FORKED, /* by the server, or by the new process itself */
    MP__START_VOID /* by the parent, to whom the server is not fit, or dead: a process that comes all the same ends */
};

enum mp__process_flag {
    MP__DAEMON = 1,  /* ended, not joined, with its parent */
    MP__UNNAMED = 2, /* nobody has a handle: the record goes when it ends. Set once it is started */
    MP__TAKEN = 4,   /* the slot is in use; changes under the arena's lock */
    MP__EXITS = 16,  /* its exit handlers run: it ends in order */
    MP__DOUBTFUL = 8 /* a program that mp_set_executable chose was started, and has not become the child yet */
};

#define MP__PROCESS_NAME_SIZE 256
#define MP__IDENTITY_SIZE     96

struct mp__process {
    alignas(
        16) uint8_t life[MP_OS_LIFE_SIZE]; /* of its first thread, as a rule: should that have ended it must be looked
                                                * at otherwise whether others of the process run on */
    alignas(8) _Atomic uint64_t handle;    /* its own id; 0 while the slot is free */
    alignas(8) _Atomic uint64_t returned;
    alignas(8) _Atomic uint64_t end;
    alignas(8) _Atomic uint64_t pid;
    alignas(8) _Atomic uint64_t space;    /* of pids (mp_os_pid_space) its starter lives in: the pid is the one there */
    alignas(8) _Atomic uint64_t birth;    /* see mp_os_process; 0: not known yet, whoever opens it first says it */
    alignas(8) _Atomic uint64_t delivery; /* offset of the block with target, arguments and setting; 0: taken */
    alignas(8) uint64_t parent;           /* id; 0: none */
    _Atomic uint32_t started;         /* enum mp__process_started, of a fork server's child; its parent sleeps on it */
    _Atomic uint32_t flags;           /* enum mp__process_flag */
    uint32_t method;                  /* enum mp_start_method it was started by; 0: not by libmp */
    uint32_t default_method;          /* what its own children are started by, at first */
    uint32_t next;                    /* of the free ones: slot, or 0 */
    _Atomic uint32_t children;        /* started so far, for names */
    char identity[MP__IDENTITY_SIZE]; /* "1:2": second child of the founder's first */
    char name[MP__PROCESS_NAME_SIZE];
};
_Static_assert(sizeof(struct mp__process) <= 512, "process records are an array of 512 bytes each");
#define MP__PROCESS_STRIDE 512

#define MP__INTENTS        3
#define MP__INTENT_WAITS   UINT64_C(1) /* in one of them: it waits for a lock; */
#define MP__INTENT_FOREVER UINT64_C(2) /* without a time-out */
#define MP__INTENT_FLAGS   UINT64_C(3)

/* A thread that uses libmp. Its index + 1 is the owner in lock words. */
struct mp__thread {
    union {                                              /* one of them, as the system can or can not sleep on words: */
        alignas(16) uint8_t sleeper[MP_OS_SLEEPER_SIZE]; /* what it sleeps on */
        alignas(16) uint8_t life[MP_OS_LIFE_SIZE];       /* what tells that it is dead */
    };
    alignas(8) _Atomic uint64_t stamp;   /* unique in the family for ever; 0 while free */
    alignas(8) _Atomic uint64_t process; /* id of its process */
    uint32_t next;                       /* of the free ones: index + 1, or 0 */
    /* Where the system can not sleep on words, a chain of those who sleep: park.c; under the bucket's lock. */
    _Atomic uint32_t sleeping;               /* in a chain */
    alignas(8) _Atomic uint64_t sleeping_on; /* offset of the word */
    uint32_t sleeping_next;
    /* What it is about to do for others: offsets of words. It was woken on that word, or is about to wake who sleeps there;
     * should it die, all who sleep there have to look. Set before (I1) and cleared after that; the inner ones are those of
     * signal handlers. */
    alignas(8) _Atomic uint64_t intents[MP__INTENTS];
    /* What it waits to be told: waiter.h. */
    alignas(64) _Atomic uint64_t waits_for; /* id of an object, or 0 */
    alignas(8) _Atomic uint64_t ticket;
    _Atomic uint32_t told;
    alignas(8) _Atomic uint64_t idles; /* what it sleeps for: holders.h; or 0 */
    /* For who looks on: mp-top. Nothing here depends on it. */
    alignas(8) _Atomic uint64_t asleep_on;    /* offset of the word; 0: it is awake */
    alignas(8) _Atomic uint64_t asleep_since; /* mp_os_now */
    alignas(8) _Atomic uint64_t taken;        /* locks so far: who has one, and has taken none since, has it still */
    alignas(8) uint64_t track;                /* offset of what it records, or 0: trace.h */
    uint8_t room[64];
};
_Static_assert(sizeof(struct mp__thread) == 256, "thread records are an array of 256 bytes each");

/* A page of the heap. Pages in use come in runs, and so do free ones; what concerns a run stands in its first page, and
 * its length in the last one, too: heap.c. */
enum mp__page_state {
    MP__PAGE_FREE,
    MP__PAGE_RUN,
    MP__PAGE_SLAB
};

struct mp__page {
    uint8_t state;           /* enum mp__page_state */
    uint8_t class;           /* of a slab */
    uint8_t dirty;           /* of every page: it may read as something else than zero */
    uint8_t backed;          /* of every page: the system has given memory for it */
    uint32_t run;            /* pages in the run */
    uint32_t next, previous; /* in a list of free runs, or of slabs with room; page + 1, or 0 */
    alignas(8) uint64_t ref; /* of a used run: what it is for; never 0 */
    uint8_t room[8];
};
_Static_assert(sizeof(struct mp__page) == 32, "page records are an array of 32 bytes each");

#define MP__PAGE_SIZE    UINT64_C(65536)
#define MP__HEAP_BINS    32
#define MP__HEAP_CLASSES 28

struct mp__heap {
    uint32_t top; /* pages from here on have never been used */
    uint32_t backed_pages;
    uint32_t bins[MP__HEAP_BINS];     /* free runs of 2^n .. 2^(n+1)-1 pages; page + 1, or 0 */
    uint32_t slabs[MP__HEAP_CLASSES]; /* slabs with room; page + 1, or 0 */
    alignas(8) uint64_t bytes_used;
    alignas(8) uint64_t blocks;
};

/* The janitor: janitor.h. */
struct mp__janitor {
    alignas(16) uint8_t life[MP_OS_LIFE_SIZE];
    alignas(8) _Atomic int64_t pid; /* 0: there is none; changes under the arena's lock */
    alignas(8) _Atomic uint64_t birth;
    alignas(8) _Atomic int64_t launched; /* when somebody last did, mp_os_now; 0 when it has come */
    _Atomic uint32_t bell;               /* lowest bit: it sleeps; the others count who rang */
};

#define MP__PARK_BUCKETS 64
struct mp__bucket {
    alignas(16) uint8_t guard[MP_OS_GUARD_SIZE];
    alignas(16) uint32_t first; /* thread index + 1 */
};

/* The gaps are there so that what changes often does not lie in one cache line with what is only read. */
struct mp__header { /* NOLINT(clang-analyzer-optin.performance.Padding) */
    alignas(8) uint64_t magic;
    uint32_t version, header_size;
    alignas(8) uint64_t user, nonce, size;
    uint32_t max_processes, tag;
    alignas(8) int64_t spin_ns;
    _Atomic uint32_t tracing, trace_events; /* trace.h: whether the family records, and how many of each thread */
    struct mp__region regions[MP__REGION_COUNT];
    alignas(8) _Atomic int64_t trace_since; /* when it began to record, mp_os_now; or 0 */
    /* Under the arena's lock: offsets of the first and the last track, and of the one that is looked at next when one is to be
     * used again; bytes of all; events in those that were. */
    alignas(8) uint64_t tracks, tracks_last, tracks_next, track_bytes, tracks_lost;

    alignas(128) uint8_t guard[MP_OS_GUARD_SIZE]; /* the arena's lock: protects all below but what is atomic or a
                                                   * bucket's, and growth */
    struct mp_os_inquiry inquiry;
    alignas(128) struct mp__heap heap;
    uint32_t free_controls, free_processes, free_threads; /* index, slot, index + 1; 0: none */
    uint32_t controls_top, processes_top;                 /* what lies beyond has never been used; 0 is never */
    _Atomic uint32_t threads_top;
    uint32_t counts[MP__TYPE_COUNT];
    alignas(8) _Atomic uint64_t stamp;   /* of the last thread */
    alignas(8) _Atomic uint64_t ticket;  /* of the last waiter */
    alignas(8) _Atomic uint64_t watched; /* bits: watch.h */
    _Atomic uint32_t log_level;
    struct mp__janitor janitor;
    struct mp__bucket buckets[MP__PARK_BUCKETS];
};

#endif
