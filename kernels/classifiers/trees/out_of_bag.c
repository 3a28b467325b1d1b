/* See out_of_bag.h. */
#include "kernels/classifiers/trees/out_of_bag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/classifiers/trees/forest_predict.h"
#include "kernels/classifiers/vote.h"
#include "kernels/math/thread_scratch.h"

enum { MOST_CLASSES = 256 };

/* Sets the bits of the rows that are in the sample of a tree. */
static void mark_sample(const struct forest_spec *spec, size_t tree, size_t n, uint32_t *weights,
                        uint8_t *bits)
{
    forest_sample(spec, tree, n, weights);
    for (size_t i = 0; i < n; i++)
        if (weights[i] > 0)
            bits[i / 8] |= (uint8_t)(1 << i % 8);
}

/* samples (trees, stride bytes): a bit for each row, set if the row is in the tree's sample. */
static int mark_samples(const struct forest_spec *spec, size_t n, size_t stride, uint8_t *samples)
{
    struct thread_scratch weights;
    int rc = thread_scratch_make(&weights, spec->threads, n * sizeof(uint32_t));
    if (rc < 0)
        return rc;
#pragma omp parallel for schedule(dynamic) num_threads(spec->threads)
    for (size_t t = 0; t < spec->trees; t++)
        mark_sample(spec, t, n, thread_scratch_mine(&weights), samples + t * stride);
    thread_scratch_free(&weights);
    return 0;
}

/* Tests up to FOREST_WALKS rows from `start` on. */
static struct out_of_bag test_rows(const struct forest *f, const struct cart_data *data,
                                   const uint8_t *samples, size_t stride, size_t start)
{
    size_t count = data->n - start < FOREST_WALKS ? data->n - start : FOREST_WALKS;
    double sums[FOREST_WALKS][MOST_CLASSES];
    struct out_of_bag result = {0};
    for (size_t k = 0; k < count; k++)
        memset(sums[k], 0, f->classes * sizeof **sums);
    for (size_t t = 0; t < f->trees; t++) {
        uint32_t at[FOREST_WALKS];
        forest_leaves(f, t, data->x + start * f->d, count, at);
        for (size_t k = 0; k < count; k++)
            if (!(samples[t * stride + (start + k) / 8] >> (start + k) % 8 & 1))
                forest_add_share(f, at[k], sums[k]);
    }
    for (size_t k = 0; k < count; k++) {
        uint8_t class = vote_highest(sums[k], f->classes);
        if (sums[k][class] == 0) /* in the sample of every tree */
            continue;
        result.n++;
        result.correct += class == data->labels[start + k];
    }
    return result;
}

int out_of_bag_test(const struct forest *forest, const struct cart_data *data,
                    const struct forest_spec *spec, struct out_of_bag *result, struct error *err)
{
    size_t stride = data->n / 8 + 1, n = 0, correct = 0;
    uint8_t *samples = calloc(forest->trees, stride);
    if (!samples || mark_samples(spec, data->n, stride, samples) < 0) {
        free(samples);
        return error_set(err, ENOMEM, "out of memory for the samples of %zu trees", forest->trees);
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(spec->threads) reduction(+ : n, correct)
    for (size_t i = 0; i < data->n; i += FOREST_WALKS) {
        struct out_of_bag some = test_rows(forest, data, samples, stride, i);
        n += some.n;
        correct += some.correct;
    }
    *result = (struct out_of_bag){n, correct};
    free(samples);
    return 0;
}
