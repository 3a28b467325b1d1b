/* Which images of a data set are identical, and which are nearly the same picture, within and
 * across its splits. */
#ifndef FERDAG_STAGES_DUPLICATES_DUPLICATES_H
#define FERDAG_STAGES_DUPLICATES_DUPLICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/data/formats.h"

/* An image is named by its place: the training split comes first, then public, then private. */
#define NO_IMAGE UINT32_MAX

/* Another group with nearly the same image. */
struct near_twin {
    uint32_t image; /* its first image in the split; NO_IMAGE: there is none */
    bool mirrored;
    double similarity;
};

/* Images with equal pixels; most groups have one. Labels are sets: bit c is class c. */
struct twin_group {
    uint32_t first[SPLITS];      /* its first image in each split, or NO_IMAGE */
    uint8_t labels[SPLITS];      /* of its images */
    uint8_t near_labels[SPLITS]; /* of all images of other groups that are nearly the same */
    /* For each split the most similar image of another group; in a split where this group has
     * images, the most similar one before the first of them. */
    struct near_twin nearest[SPLITS];
    uint32_t cluster; /* groups with training images that a chain of near pairs joins: the number of
                         the first such group, for this one if there is no other */
};

struct duplicates {
    size_t n, start[SPLITS + 1]; /* images of split s: start[s] .. start[s + 1] - 1 */
    uint32_t *group;             /* (n): the group of each image */
    struct twin_group *groups;   /* (group_count), in the order of their first images */
    size_t group_count;
};

struct duplicates_settings {
    double similarity; /* least of a near pair: see near_pairs.h */
    bool mirror;
    int threads;
    void (*progress)(void *user, double share); /* as in near_pairs.h */
    void *user;
};

/* Finds them. The result doesn't depend on the number of threads. About 300 bytes an image.
 * duplicates_free frees. -ENOMEM; -EINVAL for more than 2^31 images. */
int duplicates_find(const struct images splits[SPLITS], const struct duplicates_settings *settings,
                    struct duplicates *duplicates, struct error *err);
void duplicates_free(struct duplicates *duplicates);

/* The split of an image. */
enum split duplicates_split(const struct duplicates *duplicates, size_t image);

#endif
