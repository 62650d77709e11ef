/* SPDX-License-Identifier: MIT
 *
 * pipe_record.c - a record goes through a pipe, and an answer comes back.
 *
 *     Python: parent, child = Pipe(); child.send([42, None, 'hello']); print(parent.recv())
 *
 * The child's end is closed nowhere: the parent sees the end of the child without that.
 */
#include <mp/mp.h>
#include <stdio.h>
#include <string.h>

struct record { /* flat: no pointers; what is shared goes in as a handle */
    int number;
    mp_block more; /* {0}: None */
    char text[16];
};

/* Answers until nobody asks any more. */
static int answer(void *args)
{
    mp_connection *end = args;
    struct record record;
    int result;
    while ((result = mp_connection_recv(*end, &record, sizeof record, NULL, MP_FOREVER)) == 0) {
        record.number *= 2;
        for (char *c = record.text; *c; c++) *c = (char)(*c - 'a' + 'A');
        MP_CHECK(mp_connection_send(*end, &record, sizeof record, MP_FOREVER));
    }
    return result == MP_ECLOSED ? 0 : result;
}

int main(void)
{
    mp_freeze_support();
    mp_connection ours, theirs;
    mp_process process;
    struct record record = {.number = 42, .text = "hello"};
    MP_CHECK(mp_pipe_create(&ours, &theirs, NULL));
    MP_CHECK(mp_process_start(&process, answer, &theirs, sizeof theirs, NULL));

    MP_CHECK(mp_connection_send(ours, &record, sizeof record, MP_FOREVER));
    MP_CHECK(mp_connection_recv(ours, &record, sizeof record, NULL, MP_FOREVER));
    printf("[%d, %s, '%s']\n", record.number, record.more.id ? "a block" : "None", record.text);

    MP_CHECK(mp_connection_close(ours)); /* the child's next receive is MP_ECLOSED */
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    mp_connection_close(theirs);
    return record.number == 84 && !record.more.id && strcmp(record.text, "HELLO") == 0 ? 0 : 1;
}
