/* SPDX-License-Identifier: MIT
 *
 * lock.pml - the lock word (base/lockword.h), sleeping for it, and deaths (base/recover.c), for spin.
 *
 * Members take one lock, hold it, release it, over and over, or stop for good; each may be killed between any two of its
 * steps, MOST_DEATHS of them at most. What is proved:
 *   - two that live never hold it together; only a dead owner's lock is taken from it;
 *   - the death of an owner is told to the next owner, once, and to nobody else;
 *   - nobody sleeps for good. Without SLICES nothing but wakes gets a sleeper on, so one that was forgotten is left over
 *     when all others have stopped: an invalid end state. With SLICES, whatever happens, under weak fairness the lock is
 *     taken again and again as long as anybody wants it: no cycle without progress.
 *
 * How it is made simpler than the code:
 *   - One lock. That a life's only wake goes to who sleeps for another one is covered: it may go to nobody.
 *   - A thread is a process. When it dies its own life may wake a sleeper, and that of its process always wakes the
 *     janitor: janitor.pml has that.
 *   - Records and numbers are not used again. Only the owner releases, and has a record. Nobody destroys the lock.
 *   - Steps are sequentially consistent; a load and the compare-and-swap after it are one step where a failure only
 *     repeats. So are those between which a death would change nothing for others: a look and WAITERS, a sleeper's or a
 *     releaser's intent and what comes next.
 *   - The kernel wakes any of those who sleep, not the first.
 *   - A hungry lock is left out: it makes who has not slept wait for a moment, and anybody may take it then.
 *
 * NO_JANITOR  there is none.                 MORTAL     it may be killed, too; who waits and sees that starts another.
 * HASTY       member 1 may run out of time.  KILL=mask  kill only where (AT_...).
 * BLIND       who is about to sleep beside a life that is over by now sleeps all the same, on the word alone.
 * BUG_...     what was, or would be, wrong: each has to fail.
 */
#ifndef MEMBERS
#define MEMBERS 3 /* or 4 */
#endif
#ifndef MOST_DEATHS
#define MOST_DEATHS 2
#endif
#define JANITOR (MEMBERS + 1)

#define AT_REST    1 /* wants nothing, or has looked, but not slept */
#define AT_SLEEP   2
#define AT_WOKEN   4 /* has slept, and perhaps used up a wake */
#define AT_HOME    8 /* has the lock */
#define AT_RELEASE 16 /* has freed it, and not woken anybody yet */
#define AT_RECOVER 32 /* under the arena's lock */
#ifndef KILL
#define KILL 63
#endif

/* The word. */
byte owner;
bit waiters, died;

/* The records. */
bit over[JANITOR + 1]; /* its life */
bit intent[JANITOR + 1];
bit recovered[JANITOR + 1];

/* The kernel's. */
bit asleep[JANITOR + 1];
byte beside[JANITOR + 1]; /* on whose life, too */

byte guard; /* the arena's lock */
bit launched; /* another janitor */

/* For the proof. */
byte at[JANITOR + 1];
byte inside; /* who has it, and lives */
bit owed;    /* an owner's death has not been told */
byte deaths;

inline wake_one()
{
    atomic {
        if
        :: asleep[1] -> asleep[1] = 0
        :: asleep[2] -> asleep[2] = 0
        :: asleep[3] -> asleep[3] = 0
#if MEMBERS > 3
        :: asleep[4] -> asleep[4] = 0
#endif
        :: !asleep[1] && !asleep[2] && !asleep[3] && !asleep[MEMBERS] -> skip
        fi
    }
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

inline mark(where)
{
    at[me] = where
}

inline take(flag)
{
    assert(!inside && died == owed);
    owner = me;
    waiters = waiters | (flag);
    died = 0;
    owed = 0;
    inside = me
}

/* mp__recover, mp__recover_if_dead: begun anew from any step. */
inline recover(x)
{
    atomic {
        guard == 0 || over[guard];
        guard = me;
        mark(AT_RECOVER)
    }
    if
    :: atomic { over[x] && !recovered[x] ->
        if
        :: owner == x ->
            owner = 0;
            died = 1;
            must = waiters;
#ifdef BUG_CLEARED
            waiters = 0
#endif
        :: else ->
            must = owner == 0 && died && waiters
        fi }
#ifndef BUG_SILENT
        if
        :: atomic { must -> must = 0; wake_all() }
        :: atomic { !must -> skip }
        fi;
#endif
        atomic {
            must = 0;
            if
            :: intent[x] -> wake_all()
            :: else
            fi
        }
        atomic { intent[x] = 0; recovered[x] = 1; guard = 0 }
    :: atomic { !over[x] || recovered[x] -> guard = 0 }
    fi
}

#ifdef BUG_NO_INTENT
#define INTEND(value) skip
#else
#define INTEND(value) intent[me] = value
#endif

#ifdef BUG_FORGETFUL
#define SLEPT 0
#else
#define SLEPT slept
#endif

/* `slept` is what lockword.c calls flags. */
proctype member(byte me)
{
    byte seen;
    bit slept, must;
    {
        mark(AT_REST);
look:
        /* It sees the word, whether the owner lives, and sets WAITERS. */
        if
        :: atomic { owner == 0 ->
            take(SLEPT);
            mark(AT_HOME);
            if
            :: slept -> slept = 0
            :: else -> goto progress_home
            fi }
            atomic { INTEND(0); goto progress_home }
        :: atomic { owner != 0 ->
            seen = owner;
#ifdef MORTAL
            launched = launched | over[JANITOR];
#endif
            if
#ifndef BUG_UNMOVED
            :: over[owner]
#endif
            :: else ->
#ifndef BUG_LATE
                waiters = 1;
#endif
                goto sleep
            fi }
        :: atomic { !slept -> goto end_stopped }
#ifdef HASTY
        /* It gives up, with WAITERS set. */
        :: atomic { me == 1 && slept && owner != 0 -> waiters = 1; slept = 0; INTEND(0); mark(AT_REST); goto look }
#endif
        fi;
        recover(seen);
        atomic { mark((slept -> AT_WOKEN : AT_REST)); seen = 0; goto look }
sleep:
#ifdef BUG_LATE
        if
        :: atomic { owner == seen -> skip }
        :: atomic { owner != seen -> seen = 0; goto look }
        fi;
        atomic { waiters = (owner == seen -> 1 : waiters); asleep[me] = 1; beside[me] = seen; mark(AT_SLEEP) }
#else
        /* The kernel compares the word and the life, and lets it sleep, in one. */
        atomic {
            slept = 1;
            INTEND(1);
            if
            :: owner == seen && waiters && !over[seen] -> asleep[me] = 1; beside[me] = seen; mark(AT_SLEEP); seen = 0
#ifdef BLIND
            :: owner == seen && waiters && over[seen] -> asleep[me] = 1; mark(AT_SLEEP); seen = 0
            :: else -> mark(AT_WOKEN); seen = 0; goto look
#else
            :: else -> mark(AT_WOKEN); seen = 0; goto look
#endif
            fi
        }
#endif
        atomic {
            if
            :: !asleep[me]
#ifdef SLICES
            :: asleep[me] -> asleep[me] = 0
#endif
#ifdef HASTY
            :: me == 1 && asleep[me] -> asleep[me] = 0
#endif
            fi;
            beside[me] = 0;
            seen = 0;
            slept = 1;
            mark(AT_WOKEN);
            goto look
        }
progress_home:
        atomic {
            assert(owner == me && inside == me);
            inside = 0;
            owner = 0;
            if
            :: waiters -> INTEND(1); waiters = 0; mark(AT_RELEASE)
            :: else -> mark(AT_REST); goto look
            fi
        }
        wake_one();
        atomic { INTEND(0); mark(AT_REST); goto look }
    } unless {
        over[me]
    }
end_stopped:
    skip
}

proctype janitor(byte me)
{
    byte who;
    bit must;
anew:
    {
        skip;
end_asleep:
        atomic {
            if
            :: over[1] && !recovered[1] -> who = 1
            :: over[2] && !recovered[2] -> who = 2
            :: over[3] && !recovered[3] -> who = 3
#if MEMBERS > 3
            :: over[4] && !recovered[4] -> who = 4
#endif
            fi
        }
        recover(who);
        atomic { who = 0; goto end_asleep }
    } unless {
        over[JANITOR]
    }
end_dead:
    atomic { launched -> launched = 0; over[JANITOR] = 0; must = 0; who = 0; goto anew }
}

/* The kernel wakes one of those who sleep on a life that is over: perhaps the janitor, or who sleeps for another lock. */
#define WOKEN_BY(x, y) asleep[y] && beside[y] == x -> asleep[y] = 0; beside[y] = 0
#define WOKEN(y)       asleep[y] -> asleep[y] = 0; beside[y] = 0

inline kill_one(x)
{
    over[x] = 1;
    asleep[x] = 0;
    beside[x] = 0;
    at[x] = 0;
    deaths++;
    if
    :: inside == x -> inside = 0
    :: else
    fi;
    if
    :: owner == x -> assert(!owed); owed = 1
    :: else
    fi;
    if
    :: WOKEN_BY(x, 1)
    :: WOKEN_BY(x, 2)
    :: WOKEN_BY(x, 3)
#if MEMBERS > 3
    :: WOKEN_BY(x, 4)
#endif
    :: true
    fi
}

#define WHERE(x) (at[x] == AT_SLEEP && !asleep[x] -> AT_WOKEN : at[x])

proctype killer()
{
end_killer:
    do
    :: atomic { deaths < MOST_DEATHS && !over[1] && WHERE(1) & KILL -> kill_one(1) }
    :: atomic { deaths < MOST_DEATHS && !over[2] && WHERE(2) & KILL -> kill_one(2) }
    :: atomic { deaths < MOST_DEATHS && !over[3] && WHERE(3) & KILL -> kill_one(3) }
#if MEMBERS > 3
    :: atomic { deaths < MOST_DEATHS && !over[4] && WHERE(4) & KILL -> kill_one(4) }
#endif
#ifdef MORTAL
    :: atomic { deaths < MOST_DEATHS && !over[JANITOR] ->
        over[JANITOR] = 1;
        deaths++;
        if
        :: WOKEN(1)
        :: WOKEN(2)
        :: WOKEN(3)
        :: true
        fi }
#endif
    od
}

init {
    atomic {
        run member(1);
        run member(2);
        run member(3);
#if MEMBERS > 3
        run member(4);
#endif
#ifndef NO_JANITOR
        run janitor(JANITOR);
#endif
        run killer()
    }
}
