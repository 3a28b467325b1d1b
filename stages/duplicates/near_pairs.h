/* All pairs of nearly the same image among many. Sketches (similarity.h) of all pairs are compared
 * first, a tile at a time, and details only where the sketches are alike. */
#ifndef FERDAG_STAGES_DUPLICATES_NEAR_PAIRS_H
#define FERDAG_STAGES_DUPLICATES_NEAR_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* Two images, by index: a < b. */
struct near_pair {
    size_t a, b;
    double similarity;
    bool mirrored; /* b's mirror image is meant */
};

struct near_search {
    const uint8_t *const *images; /* (n), 48x48 each, borrowed */
    size_t n;
    double least; /* least similarity of a pair */
    bool mirror;  /* compare mirror images too; the better of both counts */
    int threads;
    /* Called for each pair, by one thread at a time, in any order. */
    void (*found)(void *user, const struct near_pair *pair);
    /* Called repeatedly with the share of the work that is done, 0 to 1. May be NULL. */
    void (*progress)(void *user, double share);
    void *user;
};

/* Finds the pairs. They depend neither on the number of threads nor on the machine. A pair whose
 * sketches correlate by less than 0.8 (or `least`, if that is lower) is missed: about one in 25 of
 * FER2013's. Time grows with n^2 and with the number of similar images: 7 s of a core for FER2013's
 * 34,036 distinct images. Memory: 256 bytes for each image and 1 MB for each thread. -ENOMEM. */
int near_pairs_find(const struct near_search *search, struct error *err);

#endif
