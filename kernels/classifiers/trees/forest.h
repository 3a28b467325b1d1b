/* A random forest (Breiman 2001) as scikit-learn's RandomForestClassifier defines it: the mean of
 * the class shares in the leaves of its trees. This file holds the model; forest_grow.h trains it,
 * forest_predict.h uses it, out_of_bag.h tests it on its training rows. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_H

#include "kernels/classifiers/trees/cart.h"

/* A cart_node in a form that is fast to walk. The next node of a row is first + (value in `column`
 * > threshold); threshold is the greatest float that isn't above that of the cart_node. A leaf
 * leads to itself: first is its own number, threshold is infinity. */
struct forest_node {
    float threshold;
    uint32_t column, first;
};

struct forest {
    size_t trees, classes, d;
    struct cart *tree; /* (trees) */
    int threads;
    struct forest_node *node; /* of all trees, tree after tree */
    uint32_t *root;           /* (trees): the first node of each tree */
    uint32_t *leaf;           /* (nodes): row of `share` of a leaf; pure leaves share a row */
    double *share;            /* (rows, classes): shares of the classes */
    uint8_t *class;           /* (rows): the class of the highest share */
};

/* Fills node, root, leaf, share and class from the trees. -ENOMEM; -EFBIG from 2^32 nodes on. */
int forest_flatten(struct forest *forest, struct error *err);

/* Frees the trees and the arrays; a zeroed forest is fine. */
void forest_free(struct forest *forest);

/* importance (d): the Gini importance of each column, as scikit-learn's feature_importances_: the
 * share of a tree's decrease in impurity, weighted by rows, that the column's splits cause,
 * averaged over the trees that have a split. The sum is 1, or 0 if no tree has a split. -ENOMEM. */
int forest_importance(const struct forest *forest, double *importance, struct error *err);

#endif
