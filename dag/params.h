/* A stage's `with:` against its kind's table. */
#ifndef FERDAG_DAG_PARAMS_H
#define FERDAG_DAG_PARAMS_H

#include "dag/yaml.h"
#include "stages/kind.h"

/* *params is an object with every param of the kind, in the table's order: what `with` (a map,
 * already expanded; NULL: nothing) says, or the default. `where` is the stage, for a param that is
 * missing. */
int params_check(const struct kind *kind, const struct node *with, const struct node *where,
                 json_t **params, struct error *err);

/* A param's default, read as if it stood in the YAML at `where`. */
int params_standard(const struct param *param, const struct node *where, json_t **value,
                    struct error *err);

#endif
