/* See naive_bayes.h. */
#include "kernels/classifiers/naive_bayes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const double TWO_PI = 6.28318530717958647692;

/* mean, variance (d): of the columns, over the rows with labels[i] == only, or over all if only <
 * 0. Returns the number of rows. */
static size_t moments(const float *x, const uint8_t *labels, size_t n, size_t d, int only,
                      double *mean, double *variance)
{
    size_t count = 0;
    for (size_t j = 0; j < d; j++)
        mean[j] = variance[j] = 0;
    for (size_t i = 0; i < n; i++) {
        if (only >= 0 && labels[i] != only)
            continue;
        count++;
#pragma omp simd
        for (size_t j = 0; j < d; j++)
            mean[j] += x[i * d + j];
    }
    for (size_t j = 0; j < d; j++)
        mean[j] /= (double)count;
    for (size_t i = 0; i < n; i++) {
        if (only >= 0 && labels[i] != only)
            continue;
#pragma omp simd
        for (size_t j = 0; j < d; j++)
            variance[j] += (x[i * d + j] - mean[j]) * (x[i * d + j] - mean[j]);
    }
    for (size_t j = 0; j < d; j++)
        variance[j] /= (double)count;
    return count;
}

/* Computes weight and constant of class c from its variances, which are in weight. */
static int finish_class(struct bayes *bayes, size_t c, double share, double added,
                        struct error *err)
{
    double *variance = bayes->weight + c * bayes->d, sum = 0;
    for (size_t j = 0; j < bayes->d; j++) {
        double v = variance[j] + added;
        if (!(v > 0))
            return error_set(err, EINVAL,
                             "column %zu has no variance in class %zu and there is no smoothing", j,
                             c);
        sum += log(TWO_PI * v);
        variance[j] = 1 / (2 * v);
    }
    bayes->constant[c] = log(share) - sum / 2;
    return 0;
}

int bayes_fit(struct bayes *bayes, const float *x, const uint8_t *labels, size_t n, size_t d,
              size_t classes, double smoothing, int threads, struct error *err)
{
    *bayes = (struct bayes){.classes = classes, .d = d, .threads = threads};
    bayes->mean = calloc(classes * d, sizeof *bayes->mean);
    bayes->weight = calloc(classes * d, sizeof *bayes->weight);
    bayes->constant = calloc(classes, sizeof *bayes->constant);
    if (!bayes->mean || !bayes->weight || !bayes->constant)
        return error_set(err, ENOMEM, "out of memory for %zu x %zu means and variances", classes,
                         d);

    double largest = 0; /* largest variance of a column over all rows */
    moments(x, labels, n, d, -1, bayes->mean, bayes->weight);
    for (size_t j = 0; j < d; j++)
        largest = fmax(largest, bayes->weight[j]);

#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < classes; c++)
        bayes->constant[c] =
            (double)moments(x, labels, n, d, (int)c, bayes->mean + c * d, bayes->weight + c * d);
    for (size_t c = 0; c < classes; c++) {
        if (!(bayes->constant[c] > 0))
            return error_set(err, EINVAL, "class %zu has no training row", c);
        int rc = finish_class(bayes, c, bayes->constant[c] / (double)n, smoothing * largest, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void bayes_free(struct bayes *bayes)
{
    free(bayes->mean);
    free(bayes->weight);
    free(bayes->constant);
    *bayes = (struct bayes){0};
}

/* sum of weight (x - mean)^2 */
static double distance(const float *x, const double *mean, const double *weight, size_t d)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < d; j++)
        sum += (x[j] - mean[j]) * (x[j] - mean[j]) * weight[j];
    return sum;
}

void bayes_predict(const struct bayes *bayes, const float *x, size_t n, uint8_t *out)
{
    size_t d = bayes->d;
#pragma omp parallel for num_threads(bayes->threads)
    for (size_t i = 0; i < n; i++) {
        double best = -INFINITY;
        out[i] = 0;
        for (size_t c = 0; c < bayes->classes; c++) {
            double score = bayes->constant[c] -
                           distance(x + i * d, bayes->mean + c * d, bayes->weight + c * d, d);
            if (score > best) {
                best = score;
                out[i] = (uint8_t)c;
            }
        }
    }
}
