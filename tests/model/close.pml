/* SPDX-License-Identifier: MIT
 *
 * close.pml - the end of a channel: destroying a queue, closing both ends of a pipe (primitives/queue.c, pipe.c, base/channel.c),
 * while others are inside, and deaths (base/recover.c), for spin.
 *
 * There are three rings, a message in the second, and one that has not been put yet. One destroys the queue, or two close the ends
 * of the pipe; a putter puts its message, a getter gets what there is. Each may be killed between any two of its steps,
 * MOST_DEATHS of them at most. What is proved:
 *   - no ring is touched that is free, none is freed twice; no message is written to that is over, and none that a getter has
 *     found goes before it has got it; nobody writes to a side that is over but by what fails there;
 *   - when nothing can happen any more, and the queue is destroyed, or both ends are closed: both sides are over, all rings are
 *     free, and each message is free or that of one who lives;
 *   - when it could not be destroyed, since who was about to is dead: both sides are as they were, or will be repaired;
 *   - who waits there, or for a queue to be done, is woken.
 *
 * How it is made simpler than the code:
 *   - As in channel.pml: the lock of a side, records, rings. Nobody takes another ring: what deaths leave then channel.pml has.
 *   - A pipe has one channel.
 *   - Who waits sleeps from the start, and one ring wakes it: eventcount.pml has the rest. To ring where a side was is nothing: no
 *     turn is taken in a word where the flag is not set, as it is in nothing else that may be there by then.
 *   - Which end a side belongs to, and which sides an end has, does not change.
 *   - Of the arena's lock: each step under it is one, but those of who recovers, and of who retires the object.
 *   - A side's block is not used again: to write to one that is over, by what would not fail, is a violation.
 *   - When something could not be swept because somebody was inside, another process dies later, somewhere.
 *
 * PIPE      two ends, and two who close them; else it is a queue.
 * PUTS      there is a putter.       GETS      there is a getter.
 * LATE      there is another putter, of a queue, who only takes the lock of a dead one, and lives; and one ring, which is empty.
 * MORTAL    who recovers may be killed, too.
 * NO_LATER  nobody dies later.
 * BUG_...   what was, or would be, wrong: each has to fail.
 *
 * What the code did once, until this model found it:
 *   - BUG_BETWEEN: a getter dies when its side is in the next ring, but at the position before: what is swept from there on is
 *     not what lies there. So here nobody begins before the base of a ring.
 *   - BUG_UNREPAIRED: the same, and who frees the rings goes on from there itself. So here it repairs both sides first.
 *   - BUG_GIVEN_FIRST: who sweeps gives away the first ring, and dies: the next one does not find those behind. So here a side
 *     leaves a ring before that is given away.
 *   - BUG_UNSETTLED: whose the message of a dead putter is was not settled where the queue was being destroyed: so it was freed,
 *     while a getter that was in before had found it.
 *   - BUG_PREPARE: who is about to sleep says so in the other side, without a lock: that may be something else by now. So here it
 *     does so with the lock of its own side, which whoever frees them needs.
 *   - BUG_ANY_TURN: who rings has seen that somebody sleeps, and then takes a turn: that may be in something else by now. So
 *     here it takes one only if the flag is set, by compare-and-swap.
 *   - BUG_CLAIMED: who has claimed both sides dies before it has retired the queue, which lives on; who took the lock of a dead
 *     putter in between has not repaired what that had left. So here it does as long as the object is not over.
 *   - BUG_UNINTENDED: who retires a queue dies before it wakes those who wait for it to be done. So here that is written down.
 */
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#define RINGS    3
#define MESSAGES 2
#define SLOTS    2 /* granules in a ring */

/* Lives. */
#define PUTTER  1
#define GETTER  2
#define CLOSER  3 /* of the putter's end, or of the queue; 4: of the getter's end, or a late putter */
#define OTHER   5 /* has nothing to do with it, and dies at last */
#define LIVES   6
#define RECOVER 7
#define PUTTING 8 /* an owner that is putting it has this, too */

#define NONE     0
#define RING     255 /* other words are messages */
#define NOBODYS  0
#define CHANNELS 99
#define NO_RING  9

byte ref[RINGS], following[RINGS], base[RINGS], words[RINGS * SLOTS];
#define WORD(ring, at) words[(ring) * SLOTS + (at) % SLOTS]

typedef side {
    bit alive;
    byte owner; /* the word */
    bit died;
    byte maker, at, next_at, ring, spare, moving
};
side put, get;

bit is[MESSAGES + 1]; /* not over */
byte owner[MESSAGES + 1];

bit closed[3]; /* the end of 1: the putter, 2: the getter; a queue has both at once */
#define ALL_CLOSED (closed[1] && closed[2])

bit over[LIVES], recovered[LIVES];
byte guard; /* the arena's lock */
#define ARENA (guard == 0 || (guard < LIVES && over[guard]))

bit asleep = 1; /* one that waits for an item, or for room */
bit joins = 1;  /* one that waits until all items are done */
bit intends;    /* the closer, to wake that */

/* For the proof. */
byte deaths;
bit stopped[LIVES];

/* ---- rings ------------------------------------------------------------------------------------------------------ */

inline touch(which)
{
    assert(which != NO_RING && ref[which] == CHANNELS)
}

inline make_own(which)
{
    assert(ref[which] == CHANNELS);
    ref[which] = me
}

inline clear(which)
{
    ref[which] = NOBODYS;
    following[which] = NO_RING;
    base[which] = 0;
    WORD(which, 0) = NONE;
    WORD(which, 1) = NONE
}

/* ring_free, of get.spare */
inline drop_ring()
{
    atomic { ARENA -> make_own(get.spare); r = get.spare }
    get.spare = NO_RING;
    atomic { ARENA -> assert(ref[r] == me); clear(r); r = 0 }
}

inline leave_ring()
{
    atomic { touch(get.spare); get.ring = following[get.spare] }
    get.at = get.next_at;
    drop_ring()
}

/* ---- repairs ---------------------------------------------------------------------------------------------------- */

/* is_going */
#ifdef BUG_CLAIMED
#define IS_GOING(side, end) side.maker
#else
#define IS_GOING(side, end) (side.maker && closed[end])
#endif

inline repair_put()
{
    atomic {
        if
        :: put.at == put.next_at -> done = 1
        :: else -> done = WORD(put.ring, put.at) != NONE
        fi
    }
    done = done || get.at > put.at;
    if
    :: atomic { !put.moving -> skip }
    :: atomic { put.moving && done -> owner[put.moving] = (owner[put.moving] & PUTTING -> 0 : owner[put.moving]) }
        put.moving = 0
    :: atomic { put.moving && !done && ARENA -> is[put.moving] = 0; owner[put.moving] = 0 }
        put.moving = 0
    fi;
    atomic {
        put.at = (done -> put.next_at : put.at);
        put.next_at = put.at;
        done = 0
    }
}

#define IS_OURS (ref[get.spare] == CHANNELS)
#define IS_LEFT (following[get.spare] == get.ring)

inline repair_get()
{
    done = get.at == get.next_at;
    if
    :: atomic { !get.moving -> skip }
    :: atomic { get.moving -> owner[get.moving] = (done -> owner[get.moving] : 0) }
        get.moving = 0
    fi;
    if
    :: atomic { get.spare == NO_RING -> get.next_at = get.at }
    :: atomic { get.spare != NO_RING && ARENA && !(IS_OURS && (!done || IS_LEFT)) -> get.spare = NO_RING }
    :: atomic { get.spare != NO_RING && ARENA && IS_OURS && done && IS_LEFT -> skip }
        drop_ring()
    :: atomic { get.spare != NO_RING && ARENA && IS_OURS && !done -> skip }
        leave_ring()
    fi;
    done = 0
}

/* ---- putting, getting ------------------------------------------------------------------------------------------- */

#ifdef BUG_BLIND
#define MAY_PUT (me == PUTTER)
#define MAY_GET 1
#else
#define MAY_PUT (me == PUTTER && !closed[1] && !closed[2] && !put.maker)
#define MAY_GET (!closed[2] && !get.maker)
#endif

/* mp__channel_put: once, or it waits for room */
proctype putter(byte me)
{
    bit done;
    {
        if
        :: atomic { put.alive && put.owner == 0 && (me == PUTTER || put.died) ->
            put.owner = me;
            if
            :: put.died -> put.died = 0
            :: else -> goto work
            fi }
        :: atomic { true -> goto end_stopped }
        fi;
        if
        :: atomic { IS_GOING(put, 1) -> skip }
        :: atomic { !IS_GOING(put, 1) -> skip }
            repair_put()
        fi;
work:
        if
        :: atomic { !MAY_PUT -> goto leave }
        :: atomic { MAY_PUT -> touch(put.ring); owner[2] = me | PUTTING }
        :: atomic { MAY_PUT -> touch(put.ring) }
            atomic { assert(get.alive); goto leave } /* mp__eventcount_prepare */
        fi;
        put.next_at = put.at + 1;
        put.moving = 2;
        atomic { touch(put.ring); WORD(put.ring, put.at + 1) = NONE }
        atomic { touch(put.ring); WORD(put.ring, put.at) = 2 }
        put.at = put.next_at;
        atomic { owner[2] = (owner[2] == (me | PUTTING) -> 0 : owner[2]) }
        put.moving = 0;
leave:
        atomic { assert(put.owner == me); put.owner = 0 }
    } unless {
        over[me]
    }
end_stopped:
    atomic { done = 0; stopped[me] = 1 }
}

/* mp__channel_get: until there is nothing, or less */
proctype getter()
{
    byte me = GETTER, m, r;
    bit done;
    {
        skip;
rest:
        if
        :: atomic { get.alive && get.owner == 0 ->
            get.owner = me;
            if
            :: get.died -> get.died = 0
            :: else -> goto work
            fi }
        :: atomic { true -> goto end_stopped }
        fi;
        if
        :: atomic { IS_GOING(get, 2) -> skip }
        :: atomic { !IS_GOING(get, 2) -> skip }
            repair_get()
        fi;
work:
        if
        :: atomic { !MAY_GET -> get.owner = 0 }
#ifdef BUG_ANY_TURN
            if
            :: atomic { put.alive -> skip }
                assert(put.alive) /* mp__eventcount_ring */
            :: atomic { !put.alive -> skip }
            fi;
#endif
            goto end_stopped
        :: atomic { MAY_GET -> touch(get.ring) }
        fi;
again:
        if
        :: atomic { WORD(get.ring, get.at) == NONE -> touch(get.ring);
#ifndef BUG_PREPARE
            assert(put.alive); /* mp__eventcount_prepare */
#endif
            skip }
            atomic { assert(get.owner == me); get.owner = 0 }
#ifdef BUG_PREPARE
            assert(put.alive);
#endif
            goto end_stopped
        :: atomic { WORD(get.ring, get.at) == RING -> touch(get.ring); get.next_at = get.at + 1 }
            get.spare = get.ring;
            leave_ring();
            goto again
        :: atomic { WORD(get.ring, get.at) != NONE && WORD(get.ring, get.at) != RING ->
            touch(get.ring);
            m = WORD(get.ring, get.at);
            get.next_at = get.at + 1 }
        fi;
        get.moving = m;
        atomic { assert(is[m]); owner[m] = me }
        atomic { touch(get.ring); get.at = get.next_at }
        atomic { get.moving = 0; m = 0 }
        atomic { assert(get.owner == me); get.owner = 0; goto rest }
    } unless {
        over[me]
    }
end_stopped:
    atomic { done = 0; m = 0; r = 0; stopped[me] = 1 }
}

/* ---- closing ---------------------------------------------------------------------------------------------------- */

#define FREE_SPARE(side) (side.spare != NO_RING && side.spare != get.ring && ref[side.spare] == CHANNELS)

#ifdef BUG_UNLOCKED
#define GET_IS_FREE get.alive
#else
#define GET_IS_FREE (get.alive && get.owner == 0)
#endif
#ifdef BUG_UNCLAIMED
#define CLAIM(side) skip
#else
#define CLAIM(side) side.maker = me
#endif

proctype closer(byte me)
{
    byte r, m;
    bit done, last;
    {
#ifdef PIPE
        /* mp_connection_close */
        atomic { ARENA -> guard = me }
        if
        :: atomic { !closed[5 - me] -> skip }
        :: atomic { closed[5 - me] -> last = 1; CLAIM(put) }
            CLAIM(get)
        fi;
        closed[me - 2] = 1;
        guard = 0;
#else
        /* mp_queue_destroy */
#ifndef BUG_UNINTENDED
        intends = 1;
#endif
        atomic { ARENA -> guard = me; last = 1 }
        CLAIM(put);
        CLAIM(get);
        atomic { closed[1] = 1; closed[2] = 1 }
        guard = 0;
        joins = 0;
        intends = 0;
#endif
        /* mp__channel_shut */
        if
        :: atomic { !put.alive -> skip }
        :: atomic { put.alive && put.owner == 0 -> put.owner = me; done = put.died; put.died = 0 }
            if
            :: atomic { !done || IS_GOING(put, 1) -> done = 0 }
            :: atomic { done && !IS_GOING(put, 1) -> skip }
                repair_put()
            fi;
            atomic { put.owner = 0 }
        fi;
        if
        :: atomic { put.alive -> asleep = 0 }
        :: atomic { !put.alive -> skip }
        fi;
        if
        :: atomic { last -> skip }
        :: atomic { !last -> goto end_stopped }
        fi;
        /* mp__channel_free */
        atomic { put.alive && put.owner == 0 -> put.owner = me; put.died = 0 }
        atomic { GET_IS_FREE -> get.owner = me; get.died = 0 }
#ifndef BUG_UNREPAIRED
        repair_put();
        repair_get();
#endif
again:
        if
        :: atomic { WORD(get.ring, get.at) == NONE -> touch(get.ring) }
        :: atomic { WORD(get.ring, get.at) == RING -> touch(get.ring); get.next_at = get.at + 1 }
            get.spare = get.ring;
            leave_ring();
            goto again
        :: atomic { WORD(get.ring, get.at) != NONE && WORD(get.ring, get.at) != RING ->
            touch(get.ring);
            m = WORD(get.ring, get.at);
            m = (is[m] -> m : 0) }
            atomic { assert(m == 0 || is[m]); owner[m] = (m -> me : 0) }
            atomic { ARENA -> is[m] = 0; owner[m] = 0; m = 0 }
            atomic { get.at = get.at + 1; goto again }
        fi;
        if
        :: atomic { FREE_SPARE(get) && ARENA -> skip }
            drop_ring()
        :: atomic { !FREE_SPARE(get) && ARENA -> skip }
        fi;
        atomic { ARENA -> r = get.ring; make_own(r) }
        atomic { ARENA -> assert(get.alive); get.alive = 0; get.owner = 0 }
        atomic { ARENA -> assert(put.alive); put.alive = 0; put.owner = 0 }
        atomic { ARENA -> assert(ref[r] == me); clear(r); r = 0 }
    } unless {
        over[me]
    }
end_stopped:
    atomic { r = 0; m = 0; done = 0; last = 0; stopped[me] = 1 }
}

/* ---- deaths ----------------------------------------------------------------------------------------------------- */

#ifdef MORTAL
#define OR_DIE :: atomic { deaths < MOST_DEATHS -> deaths++; goto anew }
#else
#define OR_DIE
#endif
#define DEAD(x)  (over[x] && !recovered[x])
#define ENDED(x) (x && (recovered[x] || x == dead))

#ifdef BUG_INSIDE
#define NOBODY_IS_IN 1
#else
#define NOBODY_IS_IN (put.owner == 0 && (!get.alive || get.owner == 0))
#endif
#define TO_BE_SWEPT  (put.alive && ENDED(put.maker) && NOBODY_IS_IN && ALL_CLOSED)
#define PUT_OFF      (put.alive && put.maker && recovered[put.maker] && put.owner == 0 && get.owner == 0)
#define PUT_OFF_HALF (!put.alive && get.alive && get.maker && recovered[get.maker])

#ifdef BUG_UNSETTLED
#define SETTLES(side) (side.alive && side.moving && !side.maker)
#else
#define SETTLES(side) (side.alive && side.moving)
#endif

inline give(which)
{
    if
    :: which != NO_RING && ref[which] == CHANNELS -> ref[which] = dead
    :: else
    fi
}

proctype recoverer()
{
    byte dead, m, at, ring;
    bit done;
anew:
    atomic { guard = (guard == RECOVER -> 0 : guard); dead = 0; m = 0; at = 0; ring = 0; done = 0 }
end_asleep:
    atomic {
        if
        :: DEAD(1) -> dead = 1
        :: DEAD(2) -> dead = 2
        :: DEAD(3) -> dead = 3
        :: DEAD(4) -> dead = 4
        :: DEAD(OTHER) -> dead = OTHER
#ifndef NO_LATER
        :: PUT_OFF || PUT_OFF_HALF -> over[OTHER] = 1; recovered[OTHER] = 0; dead = OTHER
#endif
        fi
    }
    /* mp__recover */
    if
    :: atomic { ARENA ->
        put.died = put.died || (put.alive && put.owner == dead);
        put.owner = (put.alive && put.owner == dead -> 0 : put.owner);
        get.died = get.died || (get.alive && get.owner == dead);
        get.owner = (get.alive && get.owner == dead -> 0 : get.owner);
#ifndef BUG_SILENT
        asleep = (put.alive -> 0 : asleep);
#endif
        joins = (dead == CLOSER && intends -> 0 : joins) }
    OR_DIE
    fi;
    /* mp__recover_process: finish_queue, finish_connection */
    if
    :: atomic { ARENA ->
        guard = RECOVER;
        put.maker = (put.maker == dead && !ALL_CLOSED -> 0 : put.maker);
        get.maker = (get.maker == dead && !ALL_CLOSED -> 0 : get.maker) }
    OR_DIE
    fi;
    /* mp__side_settle, of both sides */
    if
    :: atomic { !SETTLES(put) -> skip }
    :: atomic { SETTLES(put) -> m = put.moving; at = put.at }
        atomic { done = put.next_at == at; ring = put.ring }
        done = done || WORD(ring, at) != NONE;
        done = done || get.at > at;
        done = done && put.moving == m;
        atomic {
            owner[m] = (done && owner[m] == (dead | PUTTING) -> 0 : owner[m]);
            m = 0;
            at = 0;
            done = 0;
            ring = 0
        }
    fi;
    if
    :: atomic { !SETTLES(get) -> skip }
    :: atomic { SETTLES(get) -> m = get.moving; at = get.at }
        done = get.next_at != at;
        done = done && get.moving == m;
        atomic {
            owner[m] = (done && owner[m] == dead -> 0 : owner[m]);
            m = 0;
            at = 0;
            done = 0
        }
    fi;
    /* mp__side_sweep */
    if
    :: atomic { TO_BE_SWEPT -> skip }
    :: atomic { !TO_BE_SWEPT -> goto swept }
    OR_DIE
    fi;
    if
    :: atomic { !get.alive -> skip }
    :: atomic { get.alive ->
#ifndef BUG_GIVEN_FIRST
        if
        :: get.spare != get.ring -> give(get.spare)
        :: else
        fi;
#endif
        ring = get.ring;
        at = get.at }
        do
        :: atomic { ring == NO_RING -> break }
        :: atomic { ring != NO_RING && ref[ring] != CHANNELS -> ring = NO_RING }
        :: atomic { ring != NO_RING && ref[ring] == CHANNELS ->
#ifndef BUG_BETWEEN
            at = (at < base[ring] -> base[ring] : at);
#endif
            do
            :: WORD(ring, at) == NONE -> break
            :: WORD(ring, at) == RING -> at++; break
            :: else -> m = WORD(ring, at); is[m] = 0; owner[m] = 0; at++
            od;
            m = 0 }
            if
#ifdef BUG_GIVEN_FIRST
            :: atomic { true -> m = following[ring]; give(ring); ring = m; m = 0 }
            OR_DIE
            fi
#else
            :: get.spare = ring
            OR_DIE
            fi;
            if
            :: get.ring = following[ring]
            OR_DIE
            fi;
            if
            :: atomic { true -> give(ring); ring = get.ring }
            OR_DIE
            fi
#endif
        od
    fi;
    if
    :: atomic { true ->
        ring = 0;
        at = 0;
        give(put.spare);
        if
        :: get.alive -> give(get.spare)
        :: else
        fi }
    OR_DIE
    fi;
    if
    :: put.alive = 0
    OR_DIE
    fi;
swept:
    if
    :: get.alive = (!put.alive && ENDED(get.maker) -> 0 : get.alive)
    OR_DIE
    fi;
    /* mp__message_sweep */
    if
    :: atomic { true ->
        m = 1;
        do
        :: m <= MESSAGES ->
            if
            :: owner[m] == dead || owner[m] == (dead | PUTTING) -> is[m] = 0; owner[m] = 0
            :: else
            fi;
            m++
        :: else -> break
        od;
        m = 0;
        guard = 0 }
    OR_DIE
    fi;
    /* mp__heap_sweep */
    if
    :: atomic { ARENA ->
        do
        :: m < RINGS ->
            if
            :: ref[m] == dead -> clear(m)
            :: else
            fi;
            m++
        :: else -> break
        od;
        m = 0;
        recovered[dead] = 1;
        dead = 0;
        goto end_asleep }
    OR_DIE
    fi
}

#define MAY_DIE(x) deaths < MOST_DEATHS && !over[x] && !stopped[x]

proctype killer()
{
end_killer:
    do
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    :: atomic { MAY_DIE(1) -> over[1] = 1; deaths++ }
    :: atomic { MAY_DIE(2) -> over[2] = 1; deaths++ }
    :: atomic { MAY_DIE(3) -> over[3] = 1; deaths++ }
#ifdef PIPE
    :: atomic { MAY_DIE(4) -> over[4] = 1; deaths++ }
#endif
    od
}

#define GONE(m) (!is[m] || (owner[m] && owner[m] < LIVES && !over[owner[m]]))

proctype judge()
{
end_waits:
    timeout;
    assert(stopped[1] && stopped[2] && stopped[3] && stopped[4]);
    assert(!(closed[1] || closed[2]) || !asleep);
    if
    :: ALL_CLOSED ->
        assert(!put.alive && !get.alive);
        assert(ref[0] == NOBODYS && ref[1] == NOBODYS && ref[2] == NOBODYS);
        assert(GONE(1) && GONE(2));
#ifndef PIPE
        assert(!joins);
#endif
    :: else ->
        assert(put.alive && get.alive && !put.maker && !get.maker && !put.owner && !get.owner);
        assert(closed[1] || put.died || put.next_at == put.at);
        assert(closed[2] || get.died || (get.next_at == get.at && get.spare == NO_RING))
    fi
}

init {
    atomic {
        ref[2] = CHANNELS;
        following[2] = NO_RING;
        base[2] = 3;
#ifdef LATE
        get.ring = 2;
        get.at = 3;
        get.next_at = 3;
#else
        ref[0] = CHANNELS;
        ref[1] = CHANNELS;
        following[0] = 1;
        following[1] = 2;
        base[1] = 1;
        WORD(0, 0) = RING;
        WORD(1, 1) = 1;
        WORD(1, 2) = RING;
        is[1] = 1;
#endif
        put.ring = 2;
        put.at = 3;
        put.next_at = 3;
        put.spare = NO_RING;
        get.spare = NO_RING;
        put.alive = 1;
        get.alive = 1;
        is[2] = 1;
        owner[2] = PUTTER;
        stopped[1] = 1;
        stopped[2] = 1;
        stopped[4] = 1;
        run judge();
        run killer();
        run recoverer();
#ifdef PIPE
        stopped[4] = 0;
        run closer(4);
#elif defined LATE
        stopped[4] = 0;
        run putter(4);
#endif
        run closer(CLOSER);
#ifdef GETS
        stopped[2] = 0;
        run getter();
#endif
#ifdef PUTS
        stopped[1] = 0;
        run putter(PUTTER)
#else
        skip
#endif
    }
}
