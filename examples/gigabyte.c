/* SPDX-License-Identifier: MIT
 *
 * gigabyte.c - a large array moves to another process and back, and is not copied.
 *
 *     gigabyte [MiB, default 64]
 *
 *     Python: c.send_bytes(array); array = c.recv_bytes() - each copies all of it, through the kernel
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static double microseconds(void)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    return (double)now.tv_sec * 1e6 + (double)now.tv_usec;
}

/* Changes the first number and the last one, and sends it back. */
static int change(void *args)
{
    mp_connection *end = args;
    mp_message message;
    MP_CHECK(mp_connection_recv_message(*end, &message, MP_FOREVER));
    uint64_t *numbers = message.data; /* at another address than in the parent: the same memory */
    numbers[0] += 1000;
    numbers[message.size / sizeof *numbers - 1] += 1000;
    return mp_connection_send_message(*end, &message, MP_FOREVER);
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    long mib = argc > 1 ? atol(argv[1]) : 64;
    if (mib < 1) {
        fprintf(stderr, "usage: gigabyte [MiB]\n");
        return 1;
    }
    mp_connection ours, theirs;
    mp_process process;
    mp_message message;
    MP_CHECK(mp_pipe_create(&ours, &theirs, NULL));
    MP_CHECK(mp_process_start(&process, change, &theirs, sizeof theirs, NULL));
    MP_CHECK(mp_message_create(&message, (size_t)mib << 20));
    size_t count = message.size / sizeof(uint64_t), wrong = 0;
    uint64_t *numbers = message.data;
    for (size_t i = 0; i < count; i++) numbers[i] = i;

    double since = microseconds();
    MP_CHECK(mp_connection_send_message(ours, &message, MP_FOREVER)); /* from here on it is not ours: message is zero */
    MP_CHECK(mp_connection_recv_message(ours, &message, MP_FOREVER));
    fprintf(stderr, "there and back in %.0f us, the start of the child included\n", microseconds() - since);

    numbers = message.data;
    for (size_t i = 0; i < count; i++) wrong += numbers[i] != i + (i == 0 || i == count - 1 ? 1000 : 0);
    printf("%zu MiB there and back, %zu wrong\n", message.size >> 20, wrong);
    MP_CHECK(mp_message_destroy(&message));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    mp_connection_close(ours);
    mp_connection_close(theirs);
    return wrong ? 1 : 0;
}
