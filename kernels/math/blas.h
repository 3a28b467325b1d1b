/* Matrix products of rows with rows, on OpenBLAS: what the classifiers need of linear algebra.
 *
 * Matrices are row-major float32. Work is cut into tiles of fixed size, each computed by one thread
 * with single-threaded OpenBLAS, so the bytes are the same at any number of threads (which
 * OpenBLAS's own threading doesn't promise); they may differ from one type of CPU to another. */
#ifndef FERDAG_KERNELS_MATH_BLAS_H
#define FERDAG_KERNELS_MATH_BLAS_H

#include <stddef.h>

/* Makes OpenBLAS work in the calling thread: call it before using the products below from threads
 * of one's own. */
void blas_single_threaded(void);

/* out[i][j] = a_i . b_j for one tile. a is (n, d), b is (m, d), out has ld >= m values a row. No
 * threads: safe to call from many at once. */
void blas_tile(const float *a, size_t n, const float *b, size_t m, size_t d, float *out, size_t ld);

/* out[i] = |a_i|^2, accumulated in double. */
void blas_squared_norms(const float *a, size_t n, size_t d, double *out, int threads);

/* Squared Euclidean distances between rows: out[i][j] = |a_i - b_j|^2, with the squared norms of
 * the rows given. Uses |a|^2 + |b|^2 - 2ab with one product, so nearly equal rows lose digits:
 * the error is about 1e-6 * |a|^2, and results are clamped at 0. No threads. */
void blas_squared_distances(const float *a, const double *norms_a, size_t n, const float *b,
                            const double *norms_b, size_t m, size_t d, float *out, size_t ld);

/* out (n, m) += a (n, k) b (m, k)^T in double; ld are values a row. No threads. */
void blas_add_product(const double *a, size_t lda, size_t n, const double *b, size_t ldb, size_t m,
                      size_t k, double *out, size_t ld);

/* out (n, m) += a (k, n)^T b (k, m) in double; ld are values a row. No threads. */
void blas_add_transposed_product(const double *a, size_t lda, size_t n, const double *b, size_t ldb,
                                 size_t m, size_t k, double *out, size_t ld);

/* Factors a symmetric positive definite a (n, n) as L L^T; the lower triangle is read and becomes
 * L. Returns 0, or -EDOM if a isn't positive definite to working precision. No threads. */
int blas_cholesky(double *a, size_t n);

/* Writes what decides the bits of the products here, such as "openblas 0.3.21 Zen": the library
 * picks its code by the CPU, or by OPENBLAS_CORETYPE. Returns what snprintf does. */
int blas_numerics(char *text, size_t size);

/* Solves L L^T x = b in place, with L from blas_cholesky. */
void blas_cholesky_solve(const double *l, size_t n, double *b);

#endif
