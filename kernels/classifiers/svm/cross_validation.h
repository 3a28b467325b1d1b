/* Cross-validation of a C-SVC over a grid of C and gamma. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_CROSS_VALIDATION_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_CROSS_VALIDATION_H

#include "kernels/classifiers/svm/csvc.h"

struct csvc_grid {
    const double *c, *gamma;
    size_t c_count, gamma_count; /* both > 0; one gamma, of any value, for the linear kernel */
};

/* Trains, for each fold and each point of the grid, on the rows of the other folds, and predicts
 * those of the fold. Rows x (n, d) are ordered by class and within a class by fold: the rows of
 * fold f of class c are starts[c (folds + 1) + f] up to before starts[c (folds + 1) + f + 1], and
 * each class starts where the one before it ends. Each class has a row outside of every fold.
 * predicted (gamma_count, c_count, n): the class of every row, by the machine that hasn't seen it.
 * training's c and gamma are not read; its progress counts the problems of two classes.
 *
 * Dot products of all rows with each other are computed once and kept as float32, 2 n^2 bytes and
 * 2 more for each pair of rows of a class; a fold's kernel values are made of them. (If
 * training->wide, kernel values are kept instead, and computed anew for each gamma.) At most
 * about 4 (n_i + n_j)^2 bytes are added for each thread, of the largest pair of classes. If that is
 * more than training->memory with one thread, a file is used as in csvc_train. The same at any
 * number of threads. */
int csvc_cross_validate(const struct csvc_training *training, const float *x, const size_t *starts,
                        size_t classes, size_t folds, size_t d, const struct csvc_grid *grid,
                        uint8_t *predicted, struct csvc_report *report, struct error *err);

#endif
