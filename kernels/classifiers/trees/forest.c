/* See forest.h. */
#include "kernels/classifiers/trees/forest.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/classifiers/vote.h"

static float not_above(double threshold)
{
    float t = (float)threshold;
    return t > threshold ? nextafterf(t, -INFINITY) : t;
}

/* Writes the shares of a leaf to row `row` of share and returns it; for a pure leaf returns instead
 * the row of its class, which are the first ones. */
static uint32_t make_shares(struct forest *f, const uint32_t *counts, size_t row)
{
    double sum = 0, *share = f->share + row * f->classes;
    for (size_t c = 0; c < f->classes; c++)
        sum += counts[c];
    for (size_t c = 0; c < f->classes; c++) {
        if (counts[c] == sum)
            return (uint32_t)c;
        share[c] = counts[c] / sum;
    }
    f->class[row] = vote_highest(share, f->classes);
    return (uint32_t)row;
}

static void flatten_tree(struct forest *f, const struct cart *tree, uint32_t base, size_t *rows)
{
    for (size_t i = 0; i < tree->nodes; i++) {
        const struct cart_node *from = &tree->node[i];
        struct forest_node *to = &f->node[base + i];
        if (from->first) {
            *to =
                (struct forest_node){not_above(from->threshold), from->column, base + from->first};
        } else {
            *to = (struct forest_node){INFINITY, 0, base + (uint32_t)i};
            f->leaf[base + i] = make_shares(f, tree->counts + i * tree->classes, *rows);
            *rows += f->leaf[base + i] == *rows;
        }
    }
}

int forest_flatten(struct forest *forest, struct error *err)
{
    size_t nodes = 0, rows = forest->classes;
    for (size_t t = 0; t < forest->trees; t++) {
        nodes += forest->tree[t].nodes;
        rows += forest->tree[t].nodes / 2 + 1; /* a node has two children or none */
    }
    if (nodes > UINT32_MAX)
        return error_set(err, EFBIG, "%zu nodes, but a forest may have at most 2^32 - 1", nodes);
    forest->node = malloc(nodes * sizeof *forest->node);
    forest->leaf = calloc(nodes, sizeof *forest->leaf);
    forest->root = malloc(forest->trees * sizeof *forest->root);
    forest->share = calloc(rows * forest->classes, sizeof *forest->share);
    forest->class = malloc(rows);
    if (!forest->node || !forest->leaf || !forest->root || !forest->share || !forest->class)
        return error_set(err, ENOMEM, "out of memory for %zu nodes", nodes);
    for (size_t c = 0; c < forest->classes; c++) {
        forest->share[c * forest->classes + c] = 1;
        forest->class[c] = (uint8_t)c;
    }
    nodes = 0;
    rows = forest->classes;
    for (size_t t = 0; t < forest->trees; t++) {
        forest->root[t] = (uint32_t)nodes;
        flatten_tree(forest, &forest->tree[t], (uint32_t)nodes, &rows);
        nodes += forest->tree[t].nodes;
    }
    return 0;
}

void forest_free(struct forest *forest)
{
    for (size_t t = 0; forest->tree && t < forest->trees; t++)
        cart_free(&forest->tree[t]);
    free(forest->tree);
    free(forest->node);
    free(forest->root);
    free(forest->leaf);
    free(forest->share);
    free(forest->class);
    *forest = (struct forest){0};
}

/* Sum of squared counts over their sum. */
static double purity(const uint32_t *counts, size_t classes)
{
    double sum = 0, squares = 0;
    for (size_t c = 0; c < classes; c++) {
        sum += counts[c];
        squares += (double)counts[c] * counts[c];
    }
    return squares / sum;
}

/* Adds the shares of the columns in the tree's decrease in impurity; own (d) is scratch. Returns
 * whether the tree has a split that decreases it. */
static bool add_importance(const struct cart *tree, size_t d, double *own, double *importance)
{
    double total = 0;
    memset(own, 0, d * sizeof *own);
    for (size_t i = 0; i < tree->nodes; i++) {
        const struct cart_node *node = &tree->node[i];
        const uint32_t *counts = tree->counts;
        size_t classes = tree->classes;
        if (node->first == 0)
            continue;
        double gain = purity(counts + node->first * classes, classes) +
                      purity(counts + (node->first + 1) * classes, classes) -
                      purity(counts + i * classes, classes);
        own[node->column] += gain > 0 ? gain : 0;
        total += gain > 0 ? gain : 0;
    }
    for (size_t j = 0; total > 0 && j < d; j++)
        importance[j] += own[j] / total;
    return total > 0;
}

int forest_importance(const struct forest *forest, double *importance, struct error *err)
{
    size_t d = forest->d, trees = 0;
    double *own = malloc(d * sizeof *own);
    if (!own)
        return error_set(err, ENOMEM, "out of memory for the importance of %zu columns", d);
    memset(importance, 0, d * sizeof *importance);
    for (size_t t = 0; t < forest->trees; t++)
        trees += add_importance(&forest->tree[t], d, own, importance);
    for (size_t j = 0; trees > 0 && j < d; j++)
        importance[j] /= (double)trees;
    free(own);
    return 0;
}
