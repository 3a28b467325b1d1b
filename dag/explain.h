/* Why a stage would run: the text that is hashed to its key, compared with that of its last result.
 */
#ifndef FERDAG_DAG_EXPLAIN_H
#define FERDAG_DAG_EXPLAIN_H

#include "dag/plan.h"

enum verdict { VERDICT_CACHED, VERDICT_STALE, VERDICT_MISSING, VERDICT_RUNNING, VERDICT_FAILED };

extern const char *const verdict_names[]; /* "cached", "stale", ... */

/* The state that `status` prints for a task of a started plan. *reason (malloc'd) is why it isn't
 * cached or, if it runs or was interrupted, how far it is; NULL if there is nothing to add. whole:
 * don't shorten values and digests. */
int explain_verdict(const struct plan *plan, const struct task *task, bool whole,
                    enum verdict *verdict, char **reason, struct error *err);

/* Every reason that is certain, as a list of texts: what changed since the stage's last result,
 * also where the content of some inputs isn't known yet, and which inputs those are. Empty for a
 * cached task. whole: values and digests are not shortened. compared: key of the result with which
 * the stage was compared; "" if it wasn't or if nothing changed. */
int explain_reasons(const struct plan *plan, const struct task *task, bool whole, json_t **reasons,
                    char compared[65], struct error *err);

#endif
