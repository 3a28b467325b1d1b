/* Out-of-bag accuracy: a forest tested on its own training rows. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_OUT_OF_BAG_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_OUT_OF_BAG_H

#include "kernels/classifiers/trees/forest_grow.h"

struct out_of_bag {
    size_t n;       /* rows that at least one tree was not trained on */
    size_t correct; /* of these, rows whose class was predicted right */
};

/* Predicts each training row by the trees whose bootstrap samples don't contain it. data and spec
 * are those of forest_grow, with bootstrap. -ENOMEM. */
int out_of_bag_test(const struct forest *forest, const struct cart_data *data,
                    const struct forest_spec *spec, struct out_of_bag *result, struct error *err);

#endif
