/* SPDX-License-Identifier: MIT
 *
 * channel.pml - a channel (base/channel.h): records in rings that follow each other, messages, and deaths (base/recover.c), for
 * spin.
 *
 * Putters put items, ITEMS in all, MESSAGES of them messages; getters get them. Each may be killed between any two of its steps,
 * MOST_DEATHS of them at most, and the next one at that side goes on: it repairs what the dead one has left, and may be killed
 * in that. Who recovers the dead does so at the same time: gives up the lock, settles whose messages are, sweeps what was the
 * dead one's. What is proved:
 *   - what is committed is got once, in its order, and nothing else is; when nothing can happen any more all of it has been;
 *   - no ring is touched that is free, none is freed twice, or while it is in use; and when nothing can happen any more there is
 *     one, in which both sides are;
 *   - a message is not freed while it is in the channel; who gets one finds it there; when nothing can happen any more each is
 *     free, in the channel, or that of one who lives;
 *   - both sides are whole then: nothing is left to be repaired.
 *
 * How it is made simpler than the code:
 *   - The lock of a side is taken and released in one step each (lock.pml has it), so those at one side come one after the
 *     other: a process of the model is all of them, one life after the other. A thread is a process.
 *   - A record is one granule, a ring has two: so there is room for one record, and each second item needs another ring. All
 *     rings are of one size: ring and mask change together. A record says the how manieth it is.
 *   - The counts of items and bytes, and `seen`, are left out; positions do not come round.
 *   - Whoever waits comes again when there is something for it, and when somebody has died there (eventcount.pml has that).
 *   - There are RINGS rings in the heap, and the first that is free is taken. One that was freed reads as 0 at once, as if
 *     somebody else had it. What is done under the arena's lock is one step, but for settling.
 *   - The block of a message is not used again: to write to one that is over is a violation.
 *   - Steps are sequentially consistent. What only its owner sees before a later step is not a step.
 *
 * MORTAL    who recovers may be killed, too.
 * SENDS_ON  who has got a message may put it into another channel.
 * SLEEPER   one more looks whether there is something, and sleeps; the getter stops at any time. What is proved is that it does
 *           not sleep for good while there is something. Without deaths, and without MESSAGES.
 * LIMITED   one item at a time (max_bytes); who puts sleeps until that was got. What is proved is that it does not for good.
 * BUG_...   what was, or would be, wrong: each has to fail.
 *
 * What the code did once, until this model found it:
 *   - BUG_RESET_FIRST: who repairs a put that is not committed said first that nothing is announced, and then gave up the ring
 *     that was to follow. When it dies in between the next one takes the put for committed, and goes on in a ring that nobody
 *     comes to. So here that is the last thing it does.
 *   - BUG_ANY_OWNER: who repairs a put that is committed makes the message nobody's if whoever owns it is putting it. That may be
 *     the one who has got it, and puts it elsewhere by now: should it die in that, nobody frees the message. So here only that of
 *     one who was putting it when the repair began becomes nobody's.
 *   - BUG_LOOKS_OUTSIDE: who is about to sleep looks without the lock: the ring of one moment, at the position of the next. There
 *     is nothing, but in the ring that follows there is. So here it looks under the lock.
 *   - BUG_NO_LOOK: who has no room for its bytes believes the other side, where somebody has died who had not counted yet what it
 *     has got. So here it takes the lock of that side first, and repairs it.
 */
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef MESSAGES
#define MESSAGES 0
#endif
#ifndef RINGS
#define RINGS 3 /* or 2 */
#endif
#define SLOTS 2 /* granules in a ring */

/* Lives: 1 to 3 put, one after the other, 4 to 6 get. */
#define PUTTER  1
#define GETTER  4
#define SLEEPS  7
#define LIVES   8
#define PUTTING 8 /* an owner that is putting it has this, too */

/* What stands in a ring. */
#define NONE 0
#define RING 255
#define RECORD(number, message) ((message) * 16 + (number))
#define NUMBER(word)            ((word) % 16)
#define MESSAGE(word)           ((word) / 16)

/* Whose a ring is. */
#define NOBODYS  0
#define CHANNELS 99

#define NO_RING 9

byte ref[RINGS], following[RINGS], base[RINGS];
byte words[RINGS * SLOTS];
#define WORD(ring, at) words[(ring) * SLOTS + (at) % SLOTS]

typedef side {
    byte owner; /* the word */
    bit died;
    byte at, next_at, ring, spare, moving
};
side put, get;

/* Messages. Of the handle of each there are three, one after the other. */
byte owner[MESSAGES + 1];
byte handle[MESSAGES + 1]; /* 0: it is free */
#define CREATED 1
#define SENT    2
#define AGAIN   3

bit over[LIVES], recovered[LIVES];
byte putter_now = PUTTER, getter_now = GETTER;
bit guard; /* who recovers has the arena's lock */

/* A bell, as the one that sleeps by it sees it. */
bit same_turn, asleep;
#define RING_BELL same_turn = 0; asleep = 0

/* LIMITED: bytes that were got; each item is one. */
byte bytes;

/* For the proof. */
byte deaths, committed, got, messages;
bit inside[MESSAGES + 1]; /* the channel */

/* ---- the heap --------------------------------------------------------------------------------------------------- */

inline touch(which)
{
    assert(which != NO_RING && ref[which] == CHANNELS)
}

inline make_own(which)
{
    assert(ref[which] == CHANNELS);
#ifndef BUG_NOT_OWN
    ref[which] = me
#endif
}

inline clear(which)
{
    ref[which] = NOBODYS;
    following[which] = NO_RING;
    base[which] = 0;
    WORD(which, 0) = NONE;
    WORD(which, 1) = NONE
}

inline free_own(which)
{
#ifdef BUG_NOT_OWN
    assert(ref[which] == CHANNELS);
#else
    assert(ref[which] == me);
#endif
    assert(which != get.ring);
    clear(which)
}

#if RINGS > 2
#define ANY_FREE   (ref[0] == NOBODYS || ref[1] == NOBODYS || ref[2] == NOBODYS)
#define FIRST_FREE (ref[0] == NOBODYS -> 0 : (ref[1] == NOBODYS -> 1 : 2))
#else
#define ANY_FREE   (ref[0] == NOBODYS || ref[1] == NOBODYS)
#define FIRST_FREE (ref[0] == NOBODYS -> 0 : 1)
#endif

/* ---- putting ---------------------------------------------------------------------------------------------------- */

#define USED     (put.at - (get.at > base[put.ring] -> get.at : base[put.ring]))
#define HAS_ROOM (USED + 1 < SLOTS)

#ifdef LIMITED
#define BYTES_HAVE_ROOM (committed == bytes)
#else
#define BYTES_HAVE_ROOM 1
#endif

#ifdef BUG_ANY_OWNER
#define IS_PUTTING(owner) owner
#else
#define IS_PUTTING(owner) (owner & PUTTING)
#endif

inline adopt_ring()
{
#ifdef BUG_ADOPT_LATE
    put.ring = put.spare;
    put.at = put.next_at;
#else
    put.at = put.next_at;
    put.ring = put.spare;
#endif
    put.spare = NO_RING
}

/* is_committed, repair_put */
inline repair_put()
{
    atomic {
        if
        :: put.at == put.next_at -> done = 1
        :: else -> done = WORD(put.ring, put.at) != NONE
        fi
    }
#ifndef BUG_NOT_GOT
    done = done || get.at > put.at;
#endif
    if
    :: atomic { !put.moving -> skip }
    :: atomic { put.moving && done -> who = owner[put.moving] }
        atomic {
            if
            :: handle[put.moving] == SENT && IS_PUTTING(who)
            :: else -> who = 0; goto moved
            fi
        }
        atomic { owner[put.moving] = (owner[put.moving] == (who | PUTTING) -> 0 : owner[put.moving]); who = 0 }
moved:
        put.moving = 0
    :: atomic { put.moving && !done && !guard ->
        if
        :: handle[put.moving] == SENT ->
            assert(!inside[put.moving]);
            handle[put.moving] = 0;
            owner[put.moving] = 0
        :: else
        fi }
        put.moving = 0
    fi;
#ifdef BUG_RESET_FIRST
    put.next_at = (done -> put.next_at : put.at);
#endif
    if
    :: atomic { done && put.spare == NO_RING -> put.at = put.next_at }
    :: atomic { !done && put.spare == NO_RING -> skip }
    :: atomic { done && put.spare != NO_RING -> skip }
        adopt_ring()
    :: atomic { !done && put.spare != NO_RING && !guard ->
        m = NO_RING;
        if
        :: ref[put.spare] == CHANNELS -> m = put.spare; make_own(m)
        :: else /* its putter's yet, who is dead */
        fi }
        put.spare = NO_RING;
        atomic { !guard ->
            if
            :: m != NO_RING -> free_own(m)
            :: else
            fi;
            m = 0 }
    fi;
    atomic { put.next_at = (done -> put.next_at : put.at); done = 0 }
}

/* mp__channel_put, by one after the other */
proctype putter()
{
    byte me = PUTTER, m, who;
    bit done;
anew:
    {
        skip;
end_rest:
        atomic {
            put.owner == 0 && (put.died || committed < ITEMS);
            put.owner = me;
            if
            :: put.died -> put.died = 0
            :: else -> goto work
            fi
        }
        repair_put();
work:
        if
        :: atomic { committed == ITEMS -> goto leave }
        :: atomic { committed < ITEMS && BYTES_HAVE_ROOM && HAS_ROOM -> touch(put.ring) }
        :: atomic { committed < ITEMS && BYTES_HAVE_ROOM && !HAS_ROOM && !ANY_FREE -> goto no_room }
#ifdef LIMITED
        :: atomic { committed < ITEMS && !BYTES_HAVE_ROOM -> same_turn = 1 }
#ifndef BUG_NO_LOOK
            atomic { get.owner == 0 ->
                get.died = 0; /* mp__side_repair: all that there can be */
                bytes = got;
                get.next_at = get.at }
#endif
            if
            :: atomic { BYTES_HAVE_ROOM -> same_turn = 0; goto leave }
            :: atomic { !BYTES_HAVE_ROOM -> put.owner = 0 }
                atomic { asleep = same_turn; same_turn = 0 }
end_asleep:
                atomic { !asleep -> goto end_rest }
            fi
#endif
        /* mp__ring_grow */
        :: atomic { committed < ITEMS && BYTES_HAVE_ROOM && !HAS_ROOM && ANY_FREE && !guard ->
            m = FIRST_FREE;
            ref[m] = me }
            put.next_at = put.at + 1;
            put.spare = m;
            base[m] = put.at + 1;
#ifndef BUG_OWNED_LATE
            atomic { !guard -> assert(ref[m] == me); ref[m] = CHANNELS }
#endif
            atomic { touch(put.ring); following[put.ring] = m }
            atomic { touch(put.ring); WORD(put.ring, put.at) = RING }
#ifdef BUG_OWNED_LATE
            atomic { !guard -> assert(ref[m] == me); ref[m] = CHANNELS }
#endif
            m = 0;
            adopt_ring();
            atomic { assert(HAS_ROOM); touch(put.ring) }
        fi;
        if
        :: put.next_at = put.at + 1
        :: atomic { messages < MESSAGES -> messages++; m = messages; handle[m] = CREATED; owner[m] = me }
            /* mp__message_send, put_message */
            handle[m] = SENT;
            owner[m] = me | PUTTING;
#ifdef BUG_MOVING_FIRST
            put.moving = m;
            put.next_at = put.at + 1;
#else
            put.next_at = put.at + 1;
            put.moving = m
#endif
        fi;
#ifndef BUG_OPEN_END
        atomic { touch(put.ring); WORD(put.ring, put.at + 1) = NONE }
#endif
        /* commit_put */
        atomic {
            touch(put.ring);
            committed++;
            WORD(put.ring, put.at) = RECORD(committed, m);
            inside[m] = m != 0
        }
        put.at = put.next_at;
        if
        :: atomic { m == 0 -> goto leave }
        :: atomic { m != 0 ->
#ifdef BUG_MOVED_EARLY
            put.moving = 0;
#endif
            skip }
        fi;
        atomic {
            if
            :: handle[m] == SENT && owner[m] == (me | PUTTING) -> owner[m] = 0
            :: else
            fi
        }
        atomic { put.moving = 0; m = 0 }
leave:
#ifdef SLEEPER
        put.owner = 0;
        atomic { RING_BELL; goto end_rest }
#else
        atomic { put.owner = 0; goto end_rest }
#endif
no_room:
        put.owner = 0;
end_no_room:
        atomic { HAS_ROOM || ANY_FREE || put.died -> goto end_rest }
    } unless {
        over[me]
    }
    atomic { m = 0; who = 0; done = 0; me++; putter_now = me; goto anew }
}

/* ---- getting ---------------------------------------------------------------------------------------------------- */

/* ring_free, of get.spare */
inline drop_ring()
{
    atomic { !guard -> make_own(get.spare); m = get.spare }
    get.spare = NO_RING;
    atomic { !guard -> free_own(m); m = 0 }
}

inline leave_ring()
{
    atomic { touch(get.spare); get.ring = following[get.spare] }
#ifdef BUG_FREED_FIRST
    drop_ring();
    get.at = get.next_at
#else
    get.at = get.next_at;
    drop_ring()
#endif
}

#ifdef BUG_ANY_SPARE
#define IS_OURS 1
#else
#define IS_OURS (ref[get.spare] == CHANNELS)
#endif
#ifdef BUG_REUSED
#define IS_LEFT 1
#else
#define IS_LEFT (following[get.spare] == get.ring)
#endif

inline repair_get()
{
    done = get.at == get.next_at;
    if
    :: atomic { !get.moving -> skip }
    :: atomic { get.moving && done -> get.moving = 0 }
    :: atomic { get.moving && !done -> who = owner[get.moving] }
#ifndef BUG_NOT_RETURNED
        atomic {
            if
            :: handle[get.moving] == SENT && owner[get.moving] == who -> owner[get.moving] = 0
            :: else
            fi;
            who = 0
        }
#endif
        atomic { get.moving = 0; who = 0 }
    fi;
    if
    :: atomic { get.spare == NO_RING ->
#ifdef LIMITED
        bytes = (done -> got : bytes);
#endif
        get.next_at = get.at }
    :: atomic { !guard && get.spare != NO_RING && !(IS_OURS && (!done || IS_LEFT)) -> get.spare = NO_RING }
    :: atomic { !guard && get.spare != NO_RING && IS_OURS && done && IS_LEFT -> skip }
        drop_ring()
    :: atomic { !guard && get.spare != NO_RING && IS_OURS && !done -> skip }
        leave_ring()
    fi;
    done = 0
}

/* mp__channel_get, by one after the other */
proctype getter()
{
    byte me = GETTER, m, who;
    bit done;
anew:
    {
        skip;
end_rest:
        if
        :: atomic { get.owner == 0 && (get.died || WORD(get.ring, get.at) != NONE) ->
            get.owner = me;
            if
            :: get.died -> get.died = 0
            :: else -> goto work
            fi }
#ifdef SLEEPER
        :: atomic { true -> goto end_stopped }
#endif
        fi;
        repair_get();
work:
        if
        :: atomic { WORD(get.ring, get.at) == NONE -> touch(get.ring); get.owner = 0; goto end_rest }
        /* mp__ring_follow */
        :: atomic { WORD(get.ring, get.at) == RING -> touch(get.ring); get.next_at = get.at + 1 }
            get.spare = get.ring;
            leave_ring();
            goto work
        :: atomic { WORD(get.ring, get.at) != NONE && WORD(get.ring, get.at) != RING ->
            touch(get.ring);
            m = MESSAGE(WORD(get.ring, get.at));
            get.next_at = get.at + 1 }
        fi;
        if
        :: atomic { m == 0 -> skip }
        :: atomic { m != 0 -> get.moving = m }
#ifndef BUG_GOT_FIRST
            atomic { assert(handle[m] == SENT); owner[m] = me }
#endif
        fi;
        /* commit_get */
        atomic {
            touch(get.ring);
            got++;
            assert(NUMBER(WORD(get.ring, get.at)) == got);
            inside[m] = 0;
            get.at = get.next_at
        }
#ifdef BUG_GOT_FIRST
        atomic {
            if
            :: m -> assert(handle[m] == SENT); owner[m] = me
            :: else
            fi
        }
#endif
#ifdef LIMITED
        bytes = got;
#endif
        get.moving = 0;
        get.owner = 0;
#ifdef LIMITED
        atomic { RING_BELL }
#endif
        if
        :: atomic { m == 0 -> goto end_rest }
        /* What becomes of the message: it is kept, or freed, or put into another channel. */
        :: atomic { m != 0 -> m = 0; goto end_rest }
        :: atomic { m != 0 && !guard ->
            assert(handle[m] == SENT && owner[m] == me);
            handle[m] = 0;
            owner[m] = 0;
            m = 0;
            goto end_rest }
#ifdef SENDS_ON
        :: atomic { m != 0 -> assert(handle[m] == SENT && owner[m] == me); handle[m] = AGAIN }
            owner[m] = me | PUTTING;
            atomic { handle[m] = 0; owner[m] = 0; m = 0; goto end_rest }
#endif
        fi
    } unless {
        over[me]
    }
    atomic { m = 0; who = 0; done = 0; me++; getter_now = me; goto anew }
#ifdef SLEEPER
end_stopped:
    skip
#endif
}

#ifdef SLEEPER
/* sleep_for_item */
proctype sleeper()
{
    byte ring, at;
#ifdef BUG_LOOKS_OUTSIDE
    same_turn = 1;
    ring = get.ring;
    at = get.at;
    if
    :: atomic { WORD(ring, at) != NONE -> goto end_stopped }
    :: atomic { WORD(ring, at) == NONE -> skip }
    fi;
#else
    atomic { get.owner == 0 -> get.owner = SLEEPS; same_turn = 1 }
    atomic {
        get.owner = 0;
        if
        :: WORD(get.ring, get.at) != NONE -> goto end_stopped
        :: else
        fi
    }
#endif
    /* The kernel compares the word, and lets it sleep, in one. */
    asleep = same_turn;
end_stopped:
    skip
}
#endif

/* ---- deaths ----------------------------------------------------------------------------------------------------- */

#ifdef MORTAL
#define OR_DIE :: atomic { deaths < MOST_DEATHS -> deaths++; goto anew }
#else
#define OR_DIE
#endif
#define DEAD(x) (over[x] && !recovered[x])

proctype recoverer()
{
    byte x, m, at, ring;
    bit done;
anew:
    atomic { guard = 0; x = 0; m = 0; at = 0; ring = 0; done = 0 }
end_asleep:
    atomic {
        if
        :: DEAD(1) -> x = 1
        :: DEAD(2) -> x = 2
        :: DEAD(4) -> x = 4
        :: DEAD(5) -> x = 5
        fi
    }
    /* mp__recover */
    if
    :: atomic { true ->
        put.died = put.died || put.owner == x;
        put.owner = (put.owner == x -> 0 : put.owner);
        get.died = get.died || get.owner == x;
        get.owner = (get.owner == x -> 0 : get.owner);
        RING_BELL }
    OR_DIE
    fi;
    /* mp__recover_process: mp__side_settle, of both sides */
    if
    :: atomic { true -> guard = 1; m = put.moving; at = put.at }
    OR_DIE
    fi;
#ifndef BUG_UNSETTLED
    if
    :: atomic { m == 0 -> skip }
    :: atomic { m != 0 -> done = put.next_at == at; ring = put.ring }
        done = done || WORD(ring, at) != NONE;
        done = done || get.at > at;
        done = done && put.moving == m;
        atomic {
            if
            :: done && handle[m] == SENT && owner[m] == (x | PUTTING) -> owner[m] = 0
            :: else
            fi
        }
    fi;
    atomic { m = get.moving; at = get.at; done = 0; ring = 0 }
    if
    :: atomic { m == 0 -> skip }
    :: atomic { m != 0 -> done = get.next_at != at }
        done = done && get.moving == m;
        atomic {
            if
            :: done && handle[m] == SENT && owner[m] == x -> owner[m] = 0
            :: else
            fi
        }
    fi;
#endif
    /* mp__message_sweep */
    if
    :: atomic { true ->
        m = 1;
        do
        :: m <= MESSAGES ->
            if
            :: handle[m] && (owner[m] == x || owner[m] == (x | PUTTING)) ->
                assert(!inside[m]);
                handle[m] = 0;
                owner[m] = 0
            :: else
            fi;
            m++
        :: else -> break
        od;
        m = 0;
        at = 0;
        done = 0;
        guard = 0 }
    OR_DIE
    fi;
    /* mp__heap_sweep */
    if
    :: atomic { true ->
        m = 0;
        do
        :: m < RINGS ->
            if
            :: ref[m] == x -> clear(m)
            :: else
            fi;
            m++
        :: else -> break
        od;
        m = 0;
        recovered[x] = 1;
        x = 0;
        goto end_asleep }
    OR_DIE
    fi
}

proctype killer()
{
end_killer:
    do
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    :: atomic { deaths < MOST_DEATHS && !over[putter_now] -> over[putter_now] = 1; deaths++ }
    :: atomic { deaths < MOST_DEATHS && !over[getter_now] -> over[getter_now] = 1; deaths++ }
    od
}

#define LIVES_ON(m) (handle[m] == 0 || inside[m] || owner[m] == putter_now || owner[m] == getter_now)
#define LEFT(r)     (ref[r] != NOBODYS && r != put.ring)

proctype judge()
{
end_waits:
    timeout;
#ifdef SLEEPER
    assert(!asleep || committed == got)
#else
    assert(put.owner == 0 && get.owner == 0 && !put.died && !get.died);
    assert(committed == ITEMS && got == ITEMS);
    assert(put.at == get.at && put.ring == get.ring && ref[put.ring] == CHANNELS);
    assert(put.at == put.next_at && get.at == get.next_at && put.spare == NO_RING && get.spare == NO_RING);
    assert(!put.moving && !get.moving);
    assert(!LEFT(0) && !LEFT(1) && !LEFT(RINGS - 1));
    assert(LIVES_ON(0) && LIVES_ON(MESSAGES))
#endif
}

init {
    atomic {
        ref[0] = CHANNELS;
        following[0] = NO_RING;
        following[1] = NO_RING;
        following[RINGS - 1] = NO_RING;
        put.spare = NO_RING;
        get.spare = NO_RING;
        run judge();
        run killer();
        run recoverer();
#ifdef SLEEPER
        run sleeper();
#endif
        run getter();
        run putter()
    }
}
