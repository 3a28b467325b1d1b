/* naive_bayes: Gaussian naive Bayes. */
#include "kernels/classifiers/naive_bayes.h"
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    (void)err;
    bayes_predict(model, x, n, out);
    return 0;
}

static int run(struct job *job, struct error *err)
{
    struct features train;
    struct bayes bayes = {0};
    int rc = classifier_read_training(job, &train, err);
    if (rc < 0)
        return rc;
    struct classifier classifier = {.d = train.d, .model = &bayes, .predict = predict};
    double start = clock_monotonic();
    rc = bayes_fit(&bayes, train.x.data, train.labels.data, train.n, train.d, CLASSES,
                   job_real(job, "smoothing"), job->threads, err);
    double seconds = clock_monotonic() - start;
    features_free(&train);
    if (rc == 0)
        rc = classifier_finish(job, &classifier, seconds, err);
    bayes_free(&bayes);
    return rc;
}

static const struct param params[] = {
    {.name = "smoothing",
     .type = PARAM_REAL,
     .standard = "1e-9",
     .min = 0,
     .max = 1,
     .text = "factor of the largest variance of a column, added to every variance"},
    {0},
};

const struct kind kind_naive_bayes = {
    .name = "naive_bayes",
    .version = 2,
    .text = "naive Bayes: a normal distribution for each class and column",
    .inputs = classifier_inputs,
    .outputs = classifier_outputs,
    .params = params,
    .run = run,
};
