/* See csvc.h. The kernel matrix of FER2013's 28,709 rows would take 3.3 GB. The block of a class
 * with itself is needed by all pairs of that class, so these blocks, 0.6 GB, are computed once. The
 * block of two classes is needed by one pair only, so it exists while that pair is solved. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/math/blas.h"
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/kernel_values.h"
#include "kernels/classifiers/svm/pairs.h"
#include "kernels/classifiers/svm/smo.h"

struct trainer {
    const struct csvc_training *training;
    const float *x;
    const size_t *counts;
    size_t classes, d, n;
    size_t *starts;   /* (classes): first row of each class */
    double *norms;    /* (n): squared norms of the rows */
    double *diagonal; /* (n): kernel values of rows with themselves */
    float **own;      /* (classes): kernel values of a class with itself */
    struct csvc_pairs pairs;
    struct smo_result *result; /* (pairs) */
    struct csvc_memory memory;
    struct products *products; /* of the rows; NULL: the CPU computes products */
};

static int make(struct trainer *t, struct error *err)
{
    for (size_t c = 0; c < t->classes; c++)
        t->n += t->counts[c];
    int rc = csvc_pairs_make(&t->pairs, t->classes, t->counts);
    t->starts = calloc(t->classes, sizeof *t->starts);
    t->norms = calloc(t->n + 1, sizeof *t->norms);
    t->diagonal = calloc(t->n + 1, sizeof *t->diagonal);
    t->own = calloc(t->classes, sizeof *t->own);
    t->result = calloc(t->pairs.count, sizeof *t->result);
    if (rc < 0 || !t->starts || !t->norms || !t->diagonal || !t->own || !t->result)
        return error_set(err, ENOMEM, "out of memory for %zu rows of %zu classes", t->n,
                         t->classes);
    for (size_t c = 1; c < t->classes; c++)
        t->starts[c] = t->starts[c - 1] + t->counts[c - 1];
    return 0;
}

static void destroy(struct trainer *t)
{
    for (size_t c = 0; t->own && c < t->classes; c++)
        spill_free(t->memory.spill, t->own[c]);
    for (size_t p = 0; t->result && p < t->pairs.count; p++)
        free(t->result[p].beta);
    free(t->starts);
    free(t->norms);
    free(t->diagonal);
    free(t->own);
    free(t->result);
    csvc_pairs_free(&t->pairs);
    csvc_memory_free(&t->memory);
    products_close(t->products);
}

/* Decides where kernel values lie, and on how many threads pairs are solved. A solver takes the
 * block of two classes, its transpose, what smo.c copies to shrink it, and the solver's own. */
static int plan_memory(struct trainer *t, struct error *err)
{
    double shared = 0, each = 0, rows = 0;
    for (size_t c = 0; c < t->classes; c++)
        shared += sizeof(float) * (double)t->counts[c] * (double)t->counts[c];
    for (size_t p = 0; p < t->pairs.count; p++) {
        double n = (double)t->counts[t->pairs.pair[p].a], m = (double)t->counts[t->pairs.pair[p].b];
        double values = sizeof(float) * (2 * n * m + (n + m) * (n + m) / 3);
        each = fmax(each, values + csvc_solver_bytes(t->training, n + m));
        rows = fmax(rows, n + m);
    }
    return csvc_memory_plan(&t->memory, t->training, shared, each, rows, err);
}

static struct csvc_rows rows_of(const struct trainer *t, size_t c)
{
    return (struct csvc_rows){.x = t->x + t->starts[c] * t->d,
                              .norms = t->norms + t->starts[c],
                              .n = t->counts[c],
                              .d = t->d,
                              .products = t->products,
                              .first = t->starts[c]};
}

/* Reports why a block can't be computed: no memory, or the GPU failed. */
static int block_failed(const struct trainer *t, int rc, struct error *err)
{
    int failed = products_error(t->products, err);
    return failed < 0 ? failed : error_set(err, -rc, "out of memory for products in double");
}

static int compute_own(struct trainer *t, size_t c, struct error *err)
{
    const struct csvc_training *training = t->training;
    struct csvc_rows rows = rows_of(t, c);
    size_t n = rows.n;
    float *k = t->own[c] = spill_alloc(t->memory.spill, n * n, sizeof *k);
    if (!k)
        return error_set(err, ENOMEM, "out of memory for %zu x %zu kernel values", n, n);
    int rc = csvc_kernel_square(&training->kernel, &rows, training->wide, k, t->memory.spill,
                                t->memory.threads);
    if (rc != -ERANGE)
        return rc < 0 ? block_failed(t, rc, err) : 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(k[i * n + i]))
            return error_set(err, ERANGE,
                             "row %zu of class %zu has no finite kernel value with "
                             "itself: scale the features, or choose a smaller gamma or degree",
                             i, c);
    return csvc_not_finite(c, c, err);
}

/* Memory of a thread for the pair that it solves: the block of two classes and its transpose. */
struct across {
    float *values, *transposed;
    double *diagonal;
};

static int across_make(struct across *a, const struct trainer *t)
{
    size_t most = 0;
    for (size_t p = 0; p < t->pairs.count; p++) {
        size_t size = t->counts[t->pairs.pair[p].a] * t->counts[t->pairs.pair[p].b];
        most = size > most ? size : most;
    }
    a->values = spill_alloc(t->memory.spill, most, sizeof *a->values);
    a->transposed = spill_alloc(t->memory.spill, most, sizeof *a->transposed);
    a->diagonal = malloc(t->n * sizeof *a->diagonal);
    return a->values && a->transposed && a->diagonal ? 0 : -ENOMEM;
}

static void across_free(struct across *a, const struct trainer *t)
{
    spill_free(t->memory.spill, a->values);
    spill_free(t->memory.spill, a->transposed);
    free(a->diagonal);
}

static int solve_pair(const struct trainer *t, size_t p, const struct across *across)
{
    struct csvc_pair *pair = &t->pairs.pair[p];
    struct smo_result *result = &t->result[p];
    size_t a = pair->a, b = pair->b, n = t->counts[a], m = t->counts[b];
    struct csvc_rows of_a = rows_of(t, a), of_b = rows_of(t, b);
    result->beta = calloc(n + m, sizeof *result->beta);
    if (!result->beta)
        return error_set(&pair->error, ENOMEM, "out of memory for a pair of %zu rows", n + m);
    const struct csvc_training *training = t->training;
    int rc = csvc_kernel_block(&training->kernel, &of_a, &of_b, training->wide, across->values,
                               across->transposed, t->memory.spill, 1);
    if (rc == -ERANGE)
        return csvc_not_finite(a, b, &pair->error);
    if (rc < 0)
        return block_failed(t, rc, &pair->error);
    for (size_t i = 0; i < n + m; i++)
        across->diagonal[i] = t->diagonal[i < n ? t->starts[a] + i : t->starts[b] + i - n];
    struct smo_problem problem = {
        .n = {n, m},
        .k = {{t->own[a], across->values}, {across->transposed, t->own[b]}},
        .diagonal = training->wide ? across->diagonal : NULL,
        .c = {csvc_bound(training, training->c, a), csvc_bound(training, training->c, b)},
        .spill = t->memory.spill,
        .tolerance = training->tolerance,
    };
    return smo_solve(&problem, result, &pair->error);
}

static void progress(const struct csvc_training *training, size_t *done, size_t total)
{
#pragma omp critical(svm_progress)
    {
        ++*done;
        if (training->progress)
            training->progress(training->context, *done, total);
    }
}

static int solve_pairs(struct trainer *t, struct error *err)
{
    size_t done = 0;
    bool no_memory = false;
    blas_single_threaded();
#pragma omp parallel num_threads(t->memory.solvers)
    {
        struct across across;
        if (across_make(&across, t) < 0) {
#pragma omp atomic write
            no_memory = true;
        }
#pragma omp barrier
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < t->pairs.count; i++) {
            size_t p = t->pairs.order[i];
            if (no_memory)
                continue;
            t->pairs.pair[p].rc = solve_pair(t, p, &across);
            progress(t->training, &done, t->pairs.count);
        }
        across_free(&across, t);
    }
    if (no_memory)
        return error_set(err, ENOMEM, "out of memory for kernel values of two classes");
    return csvc_pairs_error(&t->pairs, err);
}

/* beta of row r of class c, which is one of the pair's two classes. */
static double beta_of(const struct trainer *t, size_t p, size_t c, size_t r)
{
    size_t a = t->pairs.pair[p].a;
    return t->result[p].beta[c == a ? r : t->counts[a] + r];
}

static bool is_support(const struct trainer *t, size_t c, size_t r)
{
    for (size_t p = 0; p < t->pairs.count; p++)
        if ((t->pairs.pair[p].a == c || t->pairs.pair[p].b == c) && beta_of(t, p, c, r) != 0)
            return true;
    return false;
}

/* Copies a support vector and its coefficients to index `at` of the model. */
static void add_support(const struct trainer *t, size_t c, size_t r, struct csvc_model *model,
                        size_t at)
{
    memcpy(model->vectors + at * t->d, t->x + (t->starts[c] + r) * t->d,
           t->d * sizeof *model->vectors);
    for (size_t p = 0; p < t->pairs.count; p++) {
        const struct csvc_pair *pair = &t->pairs.pair[p];
        if (pair->a == c || pair->b == c)
            model->coef[(pair->a == c ? pair->b - 1 : pair->a) * model->count + at] =
                beta_of(t, p, c, r);
    }
}

static int build_model(const struct trainer *t, struct csvc_model *model,
                       struct csvc_report *report, struct error *err)
{
    size_t count = 0, at = 0;
    for (size_t c = 0; c < t->classes; c++)
        for (size_t r = 0; r < t->counts[c]; r++)
            count += is_support(t, c, r);
    int rc = csvc_model_make(model, t->classes, t->d, count, err);
    if (rc < 0)
        return rc;
    model->kernel = t->training->kernel;
    for (size_t c = 0; c < t->classes; c++)
        for (size_t r = 0; r < t->counts[c]; r++)
            if (is_support(t, c, r)) {
                add_support(t, c, r, model, at++);
                model->class_counts[c]++;
            }
    *report = (struct csvc_report){0};
    for (size_t p = 0; p < t->pairs.count; p++) {
        const struct smo_result *r = &t->result[p];
        model->rho[p] = r->rho;
        report->iterations += r->iterations;
        report->unconverged += !r->converged;
        report->objective += r->objective;
    }
    return 0;
}

int csvc_train(const struct csvc_training *training, const float *x, const size_t *counts,
               size_t classes, size_t d, struct csvc_model *model, struct csvc_report *report,
               struct error *err)
{
    struct trainer t = {.training = training, .x = x, .counts = counts, .classes = classes, .d = d};
    *model = (struct csvc_model){0};
    int rc = make(&t, err);
    if (rc == 0)
        rc = plan_memory(&t, err);
    if (rc == 0)
        rc = products_open(training->backend, x, t.n, d, training->wide, &t.products, err);
    if (rc == 0)
        blas_squared_norms(x, t.n, d, t.norms, training->threads);
    if (rc == 0)
        csvc_kernel_diagonal(&training->kernel, t.norms, t.n, t.diagonal);
    for (size_t c = 0; rc == 0 && c < classes; c++)
        rc = compute_own(&t, c, err);
    if (rc == 0)
        rc = solve_pairs(&t, err);
    for (size_t c = 0; t.own && c < classes; c++) {
        spill_free(t.memory.spill, t.own[c]); /* before the model is made, to keep the peak low */
        t.own[c] = NULL;
    }
    if (rc == 0)
        rc = build_model(&t, model, report, err);
    destroy(&t);
    return rc;
}
