/* Prediction with random forests. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_PREDICT_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_PREDICT_H

#include "kernels/classifiers/trees/forest.h"

/* out (n): the class of the highest mean share for each row of x (n, d), finite; ties to the lower
 * class. Shares are added in the order of the trees, so the result doesn't depend on the number of
 * threads. -ENOMEM. */
int forest_predict(const struct forest *forest, const float *x, size_t n, uint8_t *out,
                   struct error *err);

/* Rows that one call of forest_leaves handles side by side. */
enum { FOREST_WALKS = 32 };

/* leaf[i], i < n: the number of the leaf node of one tree that row i of x (n, d) falls into, for n
 * in 1 .. FOREST_WALKS. The rest of `leaf` is overwritten. */
void forest_leaves(const struct forest *forest, size_t tree, const float *x, size_t n,
                   uint32_t leaf[FOREST_WALKS]);

/* sum (classes) += the shares of a leaf. */
void forest_add_share(const struct forest *forest, uint32_t leaf, double *sum);

#endif
