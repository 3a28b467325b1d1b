/* See net_images.h. */
#include "tests/gpu/net_images.h"

#include <errno.h>
#include <stdlib.h>
#include "base/random.h"

/* The grey level of a pattern: stripes of two directions and widths, squares, rings, a diagonal. */
static int pattern(int class, int y, int x)
{
    enum { CENTRE = DRAWN_SIZE / 2, DARK = 60, BRIGHT = 190 };
    int dy = y - CENTRE, dx = x - CENTRE, distance = dy * dy + dx * dx;
    const int bright[DRAWN_CLASSES] = {
        y / 4 % 2,           x / 4 % 2,          y / 12 % 2,      x / 12 % 2,
        (y / 8 + x / 8) % 2, distance / 128 % 2, (y + x) / 8 % 2,
    };
    return bright[class] ? BRIGHT : DARK;
}

int drawn_make(struct drawn *d, size_t n, uint64_t seed, struct error *err)
{
    enum { NOISE = 61, HALF = 30 };
    *d = (struct drawn){.n = n};
    d->pixels = calloc(n, (size_t)DRAWN_SIZE * DRAWN_SIZE);
    d->classes = calloc(n, 1);
    d->crops = calloc(n, sizeof *d->crops);
    d->labels = calloc(n, 1);
    d->order = calloc(n, sizeof *d->order);
    if (!d->pixels || !d->classes || !d->crops || !d->labels || !d->order)
        return error_set(err, ENOMEM, "out of memory");
    struct random r = random_start(seed, 0);
    uint8_t *pixel = d->pixels;
    for (size_t i = 0; i < n; i++) {
        d->classes[i] = (uint8_t)random_below(&r, DRAWN_CLASSES);
        for (int y = 0; y < DRAWN_SIZE; y++)
            for (int x = 0; x < DRAWN_SIZE; x++)
                *pixel++ =
                    (uint8_t)(pattern(d->classes[i], y, x) + (int)random_below(&r, NOISE) - HALF);
    }
    for (int i = 0; i < DRAWN_LEVELS; i++)
        d->levels[i] = ((float)i - 127.5F) / 73.9F;
    return 0;
}

void drawn_free(struct drawn *d)
{
    free(d->pixels);
    free(d->classes);
    free(d->crops);
    free(d->labels);
    free(d->order);
}

void drawn_shuffle(struct drawn *d, size_t crop, uint64_t epoch)
{
    struct random r = random_start(1, epoch);
    for (uint32_t i = 0; i < d->n; i++)
        d->order[i] = i;
    random_shuffle(&r, d->order, d->n);
    for (size_t i = 0; i < d->n; i++) {
        uint32_t image = d->order[i];
        d->crops[i] = (struct crop){image, (uint8_t)random_below(&r, DRAWN_SIZE - crop + 1),
                                    (uint8_t)random_below(&r, DRAWN_SIZE - crop + 1),
                                    random_below(&r, 2) == 1};
        d->labels[i] = d->classes[image];
    }
}

int drawn_add(struct net *net, const struct drawn *d, struct net_images *images, struct error *err)
{
    const struct image_source source = {d->pixels, d->n, DRAWN_SIZE, d->levels};
    return net_add_images(net, &source, images, err);
}

int drawn_queue(struct net *net, const struct drawn *d, const struct net_images *images,
                struct error *err)
{
    return net_queue(net, images, d->crops, d->labels, d->n, err);
}
