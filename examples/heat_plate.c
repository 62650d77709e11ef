/* SPDX-License-Identifier: MIT
 *
 * heat_plate.c - a barrier as the clock of a simulation: four processes heat a plate, phase by phase.
 *
 *     heat_plate [picture.ppm]
 *
 *     Python: barrier = Barrier(WORKERS, action=end_phase); relax(rows); barrier.wait()
 *
 * In each phase a point becomes the mean of its four neighbours. Each worker does so for its own rows, from one grid
 * into the other one, and waits at the barrier. When all are there the barrier's action swaps the grids, and looks
 * whether anything has changed that counts. One process that does it alone must find the same.
 */
#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>

#define HOT   100.0 /* the upper edge; and a third of the lower one */
#define LIMIT 0.01  /* what changes less than that stays */

enum {
    WIDTH = 96,
    HEIGHT = 64,
    WORKERS = 4
};

struct plate { /* in a block of shared memory */
    double grids[2][HEIGHT][WIDTH];
    double changes[WORKERS]; /* the largest in this phase, of each worker */
    int phase;               /* even: from the first grid into the second, odd: back */
    bool done;
};

struct job {
    mp_block plate;
    mp_barrier phase_end;
    int number;
};

static void heat_edges(struct plate *plate)
{
    for (int grid = 0; grid < 2; grid++) {
        for (int x = 0; x < WIDTH; x++) plate->grids[grid][0][x] = HOT;
        for (int x = WIDTH / 3; x < WIDTH * 2 / 3; x++) plate->grids[grid][HEIGHT - 1][x] = HOT;
    }
}

/* One phase of the rows from first to before end; returns the largest change. */
static double relax(struct plate *plate, int first, int end)
{
    double(*from)[WIDTH] = plate->grids[plate->phase % 2], (*to)[WIDTH] = plate->grids[(plate->phase + 1) % 2];
    double largest = 0;
    for (int y = first; y < end; y++) {
        for (int x = 1; x < WIDTH - 1; x++) {
            to[y][x] = (from[y - 1][x] + from[y + 1][x] + from[y][x - 1] + from[y][x + 1]) / 4;
            double change = to[y][x] > from[y][x] ? to[y][x] - from[y][x] : from[y][x] - to[y][x];
            if (change > largest) largest = change;
        }
    }
    return largest;
}

static void next_phase(struct plate *plate)
{
    plate->done = true;
    for (int i = 0; i < WORKERS; i++)
        if (plate->changes[i] >= LIMIT) plate->done = false;
    plate->phase++;
}

/* The barrier's action: one of the workers runs it, when all have come and before any goes on. */
static int end_phase(void *context)
{
    mp_block *plate = context;
    next_phase(mp_block_data(*plate));
    return 0;
}

static int work(void *args)
{
    const struct job *job = args;
    struct plate *plate = mp_block_data(job->plate);
    int rows = HEIGHT - 2; /* without the edges */
    int first = 1 + rows * job->number / WORKERS, end = 1 + rows * (job->number + 1) / WORKERS;
    while (!plate->done) { /* no lock: phase and done change at the barrier only */
        plate->changes[job->number] = relax(plate, first, end);
        MP_CHECK(mp_barrier_wait(job->phase_end, MP_FOREVER));
    }
    return 0;
}

static bool is_equal(double (*a)[WIDTH], double (*b)[WIDTH])
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            if (a[y][x] != b[y][x]) return false; /* to the last bit: the sums are the same */
    return true;
}

static void print_plate(double (*grid)[WIDTH])
{
    static const char shades[] = " .:-=+*#%@";
    for (int y = 0; y < HEIGHT; y += 4) {
        for (int x = 0; x < WIDTH; x += 2) putchar(shades[(int)(grid[y][x] / HOT * 9)]);
        putchar('\n');
    }
}

/* As a portable pixmap, from blue over green to red; whether that worked. */
static bool write_picture(double (*grid)[WIDTH], const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    fprintf(file, "P6 %d %d 255\n", WIDTH, HEIGHT);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            double heat = grid[y][x] / HOT;
            putc((int)(255 * heat), file);
            putc((int)(255 * 4 * heat * (1 - heat)), file);
            putc((int)(255 * (1 - heat)), file);
        }
    }
    bool written = !ferror(file);
    return fclose(file) == 0 && written;
}

/* Where temporary files go. */
static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    if (!folder) folder = getenv("TEMP"); /* on Windows */
    return folder ? folder : "/tmp";
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    struct job job;
    mp_process workers[WORKERS];
    MP_CHECK(mp_block_create(&job.plate, sizeof(struct plate)));
    struct plate *plate = mp_block_data(job.plate);
    heat_edges(plate);
    mp_barrier_options options = {.action = end_phase, .context = &job.plate, .context_size = sizeof job.plate};
    MP_CHECK(mp_barrier_create(&job.phase_end, WORKERS, &options));

    for (job.number = 0; job.number < WORKERS; job.number++)
        MP_CHECK(mp_process_start(&workers[job.number], work, &job, sizeof job, NULL));
    MP_CHECK(mp_process_join_all(workers, NULL, WORKERS, MP_FOREVER));
    double(*grid)[WIDTH] = plate->grids[plate->phase % 2];
    print_plate(grid);
    printf("%d workers, %d phases\n", WORKERS, plate->phase);

    static struct plate alone;
    heat_edges(&alone);
    while (!alone.done) {
        alone.changes[0] = relax(&alone, 1, HEIGHT - 1);
        next_phase(&alone);
    }
    bool equal = alone.phase == plate->phase && is_equal(alone.grids[alone.phase % 2], grid);
    printf("one process alone: %s\n", equal ? "the same" : "something else");

    char path[1024];
    snprintf(path, sizeof path, "%s/heat_plate.ppm", temporary_folder());
    const char *picture = argc > 1 ? argv[1] : path;
    bool written = write_picture(grid, picture);
    printf("%s %s\n", picture, written ? "has it in colour" : "can not be written");
    return equal && written ? 0 : 1;
}
