/* See trees.h. */
#include "stages/trees.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "stages/classifier.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    return forest_predict(model, x, n, out, err);
}

static void progress(void *context, size_t done, size_t total)
{
    job_progress(context, (double)done, (double)total, "tree", 0, NULL, NULL);
}

int trees_run(struct job *job, struct forest_spec *spec, bool root, struct forest *forest,
              struct error *err)
{
    struct features train;
    int rc = classifier_read_training(job, &train, err);
    if (rc < 0)
        return rc;
    struct cart_data data = {.x = train.x.data,
                             .labels = train.labels.data,
                             .n = train.n,
                             .d = train.d,
                             .classes = CLASSES};
    if (root)
        spec->tree.features = (size_t)sqrt((double)train.d);
    if (spec->tree.features > train.d)
        rc = error_set(err, EINVAL, "max_features is %zu, but the features have %zu columns",
                       spec->tree.features, train.d);
    double start = job_clock();
    spec->threads = job->threads;
    spec->progress = progress;
    spec->context = job;
    if (rc == 0)
        rc = forest_grow(forest, &data, spec, err);
    double seconds = job_clock() - start;
    features_free(&train);
    struct classifier classifier = {.d = data.d, .model = forest, .predict = predict};
    return rc < 0 ? rc : classifier_finish(job, &classifier, seconds, err);
}
