/* random_forest: CART trees on bootstrap samples. */
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"
#include "stages/classifiers/trees.h"

static int run(struct job *job, struct error *err)
{
    struct forest forest = {0};
    struct forest_spec spec = {
        .tree = {.depth = (size_t)job_int(job, "max_depth"),
                 .features = (size_t)job_int(job, "max_features")},
        .trees = (size_t)job_int(job, "trees"),
        .bootstrap = job_bool(job, "bootstrap"),
        .seed = (uint64_t)job_int(job, "seed"),
    };
    int rc = trees_run(job, &spec, spec.tree.features == 0, &forest, err);
    forest_free(&forest);
    return rc;
}

static const struct port outputs[] = {
    PREDICTIONS_PORT,
    TREES_PORTS(" /out_of_bag/n|correct|accuracy"),
    TIMING_PORT(TIMING_TEXT, TIMING_OF_BOTH),
    {0},
};

static const struct param params[] = {
    {.name = "trees",
     .type = PARAM_INT,
     .standard = "100",
     .min = 1,
     .max = 10000,
     .text = "number of trees"},
    TREES_DEPTH_PARAM,
    {.name = "max_features",
     .type = PARAM_INT,
     .standard = "0",
     .min = 0,
     .max = 1000000,
     .text = "columns tried at a node, drawn at random; 0: the square root of their number"},
    {.name = "bootstrap",
     .type = PARAM_BOOL,
     .standard = "true",
     .text =
         "true: each tree is trained on n rows drawn with replacement; false: on every row once"},
    SEED_PARAM("seed of the samples and columns drawn"),
    {0},
};

const struct kind kind_random_forest = {
    .name = "random_forest",
    .version = 3,
    .text = "random forest: CART trees (Gini index), mean of the class shares in their leaves",
    .inputs = trees_inputs,
    .outputs = outputs,
    .params = params,
    .run = run,
};
