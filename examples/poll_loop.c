/* SPDX-License-Identifier: MIT
 *
 * poll_loop.c - an event loop of the program's own, here poll(2), that watches a queue and a worker beside the terminal.
 *
 *     Python: loop.add_reader(queue._reader.fileno(), on_result); loop.add_reader(worker.sentinel, on_end)
 */
#include <mp/mp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TERMINAL, /* any descriptor of the program's */
    RESULTS,
    WORKER,
    WATCHED
};

struct job {
    mp_queue results;
    mp_event stop;
};

static int work(void *args)
{
    struct job *job = args;
    for (int number = 1; number <= 5 && !MP_CHECK(mp_event_is_set(job->stop)); number++) {
        int square = number * number;
        MP_CHECK(mp_queue_put(job->results, &square, sizeof square, MP_FOREVER));
    }
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct job job;
    mp_process worker;
    struct pollfd watched[WATCHED] = {[TERMINAL] = {.fd = STDIN_FILENO}};
    MP_CHECK(mp_queue_create(&job.results, NULL));
    MP_CHECK(mp_event_create(&job.stop, NULL));
    MP_CHECK(mp_process_start(&worker, work, &job, sizeof job, NULL));
    MP_CHECK(mp_wait_fd(MP_HANDLE(job.results), &watched[RESULTS].fd));
    MP_CHECK(mp_wait_fd(MP_HANDLE(worker), &watched[WORKER].fd));
    for (int i = 0; i < WATCHED; i++) watched[i].events = POLLIN;

    int square, exit_code = 0;
    bool ended = false;
    while (!ended) {
        char line[80];
        if (poll(watched, WATCHED, -1) < 0) continue; /* a signal handler ran */
        if (watched[TERMINAL].revents) {
            if (read(STDIN_FILENO, line, sizeof line) > 0) MP_CHECK(mp_event_set(job.stop)); /* Return was pressed */
            watched[TERMINAL].fd = -1;
        }
        if (watched[RESULTS].revents) {
            int result = mp_queue_get(job.results, &square, sizeof square, NULL, 0);
            if (result == 0) printf("%d\n", square);
            if (result == MP_EPEERDEAD) watched[RESULTS].fd = -1; /* readable from here on: nobody is left to put any */
        }
        if (watched[WORKER].revents) ended = MP_CHECK(mp_process_join(worker, &exit_code, 0)) == 0;
    }
    while (mp_queue_get(job.results, &square, sizeof square, NULL, 0) == 0) printf("%d\n", square); /* its last ones */
    printf("the worker has ended with %d\n", exit_code);

    mp_process_close(worker); /* which closes its descriptor, too */
    mp_queue_destroy(job.results);
    mp_event_destroy(job.stop);
    return exit_code;
}
