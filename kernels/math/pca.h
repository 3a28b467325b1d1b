/* Principal component analysis, distances of vectors from the first components, and ridge
 * regression on the components. The noise filter finds unusual images with it. */
#ifndef FERDAG_KERNELS_MATH_PCA_H
#define FERDAG_KERNELS_MATH_PCA_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct pca {
    size_t n, k;     /* vectors, components kept */
    float *scores;   /* (n, k): coordinates along the components, scaled to variance 1 */
    float *distance; /* (n): squared distance from the span of the first `near` components */
    float *rarity;   /* (n): squared Mahalanobis length in the first `near` components */
};

/* Analyses x (n, d), row-major, which is centred in place. Keeps at most `most` components, and
 * only those with more than 1e-6 of the variance of the first. One thread. Returns 0, -ENOMEM, or
 * -EINVAL if the eigenvalues don't converge. pca_free frees, also after an error. */
int pca_fit(float *x, size_t n, size_t d, size_t most, size_t near, struct pca *s,
            struct error *err);
void pca_free(struct pca *s);

/* predicted (n): a ridge regression of target (n) on the scores and on the squares of the first
 * `squares` scores, fitted to the rows with use[i] != 0 (NULL: all) and evaluated for every row.
 * Returns 0, -ENOMEM, or -EINVAL if no row is used or the equations have no solution. */
int pca_regress(const struct pca *s, size_t squares, const double *target, const uint8_t *use,
                double *predicted, struct error *err);

#endif
