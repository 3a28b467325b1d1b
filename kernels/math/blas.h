/* Linear algebra for the classifiers, on OpenBLAS. Matrices are row-major.
 *
 * Callers divide work into tiles of fixed size, each computed by one thread with single-threaded
 * OpenBLAS. So the bytes of results don't depend on the number of threads, which OpenBLAS's own
 * threads don't guarantee. They may differ between types of CPUs. */
#ifndef FERDAG_KERNELS_MATH_BLAS_H
#define FERDAG_KERNELS_MATH_BLAS_H

#include <stddef.h>

/* Makes OpenBLAS compute in the calling thread. Call it before products are used in an OpenMP
 * region. */
void blas_single_threaded(void);

/* out[i][j] = a_i . b_j for one tile, in float32. a is (n, d), b is (m, d); rows of out are ld >= m
 * values apart. One thread; may be called from several at once. */
void blas_tile(const float *a, size_t n, const float *b, size_t m, size_t d, float *out, size_t ld);

/* out[i] = |a_i|^2, accumulated in double. */
void blas_squared_norms(const float *a, size_t n, size_t d, double *out, int threads);

/* Squared Euclidean distances between rows: out[i][j] = |a_i - b_j|^2, from the squared norms of
 * the rows. Uses |a|^2 + |b|^2 - 2ab with one product, so nearly equal rows lose digits: the error
 * is about 1e-6 * |a|^2, and results are clamped at 0. One thread. */
void blas_squared_distances(const float *a, const double *norms_a, size_t n, const float *b,
                            const double *norms_b, size_t m, size_t d, float *out, size_t ld);

/* out (n, m) += a (n, k) b (m, k)^T in double; lda, ldb and ld are the distances of rows. One
 * thread. */
void blas_add_product(const double *a, size_t lda, size_t n, const double *b, size_t ldb, size_t m,
                      size_t k, double *out, size_t ld);

/* out (n, m) += a (k, n)^T b (k, m) in double; lda, ldb and ld are the distances of rows. One
 * thread. */
void blas_add_transposed_product(const double *a, size_t lda, size_t n, const double *b, size_t ldb,
                                 size_t m, size_t k, double *out, size_t ld);

/* Cholesky factorisation a = L L^T of a symmetric positive definite a (n, n). The lower triangle is
 * read and replaced by L. Returns 0, or -EDOM if a isn't positive definite to working precision.
 * One thread. */
int blas_cholesky(double *a, size_t n);

/* Writes what the bits of products depend on, such as "openblas 0.3.21 Zen": the version, and the
 * CPU core whose code OpenBLAS runs (OPENBLAS_CORETYPE overrides it). Returns as snprintf. */
int blas_numerics(char *text, size_t size);

/* Solves L L^T x = b in place, with L from blas_cholesky. */
void blas_cholesky_solve(const double *l, size_t n, double *b);

#endif
