/* Classification trees: CART with the Gini index and exact splits, as scikit-learn's
 * DecisionTreeClassifier defines them (thresholds half-way between neighbouring values, nodes grown
 * until pure, no pruning). */
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
    const struct bins *bins; /* of x */
};

struct cart_spec {
    size_t depth;    /* of the deepest leaf; 0: no limit */
    size_t features; /* columns tried at a node; 0 or d: all, in order */
};

/* A row goes to child `first` if its value in `column` is <= threshold, else to first + 1.
 * first == 0 makes a leaf. Node 0 is the root. */
struct cart_node {
    double threshold;
    uint32_t column, first;
};

struct cart {
    size_t nodes, capacity, classes;
    struct cart_node *node; /* (nodes) */
    uint32_t *counts;       /* (nodes, classes): training rows of each class in the node */
};

/* Grows a tree. weights (n): how many times each row counts, NULL for once each. A node tries
 * spec->features columns drawn from *random without repetition (and goes on until one isn't
 * constant there); the best split wins, of equals the first column tried and the lowest threshold.
 * Columns of a node are shared by `threads` threads when all are tried; the tree is the same at any
 * number. -ENOMEM; cart_free also after an error. */
int cart_grow(struct cart *tree, const struct cart_data *data, const struct cart_spec *spec,
              const uint32_t *weights, struct random *random, int threads, struct error *err);
void cart_free(struct cart *tree);

/* The leaf that a row (d values) falls into. */
size_t cart_leaf(const struct cart *tree, const float *row);

#endif
