/* The inputs of stages: `in` and `files` of an entry, resolved to outputs of other stages and to
 * external files. */
#ifndef FERDAG_DAG_EXPERIMENT_STAGE_INPUTS_H
#define FERDAG_DAG_EXPERIMENT_STAGE_INPUTS_H

#include "dag/experiment/parts.h"

/* Fills `inputs` of every draft's stage. The stages' own fields were read before
 * (stage_read_fields). Adds what is wrong to e->problems. */
void stage_read_inputs(struct experiment *e, const struct drafts *drafts);

#endif
