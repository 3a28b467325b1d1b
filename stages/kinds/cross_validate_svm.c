/* cross_validate_svm: k-fold cross-validation of support vector machines on the training split,
 * over a grid of C and gamma. Folds are stratified: the rows of each class are shuffled and
 * assigned to the folds in turn, and each class continues with the fold after the last one of the
 * previous class. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "kernels/classifiers/svm/cross_validation.h"
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"
#include "stages/classifiers/svm_training.h"

enum { MOST_POINTS = 64, MOST_FOLDS = 100 };

struct search {
    double c[MOST_POINTS], gamma[MOST_POINTS], weights[CLASSES];
    struct csvc_grid grid;
    struct csvc_training training;
    size_t folds, counts[CLASSES];
    size_t *starts;     /* (CLASSES, folds + 1), as in cross_validation.h */
    struct array fold;  /* (n) uint8: the fold of each row of the split */
    uint8_t *predicted; /* (gamma_count, c_count, n), rows by class and fold */
    struct csvc_report report;
};

static const double LEAST_C = 1e-9;

/* Reads a number or a list of numbers, each from least to SVM_LARGEST. */
static int read_axis(const json_t *given, const char *name, double least,
                     double values[MOST_POINTS], size_t *count, struct error *err)
{
    *count = json_is_array(given) ? json_array_size(given) : 1;
    if (*count < 1 || *count > MOST_POINTS)
        return error_set(err, EINVAL, "%s: %zu values, expected 1 to %d", name, *count,
                         MOST_POINTS);
    for (size_t i = 0; i < *count; i++) {
        const json_t *value = json_is_array(given) ? json_array_get(given, i) : given;
        values[i] = json_number_value(value);
        if (!json_is_number(value) || !(values[i] >= least && values[i] <= SVM_LARGEST))
            return error_set(err, EINVAL,
                             "%s: expected a number or a list of numbers from %g to %g", name,
                             least, SVM_LARGEST);
    }
    return 0;
}

static int read_grid(const struct job *job, const struct features *f, struct search *s,
                     struct error *err)
{
    int rc = read_axis(job_json(job, "c"), "c", LEAST_C, s->c, &s->grid.c_count, err);
    if (rc == 0)
        rc = read_axis(job_json(job, "gamma"), "gamma", 0, s->gamma, &s->grid.gamma_count, err);
    if (rc < 0)
        return rc;
    s->grid.c = s->c;
    s->grid.gamma = s->gamma;
    if (s->training.kernel.type == SVM_LINEAR)
        return s->grid.gamma_count == 1
                   ? 0
                   : error_set(err, EINVAL, "gamma: %zu values, but the linear kernel has no gamma",
                               s->grid.gamma_count);
    for (size_t i = 0; rc == 0 && i < s->grid.gamma_count; i++)
        if (s->gamma[i] == 0)
            rc = svm_scale_gamma(f, &s->gamma[i], err);
    return rc;
}

/* s->fold: the fold in which each row is held out. */
static int assign_folds(const struct features *f, uint64_t seed, struct search *s,
                        struct error *err)
{
    int rc = array_make(&s->fold, ARRAY_U8, 1, &f->n, err);
    uint32_t *rows = malloc(f->n * sizeof *rows);
    const uint8_t *labels = f->labels.data;
    uint8_t *fold = s->fold.data;
    if (rc == 0 && !rows)
        rc = error_set(err, ENOMEM, "out of memory for folds of %zu rows", f->n);
    for (size_t c = 0, dealt = 0; rc == 0 && c < CLASSES; c++) {
        size_t count = 0;
        for (size_t i = 0; i < f->n; i++)
            if (labels[i] == c)
                rows[count++] = (uint32_t)i;
        struct random random = random_start(seed, c);
        random_shuffle(&random, rows, count);
        for (size_t i = 0; i < count; i++)
            fold[rows[i]] = (uint8_t)(dealt++ % s->folds);
    }
    free(rows);
    return rc;
}

/* Sorts rows by class, then by fold, stable; fills s->starts. */
static int sort(struct features *f, struct search *s, struct error *err)
{
    size_t folds = s->folds, total = 0, *next = calloc(CLASSES * folds, sizeof *next),
           *target = malloc(f->n * sizeof *target);
    const uint8_t *labels = f->labels.data, *fold = s->fold.data;
    s->starts = calloc(CLASSES * (folds + 1), sizeof *s->starts);
    int rc = 0;
    if (!next || !target || !s->starts)
        rc = error_set(err, ENOMEM, "out of memory to sort %zu rows by fold", f->n);
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        next[labels[i] * folds + fold[i]]++;
    for (size_t c = 0; rc == 0 && c < CLASSES; c++) {
        for (size_t k = 0; k < folds; k++) {
            s->starts[c * (folds + 1) + k] = total;
            total += next[c * folds + k];
            next[c * folds + k] = s->starts[c * (folds + 1) + k];
        }
        s->starts[c * (folds + 1) + folds] = total;
    }
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        target[i] = next[labels[i] * folds + fold[i]]++;
    if (rc == 0)
        rc = svm_permute(f, target, err);
    free(next);
    free(target);
    return rc;
}

static int read_settings(struct job *job, const struct features *f, struct search *s,
                         struct error *err)
{
    s->folds = (size_t)job_int(job, "folds");
    count_labels(f->labels.data, f->n, s->counts);
    int rc = svm_training_read(job, s->counts, &s->training, s->weights, err);
    for (size_t c = 0; rc == 0 && c < CLASSES; c++)
        if (s->counts[c] < s->folds)
            rc = error_set(err, EINVAL,
                           "features: class %s has %zu rows, fewer than the %zu folds: each fold "
                           "needs one",
                           class_names[c], s->counts[c], s->folds);
    return rc < 0 ? rc : read_grid(job, f, s, err);
}

static int search(struct job *job, struct features *f, struct search *s, struct error *err)
{
    int rc = read_settings(job, f, s, err);
    if (rc == 0)
        rc = assign_folds(f, (uint64_t)job_int(job, "seed"), s, err);
    if (rc == 0)
        rc = sort(f, s, err);
    if (rc < 0)
        return rc;
    s->predicted = malloc(s->grid.c_count * s->grid.gamma_count * f->n);
    if (!s->predicted)
        return error_set(err, ENOMEM, "out of memory for predictions of %zu rows", f->n);
    return csvc_cross_validate(&s->training, f->x.data, s->starts, CLASSES, s->folds, f->d,
                               &s->grid, s->predicted, &s->report, err);
}

/* Share of the rows of the fold that were predicted right. */
static double accuracy(const struct search *s, const uint8_t *predicted, size_t fold)
{
    size_t right = 0, all = 0;
    for (size_t c = 0; c < CLASSES; c++) {
        const size_t *start = s->starts + c * (s->folds + 1) + fold;
        all += start[1] - start[0];
        for (size_t i = start[0]; i < start[1]; i++)
            right += predicted[i] == c;
    }
    return (double)right / (double)all;
}

/* A point of the grid: {"c", "gamma", "mean", "deviation", "folds": [...]}. */
static json_t *point_json(const struct search *s, size_t n, size_t g, size_t c, double *mean)
{
    const uint8_t *predicted = s->predicted + (g * s->grid.c_count + c) * n;
    double sum = 0, squares = 0, folds = (double)s->folds;
    json_t *each = json_array();
    for (size_t k = 0; k < s->folds; k++) {
        double a = accuracy(s, predicted, k);
        sum += a;
        json_array_append_new(each, json_real(a));
    }
    *mean = sum / folds;
    for (size_t k = 0; k < s->folds; k++)
        squares += pow(json_real_value(json_array_get(each, k)) - *mean, 2);
    json_t *point = json_pack("{s:f,s:f,s:f,s:o}", "c", s->c[c], "mean", *mean, "deviation",
                              sqrt(squares / folds), "folds", each);
    if (s->training.kernel.type != SVM_LINEAR)
        json_object_set_new(point, "gamma", json_real(s->gamma[g]));
    return point;
}

/* Writes what train_svm reads to a file of its own. If more points are tried and the best point
 * stays the same, so does this file, and train_svm doesn't run again. */
static int write_best(const struct job *job, const char *kernel, const json_t *point,
                      struct error *err)
{
    json_t *json = json_pack("{s:s,s:O}", "kernel", kernel, "c", json_object_get(point, "c"));
    json_t *gamma = json_object_get(point, "gamma");
    if (json && gamma && json_object_set(json, "gamma", gamma) < 0) {
        json_decref(json);
        json = NULL;
    }
    return job_write_json(job_output(job, "best"), json, err);
}

static int write_scores(const struct job *job, const struct search *s, size_t n, struct error *err)
{
    json_t *points = json_array(), *best = NULL;
    double most = -1;
    for (size_t g = 0; g < s->grid.gamma_count; g++)
        for (size_t c = 0; c < s->grid.c_count; c++) {
            double mean;
            json_t *point = point_json(s, n, g, c, &mean);
            if (mean > most) {
                most = mean;
                best = point;
            }
            json_array_append_new(points, point);
        }
    if (!best || json_array_size(points) != s->grid.gamma_count * s->grid.c_count) {
        json_decref(points);
        return error_set(err, ENOMEM, "out of memory for the scores");
    }
    printf("best of %zu: c %.9g", json_array_size(points),
           json_number_value(json_object_get(best, "c")));
    if (s->training.kernel.type != SVM_LINEAR)
        printf(", gamma %.9g", json_number_value(json_object_get(best, "gamma")));
    printf(", accuracy %.4f in %zu folds; %zu iterations\n", most, s->folds, s->report.iterations);
    const char *kernel = job_string(job, "kernel");
    int rc = write_best(job, kernel, best, err);
    json_t *json = json_pack("{s:s,s:O,s:o}", "kernel", kernel, "best", best, "grid", points);
    int written = job_write_json(job_output(job, "scores"), json, err);
    return rc < 0 ? rc : written;
}

static int write_timing(const struct job *job, double seconds, const struct search *s,
                        struct error *err)
{
    json_t *json = json_pack("{s:f,s:i,s:I,s:I}", "train_seconds", seconds, "threads", job->threads,
                             "iterations", (json_int_t)s->report.iterations, "unconverged_pairs",
                             (json_int_t)s->report.unconverged);
    return job_write_json(job_output(job, "timing"), json, err);
}

static int run(struct job *job, struct error *err)
{
    struct features f;
    struct search s = {0};
    int rc = classifier_read_training(job, &f, err);
    if (rc < 0)
        return rc;
    double start = clock_monotonic();
    rc = search(job, &f, &s, err);
    if (rc == 0 && s.report.unconverged)
        fprintf(stderr,
                "cross_validate_svm: %zu pairs of classes reached the limit on iterations\n",
                s.report.unconverged);
    if (rc == 0)
        rc = write_scores(job, &s, f.n, err);
    if (rc == 0)
        rc = array_write(job_output(job, "folds"), &s.fold, err);
    if (rc == 0)
        rc = write_timing(job, clock_monotonic() - start, &s, err);
    free(s.starts);
    free(s.predicted);
    array_free(&s.fold);
    features_free(&f);
    return rc;
}

static void check(const json_t *params, struct problems *problems)
{
    double values[MOST_POINTS];
    size_t count = 1;
    struct error why = {""};
    if (read_axis(json_object_get(params, "c"), "c", LEAST_C, values, &count, &why) < 0)
        problems_at(problems, "/c", "%s", why.text);
    if (read_axis(json_object_get(params, "gamma"), "gamma", 0, values, &count, &why) < 0)
        problems_at(problems, "/gamma", "%s", why.text);
    else if (count > 1 &&
             strcmp(json_string_value(json_object_get(params, "kernel")), "linear") == 0)
        problems_at(problems, "/gamma", "gamma: %zu values, but the linear kernel has no gamma",
                    count);
    svm_check_class_weight(params, problems);
}

static const struct port inputs[] = {
    {.name = "features",
     .form = PORT_TREE,
     .text = "features and labels; only the training split is read"},
    {0},
};

static const struct port outputs[] = {
    {.name = "scores",
     .form = PORT_FILE,
     .file = "scores.json",
     .holds = "/best/c|gamma|mean|deviation /best/folds/* "
              "/grid/*/c|gamma|mean|deviation /grid/*/folds/*",
     .text =
         "for each point of the grid, and for the best: c, gamma, accuracy in each fold, its mean "
         "and standard deviation"},
    {.name = "best",
     .form = PORT_FILE,
     .file = "best.json",
     .holds = "/c|gamma",
     .text = "kernel, c and gamma of the first point with the highest mean; an input of train_svm"},
    {.name = "folds",
     .form = PORT_FILE,
     .file = "folds.npy",
     .text = "(n) uint8: the fold in which each training row is held out"},
    TIMING_PORT("train_seconds of the whole search, threads, iterations, unconverged_pairs",
                TIMING_OF_TRAINING),
    {0},
};

static const struct param params[] = {
    SVM_KERNEL_PARAM,
    {.name = "c",
     .type = PARAM_JSON,
     .standard = "[0.01, 0.1, 1, 10, 100]",
     .text = "values of c to try, a number or a list: cost of a training row on the wrong side"},
    {.name = "gamma",
     .type = PARAM_JSON,
     .standard = "0",
     .text =
         "values of gamma to try, a number or a list; 0: 1/(d var(X)) over the training values"},
    {.name = "folds",
     .type = PARAM_INT,
     .standard = "5",
     .min = 2,
     .max = MOST_FOLDS,
     .text = "number of folds, with equal shares of each class; each fold is held out once"},
    SEED_PARAM("seed of the assignment of rows to folds"),
    SVM_OTHER_PARAMS,
    {0},
};

const struct kind kind_cross_validate_svm = {
    .name = "cross_validate_svm",
    .check = check,
    .version = 2,
    .text = "cross-validation of support vector machines on the training split, over C and gamma",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_PRODUCTS,
    .gpu = 20,
    .run = run,
};
