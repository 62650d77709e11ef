/* SPDX-License-Identifier: MIT
 *
 * pipeline.c - pictures go from process to process, through queues, and are worked on where they lie: nothing is copied.
 *
 *     Python: for picture in iter(before.get, None): work(picture); after.put(picture) - two copies at each stage
 *
 * The source closes its queue when it has no more. Each stage gets what is left there, then MP_ECLOSED, and closes the next
 * one: so the end goes through the pipeline behind the last picture.
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    STAGES = 3,
    PICTURES = 8,
    PIXELS = 1 << 20
};

struct stage {
    mp_queue before, after;
    int number; /* from 1 */
};

static void work(unsigned char *pixels, int number)
{
    for (int i = 0; i < PIXELS; i++) pixels[i] = (unsigned char)(pixels[i] * 3 + number);
}

static int draw(void *args) /* the source */
{
    mp_queue *after = args;
    mp_message picture;
    for (int i = 1; i <= PICTURES; i++) {
        MP_CHECK(mp_message_create(&picture, PIXELS));
        *(unsigned char *)picture.data = (unsigned char)i; /* the others are 0 */
        MP_CHECK(mp_queue_put_message(*after, &picture, MP_FOREVER));
    }
    return mp_queue_close(*after);
}

static int run_stage(void *args)
{
    const struct stage *stage = args;
    mp_message picture;
    int result;
    while ((result = mp_queue_get_message(stage->before, &picture, MP_FOREVER)) == 0) {
        work(picture.data, stage->number);
        MP_CHECK(mp_queue_put_message(stage->after, &picture, MP_FOREVER)); /* now it is not ours any more */
    }
    if (result != MP_ECLOSED) MP_CHECK(result);
    return mp_queue_close(stage->after);
}

int main(void)
{
    mp_freeze_support();
    mp_queue queues[STAGES + 1];
    mp_process processes[STAGES + 1];
    mp_message picture;
    int result, good = 0;
    for (int i = 0; i <= STAGES; i++) /* room for two: who is faster waits for who is slower */
        MP_CHECK(mp_queue_create(&queues[i], &(mp_queue_options){.maxsize = 2}));
    MP_CHECK(mp_process_start(&processes[0], draw, &queues[0], sizeof queues[0], NULL));
    for (int i = 1; i <= STAGES; i++) {
        struct stage stage = {queues[i - 1], queues[i], i};
        MP_CHECK(mp_process_start(&processes[i], run_stage, &stage, sizeof stage, NULL));
    }

    static unsigned char expected[PIXELS];
    for (int count = 1; (result = mp_queue_get_message(queues[STAGES], &picture, MP_FOREVER)) == 0; count++) {
        const unsigned char *pixels = picture.data;
        for (int i = 0; i < PIXELS; i++) expected[i] = i == 0 ? (unsigned char)count : 0;
        for (int i = 1; i <= STAGES; i++) work(expected, i);
        bool equal = picture.size == PIXELS;
        for (int i = 0; equal && i < PIXELS; i++) equal = pixels[i] == expected[i];
        good += equal;
        mp_message_destroy(&picture);
    }
    if (result != MP_ECLOSED) MP_CHECK(result);
    MP_CHECK(mp_process_join_all(processes, NULL, STAGES + 1, MP_FOREVER));
    for (int i = 0; i <= STAGES; i++) mp_queue_destroy(queues[i]);
    printf("%d of %d pictures went through %d stages\n", good, PICTURES, STAGES);
    return good == PICTURES ? 0 : 1;
}
