/* A stage's `with:` against its kind's table. */
#ifndef FERDAG_DAG_EXPERIMENT_PARAMS_H
#define FERDAG_DAG_EXPERIMENT_PARAMS_H

#include "dag/experiment/scope.h"
#include "stages/kind.h"

/* *params is an object with every param of the kind, in the table's order: what `with` (as written;
 * NULL: nothing) says in that scope, or the default. `where` is the stage, for a param that is
 * missing. -EINVAL if something was added to problems. */
int params_read(const struct kind *kind, struct scope *scope, const struct node *with,
                const struct node *where, json_t **params, struct problems *problems);

/* Moves problems of a kind's check, whose places are JSON pointers, to the nodes that they point to
 * in `root`, or to the nearest that there is. */
void params_locate(const struct problems *found, const struct node *root,
                   struct problems *problems);

#endif
