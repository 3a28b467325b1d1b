/* Multinomial logistic regression with an L2 penalty, as scikit-learn's LogisticRegression defines
 * it. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_LOGISTIC_REGRESSION_H
#define FERDAG_KERNELS_CLASSIFIERS_LOGISTIC_REGRESSION_H

#include "kernels/math/lbfgs.h"
#include "kernels/classifiers/linear.h"

struct logistic {
    const float *x;        /* (n, d), borrowed */
    const uint8_t *labels; /* (n), 0 .. classes-1, borrowed */
    size_t n, d, classes;
    double c; /* inverse strength of the penalty, > 0 */
    int threads;
};

/* *value: the mean cross-entropy of the rows plus |weights|^2 / (2 c n), without the biases in the
 * penalty. gradient: its gradient, in the order of the weights of struct linear: (classes, d), then
 * (classes). Sums are in double over parts of fixed size, so the result doesn't depend on the
 * number of threads. -ENOMEM. */
int logistic_loss(const struct logistic *problem, const double *weights, double *value,
                  double *gradient, struct error *err);

/* Trains a model: minimises logistic_loss with L-BFGS from zero weights, until no component of the
 * gradient by the biases and the weights of centred columns is above the tolerance, or the limit on
 * iterations is reached (see report->converged). -ENOMEM. linear_free frees the model, also after
 * an error. */
int logistic_fit(const struct logistic *problem, double tolerance, size_t most_iterations,
                 void (*progress)(void *context, size_t done, size_t total), void *context,
                 struct linear *model, struct lbfgs_report *report, struct error *err);

#endif
