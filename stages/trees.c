/* See trees.h. */
#include "stages/trees.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "stages/classifier.h"

/* (n, d) to (d, n). NULL when memory is out. */
static float *transpose(const float *x, size_t n, size_t d)
{
    enum { EDGE = 32 };
    float *out = malloc(n * d * sizeof *out);
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i += EDGE)
        for (size_t j = 0; j < d; j += EDGE)
            for (size_t c = j; c < j + EDGE && c < d; c++)
                for (size_t r = i; r < i + EDGE && r < n; r++)
                    out[c * n + r] = x[r * d + c];
    return out;
}

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    (void)err;
    forest_predict(model, x, n, out);
    return 0;
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
    struct cart_data data = {
        .labels = train.labels.data, .n = train.n, .d = train.d, .classes = CLASSES};
    if (root)
        spec->tree.features = (size_t)sqrt((double)train.d);
    if (spec->tree.features > train.d)
        rc = error_set(err, EINVAL, "max_features is %zu, but the features have %zu columns",
                       spec->tree.features, train.d);
    double start = job_clock();
    float *columns = rc == 0 ? transpose(train.x.data, train.n, train.d) : NULL;
    if (rc == 0 && !columns)
        rc = error_set(err, ENOMEM, "out of memory for %zu x %zu features", train.n, train.d);
    array_free(&train.x); /* the columns are enough */
    data.columns = columns;
    spec->threads = job->threads;
    spec->progress = progress;
    spec->context = job;
    if (rc == 0)
        rc = forest_grow(forest, &data, spec, err);
    double seconds = job_clock() - start;
    free(columns);
    features_free(&train);
    struct classifier classifier = {.d = data.d, .model = forest, .predict = predict};
    return rc < 0 ? rc : classifier_finish(job, &classifier, seconds, err);
}
