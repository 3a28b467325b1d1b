/* Values that `paper` names, against what params can be. */
#ifndef FERDAG_REPORTS_CHECK_VALUES_H
#define FERDAG_REPORTS_CHECK_VALUES_H

#include <jansson.h>
#include "base/problems.h"
#include "stages/param.h"

/* Adds a problem if no stage can have the value in that param, so that the two are never the same.
 * Ranges aren't looked at: the paper's value may be one that the kind doesn't take. `what` is how
 * to call the value. Types other than numbers, true or false, choices and texts are left. */
void value_check(const char *pointer, const char *what, const json_t *value,
                 const struct param *param, struct problems *problems);

/* Adds the names in paper.value_names of values that no stage and no param of the experiment has,
 * that are no choice of any kind, and that the paper's settings don't state. params: as of
 * check_sections. */
void value_names_check(const json_t *params, struct problems *problems);

#endif
