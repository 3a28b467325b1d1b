/* What decision_tree and random_forest share. */
#ifndef FERDAG_STAGES_TREES_H
#define FERDAG_STAGES_TREES_H

#include "kernels/forest.h"
#include "stages/job.h"

/* Reads `features`, grows the forest, predicts, and writes `predictions` and `timing`. With root, a
 * node tries the square root of the number of columns, whatever the spec says; threads and
 * progress of the spec are filled in. The caller frees the forest, also after an error. */
int trees_run(struct job *job, struct forest_spec *spec, bool root, struct forest *forest,
              struct error *err);

#endif
