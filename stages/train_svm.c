/* Trains a C-SVC, one against one, and saves it in LIBSVM's text format.
 *
 * LIBSVM is the definition: its problem, its choice of pairs, stopping rule, offset and votes. But
 * Debian's library offers only svm_train, which computes kernel values one element at a time over
 * sparse nodes (hours for 28,709 x 2,560) or takes them precomputed at 16 bytes each (2.4 GB for
 * the largest pair of classes). So the solver is our own (kernels/smo.c), on float32 kernel values
 * from matrix products; the unit test trains with the library too and compares objectives and
 * predictions. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/csvc.h"
#include "stages/classifier.h"
#include "stages/kind.h"
#include "stages/svm_model.h"

/* Puts row i where its class begins plus how many of its class came before: a permutation
 * followed along its cycles, so that the rows are never in memory twice. counts become the rows a
 * class. */
static int sort_by_class(struct features *f, size_t counts[CLASSES], struct error *err)
{
    size_t next[CLASSES] = {0}, width = f->d * sizeof(float);
    uint8_t *labels = f->labels.data;
    memset(counts, 0, CLASSES * sizeof *counts);
    for (size_t i = 0; i < f->n; i++)
        counts[labels[i]]++;
    for (size_t c = 1; c < CLASSES; c++)
        next[c] = next[c - 1] + counts[c - 1];
    size_t *target = malloc(f->n * sizeof *target);
    char *rows = f->x.data, *held = malloc(width);
    if (!target || !held) {
        free(target);
        free(held);
        return error_set(err, ENOMEM, "out of memory to sort %zu rows by class", f->n);
    }
    for (size_t i = 0; i < f->n; i++)
        target[i] = next[labels[i]]++;
    for (size_t i = 0; i < f->n; i++)
        while (target[i] != i) { /* swap row i to where it belongs */
            size_t to = target[i];
            memcpy(held, rows + i * width, width);
            memcpy(rows + i * width, rows + to * width, width);
            memcpy(rows + to * width, held, width);
            target[i] = target[to];
            target[to] = to;
        }
    size_t at = 0;
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t i = 0; i < counts[c]; i++)
            labels[at++] = (uint8_t)c;
    free(target);
    free(held);
    return 0;
}

/* 1 / (d var(X)), over all values of the training split. */
static int scale_gamma(const struct features *f, double *gamma, struct error *err)
{
    const float *x = f->x.data;
    size_t count = f->n * f->d;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    *gamma = 1 / ((double)f->d * (squares / (double)count));
    return isfinite(*gamma) ? 0
                            : error_set(err, EINVAL,
                                        "features: the training values have no variance to "
                                        "scale gamma by; give gamma");
}

static enum csvc_kernel_type kernel_of(const char *name)
{
    static const char *const names[SVM_KERNELS] = {"linear", "poly", "rbf", "sigmoid"};
    int k = 0;
    while (strcmp(names[k], name) != 0 && k < SVM_KERNELS - 1)
        k++;
    return (enum csvc_kernel_type)k;
}

/* The sigmoid kernel isn't positive: its problem has many solutions, and the least rounding of a
 * kernel value may lead to another one than LIBSVM's. */
static bool is_wide(const char *precision, const char *kernel)
{
    return strcmp(precision, "auto") == 0 ? strcmp(kernel, "sigmoid") == 0
                                          : strcmp(precision, "float64") == 0;
}

static void progress(void *context, size_t done, size_t total)
{
    job_progress(context, (double)done, (double)total, "pair", 0, NULL, NULL);
}

static int write_timing(const struct job *job, double seconds, const struct csvc_report *report,
                        size_t vectors, struct error *err)
{
    json_t *json =
        json_pack("{s:f,s:i,s:I,s:I,s:I}", "train_seconds", seconds, "threads", job->threads,
                  "iterations", (json_int_t)report->iterations, "unconverged_pairs",
                  (json_int_t)report->unconverged, "support_vectors", (json_int_t)vectors);
    return job_write_json(job_output(job, "timing"), json, err);
}

static int train(struct job *job, struct features *f, struct csvc_model *model, struct error *err)
{
    double start = job_clock();
    size_t counts[CLASSES];
    struct csvc_training training = {
        .kernel = {.type = kernel_of(job_string(job, "kernel")),
                   .degree = (int)job_int(job, "degree"),
                   .gamma = job_real(job, "gamma"),
                   .coef0 = job_real(job, "coef0")},
        .c = job_real(job, "c"),
        .tolerance = job_real(job, "tolerance"),
        .wide = is_wide(job_string(job, "precision"), job_string(job, "kernel")),
        .memory = (size_t)job_int(job, "memory_mb") * 1000000,
        .threads = job->threads,
        .progress = progress,
        .context = job,
    };
    int rc = 0;
    if (training.kernel.gamma == 0 && training.kernel.type != SVM_LINEAR)
        rc = scale_gamma(f, &training.kernel.gamma, err);
    if (rc == 0)
        rc = sort_by_class(f, counts, err);
    struct csvc_report report = {0};
    if (rc == 0)
        rc = csvc_train(&training, f->x.data, counts, CLASSES, f->d, model, &report, err);
    if (rc < 0)
        return rc;
    printf("%zu support vectors of %zu rows, %zu iterations, objective %.9g, gamma %.9g\n",
           model->count, f->n, report.iterations, report.objective, training.kernel.gamma);
    if (report.unconverged)
        fprintf(stderr, "train_svm: %zu of %d pairs met the limit on iterations\n",
                report.unconverged, CLASSES * (CLASSES - 1) / 2);
    return write_timing(job, job_clock() - start, &report, model->count, err);
}

static int run(struct job *job, struct error *err)
{
    struct features f;
    struct csvc_model model = {0};
    int rc = classifier_read_training(job, &f, err);
    if (rc < 0)
        return rc;
    rc = train(job, &f, &model, err);
    features_free(&f);
    if (rc == 0)
        rc = svm_model_write(job_output(job, "model"), &model, err);
    csvc_model_free(&model);
    return rc;
}

static const struct port inputs[] = {
    {.name = "features", .form = PORT_TREE, .text = "features and labels; only train is read"},
    {0},
};

static const struct port outputs[] = {
    {.name = "model",
     .form = PORT_FILE,
     .file = "model.svm",
     .text = "LIBSVM's text model; labels are 0 to 6"},
    {.name = "timing",
     .form = PORT_FILE,
     .file = "timing.json",
     .measured = true,
     .text = "seconds to train"},
    {0},
};

static const struct param params[] = {
    {.name = "kernel",
     .type = PARAM_ENUM,
     .standard = "linear",
     .choices = "linear|poly|rbf|sigmoid",
     .text = "u'v, (gamma u'v + coef0)^degree, exp(-gamma |u-v|^2), tanh(gamma u'v + coef0)"},
    {.name = "c",
     .type = PARAM_REAL,
     .standard = "1",
     .min = 1e-9,
     .max = 1e9,
     .text = "cost of a training row on the wrong side"},
    {.name = "gamma",
     .type = PARAM_REAL,
     .standard = "0",
     .min = 0,
     .max = 1e9,
     .text = "of poly, rbf, sigmoid; 0: 1/(d var(X)) over the training values"},
    {.name = "degree", .type = PARAM_INT, .standard = "3", .min = 1, .max = 20, .text = "of poly"},
    {.name = "coef0",
     .type = PARAM_REAL,
     .standard = "0",
     .min = -1e9,
     .max = 1e9,
     .text = "of poly and sigmoid"},
    {.name = "tolerance",
     .type = PARAM_REAL,
     .standard = "1e-3",
     .min = 1e-9,
     .max = 1,
     .text = "stop when no pair of rows violates optimality by more (LIBSVM's eps)"},
    {.name = "precision",
     .type = PARAM_ENUM,
     .standard = "auto",
     .choices = "auto|float32|float64",
     .text = "of the dot products that kernel values come from; auto: float64 for sigmoid, whose "
             "solution hangs on every bit, else float32"},
    {.name = "memory_mb",
     .type = PARAM_INT,
     .standard = "3000",
     .min = 1,
     .max = 1000000,
     .keyless = true,
     .text = "for kernel values; fewer threads are used if they don't fit, one must"},
    {0},
};

const struct kind kind_train_svm = {
    .name = "train_svm",
    .version = 3,
    .text = "support vector machine (C-SVC, one against one), as LIBSVM defines it",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_BLAS,
    .run = run,
};
