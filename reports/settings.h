/* The paper's settings beside this run's, for the report's first page.
 *
 * What a run used is what its stages were given, not what the experiment's params say: a stage may
 * override them, for one net alone. So an entry names a kind and its param, and every stage of that
 * kind is asked. */
#ifndef FERDAG_REPORTS_SETTINGS_H
#define FERDAG_REPORTS_SETTINGS_H

#include <jansson.h>
#include "base/problems.h"

/* paper: the section `paper`, whose `settings` is {NAME: {label, value, param, group_by, where}}:
 * what the paper says (null: nothing), whose param it is ("KIND.PARAM" or "KIND"; without it the
 * experiment's param NAME), the param that tells stages apart where their values differ, and params
 * that a stage must have for the setting to be one it uses. `value_names` {WORD: TEXT} is how a
 * reader calls a value, such as a model. params: the experiment's. stages: the run's, [{name, kind,
 * params}].
 *
 * *list becomes [{param, label, stated, same, ours, paper}], ours and paper as text, without the
 * settings that nothing in the run uses; *differ counts those that the paper states otherwise.
 * Returns 0, -EINVAL for an unknown kind or param, or -ENOMEM. */
int settings_compare(const json_t *paper, const json_t *params, const json_t *stages, json_t **list,
                     size_t *differ, struct error *err);

/* Adds what is wrong with an entry: its kind or params aren't there, they can't have the value that
 * it states or asks for, or, without `param`, the experiment has no param of its name. Places are
 * JSON pointers from above `paper`. */
void settings_check(const char *name, const json_t *setting, const json_t *params,
                    struct problems *problems);

#endif
