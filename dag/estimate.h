/* How many seconds a stage will take, from results of other stages in the cache's index.
 *
 * A result counts if it has the same kind, threads and numerics, and the same inputs, or if it is
 * the latest result of a stage of this experiment: inputs of another experiment may have any size.
 * For kinds with `work` the seconds are scaled by it; for others the name of the stage or all
 * params must be the same. Of several results the most similar one counts, then the newest one of
 * this experiment. */
#ifndef FERDAG_DAG_ESTIMATE_H
#define FERDAG_DAG_ESTIMATE_H

#include "dag/plan.h"

struct estimates;

/* The plan must outlive the estimates. */
struct estimates *estimates_create(const struct plan *plan);
void estimates_free(struct estimates *estimates); /* NULL is fine */

/* Seconds of the whole stage, from its beginning, or -1 if no result is similar. Looks it up once
 * before the task's inputs are known, and once more after. */
double estimates_seconds(struct estimates *estimates, const struct task *task);

/* To be called when a stage of the kind has finished: its result may be similar to stages that had
 * no estimate. */
void estimates_renew(struct estimates *estimates, const struct kind *kind);

#endif
