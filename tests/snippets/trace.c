/* SPDX-License-Identifier: MIT */
#include "snippet.h"

static int xs[100], ys[100];

static int square(mp_task *task)
{
    const int *x = task->input;
    *(int *)task->output = *x * *x;
    return 0;
}

/* Under another name: what it writes is there when the process that runs it has ended. */
#define main traced
#include "trace.snippet"
#undef main

static int run(void *args)
{
    (void)args;
    exit(traced());
}

static bool is_whole(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, -2, SEEK_END)) return false;
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    return size == 2 && memcmp(text, "}\n", 2) == 0;
}

int main(void)
{
    mp_freeze_support();
    for (int i = 0; i < 100; i++) xs[i] = i;
    (void)remove("timeline.json");
    mp_process process;
    MP_CHECK(mp_process_start(&process, run, NULL, 0, &(mp_process_options){.method = MP_SPAWN}));
    MP_CHECK(mp_process_join(process, NULL, MP_FOREVER));
    REQUIRE(is_whole("timeline.json"));
    return 0;
}
