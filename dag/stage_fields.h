/* A stage's own fields: kind, with, needs, out, env. Its `in` and `files` are wire.c's. */
#ifndef FERDAG_DAG_STAGE_FIELDS_H
#define FERDAG_DAG_STAGE_FIELDS_H

#include "dag/wire.h"

/* Reads them into draft->stage. What is wrong is added to the experiment's problems, and then the
 * stage is broken. */
void stage_read_fields(struct experiment *e, const struct draft *draft);

#endif
