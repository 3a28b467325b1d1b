/* See trees.h. */
#include "stages/classifiers/trees.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/classifiers/trees/forest_predict.h"
#include "kernels/classifiers/trees/out_of_bag.h"
#include "stages/classifiers/classifier.h"

const struct port trees_inputs[] = {
    {.name = "features", .form = PORT_TREE, .text = "features and labels of all three splits"},
    {.name = "layout",
     .form = PORT_FILE,
     .optional = true,
     .text =
         "layout.json of fuse_features; importance is then summed over the columns of each input"},
    {0},
};

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    return forest_predict(model, x, n, out, err);
}

static void progress(void *context, size_t done, size_t total)
{
    job_progress(context, (double)done, (double)total, "tree", 0, NULL, NULL);
}

/* ---- summary ---- */

/* Adds to summary {"input", "first", "columns", "share"} for each input of fuse_features, from its
 * layout.json, which must have as many columns as the forest. */
static int add_shares(const struct job *job, const double *importance, size_t d, json_t *summary,
                      struct error *err)
{
    const char *path = job_input(job, "layout", 0), *name = job_input_name(job, "layout", 0);
    json_error_t json_error;
    json_t *layout = json_load_file(path, JSON_REJECT_DUPLICATES, &json_error), *input,
           *shares = json_array();
    size_t i, next = 0;
    json_array_foreach(json_object_get(layout, "inputs"), i, input)
    {
        json_int_t columns = json_integer_value(json_object_get(input, "columns"));
        double share = 0;
        if (columns < 1 || (size_t)columns > d - next)
            break;
        for (size_t j = next; j < next + (size_t)columns; j++)
            share += importance[j];
        json_array_append_new(shares,
                              json_pack("{s:I,s:I,s:I,s:f}", "input", (json_int_t)i, "first",
                                        (json_int_t)next, "columns", columns, "share", share));
        printf("importance of input %zu, columns %zu to %zu: %.4f\n", i, next,
               next + (size_t)columns - 1, share);
        next += (size_t)columns;
    }
    if (next != d || i != json_array_size(json_object_get(layout, "inputs"))) {
        json_decref(layout);
        json_decref(shares);
        return error_set(err, EINVAL,
                         "%s: expected the layout.json of features with %zu columns, as "
                         "fuse_features writes it",
                         name, d);
    }
    json_decref(layout);
    return json_object_set_new(summary, "importance", shares) < 0
               ? error_set(err, ENOMEM, "out of memory for a summary")
               : 0;
}

static json_t *size_json(const struct forest *forest)
{
    size_t nodes = 0, leaves = 0;
    for (size_t t = 0; t < forest->trees; t++) {
        nodes += forest->tree[t].nodes;
        for (size_t i = 0; i < forest->tree[t].nodes; i++)
            leaves += forest->tree[t].node[i].first == 0;
    }
    return json_pack("{s:I,s:I,s:I}", "trees", (json_int_t)forest->trees, "nodes",
                     (json_int_t)nodes, "leaves", (json_int_t)leaves);
}

static int write_importance(const struct job *job, const double *importance, size_t d,
                            struct error *err)
{
    struct array array;
    int rc = array_make(&array, ARRAY_F64, 1, &d, err);
    if (rc < 0)
        return rc;
    memcpy(array.data, importance, d * sizeof *importance);
    rc = array_write(job_output(job, "importance"), &array, err);
    array_free(&array);
    return rc;
}

static int write_summary(const struct job *job, const struct forest *forest,
                         const struct cart_data *data, const struct forest_spec *spec,
                         struct error *err)
{
    double *importance = malloc(forest->d * sizeof *importance);
    json_t *summary = size_json(forest);
    int rc = importance && summary ? forest_importance(forest, importance, err)
                                   : error_set(err, ENOMEM, "out of memory for a summary");
    if (rc == 0 && spec->bootstrap) {
        struct out_of_bag bag;
        rc = out_of_bag_test(forest, data, spec, &bag, err);
        if (rc == 0) {
            json_t *accuracy = bag.n ? json_real((double)bag.correct / (double)bag.n) : json_null();
            json_object_set_new(summary, "out_of_bag",
                                json_pack("{s:I,s:I,s:o}", "n", (json_int_t)bag.n, "correct",
                                          (json_int_t)bag.correct, "accuracy", accuracy));
            printf("out of bag: %zu of %zu rows correct\n", bag.correct, bag.n);
        }
    }
    if (rc == 0 && job_input_count(job, "layout") > 0)
        rc = add_shares(job, importance, forest->d, summary, err);
    if (rc == 0)
        rc = write_importance(job, importance, forest->d, err);
    if (rc == 0)
        rc = job_write_json(job_output(job, "summary"), json_incref(summary), err);
    json_decref(summary);
    free(importance);
    return rc;
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
        rc = error_set(err, EINVAL, "max_features is %zu, but the features have only %zu columns",
                       spec->tree.features, train.d);
    double start = clock_monotonic();
    spec->threads = job->threads;
    spec->progress = progress;
    spec->context = job;
    if (rc == 0)
        rc = forest_grow(forest, &data, spec, err);
    double seconds = clock_monotonic() - start;
    if (rc == 0)
        rc = write_summary(job, forest, &data, spec, err);
    features_free(&train);
    struct classifier classifier = {.d = data.d, .model = forest, .predict = predict};
    return rc < 0 ? rc : classifier_finish(job, &classifier, seconds, err);
}
