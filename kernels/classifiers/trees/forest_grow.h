/* Training of random forests: each tree grows on a bootstrap sample of the rows. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_GROW_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_FOREST_GROW_H

#include <stdbool.h>
#include "kernels/classifiers/trees/forest.h"

struct forest_spec {
    struct cart_spec tree;
    size_t trees;   /* > 0 */
    bool bootstrap; /* false: every tree is trained on every row once */
    uint64_t seed;
    int threads;
    void (*progress)(void *context, size_t done, size_t total); /* in trees; may be NULL */
    void *context;
};

/* Trains a forest; data->bins is not read. Tree t draws from random stream t of the seed, so the
 * forest doesn't depend on the number of threads. Threads share the trees, or the columns of a
 * single tree. -ENOMEM, -EFBIG; forest_free frees the forest, also after an error. */
int forest_grow(struct forest *forest, const struct cart_data *data, const struct forest_spec *spec,
                struct error *err);

/* weights (n): how often each row is in the bootstrap sample of a tree. Returns the random stream
 * in the state from which the tree draws its columns. */
struct random forest_sample(const struct forest_spec *spec, size_t tree, size_t n,
                            uint32_t *weights);

#endif
