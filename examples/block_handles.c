/* SPDX-License-Identifier: MIT
 *
 * block_handles.c - a linked list in shared memory: blocks that name each other by handle.
 *
 *     Python: SharedMemory(create=True, size=...), found again by its name
 *
 * A block lies at another address in each process, so a pointer inside one would be wrong elsewhere. A handle is right
 * everywhere: in an argument, in a struct, in another block.
 */
#include <mp/mp.h>
#include <stdio.h>

struct node {
    mp_block next; /* {0} is the end */
    char text[24];
};

static int read_list(void *args)
{
    mp_block block = *(mp_block *)args;
    while (block.id) {
        struct node *node = mp_block_data(block);
        if (!node) return MP_EBADHANDLE;
        printf("%s (%zu bytes) ", node->text, mp_block_size(block));
        block = node->next;
    }
    puts("read by the child");
    return 0;
}

int main(void)
{
    mp_freeze_support();
    mp_block first = {0}, block;
    for (int i = 3; i > 0; i--) {
        MP_CHECK(mp_block_create(&block, sizeof(struct node)));
        struct node *node = mp_block_data(block);
        snprintf(node->text, sizeof node->text, "node %d", i);
        node->next = first;
        first = mp_block_of(node); /* back from the address: the same handle as block */
    }
    mp_process process;
    MP_CHECK(mp_process_start(&process, read_list, &first, sizeof first, NULL));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    mp_process_close(process);

    while (first.id) { /* not needed: everything goes with the last process of the family */
        struct node *node = mp_block_data(first);
        block = first;
        first = node->next;
        mp_block_destroy(block);
    }
    printf("a stale handle names %s\n", mp_block_data(block) ? "a block" : "nothing");
    return mp_block_data(block) ? 1 : 0;
}
