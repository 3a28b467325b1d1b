/* A stage's own fields: kind, with, needs, out, env. (stage_inputs.h reads `in` and `files`.) */
#ifndef FERDAG_DAG_EXPERIMENT_STAGE_FIELDS_H
#define FERDAG_DAG_EXPERIMENT_STAGE_FIELDS_H

#include "dag/experiment/parts.h"

/* Reads the fields into draft->stage. Adds errors to the experiment's problems and sets
 * stage->broken if there is one. */
void stage_read_fields(struct experiment *e, const struct draft *draft);

/* Checks the kind of an entry whose matrix gave no stage, if the kind contains no variable. */
void stage_check_kind(struct experiment *e, const struct node *key, const struct node *entry);

#endif
