/* SPDX-License-Identifier: MIT
 *
 * mandelbrot.c - a picture of the Mandelbrot set, a row a task, with a progress bar if stderr is a terminal.
 *
 *     mandelbrot [picture.ppm [width]]
 *
 *     Python: for row in pool.imap(draw_row, range(height)): ...      with tqdm for the bar
 *
 * Ctrl-C ends it after the rows that are being drawn; the picture has what there is by then.
 *
 * The picture lies in shared memory, and the workers draw right into it. Rows in the middle take longer than those at the
 * edge: who is done first takes some from the others.
 */
#include <mp/mp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 900,
    DEPTH = 400 /* steps after which a point counts as one of the set */
};

struct row { /* a task's input, the same for all: the row is the task's index */
    int width, height;
};

static void colour(unsigned char *pixel, int steps)
{
    double t = steps / (steps + 25.0); /* most points leave it soon */
    bool inside = steps == DEPTH;
    pixel[0] = inside ? 0 : (unsigned char)(9 * (1 - t) * t * t * t * 255);
    pixel[1] = inside ? 0 : (unsigned char)(15 * (1 - t) * (1 - t) * t * t * 255);
    pixel[2] = inside ? 0 : (unsigned char)(8.5 * (1 - t) * (1 - t) * (1 - t) * t * 255);
}

static int steps_at(double x, double y)
{
    double re = 0, im = 0;
    int steps = 0;
    while (steps < DEPTH && re * re + im * im <= 4) {
        double next = re * re - im * im + x;
        im = 2 * re * im + y;
        re = next;
        steps++;
    }
    return steps;
}

static int draw_row(mp_task *task)
{
    const struct row *row = task->input;
    unsigned char *pixels = task->output;
    double y = ((double)task->index / row->height - 0.5) * 2.4;
    for (int x = 0; x < row->width; x++) colour(pixels + 3 * x, steps_at(((double)x / row->width - 0.7) * 3.2, y));
    return 0;
}

static mp_event stop;

static void on_interrupt(int signal)
{
    (void)signal;
    (void)mp_event_set(stop);
}

static bool write_picture(const char *path, int width, int height, const unsigned char *pixels)
{
    FILE *file = fopen(path, "wb");
    if (!file) return false;
    fprintf(file, "P6 %d %d 255\n", width, height);
    bool written = fwrite(pixels, 3 * (size_t)width, (size_t)height, file) == (size_t)height;
    return fclose(file) == 0 && written;
}

int main(int argc, char **argv)
{
    mp_freeze_support();
    const char *path = argc > 1 ? argv[1] : "mandelbrot.ppm";
    int width = argc > 2 ? atoi(argv[2]) : WIDTH;
    if (width < 4) width = WIDTH;
    int height = width * 3 / 4;
    size_t rows = (size_t)height, row_size = 3 * (size_t)width;

    mp_pool pool;
    mp_block picture;
    struct row *inputs = calloc(rows, sizeof *inputs);
    if (!inputs) return 1;
    for (size_t i = 0; i < rows; i++) inputs[i] = (struct row){width, height};
    MP_CHECK(mp_block_create(&picture, rows * row_size));
    unsigned char *pixels = mp_block_data(picture);
    MP_CHECK(mp_event_create(&stop, NULL));
    signal(SIGINT, on_interrupt);
    MP_CHECK(mp_pool_create(&pool, 0, NULL));
    int result = mp_pool_map(pool, draw_row, inputs, sizeof *inputs, pixels, row_size, rows,
                             &(mp_call_options){.progress = "Mandelbrot", .stop = stop});
    if (result < 0) fprintf(stderr, "%s\n", mp_error_detail());

    /* One process alone draws the same. */
    unsigned char *row = calloc(1, row_size);
    if (!row) return 1;
    size_t different = 0;
    for (size_t i = 0; result == 0 && i < rows; i += 50) {
        mp_task task = {.input = &inputs[i], .output = row, .index = i};
        different += draw_row(&task) || memcmp(row, pixels + i * row_size, row_size) != 0;
    }
    bool written = write_picture(path, width, height, pixels);
    printf("%s: %d x %d, %zu rows differ from what one process draws\n", written ? path : "not written", width, height,
           different);
    free(row);
    free(inputs);
    mp_pool_destroy(pool);
    mp_block_destroy(picture);
    return written && !different && result == 0 ? 0 : 1;
}
