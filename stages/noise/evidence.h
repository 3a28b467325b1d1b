/* Evidence whether an image shows one face of sufficient size: detected faces and grey values.
 * rules.h decides on it. */
#ifndef FERDAG_STAGES_NOISE_EVIDENCE_H
#define FERDAG_STAGES_NOISE_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* Evidence that counts by how unusual it is in the set. */
enum evidence {
    DETECTION,      /* score of the best detected face; low is unusual */
    ENTROPY,        /* of all grey values; low is unusual */
    CENTRE_ENTROPY, /* of the middle, contrast stretched; low is unusual */
    LINES,          /* thin, sharp lines; high is unusual */
    SHADES,         /* share of smoothly shaded neighbourhoods; low is unusual */
    EVIDENCES
};

enum { MOST_FACES = 9 }; /* counted in an image: the limit may be 8 */

struct noise_evidence {
    size_t n;
    float *values[EVIDENCES];    /* (n) each */
    float *face;                 /* (n): side of the best face's box, in pixels; 0: none */
    float (*scores)[MOST_FACES]; /* (n): of the faces that don't overlap, in descending order;
                                    FACE_LEAST_SCORE where there are fewer */
};

/* Computes the evidence of n images (48x48 each) on `threads` threads. `progress` (may be NULL) is
 * called with `user` and the number of images processed so far, by one thread. The result doesn't
 * depend on the number of threads. Takes 60 bytes per image. -ENOMEM, -EINVAL.
 * noise_evidence_free frees. */
int noise_evidence_gather(const uint8_t *pixels, size_t n, int threads,
                          void (*progress)(void *user, size_t done), void *user,
                          struct noise_evidence *evidence, struct error *err);
void noise_evidence_free(struct noise_evidence *evidence);

#endif
