/* Columns of numbers as 16-bit bins in the same order. Trees search for splits in the bins. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_BINS_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct bins {
    size_t n, d;
    uint16_t *bin; /* (d, n): column after column */
    bool *exact;   /* (d): each bin of the column holds one value */
};

/* Fills bins from x (n, d), finite, n < 2^32. The bin of a value is its rank among the distinct
 * values of the column (-0 equals 0). A column with more than 65,536 distinct values has its ranks
 * scaled down to that many bins, and is not exact. The result doesn't depend on `threads`.
 * Returns 0 or -ENOMEM; bins_free frees, also after an error. */
int bins_make(struct bins *bins, const float *x, size_t n, size_t d, int threads,
              struct error *err);
void bins_free(struct bins *bins);

/* An unsigned integer that orders as the float does; -0 counts as 0. */
uint32_t order_key(float value);

#endif
