/* linear_discriminant: linear discriminant analysis. */
#include "kernels/classifiers/linear_discriminant.h"

#include <stdio.h>
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    return linear_predict(model, x, n, out, err);
}

static int run(struct job *job, struct error *err)
{
    struct features train;
    struct linear model = {0};
    struct discriminant_report report;
    int rc = classifier_read_training(job, &train, err);
    if (rc < 0)
        return rc;
    struct discriminant problem = {.x = train.x.data,
                                   .labels = train.labels.data,
                                   .n = train.n,
                                   .d = train.d,
                                   .classes = CLASSES,
                                   .shrinkage = job_real(job, "shrinkage"),
                                   .tolerance = job_real(job, "tolerance"),
                                   .threads = job->threads};
    double start = clock_monotonic();
    rc = discriminant_fit(&problem, &model, &report, err);
    double seconds = clock_monotonic() - start;
    features_free(&train);
    if (rc == 0) {
        printf("%zu of %zu directions used\n", report.rank, model.d);
        struct classifier classifier = {.d = model.d, .model = &model, .predict = predict};
        rc = classifier_finish(job, &classifier, seconds, err);
    }
    linear_free(&model);
    return rc;
}

static const struct param params[] = {
    {.name = "shrinkage",
     .type = PARAM_REAL,
     .standard = "0",
     .min = 0,
     .max = 1,
     .text =
         "0: covariance of the rows; above 0: mixed with this share of a multiple of the identity"},
    {.name = "tolerance",
     .type = PARAM_REAL,
     .standard = "1e-4",
     .min = 0,
     .max = 1,
     .text = "without shrinkage: directions with a smaller standard deviation within the classes, "
             "after scaling columns to 1, are left out"},
    {0},
};

const struct kind kind_linear_discriminant = {
    .name = "linear_discriminant",
    .version = 2,
    .text = "linear discriminant analysis: normal distributions, one covariance for all classes",
    .inputs = classifier_inputs,
    .outputs = classifier_outputs,
    .params = params,
    .numerics = NUMERICS_BLAS,
    .run = run,
};
