/* A linear classifier: the class with the highest score weights . x + bias. The model of logistic
 * regression and of linear discriminant analysis. */
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

/* Allocates weights and biases, all 0. -ENOMEM. linear_free frees, also after an error. */
int linear_make(struct linear *model, size_t classes, size_t d, int threads, struct error *err);
void linear_free(struct linear *model);

/* The biases (classes), in model->weights. */
double *linear_biases(const struct linear *model);

/* out (n, classes) = x weights^T + biases, for rows x (n, d), in double. One thread. */
void linear_scores(const struct linear *model, const double *x, size_t n, double *out);

/* out (n): the class of the highest score of each row of x (n, d); ties to the lower class. Scores
 * are in double and computed in tiles of fixed size, so the result doesn't depend on the number of
 * threads. -ENOMEM. */
int linear_predict(const struct linear *model, const float *x, size_t n, uint8_t *out,
                   struct error *err);

#endif
