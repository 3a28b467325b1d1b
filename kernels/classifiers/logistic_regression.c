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

/* ---- training ---- */

/* The search runs over the weights of centred columns: x - mean in place of x, which only moves the
 * biases. It takes a third of the steps, because columns such as features after a ReLU have means
 * that make their weights and the bias act alike. */
struct centred {
    const struct logistic *problem;
    double *means;              /* (d), of the columns */
    double *weights, *gradient; /* (classes, d), then (classes): of the columns as they are */
};

static int centred_make(struct centred *s, const struct logistic *p, struct error *err)
{
    size_t size = p->classes * (p->d + 1);
    *s = (struct centred){.problem = p, .means = calloc(p->d + 2 * size, sizeof *s->means)};
    if (!s->means)
        return error_set(err, ENOMEM, "out of memory for %zu x %zu weights", p->classes, p->d);
    s->weights = s->means + p->d;
    s->gradient = s->weights + size;
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->d; j++)
            s->means[j] += p->x[i * p->d + j];
    for (size_t j = 0; j < p->d; j++)
        s->means[j] /= (double)p->n;
    return 0;
}

/* weights: those of the columns as they are, from x, those of the centred ones. */
static void move_biases(const struct centred *s, const double *x, double *weights)
{
    size_t d = s->problem->d, classes = s->problem->classes;
    memmove(weights, x, classes * (d + 1) * sizeof *weights);
    for (size_t c = 0; c < classes; c++)
        for (size_t j = 0; j < d; j++)
            weights[classes * d + c] -= weights[c * d + j] * s->means[j];
}

static int evaluate(void *context, const double *x, double *value, double *gradient,
                    struct error *err)
{
    const struct centred *s = context;
    size_t d = s->problem->d, classes = s->problem->classes;
    move_biases(s, x, s->weights);
    int rc = logistic_loss(s->problem, s->weights, value, s->gradient, err);
    for (size_t c = 0; rc == 0 && c < classes; c++) {
        double bias = gradient[classes * d + c] = s->gradient[classes * d + c];
        for (size_t j = 0; j < d; j++)
            gradient[c * d + j] = s->gradient[c * d + j] - s->means[j] * bias;
    }
    return rc;
}

int logistic_fit(const struct logistic *problem, double tolerance, size_t most_iterations,
                 void (*progress)(void *context, size_t done, size_t total), void *context,
                 struct linear *model, struct lbfgs_report *report, struct error *err)
{
    struct centred centred;
    int rc = linear_make(model, problem->classes, problem->d, problem->threads, err);
    if (rc == 0)
        rc = centred_make(&centred, problem, err);
    if (rc < 0)
        return rc;
    struct lbfgs search = {.n = problem->classes * (problem->d + 1),
                           .evaluate = evaluate,
                           .context = &centred,
                           .tolerance = tolerance,
                           .most_iterations = most_iterations,
                           .progress = progress,
                           .progress_context = context};
    rc = lbfgs_minimize(&search, model->weights, report, err);
    if (rc == 0)
        move_biases(&centred, model->weights, model->weights);
    free(centred.means);
    return rc;
}
