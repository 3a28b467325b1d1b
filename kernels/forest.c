/* See forest.h. */
#include "kernels/forest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/vote.h"

enum {
    ROWS = 64,
    MOST_CLASSES = 256
}; /* rows that pass a tree together, while it is in the cache */

static int grow_one(struct cart *tree, const struct cart_data *data, const struct forest_spec *spec,
                    size_t number, int threads, struct error *err)
{
    struct random random = random_start(spec->seed, number);
    if (!spec->bootstrap)
        return cart_grow(tree, data, &spec->tree, NULL, &random, threads, err);
    uint32_t *weights = calloc(data->n, sizeof *weights);
    if (!weights)
        return error_set(err, ENOMEM, "out of memory for a sample of %zu rows", data->n);
    for (size_t i = 0; i < data->n; i++)
        weights[random_below(&random, data->n)]++;
    int rc = cart_grow(tree, data, &spec->tree, weights, &random, threads, err);
    free(weights);
    return rc;
}

int forest_grow(struct forest *forest, const struct cart_data *data, const struct forest_spec *spec,
                struct error *err)
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

void forest_free(struct forest *forest)
{
    for (size_t t = 0; forest->tree && t < forest->trees; t++)
        cart_free(&forest->tree[t]);
    free(forest->tree);
    *forest = (struct forest){0};
}

static void add_shares(const struct cart *tree, const float *row, double *shares)
{
    const uint32_t *counts = tree->counts + cart_leaf(tree, row) * tree->classes;
    double sum = 0;
    for (size_t c = 0; c < tree->classes; c++)
        sum += counts[c];
    for (size_t c = 0; c < tree->classes; c++)
        shares[c] += counts[c] / sum;
}

void forest_predict(const struct forest *forest, const float *x, size_t n, uint8_t *out)
{
    size_t classes = forest->classes, d = forest->d;
#pragma omp parallel for schedule(dynamic) num_threads(forest->threads)
    for (size_t start = 0; start < n; start += ROWS) {
        double shares[ROWS][MOST_CLASSES];
        size_t rows = n - start < ROWS ? n - start : ROWS;
        for (size_t r = 0; r < rows; r++)
            memset(shares[r], 0, classes * sizeof **shares);
        for (size_t t = 0; t < forest->trees; t++)
            for (size_t r = 0; r < rows; r++)
                add_shares(&forest->tree[t], x + (start + r) * d, shares[r]);
        for (size_t r = 0; r < rows; r++)
            out[start + r] = vote_highest(shares[r], classes);
    }
}
