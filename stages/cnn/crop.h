/* From stored faces to what a net is fed: standardised float crops, and the order and the random
 * crops of an epoch. All that is random is a function of (seed, epoch, position in the epoch), so a
 * training that goes on in the middle of an epoch sees what an uninterrupted one would. */
#ifndef FERDAG_STAGES_CNN_CROP_H
#define FERDAG_STAGES_CNN_CROP_H

#include <stdbool.h>
#include "stages/data/formats.h"

/* Grey level (0-255) to input: (level/255 - mean) / deviation. */
struct scale {
    double mean, deviation; /* of level/255 over the training set */
    float table[256];
};

void scale_set(struct scale *s, double mean, double deviation);
/* From the images themselves; -EINVAL if they are all of one grey. */
int scale_fit(struct scale *s, const struct images *images, struct error *err);

struct crop {
    int top, left, size;
    bool mirror;
};

/* Cuts image `index` out to (size, size) floats. */
void crop_cut(const struct images *images, size_t index, struct crop crop,
              const struct scale *scale, float *out);

struct crop crop_center(int size);

enum { TEN_CROPS = 10 };
/* View 0-9: four corners (top left, top right, bottom left, bottom right), centre, then the same
 * five mirrored, 5 being 0 mirrored. The ten of torchvision's TenCrop, which cuts the mirrored
 * image, so that its 5 is our 6. */
struct crop crop_of_ten(int view, int size);

/* A crop at a uniformly random place, mirrored half of the time if flip is set. */
struct crop crop_random(uint64_t seed, uint64_t epoch, size_t position, int size, bool flip);

/* The order of an epoch: a permutation of 0 .. n-1 into order. */
void crop_order(uint64_t seed, uint64_t epoch, uint32_t *order, size_t n);

#endif
