/* See csvc.h. The kernel matrix of 28,709 rows would take 3.3 GB. The blocks of one class with
 * itself, which six pairs need, take 0.6 GB and are computed once; the block of two classes with
 * each other is needed by one pair only, so it lives as long as that pair is solved. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/math/blas.h"
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/kernel_values.h"
#include "kernels/classifiers/svm/smo.h"

/* Two classes a < b and what came of them. */
struct pair {
    size_t a, b;
    struct smo_result result;
    int rc;
    struct error error;
};

struct trainer {
    const struct csvc_training *training;
    const float *x;
    const size_t *counts;
    size_t classes, d, n, pairs;
    size_t *starts;      /* (classes): first row of each class */
    int threads;         /* that kernel values are computed on */
    double *norms;       /* (n) */
    struct spill *spill; /* where kernel values lie; NULL: in memory */
    double *diagonal;    /* (n), if wide: kernel values of rows with themselves */
    float **own;         /* (classes): kernel values of a class with itself */
    struct pair *pair;   /* (pairs) in the model's order */
    size_t *order;       /* (pairs): largest first, so that threads end together */
};

static int make(struct trainer *t, struct error *err)
{
    for (size_t c = 0; c < t->classes; c++)
        t->n += t->counts[c];
    t->pairs = t->classes * (t->classes - 1) / 2;
    t->starts = calloc(t->classes, sizeof *t->starts);
    t->norms = calloc(t->n + 1, sizeof *t->norms);
    t->diagonal = calloc(t->n + 1, sizeof *t->diagonal);
    t->own = calloc(t->classes, sizeof *t->own);
    t->pair = calloc(t->pairs, sizeof *t->pair);
    t->order = calloc(t->pairs, sizeof *t->order);
    if (!t->starts || !t->norms || !t->diagonal || !t->own || !t->pair || !t->order)
        return error_set(err, ENOMEM, "out of memory for %zu rows of %zu classes", t->n,
                         t->classes);
    for (size_t c = 1; c < t->classes; c++)
        t->starts[c] = t->starts[c - 1] + t->counts[c - 1];
    size_t p = 0;
    for (size_t a = 0; a < t->classes; a++)
        for (size_t b = a + 1; b < t->classes; b++, p++) {
            t->pair[p].a = a;
            t->pair[p].b = b;
            t->order[p] = p;
        }
    return 0;
}

static void destroy(struct trainer *t)
{
    for (size_t c = 0; t->own && c < t->classes; c++)
        spill_give(t->spill, t->own[c]);
    for (size_t p = 0; t->pair && p < t->pairs; p++)
        free(t->pair[p].result.beta);
    free(t->starts);
    free(t->norms);
    free(t->diagonal);
    free(t->own);
    free(t->pair);
    free(t->order);
}

static double pair_size(const struct trainer *t, size_t p)
{
    return (double)(t->counts[t->pair[p].a] + t->counts[t->pair[p].b]);
}

static void order_pairs(struct trainer *t)
{
    for (size_t i = 1; i < t->pairs; i++)
        for (size_t j = i; j > 0 && pair_size(t, t->order[j]) > pair_size(t, t->order[j - 1]);
             j--) {
            size_t swap = t->order[j];
            t->order[j] = t->order[j - 1];
            t->order[j - 1] = swap;
        }
}

/* Bytes that solving a pair takes at most: its block and the transposed, and the solver's own. */
static double pair_bytes(const struct trainer *t, size_t p)
{
    double n = (double)t->counts[t->pair[p].a], m = (double)t->counts[t->pair[p].b];
    double free_rows = fmin(n + m, SMO_MOST_FREE);
    return sizeof(float) * (2 * n * m + (n + m) * (n + m) / 3) +
           sizeof(double) * free_rows * free_rows +
           (t->training->wide ? (double)csvc_kernel_scratch() : 0);
}

/* How many threads solve in memory; 0 if not even one fits. *bytes is what one needs. */
static int threads_that_fit(const struct trainer *t, double *bytes)
{
    double shared = 0, largest = 0, limit = (double)t->training->memory;
    for (size_t c = 0; c < t->classes; c++)
        shared += sizeof(float) * (double)t->counts[c] * (double)t->counts[c];
    for (size_t p = 0; p < t->pairs; p++)
        largest = fmax(largest, pair_bytes(t, p));
    *bytes = shared + largest;
    int threads = t->training->threads;
    while (threads > 0 && shared + threads * largest > limit)
        threads--;
    return threads;
}

/* Decides where kernel values lie, and on how many threads pairs are solved. */
static int place_values(struct trainer *t, struct spill *spill, int *solving, struct error *err)
{
    double bytes;
    *solving = threads_that_fit(t, &bytes);
    t->threads = t->training->threads;
    if (*solving > 0)
        return 0;
    double rows = 0;
    for (size_t p = 0; p < t->pairs; p++)
        rows = fmax(rows, pair_size(t, p));
    int rc = csvc_spill(t->training, bytes, rows, spill, err);
    t->spill = spill;
    t->threads = *solving = 1;
    return rc;
}

static struct csvc_rows rows_of(const struct trainer *t, size_t c)
{
    return (struct csvc_rows){.x = t->x + t->starts[c] * t->d,
                              .norms = t->norms + t->starts[c],
                              .n = t->counts[c],
                              .d = t->d};
}

static int compute_own(struct trainer *t, size_t c, struct error *err)
{
    const struct csvc_training *training = t->training;
    struct csvc_rows rows = rows_of(t, c);
    size_t n = rows.n;
    float *k = t->own[c] = spill_take(t->spill, n * n, sizeof *k);
    if (!k)
        return error_set(err, ENOMEM, "out of memory for %zu x %zu kernel values", n, n);
    int rc = csvc_kernel_square(&training->kernel, &rows, training->wide, k, t->spill, t->threads);
    if (rc != -ERANGE)
        return rc < 0 ? error_set(err, -rc, "out of memory for products in double") : 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(k[i * n + i]))
            return error_set(err, ERANGE,
                             "row %zu of class %zu has no finite kernel value with "
                             "itself: scale the features, or choose a smaller gamma or degree",
                             i, c);
    return csvc_not_finite(c, c, err);
}

/* Memory of a thread for the pair that it solves: the block of two classes, and its transposed. */
struct across {
    float *values, *back;
    double *diagonal;
};

static int across_make(struct across *a, const struct trainer *t)
{
    size_t most = 0;
    for (size_t p = 0; p < t->pairs; p++) {
        size_t size = t->counts[t->pair[p].a] * t->counts[t->pair[p].b];
        most = size > most ? size : most;
    }
    a->values = spill_take(t->spill, most, sizeof *a->values);
    a->back = spill_take(t->spill, most, sizeof *a->back);
    a->diagonal = malloc(t->n * sizeof *a->diagonal);
    return a->values && a->back && a->diagonal ? 0 : -ENOMEM;
}

static void across_free(struct across *a, const struct trainer *t)
{
    spill_give(t->spill, a->values);
    spill_give(t->spill, a->back);
    free(a->diagonal);
}

static int solve_pair(const struct trainer *t, struct pair *pair, const struct across *across)
{
    size_t a = pair->a, b = pair->b, n = t->counts[a], m = t->counts[b];
    struct csvc_rows of_a = rows_of(t, a), of_b = rows_of(t, b);
    pair->result.beta = calloc(n + m, sizeof *pair->result.beta);
    if (!pair->result.beta)
        return error_set(&pair->error, ENOMEM, "out of memory for a pair of %zu rows", n + m);
    const struct csvc_training *training = t->training;
    int rc = csvc_kernel_block(&training->kernel, &of_a, &of_b, training->wide, across->values,
                               across->back, t->spill, 1);
    if (rc == -ERANGE)
        return csvc_not_finite(a, b, &pair->error);
    if (rc < 0)
        return error_set(&pair->error, -rc, "out of memory for products in double");
    for (size_t i = 0; i < n + m; i++)
        across->diagonal[i] = t->diagonal[i < n ? t->starts[a] + i : t->starts[b] + i - n];
    struct smo_problem problem = {
        .n = {n, m},
        .k = {{t->own[a], across->values}, {across->back, t->own[b]}},
        .diagonal = training->wide ? across->diagonal : NULL,
        .c = {csvc_bound(training, training->c, a), csvc_bound(training, training->c, b)},
        .spill = t->spill,
        .tolerance = training->tolerance,
    };
    return smo_solve(&problem, &pair->result, &pair->error);
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

static int solve_pairs(struct trainer *t, int threads, struct error *err)
{
    size_t done = 0;
    bool no_memory = false;
    blas_single_threaded();
#pragma omp parallel num_threads(threads)
    {
        struct across across;
        if (across_make(&across, t) < 0) {
#pragma omp atomic write
            no_memory = true;
        }
#pragma omp barrier
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < t->pairs; i++) {
            struct pair *pair = &t->pair[t->order[i]];
            if (no_memory)
                continue;
            pair->rc = solve_pair(t, pair, &across);
            progress(t->training, &done, t->pairs);
        }
        across_free(&across, t);
    }
    if (no_memory)
        return error_set(err, ENOMEM, "out of memory for kernel values of two classes");
    for (size_t p = 0; p < t->pairs; p++)
        if (t->pair[p].rc < 0) {
            *err = t->pair[p].error;
            return t->pair[p].rc;
        }
    return 0;
}

/* Row r of class c in the problem of pair p, which c is part of. */
static double beta_of(const struct trainer *t, const struct pair *p, size_t c, size_t r)
{
    return p->result.beta[c == p->a ? r : t->counts[p->a] + r];
}

static bool is_support(const struct trainer *t, size_t c, size_t r)
{
    for (size_t p = 0; p < t->pairs; p++)
        if ((t->pair[p].a == c || t->pair[p].b == c) && beta_of(t, &t->pair[p], c, r) != 0)
            return true;
    return false;
}

/* Copies a support vector and its coefficients to place `at` of the model. */
static void add_support(const struct trainer *t, size_t c, size_t r, struct csvc_model *model,
                        size_t at)
{
    memcpy(model->vectors + at * t->d, t->x + (t->starts[c] + r) * t->d,
           t->d * sizeof *model->vectors);
    for (size_t p = 0; p < t->pairs; p++) {
        const struct pair *pair = &t->pair[p];
        if (pair->a == c || pair->b == c)
            model->coef[(pair->a == c ? pair->b - 1 : pair->a) * model->count + at] =
                beta_of(t, pair, c, r);
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
    for (size_t p = 0; p < t->pairs; p++) {
        const struct smo_result *r = &t->pair[p].result;
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
    struct spill spill = {0};
    int rc = make(&t, err), threads = 0;
    if (rc == 0)
        order_pairs(&t);
    if (rc == 0)
        rc = place_values(&t, &spill, &threads, err);
    if (rc == 0)
        blas_squared_norms(x, t.n, d, t.norms, training->threads);
    if (rc == 0)
        csvc_kernel_diagonal(&training->kernel, t.norms, t.n, t.diagonal);
    for (size_t c = 0; rc == 0 && c < classes; c++)
        rc = compute_own(&t, c, err);
    if (rc == 0)
        rc = solve_pairs(&t, threads, err);
    for (size_t c = 0; t.own && c < classes; c++) {
        spill_give(t.spill, t.own[c]); /* before the model is made, to keep the peak low */
        t.own[c] = NULL;
    }
    if (rc == 0)
        rc = build_model(&t, model, report, err);
    destroy(&t);
    spill_close(&spill);
    return rc;
}
