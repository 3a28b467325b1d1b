/* Classification trees: CART (Breiman et al. 1984) with the Gini index and exact splits, as
 * scikit-learn's DecisionTreeClassifier defines them: thresholds half-way between neighbouring
 * values, nodes split until pure, no pruning. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_CART_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_CART_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/random.h"
#include "kernels/classifiers/trees/bins.h"

struct cart_data {
    const float *x;          /* (n, d), finite */
    const uint8_t *labels;   /* (n), 0 .. classes-1 */
    size_t n, d, classes;    /* n and d below 2^32 */
    const struct bins *bins; /* bins of x */
};

struct cart_spec {
    size_t depth;    /* greatest depth of a leaf; 0: no limit */
    size_t features; /* columns tried at a node, drawn at random; 0 or d: all, in order */
};

/* A row goes to child `first` if its value in `column` is <= threshold, else to child first + 1.
 * A leaf has first == 0. Node 0 is the root. */
struct cart_node {
    double threshold;
    uint32_t column, first;
};

struct cart {
    size_t nodes, capacity, classes;
    struct cart_node *node; /* (nodes) */
    uint32_t *counts;       /* (nodes, classes): training rows of each class in the node */
};

/* Trains a tree. weights (n): how many times each row counts; NULL: once each. A node tries
 * spec->features columns, drawn from *random without repetition, and more until one isn't constant
 * in the node. The split with the best Gini index wins; among equals the first column tried, then
 * the lowest threshold. Threads share the columns of a node; the tree doesn't depend on their
 * number. -ENOMEM; cart_free frees the tree, also after an error. */
int cart_grow(struct cart *tree, const struct cart_data *data, const struct cart_spec *spec,
              const uint32_t *weights, struct random *random, int threads, struct error *err);
void cart_free(struct cart *tree);

/* The number of the leaf that a row (d values) falls into. */
size_t cart_leaf(const struct cart *tree, const float *row);

#endif
