/* See linear_discriminant.h. scikit-learn takes the singular values of the scaled rows (n, d). They
 * are the square roots of the eigenvalues of the scatter matrix (d, d), which is decomposed here,
 * because d is much less than n. scikit-learn's second decomposition drops directions in which the
 * means of the classes differ 10,000 times less than in the best one; it has no visible effect and
 * is left out. */
#include "kernels/classifiers/linear_discriminant.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/math/eigen.h"

enum { ROWS = 256, TILE = 256 };

/* A standard deviation of this share of the column's mean is rounding: the column is constant. */
static const double ROUNDING = 1e-11;

struct fit {
    const struct discriminant *problem;
    size_t *counts;    /* (classes): rows */
    double *means;     /* (classes, d) */
    double *centre;    /* (d): means over all rows */
    double *scale;     /* (d): 1 / standard deviation within the classes; 0: constant column */
    double *scatter;   /* (d, d); overwritten by the decomposition */
    double *vectors;   /* (d, d): eigenvectors */
    double *values;    /* (d): eigenvalues, ascending */
    double *block;     /* (d, ROWS): centred and scaled rows, transposed */
    double *projected; /* (d, classes): means along the eigenvectors */
};

static int fit_make(struct fit *f, struct error *err)
{
    size_t d = f->problem->d, classes = f->problem->classes;
    f->counts = calloc(classes, sizeof *f->counts);
    f->means = calloc(classes * d, sizeof *f->means);
    f->centre = calloc(d, sizeof *f->centre);
    f->scale = calloc(d, sizeof *f->scale);
    f->scatter = calloc(d * d, sizeof *f->scatter);
    f->vectors = calloc(d * d, sizeof *f->vectors);
    f->values = calloc(d, sizeof *f->values);
    f->block = calloc(d * ROWS, sizeof *f->block);
    f->projected = calloc(d * classes, sizeof *f->projected);
    return f->counts && f->means && f->centre && f->scale && f->scatter && f->vectors &&
                   f->values && f->block && f->projected
               ? 0
               : error_set(err, ENOMEM, "out of memory for covariances of %zu columns", d);
}

static void fit_free(struct fit *f)
{
    free(f->counts);
    free(f->means);
    free(f->centre);
    free(f->scale);
    free(f->scatter);
    free(f->vectors);
    free(f->values);
    free(f->block);
    free(f->projected);
}

static int find_means(struct fit *f, struct error *err)
{
    const struct discriminant *p = f->problem;
    size_t d = p->d;
    for (size_t i = 0; i < p->n; i++) {
        double *mean = f->means + p->labels[i] * d;
        f->counts[p->labels[i]]++;
        for (size_t j = 0; j < d; j++) {
            mean[j] += p->x[i * d + j];
            f->centre[j] += p->x[i * d + j];
        }
    }
    for (size_t c = 0; c < p->classes; c++) {
        if (f->counts[c] == 0)
            return error_set(err, EINVAL, "class %zu has no training row", c);
        for (size_t j = 0; j < d; j++)
            f->means[c * d + j] /= (double)f->counts[c];
    }
    for (size_t j = 0; j < d; j++)
        f->centre[j] /= (double)p->n;
    return p->n > p->classes
               ? 0
               : error_set(err, EINVAL, "%zu training rows for %zu classes; more rows are needed",
                           p->n, p->classes);
}

/* scale = 1 / standard deviation within the classes; 1 with shrinkage. */
static void find_scale(struct fit *f)
{
    const struct discriminant *p = f->problem;
    size_t d = p->d;
    for (size_t i = 0; i < p->n; i++) {
        const double *mean = f->means + p->labels[i] * d;
        for (size_t j = 0; j < d; j++)
            f->scale[j] += (p->x[i * d + j] - mean[j]) * (p->x[i * d + j] - mean[j]);
    }
    for (size_t j = 0; j < d; j++) {
        double deviation = sqrt(f->scale[j] / (double)p->n), most = 0;
        for (size_t c = 0; c < p->classes; c++)
            most = fmax(most, fabs(f->means[c * d + j]));
        f->scale[j] = p->shrinkage > 0 ? 1 : deviation <= ROUNDING * most ? 0 : 1 / deviation;
    }
}

/* scatter = sum over the rows of (row - mean)(row - mean)^T, with scaled columns. */
static void find_scatter(struct fit *f)
{
    const struct discriminant *p = f->problem;
    size_t d = p->d, tiles = (d + TILE - 1) / TILE;
    for (size_t from = 0; from < p->n; from += ROWS) {
        size_t rows = p->n - from < ROWS ? p->n - from : ROWS;
        const float *x = p->x + from * d;
#pragma omp parallel for num_threads(p->threads)
        for (size_t j = 0; j < d; j++)
            for (size_t r = 0; r < rows; r++)
                f->block[j * ROWS + r] =
                    (x[r * d + j] - f->means[p->labels[from + r] * d + j]) * f->scale[j];
#pragma omp parallel for schedule(dynamic) num_threads(p->threads)
        for (size_t t = 0; t < tiles * tiles; t++) {
            size_t i = t / tiles * TILE, j = t % tiles * TILE;
            if (j <= i) /* the matrix is symmetric */
                blas_add_product(f->block + i * ROWS, ROWS, d - i < TILE ? d - i : TILE,
                                 f->block + j * ROWS, ROWS, d - j < TILE ? d - j : TILE, rows,
                                 f->scatter + i * d + j, d);
        }
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++)
            f->scatter[j * d + i] = f->scatter[i * d + j];
}

/* Computes eigenvalues and eigenvectors of the covariance. The last *rank ones are used. */
static int decompose(struct fit *f, size_t *rank, struct error *err)
{
    const struct discriminant *p = f->problem;
    size_t d = p->d;
    bool shrunk = p->shrinkage > 0;
    double rows = (double)p->n, trace = 0;
    double least = shrunk ? 0 : p->tolerance * p->tolerance;
    for (size_t i = 0; i < d * d; i++)
        f->scatter[i] /= rows;
    for (size_t j = 0; j < d; j++)
        trace += f->scatter[j * d + j];
    int rc = eigen_largest(f->scatter, d, d, f->values, f->vectors, err);
    if (rc < 0)
        return rc;
    for (size_t r = 0; shrunk && r < d; r++)
        f->values[r] =
            (1 - p->shrinkage) * fmax(f->values[r], 0) + p->shrinkage * trace / (double)d;
    *rank = 0;
    while (*rank < d && f->values[d - 1 - *rank] > least)
        (*rank)++;
    return *rank > 0
               ? 0
               : error_set(err, EINVAL, "no column varies among the training rows of a class");
}

/* weights = means^T V diag(1 / values) V^T, scaled back to the columns; biases from the priors. */
static void find_weights(struct fit *f, size_t rank, struct linear *model)
{
    const struct discriminant *p = f->problem;
    size_t d = p->d, classes = p->classes;
    const double *vectors = f->vectors + (d - rank) * d, *values = f->values + (d - rank);
    double *means = f->means, *biases = linear_biases(model);
    for (size_t c = 0; c < classes; c++)
        for (size_t j = 0; j < d; j++)
            means[c * d + j] = (means[c * d + j] - f->centre[j]) * f->scale[j];
    blas_add_product(vectors, d, rank, means, d, classes, d, f->projected, classes);
    for (size_t c = 0; c < classes; c++)
        biases[c] = log((double)f->counts[c] / (double)p->n);
    for (size_t r = 0; r < rank; r++)
        for (size_t c = 0; c < classes; c++) {
            double at = f->projected[r * classes + c];
            biases[c] -= at * at / values[r] / 2;
            f->projected[r * classes + c] = at / values[r];
        }
    blas_add_transposed_product(f->projected, classes, classes, vectors, d, d, rank, model->weights,
                                d);
    for (size_t c = 0; c < classes; c++)
        for (size_t j = 0; j < d; j++) {
            model->weights[c * d + j] *= f->scale[j];
            biases[c] -= model->weights[c * d + j] * f->centre[j];
        }
}

int discriminant_fit(const struct discriminant *problem, struct linear *model,
                     struct discriminant_report *report, struct error *err)
{
    struct fit f = {.problem = problem};
    *report = (struct discriminant_report){0};
    int rc = linear_make(model, problem->classes, problem->d, problem->threads, err);
    if (rc == 0)
        rc = fit_make(&f, err);
    if (rc == 0)
        rc = find_means(&f, err);
    if (rc == 0) {
        blas_single_threaded();
        find_scale(&f);
        find_scatter(&f);
        rc = decompose(&f, &report->rank, err);
    }
    if (rc == 0)
        find_weights(&f, report->rank, model);
    fit_free(&f);
    return rc;
}
