/* SPDX-License-Identifier: MIT
 *
 * event.pml - the word of an event (primitives/event.c), sleeping until it is set, and deaths, for spin.
 *
 * Two members wait, over and over, or stop for good. Two setters, who have no record, as a signal handler, set the event so
 * often (SETS) and clear it in between, or at once, or never; each may be killed between any two of its steps, MOST_DEATHS of
 * them at most. What is proved: nobody who began to wait before the event was set sleeps for good after that, however soon it
 * was cleared, by wakes alone, there are no slices: when nothing can happen any more, nobody sleeps for whom it was set (else
 * judge is stuck: an invalid end state).
 *
 * How it is made simpler than the code:
 *   - One event, which nobody destroys. The turn does not come round (2^30 are more than anybody sets while one wakes).
 *   - A setter is a process, and its death is recovered. Members do not die: a wake is for all, so they take none with them.
 *   - Steps are sequentially consistent; a load and the compare-and-swap after it are one step where a failure only repeats.
 *   - Who recovers is the janitor, or another one after it: when it dies the next begins anew, and its one step for an event
 *     is a wake. It is never missing for good.
 *
 * HASTY    member 1 may run out of time.      NO_JANITOR  nobody recovers.
 * BUG_...  what would be wrong: each has to fail.
 */
#ifndef MOST_DEATHS
#define MOST_DEATHS 2
#endif
#ifndef SETS
#define SETS 3 /* by both */
#endif

/* The word. */
bit waiters, set;
byte turn;

bit over[5], recovered[5]; /* lives, records: of setters, 3 and 4 */
bit asleep[3];             /* the kernel's */

/* For the proof. */
bit waits[3], due[3]; /* it was set since that one began */
byte sets, deaths;

#define STUCK(x) (asleep[x] && due[x])

inline wake_all()
{
    asleep[1] = 0;
    asleep[2] = 0
}

#ifdef BUG_NO_TURN
#define ENDS(t) set
#else
#define ENDS(t) (set || turn != t)
#endif

/* mp_event_wait */
proctype member(byte me)
{
    byte first;
rest:
    if
    :: atomic { !set -> first = turn; waits[me] = 1; due[me] = 0 }
    :: atomic { true -> goto end_stopped }
    fi;
look:
    if
    :: atomic { ENDS(first) -> goto over_now }
    :: atomic { !ENDS(first) ->
#ifndef BUG_LATE
        waiters = 1
#endif
        }
#ifdef HASTY
    :: atomic { me == 1 && !ENDS(first) -> goto over_now }
#endif
    fi;
    /* The kernel compares the word, and lets it sleep, in one. */
    atomic {
        if
#ifdef BUG_LATE
        :: !ENDS(first) -> asleep[me] = 1
#elif defined BUG_NO_TURN
        :: !ENDS(first) && waiters -> asleep[me] = 1
#else
        :: !set && turn == first && waiters -> asleep[me] = 1
#endif
        :: else -> goto look
        fi
    }
#ifdef BUG_LATE
    waiters = 1;
#endif
end_asleep:
    atomic {
        if
        :: !asleep[me]
#ifdef HASTY
        :: me == 1 && asleep[me] -> asleep[me] = 0
#endif
        fi;
        goto look
    }
over_now:
    atomic { waits[me] = 0; due[me] = 0; first = 0; goto rest }
end_stopped:
    skip
}

/* mp_event_set, mp_event_clear */
proctype setter(byte me)
{
    byte now;
    bit must;
    {
        skip;
rest:
        if
        :: atomic { sets < SETS ->
            sets++;
            turn = turn + (set -> 0 : 1);
            set = 1;
            due[1] = waits[1];
            due[2] = waits[2];
            must = waiters;
            now = turn }
            if
            :: atomic { must -> wake_all() }
#ifdef BUG_STORE
                waiters = 0;
#else
                atomic { waiters = (set && turn == now -> 0 : waiters) }
#endif
            :: atomic { !must -> skip }
            fi;
            atomic { must = 0; now = 0; goto rest }
        :: atomic { set -> set = 0; must = waiters }
            atomic {
                if
                :: must -> wake_all()
                :: else
                fi;
                must = 0;
                goto rest
            }
        :: atomic { true -> goto end_stopped }
        fi
    } unless {
        over[me]
    }
end_stopped:
    skip
}

#define DEAD(x) over[x] && !recovered[x]

#ifdef BUG_SILENT
#define wake_for_dead() skip
#else
#define wake_for_dead() wake_all()
#endif

/* mp__recover, of this object */
proctype janitor()
{
end_asleep:
    do
    :: atomic { DEAD(3) -> recovered[3] = 1; wake_for_dead() }
    :: atomic { DEAD(4) -> recovered[4] = 1; wake_for_dead() }
    od
}

#define MAY_DIE(x) deaths < MOST_DEATHS && !over[x]

proctype killer()
{
end_killer:
    do
    :: atomic { MAY_DIE(3) -> over[3] = 1; deaths++ }
    :: atomic { MAY_DIE(4) -> over[4] = 1; deaths++ }
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    od
}

proctype judge()
{
end_waits:
    timeout;
    !STUCK(1) && !STUCK(2)
}

init {
    atomic {
        run member(1);
        run member(2);
        run setter(3);
        run setter(4);
#ifndef NO_JANITOR
        run janitor();
#endif
        run killer();
        run judge()
    }
}
