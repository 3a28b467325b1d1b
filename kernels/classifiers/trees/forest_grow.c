/* See forest_grow.h. */
#include "kernels/classifiers/trees/forest_grow.h"

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
    struct bins bins;
    struct cart_data binned = *data;
    int rc = bins_make(&bins, data->x, data->n, data->d, spec->threads, err);
    binned.bins = &bins;
    *forest = (struct forest){0};
    if (rc == 0)
        rc = grow_all(forest, &binned, spec, err);
    bins_free(&bins);
    return rc < 0 ? rc : forest_flatten(forest, err);
}
