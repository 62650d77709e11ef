/* SPDX-License-Identifier: MIT
 *
 * janitor.pml - the janitor's sleep and ring, its death, another one, its retirement (base/janitor.c, janitor_main.c), for
 * spin.
 *
 * Members come, ring, see to it that there is a janitor, and end in order or are killed, at any step once they have rung.
 * Janitors are launched, claim to be it, look at all, sleep, retire; MOST_DEATHS of them are killed, at any step. What is
 * proved:
 *   - never do two of them serve;
 *   - whoever has come, and was told that there is one, is not left by it: none retires as long as somebody is left;
 *   - KEEPER: member 1 comes sooner or later, stays and looks again and again. Under weak fairness what a dead member 2
 *     left is recovered (ltl recovered);
 *   - RETIRES: all go; when nobody is left, no janitor stays (ltl retired).
 *
 * How it is made simpler than the code:
 *   - A member has one life and one record: those of its process; that only the janitor sleeps on. Each comes once.
 *   - That two looks found the same (`settled`) is left to chance: the protocol must not need it.
 *   - Of what is recovered only that it is: lock.pml has the steps.
 *   - To look at all lives, to compare and to fall asleep is one step; between the look at the records and that members die.
 *     A life that is over then, or has ended, keeps it from sleeping (BUG_BLIND: is left out).
 *   - Whoever launches runs out of patience at any time, at the latest when none is on its way.
 *   - Steps are sequentially consistent. A fence of J1 that is missing is a store that comes late: BUG_LOOK_ONCE is that of
 *     the janitor, BUG_RING_FIRST that of the member.
 *
 * RING_DEATHS  members may also be killed before they have rung: nobody knows of them then, and the janitor sleeps.
 * RING_AGAIN   another one, its parent, rings for it: what makes up for that.
 * STRANGER     one more is killed after it has counted the bell up, and before it wakes the janitor.
 * BUG_...      what was, or would be, wrong: each has to fail.
 */
#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif

/* Lives. */
#define NOT   0 /* not begun, or ended in order */
#define LASTS 1
#define OVER  2

/* Members. */
bit record[MEMBERS + 1], gone[MEMBERS + 1], told[MEMBERS + 1], rung[MEMBERS + 1];
byte life[MEMBERS + 1];

/* The janitor, as all see it; janitors are 1 and 2. */
byte its_pid; /* 0: there is none */
bit pid_is_gone;
byte its_life, its_holder;
bit asleep, launched;
bit rang; /* since the janitor said that it sleeps */

/* Each of the two. */
bit runs[3], dead[3], serves[3], sleeps[3];
byte watched[3]; /* bits: on whose lives */

byte guard; /* the arena's lock: 1 and 2 are janitors, members hold it for a step only */
byte deaths;

#define IS_THERE (its_pid != 0 && its_life != OVER && (its_life == LASTS || !pid_is_gone))
#if MEMBERS > 2
#define ALL(x) (x[1] && x[2] && x[3])
#define NO(x)  (!x[1] && !x[2] && !x[3])
#else
#define ALL(x) (x[1] && x[2])
#define NO(x)  (!x[1] && !x[2])
#endif
#define RECOVERABLE(x) (record[x] && life[x] != LASTS && gone[x])

#define BIT(x) (1 << (x))
#define WAKE_WHO_WATCHES(x) \
    sleeps[1] = sleeps[1] && !(watched[1] & BIT(x)); \
    sleeps[2] = sleeps[2] && !(watched[2] & BIT(x))

/* ---- members --------------------------------------------------------------------------------------------------- */

inline ring()
{
    if
    :: atomic { asleep -> skip }
        if
#ifdef BUG_ANSWERED
        :: atomic { asleep -> asleep = 0; rang = 1 }
#else
        :: atomic { asleep -> rang = 1 }
#endif
            atomic { sleeps[1] = 0; sleeps[2] = 0 }
        :: atomic { !asleep -> skip }
        fi
    :: atomic { !asleep -> skip }
    fi
}

inline ensure()
{
    if
    :: atomic { IS_THERE -> told[me] = 1 }
#ifdef RING_AGAIN
        ring()
#endif
    :: atomic { !IS_THERE && !launched -> launched = 1 }
        launch()
    :: atomic { !IS_THERE && launched && (runs[1] || runs[2]) -> skip } /* patience */
    :: atomic { !IS_THERE && launched -> skip }
        launch()
    fi
}

inline launch()
{
    atomic {
        if
        :: !runs[1] -> runs[1] = 1
        :: runs[1] && !runs[2] -> runs[2] = 1
        :: runs[1] && runs[2] -> skip /* it fails */
        fi
    }
}

proctype member(byte me)
{
    {
        skip;
end_outside:
        if
        :: atomic { true -> skip }
#ifdef KEEPER
        :: atomic { me != 1 -> gone[me] = 1 }
#else
        :: atomic { true -> gone[me] = 1 } /* it never comes */
#endif
        fi;
#ifdef BUG_RING_FIRST
        ring();
        atomic { record[me] = 1; life[me] = LASTS }
#else
        record[me] = 1;
        life[me] = LASTS;
        ring();
#endif
        rung[me] = 1;
        guard == 0; /* mp__thread_join */
looks:
        ensure();
        if
        :: goto looks
#ifdef KEEPER
        :: atomic { me != 1 -> skip }
#else
        :: true
#endif
        fi;
        /* It ends in order. */
        atomic { life[me] = NOT; WAKE_WHO_WATCHES(me) }
        atomic { record[me] = 0; told[me] = 0; rung[me] = 0; gone[me] = 1 }
    } unless {
        gone[me]
    }
end_gone:
    skip
}

/* ---- the janitor ----------------------------------------------------------------------------------------------- */

inline lock()
{
    atomic { guard == 0 -> guard = me }
}

inline unlock()
{
    guard = 0
}

inline exit_now()
{
    atomic {
        pid_is_gone = pid_is_gone || its_pid == me;
        runs[me] = 0;
        serves[me] = 0;
        who = 0;
        watches = 0;
        again = 0;
        goto idle
    }
}

#define NOBODY  (!again && watches == 0)
#define SETTLED (!again && watches != 0)

proctype janitor(byte me)
{
    byte who, watches;
    bit again;
idle:
    {
        skip;
end_idle:
        atomic { runs[me] -> skip }
        /* mp__janitor_claim */
#ifndef BUG_CLAIM_UNLOCKED
        lock();
#endif
        if
        :: atomic { IS_THERE ->
            if
            :: guard == me -> guard = 0
            :: else
            fi }
            exit_now()
        :: atomic { !IS_THERE -> its_pid = 0; pid_is_gone = 0 }
        fi;
        atomic { its_life = LASTS; its_holder = me }
        asleep = 0;
        atomic { its_pid = me; pid_is_gone = 0; serves[me] = 1; assert(!serves[3 - me]) }
        launched = 0;
#ifndef BUG_CLAIM_UNLOCKED
        unlock();
#endif
look:
        atomic { who = 1; watches = 0; again = 0; rang = (asleep -> 0 : rang) }
        do
        :: atomic { who <= MEMBERS && RECOVERABLE(who) && guard == 0 -> record[who] = 0; life[who] = NOT; who++ }
        :: atomic { who <= MEMBERS && !RECOVERABLE(who) ->
            if
            :: record[who] && life[who] == LASTS -> watches = watches | BIT(who)
            :: record[who] && life[who] != LASTS -> again = 1
            :: else
            fi;
            who++ }
        :: atomic { who > MEMBERS -> who = 0; break }
        od;
        if
        :: atomic { NOBODY -> skip }
            /* mp__janitor_retire */
#ifndef BUG_RETIRE_UNLOCKED
            lock();
#endif
            if
            :: atomic { NO(record) -> skip }
                atomic { its_life = NOT; its_holder = 0 }
                atomic { its_pid = 0; pid_is_gone = 0; serves[me] = 0; assert(NO(told)) }
#ifndef BUG_RETIRE_UNLOCKED
                unlock();
#endif
                exit_now()
            :: atomic { !NO(record) ->
#ifndef BUG_RETIRE_UNLOCKED
                guard = 0
#else
                skip
#endif
                }
            fi
        :: atomic { !NOBODY -> skip }
        fi;
        if
        :: atomic { asleep = 0; goto look } /* not settled; and a nap */
        :: atomic { SETTLED && !asleep ->
            asleep = 1;
            rang = 0;
#ifdef BUG_LOOK_ONCE
            goto sleep
#else
            goto look
#endif
            }
        :: atomic { SETTLED && asleep -> goto sleep }
        fi;
sleep:
        /* The kernel compares them all, and lets it sleep, in one. */
        atomic {
            if
#ifdef BUG_ANSWERED
            :: !asleep
            :: asleep ->
#else
            :: rang
            :: !rang ->
#endif
                sleeps[me] = 1;
                who = 1;
                do
                :: who <= MEMBERS ->
                    if
                    :: watches & BIT(who) && life[who] != LASTS ->
#ifdef BUG_BLIND
                        watches = watches & ~BIT(who)
#else
                        sleeps[me] = 0
#endif
                    :: else
                    fi;
                    who++
                :: else -> break
                od;
                watched[me] = watches
            fi;
            who = 0
        }
end_asleep:
        atomic { !sleeps[me] -> watched[me] = 0; goto look }
    } unless {
        dead[me]
    }
    atomic { dead[me] = 0; runs[me] = 0; who = 0; watches = 0; again = 0; goto idle }
}

/* ---- deaths ---------------------------------------------------------------------------------------------------- */

#ifdef RING_DEATHS
#define MAY_DIE(x) record[x] && !gone[x]
#else
#define MAY_DIE(x) record[x] && !gone[x] && rung[x]
#endif
#define KILL_MEMBER(x) \
    gone[x] = 1; \
    told[x] = 0; \
    rung[x] = 0; \
    life[x] = (life[x] == LASTS -> OVER : life[x]); \
    WAKE_WHO_WATCHES(x)
#define KILL_JANITOR(x) \
    dead[x] = 1; \
    deaths++; \
    serves[x] = 0; \
    sleeps[x] = 0; \
    watched[x] = 0; \
    pid_is_gone = pid_is_gone || (its_pid == x && its_life == NOT); \
    its_life = (its_holder == x -> OVER : its_life); \
    its_holder = (its_holder == x -> 0 : its_holder); \
    guard = (guard == x -> 0 : guard)

proctype killer()
{
end_killer:
    do
#ifndef KEEPER
    :: atomic { MAY_DIE(1) -> KILL_MEMBER(1) }
#endif
    :: atomic { MAY_DIE(2) -> KILL_MEMBER(2) }
#if MEMBERS > 2
    :: atomic { MAY_DIE(3) -> KILL_MEMBER(3) }
#endif
    :: atomic { deaths < MOST_DEATHS && runs[1] && !dead[1] -> KILL_JANITOR(1) }
    :: atomic { deaths < MOST_DEATHS && runs[2] && !dead[2] -> KILL_JANITOR(2) }
    od
}

#ifdef STRANGER
proctype stranger()
{
end_stranger:
#ifdef BUG_ANSWERED
    atomic { asleep -> asleep = 0; rang = 1 } /* and is killed */
#else
    atomic { asleep -> rang = 1 }
#endif
}
#endif

init {
    atomic {
        run member(1);
        run member(2);
#if MEMBERS > 2
        run member(3);
#endif
        run janitor(1);
        run janitor(2);
#ifdef STRANGER
        run stranger();
#endif
        run killer()
    }
}

#ifdef KEEPER
ltl recovered { [] ((record[2] && gone[2]) -> <> !record[2]) }
#endif
#ifdef RETIRES
ltl retired { [] ((NO(record) && ALL(gone)) -> <> (!serves[1] && !serves[2])) }
#endif
