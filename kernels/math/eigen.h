/* Eigenvalues of symmetric matrices, by LAPACK. */
#ifndef FERDAG_KERNELS_MATH_EIGEN_H
#define FERDAG_KERNELS_MATH_EIGEN_H

#include <stddef.h>
#include "base/error.h"

/* The k largest eigenvalues of the symmetric matrix a (n, n), ascending, in the first k elements of
 * w (n), and their unit eigenvectors in the rows of z (k, n). a is overwritten. Uses LAPACK's
 * dsyevr, on one thread after blas_single_threaded. Returns 0, -ENOMEM, or -EINVAL if it doesn't
 * converge. */
int eigen_largest(double *a, size_t n, size_t k, double *w, double *z, struct error *err);

#endif
