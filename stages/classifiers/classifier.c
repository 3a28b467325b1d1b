/* See classifier.h. */
#include "stages/classifiers/classifier.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/classifiers/time_predict.h"

const struct port classifier_inputs[] = {
    {.name = "features", .form = PORT_TREE, .text = "features and labels of all three splits"},
    {0},
};

const struct port classifier_outputs[] = {
    PREDICTIONS_PORT,
    TIMING_PORT(TIMING_TEXT, TIMING_OF_BOTH),
    {0},
};

const struct port prediction_outputs[] = {
    PREDICTIONS_PORT,
    TIMING_PORT(
        "times of prediction, as in the port timing of the kinds that train, without train_seconds",
        TIMING_OF_PREDICTION),
    {0},
};

static const float LARGEST = 1e15f; /* so that the sum of squares of a row fits into float32 */

static int check_values(const struct features *f, enum split split, struct error *err)
{
    if (f->n == 0 || f->d == 0)
        return error_set(err, EINVAL, "features: the %s split is empty (%zu rows, %zu columns)",
                         split_names[split], f->n, f->d);
    if (f->n > INT_MAX || f->d > INT_MAX)
        return error_set(err, EFBIG, "features: the %s split has more than %d rows or columns",
                         split_names[split], INT_MAX);
    const float *x = f->x.data;
    for (size_t i = 0; i < f->n * f->d; i++)
        if (!(fabsf(x[i]) <= LARGEST))
            return error_set(
                err, EINVAL,
                "features: %s split, row %zu, column %zu: %s, expected a finite number "
                "of at most %g",
                split_names[split], i / f->d, i % f->d,
                isnan(x[i])   ? "not a number"
                : isinf(x[i]) ? "infinite"
                              : "too large",
                (double)LARGEST);
    return 0;
}

int classifier_read(const struct job *job, enum split split, struct features *f, struct error *err)
{
    int rc = features_read(job_input(job, "features", 0), split, f, err);
    if (rc < 0)
        return rc;
    rc = check_values(f, split, err);
    if (rc < 0)
        features_free(f);
    return rc;
}

static int check_training(const struct features *f, struct error *err)
{
    size_t counts[CLASSES];
    count_labels(f->labels.data, f->n, counts);
    for (size_t c = 0; c < CLASSES; c++)
        if (counts[c] == 0)
            return error_set(err, EINVAL,
                             "features: the train split has no row of class %s; each of the %d "
                             "classes needs one",
                             class_names[c], CLASSES);
    const float *x = f->x.data;
    for (size_t i = 1; i < f->n; i++)
        if (memcmp(x, x + i * f->d, f->d * sizeof *x) != 0)
            return 0;
    return error_set(err, EINVAL, "features: all %zu rows of the train split are the same", f->n);
}

int classifier_read_training(const struct job *job, struct features *f, struct error *err)
{
    int rc = classifier_read(job, SPLIT_TRAIN, f, err);
    if (rc < 0)
        return rc;
    rc = check_training(f, err);
    if (rc < 0)
        features_free(f);
    return rc;
}

struct timing {
    double train, predict[SPLITS]; /* seconds; train < 0: none */
    json_t *image;                 /* from time_predict, for the private split */
};

static int predict_split(const struct job *job, const struct classifier *c, enum split split,
                         struct timing *timing, struct error *err)
{
    struct features f;
    int rc = (c->read ? c->read : classifier_read)(job, split, &f, err);
    if (rc < 0)
        return rc;
    uint8_t *predicted = malloc(f.n);
    if (!predicted)
        rc = error_set(err, ENOMEM, "out of memory for %zu predictions", f.n);
    else if (f.d != c->d)
        rc = error_set(err, EINVAL,
                       "features: the %s split has %zu columns, but the classifier was trained on "
                       "%zu",
                       split_names[split], f.d, c->d);
    if (rc == 0) {
        double start = clock_monotonic();
        rc = c->predict(c->model, f.x.data, f.n, predicted, err);
        timing->predict[split] = clock_monotonic() - start;
    }
    if (rc == 0)
        rc = predictions_write(job_output(job, "predictions"), split, predicted, f.labels.data, f.n,
                               err);
    if (rc == 0 && split == SPLIT_PRIVATE)
        rc = time_predict(c, f.x.data, f.n, predicted, &timing->image, err);
    free(predicted);
    features_free(&f);
    return rc;
}

static int write_timing(const struct job *job, const struct timing *t, struct error *err)
{
    json_t *json =
        json_pack("{s:{s:f,s:f},s:i}", "predict_seconds", "public", t->predict[SPLIT_PUBLIC],
                  "private", t->predict[SPLIT_PRIVATE], "threads", job->threads);
    if (json_object_update(json, t->image) < 0 ||
        (t->train >= 0 && json_object_set_new(json, "train_seconds", json_real(t->train)) < 0)) {
        json_decref(json);
        json = NULL;
    }
    return job_write_json(job_output(job, "timing"), json, err);
}

int classifier_finish(const struct job *job, const struct classifier *classifier,
                      double train_seconds, struct error *err)
{
    struct timing timing = {.train = train_seconds};
    job_progress(job, 1, 2, "step", 0, NULL, "predict");
    int rc = predict_split(job, classifier, SPLIT_PUBLIC, &timing, err);
    if (rc == 0)
        rc = predict_split(job, classifier, SPLIT_PRIVATE, &timing, err);
    if (rc == 0)
        rc = write_timing(job, &timing, err);
    json_decref(timing.image);
    return rc;
}
