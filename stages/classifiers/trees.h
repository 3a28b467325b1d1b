/* Shared by the kinds decision_tree and random_forest. */
#ifndef FERDAG_STAGES_CLASSIFIERS_TREES_H
#define FERDAG_STAGES_CLASSIFIERS_TREES_H

#include "kernels/classifiers/trees/forest_grow.h"
#include "stages/job.h"

/* Input ports: `features` and the optional `layout`. */
extern const struct port trees_inputs[];

/* clang-format off */
#define TREES_PORTS(more)                                                                          \
    {.name = "summary", .form = PORT_FILE, .file = "summary.json",                                 \
     .holds = "/trees|nodes|leaves /importance/*/input|first|columns|share" more,                  \
     .text = "trees, nodes, leaves; for a forest out_of_bag {n, correct, accuracy}; with a layout " \
             "importance [{input, first, columns, share}]"},                                       \
    {.name = "importance", .form = PORT_FILE, .file = "importance.npy",                            \
     .text = "(columns) float64: Gini importance of each column; the sum is 1"}
#define TREES_DEPTH_PARAM                                                                          \
    {.name = "max_depth", .was = "depth", .key_name = "depth", .type = PARAM_INT, .standard = "0", \
     .min = 0, .max = 1000, .text = "greatest depth of a leaf; 0: no limit, split until pure"}
/* clang-format on */

/* Reads `features`, trains the forest, predicts, and writes `predictions`, `summary`, `importance`
 * and `timing`. With root, a node tries the square root of the number of columns instead of
 * spec->tree.features. Sets threads and progress of the spec. forest_free frees the forest, also
 * after an error. */
int trees_run(struct job *job, struct forest_spec *spec, bool root, struct forest *forest,
              struct error *err);

#endif
