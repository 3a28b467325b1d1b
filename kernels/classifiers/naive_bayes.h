/* Gaussian naive Bayes, as scikit-learn's GaussianNB defines it: within a class the columns have
 * independent normal distributions; priors are the shares of the classes. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_NAIVE_BAYES_H
#define FERDAG_KERNELS_CLASSIFIERS_NAIVE_BAYES_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct bayes {
    size_t classes, d;
    double *mean;     /* (classes, d) */
    double *weight;   /* (classes, d): 1 / (2 variance) */
    double *constant; /* (classes): log prior - half the sum of log(2 pi variance) */
    int threads;
};

/* Trains a model on x (n, d) with labels 0 .. classes-1. `smoothing` times the largest variance of
 * a column over all rows is added to every variance. Computed in double, in two passes; the result
 * doesn't depend on the number of threads. -ENOMEM; -EINVAL if a class has no row or a variance is
 * 0. bayes_free frees, also after an error. */
int bayes_fit(struct bayes *bayes, const float *x, const uint8_t *labels, size_t n, size_t d,
              size_t classes, double smoothing, int threads, struct error *err);
void bayes_free(struct bayes *bayes);

/* out (n): the most probable class of each row of x (n, d); ties to the lower class. */
void bayes_predict(const struct bayes *bayes, const float *x, size_t n, uint8_t *out);

#endif
