/* Random forests (Breiman 2001) as scikit-learn's RandomForestClassifier defines them: each tree
 * grows on a bootstrap sample, and the classes' shares in the trees' leaves are averaged. */
#ifndef FERDAG_KERNELS_FOREST_H
#define FERDAG_KERNELS_FOREST_H

#include <stdbool.h>
#include "kernels/cart.h"

struct forest_spec {
    struct cart_spec tree;
    size_t trees;   /* > 0 */
    bool bootstrap; /* false: every tree sees every row once */
    uint64_t seed;
    int threads;
    void (*progress)(void *context, size_t done, size_t total); /* trees; may be NULL */
    void *context;
};

struct forest {
    size_t trees, classes, d;
    struct cart *tree;
    int threads;
};

/* Tree t draws from stream t of the seed: the forest is the same at any number of threads. A single
 * tree shares its columns among the threads. -ENOMEM; forest_free also after an error. */
int forest_grow(struct forest *forest, const struct cart_data *data, const struct forest_spec *spec,
                struct error *err);
void forest_free(struct forest *forest);

/* The class with the greatest mean share for each of n rows of x (n, d); ties to the lower. */
void forest_predict(const struct forest *forest, const float *x, size_t n, uint8_t *out);

#endif
