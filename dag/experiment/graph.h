/* The graph of an experiment's stages: who uses whose outputs, and the topological order. */
#ifndef FERDAG_DAG_EXPERIMENT_GRAPH_H
#define FERDAG_DAG_EXPERIMENT_GRAPH_H

#include "dag/experiment/experiment.h"

/* Puts e->stages into topological order and sets `place`, `users`, `height` and `work` of each.
 * -EINVAL if there is a cycle, which is added to e->problems. */
int graph_sort(struct experiment *e);

#endif
