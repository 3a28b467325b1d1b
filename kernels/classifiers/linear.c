/* See linear.h. */
#include "kernels/classifiers/linear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/math/thread_scratch.h"
#include "kernels/classifiers/vote.h"

enum { ROWS = 32 }; /* of a tile, which becomes double in the second-level cache */

int linear_make(struct linear *model, size_t classes, size_t d, int threads, struct error *err)
{
    *model = (struct linear){.classes = classes, .d = d, .threads = threads};
    model->weights = calloc(classes * (d + 1), sizeof *model->weights);
    if (!model->weights)
        return error_set(err, ENOMEM, "out of memory for %zu x %zu weights", classes, d);
    return 0;
}

void linear_free(struct linear *model)
{
    free(model->weights);
    *model = (struct linear){0};
}

double *linear_biases(const struct linear *model)
{
    return model->weights + model->classes * model->d;
}

void linear_scores(const struct linear *model, const double *x, size_t n, double *out)
{
    size_t classes = model->classes, d = model->d;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * classes, linear_biases(model), classes * sizeof *out);
    blas_add_product(x, d, n, model->weights, d, classes, d, out, classes);
}

/* Predicts up to ROWS rows. scratch is (ROWS, d + classes). */
static void predict_tile(const struct linear *model, const float *x, size_t n, double *scratch,
                         uint8_t *out)
{
    size_t values = n * model->d;
    double *wide = scratch, *scores = scratch + ROWS * model->d;
#pragma omp simd
    for (size_t k = 0; k < values; k++)
        wide[k] = x[k];
    linear_scores(model, wide, n, scores);
    for (size_t r = 0; r < n; r++)
        out[r] = vote_highest(scores + r * model->classes, model->classes);
}

int linear_predict(const struct linear *model, const float *x, size_t n, uint8_t *out,
                   struct error *err)
{
    struct thread_scratch scratch;
    size_t bytes = ROWS * (model->d + model->classes) * sizeof(double);
    if (thread_scratch_make(&scratch, model->threads, bytes) < 0)
        return error_set(err, ENOMEM, "out of memory to predict %zu rows", n);
    blas_single_threaded();
#pragma omp parallel for schedule(dynamic) num_threads(model->threads)
    for (size_t i = 0; i < n; i += ROWS)
        predict_tile(model, x + i * model->d, n - i < ROWS ? n - i : ROWS,
                     thread_scratch_mine(&scratch), out + i);
    thread_scratch_free(&scratch);
    return 0;
}
