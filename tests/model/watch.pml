/* SPDX-License-Identifier: MIT
 *
 * watch.pml - waiting for any of many (base/watch.h), and deaths, for spin.
 *
 * Watchers wait until either of two things is ready, take it, and wait again, or stop for good. Wakers make one ready, PUTS times
 * between them, and tell. Each may be killed between any two of its steps, MOST_DEATHS of them at most. What is proved: nobody
 * who watches sleeps for good while something is ready, by what is told alone, there are no slices: when nothing can happen any
 * more, nobody sleeps, or nothing is ready (else judge is stuck: an invalid end state).
 *
 * How it is made simpler than the code:
 *   - A thing is a count with a flag, by which its waker goes the slow way. Nobody sleeps on it who waits for it alone: so the
 *     waker takes the flag away each time (eventcount.pml has the others).
 *   - Both things have one bit, as they may: so a watcher is told of either.
 *   - A turn of the word that is told does not come round. A thread is a process. Steps are sequentially consistent: a fence of X1
 *     that is missing is a step that comes late.
 *   - Who recovers is the janitor, or another one after it. It is never missing for good.
 *
 * MORTAL       who recovers may be killed, too.
 * BUG_...      what would be wrong: each has to fail.
 */
#ifndef WATCHERS
#define WATCHERS 2 /* or 1 */
#endif
#ifndef PUTS
#define PUTS 2
#endif
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#ifndef WAKERS
#define WAKERS 2 /* or 1 */
#endif
#define ALL (WATCHERS + WAKERS)

byte count[2];
bit flag[2];
bit watched; /* the header's */
bit ticket[ALL + 1], told[ALL + 1], asleep[ALL + 1], waits[ALL + 1];
bit over[ALL + 1], recovered[ALL + 1];
byte puts, deaths;

#define IS_READY (count[0] || count[1])

inline tell_one(x)
{
    told[x] = told[x] || (waits[x] && ticket[x]);
    asleep[x] = asleep[x] && !told[x]
}

/* mp_wait */
proctype watcher(byte me)
{
    byte which;
    bit first;
    {
        skip;
rest:
        if
        :: atomic { true -> goto end_stopped }
        :: atomic { true -> told[me] = 0; ticket[me] = 0; waits[me] = 1 } /* mp__watch_begin */
        fi;
look:
        /* of each: mp__watch, arm, look */
        which = 0;
#ifdef BUG_LATE_BIT
        flag[0] = 1;
        flag[1] = 1;
        if
        :: atomic { IS_READY -> goto found }
        :: atomic { !IS_READY -> skip }
        fi;
#endif
        do
        :: atomic { which == 2 -> break }
        :: atomic { which < 2 -> first = !ticket[me]; ticket[me] = 1 }
#ifdef BUG_ONCE
            watched = watched || first;
#else
            watched = 1;
#endif
#ifndef BUG_LATE_BIT
            flag[which] = 1;
            if
            :: atomic { count[which] -> goto found }
            :: atomic { !count[which] -> which++ }
            fi
#else
            which++
#endif
        od;
        /* mp__watch_wait: the kernel compares the word, and lets it sleep, in one */
        atomic {
            which = 0;
            first = 0;
            asleep[me] = !told[me]
        }
end_asleep:
        atomic { !asleep[me] -> told[me] = 0; goto look }
found:
        atomic {
            waits[me] = 0;
            which = 0;
            first = 0;
            /* another one may have been quicker */
            if
            :: count[0] -> count[0]--
            :: count[1] -> count[1]--
            :: !IS_READY
            fi;
            goto rest
        }
    } unless {
        over[me]
    }
end_stopped:
    atomic { which = 0; first = 0; waits[me] = 0; asleep[me] = 0; told[me] = 0; ticket[me] = 0 }
}

/* A call that makes something ready. */
proctype waker(byte me)
{
    byte which;
    {
        skip;
rest:
        if
        :: atomic { true -> goto end_stopped }
        :: atomic { puts < PUTS -> puts++; which = 0; count[0]++ }
        :: atomic { puts < PUTS -> puts++; which = 1; count[1]++ }
        fi;
        if
        :: atomic { !flag[which] -> goto rest }
        :: atomic { flag[which] -> skip }
        fi;
#ifndef BUG_TELL_FIRST
        flag[which] = 0;
#endif
        /* mp__watch_tell */
        if
        :: atomic { !watched -> goto told_all }
        :: atomic { watched -> skip }
        fi;
#ifndef BUG_KEPT
        watched = 0;
#endif
        atomic { tell_one(1) }
#if WATCHERS > 1
        atomic { tell_one(2) }
#endif
#ifdef BUG_KEPT
        watched = 0;
#endif
told_all:
#ifdef BUG_TELL_FIRST
        flag[which] = 0;
#endif
        goto rest
    } unless {
        over[me]
    }
end_stopped:
    which = 0
}

#define DEAD(x) over[x] && !recovered[x]
#ifdef MORTAL
#define OR_DIE :: atomic { deaths < MOST_DEATHS -> deaths++; who = 0; goto end_anew }
#else
#define OR_DIE
#endif
#ifdef BUG_HEADER
#define BELIEVES watched
#else
#define BELIEVES 1
#endif

/* mp__recover: mp__watch_tell_all */
proctype janitor()
{
    byte who;
end_anew:
    atomic {
        if
        :: DEAD(1) -> who = 1
        :: DEAD(2) -> who = 2
#if ALL > 2
        :: DEAD(3) -> who = 3
#endif
#if ALL > 3
        :: DEAD(4) -> who = 4
#endif
        fi
    }
#ifndef BUG_SILENT
    if
    :: atomic { BELIEVES -> tell_one(1) }
    :: atomic { !(BELIEVES) -> skip }
    OR_DIE
    fi;
#if WATCHERS > 1
    if
    :: atomic { BELIEVES -> tell_one(2) }
    :: atomic { !(BELIEVES) -> skip }
    OR_DIE
    fi;
#endif
#endif
    atomic { recovered[who] = 1; who = 0; goto end_anew }
}

#define MAY_DIE(x) deaths < MOST_DEATHS && !over[x]

inline kill_one(x)
{
    over[x] = 1;
    deaths++;
    waits[x] = 0;
    asleep[x] = 0;
    told[x] = 0;
    ticket[x] = 0
}

proctype killer()
{
end_killer:
    do
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    :: atomic { MAY_DIE(1) -> kill_one(1) }
    :: atomic { MAY_DIE(2) -> kill_one(2) }
#if ALL > 2
    :: atomic { MAY_DIE(3) -> kill_one(3) }
#endif
#if ALL > 3
    :: atomic { MAY_DIE(4) -> kill_one(4) }
#endif
    od
}

proctype judge()
{
end_waits:
    timeout;
#if WATCHERS > 1
    !IS_READY || !(asleep[1] || asleep[2])
#else
    !IS_READY || !asleep[1]
#endif
}

init {
    atomic {
        run judge();
        run killer();
        run janitor();
#if WAKERS > 1
        run waker(WATCHERS + 2);
#endif
        run waker(WATCHERS + 1);
#if WATCHERS > 1
        run watcher(2);
#endif
        run watcher(1)
    }
}
