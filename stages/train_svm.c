/* Trains a C-SVC, one against one, and saves it in LIBSVM's text format.
 *
 * LIBSVM is the definition: its problem, its choice of pairs, stopping rule, offset and votes. But
 * Debian's library offers only svm_train, which computes kernel values one element at a time over
 * sparse nodes (hours for 28,709 x 2,560) or takes them precomputed at 16 bytes each (2.4 GB for
 * the largest pair of classes). So the solver is our own (kernels/smo.c), on float32 kernel values
 * from matrix products; the unit test trains with the library too and compares objectives and
 * predictions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/csvc.h"
#include "stages/classifier.h"
#include "stages/kind.h"
#include "stages/svm_model.h"
#include "stages/svm_training.h"

/* By class, else in the order that they had. */
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
    double start = job_clock(), weights[CLASSES];
    size_t counts[CLASSES];
    struct csvc_training training;
    svm_count(f, counts);
    int rc = svm_training_read(job, counts, &training, weights, err);
    training.c = job_real(job, "c");
    training.kernel.gamma = job_real(job, "gamma");
    training.progress = progress;
    training.context = job;
    if (rc == 0 && training.kernel.gamma == 0 && training.kernel.type != SVM_LINEAR)
        rc = svm_scale_gamma(f, &training.kernel.gamma, err);
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
    SVM_KERNEL_PARAM,
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
    SVM_OTHER_PARAMS,
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
