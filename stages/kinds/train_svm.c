/* train_svm: trains a C-SVC, one against one, and writes it in LIBSVM's text format.
 *
 * The model is the one that LIBSVM defines. LIBSVM's own svm_train isn't used: it computes kernel
 * values element by element over sparse rows (hours for 28,709 x 2,560), or needs them precomputed
 * at 16 bytes each (2.4 GB for the largest pair of classes). kernels/classifiers/svm computes
 * float32 kernel values with matrix products; its unit test compares objectives and predictions
 * with LIBSVM. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "kernels/classifiers/svm/csvc.h"
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"
#include "stages/data/svm_model.h"
#include "stages/classifiers/svm_training.h"

/* Sorts rows by class, stable. */
static int sort_by_class(struct features *f, const size_t counts[CLASSES], struct error *err)
{
    size_t next[CLASSES] = {0}, *target = malloc(f->n * sizeof *target);
    const uint8_t *labels = f->labels.data;
    if (!target)
        return error_set(err, ENOMEM, "out of memory to sort %zu rows by class", f->n);
    for (size_t c = 1; c < CLASSES; c++)
        next[c] = next[c - 1] + counts[c - 1];
    for (size_t i = 0; i < f->n; i++)
        target[i] = next[labels[i]]++;
    int rc = svm_permute(f, target, err);
    free(target);
    return rc;
}

/* Reads c and gamma from best.json of cross_validate_svm. */
static int read_best(const char *path, const char *kernel, struct csvc_training *training,
                     struct error *err)
{
    enum { LIMIT = 1 << 24 };
    char *text;
    size_t size;
    int rc = file_read(path, LIMIT, &text, &size, err);
    if (rc < 0)
        return rc;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    const char *theirs = json_string_value(json_object_get(root, "kernel"));
    const json_t *gamma = json_object_get(root, "gamma");
    double c = json_number_value(json_object_get(root, "c"));
    if (!theirs || !(c > 0 && c <= SVM_LARGEST) ||
        (strcmp(kernel, "linear") != 0 && !(json_number_value(gamma) > 0)))
        rc =
            error_set(err, EINVAL, "best: expected the output best of cross_validate_svm, with c%s",
                      training->kernel.type == SVM_LINEAR ? "" : " and gamma");
    else if (strcmp(theirs, kernel) != 0)
        rc = error_set(err, EINVAL, "best: for kernel %s, but the param kernel is %s", theirs,
                       kernel);
    training->c = c;
    training->kernel.gamma = json_number_value(gamma);
    json_decref(root);
    return rc;
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
    double start = clock_monotonic(), weights[CLASSES];
    size_t counts[CLASSES];
    struct csvc_training training;
    count_labels(f->labels.data, f->n, counts);
    int rc = svm_training_read(job, counts, &training, weights, err);
    training.c = job_real(job, "c");
    training.kernel.gamma = job_real(job, "gamma");
    if (rc == 0 && job_input_count(job, "best") > 0)
        rc = read_best(job_input(job, "best", 0), job_string(job, "kernel"), &training, err);
    if (rc == 0 && training.kernel.gamma == 0 && training.kernel.type != SVM_LINEAR)
        rc = svm_scale_gamma(f, &training.kernel.gamma, err);
    if (rc == 0)
        rc = sort_by_class(f, counts, err);
    struct csvc_report report = {0};
    if (rc == 0)
        rc = csvc_train(&training, f->x.data, counts, CLASSES, f->d, model, &report, err);
    if (rc < 0)
        return rc;
    printf("%zu support vectors of %zu rows, %zu iterations, objective %.9g, c %.9g, gamma %.9g\n",
           model->count, f->n, report.iterations, report.objective, training.c,
           training.kernel.gamma);
    if (report.unconverged)
        fprintf(stderr, "train_svm: %zu of %d pairs of classes reached the limit on iterations\n",
                report.unconverged, CLASSES * (CLASSES - 1) / 2);
    return write_timing(job, clock_monotonic() - start, &report, model->count, err);
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
    {.name = "features",
     .form = PORT_TREE,
     .text = "features and labels; only the training split is read"},
    {.name = "best",
     .form = PORT_FILE,
     .optional = true,
     .text = "best of cross_validate_svm: its c and gamma replace the params"},
    {0},
};

static const struct port outputs[] = {
    {.name = "model",
     .form = PORT_FILE,
     .file = "model.svm",
     .text = "model in LIBSVM's text format; labels are 0 to 6"},
    TIMING_PORT("train_seconds, threads, iterations, unconverged_pairs, support_vectors",
                TIMING_OF_TRAINING "|support_vectors"),
    {0},
};

static const struct param params[] = {
    SVM_KERNEL_PARAM,
    {.name = "c",
     .type = PARAM_REAL,
     .standard = "1",
     .min = 1e-9,
     .max = 1e9,
     .text = "cost of a training row on the wrong side of the margin"},
    {.name = "gamma",
     .type = PARAM_REAL,
     .standard = "0",
     .min = 0,
     .max = 1e9,
     .text = "gamma of kernels poly, rbf and sigmoid; 0: 1/(d var(X)) over the training values"},
    SVM_OTHER_PARAMS,
    {0},
};

const struct kind kind_train_svm = {
    .name = "train_svm",
    .check = svm_check_class_weight,
    .version = 4,
    .text = "support vector machine: C-SVC, one against one, as in LIBSVM",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .numerics = NUMERICS_PRODUCTS,
    .gpu = 20,
    .run = run,
};
