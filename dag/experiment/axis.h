/* The values of a variable in `for` (stages) or `over` (tables). */
#ifndef FERDAG_DAG_EXPERIMENT_AXIS_H
#define FERDAG_DAG_EXPERIMENT_AXIS_H

#include "dag/experiment/experiment.h"

struct axis_values {
    const struct param *schema; /* of the values: a LIST that is counted */
    const char *section;        /* "for" or "over", for messages about one value */
    const char *what;           /* "stages.train.for.seed", for messages about all of them */
    const struct node *key;     /* the variable's name */
    const struct node *raw;     /* the values as they are written */
    const struct node *values;  /* the same, expanded */
};

/* Checks the variable's name and its values: a list of valid names, none twice, or an integer n for
 * 1, 2, ..., n. *good is a list of the valid ones. Errors are added to e->problems; if the values
 * are those of a param ("${seeds}"), once for all variables that it gives values to, at its place.
 * Returns 0, or -EINVAL if there is an error. */
int axis_read(struct experiment *e, const struct axis_values *axis, struct node **good);

#endif
