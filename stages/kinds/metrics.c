/* metrics: accuracy, confusion matrix, and precision, recall and F1 of each class, as JSON. A ratio
 * with denominator 0 is null; macro_f1 is the mean of the F1 scores that are defined. */
#include <errno.h>

#include "stages/data/formats.h"
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

static json_t *split_metrics(const uint8_t *predicted, const uint8_t *labels, size_t n)
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
    return json_pack("{s:I,s:I,s:f,s:o,s:o,s:f}", "n", (json_int_t)n, "correct",
                     (json_int_t)correct, "accuracy", (double)correct / (double)n, "confusion",
                     matrix(confusion), "per_class", classes, "macro_f1", sum / (double)defined);
}

static int run(struct job *job, struct error *err)
{
    const char *folder = job_input(job, "predictions", 0);
    json_t *json = json_object();
    for (enum split split = SPLIT_PUBLIC; split <= SPLIT_PRIVATE; split++) {
        struct array predicted, labels;
        int rc = predictions_read(folder, split, &predicted, &labels, err);
        if (rc == 0 && labels.shape[0] == 0)
            rc = error_set(err, EINVAL, "%s: the %s split is empty", folder, split_names[split]);
        if (rc == 0 &&
            json_object_set_new(json, split_names[split],
                                split_metrics(predicted.data, labels.data, labels.shape[0])) < 0)
            rc = error_set(err, ENOMEM, "out of memory for metrics");
        array_free(&predicted);
        array_free(&labels);
        if (rc < 0) {
            json_decref(json);
            return rc;
        }
    }
    return job_write_json(job_output(job, "metrics"), json, err);
}

static const struct port inputs[] = {
    {.name = "predictions",
     .form = PORT_TREE,
     .text = "predicted and true classes, public and private"},
    {0},
};

static const struct port outputs[] = {
    {.name = "metrics",
     .form = PORT_FILE,
     .file = "metrics.json",
     .holds = "/public|private/accuracy|correct|macro_f1|n /public|private/confusion[] "
              "/public|private/confusion/*/* "
              "/public|private/per_class/angry|disgust|fear|happy|sad|surprise|neutral/"
              "f1|precision|recall|support",
     .text = "for public and private: n, correct, accuracy (0 to 1), confusion [true][predicted], "
             "per_class {precision, recall, f1, support}, macro_f1"},
    {0},
};

static const struct param params[] = {{0}};

const struct kind kind_metrics = {
    .name = "metrics",
    .version = 1,
    .text = "accuracy, confusion matrix, precision, recall and F1 of predictions",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
