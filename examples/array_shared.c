/* SPDX-License-Identifier: MIT
 *
 * array_shared.c - four processes draw one picture: each writes its own rows of a shared array, with no lock at all.
 *
 *     Python: picture = RawArray('c', WIDTH * HEIGHT); Process(target=draw, args=(picture, i))
 */
#include <mp/mp.h>
#include <stdio.h>

enum {
    WIDTH = 78,
    HEIGHT = 24,
    WORKERS = 4
};

struct part {
    mp_array picture; /* of char */
    int first_row;
};

static char mandelbrot(double x, double y)
{
    static const char shades[] = " .:-=+*#%@";
    double a = 0, b = 0;
    int n = 0;
    for (; n < 1000 && a * a + b * b < 4; n++) {
        double next = a * a - b * b + x;
        b = 2 * a * b + y;
        a = next;
    }
    return n == 1000 ? ' ' : shades[1 + n % 9];
}

static int draw(void *args)
{
    const struct part *part = args;
    char *picture = MP_ARRAY(char, part->picture);
    for (int row = part->first_row; row < HEIGHT; row += WORKERS)
        for (int column = 0; column < WIDTH; column++)
            picture[row * WIDTH + column] = mandelbrot(column * 3.0 / WIDTH - 2.2, row * 2.4 / HEIGHT - 1.15);
    return 0;
}

int main(void)
{
    mp_freeze_support();
    struct part part;
    mp_process workers[WORKERS];
    /* raw: without a lock. Every item has one writer, and join puts what it wrote before what main reads. */
    MP_CHECK(mp_array_create(&part.picture, WIDTH * HEIGHT, sizeof(char), &(mp_shared_options){.raw = true}));
    for (int i = 0; i < WORKERS; i++) {
        part.first_row = i;
        MP_CHECK(mp_process_start(&workers[i], draw, &part, sizeof part, NULL));
    }
    MP_CHECK(mp_process_join_all(workers, NULL, WORKERS, MP_FOREVER));
    const char *picture = MP_ARRAY(char, part.picture);
    for (int row = 0; row < HEIGHT; row++) printf("%.*s\n", WIDTH, picture + row * WIDTH);
    return 0;
}
