/* Which parts of the stored faces a net gets, and how grey levels are standardised: the order and
 * the random crops of an epoch, and the crops of evaluation. The net's device cuts them out. All
 * that is random is a function of (seed, epoch, position in the epoch), so a training that resumes
 * in the middle of an epoch gets the crops of an uninterrupted one. */
#ifndef FERDAG_STAGES_CNN_CROP_H
#define FERDAG_STAGES_CNN_CROP_H

#include <stdbool.h>
#include "kernels/nets/net.h"
#include "stages/data/formats.h"

/* Grey level (0-255) to input: (level/255 - mean) / deviation. */
struct scale {
    double mean, deviation; /* of level/255 over the training set */
    float table[256];
};

void scale_set(struct scale *s, double mean, double deviation);
/* From the images themselves; -EINVAL if they are all of one grey. */
int scale_fit(struct scale *s, const struct images *images, struct error *err);

/* Makes images resident on a net's device; they and the scale must live as long as the net. */
int crop_add_images(struct net *net, const struct images *images, const struct scale *scale,
                    struct net_images *resident, struct error *err);

/* Crops of image 0, of height and width `size`; the caller sets `image`. */

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
