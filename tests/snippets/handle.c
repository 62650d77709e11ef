/* SPDX-License-Identifier: MIT */
#include "snippet.h"

#include "handle.snippet"

static int child(void *args)
{
    struct job *job = args;
    MP_WITH_LOCK(job->lock) MP_ARRAY(int, job->results)[job->first] = 1;
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct job job = {.first = 2};
    mp_process process;
    MP_CHECK(mp_lock_create(&job.lock, NULL));
    MP_CHECK(mp_array_create(&job.results, 3, sizeof(int), NULL));
    MP_CHECK(mp_process_start(&process, child, &job, sizeof job, NULL));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    REQUIRE(MP_ARRAY(int, job.results)[2] == 1);
    return 0;
}
