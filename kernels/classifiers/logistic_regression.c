/* See logistic_regression.h. For each tile of rows, one product gives the scores, then the
 * residuals are computed (softmax minus 1 at the true class), and a second product adds to the
 * gradient while the tile is in cache, so the features are read once. Tiles belong to parts, each
 * with its own gradient; the gradients are added up in the order of the parts. */
#include "kernels/classifiers/logistic_regression.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/math/thread_scratch.h"

enum { ROWS = 32, PARTS = 16 }; /* rows of a tile, parts; results depend on both */

/* Replaces the scores of a row by their softmax minus 1 at the label. Returns the cross-entropy. */
static double residuals(double *scores, size_t classes, size_t label)
{
    double most = scores[0], sum = 0, own;
    for (size_t c = 1; c < classes; c++)
        most = fmax(most, scores[c]);
    own = scores[label] - most;
    for (size_t c = 0; c < classes; c++)
        sum += scores[c] = exp(scores[c] - most);
    for (size_t c = 0; c < classes; c++)
        scores[c] /= sum;
    scores[label] -= 1;
    return log(sum) - own;
}

/* Adds the gradient of rows from .. to-1. scratch is (ROWS, d + classes). Returns the sum of their
 * cross-entropies. */
static double part_loss(const struct logistic *p, const struct linear *model, size_t from,
                        size_t to, double *scratch, double *gradient)
{
    size_t d = p->d, classes = p->classes;
    double *biases = gradient + classes * d, *wide = scratch, *scores = scratch + ROWS * d, sum = 0;
    for (size_t i = from; i < to; i += ROWS) {
        size_t rows = to - i < ROWS ? to - i : ROWS;
        const float *x = p->x + i * d;
#pragma omp simd
        for (size_t k = 0; k < rows * d; k++)
            wide[k] = x[k];
        linear_scores(model, wide, rows, scores);
        for (size_t r = 0; r < rows; r++) {
            sum += residuals(scores + r * classes, classes, p->labels[i + r]);
            for (size_t c = 0; c < classes; c++)
                biases[c] += scores[r * classes + c];
        }
        blas_add_transposed_product(scores, classes, classes, wide, d, d, rows, gradient, d);
    }
    return sum;
}

/* Adds up the gradients of the parts, takes the mean, and adds the penalty. Returns the loss. */
static double add_parts(const struct logistic *p, const double *weights, const double *losses,
                        const double *parts, double *gradient)
{
    size_t penalised = p->classes * p->d, size = penalised + p->classes;
    double n = (double)p->n, strength = 1 / (p->c * n), value = 0, squares = 0;
    memset(gradient, 0, size * sizeof *gradient);
    for (size_t k = 0; k < PARTS; k++) {
        value += losses[k];
        for (size_t i = 0; i < size; i++)
            gradient[i] += parts[k * size + i];
    }
    for (size_t i = 0; i < size; i++)
        gradient[i] /= n;
    for (size_t i = 0; i < penalised; i++) {
        gradient[i] += strength * weights[i];
        squares += weights[i] * weights[i];
    }
    return value / n + strength * squares / 2;
}

int logistic_loss(const struct logistic *problem, const double *weights, double *value,
                  double *gradient, struct error *err)
{
    size_t n = problem->n, d = problem->d, classes = problem->classes, size = classes * (d + 1);
    struct linear model = {.classes = classes, .d = d, .weights = (double *)weights};
    double losses[PARTS] = {0}, *parts = calloc(PARTS, size * sizeof *parts);
    struct thread_scratch scratch;
    int rc = thread_scratch_make(&scratch, problem->threads, ROWS * (d + classes) * sizeof(double));
    if (rc < 0 || !parts) {
        thread_scratch_free(&scratch);
        free(parts);
        return error_set(err, ENOMEM, "out of memory for gradients of %zu x %zu weights", classes,
                         d);
    }
    blas_single_threaded();
#pragma omp parallel for schedule(dynamic) num_threads(problem->threads)
    for (size_t k = 0; k < PARTS; k++)
        losses[k] = part_loss(problem, &model, n * k / PARTS, n * (k + 1) / PARTS,
                              thread_scratch_mine(&scratch), parts + k * size);
    *value = add_parts(problem, weights, losses, parts, gradient);
    thread_scratch_free(&scratch);
    free(parts);
    return 0;
}

static int evaluate(void *context, const double *x, double *value, double *gradient,
                    struct error *err)
{
    return logistic_loss(context, x, value, gradient, err);
}

int logistic_fit(const struct logistic *problem, double tolerance, size_t most_iterations,
                 void (*progress)(void *context, size_t done, size_t total), void *context,
                 struct linear *model, struct lbfgs_report *report, struct error *err)
{
    int rc = linear_make(model, problem->classes, problem->d, problem->threads, err);
    struct logistic copy = *problem;
    struct lbfgs search = {.n = problem->classes * (problem->d + 1),
                           .evaluate = evaluate,
                           .context = &copy,
                           .tolerance = tolerance,
                           .most_iterations = most_iterations,
                           .progress = progress,
                           .progress_context = context};
    return rc < 0 ? rc : lbfgs_minimize(&search, model->weights, report, err);
}
