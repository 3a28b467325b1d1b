/* metrics: accuracy, confusion matrix, and precision, recall and F1 of each class, as JSON. A ratio
 * with denominator 0 is null; macro_f1 is the mean of the F1 scores that are defined. The outcome
 * of every image is included, so that two classifiers can be compared image by image. */
#include <errno.h>
#include <stdlib.h>

#include "stages/data/formats.h"
#include "stages/duplicates/twins.h"
#include "stages/job.h"
#include "stages/kind.h"

static json_t *ratio(size_t part, size_t whole)
{
    return whole ? json_real((double)part / (double)whole) : json_null();
}

/* Precision, recall, F1 and support of class c. Adds F1 to *sum if it is defined. */
static json_t *class_metrics(size_t confusion[CLASSES][CLASSES], size_t c, double *sum,
                             size_t *defined)
{
    size_t support = 0, predicted = 0, hits = confusion[c][c];
    for (size_t i = 0; i < CLASSES; i++) {
        support += confusion[c][i];
        predicted += confusion[i][c];
    }
    if (support + predicted > 0) {
        *sum += 2 * (double)hits / (double)(support + predicted);
        (*defined)++;
    }
    return json_pack("{s:o,s:o,s:o,s:I}", "precision", ratio(hits, predicted), "recall",
                     ratio(hits, support), "f1", ratio(2 * hits, support + predicted), "support",
                     (json_int_t)support);
}

static json_t *matrix(size_t confusion[CLASSES][CLASSES])
{
    json_t *rows = json_array();
    for (size_t i = 0; i < CLASSES; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < CLASSES; j++)
            json_array_append_new(row, json_integer((json_int_t)confusion[i][j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

/* Classes of images as digits, one each: a compact list. */
static json_t *digits(const uint8_t *classes, size_t n)
{
    char *text = malloc(n + 1);
    for (size_t i = 0; text && i < n; i++)
        text[i] = (char)('0' + classes[i]);
    json_t *string = text ? json_stringn(text, n) : NULL;
    free(text);
    return string;
}

/* n may be 0. NULL when out of memory. */
static json_t *metrics_of(const uint8_t *predicted, const uint8_t *labels, size_t n)
{
    size_t confusion[CLASSES][CLASSES] = {{0}}, correct = 0, defined = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        confusion[labels[i]][predicted[i]]++;
        correct += labels[i] == predicted[i];
    }
    json_t *classes = json_object();
    for (size_t c = 0; c < CLASSES; c++)
        json_object_set_new(classes, class_names[c], class_metrics(confusion, c, &sum, &defined));
    return json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "n", (json_int_t)n, "correct",
                     (json_int_t)correct, "accuracy", ratio(correct, n), "confusion",
                     matrix(confusion), "per_class", classes, "macro_f1",
                     defined ? json_real(sum / (double)defined) : json_null(), "truth",
                     digits(labels, n), "predicted", digits(predicted, n));
}

/* Adds to a split's metrics those of its images without a twin in the training split. Moves these
 * images to the front of both arrays. */
static int add_without_twins(const char *twins, enum split split, struct array *predicted,
                             struct array *labels, json_t *metrics, struct error *err)
{
    size_t n = labels->shape[0], kept = 0;
    uint8_t *has_twin = malloc(n), *p = predicted->data, *l = labels->data;
    int rc = has_twin ? twins_read(twins, split, n, has_twin, err)
                      : error_set(err, ENOMEM, "out of memory for metrics");
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!has_twin[i]) {
            p[kept] = p[i];
            l[kept++] = l[i];
        }
    if (rc == 0 && json_object_set_new(metrics, "without_twins", metrics_of(p, l, kept)) < 0)
        rc = error_set(err, ENOMEM, "out of memory for metrics");
    free(has_twin);
    return rc;
}

static int add_split(const struct job *job, enum split split, json_t *json, struct error *err)
{
    const char *folder = job_input(job, "predictions", 0);
    struct array predicted, labels;
    int rc = predictions_read(folder, split, &predicted, &labels, err);
    if (rc < 0)
        return rc;
    size_t n = labels.shape[0];
    if (n == 0) {
        rc = error_set(err, EINVAL, "%s: the %s split is empty", folder, split_names[split]);
    } else {
        json_t *metrics = metrics_of(predicted.data, labels.data, n);
        if (json_object_set_new(json, split_names[split], metrics) < 0)
            rc = error_set(err, ENOMEM, "out of memory for metrics");
        else if (job_input_count(job, "twins"))
            rc = add_without_twins(job_input(job, "twins", 0), split, &predicted, &labels, metrics,
                                   err);
    }
    array_free(&predicted);
    array_free(&labels);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    json_t *json = json_object();
    for (enum split split = SPLIT_PUBLIC; split <= SPLIT_PRIVATE; split++) {
        int rc = add_split(job, split, json, err);
        if (rc < 0) {
            json_decref(json);
            return rc;
        }
    }
    return job_write_json(job_output(job, "metrics"), json, err);
}

/* `holds` below a place. References name numbers and lists, so truth and predicted aren't in it. */
#define HOLDS(PLACE)                                                                               \
    PLACE "/accuracy|correct|macro_f1|n " PLACE "/confusion[] " PLACE "/confusion/*/* " PLACE      \
          "/per_class/angry|disgust|fear|happy|sad|surprise|neutral/f1|precision|recall|support"

static const struct port inputs[] = {
    {.name = "predictions",
     .form = PORT_TREE,
     .text = "predicted and true classes, public and private"},
    {.name = "twins",
     .form = PORT_FILE,
     .optional = true,
     .text = "from find_duplicates: the test images that have a twin in the training split"},
    {0},
};

static const struct port outputs[] = {
    {.name = "metrics",
     .form = PORT_FILE,
     .file = "metrics.json",
     .holds = HOLDS("/public|private") " " HOLDS("/public|private/without_twins"),
     .text = "for public and private: n, correct, accuracy (0 to 1), confusion [true][predicted], "
             "per_class {precision, recall, f1, support}, macro_f1 (the mean of the defined f1); "
             "truth and predicted: the class of each image as a digit, in the order of the split; "
             "with the input twins also without_twins: the same over the images without a twin. A "
             "ratio with denominator 0 is null, such as the precision of a class that was never "
             "predicted; scikit-learn reports it as 0"},
    {0},
};

static const struct param params[] = {{0}};

const struct kind kind_metrics = {
    .name = "metrics",
    .version = 2,
    .text = "accuracy, confusion matrix, precision, recall and F1 of predictions; the outcome of "
            "each image",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
