/* A linear classifier: each class has a hyperplane, the one that is highest over a row wins. What
 * logistic regression and linear discriminant analysis both end as. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_LINEAR_H
#define FERDAG_KERNELS_CLASSIFIERS_LINEAR_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct linear {
    size_t classes, d;
    double *weights; /* (classes, d), then (classes) biases: one array */
    int threads;
};

/* Makes weights and biases, all 0. -ENOMEM. linear_free frees. */
int linear_make(struct linear *model, size_t classes, size_t d, int threads, struct error *err);
void linear_free(struct linear *model);

double *linear_biases(const struct linear *model);

/* out (n, classes) = x weights^T + biases, for rows x (n, d) in double. No threads. */
void linear_scores(const struct linear *model, const double *x, size_t n, double *out);

/* The class of the highest score of each of n rows x (n, d), ties to the lower class. Products are
 * in double, by tiles of fixed size: the same at any number of threads. -ENOMEM. */
int linear_predict(const struct linear *model, const float *x, size_t n, uint8_t *out,
                   struct error *err);

#endif
