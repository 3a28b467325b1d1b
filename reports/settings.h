/* The paper's settings beside this run's, for the report's first page.
 *
 * The settings of a run are the params of its stages, not those of the experiment, since a stage
 * may override these, for instance for one net. So an entry names a kind and its param, and is
 * compared with every stage of that kind. */
#ifndef FERDAG_REPORTS_SETTINGS_H
#define FERDAG_REPORTS_SETTINGS_H

#include <jansson.h>
#include "base/problems.h"

/* paper: the section `paper`, whose `settings` is {NAME: {label, value, param, group_by, where}}:
 * value is the paper's (null: it states none); param is "KIND.PARAM" or "KIND" (without it: the
 * experiment's param NAME); group_by is the param that names stages with different values; where
 * holds values of params that a stage must have to be compared. `value_names` {WORD: TEXT} has
 * names of values for readers. params: the experiment's. stages: the run's, [{name, kind, params}].
 *
 * *list is new: [{param, label, stated, same, ours, paper}], ours and paper as text, without the
 * settings that no stage of the run has; *differ is how many differ from what the paper states.
 * Returns 0, -EINVAL for an unknown kind or param, or -ENOMEM. */
int settings_compare(const json_t *paper, const json_t *params, const json_t *stages, json_t **list,
                     size_t *differ, struct error *err);

/* Adds what is wrong with an entry: its kind or params don't exist, the params can't have the
 * values of `value` or `where`, or, without `param`, the experiment has no param of its name.
 * Places are JSON pointers from above `paper`. */
void settings_check(const char *name, const json_t *setting, const json_t *params,
                    struct problems *problems);

#endif
