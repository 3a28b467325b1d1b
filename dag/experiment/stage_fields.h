/* A stage's own fields: kind, with, needs, out, env. Its `in` and `files` are wire.c's. */
#ifndef FERDAG_DAG_EXPERIMENT_STAGE_FIELDS_H
#define FERDAG_DAG_EXPERIMENT_STAGE_FIELDS_H

#include "dag/experiment/parts.h"

/* Reads them into draft->stage. What is wrong is added to the experiment's problems, and then the
 * stage is broken. */
void stage_read_fields(struct experiment *e, const struct draft *draft);

/* Checks the kind of an entry of `stages` whose matrix gives no stage, if the kind is written
 * without a variable. */
void stage_check_kind(struct experiment *e, const struct node *key, const struct node *entry);

#endif
