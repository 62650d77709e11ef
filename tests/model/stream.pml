/* SPDX-License-Identifier: MIT
 *
 * stream.pml - messages that are larger than the ring (base/channel_stream.c), and deaths, for spin.
 *
 * Senders send one message each, of two parts, one sender after the other; receivers receive, one after the other. Each may be
 * killed between any two of its steps, MOST_DEATHS of them at most, or give up (HASTY), and the next one at that side goes on.
 * What is proved:
 *   - who receives a message has all of its parts, in their order, of one and the same attempt to send it;
 *   - a message is received once at most by one who lives;
 *   - a send that returns success was received, one that gives up was not, and will not be;
 *   - when nothing can happen any more nobody is in the middle of anything, but a sender whose message nobody wants to receive.
 *
 * How it is made simpler than the code:
 *   - The lock of a side is taken and released in one step each (lock.pml has it), so those at one side come one after the
 *     other: a process of the model is all of them, one life after the other.
 *   - Records are one granule, and positions do not come round: the ring has room for ROOM of them, each position is used once.
 *   - A record and the side's `at` change in one step, and so do `at` and what is skipped: channel.pml has what deaths leave there.
 *   - Whoever waits goes on when it may (eventcount.pml has the bells).
 *   - Steps are sequentially consistent.
 *
 * HASTY     senders and receivers may give up, so many times between them.
 * BUG_...   what was, or would be, wrong: each has to fail.
 *
 * What the code did once, until this model found it:
 *   - BUG_SINCE_NOW: who gives up, and finds its last part taken, waits until that is committed, or its receiver is dead. Was that
 *     dead already, and recovered, it saw nothing of that, and took what the next one skips for received. So here it counts
 *     from when the attempt began.
 */
#ifndef MOST_DEATHS
#define MOST_DEATHS 1
#endif
#define ROOM     2
#define PLACES   10
#define ATTEMPTS 3 /* to send; more are not followed */

/* Lives: 1 and 2 send, 3 to 5 receive. */
#define SENDER   1
#define RECEIVER 3
#define LIVES    6

#define NONE   0
#define STREAM 1
#define CHUNK  2
#define LAST   3
#define TAKEN  4
#define CUT    5
#define RECORD(kind, number) ((kind) + 8 * (number))
#define KIND(word)           ((word) % 8)
#define ATTEMPT(word)        ((word) / 8)

byte words[PLACES];
byte put_owner, get_owner, put_at, get_at;
bit put_died, get_died;
bit sends, receives; /* MP__SIDE_STREAM of either side */
byte most;           /* R2 */

bit over[LIVES];
byte sender_now = SENDER, receiver_now = RECEIVER;

/* For the proof. */
byte deaths, attempts, given_up;
bit too_much; /* it is not followed further */
byte sender_of[ATTEMPTS + 1];
bit committed[RECEIVER], received[RECEIVER];

#define HAS_ROOM   (put_at - get_at < ROOM && put_at + 1 < PLACES)
#define ALL_IS_GOT (put_at == get_at)
/* await: it looks whether the receiver has left first, for to skip is to get, too. */
#ifdef BUG_GOT_FIRST
#define ANEW_BEFORE(so) (!(so) && most != since)
#define GOES_ON(so)     (so)
#else
#define ANEW_BEFORE(so) (most != since)
#define GOES_ON(so)     ((so) && most == since)
#endif

#ifdef HASTY
#define OR_GIVE_UP :: atomic { given_up < HASTY -> given_up++; goto gives_up }
#else
#define OR_GIVE_UP
#endif

inline put_record(kind)
{
    words[put_at] = RECORD(kind, attempts);
    put_at++
}

/* mp__channel_put_stream, by one after the other */
proctype sender()
{
    byte me = SENDER, since, last;
anew:
    {
        skip;
end_rest:
        atomic {
            put_owner == 0;
            put_owner = me;
            /* repair_put: R1 */
#ifndef BUG_FLAG_STAYS
            sends = (put_died -> 0 : sends);
#endif
            put_died = 0
        }
        sends = 1;
again:
        /* put_all */
        atomic {
            since = most;
            last = PLACES;
            if
            :: attempts == ATTEMPTS || put_at + 4 > PLACES -> too_much = 1; goto end_too_much
            :: else
            fi
        }
        if
        :: atomic { ANEW_BEFORE(HAS_ROOM) -> goto again }
        :: atomic { GOES_ON(HAS_ROOM) -> attempts++; sender_of[attempts] = me; put_record(STREAM) }
        OR_GIVE_UP
        fi;
        if
        :: atomic { ANEW_BEFORE(HAS_ROOM) -> goto again }
        :: atomic { GOES_ON(HAS_ROOM) -> put_record(CHUNK) }
        OR_GIVE_UP
        fi;
        if
        :: atomic { ANEW_BEFORE(HAS_ROOM) -> goto again }
        :: atomic { GOES_ON(HAS_ROOM) -> last = put_at; put_record(LAST) }
        OR_GIVE_UP
        fi;
        if
        :: atomic { ANEW_BEFORE(ALL_IS_GOT) -> goto again }
        :: atomic { GOES_ON(ALL_IS_GOT) -> goto success }
        OR_GIVE_UP
        fi;
gives_up:
        /* R3 */
        atomic {
            if
            :: last == PLACES -> last = 0; goto failure
#ifdef BUG_NOT_CUT
            :: last < PLACES -> goto failure
#else
            :: last < PLACES && KIND(words[last]) == LAST -> words[last] = RECORD(CUT, ATTEMPT(words[last])); goto failure
            :: last < PLACES && KIND(words[last]) != LAST -> skip
#endif
            fi;
#ifdef BUG_SINCE_NOW
            since = most
#endif
        }
        if
        :: atomic { ANEW_BEFORE(ALL_IS_GOT) -> goto failure }
        :: atomic { GOES_ON(ALL_IS_GOT) -> goto success }
        fi;
success:
        atomic { assert(committed[me]); goto leave }
failure:
        atomic { assert(!received[me]); last = 0 }
leave:
        sends = 0;
        atomic { put_owner = 0; goto next }
    } unless {
        over[me]
    }
next:
    atomic {
        since = 0;
        last = 0;
        me++;
        sender_now = me;
        if
        :: me < RECEIVER -> goto anew
        :: else -> goto end_all_sent
        fi
    }
end_too_much:
    false;
end_all_sent:
    skip
}

/* mp__channel_get, by one after the other */
proctype receiver()
{
    byte me = RECEIVER, part, header;
    bit sent;
anew:
    {
        skip;
end_rest:
        atomic {
            get_owner == 0 && (get_died || words[get_at] != NONE);
            get_owner = me;
            /* repair_get: R2 */
#ifndef BUG_LEFT
            most = most + (get_died && receives);
#endif
            receives = (get_died -> 0 : receives);
            get_died = 0
        }
work:
        if
        :: atomic { words[get_at] == NONE -> get_owner = 0; goto end_rest }
        :: atomic { words[get_at] != NONE && KIND(words[get_at]) != STREAM -> get_at++; goto work } /* mp__stream_skip_rest */
        :: atomic { KIND(words[get_at]) == STREAM && !sends -> get_at++; goto work }
        :: atomic { KIND(words[get_at]) == STREAM && sends -> skip }
        fi;
        receives = 1;
        atomic { get_at++; part = 0 }
more:
        /* await_record */
        atomic { sent = sends }
        atomic { header = words[get_at] }
        if
        :: atomic { too_much -> goto end_too_much }
        :: atomic { header == NONE && !sent -> goto dropped }
        :: atomic { header == NONE && sent && (words[get_at] != NONE || !sends) -> goto more }
#ifndef BUG_FLAG_STAYS
        :: atomic { header == NONE && sent && put_died && !put_owner -> put_died = 0; sends = 0; goto more } /* mp__side_make_whole */
#endif
        :: atomic { header != NONE && KIND(header) != CHUNK && KIND(header) != LAST -> goto dropped } /* R1 */
        :: atomic { KIND(header) == CHUNK -> part = ATTEMPT(header); header = 0; get_at++; goto more }
        :: atomic { KIND(header) == LAST -> skip }
#ifdef HASTY
        :: atomic { given_up < HASTY -> given_up++; goto gives_up }
#endif
        fi;
        /* R3 */
        atomic {
            if
            :: words[get_at] == header -> words[get_at] = RECORD(TAKEN, ATTEMPT(header))
            :: else -> goto dropped
            fi
        }
        atomic {
            assert(part == ATTEMPT(header));
            committed[sender_of[part]] = 1;
            get_at++
        }
        atomic {
            assert(!received[sender_of[part]]);
            received[sender_of[part]] = 1;
            receives = 0;
            part = 0;
            header = 0
        }
        atomic { get_owner = 0; goto end_rest }
gives_up:
        /* mp__stream_leave */
#ifndef BUG_LEFT
        most++;
#endif
        skip;
dropped:
        atomic { receives = 0; part = 0; header = 0; sent = 0 }
        goto work
    } unless {
        over[me]
    }
    atomic { part = 0; header = 0; sent = 0; me++; receiver_now = me; goto anew }
end_too_much:
    false
}

/* Who recovers the dead gives up their locks. */
proctype recoverer()
{
end_asleep:
    do
    :: atomic { put_owner && over[put_owner] -> put_owner = 0; put_died = 1 }
    :: atomic { get_owner && over[get_owner] -> get_owner = 0; get_died = 1 }
    od
}

proctype killer()
{
end_killer:
    do
    :: atomic { deaths < MOST_DEATHS -> deaths = MOST_DEATHS } /* no more */
    :: atomic { deaths < MOST_DEATHS && sender_now < RECEIVER && !over[sender_now] -> over[sender_now] = 1; deaths++ }
    :: atomic { deaths < MOST_DEATHS && !over[receiver_now] -> over[receiver_now] = 1; deaths++ }
    od
}

init {
    atomic {
        run killer();
        run recoverer();
        run receiver();
        run sender()
    }
}
