/* Evidence whether an image shows one face of sufficient size: detections by cascades, grey values,
 * and the distance from the other images of the set. rules.h decides on it. */
#ifndef FERDAG_STAGES_NOISE_EVIDENCE_H
#define FERDAG_STAGES_NOISE_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* Evidence that counts by its rank in the set. */
enum evidence {
    SUPPORT,           /* detections in all passes, up to `enough`; low is unusual */
    PREDICTED_SUPPORT, /* support predicted from the shape; low is unusual */
    SHAPE_DISTANCE, /* of the shape from the principal components of all shapes; high is unusual */
    SHAPE_RARITY,   /* Mahalanobis length within these components; high is unusual */
    PIXEL_DISTANCE, /* of the pixels from the principal components of all; high is unusual */
    ENTROPY,        /* of all grey values; low is unusual */
    CENTRE_ENTROPY, /* of the middle, contrast stretched; low is unusual */
    LINES,          /* thin, sharp lines; high is unusual */
    FLAT,           /* share of flat neighbourhoods; high is unusual */
    EVIDENCES
};

struct noise_evidence {
    size_t n;
    float *values[EVIDENCES]; /* (n) each */
    float *window; /* (n): upper quartile of the sides of the windows, in pixels; 0: no window */
    float *predicted_window; /* (n): side predicted from the shape */
    uint8_t *faces;          /* (n): most separate faces detected in one pass */
};

struct detection_settings {
    const char *cascades; /* folder */
    int enough;           /* support at which no further pass is made, and a size is reliable */
    int face_support;     /* least windows of a face when faces are counted */
    int threads;
};

/* Computes the evidence of n images (48x48 each). `progress` (may be NULL) is called with `user`
 * and the number of images processed so far, by one thread. The result doesn't depend on the number
 * of threads. Takes about 5 kB per image. -ENOMEM, -ENOENT (a cascade), -EINVAL.
 * noise_evidence_free frees. */
int noise_evidence_gather(const uint8_t *pixels, size_t n,
                          const struct detection_settings *settings,
                          void (*progress)(void *user, size_t done), void *user,
                          struct noise_evidence *evidence, struct error *err);
void noise_evidence_free(struct noise_evidence *evidence);

#endif
