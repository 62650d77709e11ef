/* SPDX-License-Identifier: MIT
 *
 * joinable.c - workers say when a task is done, and main waits for all; one is killed with a task in its hands.
 *
 *     Python: task = q.get(); ...; q.task_done(); and q.join(), which waits for ever once a worker was killed
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    WORKERS = 3,
    TASKS = 100,
    DEADLY = 37 /* the task whose worker is killed, the first time */
};

struct job {
    mp_queue tasks;         /* int: from 1 */
    mp_array in_hand, done; /* int: the task of each worker, or 0; how often each task was done */
    mp_event begun_deadly, never;
    int worker;
};

static int work(void *args)
{
    const struct job *job = args;
    int *in_hand = &MP_ARRAY(int, job->in_hand)[job->worker], *done = MP_ARRAY(int, job->done), result;
    for (int task; (result = mp_queue_get(job->tasks, &task, sizeof task, NULL, MP_FOREVER)) == 0;) {
        *in_hand = task;
        if (task == DEADLY && !MP_CHECK(mp_event_is_set(job->begun_deadly))) {
            MP_CHECK(mp_event_set(job->begun_deadly));
            MP_CHECK(mp_event_wait(job->never, MP_FOREVER));
        }
        MP_WITH_LOCK(job->done) done[task]++;
        *in_hand = 0;
        MP_CHECK(mp_queue_task_done(job->tasks));
    }
    return result == MP_ECLOSED ? 0 : result;
}

/* The worker that has begun that task. */
static int worker_of(struct job *job, int task)
{
    int worker = 0;
    while (worker < WORKERS - 1 && MP_ARRAY(int, job->in_hand)[worker] != task) worker++;
    return worker;
}

int main(void)
{
    mp_freeze_support();
    struct job job;
    mp_process workers[WORKERS];
    MP_CHECK(mp_queue_create(&job.tasks, &(mp_queue_options){.name = "tasks", .joinable = true}));
    MP_CHECK(mp_array_create(&job.in_hand, WORKERS, sizeof(int), &(mp_shared_options){.raw = true}));
    MP_CHECK(mp_array_create(&job.done, TASKS + 1, sizeof(int), NULL));
    MP_CHECK(mp_event_create(&job.begun_deadly, NULL));
    MP_CHECK(mp_event_create(&job.never, NULL));
    for (job.worker = 0; job.worker < WORKERS; job.worker++)
        MP_CHECK(mp_process_start(&workers[job.worker], work, &job, sizeof job, NULL));
    for (int task = 1; task <= TASKS; task++) MP_CHECK(mp_queue_put(job.tasks, &task, sizeof task, MP_FOREVER));

    MP_CHECK(mp_event_wait(job.begun_deadly, MP_FOREVER));
    int killed = worker_of(&job, DEADLY), exit_code;
    MP_CHECK(mp_process_kill(workers[killed]));
    MP_CHECK(mp_process_join(workers[killed], &exit_code, MP_FOREVER));
    int result = mp_queue_join(job.tasks, 0);
    printf("a worker was killed (%d), and join says %s\n", exit_code, mp_error_name(result)); /* MP_ETIMEDOUT */

    /* The others go on. What it had in its hands is put again, and then is done with as far as it was its. */
    int task = MP_ARRAY(int, job.in_hand)[killed];
    MP_CHECK(mp_queue_put(job.tasks, &task, sizeof task, MP_FOREVER));
    MP_CHECK(mp_queue_task_done(job.tasks));
    MP_CHECK(mp_queue_join(job.tasks, MP_FOREVER));

    int once = 0;
    for (task = 1; task <= TASKS; task++) once += MP_ARRAY(int, job.done)[task] == 1;
    printf("%d of %d tasks were done once\n", once, TASKS);
    MP_CHECK(mp_queue_close(job.tasks)); /* the workers' next get is MP_ECLOSED */
    MP_CHECK(mp_process_join_all(workers, (int[WORKERS]){0}, WORKERS, MP_FOREVER));
    return once == TASKS && result == MP_ETIMEDOUT ? 0 : 1;
}
