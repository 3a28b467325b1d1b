/* See blas.h. */
#include "kernels/math/blas.h"

#include <cblas.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void blas_single_threaded(void)
{
    openblas_set_num_threads(1);
}

void blas_tile(const float *a, size_t n, const float *b, size_t m, size_t d, float *out, size_t ld)
{
    if (n == 0 || m == 0)
        return;
    if (n == 1) /* sgemm would copy all of b first */
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)m, (int)d, 1, b, (int)d, a, 1, 0, out, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)m, (int)d, 1, a, (int)d,
                    b, (int)d, 0, out, (int)ld);
}

void blas_squared_norms(const float *a, size_t n, size_t d, double *out, int threads)
{
#pragma omp parallel for num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        const float *row = a + i * d;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < d; j++)
            sum += (double)row[j] * row[j];
        out[i] = sum;
    }
}

void blas_squared_distances(const float *a, const double *norms_a, size_t n, const float *b,
                            const double *norms_b, size_t m, size_t d, float *out, size_t ld)
{
    blas_tile(a, n, b, m, d, out, ld);
    for (size_t i = 0; i < n; i++) {
        float *row = out + i * ld;
        for (size_t j = 0; j < m; j++) {
            double distance = norms_a[i] + norms_b[j] - 2.0 * row[j];
            row[j] = distance > 0 ? (float)distance : 0;
        }
    }
}

void blas_add_product(const double *a, size_t lda, size_t n, const double *b, size_t ldb, size_t m,
                      size_t k, double *out, size_t ld)
{
    if (n == 0 || m == 0 || k == 0)
        return;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)m, (int)k, 1, a, (int)lda, b,
                (int)ldb, 1, out, (int)ld);
}

void blas_add_transposed_product(const double *a, size_t lda, size_t n, const double *b, size_t ldb,
                                 size_t m, size_t k, double *out, size_t ld)
{
    if (n == 0 || m == 0 || k == 0)
        return;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)m, (int)k, 1, a, (int)lda, b,
                (int)ldb, 1, out, (int)ld);
}

/* Factors a block of n rows in a matrix whose rows are ld values apart, element by element. */
static int cholesky_block(double *a, size_t n, size_t ld)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = j; i < n; i++) {
            double sum = a[i * ld + j];
            for (size_t k = 0; k < j; k++)
                sum -= a[i * ld + k] * a[j * ld + k];
            if (i == j && !(sum > 0))
                return -EDOM;
            a[i * ld + j] = i == j ? sqrt(sum) : sum / a[j * ld + j];
        }
    }
    return 0;
}

int blas_cholesky(double *a, size_t n)
{
    enum { BLOCK = 64 };
    for (size_t j = 0; j < n; j += BLOCK) {
        size_t size = smaller(BLOCK, n - j), below = n - j - size;
        double *corner = a + j * n + j, *panel = corner + size * n;
        int rc = cholesky_block(corner, size, n);
        if (rc < 0)
            return rc;
        if (below == 0)
            break;
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)below,
                    (int)size, 1, corner, (int)n, panel, (int)n);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)below, (int)size, -1, panel,
                    (int)n, 1, panel + size, (int)n);
    }
    return 0;
}

void blas_cholesky_solve(const double *l, size_t n, double *b)
{
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, l, (int)n, b, 1);
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, (int)n, l, (int)n, b, 1);
}

int blas_numerics(char *text, size_t size)
{
    const char *version = openblas_get_config() + strlen("OpenBLAS ");
    return snprintf(text, size, "openblas %.*s %s", (int)strcspn(version, " "), version,
                    openblas_get_corename());
}
