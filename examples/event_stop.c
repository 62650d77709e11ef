/* SPDX-License-Identifier: MIT
 *
 * event_stop.c - an event as a stop sign: set by the handler of Ctrl-C, seen by workers between two pieces of work.
 *
 *     event_stop [seconds to wait for Ctrl-C]
 *
 *     Python: while not stop.is_set(): ...; while not stop.wait(0.02): ...
 */
#include <mp/mp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static mp_event stop; /* in main's process only, for the handler, which gets no argument of ours */

static void on_interrupt(int number)
{
    (void)number;
    mp_event_set(stop);
}

/* Has work without end, and looks after each piece of it. */
static int compute(void *args)
{
    mp_event *told = args;
    int pieces = 0;
    signal(SIGINT, SIG_IGN); /* a terminal sends it to all of its programs: main alone decides */
    do {
        for (volatile long work = 0; work < 1000000; work++) {}
        pieces++;
    } while (!MP_CHECK(mp_event_is_set(*told)));
    printf("computed %d piece%s\n", pieces, pieces == 1 ? "" : "s");
    return 0;
}

/* Has something to do every 20 ms, and does not sleep through the stop. */
static int tick(void *args)
{
    mp_event *told = args;
    int ticks = 0, result;
    signal(SIGINT, SIG_IGN);
    while ((result = mp_event_wait(*told, 20)) == MP_ETIMEDOUT) ticks++;
    printf("ticked %d time%s\n", ticks, ticks == 1 ? "" : "s");
    return MP_CHECK(result);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    int64_t seconds = argc > 1 ? atoi(argv[1]) : 1;
    mp_process workers[3];
    MP_CHECK(mp_event_create(&stop, &(mp_event_options){.name = "stop"}));
    signal(SIGINT, on_interrupt);
    for (int i = 0; i < 3; i++)
        MP_CHECK(mp_process_start(&workers[i], i == 0 ? tick : compute, &stop, sizeof stop, NULL));

    bool pressed = mp_event_wait(stop, seconds * 1000) == 0;
    if (!pressed) raise(SIGINT); /* nobody has pressed Ctrl-C: do as if */
    MP_CHECK(mp_process_join_all(workers, NULL, 3, MP_FOREVER));
    printf("all have stopped%s\n", pressed ? "" : ", and nobody had to press Ctrl-C");
    return 0;
}
