/* logistic_regression: multinomial logistic regression. */
#include "kernels/classifiers/logistic_regression.h"

#include <stdio.h>
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    return linear_predict(model, x, n, out, err);
}

static void progress(void *context, size_t done, size_t total)
{
    job_progress(context, (double)done, (double)total, "iteration", 0, NULL, NULL);
}

/* Writes to the stage's log. A model that has not converged is used, as in scikit-learn. */
static void log_report(const struct lbfgs_report *report, double tolerance)
{
    printf("%zu iterations, %zu evaluations, loss %.9g, largest component of the gradient %.3g\n",
           report->iterations, report->evaluations, report->value, report->gradient);
    if (!report->converged)
        fprintf(stderr,
                "logistic_regression: not converged after %zu iterations: the largest component of "
                "the gradient is %.3g, tolerance is %g; raise max_iterations, or standardize the "
                "features\n",
                report->iterations, report->gradient, tolerance);
}

static int run(struct job *job, struct error *err)
{
    struct features train;
    struct linear model = {0};
    struct lbfgs_report report;
    int rc = classifier_read_training(job, &train, err);
    if (rc < 0)
        return rc;
    struct logistic problem = {.x = train.x.data,
                               .labels = train.labels.data,
                               .n = train.n,
                               .d = train.d,
                               .classes = CLASSES,
                               .c = job_real(job, "c"),
                               .threads = job->threads};
    double start = clock_monotonic(), tolerance = job_real(job, "tolerance");
    rc = logistic_fit(&problem, tolerance, (size_t)job_int(job, "max_iterations"), progress, job,
                      &model, &report, err);
    double seconds = clock_monotonic() - start;
    features_free(&train);
    if (rc == 0) {
        log_report(&report, tolerance);
        struct classifier classifier = {.d = model.d, .model = &model, .predict = predict};
        rc = classifier_finish(job, &classifier, seconds, err);
    }
    linear_free(&model);
    return rc;
}

static const struct param params[] = {
    {.name = "c",
     .type = PARAM_REAL,
     .standard = "1",
     .min = 1e-9,
     .max = 1e9,
     .text = "inverse strength of the L2 penalty: the loss is the sum of the cross-entropies plus "
             "|weights|^2 / (2 c)"},
    {.name = "tolerance",
     .type = PARAM_REAL,
     .standard = "1e-6",
     .min = 0,
     .max = 1,
     .text = "training stops when no component of the gradient of the mean loss is above this; the "
             "gradient is by the weights of centred columns. At 1e-4 accuracies still differ by "
             "some tenths of a point from those at the minimum"},
    {.name = "max_iterations",
     .type = PARAM_INT,
     .standard = "10000",
     .min = 1,
     .max = 1000000,
     .text = "limit on iterations of L-BFGS; the log has a warning if it is reached"},
    {0},
};

const struct kind kind_logistic_regression = {
    .name = "logistic_regression",
    .version = 3,
    .text = "logistic regression: multinomial, L2 penalty, L-BFGS from zero weights",
    .inputs = classifier_inputs,
    .outputs = classifier_outputs,
    .params = params,
    .numerics = NUMERICS_BLAS,
    .run = run,
};
