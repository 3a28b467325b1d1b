/* The best split of a node's rows by one column: exact, by the Gini index, without sorting what
 * can't win. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_SPLIT_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "kernels/classifiers/trees/bins.h"

/* Rows of which a split is sought. */
struct split_node {
    const float *x; /* (n, d), for columns whose bins aren't exact */
    const struct bins *bins;
    size_t m;
    const uint32_t *rows;    /* (m) */
    const uint8_t *labels;   /* (m) theirs */
    const uint32_t *weights; /* (m) how many times each counts, > 0; NULL: once */
    size_t classes;
    const uint32_t *totals; /* (classes) weights of the node, two of them > 0 */
    double weight;          /* their sum */
};

/* score is the sum of squared weights of the classes over the side's weight, left + right: the
 * greater the purer; below 0: no split. Of equal scores the lowest place wins, then the least
 * weight on the left. */
struct split {
    double score, left;
    size_t place; /* of the column among those tried */
    size_t column;
    uint32_t cut; /* a row goes left if its bin (by_value: order_key of its value) is <= cut */
    bool by_value;
};

struct split_scratch;

/* For nodes of at most n rows. NULL when memory is out. */
struct split_scratch *split_scratch_make(size_t n, size_t classes);
void split_scratch_free(struct split_scratch *scratch);

/* Whether a is better than b; of equals the earlier column's and, in it, the lower value's is. */
bool split_better(const struct split *a, const struct split *b);

/* Puts the best split by the column into *best if it is better than that. */
void split_try(const struct split_node *node, size_t column, size_t place,
               struct split_scratch *scratch, struct split *best);

/* What of row number i of the node is compared with the split's cut. */
uint32_t split_key(const struct split_node *node, const struct split *split, size_t i);

#endif
