/* Random forests (Breiman 2001) as scikit-learn's RandomForestClassifier defines them: each tree
 * grows on a bootstrap sample, and the classes' shares in the trees' leaves are averaged. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_H

#include <stdbool.h>
#include "kernels/classifiers/trees/cart.h"

struct forest_spec {
    struct cart_spec tree;
    size_t trees;   /* > 0 */
    bool bootstrap; /* false: every tree sees every row once */
    uint64_t seed;
    int threads;
    void (*progress)(void *context, size_t done, size_t total); /* trees; may be NULL */
    void *context;
};

/* As cart_node, to walk through quickly. A row's next node is first + (its value in `column` >
 * threshold): the greatest float that isn't above cart_node's. A leaf leads to itself: first is its
 * own number, threshold infinity. */
struct forest_node {
    float threshold;
    uint32_t column, first;
};

struct forest {
    size_t trees, classes, d;
    struct cart *tree;
    int threads;
    struct forest_node *node; /* those of all trees, one tree after the other */
    uint32_t *root;           /* (trees) */
    uint32_t *leaf;           /* of a node that is a leaf: its row in share; pure ones have one */
    double *share;            /* (rows, classes) */
    uint8_t *class;           /* (rows) of the highest share */
};

/* data->codes is left out. Tree t draws from stream t of the seed: the forest is the same at any
 * number of threads. A single tree shares its columns among the threads. -ENOMEM; forest_free also
 * after an error. */
int forest_grow(struct forest *forest, const struct cart_data *data, const struct forest_spec *spec,
                struct error *err);
void forest_free(struct forest *forest);

/* How often each of n rows counts in the sample of a tree (bootstrap). Returns the stream that its
 * columns are drawn from afterwards. */
struct random forest_sample(const struct forest_spec *spec, size_t tree, size_t n,
                            uint32_t *weights);

/* importance (d) = the Gini importance of each column: the share of a tree's decrease in impurity,
 * weighted by rows, that splits by it brought, averaged over the trees that have a split; their sum
 * is 1, or 0 without any. As scikit-learn's feature_importances_. -ENOMEM. */
int forest_importance(const struct forest *forest, double *importance, struct error *err);

/* Makes node, root, leaf, share and class from the trees; forest_grow does so. -ENOMEM, -EFBIG. */
int forest_flatten(struct forest *forest, struct error *err);

/* The class with the greatest mean share for each of n rows of x (n, d), finite; ties to the lower.
 * Shares are added in the order of the trees. -ENOMEM. */
int forest_predict(const struct forest *forest, const float *x, size_t n, uint8_t *out,
                   struct error *err);

/* The forest judged by its training rows: each is predicted by those trees alone whose samples it
 * isn't in. n counts the rows that some tree didn't see. data and spec are those of forest_grow,
 * with bootstrap. -ENOMEM. */
struct forest_out_of_bag {
    size_t n, correct;
};
int forest_out_of_bag(const struct forest *forest, const struct cart_data *data,
                      const struct forest_spec *spec, struct forest_out_of_bag *result,
                      struct error *err);

#endif
