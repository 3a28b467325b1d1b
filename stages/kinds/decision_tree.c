/* decision_tree: one CART tree, trained on every row, and written as JSON too. */
#include "stages/classifiers/classifier.h"
#include "stages/data/formats.h"
#include "stages/kind.h"
#include "stages/classifiers/trees.h"

/* Arrays with an element for each node. A row goes left if its value in column `feature` is <=
 * threshold. A leaf has feature, left and right -1. */
static json_t *tree_json(const struct cart *tree, size_t d)
{
    json_t *feature = json_array(), *threshold = json_array(), *left = json_array(),
           *right = json_array(), *counts = json_array();
    for (size_t i = 0; i < tree->nodes; i++) {
        const struct cart_node *node = &tree->node[i];
        json_int_t first = node->first;
        json_array_append_new(feature, json_integer(first ? (json_int_t)node->column : -1));
        json_array_append_new(threshold, json_real(node->threshold));
        json_array_append_new(left, json_integer(first ? first : -1));
        json_array_append_new(right, json_integer(first ? first + 1 : -1));
        json_t *row = json_array();
        for (size_t c = 0; c < tree->classes; c++)
            json_array_append_new(row, json_integer(tree->counts[i * tree->classes + c]));
        json_array_append_new(counts, row);
    }
    return json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "columns", (json_int_t)d, "nodes",
                     (json_int_t)tree->nodes, "feature", feature, "threshold", threshold, "left",
                     left, "right", right, "counts", counts);
}

static int run(struct job *job, struct error *err)
{
    struct forest forest = {0};
    struct forest_spec spec = {
        .tree = {.depth = (size_t)job_int(job, "max_depth"),
                 .features = (size_t)job_int(job, "max_features")},
        .trees = 1,
        .seed = (uint64_t)job_int(job, "seed"),
    };
    int rc = trees_run(job, &spec, false, &forest, err);
    if (rc == 0)
        rc = job_write_json(job_output(job, "model"), tree_json(&forest.tree[0], forest.d), err);
    forest_free(&forest);
    return rc;
}

static const struct port outputs[] = {
    PREDICTIONS_PORT,
    {.name = "model",
     .form = PORT_FILE,
     .file = "tree.json",
     .data = "tree",
     .text = "nodes: feature, threshold, left, right (-1 in a leaf), counts of each class"},
    TREES_PORTS(""),
    TIMING_PORT(TIMING_TEXT, TIMING_OF_BOTH),
    {0},
};

static const struct param params[] = {
    TREES_DEPTH_PARAM,
    {.name = "max_features",
     .type = PARAM_INT,
     .standard = "0",
     .min = 0,
     .max = 1000000,
     .text =
         "columns tried at a node, drawn at random; 0: all columns, and the seed has no effect"},
    SEED_PARAM("seed of the columns drawn"),
    {0},
};

const struct kind kind_decision_tree = {
    .name = "decision_tree",
    .version = 3,
    .text = "decision tree: CART, Gini index, exact splits; among equal splits the lowest column",
    .inputs = trees_inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
