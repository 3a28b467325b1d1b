/* knn: k nearest neighbours. Training computes the norms of the training rows and converts the rows
 * to bf16, or copies them to a GPU. */
#include "kernels/classifiers/knn.h"
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    return knn_predict(model, x, n, out, err);
}

static int run(struct job *job, struct error *err)
{
    struct features train;
    struct knn knn = {0};
    int rc = classifier_read_training(job, &train, err);
    if (rc < 0)
        return rc;
    double start = clock_monotonic();
    rc = knn_start_on(&knn, job->backend, train.x.data, train.labels.data, train.n, train.d,
                      (size_t)job_int(job, "k"), job->threads, err);
    if (rc == 0) {
        struct classifier classifier = {.d = train.d, .model = &knn, .predict = predict};
        rc = classifier_finish(job, &classifier, clock_monotonic() - start, err);
    }
    knn_free(&knn);
    features_free(&train);
    return rc;
}

static const struct param params[] = {
    {.name = "k",
     .type = PARAM_INT,
     .standard = "5",
     .min = 1,
     .max = 1000,
     .text = "number of nearest training rows that vote"},
    {0},
};

const struct kind kind_knn = {
    .name = "knn",
    .version = 3,
    .text =
        "k nearest neighbours: Euclidean distance, majority vote, ties to the nearest tied class",
    .inputs = classifier_inputs,
    .outputs = classifier_outputs,
    .params = params,
    .gpu = 20,
    .run = run,
};
