/* The params of a stage: `with:` checked against the table of the kind. */
#ifndef FERDAG_DAG_EXPERIMENT_PARAMS_H
#define FERDAG_DAG_EXPERIMENT_PARAMS_H

#include "dag/experiment/scope.h"
#include "stages/kind.h"

/* *params: an object with every param of the kind, in the order of the table: the value in `with`,
 * expanded in the scope, or the default. with: the map as written; NULL: empty. where: the stage,
 * to report missing params at. -EINVAL if problems were added; *params is then unchanged. The
 * caller owns *params. */
int params_read(const struct kind *kind, struct scope *scope, const struct node *with,
                const struct node *where, json_t **params, struct problems *problems);

/* Adds the problems of a kind's check to `problems`. Their JSON pointers are replaced by the
 * positions of the nodes in `root`, or of the nearest existing ancestors. */
void params_locate(const struct problems *found, const struct node *root,
                   struct problems *problems);

#endif
