/* See forest.h; predicting is in forest_predict.c. */
#include "kernels/classifiers/trees/forest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct random forest_sample(const struct forest_spec *spec, size_t tree, size_t n,
                            uint32_t *weights)
{
    struct random random = random_start(spec->seed, tree);
    memset(weights, 0, n * sizeof *weights);
    for (size_t i = 0; i < n; i++)
        weights[random_below(&random, n)]++;
    return random;
}

static int grow_one(struct cart *tree, const struct cart_data *data, const struct forest_spec *spec,
                    size_t number, int threads, struct error *err)
{
    struct random random = random_start(spec->seed, number);
    if (!spec->bootstrap)
        return cart_grow(tree, data, &spec->tree, NULL, &random, threads, err);
    uint32_t *weights = malloc(data->n * sizeof *weights);
    if (!weights)
        return error_set(err, ENOMEM, "out of memory for a sample of %zu rows", data->n);
    random = forest_sample(spec, number, data->n, weights);
    int rc = cart_grow(tree, data, &spec->tree, weights, &random, threads, err);
    free(weights);
    return rc;
}

static int grow_all(struct forest *forest, const struct cart_data *data,
                    const struct forest_spec *spec, struct error *err)
{
    *forest = (struct forest){
        .trees = spec->trees, .classes = data->classes, .d = data->d, .threads = spec->threads};
    forest->tree = calloc(spec->trees, sizeof *forest->tree);
    if (!forest->tree)
        return error_set(err, ENOMEM, "out of memory for %zu trees", spec->trees);
    size_t done = 0;
    int failed = 0, outer = spec->trees > 1 ? spec->threads : 1;
#pragma omp parallel for schedule(dynamic, 1) num_threads(outer)
    for (size_t t = 0; t < spec->trees; t++) {
        struct error error = {""};
        int rc = grow_one(&forest->tree[t], data, spec, t, outer > 1 ? 1 : spec->threads, &error);
#pragma omp critical(forest_progress)
        {
            done++;
            if (rc < 0) {
                failed = rc;
                if (err)
                    *err = error;
            } else if (spec->progress) {
                spec->progress(spec->context, done, spec->trees);
            }
        }
    }
    return failed;
}

int forest_grow(struct forest *forest, const struct cart_data *data, const struct forest_spec *spec,
                struct error *err)
{
    struct codes codes;
    struct cart_data coded = *data;
    int rc = codes_make(&codes, data->x, data->n, data->d, spec->threads, err);
    coded.codes = &codes;
    *forest = (struct forest){0};
    if (rc == 0)
        rc = grow_all(forest, &coded, spec, err);
    codes_free(&codes);
    return rc < 0 ? rc : forest_flatten(forest, err);
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

/* Adds what each column of the tree purified, as a share; own (d) is scratch. True if any did. */
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
