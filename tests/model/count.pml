/* SPDX-License-Identifier: MIT
 *
 * count.pml - the count word of a semaphore (base/countword.h), sleeping for a unit, and deaths (base/recover.c), for spin.
 *
 * Members take a unit, keep it, or give it back, over and over, or stop for good; wakers add units that nobody has taken, and
 * have no record, as a signal handler, or a thread that does nothing else with libmp. Each may be killed between any two of
 * its steps, MOST_DEATHS of them at most. What is proved:
 *   - never is there a unit too many or too few: those that are free, those that members have, and those that died with
 *     theirs are all that there were and were added;
 *   - nobody sleeps for good while there is a unit, by wakes alone, there are no slices: when nothing can happen any more,
 *     nobody sleeps, or the count is 0 (else judge is stuck: an invalid end state).
 *
 * How it is made simpler than the code:
 *   - One semaphore, which nobody destroys, and without a bound. A member has one unit at a time.
 *   - A thread is a process, and dies with its handlers; to others these are just one more who adds, between any two steps.
 *   - Steps are sequentially consistent; a load and the compare-and-swap after it are one step where a failure only repeats.
 *   - The kernel wakes any of those who sleep, not the first, and says rightly whether it woke one.
 *   - Who recovers is the janitor, or another one after it (lock.pml has that, and the arena's lock): when it dies the next
 *     begins anew. It is never missing for good.
 *
 * HASTY     member 1 may run out of time.     MORTAL  who recovers may be killed, too.
 * WAKERS    0 to 2; each adds one unit.       NO_JANITOR  nobody recovers.
 * ORDERLY   nobody looks after wakers, whose process has ended in order; the code once did not.
 * BUG_...   what was, or would be, wrong: each has to fail.
 *
 * What the code did once, until this model found it:
 *   - BUG_ONCE: who finds that nobody was there to be woken clears waiters, and that is all. The word is the one that it made,
 *     but may have been another meanwhile, to which others went to sleep. So here it wakes all once more when it has cleared.
 *   - BUG_UNMARKED: who recovers does nothing where the count is 0. But waiters may be lost, and with the unit that the dead
 *     one added another one's gone. So here it sets waiters then.
 * With BUG_ONCE who has slept must leave waiters set (BUG_FORGETFUL, BUG_QUITS); without, that is not needed for this proof.
 */
#ifndef MEMBERS
#define MEMBERS 3 /* or 4 */
#endif
#ifndef WAKERS
#define WAKERS 0
#endif
#ifndef UNITS
#define UNITS 1
#endif
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#define ALL (MEMBERS + WAKERS)

/* The word. */
byte count = UNITS;
bit waiters;

bit over[ALL + 1], recovered[ALL + 1]; /* lives, records */
bit asleep[ALL + 1];                   /* the kernel's */

/* For the proof. */
byte total = UNITS, lost, deaths;
bit has[ALL + 1];

#if MEMBERS > 3
#define HELD   (has[1] + has[2] + has[3] + has[4])
#define ASLEEP (asleep[1] || asleep[2] || asleep[3] || asleep[4])
#else
#define HELD   (has[1] + has[2] + has[3])
#define ASLEEP (asleep[1] || asleep[2] || asleep[3])
#endif
#define CHECK assert(count + HELD + lost == total)

inline wake_one()
{
    if
    :: asleep[1] -> asleep[1] = 0; woken = 1
    :: asleep[2] -> asleep[2] = 0; woken = 1
    :: asleep[3] -> asleep[3] = 0; woken = 1
#if MEMBERS > 3
    :: asleep[4] -> asleep[4] = 0; woken = 1
#endif
    :: !ASLEEP -> woken = 0
    fi
}

inline wake_all()
{
    asleep[1] = 0;
    asleep[2] = 0;
    asleep[3] = 0;
#if MEMBERS > 3
    asleep[4] = 0;
#endif
}

/* mp__count_add */
inline add()
{
    atomic {
        total = (has[me] -> total : total + 1);
        has[me] = 0;
        count++;
        CHECK;
        if
        :: waiters -> seen = count;
#ifdef BUG_CLEARED
            waiters = 0
#endif
        :: else -> goto rest
        fi
    }
    atomic {
        wake_one();
        if
        :: woken -> woken = 0; seen = 0; goto rest
        :: else
        fi
    }
#ifdef BUG_STORE
    atomic { count = seen; waiters = 0; seen = 0; CHECK }
#else
    atomic {
        if
        :: count == seen && waiters -> waiters = 0; seen = 0
        :: else -> seen = 0; goto rest
        fi
    }
#endif
#ifdef BUG_ONCE
    goto rest
#else
    atomic { wake_all(); goto rest }
#endif
}

#ifdef BUG_FORGETFUL
#define SLEPT 0
#else
#define SLEPT slept
#endif

/* mp__count_take */
proctype member(byte me)
{
    byte seen;
    bit slept, woken;
    {
        skip;
rest:
        if
        :: atomic { count > 0 ->
            count--;
            waiters = waiters | SLEPT;
            has[me] = 1;
            CHECK;
            slept = 0;
            goto home }
        :: atomic { count == 0 ->
#ifndef BUG_LATE
            waiters = 1;
#endif
            goto sleep }
        :: atomic { !slept -> goto end_stopped }
#ifdef HASTY
        /* It gives up, with waiters set. */
        :: atomic { me == 1 && slept && count == 0 ->
#ifndef BUG_QUITS
            waiters = 1;
#endif
            slept = 0;
            goto rest }
#endif
        fi;
sleep:
        /* The kernel compares the word, and lets it sleep, in one. */
        atomic {
            slept = 1;
            if
#ifdef BUG_LATE
            :: count == 0 -> asleep[me] = 1; goto late
#else
            :: count == 0 && waiters -> asleep[me] = 1
#endif
            :: else -> goto rest
            fi
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
#ifdef BUG_LATE
late:
        atomic { waiters = 1; goto end_asleep }
#endif
home:
        if
        :: atomic { true -> goto end_stopped }
        :: atomic { true -> skip }
        fi;
        add()
    } unless {
        over[me]
    }
end_stopped:
    skip
}

proctype waker(byte me)
{
    byte seen;
    bit woken;
    {
        skip;
        add();
rest:
        skip
    } unless {
        over[me]
    }
}

#define DEAD(x) over[x] && !recovered[x]
#ifdef MORTAL
#define OR_DIE :: atomic { deaths < MOST_DEATHS -> deaths++; must = 0; who = 0; goto end_anew }
#else
#define OR_DIE
#endif

/* mp__recover, of this object */
proctype janitor()
{
    byte who;
    bit must;
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
    if
    :: atomic { true ->
        must = count > 0;
#ifndef BUG_UNMARKED
        waiters = (count > 0 -> waiters : 1)
#endif
        }
    OR_DIE
    fi;
    if
    :: atomic { true ->
        if
#ifndef BUG_SILENT
        :: must -> wake_all()
#endif
        :: else
        fi;
        must = 0 }
    OR_DIE
    fi;
    atomic { recovered[who] = 1; who = 0; goto end_anew }
}

#ifdef ORDERLY
#define LEFT(x) (x > MEMBERS)
#else
#define LEFT(x) 0
#endif

inline kill_one(x)
{
    over[x] = 1;
    recovered[x] = LEFT(x);
    asleep[x] = 0;
    lost = lost + has[x];
    has[x] = 0;
    deaths++
}

#define MAY_DIE(x) deaths < MOST_DEATHS && !over[x]

proctype killer()
{
end_killer:
    do
    :: atomic { MAY_DIE(1) -> kill_one(1) }
    :: atomic { MAY_DIE(2) -> kill_one(2) }
    :: atomic { MAY_DIE(3) -> kill_one(3) }
#if ALL > 3
    :: atomic { MAY_DIE(4) -> kill_one(4) }
#endif
#if ALL > 4
    :: atomic { MAY_DIE(5) -> kill_one(5) }
#endif
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    od
}

proctype judge()
{
end_waits:
    timeout;
    count == 0 || !ASLEEP
}

init {
    atomic {
        run member(1);
        run member(2);
        run member(3);
#if MEMBERS > 3
        run member(4);
#endif
#if WAKERS > 0
        run waker(MEMBERS + 1);
#endif
#if WAKERS > 1
        run waker(MEMBERS + 2);
#endif
#ifndef NO_JANITOR
        run janitor();
#endif
        run killer();
        run judge()
    }
}
