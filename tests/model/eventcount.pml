/* SPDX-License-Identifier: MIT
 *
 * eventcount.pml - the eventcount (base/eventcount.h), as gets and puts of a channel sleep by it, and deaths, for spin.
 *
 * Members get items, over and over, or stop for good; where there is none they sleep. Putters put items, so many (PUTS) between
 * them, and ring for one member each. Each may be killed between any two of its steps, MOST_DEATHS of them at most. What is
 * proved: nobody sleeps for good while there is an item, by wakes alone, there are no slices: when nothing can happen any more,
 * nobody sleeps, or there is no item (else judge is stuck: an invalid end state).
 *
 * How it is made simpler than the code:
 *   - To put, or to get, is one step: channel.pml has those. An item may go with the one that has got it.
 *   - The turn does not come round (2^31 are more than anybody takes while one wakes).
 *   - A thread is a process. Steps are sequentially consistent: a fence of T1 that is missing is a flag that is set late
 *     (BUG_LATE). A load and the compare-and-swap after it are one step where a failure only repeats.
 *   - The kernel wakes any of those who sleep, not the first, and says rightly whether it woke one.
 *   - Who recovers is the janitor, or another one after it (lock.pml has that, and the arena's lock): when it dies the next
 *     begins anew. It is never missing for good.
 *
 * HASTY        member 1 may run out of time: it looks once more then, and stops.
 * UNFIT        member 2, once woken, may find that it can not take what there is, or only wanted to know: it rings for another.
 * MANY         two items are put at once, and all are rung for, as for room.
 * MORTAL       who recovers may be killed, too.      NO_JANITOR  nobody recovers.
 * BUG_...      what was, or would be, wrong: each has to fail.
 *
 * What the code did once, until this model found it:
 *   - BUG_UNINTENDED: who recovers does nothing where the flag is not set. But the dead one may have just taken it away, and not
 *     have woken those who had come to sleep by then: nothing tells of them any more. So here it writes that down before.
 */
#ifndef MEMBERS
#define MEMBERS 2 /* or 3 */
#endif
#ifndef PUTTERS
#define PUTTERS 2 /* or 1 */
#endif
#ifndef PUTS
#define PUTS 2
#endif
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#ifdef MANY
#define EACH 2
#else
#define EACH 1
#endif
#define ALL (MEMBERS + PUTTERS)

/* The word. */
bit waiters;
bit same[ALL + 1]; /* the turn is the one that this one saw */

byte items;
bit over[ALL + 1], recovered[ALL + 1]; /* lives, records */
bit intends[ALL + 1];                  /* mp__thread_intend */
bit asleep[MEMBERS + 1];               /* the kernel's */
byte puts, deaths;

#if MEMBERS > 2
#define ASLEEP (asleep[1] || asleep[2] || asleep[3])
#else
#define ASLEEP (asleep[1] || asleep[2])
#endif

inline next_turn()
{
    same[1] = 0;
    same[2] = 0;
    same[3] = 0;
#if ALL > 3
    same[4] = 0;
#endif
#if ALL > 4
    same[5] = 0;
#endif
}

inline wake_one()
{
    if
    :: asleep[1] -> asleep[1] = 0; woken = 1
    :: asleep[2] -> asleep[2] = 0; woken = 1
#if MEMBERS > 2
    :: asleep[3] -> asleep[3] = 0; woken = 1
#endif
    :: !ASLEEP -> woken = 0
    fi
}

inline wake_all()
{
    asleep[1] = 0;
    asleep[2] = 0;
#if MEMBERS > 2
    asleep[3] = 0;
#endif
}

/* ring_bell, mp__eventcount_ring; then to rung. */
inline ring()
{
    atomic {
        if
        :: waiters
        :: else -> goto rung
        fi
    }
    atomic {
        if
        :: waiters ->
#ifndef BUG_NO_TURN
            next_turn();
#endif
            same[me] = 1;
#ifdef BUG_CLEARED
            waiters = 0
#endif
        :: else -> goto rung
        fi
    }
    atomic {
#ifdef MANY
        woken = ASLEEP;
        wake_all();
#else
        wake_one();
#endif
        if
        :: woken -> woken = 0; same[me] = 0; goto rung
        :: else
        fi
    }
#ifndef BUG_UNINTENDED
    intends[me] = 1;
#endif
    atomic {
        if
        :: same[me] && waiters -> waiters = 0; same[me] = 0
        :: else -> same[me] = 0; intends[me] = 0; goto rung
        fi
    }
#ifndef BUG_ONCE
    atomic { wake_all() }
#endif
    atomic { intends[me] = 0; goto rung }
}

/* mp__channel_get */
proctype member(byte me)
{
    bit slept, woken;
    {
        skip;
rest:
        if
        :: atomic { !slept -> goto end_stopped }
        :: atomic { items == 0 -> /* mp__eventcount_prepare */
#ifndef BUG_LATE
            waiters = 1;
#endif
            same[me] = 1 }
        :: atomic { items > 0 -> items--; slept = 0; goto rest }
#ifdef HASTY
        :: atomic { me == 1 && slept && items == 0 -> goto end_stopped }
#endif
#ifdef UNFIT
#ifdef BUG_KEEPS
        :: atomic { me == 2 && slept -> goto end_stopped }
#else
        :: atomic { me == 2 && slept -> goto passes_on }
#endif
#endif
        fi;
        if
        :: atomic { items > 0 -> same[me] = 0; goto rest }
        :: atomic { items == 0 -> skip }
        fi;
#ifdef BUG_LATE
        waiters = 1;
#endif
        /* The kernel compares the word, and lets it sleep, in one. */
        atomic {
            if
            :: same[me] && waiters -> asleep[me] = 1; slept = 1
            :: else
            fi;
            same[me] = 0
        }
end_asleep:
        atomic {
            if
            :: !asleep[me]
#ifdef HASTY
            :: me == 1 && asleep[me] -> asleep[me] = 0
#endif
            fi;
            goto rest
        }
#ifdef UNFIT
passes_on:
        ring();
rung:
        skip
#endif
    } unless {
        over[me]
    }
end_stopped:
    atomic { slept = 0; woken = 0 }
}

/* mp__channel_put */
proctype putter(byte me)
{
    bit woken;
    {
        skip;
rest:
        if
        :: atomic { true -> goto end_stopped }
        :: atomic { puts < PUTS -> puts++; items = items + EACH }
        fi;
        ring();
rung:
        goto rest
    } unless {
        over[me]
    }
end_stopped:
    woken = 0
}

#define DEAD(x) over[x] && !recovered[x]
#ifdef MORTAL
#define OR_DIE :: atomic { deaths < MOST_DEATHS -> deaths++; who = 0; goto end_anew }
#else
#define OR_DIE
#endif

/* mp__recover, of this word: mp__eventcount_after_death, then what the dead one intended */
proctype janitor()
{
    byte who;
end_anew:
    atomic {
        if
        :: DEAD(1) -> who = 1
        :: DEAD(2) -> who = 2
        :: DEAD(3) -> who = 3
#if ALL > 3
        :: DEAD(4) -> who = 4
#endif
#if ALL > 4
        :: DEAD(5) -> who = 5
#endif
        fi
    }
#ifndef BUG_SILENT
    if
    :: atomic { !waiters -> goto intended }
    :: atomic { waiters ->
#ifndef BUG_UNTURNED
        next_turn();
#endif
        skip }
    OR_DIE
    fi;
    if
    :: atomic { true -> wake_all() }
    OR_DIE
    fi;
intended:
    if
    :: atomic { !intends[who] -> skip }
    :: atomic { intends[who] -> wake_all() }
    OR_DIE
    fi;
#endif
    atomic { recovered[who] = 1; who = 0; goto end_anew }
}

#define MAY_DIE(x) deaths < MOST_DEATHS && !over[x]

inline kill_one(x)
{
    over[x] = 1;
    same[x] = 0;
    deaths++;
    if
    :: x <= MEMBERS -> asleep[x] = 0
    :: else
    fi
}

proctype killer()
{
end_killer:
    do
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    :: atomic { MAY_DIE(1) -> kill_one(1) }
    :: atomic { MAY_DIE(2) -> kill_one(2) }
    :: atomic { MAY_DIE(3) -> kill_one(3) }
#if ALL > 3
    :: atomic { MAY_DIE(4) -> kill_one(4) }
#endif
#if ALL > 4
    :: atomic { MAY_DIE(5) -> kill_one(5) }
#endif
    od
}

proctype judge()
{
end_waits:
    timeout;
    items == 0 || !ASLEEP
}

init {
    atomic {
        run judge();
        run killer();
#ifndef NO_JANITOR
        run janitor();
#endif
#if PUTTERS > 1
        run putter(MEMBERS + 2);
#endif
        run putter(MEMBERS + 1);
#if MEMBERS > 2
        run member(3);
#endif
        run member(2);
        run member(1)
    }
}
