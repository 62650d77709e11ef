/* SPDX-License-Identifier: MIT
 *
 * waiter.pml - the waiter words (base/waiter.h), as a condition uses them (primitives/condition.c), and deaths, for spin.
 *
 * Members take the lock, wait to be notified, take the lock again, so often (WAITS) or less. A notifier takes the lock and
 * notifies one of those who wait, or all, so often (NOTIFIES). Each may be killed between any two of its steps, MOST_DEATHS of
 * them at most; who recovers them passes on what they were told. What is proved:
 *   - who waits and was told does not sleep for good, by wakes alone, there are no slices (told);
 *   - no notification is lost: each that somebody was told is heard by one that returns, or ends with one that dies after it
 *     has the lock again; or it is passed on, and where nobody can be told all who lived and waited all the while have been
 *     told already (lost);
 *   - a tell is for the wait that it was decided for, and for no later one; a wait is told once (assertions).
 * Of the first two: when nothing can happen any more (else judge is stuck: an invalid end state).
 *
 * How it is made simpler than the code:
 *   - One condition, which nobody destroys. The lock is taken and released in one step; a death gives it up in the same.
 *   - Tickets are left out: whoever looks through the records looks at each once, in any order, and not again at one that it
 *     failed to tell. So it finds no more than the code does.
 *   - Records are not used again. The turn does not come round.
 *   - Steps are sequentially consistent. But the word, what its thread waits for, and the compare-and-swap are three.
 *   - That those are woken who were told and sleep is one step of who recovers: a thread stays so until it is woken.
 *   - Who recovers is the janitor, or another one after it (lock.pml has that, and the arena's lock): when it dies the next
 *     begins anew. It is never missing for good.
 *
 * HASTY     member 1 may run out of time.      MORTAL      who recovers may be killed, too: it may pass on once too often.
 * LOOKS     the notifier may tell all to look. NO_JANITOR  nobody recovers.
 * VICTIM    with NOTIFIES 1: what is lost may be, but not while one lives that waits since before it was notified, and is
 *           left over. For BUG_END_OPEN and BUG_DEAD_OPEN, to tell what comes of them; that assertion is off.
 * BUG_...   what was, or would be, wrong: each has to fail.
 *
 * What the code did once, until this model found it:
 *   - BUG_END_OPEN: at the end of a wait the word says NOTHING, in the next turn, while the record still says what was waited
 *     for: who passes on tells it there, and nobody hears. So here it says OVER until the next begins.
 *   - BUG_DEAD_OPEN: who recovers finds that the dead one was told nothing, and goes on; then who notifies, and looked whether
 *     it lives before, tells it. So here who recovers first makes its word OVER, in the step in which it looks.
 */
#ifndef MEMBERS
#define MEMBERS 3 /* or 2 */
#endif
#ifndef WAITS
#define WAITS 1
#endif
#ifndef NOTIFIES
#define NOTIFIES 2
#endif
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#define NOTIFIER (MEMBERS + 1)

/* What a word says; OVER: nobody can tell that thread anything, it does not wait any more, or is dead. */
#define NOTHING 0
#define LOOK    1
#define GO      2
#define OVER    3

/* The records. */
byte told[MEMBERS + 1], turn[MEMBERS + 1];
bit marked[MEMBERS + 1]; /* asleep, as its word says */
bit waits[MEMBERS + 1];  /* for the condition */
bit over[NOTIFIER + 1], recovered[NOTIFIER + 1];

bit killed;              /* who recovers */
bit asleep[MEMBERS + 1]; /* the kernel's */
byte lock;               /* who has it */
byte waiting;            /* as.condition.waiting */

/* For the proof. */
byte open[MEMBERS + 1];  /* 0, or the turn of the wait that it is in + 1 */
byte deaths;
short owed;              /* notifications that were told and neither heard nor excused */
bit passed[NOTIFIER + 1]; /* what that dead one was told: a second time is one more */
bit missed[MEMBERS + 1]; /* lives and has waited all the while, untold, since who passes on began */

#define BIT(x) (1 << (x))
/* Lives, waits, and has not been told. */
#define WAITING(x) (open[x] && !over[x] && told[x] <= LOOK)
#define TOLD_IN_VAIN(x) (asleep[x] && told[x] != NOTHING)
#define DEAD(x) (over[x] && !recovered[x])

#ifdef VICTIM
bit before[MEMBERS + 1]; /* it waits since before the last notification */
#define LATER(x) before[x] = 0
#define ALREADY  before[1] = 1; before[2] = 1; before[MEMBERS] = 1
#define LEFT_OVER(x) (WAITING(x) && before[x])
#else
#define LATER(x) skip
#define ALREADY  skip
#endif

/* ---- waiting --------------------------------------------------------------------------------------------------- */

#ifdef BUG_TURN_STAYS
#define GROW 0
#else
#define GROW 1
#endif

proctype member(byte me)
{
    byte count;
rest:
    {
        if
        :: atomic { count < WAITS && lock == 0 -> lock = me; count++ }
        :: atomic { true -> recovered[me] = 1; count = 0; turn[me] = 0; goto end_stopped }
        fi;
        /* mp__waiter_begin */
        atomic { waiting++; turn[me] = turn[me] + GROW; told[me] = NOTHING; marked[me] = 0 }
        atomic { waits[me] = 1; open[me] = turn[me] + 1; LATER(me) }
        lock = 0;
hear:
        if
        :: atomic { told[me] == GO -> goto again }
        :: atomic { told[me] == LOOK -> told[me] = NOTHING; goto hear }
        :: atomic { told[me] == NOTHING ->
#ifndef BUG_UNMARKED
            marked[me] = 1;
#endif
            skip }
#ifdef HASTY
        :: atomic { me == 1 && told[me] == NOTHING -> goto again }
#endif
        fi;
        /* The kernel compares the word, and lets it sleep, in one. */
        atomic {
            if
            :: told[me] == NOTHING -> asleep[me] = 1
            :: else
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
            marked[me] = 0;
            goto hear
        }
again:
        atomic { lock == 0 -> lock = me }
        /* mp__waiter_end */
        atomic {
            owed = owed - (told[me] == GO -> 1 : 0);
            assert(told[me] == GO || waiting);
            waiting = waiting - (told[me] == GO -> 0 : 1);
#if defined BUG_END_SAME
            told[me] = NOTHING;
#elif defined BUG_END_OPEN
            told[me] = NOTHING;
            turn[me]++;
#else
            told[me] = OVER;
            turn[me] = turn[me] + GROW;
#endif
            marked[me] = 0;
            open[me] = 0;
            missed[me] = 0
        }
        waits[me] = 0;
        atomic { lock = 0; goto rest }
    } unless {
        over[me]
    }
end_stopped:
    count = 0
}

/* ---- telling --------------------------------------------------------------------------------------------------- */

#if MEMBERS > 2
#define EVERYBODY  (BIT(1) | BIT(2) | BIT(3))
#define ANY(what)  (what(1) || what(2) || what(3))
#define MISSED     (missed[1] || missed[2] || missed[3])
#else
#define EVERYBODY  (BIT(1) | BIT(2))
#define ANY(what)  (what(1) || what(2))
#define MISSED     (missed[1] || missed[2])
#endif

#ifdef BUG_TURN
#define SAME(x) (told[x] == word)
#else
#define SAME(x) (told[x] == word && turn[x] == when)
#endif

#define ALL 2

inline forget()
{
    who = 0;
    word = 0;
    when = 0
}

/* mp__waiters_tell: so many (`tells`), or all, the dead as well, of those not looked at yet (`left`); then to told_them. */
inline tell(what, by)
{
    atomic {
        if
        :: tells && left & BIT(1) -> who = 1
        :: tells && left & BIT(2) -> who = 2
#if MEMBERS > 2
        :: tells && left & BIT(3) -> who = 3
#endif
        :: !tells || !left -> goto told_them
        fi;
        left = left & ~BIT(who);
        word = told[who];
        when = turn[who];
        if
        :: !waits[who] || word > LOOK || word == what || (over[who] && tells == 1) -> forget(); goto look
        :: else
        fi
    }
    atomic {
        if
        :: !waits[who] -> forget(); goto look
        :: else
        fi
    }
    atomic {
        if
        :: SAME(who) ->
#ifndef VICTIM
            assert(what == LOOK || open[who] == when + 1);
#endif
            told[who] = what;
            if
            :: what == GO -> missed[who] = 0; owed = owed + passed[by]; passed[by] = 1
            :: else
            fi;
            tells = (tells == 1 -> 0 : tells);
            word = 0;
            when = 0;
            if
            :: marked[who]
            :: else -> who = 0; goto look
            fi
        :: else -> left = left | BIT(who); forget(); goto look
        fi
    }
    atomic { asleep[who] = 0; who = 0; goto look }
}

/* notify, under the lock. */
proctype notifier(byte me)
{
    byte left, tells, who, word, when, what, count;
rest:
    {
        if
        :: atomic { count < NOTIFIES && lock == 0 ->
            lock = me;
            count++;
            assert(waiting || !ANY(WAITING));
            left = (waiting -> EVERYBODY : 0);
            ALREADY;
            if
            :: tells = 1; what = GO
            :: tells = ALL; what = GO
#ifdef LOOKS
            :: tells = ALL; what = LOOK
#endif
            fi }
        :: atomic { true -> recovered[me] = 1; goto end_stopped }
        fi;
look:
        tell(what, NOTIFIER);
told_them:
        atomic {
            if
            :: what == GO -> waiting = (tells || !waiting -> 0 : waiting - 1)
            :: else
            fi;
            left = 0;
            tells = 0;
            what = 0
        }
        atomic { lock = 0; goto rest }
    } unless {
        over[me]
    }
end_stopped:
    atomic { left = 0; tells = 0; forget(); what = 0; count = 0 }
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

/* mp__waiters_after_death */
proctype janitor()
{
    byte x, left, tells, who, word, when;
anew:
    {
        skip;
end_asleep:
        atomic {
            if
            :: DEAD(1) -> x = 1
            :: DEAD(2) -> x = 2
#if MEMBERS > 2
            :: DEAD(3) -> x = 3
#endif
            :: DEAD(NOTIFIER) -> x = NOTIFIER; goto wake_them
            fi
        }
        atomic {
            if
#ifdef BUG_NO_PASS
            :: true -> told[x] = OVER; goto wake_them
#endif
            :: !waits[x] -> goto wake_them
            :: waits[x] && told[x] != GO ->
#ifndef BUG_DEAD_OPEN
                told[x] = OVER;
#endif
                goto wake_them
            :: waits[x] && told[x] == GO ->
                left = EVERYBODY & ~BIT(x);
                tells = 1;
                missed[1] = WAITING(1);
                missed[2] = WAITING(2);
#if MEMBERS > 2
                missed[3] = WAITING(3);
#endif
#ifdef BUG_FREED
                waits[x] = 0
#endif
            fi
        }
look:
        tell(GO, x);
told_them:
        atomic {
            if
            :: tells ->
                assert(!MISSED);
                owed = owed - (passed[x] -> 0 : 1);
                passed[x] = 1
            :: else
            fi;
            left = 0;
            tells = 0;
            missed[1] = 0;
            missed[2] = 0;
#if MEMBERS > 2
            missed[3] = 0
#endif
        }
wake_them:
        atomic {
#ifndef BUG_SILENT
            asleep[1] = asleep[1] && !(marked[1] && told[1] != NOTHING);
            asleep[2] = asleep[2] && !(marked[2] && told[2] != NOTHING);
#if MEMBERS > 2
            asleep[3] = asleep[3] && !(marked[3] && told[3] != NOTHING);
#endif
#endif
            skip
        }
        atomic {
            if
            :: x != NOTIFIER -> waits[x] = 0; told[x] = OVER; turn[x] = 0; marked[x] = 0; open[x] = 0
            :: else
            fi;
            recovered[x] = 1;
            x = 0;
            goto end_asleep
        }
    } unless {
        killed
    }
    atomic {
        killed = 0;
        missed[1] = 0;
        missed[2] = 0;
#if MEMBERS > 2
        missed[3] = 0;
#endif
        x = 0;
        left = 0;
        tells = 0;
        forget();
        goto anew
    }
}

inline kill_one(x)
{
    over[x] = 1;
    lock = (lock == x -> 0 : lock);
    deaths++;
    if
    :: x != NOTIFIER -> asleep[x] = 0; missed[x] = 0
    :: else
    fi
}

#define MAY_DIE(x) deaths < MOST_DEATHS && !over[x] && !recovered[x]

proctype killer()
{
end_killer:
    do
    :: atomic { MAY_DIE(1) -> kill_one(1) }
    :: atomic { MAY_DIE(2) -> kill_one(2) }
#if MEMBERS > 2
    :: atomic { MAY_DIE(3) -> kill_one(3) }
#endif
    :: atomic { MAY_DIE(NOTIFIER) -> kill_one(NOTIFIER) }
#ifdef MORTAL
    :: atomic { deaths < MOST_DEATHS && !killed -> killed = 1; deaths++ }
#endif
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    od
}

proctype judge()
{
end_waits:
    timeout;
#ifdef VICTIM
    !ANY(TOLD_IN_VAIN) && (owed <= 0 || !ANY(LEFT_OVER))
#else
    !ANY(TOLD_IN_VAIN) && owed == 0
#endif
}

init {
    atomic {
        passed[NOTIFIER] = 1;
        told[1] = OVER;
        told[2] = OVER;
#if MEMBERS > 2
        told[3] = OVER;
#endif
        run member(1);
        run member(2);
#if MEMBERS > 2
        run member(3);
#endif
        run notifier(NOTIFIER);
#ifndef NO_JANITOR
        run janitor();
#endif
        run killer();
        run judge()
    }
}
