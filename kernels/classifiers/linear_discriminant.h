/* Linear discriminant analysis, as scikit-learn's LinearDiscriminantAnalysis defines it: classes
 * are normal distributions with one covariance for all. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_LINEAR_DISCRIMINANT_H
#define FERDAG_KERNELS_CLASSIFIERS_LINEAR_DISCRIMINANT_H

#include "kernels/classifiers/linear.h"

struct discriminant {
    const float *x;        /* (n, d), borrowed */
    const uint8_t *labels; /* (n), 0 .. classes-1, borrowed */
    size_t n, d, classes;
    /* Without shrinkage (0), as solver="svd": directions in which the rows of a class have a
     * deviation of at most `tolerance`, each column scaled to a deviation of 1, are left out.
     * Otherwise, as solver="lsqr": the covariance is (1 - shrinkage) of the rows' own and shrinkage
     * of a sphere of the same mean variance. */
    double shrinkage, tolerance;
    int threads;
};

struct discriminant_report {
    size_t rank; /* directions used */
};

/* Priors are the classes' shares; every class must have a row, and there must be more rows than
 * classes. Without shrinkage a column that is constant within each class gets no weight. Sums and
 * products in double, by tiles of fixed size; eigenvectors of a (d, d) matrix by LAPACK on one
 * thread: the same at any number of threads. Takes two (d, d) matrices. The model is made;
 * linear_free frees it, also after an error. -ENOMEM, -EINVAL. */
int discriminant_fit(const struct discriminant *problem, struct linear *model,
                     struct discriminant_report *report, struct error *err);

#endif
