/* SPDX-License-Identifier: MIT
 *
 * family.c - who is who: current, parent and active children, and any member may wait for any other.
 *
 *     Python: current_process(), parent_process(), active_children()
 */
#include <mp/mp.h>
#include <stdio.h>

static void introduce(mp_process process)
{
    printf("%s (pid %lld), child of %s\n", mp_process_name(process), (long long)mp_process_pid(process),
           mp_process_name(mp_process_parent(process)));
    fflush(stdout);
}

static int grandchild(void *args)
{
    mp_lock *held = args;
    introduce(mp_current_process());
    MP_CHECK(mp_lock_acquire(*held, MP_FOREVER)); /* until main releases it */
    return mp_lock_release(*held);
}

static int child(void *args)
{
    introduce(mp_current_process());
    MP_CHECK(mp_process_start(NULL, grandchild, args, sizeof(mp_lock), NULL));
    return 0; /* joins the grandchild first */
}

int main(void)
{
    mp_freeze_support();
    mp_process process, children[4];
    mp_lock held;
    size_t count;
    MP_CHECK(mp_lock_create(&held, NULL));
    MP_CHECK(mp_lock_acquire(held, MP_FOREVER));
    MP_CHECK(mp_process_start(&process, child, &held, sizeof held, NULL));
    MP_CHECK(mp_active_children(children, 4, &count));
    for (size_t i = 0; i < count && i < 4; i++)
        printf("%s has the child %s\n", mp_process_name(mp_current_process()), mp_process_name(children[i]));
    MP_CHECK(mp_lock_release(held));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    MP_CHECK(mp_active_children(NULL, 0, &count));
    printf("now it has %zu\n", count);
    return count == 0 && mp_parent_process().id == 0 ? 0 : 1;
}
