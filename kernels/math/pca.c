/* See pca.h. Sums over many rows are products in float32; the eigenvalue problem and the normal
 * equations are solved in double by LAPACK. */
#include "kernels/math/pca.h"

#include <cblas.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/math/eigen.h"

/* LAPACK: solution of a positive definite system. */
void dposv_(const char *uplo, const int *n, const int *nrhs, double *a, const int *lda, double *b,
            const int *ldb, int *info);

static const double LEAST_VARIANCE = 1e-6; /* of a component, relative to the first */
static const double RIDGE = 50; /* added to the normal equations; scores have variance 1 */

static void centre(float *x, size_t n, size_t d, double *mean)
{
    memset(mean, 0, d * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            mean[j] += x[i * d + j];
    for (size_t j = 0; j < d; j++)
        mean[j] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            x[i * d + j] -= (float)mean[j];
}

/* a (d, d): the covariance of the centred x, symmetric. half is scratch. */
static void covariance(const float *x, size_t n, size_t d, float *half, double *a)
{
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, (int)d, (int)n, 1.0f / (float)n, x, (int)d,
                0, half, (int)d);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++)
            a[i * d + j] = a[j * d + i] = half[i * d + j];
}

/* basis (d, k): the components, largest first, each divided by its standard deviation; sd: these
 * standard deviations. Returns how many are kept. */
static size_t scaled_basis(const double *w, const double *z, size_t d, size_t k, float *basis,
                           double *sd)
{
    double most = w[k - 1] > 0 ? w[k - 1] : 0;
    size_t kept = 0;
    while (kept < k && w[k - 1 - kept] > most * LEAST_VARIANCE)
        kept++;
    for (size_t c = 0; c < kept; c++) {
        sd[c] = sqrt(w[k - 1 - c]);
        for (size_t j = 0; j < d; j++)
            basis[j * kept + c] = (float)(z[(k - 1 - c) * d + j] / sd[c]);
    }
    return kept;
}

static void measure(const float *x, size_t d, size_t near, const double *sd, struct pca *s)
{
    for (size_t i = 0; i < s->n; i++) {
        double length = 0, within = 0, rarity = 0;
        for (size_t j = 0; j < d; j++)
            length += (double)x[i * d + j] * x[i * d + j];
        for (size_t c = 0; c < near && c < s->k; c++) {
            double score = s->scores[i * s->k + c];
            within += score * score * sd[c] * sd[c];
            rarity += score * score;
        }
        s->distance[i] = (float)fmax(length - within, 0);
        s->rarity[i] = (float)rarity;
    }
}

int pca_fit(float *x, size_t n, size_t d, size_t most, size_t near, struct pca *s,
            struct error *err)
{
    *s = (struct pca){.n = n};
    size_t k = most < d ? most : d;
    double *a = malloc(d * d * sizeof *a), *w = malloc(d * sizeof *w),
           *z = malloc(d * k * sizeof *z);
    double *sd = malloc(d * sizeof *sd);
    float *half = malloc(d * d * sizeof *half), *basis = malloc(d * k * sizeof *basis);
    s->distance = malloc(n * sizeof *s->distance);
    s->rarity = malloc(n * sizeof *s->rarity);
    int rc = 0;
    if (!a || !w || !z || !sd || !half || !basis || !s->distance || !s->rarity)
        rc = error_set(err, ENOMEM, "out of memory for the components of %zu vectors", n);
    if (rc == 0) {
        blas_single_threaded();
        centre(x, n, d, w);
        covariance(x, n, d, half, a);
        rc = eigen_largest(a, d, k, w, z, err);
    }
    if (rc == 0) {
        s->k = scaled_basis(w, z, d, k, basis, sd);
        s->scores = calloc(n * s->k + 1, sizeof *s->scores);
        if (!s->scores)
            rc = error_set(err, ENOMEM, "out of memory for the components of %zu vectors", n);
    }
    if (rc == 0 && s->k > 0)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)s->k, (int)d, 1, x,
                    (int)d, basis, (int)s->k, 0, s->scores, (int)s->k);
    if (rc == 0)
        measure(x, d, near, sd, s);
    free(a);
    free(w);
    free(z);
    free(sd);
    free(half);
    free(basis);
    if (rc < 0)
        pca_free(s);
    return rc;
}

void pca_free(struct pca *s)
{
    free(s->scores);
    free(s->distance);
    free(s->rarity);
    *s = (struct pca){0};
}

/* q: the regressors of one vector: scores, then squares of scores minus their mean of 1. */
static void regressors(const struct pca *s, size_t squares, size_t row, double *q)
{
    const float *score = s->scores + row * s->k;
    for (size_t c = 0; c < s->k; c++)
        q[c] = score[c];
    for (size_t c = 0; c < squares; c++)
        q[s->k + c] = (double)score[c] * score[c] - 1;
}

/* a += q'q and b += q't over the rows used, with q the regressors and t the centred target. */
static void normal_equations(const struct pca *s, size_t squares, const double *target,
                             const uint8_t *use, double centre_of_target, double *block,
                             size_t rows, double *a, double *b)
{
    size_t p = s->k + squares, filled = 0;
    double *t = block + rows * p;
    for (size_t i = 0; i <= s->n; i++) {
        if (i < s->n && (!use || use[i])) {
            regressors(s, squares, i, block + filled * p);
            t[filled++] = target[i] - centre_of_target;
        }
        if (filled == rows || (i == s->n && filled > 0)) {
            cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)p, (int)filled, 1, block,
                        (int)p, 1, a, (int)p);
            cblas_dgemv(CblasRowMajor, CblasTrans, (int)filled, (int)p, 1, block, (int)p, t, 1, 1,
                        b, 1);
            filled = 0;
        }
    }
}

int pca_regress(const struct pca *s, size_t squares, const double *target, const uint8_t *use,
                double *predicted, struct error *err)
{
    enum { ROWS = 512 };
    squares = squares < s->k ? squares : s->k;
    size_t p = s->k + squares, used = 0;
    double mean = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!use || use[i]) {
            mean += target[i];
            used++;
        }
    }
    if (used == 0)
        return error_set(err, EINVAL, "no row to fit a prediction to");
    mean /= (double)used;
    double *a = calloc(p * p + 1, sizeof *a), *b = calloc(p + 1, sizeof *b);
    double *block = malloc(ROWS * (p + 1) * sizeof *block);
    int rc = 0, info = 0, size = (int)p, one = 1;
    if (!a || !b || !block)
        rc = error_set(err, ENOMEM, "out of memory for a regression on %zu values", p);
    if (rc == 0 && p > 0) {
        blas_single_threaded();
        normal_equations(s, squares, target, use, mean, block, ROWS, a, b);
        for (size_t c = 0; c < p; c++)
            a[c * p + c] += RIDGE;
        dposv_("U", &size, &one, a, &size, b, &size,
               &info); /* the column-major U is the row-major L */
        if (info != 0)
            rc = error_set(err, EINVAL, "a regression on %zu values has no solution", p);
    }
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        regressors(s, squares, i, block);
        predicted[i] = mean;
        for (size_t c = 0; c < p; c++)
            predicted[i] += b[c] * block[c];
    }
    free(a);
    free(b);
    free(block);
    return rc;
}
