/* Linear discriminant analysis, as scikit-learn's LinearDiscriminantAnalysis defines it: each class
 * has a normal distribution, and all have the same covariance. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_LINEAR_DISCRIMINANT_H
#define FERDAG_KERNELS_CLASSIFIERS_LINEAR_DISCRIMINANT_H

#include "kernels/classifiers/linear.h"

struct discriminant {
    const float *x;        /* (n, d), borrowed */
    const uint8_t *labels; /* (n), 0 .. classes-1, borrowed */
    size_t n, d, classes;
    /* 0: as solver="svd"; directions with a standard deviation of at most `tolerance` within the
     * classes, after scaling each column to a standard deviation of 1, are left out. Above 0: as
     * solver="lsqr"; the covariance is (1 - shrinkage) times that of the rows, plus shrinkage times
     * the identity matrix scaled to the same mean variance. */
    double shrinkage, tolerance;
    int threads;
};

struct discriminant_report {
    size_t rank; /* directions used */
};

/* Trains a model. Priors are the shares of the classes. Every class needs a row, and there must be
 * more rows than classes. Without shrinkage, a column that is constant within each class gets
 * weight 0. Sums and products are in double, in tiles of fixed size, and LAPACK computes the
 * eigenvectors of a (d, d) matrix on one thread, so the result doesn't depend on the number of
 * threads. Takes 16 d^2 bytes. -ENOMEM; -EINVAL if the data is unfit. linear_free frees the model,
 * also after an error. */
int discriminant_fit(const struct discriminant *problem, struct linear *model,
                     struct discriminant_report *report, struct error *err);

#endif
