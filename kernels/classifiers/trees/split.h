/* The best split of a node's rows by one column, exact, by the Gini index. Only rows among which
 * the best split may lie are sorted. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_SPLIT_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "kernels/classifiers/trees/bins.h"

/* A node to be split. */
struct split_node {
    const float *x; /* (n, d), read for columns whose bins aren't exact */
    const struct bins *bins;
    size_t m;                /* rows of the node */
    const uint32_t *rows;    /* (m): their numbers in x */
    const uint8_t *labels;   /* (m) */
    const uint32_t *weights; /* (m): how many times each row counts, > 0; NULL: once each */
    size_t classes;
    const uint32_t *totals; /* (classes): sums of weights, at least two of them > 0 */
    double weight;          /* sum of totals */
};

/* score: for each side the sum of the squared weights of its classes divided by the weight of the
 * side, added over both sides. A higher score is a lower Gini index; below 0 means no split. Among
 * equal scores the first position wins, then the least weight on the left. */
struct split {
    double score;
    double left;     /* weight of the left side */
    size_t position; /* position of the column among those tried */
    size_t column;
    uint32_t cut; /* a row goes left if its bin is <= cut, or with by_value its order_key */
    bool by_value;
};

struct split_scratch;

/* Memory for split_try on nodes of at most n rows; one for each thread. NULL: out of memory. */
struct split_scratch *split_scratch_make(size_t n, size_t classes);
void split_scratch_free(struct split_scratch *scratch);

/* Whether a wins against b. */
bool split_better(const struct split *a, const struct split *b);

/* Replaces *best by the best split by the column if that wins against it. */
void split_try(const struct split_node *node, size_t column, size_t position,
               struct split_scratch *scratch, struct split *best);

/* The bin or order_key of row i of the node, which is compared with the split's cut. */
uint32_t split_key(const struct split_node *node, const struct split *split, size_t i);

#endif
