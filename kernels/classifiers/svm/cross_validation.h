/* Cross-validation of a C-SVC over a grid of C and gamma. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_CROSS_VALIDATION_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_CROSS_VALIDATION_H

#include "kernels/classifiers/svm/csvc.h"

struct csvc_grid {
    const double *c, *gamma;
    size_t c_count, gamma_count; /* both > 0; one gamma, of any value, for the linear kernel */
};

/* For each fold and each point of the grid, trains on the rows of the other folds and predicts the
 * rows of the fold. Rows x (n, d) are ordered by class, and within a class by fold: rows
 * starts[c (folds + 1) + f] to starts[c (folds + 1) + f + 1] - 1 are those of fold f of class c,
 * and each class starts where the previous one ends. For every fold each class has a row in another
 * fold. predicted (gamma_count, c_count, n): the class of every row, predicted by the model that
 * was not trained on it. c and gamma of training->kernel are not read; progress counts problems of
 * two classes.
 *
 * Dot products of all rows with each other are computed once and kept as float32: 2 n^2 bytes, and
 * 2 more for each pair of rows of a class. Kernel values are computed from them for each fold.
 * (If training->wide, kernel values are kept instead, and computed again for each gamma.) Each
 * thread adds at most about 4 (n_i + n_j)^2 bytes for the largest pair of classes. If that doesn't
 * fit into training->memory with one thread, a file is used as in csvc_train. The result doesn't
 * depend on the number of threads. -ENOMEM, -ERANGE (a kernel value isn't finite), or an error of
 * products.h. */
int csvc_cross_validate(const struct csvc_training *training, const float *x, const size_t *starts,
                        size_t classes, size_t folds, size_t d, const struct csvc_grid *grid,
                        uint8_t *predicted, struct csvc_report *report, struct error *err);

#endif
