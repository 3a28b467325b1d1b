/* Joins the stages of an experiment: references to outputs, users, order. */
#ifndef FERDAG_DAG_EXPERIMENT_WIRE_H
#define FERDAG_DAG_EXPERIMENT_WIRE_H

#include "dag/experiment/parts.h"

/* Reads what each stage takes in: `in` and `files`. What is wrong is added to e->problems. */
void wire_stages(struct experiment *e, const struct drafts *drafts);

/* Appends a stage; its name must be free. -EINVAL: reported. */
int wire_add(struct experiment *e, struct stage *stage);

/* Finds users, refuses cycles, puts e->stages into topological order, computes heights. -EINVAL:
 * reported. */
int wire_order(struct experiment *e);

#endif
