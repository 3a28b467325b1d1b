/* Evidence on whether images hold one face of fair size: what the cascades see, tones, and how
 * unlike the rest of the set each image is. Judging is rules.c's. */
#ifndef FERDAG_STAGES_NOISE_EVIDENCE_H
#define FERDAG_STAGES_NOISE_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* The kinds of evidence that count by rank. */
enum evidence {
    SUPPORT,           /* detections over all looks, up to `enough`; low is odd */
    PREDICTED_SUPPORT, /* what the image's shape lets expect; low is odd */
    SHAPE_DISTANCE,    /* of the shape from the subspace of the set's shapes; high is odd */
    SHAPE_RARITY,      /* Mahalanobis length within that subspace; high is odd */
    PIXEL_DISTANCE,    /* of the pixels from the subspace of the set's pixels; high is odd */
    ENTROPY,           /* of all grey values; low is odd */
    CENTRE_ENTROPY,    /* of the middle, contrast stretched; low is odd */
    LINES,             /* thin, sharp lines; high is odd */
    FLAT,              /* share of flat neighbourhoods; high is odd */
    EVIDENCES
};

struct noise_evidence {
    size_t n;
    float *values[EVIDENCES]; /* (n) each */
    float *window; /* (n) side of the cascades' windows in pixels (upper quartile); 0: none */
    float *predicted_window; /* (n) side that the image's shape lets expect */
    uint8_t *faces;          /* (n) most faces that one look saw apart from each other */
};

struct look_settings {
    const char *cascades; /* folder */
    int enough;           /* support at which no further look is taken, and a size is trusted */
    int face_support;     /* windows that make a face when faces are counted */
    int threads;
};

/* Gathers evidence on n images (48x48 each). `progress` (may be NULL) is called with `user` and the
 * number of images looked at, now and then, by one thread. The same for any number of threads.
 * Memory is about 5 kB an image. The caller frees with noise_evidence_free. */
int noise_evidence_gather(const uint8_t *pixels, size_t n, const struct look_settings *settings,
                          void (*progress)(void *user, size_t done), void *user,
                          struct noise_evidence *evidence, struct error *err);
void noise_evidence_free(struct noise_evidence *evidence);

#endif
