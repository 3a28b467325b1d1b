/* See linear.h. */
#include "kernels/classifiers/linear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
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

int linear_predict(const struct linear *model, const float *x, size_t n, uint8_t *out,
                   struct error *err)
{
    size_t d = model->d, classes = model->classes;
    int failed = 0;
    blas_single_threaded();
#pragma omp parallel num_threads(model->threads)
    {
        double *wide = malloc(ROWS * d * sizeof *wide),
               *scores = malloc(ROWS * classes * sizeof *scores);
        if (!wide || !scores) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i += ROWS) {
            size_t rows = n - i < ROWS ? n - i : ROWS;
            if (failed)
                continue;
            for (size_t k = 0; k < rows * d; k++)
                wide[k] = x[i * d + k];
            linear_scores(model, wide, rows, scores);
            for (size_t r = 0; r < rows; r++)
                out[i + r] = vote_highest(scores + r * classes, classes);
        }
        free(wide);
        free(scores);
    }
    return failed ? error_set(err, ENOMEM, "out of memory to predict %zu rows", n) : 0;
}
