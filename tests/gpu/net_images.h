/* Drawn grey images of simple patterns, one pattern for each class, for check_gpu and bench_gpu. */
#ifndef FERDAG_TESTS_GPU_NET_IMAGES_H
#define FERDAG_TESTS_GPU_NET_IMAGES_H

#include "kernels/nets/net.h"

enum { DRAWN_SIZE = 48, DRAWN_CLASSES = 7, DRAWN_LEVELS = 256 };

/* n resident images, and a queue with one random crop of each, in random order. */
struct drawn {
    size_t n;
    uint8_t *pixels, *classes;  /* (n, DRAWN_SIZE, DRAWN_SIZE), (n) */
    float levels[DRAWN_LEVELS]; /* mean 0, deviation 1 */
    struct crop *crops;
    uint8_t *labels;
    uint32_t *order;
};

/* Draws the images; the caller calls drawn_free also after an error. */
int drawn_make(struct drawn *d, size_t n, uint64_t seed, struct error *err);
void drawn_free(struct drawn *d);

/* Draws the queue of an epoch for a net with images of `crop` pixels. */
void drawn_shuffle(struct drawn *d, size_t crop, uint64_t epoch);

/* Makes the images resident, and queues the crops. */
int drawn_add(struct net *net, const struct drawn *d, struct net_images *images, struct error *err);
int drawn_queue(struct net *net, const struct drawn *d, const struct net_images *images,
                struct error *err);

#endif
