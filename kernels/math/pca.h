/* Principal components of many vectors, and what lies outside of the first ones; ridge regression
 * on the components. How the noise filter tells the usual from the odd. */
#ifndef FERDAG_KERNELS_MATH_PCA_H
#define FERDAG_KERNELS_MATH_PCA_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct subspace {
    size_t n, k;     /* vectors, components kept */
    float *scores;   /* (n, k): coordinates along the components, each of variance 1 */
    float *distance; /* (n): squared length of what the first `near` components leave */
    float *rarity;   /* (n): squared Mahalanobis length within the first `near` components */
};

/* Fits to x (n, d), row-major, whose rows are centred in place. Keeps at most `most` components,
 * fewer where the data has fewer. The caller frees with subspace_free. The BLAS runs on one thread,
 * so the result is the same for any number. Returns 0, -ENOMEM, or -EINVAL if the eigenvalues don't
 * converge. */
int subspace_fit(float *x, size_t n, size_t d, size_t most, size_t near, struct subspace *s,
                 struct error *err);
void subspace_free(struct subspace *s);

/* Predicts a target for every vector by ridge regression on its scores and on the squares of the
 * first `squares` scores, fitted to the rows whose `use` flag is set (all if NULL).
 * Returns 0, -ENOMEM, or -EINVAL if no row is to be used. */
int subspace_predict(const struct subspace *s, size_t squares, const double *target,
                     const uint8_t *use, double *predicted, struct error *err);

#endif
