/* See cross_validation.h. Products of rows with rows are the expensive part, and they don't depend
 * on fold, gamma and C. So they are computed once, as a block for each two classes. For each fold
 * the kernel values of all pairs of classes are copied from the blocks, the pairs are solved for
 * every C, and the rows of the fold are predicted. */
#include "kernels/classifiers/svm/cross_validation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/classifiers/svm/kernel_values.h"
#include "kernels/classifiers/svm/pairs.h"
#include "kernels/classifiers/svm/smo.h"

enum { ROWS = 256, VECTORS = 1024 }; /* in a tile of predictions */

struct cross {
    const struct csvc_training *training;
    const struct csvc_grid *grid;
    const float *x;
    const size_t *starts;
    size_t classes, folds, d, n, others;
    struct csvc_pairs pairs;
    struct csvc_memory memory;
    struct products *products; /* of the rows; NULL: the CPU computes products */
    double *norms;             /* (n): squared norms of the rows */
    double *diagonal;          /* (n): kernel values of rows with themselves */
    float **block; /* (classes, classes): rows of class a with those of b >= a; else NULL */
    bool ready;    /* blocks hold kernel values; otherwise dot products */
    struct csvc_kernel kernel;
    double *coef;  /* (c_count, others, n): as in csvc_model, for one fold */
    double *rho;   /* (c_count, pairs) */
    size_t done;   /* problems solved */
    bool infinite; /* a kernel value of rows of these classes isn't finite */
    size_t infinite_a, infinite_b;
    struct csvc_report report;
};

/* Rows start .. start + count - 1, numbered within their class. */
struct range {
    size_t start, count;
};

static size_t first_row(const struct cross *t, size_t c)
{
    return t->starts[c * (t->folds + 1)];
}

static size_t class_size(const struct cross *t, size_t c)
{
    return t->starts[c * (t->folds + 1) + t->folds] - first_row(t, c);
}

static struct range held_out(const struct cross *t, size_t c, size_t fold)
{
    const size_t *s = t->starts + c * (t->folds + 1);
    return (struct range){s[fold] - s[0], s[fold + 1] - s[fold]};
}

/* The training rows of a class: those before and those after the rows held out. */
static void training_rows(const struct cross *t, size_t c, size_t fold, struct range rest[2])
{
    struct range out = held_out(t, c, fold);
    rest[0] = (struct range){0, out.start};
    rest[1] = (struct range){out.start + out.count, class_size(t, c) - out.start - out.count};
}

static size_t training_size(const struct cross *t, size_t c, size_t fold)
{
    return class_size(t, c) - held_out(t, c, fold).count;
}

static struct csvc_rows rows_of(const struct cross *t, size_t c)
{
    size_t first = first_row(t, c);
    return (struct csvc_rows){.x = t->x + first * t->d,
                              .norms = t->norms + first,
                              .n = class_size(t, c),
                              .d = t->d,
                              .products = t->products,
                              .first = first};
}

static int make(struct cross *t, struct error *err)
{
    t->n = t->starts[t->classes * (t->folds + 1) - 1];
    t->others = t->classes - 1;
    t->norms = calloc(t->n + 1, sizeof *t->norms);
    t->diagonal = calloc(t->n + 1, sizeof *t->diagonal);
    t->block = calloc(t->classes * t->classes, sizeof *t->block);
    t->coef = calloc(t->grid->c_count * t->others * t->n + 1, sizeof *t->coef);
    t->rho = calloc(t->grid->c_count * t->classes * t->others / 2, sizeof *t->rho);
    size_t *sizes = calloc(t->classes, sizeof *sizes);
    for (size_t c = 0; sizes && c < t->classes; c++)
        sizes[c] = class_size(t, c);
    int rc = sizes ? csvc_pairs_make(&t->pairs, t->classes, sizes) : -ENOMEM;
    free(sizes);
    if (rc < 0 || !t->norms || !t->diagonal || !t->block || !t->coef || !t->rho)
        return error_set(err, ENOMEM, "out of memory for %zu rows of %zu classes", t->n,
                         t->classes);
    return 0;
}

static void destroy(struct cross *t)
{
    for (size_t i = 0; t->block && i < t->classes * t->classes; i++)
        spill_free(t->memory.spill, t->block[i]);
    free(t->norms);
    free(t->diagonal);
    free(t->block);
    free(t->coef);
    free(t->rho);
    csvc_pairs_free(&t->pairs);
    csvc_memory_free(&t->memory);
    products_close(t->products);
}

/* How many kernel values the largest problem has. */
static size_t problem_size(const struct cross *t)
{
    size_t most = 0;
    for (size_t p = 0; p < t->pairs.count; p++)
        for (size_t f = 0; f < t->folds; f++) {
            size_t n =
                training_size(t, t->pairs.pair[p].a, f) + training_size(t, t->pairs.pair[p].b, f);
            most = n * n > most ? n * n : most;
        }
    return most;
}

/* Chooses memory or a file for kernel values, and the number of threads that solve pairs. */
static int plan_memory(struct cross *t, struct error *err)
{
    double values = (double)problem_size(t), rows = sqrt(values), shared = 0;
    for (size_t a = 0; a < t->classes; a++)
        for (size_t b = a; b < t->classes; b++)
            shared += sizeof(float) * (double)class_size(t, a) * (double)class_size(t, b);
    shared += sizeof(double) * (double)t->grid->c_count * (double)t->others * (double)t->n;
    double each = sizeof(float) * values * 4 / 3 + csvc_solver_bytes(t->training, rows);
    return csvc_memory_plan(&t->memory, t->training, shared, each, rows, err);
}

/* Fills the blocks with dot products, or with kernel values where these are final. */
static int fill_blocks(struct cross *t, struct error *err)
{
    const struct csvc_training *training = t->training;
    struct csvc_kernel dots = {.type = SVM_LINEAR};
    t->ready = training->wide || training->kernel.type == SVM_LINEAR;
    const struct csvc_kernel *kernel = t->ready ? &t->kernel : &dots;
    for (size_t a = 0; a < t->classes; a++)
        for (size_t b = a; b < t->classes; b++) {
            struct csvc_rows of_a = rows_of(t, a), of_b = rows_of(t, b);
            float **to = &t->block[a * t->classes + b];
            if (!*to)
                *to = spill_alloc(t->memory.spill, of_a.n * of_b.n, sizeof **to);
            int rc = !*to     ? -ENOMEM
                     : a == b ? csvc_kernel_square(kernel, &of_a, training->wide, *to,
                                                   t->memory.spill, t->memory.threads)
                              : csvc_kernel_block(kernel, &of_a, &of_b, training->wide, *to, NULL,
                                                  t->memory.spill, t->memory.threads);
            if (rc == -ERANGE)
                return csvc_not_finite(a, b, err);
            int failed = products_error(t->products, err);
            if (failed < 0)
                return failed;
            if (rc < 0)
                return error_set(err, ENOMEM, "out of memory for %zu x %zu kernel values", of_a.n,
                                 of_b.n);
        }
    return 0;
}

/* Memory of a thread. */
struct scratch {
    float *k; /* kernel values of a problem, or of a tile of rows with vectors */
    double *beta, *diagonal;
    double *wide, *parts, *scores; /* as in predict.c */
};

static int scratch_make(struct scratch *s, const struct cross *t)
{
    size_t size = problem_size(t), columns = t->grid->c_count * t->others;
    s->k =
        spill_alloc(t->memory.spill, size > ROWS * VECTORS ? size : ROWS * VECTORS, sizeof *s->k);
    s->beta = malloc((t->n + 1) * sizeof *s->beta);
    s->diagonal = malloc((t->n + 1) * sizeof *s->diagonal);
    s->wide = malloc(ROWS * VECTORS * sizeof *s->wide);
    s->parts = malloc(t->classes * ROWS * columns * sizeof *s->parts);
    s->scores = malloc(t->pairs.count * sizeof *s->scores);
    return s->k && s->beta && s->diagonal && s->wide && s->parts && s->scores ? 0 : -ENOMEM;
}

static void scratch_free(struct scratch *s, const struct cross *t)
{
    spill_free(t->memory.spill, s->k);
    free(s->beta);
    free(s->diagonal);
    free(s->wide);
    free(s->parts);
    free(s->scores);
}

/* out: kernel values of the rows of class a in two ranges with those of class b >= a. Returns
 * whether all are finite. */
static bool gather(const struct cross *t, size_t a, const struct range rows[2], size_t b,
                   const struct range columns[2], float *out)
{
    const float *block = t->block[a * t->classes + b];
    const double *norms_a = t->norms + first_row(t, a), *norms_b = t->norms + first_row(t, b);
    size_t width = class_size(t, b), count = columns[0].count + columns[1].count;
    bool finite = true;
    for (size_t i = 0, at = 0; i < 2; i++)
        for (size_t r = rows[i].start; r < rows[i].start + rows[i].count; r++, at++, out += count) {
            float *to = out;
            for (size_t j = 0; j < 2; to += columns[j++].count) {
                struct range c = columns[j];
                memcpy(to, block + r * width + c.start, c.count * sizeof *to);
                if (!t->ready)
                    finite &= csvc_kernel_apply(&t->kernel, to, 1, c.count, c.count, norms_a + r,
                                                norms_b + c.start);
            }
            spill_touch(t->memory.spill, 1, 2 * count * sizeof *out, SIZE_MAX);
            if (a == b && t->kernel.type == SVM_RBF)
                out[at] = 1; /* whatever the rounding of the products */
        }
    return finite;
}

static void gather_diagonal(const struct cross *t, size_t c, const struct range rows[2],
                            double *out)
{
    for (size_t i = 0; i < 2; out += rows[i++].count)
        memcpy(out, t->diagonal + first_row(t, c) + rows[i].start, rows[i].count * sizeof *out);
}

/* Copies beta of the rows of a class to coef. */
static void store_coef(struct cross *t, size_t point, size_t c, size_t other,
                       const struct range rows[2], const double *beta)
{
    double *to = t->coef + (point * t->others + other) * t->n + first_row(t, c);
    for (size_t i = 0; i < 2; beta += rows[i++].count)
        memcpy(to + rows[i].start, beta, rows[i].count * sizeof *beta);
}

static int solve_pair(struct cross *t, size_t index, size_t fold, const struct scratch *s,
                      struct csvc_report *report)
{
    struct csvc_pair *pair = &t->pairs.pair[index];
    const struct csvc_training *training = t->training;
    size_t a = pair->a, b = pair->b, n = training_size(t, a, fold), m = training_size(t, b, fold);
    struct range of_a[2], of_b[2];
    training_rows(t, a, fold, of_a);
    training_rows(t, b, fold, of_b);
    float *across = s->k + n * n, *back = across + n * m, *own = back + n * m;
    if (!gather(t, a, of_a, a, of_a, s->k) || !gather(t, a, of_a, b, of_b, across) ||
        !gather(t, b, of_b, b, of_b, own))
        return csvc_not_finite(a, b, &pair->error);
    csvc_transpose(across, m, n, m, back, n, t->memory.spill);
    gather_diagonal(t, a, of_a, s->diagonal);
    gather_diagonal(t, b, of_b, s->diagonal + n);
    for (size_t i = 0; i < t->grid->c_count; i++) {
        double c = t->grid->c[i];
        struct smo_problem problem = {
            .n = {n, m},
            .k = {{s->k, across}, {back, own}},
            .diagonal = training->wide ? s->diagonal : NULL,
            .c = {csvc_bound(training, c, a), csvc_bound(training, c, b)},
            .spill = t->memory.spill,
            .tolerance = training->tolerance,
        };
        struct smo_result result = {.beta = s->beta};
        int rc = smo_solve(&problem, &result, &pair->error);
        if (rc < 0)
            return rc;
        store_coef(t, i, a, b - 1, of_a, s->beta);
        store_coef(t, i, b, a, of_b, s->beta + n);
        t->rho[i * t->pairs.count + index] = result.rho;
        report->iterations += result.iterations;
        report->unconverged += !result.converged;
    }
    return 0;
}

/* s->wide: kernel values of rows of class c with vectors of class v. Returns whether all are
 * finite; training checks other rows than these. */
static bool fill_tile(const struct cross *t, size_t c, struct range rows, size_t v,
                      struct range vectors, const struct scratch *s)
{
    size_t at = first_row(t, c) + rows.start, to = first_row(t, v) + vectors.start;
    if (c <= v) {
        size_t width = class_size(t, v);
        const float *from = t->block[c * t->classes + v] + rows.start * width + vectors.start;
        for (size_t r = 0; r < rows.count; r++)
            memcpy(s->k + r * VECTORS, from + r * width, vectors.count * sizeof *from);
        spill_touch(t->memory.spill, rows.count, vectors.count * sizeof *from,
                    width * sizeof *from);
    } else {
        size_t width = class_size(t, c);
        csvc_transpose(t->block[v * t->classes + c] + vectors.start * width + rows.start, width,
                       vectors.count, rows.count, s->k, VECTORS, t->memory.spill);
    }
    bool finite = t->ready || csvc_kernel_apply(&t->kernel, s->k, rows.count, vectors.count,
                                                VECTORS, t->norms + at, t->norms + to);
    for (size_t r = 0; r < rows.count; r++)
        for (size_t i = 0; i < vectors.count; i++)
            s->wide[r * VECTORS + i] = s->k[r * VECTORS + i];
    return finite;
}

/* Adds the share of the vectors of class v to the decisions of some rows held out. */
static void add_share(struct cross *t, size_t c, struct range rows, size_t v, size_t fold,
                      const struct scratch *s, double *part)
{
    size_t columns = t->grid->c_count * t->others;
    struct range rest[2];
    training_rows(t, v, fold, rest);
    for (size_t i = 0; i < 2; i++)
        for (size_t done = 0; done < rest[i].count; done += VECTORS) {
            size_t left = rest[i].count - done;
            struct range vectors = {rest[i].start + done, left < VECTORS ? left : VECTORS};
            if (!fill_tile(t, c, rows, v, vectors, s)) {
#pragma omp critical(svm_infinite)
                if (!t->infinite || c < t->infinite_a ||
                    (c == t->infinite_a && v < t->infinite_b)) {
                    t->infinite = true;
                    t->infinite_a = c;
                    t->infinite_b = v;
                }
            }
            blas_add_product(s->wide, VECTORS, rows.count,
                             t->coef + first_row(t, v) + vectors.start, t->n, columns,
                             vectors.count, part, columns);
        }
}

/* Predicts at most ROWS rows of class c with the models of all C. */
static void predict(struct cross *t, size_t c, struct range rows, size_t fold,
                    const struct scratch *s, uint8_t *predicted)
{
    size_t columns = t->grid->c_count * t->others;
    memset(s->parts, 0, t->classes * ROWS * columns * sizeof *s->parts);
    for (size_t v = 0; v < t->classes; v++)
        add_share(t, c, rows, v, fold, s, s->parts + v * ROWS * columns);
    for (size_t i = 0; i < t->grid->c_count; i++)
        for (size_t r = 0; r < rows.count; r++) {
            for (size_t p = 0; p < t->pairs.count; p++) {
                const struct csvc_pair *pair = &t->pairs.pair[p];
                const double *of_a = s->parts + (pair->a * ROWS + r) * columns + i * t->others,
                             *of_b = s->parts + (pair->b * ROWS + r) * columns + i * t->others;
                s->scores[p] = of_a[pair->b - 1] + of_b[pair->a] - t->rho[i * t->pairs.count + p];
            }
            predicted[i * t->n + first_row(t, c) + rows.start + r] =
                (uint8_t)csvc_vote(t->classes, s->scores);
        }
}

/* Predicts all rows of a fold; threads share the tiles. */
static void predict_fold(struct cross *t, size_t fold, const struct scratch *s, uint8_t *predicted)
{
    for (size_t c = 0; c < t->classes; c++) {
        struct range out = held_out(t, c, fold);
#pragma omp for schedule(dynamic) nowait
        for (size_t start = 0; start < out.count; start += ROWS) {
            size_t left = out.count - start;
            predict(t, c, (struct range){out.start + start, left < ROWS ? left : ROWS}, fold, s,
                    predicted);
        }
    }
}

static void solve_next(struct cross *t, size_t index, size_t fold, const struct scratch *s,
                       size_t total)
{
    const struct csvc_training *training = t->training;
    struct csvc_report report = {0};
    t->pairs.pair[index].rc = solve_pair(t, index, fold, s, &report);
#pragma omp critical(svm_progress)
    {
        t->report.iterations += report.iterations;
        t->report.unconverged += report.unconverged;
        t->done += t->grid->c_count;
        if (training->progress)
            training->progress(training->context, t->done, total);
    }
}

static bool failed(const struct cross *t)
{
    struct error ignored;
    return t->infinite || csvc_pairs_error(&t->pairs, &ignored) < 0;
}

/* Runs all folds at one gamma. predicted is (c_count, n). */
static int run_gamma(struct cross *t, uint8_t *predicted, struct error *err)
{
    size_t total = t->grid->gamma_count * t->grid->c_count * t->folds * t->pairs.count;
    bool no_memory = false, stop = false;
    blas_single_threaded();
#pragma omp parallel num_threads(t->memory.solvers)
    {
        struct scratch s;
        if (scratch_make(&s, t) < 0) {
#pragma omp atomic write
            no_memory = true;
        }
#pragma omp barrier
        for (size_t fold = 0; !no_memory && !stop && fold < t->folds; fold++) {
#pragma omp single
            memset(t->coef, 0, t->grid->c_count * t->others * t->n * sizeof *t->coef);
#pragma omp for schedule(dynamic, 1)
            for (size_t i = 0; i < t->pairs.count; i++)
                solve_next(t, t->pairs.order[i], fold, &s, total);
#pragma omp single
            stop = failed(t);
            if (!stop)
                predict_fold(t, fold, &s, predicted);
#pragma omp barrier
        }
        scratch_free(&s, t);
    }
    if (no_memory)
        return error_set(err, ENOMEM, "out of memory for kernel values of two classes");
    int rc = csvc_pairs_error(&t->pairs, err);
    return rc < 0 ? rc : t->infinite ? csvc_not_finite(t->infinite_a, t->infinite_b, err) : 0;
}

static int run(struct cross *t, uint8_t *predicted, struct error *err)
{
    const struct csvc_training *training = t->training;
    int rc = plan_memory(t, err);
    if (rc == 0)
        rc = products_open(training->backend, t->x, t->n, t->d, training->wide, &t->products, err);
    if (rc < 0)
        return rc;
    blas_squared_norms(t->x, t->n, t->d, t->norms, training->threads);
    for (size_t g = 0; rc == 0 && g < t->grid->gamma_count; g++) {
        t->kernel.gamma = t->grid->gamma[g];
        csvc_kernel_diagonal(&t->kernel, t->norms, t->n, t->diagonal);
        if (g == 0 || training->wide)
            rc = fill_blocks(t, err);
        if (rc == 0)
            rc = run_gamma(t, predicted + g * t->grid->c_count * t->n, err);
    }
    return rc;
}

int csvc_cross_validate(const struct csvc_training *training, const float *x, const size_t *starts,
                        size_t classes, size_t folds, size_t d, const struct csvc_grid *grid,
                        uint8_t *predicted, struct csvc_report *report, struct error *err)
{
    struct cross t = {.training = training,
                      .grid = grid,
                      .x = x,
                      .starts = starts,
                      .classes = classes,
                      .folds = folds,
                      .d = d,
                      .kernel = training->kernel};
    int rc = make(&t, err);
    if (rc == 0)
        rc = run(&t, predicted, err);
    *report = t.report;
    destroy(&t);
    return rc;
}
