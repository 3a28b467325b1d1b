/* Checks values in the section `paper` against the params that they belong to. */
#ifndef FERDAG_REPORTS_CHECK_VALUES_H
#define FERDAG_REPORTS_CHECK_VALUES_H

#include <jansson.h>
#include "base/problems.h"
#include "stages/param.h"

/* Adds a problem if no stage can have the value in that param, so that the two would never be
 * equal. Ranges are ignored: the paper's value may be one that the kind doesn't accept. `what`
 * names the value in the message. Only numbers, booleans, choices and texts are checked. */
void value_check(const char *pointer, const char *what, const json_t *value,
                 const struct param *param, struct problems *problems);

/* Adds the names in paper.value_names of values that don't occur in a stage, in a param of the
 * experiment, among the choices of a kind, or in the paper's settings, and that are similar to one
 * that does. params: as for check_sections. */
void value_names_check(const json_t *params, struct problems *problems);

#endif
