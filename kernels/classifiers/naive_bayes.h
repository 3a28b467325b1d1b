/* Gaussian naive Bayes, as scikit-learn's GaussianNB defines it: in each class each column is an
 * independent normal distribution; priors are the classes' shares. */
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

/* Fits to x (n, d) with labels 0 .. classes-1, each of which must occur. Adds `smoothing` times the
 * largest variance of a column (over all rows) to every variance; a variance of 0 that remains is
 * -EINVAL. Two passes in double. bayes_free frees, also after an error. */
int bayes_fit(struct bayes *bayes, const float *x, const uint8_t *labels, size_t n, size_t d,
              size_t classes, double smoothing, int threads, struct error *err);
void bayes_free(struct bayes *bayes);

/* The likeliest class of each of n rows; ties to the lower class. */
void bayes_predict(const struct bayes *bayes, const float *x, size_t n, uint8_t *out);

#endif
