/* Eigenvalues of symmetric matrices, by LAPACK. */
#ifndef FERDAG_KERNELS_MATH_EIGEN_H
#define FERDAG_KERNELS_MATH_EIGEN_H

#include <stddef.h>
#include "base/error.h"

/* The k largest eigenvalues of the symmetric a (n, n), rising, to w (n values of room), and their
 * vectors of length 1 to the rows of z (k, n). a is used up. LAPACK's dsyevr; single-threaded where
 * blas_single_threaded was called. Returns 0, -ENOMEM, or -EINVAL if they don't converge. */
int eigen_largest(double *a, size_t n, size_t k, double *w, double *z, struct error *err);

#endif
