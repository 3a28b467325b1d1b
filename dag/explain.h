/* Why a stage would run, in the terms of its key: the same text that is hashed is compared. */
#ifndef FERDAG_DAG_EXPLAIN_H
#define FERDAG_DAG_EXPLAIN_H

#include "dag/plan.h"

enum verdict { VERDICT_CACHED, VERDICT_STALE, VERDICT_MISSING, VERDICT_RUNNING, VERDICT_FAILED };

extern const char *const verdict_names[]; /* "cached", "stale", ... */

/* What `status` calls a task of a started plan. *reason (malloc'd) says why in a few words, or is
 * NULL. */
int explain_verdict(const struct plan *plan, const struct task *task, bool whole,
                    enum verdict *verdict, char **reason, struct error *err);

/* All reasons as a list of texts; `whole`: with values and digests that aren't cut. */
int explain_reasons(const struct plan *plan, const struct task *task, bool whole, json_t **reasons,
                    struct error *err);

#endif
